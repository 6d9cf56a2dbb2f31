"""Models cut out of others, put on top of them, and called like layers."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Model, Sequential

from .three_outputs import LEVEL, PAST, N, T

pytestmark = pytest.mark.usefixtures("float64_everywhere")


def test_a_model_cut_out_of_another():
    chain = Sequential([Input((T, 2)), SimpleRNN(3, name="memory"), Dense(4, name="middle"), Dense(1, name="last")])
    chain.compile("sgd", "mse")
    chain.fit(PAST, LEVEL, verbose=0)
    inside = Model(chain.inputs, chain.get_layer("memory").output)
    np.testing.assert_array_equal(inside.predict(PAST), chain.layers[0](PAST))
    before = chain.predict(PAST)
    chain.fit(PAST, LEVEL, verbose=0)  # the part sees the new weights
    np.testing.assert_array_equal(inside.predict(PAST), chain.layers[0](PAST))
    assert (chain.predict(PAST) != before).any()
    end = Model(chain.get_layer("middle").output, chain.output)
    middle = Model(chain.input, chain.get_layer("middle").output)
    np.testing.assert_allclose(end.predict(middle.predict(PAST)), chain.predict(PAST), rtol=1e-6)
    kinds = [type(layer).__name__ for layer in end.layers]  # as in Keras it has an input of its own
    assert kinds == ["InputLayer", "Dense"]
    assert end.input_shape == (None, 4)
    again = Model.from_config(end.get_config())
    assert [type(layer).__name__ for layer in again.layers] == kinds


def test_a_head_on_a_base():
    base = Sequential([Input((T, 2)), SimpleRNN(3, name="memory")], name="base")
    base.compile("sgd", "mse")
    base.fit(PAST, np.ones((N, 3)), verbose=0)
    before = base.get_weights()
    base.trainable = False
    head = Model(base.input, Dense(1)(base.output))
    head.compile("sgd", "mse")
    head.fit(PAST, LEVEL, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(base.get_weights(), before, strict=True))
    with pytest.raises(ValueError, match=r"can't be made with layers \['memory'\] alone: .* base = copy\.copy"):
        Model(base.input, Dense(1)(base.output))  # a second head: the layer lies in the first one's vector
    base = copy.copy(base)  # what the message advises
    second = Model(base.input, Dense(2)(base.output))
    second.compile("sgd", "mse")
    second.fit(PAST, np.ones((N, 2)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(second.get_weights(), before, strict=False))
    both = Model(head.input, [head.output, Dense(2)(head.layers[1].output)])  # or one model with both heads
    both.compile("sgd", "mse")
    both.fit(PAST, [LEVEL, np.ones((N, 2))], verbose=0)
    assert np.shares_memory(both.vector, head.vector)


def test_a_model_called_like_a_layer_is_trained_with_the_rest():
    base = Sequential([Input((T, 2)), SimpleRNN(3)], name="base")
    before = base.get_weights()
    start = Input((T, 2))
    nested = Model(start, Dense(1)(base(start)))
    nested.compile("sgd", "mse")
    nested.fit(PAST, LEVEL, verbose=0)
    assert any((a != b).any() for a, b in zip(base.get_weights(), before, strict=True))
    np.testing.assert_array_equal(base.predict(PAST), nested.layers[1](PAST))


def test_encoder_and_decoder_are_taken_apart_for_inference():
    source, target = Input((T, 2), name="source"), Input((None, 3), name="target")
    encoder = SimpleRNN(5, return_state=True, name="encoder")
    decoder = SimpleRNN(5, return_sequences=True, return_state=True, name="decoder")
    head = Dense(3, name="head")
    _, state = encoder(source)
    h, _ = decoder(target, initial_state=state)
    training = Model([source, target], head(h))
    training.compile("rmsprop", "mse")
    target_data = np.random.default_rng(0).normal(size=(N, 6, 3)).astype("float32")
    training.fit([PAST, target_data], target_data, verbose=0)

    encode = Model(source, state)
    given = Input((5,), name="given")
    out, new_state = decoder(target, initial_state=given)
    decode = Model([target, given], [head(out), new_state])
    state_data = encode.predict(PAST)
    steps = []
    for t in range(6):
        y, state_data = decode.predict([target_data[:, t : t + 1], state_data])
        steps.append(y)
    np.testing.assert_allclose(np.concatenate(steps, 1), training.predict([PAST, target_data]), rtol=1e-10, atol=1e-12)
    training.fit([PAST, target_data], target_data, verbose=0)  # goes on after its layers went into other models
    np.testing.assert_allclose(encode.predict(PAST), encode(PAST), rtol=1e-12)


def test_a_model_called_twice_shares_its_weights():
    draws = np.random.default_rng(0)
    inner = Model(a := Input((3,)), Dense(2, "tanh")(a))
    left, right = Input((3,)), Input((3,))
    model = Model([left, right], [inner(left), inner(right)])
    assert model.count_params() == inner.count_params()
    x = draws.normal(size=(4, 3))
    first, second = model.predict([x, 2 * x])
    np.testing.assert_array_equal(first, inner.predict(x))
    np.testing.assert_array_equal(second, inner.predict(2 * x))
