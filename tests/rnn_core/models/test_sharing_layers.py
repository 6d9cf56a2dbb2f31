"""Layers in several chains: one memory where they lie next to each other, a clear refusal where they do not."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

from .chain import X, assert_one_vector, make, trained


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)])
def test_layers_next_to_each_other_are_shared_memory_and_all(first, last):
    whole = make()
    shape = whole.input_shape if first == 0 else (None, whole.layers[first].input_shape[-1])
    part = Sequential([Input(shape[1:]), *whole.layers[first:last]])
    assert np.shares_memory(part.vector, whole.vector)
    assert_one_vector(part)
    assert_one_vector(whole)
    before = whole.vector.copy()
    x = X if first == 0 else np.ones((6, shape[-1]), np.float32)
    part.compile("sgd", "mse")
    part.fit(x, np.ones((6, *part.output_shape[1:])), epochs=3, verbose=0)
    moved = whole.vector != before
    assert moved.any()
    inside = np.concatenate([np.full(layer.vector.size, first <= i < last) for i, layer in enumerate(whole.layers)])
    assert not moved[~inside].any()
    trained(whole)
    assert_one_vector(part)
    np.testing.assert_array_equal(part.vector, whole.vector[inside])


def test_layers_that_lie_apart_are_refused():
    whole = make()
    for layers in ([whole.layers[0], Dense(1)], [Dense(2), whole.layers[2]], [whole.layers[0], whole.layers[2]]):
        before = whole.vector.copy()
        with pytest.raises(ValueError, match=r"weights lie in one vector with the others of model|it was built for"):
            Sequential([Input((3, 2)), *layers])
        assert_one_vector(whole)
        assert np.array_equal(whole.vector, before)
    trained(whole)


def test_a_layer_outlives_its_model():
    model = make()
    layer, weights = model.layers[0], model.layers[0].get_weights()
    model = None
    gc.collect()
    other = Sequential([Input((3, 2)), layer, Dense(3)])
    assert_one_vector(other)
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), weights, strict=True))
    other.compile("sgd", "mse")
    other.fit(X, np.zeros((6, 3)), verbose=0)


def test_a_layer_used_by_itself_keeps_its_weights_in_a_model():
    layer = SimpleRNN(4)
    alone = layer(X)
    model = Sequential([Input((3, 2)), layer])
    assert np.array_equal(model.predict(X), alone)
    model.vector[...] = 0
    assert not layer(X).any()


def test_a_model_that_grows_takes_its_sharers_along():
    """The shared layers move to a new vector; a model that shares them must not train on the old one."""
    whole = make()
    part = Sequential([Input((3, 2)), *whole.layers[:2]])
    whole.add(Dense(2))
    assert_one_vector(whole)
    part.compile("sgd", "mse")
    before = part.get_weights()
    part.fit(X, np.ones((6, 2)), epochs=3, verbose=0)
    assert any((a != b).any() for a, b in zip(before, part.get_weights(), strict=True))
    assert_one_vector(part)
    assert np.array_equal(part.predict(X), whole.layers[1](whole.layers[0](X)))
