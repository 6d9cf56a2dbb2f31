"""SimpleRNNCell: agreement with live Keras in float64, and with the layer that runs it over a sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.layers import SimpleRNN, SimpleRNNCell

from .against_keras import TIGHT, keras, keras_gradients, pair

SEEDS = st.integers(0, 2**32 - 1)


def random_array(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"activation": "relu", "use_bias": False},
        {"activation": None},
        {"activation": "softplus"},
        {"dropout": 0.4},
        {"recurrent_dropout": 0.4},
        {"dropout": 0.3, "recurrent_dropout": 1.0},
    ],
    ids=str,
)
def test_one_step_and_its_gradients_are_keras(arguments, training):
    ours, theirs = pair("SimpleRNNCell", (4, 2), units=3, **arguments)
    x, h, w = random_array((4, 2)), random_array((4, 3), 2), random_array((4, 3), 3)
    record = ours.new_record(x.shape, d_vector := np.full_like(ours.vector, np.nan))
    record.dropout_masks = ours.dropout_masks(4, 2) if training else None
    if record.dropout_masks is not None:  # Keras is given the masks that we draw
        theirs._dropout_mask, theirs._recurrent_dropout_mask = record.dropout_masks
    output, (state,) = ours.step(record, x, [h])
    assert state is output
    dx, (dh,) = ours.step_backward(record, w, [np.zeros_like(h)])

    def call(x, h):
        return theirs(x, [h], training=training)[0]

    (their_output,), their_gradients = keras_gradients(theirs, [x, h], w, call)
    np.testing.assert_allclose(output, their_output, **TIGHT)
    for mine, keras_ in zip([*ours.views(d_vector).values(), dx, dh], their_gradients, strict=True):
        np.testing.assert_allclose(mine, keras_, **TIGHT)


def test_what_a_call_returns_is_what_keras_returns():
    ours, theirs = pair("SimpleRNNCell", (4, 2), units=3)
    x, h = random_array((4, 2)), random_array((4, 3), 2)
    for states in ([h], h):
        output, state = ours(x, states)
        their_output, their_state = theirs(x, states)
        assert isinstance(state, list) is isinstance(their_state, list)
        np.testing.assert_allclose(output, their_output, **TIGHT)
        np.testing.assert_allclose(np.squeeze(state), np.squeeze(their_state), **TIGHT)
    assert ours.state_size == theirs.state_size == ours.output_size == theirs.output_size == 3
    (zeros,), (their_zeros,) = ours.get_initial_state(5), theirs.get_initial_state(5)
    np.testing.assert_array_equal(zeros, their_zeros)
    assert zeros.dtype == np.float64
    assert ours.compute_output_shape((None, 2)) == (None, 3)


@settings(max_examples=15, deadline=None)
@given(
    seed=SEEDS,
    shape=st.tuples(*[st.integers(1, 4)] * 3),
    use_bias=st.booleans(),
    activation=st.sampled_from(["tanh", "relu", "gelu"]),
)
def test_run_over_a_sequence_the_cell_is_the_layer(seed, shape, use_bias, activation):
    """Outputs, and gradients by hand-made backpropagation through time, cell by cell."""
    batch, timesteps, features = shape
    layer = SimpleRNN(3, activation, use_bias, return_sequences=True, dtype="float64")
    cell = SimpleRNNCell(3, activation, use_bias, dtype="float64")
    layer.ensure_built(shape)
    cell.ensure_built((batch, features))
    layer.vector[...] = 0.6 * np.random.default_rng(seed).standard_normal(layer.vector.size)
    cell.set_weights(layer.get_weights())
    x, h0 = random_array(shape, seed), random_array((batch, 3), seed + 1)
    w = random_array((batch, timesteps, 3), seed + 2)

    whole = layer.new_record(shape, d_vector := np.empty_like(layer.vector))
    whole.initial_state = h0
    output = layer.forward(whole, x)
    d_input = layer.backward(whole, w)

    parts = [np.empty_like(cell.vector) for _ in range(timesteps)]
    records = [cell.new_record((batch, features), part) for part in parts]
    h = h0
    for t in range(timesteps):
        h, _ = cell.step(records[t], x[:, t], [h])
        np.testing.assert_allclose(h, output[:, t], rtol=1e-13, atol=1e-14)
    dh = np.zeros((batch, 3))
    for t in reversed(range(timesteps)):
        dx, (dh,) = cell.step_backward(records[t], w[:, t], [dh])
        np.testing.assert_allclose(dx, d_input[:, t], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(dh, whole.d_hidden, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(sum(parts), d_vector, rtol=1e-11, atol=1e-12)


def test_dropout_is_drawn_at_each_call_and_only_in_training():
    cell = SimpleRNNCell(50, None, dropout=0.5, recurrent_dropout=0.5, seed=3)
    x, h = np.ones((2, 50)), np.ones((2, 50))
    plain, _ = cell(x, h)
    np.testing.assert_array_equal(plain, cell(x, h)[0])
    first, second = cell(x, h, training=True)[0], cell(x, h, training=True)[0]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, plain)
    again = SimpleRNNCell.from_config(cell.get_config())
    again(x, h)
    again.set_weights(cell.get_weights())
    np.testing.assert_array_equal(again(x, h, training=True)[0], first)


@pytest.mark.parametrize(
    ("states", "error", "message"),
    [
        (np.ones((4, 2)), ValueError, r"states must be 1 array of shape \(4, 3\), .*, got \(4, 2\)"),
        ([], ValueError, "states must be 1 array of shape .* got none"),
        ([np.ones((4, 3)), np.ones((4, 3))], ValueError, r"got \(4, 3\) and \(4, 3\)"),
        ("zeros", TypeError, "states must be numeric"),
    ],
)
def test_bad_states_say_what_was_expected(states, error, message):
    with pytest.raises(error, match=message):
        SimpleRNNCell(3)(np.ones((4, 2)), states)


def test_sequences_are_refused():
    with pytest.raises(ValueError, match=r"SimpleRNNCell .* expects \(batch, features\), got"):
        SimpleRNNCell(3)(np.ones((4, 2, 1)), np.ones((4, 3)))


def test_bad_arguments_name_the_cell():
    with pytest.raises(ValueError, match="SimpleRNNCell: units must be an integer"):
        SimpleRNNCell(0)
    assert isinstance(keras.layers.SimpleRNNCell(1), keras.layers.Layer)
