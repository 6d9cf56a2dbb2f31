"""Layers added, removed and frozen, and weights assigned: one vector holds them all at any time."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

from .chain import X, assert_one_vector, make, trained


def test_pop_and_add_keep_the_weights_of_the_others():
    model = trained(make())
    kept = [w.copy() for w in model.get_weights()]
    last = model.pop()
    assert model.output_shape == (None, 2)
    assert model.built
    assert_one_vector(model)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept[:-2], strict=True))
    assert model.predict(X).shape == (6, 2)
    model.add(Dense(3))
    assert_one_vector(model)
    assert model.output_shape == (None, 3)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept[:-2], strict=False))
    assert np.array_equal(last.get_weights()[0], kept[-2])
    model.pop()
    model.add(last)
    assert_one_vector(model)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept, strict=True))


def test_a_changed_model_needs_a_new_optimizer_and_trains_with_it():
    model = trained(make())
    model.pop()
    model.add(Dense(1))
    with pytest.raises(ValueError, match="was built on other weights"):
        trained(model)
    model.compile("rmsprop", "mse")
    before = model.get_weights()
    trained(model)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_model_whose_layers_are_all_popped_starts_from_its_input_again():
    model = make()
    names = [model.pop().name for _ in range(3)]
    assert names[-1] == "memory"
    assert not model.built
    with pytest.raises(ValueError, match="has no layer to remove"):
        model.pop()
    model.add(Dense(5))
    assert model.output_shape == (None, 3, 5)  # the Input is still there


def test_a_popped_layer_can_go_into_another_model():
    model = make()
    last = model.pop()
    weights = last.get_weights()
    other = Sequential([Input((3, 2)), SimpleRNN(2), last])
    assert_one_vector(other)
    assert np.array_equal(other.layers[1].get_weights()[0], weights[0])
    before = model.vector.copy()
    trained(other)
    assert np.array_equal(model.vector, before)
    assert_one_vector(model)


def test_freezing_the_model_freezes_its_layers():
    model = make()
    assert model.trainable
    model.trainable = False
    assert not any(layer.trainable for layer in model.layers)
    assert model.trainable_weights == []
    before = model.vector.copy()
    trained(model)
    assert np.array_equal(model.vector, before)
    model.layers[1].trainable = True
    assert model.trainable
    trained(model)
    assert [np.array_equal(a, b) for a, b in zip(model.parts(before), model.parts(model.vector), strict=True)] == [
        True,
        False,
        True,
    ]
    model.trainable = True
    assert len(model.trainable_weights) == len(model.weights)


def test_what_is_assigned_to_a_weight_is_what_the_model_computes_with():
    model = Sequential([Input((3, 2)), SimpleRNN(5), Dense(1)])
    x = np.ones((4, 3, 2))
    before, layer = model.predict(x), model.layers[0]
    layer.kernel = np.full((2, 5), 0.5)
    assert np.shares_memory(layer.kernel, model.vector)
    assert (model.predict(x) != before).all()
    layer.kernel *= 2
    np.testing.assert_array_equal(layer.get_weights()[0], np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"weight 'kernel' has shape \(2, 5\), got \(5,\)"):
        layer.kernel = np.ones(5)
    np.testing.assert_array_equal(layer.kernel, np.ones((2, 5)))
