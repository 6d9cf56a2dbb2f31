"""SimpleRNN: Keras' published numbers, agreement with live Keras in float64, identities, and the vanishing gradient.

Its gradients against central differences are in ``test_gradients``.
"""

from __future__ import annotations

import importlib.util
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.denormals import flush
from rnn_core.layers import Dense, Input, Masking, SimpleRNN, simple_rnn
from rnn_core.models import Sequential

from .against_keras import TIGHT, assert_training_step_is_keras, keras, keras_gradients, keras_in_float64, pair

SEEDS = st.integers(0, 2**32 - 1)
SHAPE = (3, 5, 4)  # batch, timesteps, features
MASK = np.array([[1, 1, 0, 1, 1], [1, 0, 0, 1, 0], [1, 1, 1, 1, 1]], bool)
FLUSH_EVERY = simple_rnn._FLUSH_EVERY
few = settings(max_examples=15, deadline=None)


def random_layer(seed: int = 0, shape=SHAPE, scale: float = 0.6, units: int = 3, dtype="float64", **arguments) -> SimpleRNN:
    """Return a built layer with random weights, the bias too."""
    layer = SimpleRNN(units, dtype=dtype, **arguments)
    layer.ensure_built(shape)
    layer.vector[...] = scale * np.random.default_rng(seed).standard_normal(layer.vector.size)
    return layer


def random_input(seed: int = 0, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed + 1).standard_normal(shape)


# --- the numbers that Keras publishes, keras/src/layers/rnn/simple_rnn_test.py -------------------------------

# Every row of the output holds one number, because all weights of a kind are equal.
CONSTANTS = {
    "kernel_initializer": {"class_name": "Constant", "config": {"value": 0.01}},
    "recurrent_initializer": {"class_name": "Constant", "config": {"value": 0.02}},
    "bias_initializer": {"class_name": "Constant", "config": {"value": 0.03}},
}
THREE_STEPS = np.arange(24, dtype="float32").reshape(2, 3, 4)
FOUR_STEPS = np.arange(24, dtype="float32").reshape(2, 4, 3)
PUBLISHED_MASK = np.array([[True, True, False, True], [True, False, False, True]])
PUBLISHED_STATE = np.arange(8, dtype="float32").reshape(2, 4)


def assert_published(output: np.ndarray, rows) -> None:
    rows = np.asarray(rows)[..., None]
    np.testing.assert_allclose(output, np.broadcast_to(rows, output.shape), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize(
    ("go_backwards", "rows"), [(False, [0.405432, 0.73605347]), (True, [0.11144729, 0.5528889])]
)
def test_published_numbers_plain_and_backwards(go_backwards, unroll, rows):
    layer = SimpleRNN(4, go_backwards=go_backwards, unroll=unroll, **CONSTANTS)
    assert_published(layer(THREE_STEPS), rows)


def test_published_numbers_stateful():
    layer = SimpleRNN(4, stateful=True, **CONSTANTS)
    for _ in range(2):
        layer(THREE_STEPS)
        assert_published(layer(THREE_STEPS), [0.40559256, 0.7361247])
        layer.reset_state()


@pytest.mark.parametrize(
    ("go_backwards", "rows"), [(False, [0.33621645, 0.6262637]), (True, [0.07344437, 0.43043602])]
)
def test_published_numbers_with_an_initial_state(go_backwards, rows):
    layer = SimpleRNN(4, go_backwards=go_backwards, **CONSTANTS)
    assert_published(layer(FOUR_STEPS, initial_state=PUBLISHED_STATE), rows)


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ({"units": 4, "unroll": True}, [0.32951632, 0.61799484]),
        ({"units": 4, "go_backwards": True}, [0.07376196, 0.43645123]),
        (
            {"units": 2, "return_sequences": True},
            [[0.0599281, 0.15122814, 0.15122814, 0.32394567], [0.3969304, 0.3969304, 0.3969304, 0.608085]],
        ),
        (
            {"units": 2, "return_sequences": True, "zero_output_for_mask": True},
            [[0.0599281, 0.15122814, 0.0, 0.32394567], [0.3969304, 0.0, 0.0, 0.608085]],
        ),
    ],
)
def test_published_numbers_with_a_mask(arguments, rows):
    assert_published(SimpleRNN(**arguments, **CONSTANTS)(FOUR_STEPS, mask=PUBLISHED_MASK), rows)


# --- live Keras ----------------------------------------------------------------------------------------------

__all__ = ["keras_in_float64"]  # a fixture

def assert_agrees(arguments: dict, *, mask=None, initial_state=None, training=False, shape=SHAPE, seed=0) -> None:
    """Compare output, final state and all gradients of ``sum(w * output)`` with Keras' on TensorFlow."""
    # return_state only adds to what is returned; it is asked for everywhere, so that the state is compared too.
    ours, theirs = pair("SimpleRNN", shape, seed, **{"units": 3, "return_state": True, **arguments})
    x = random_input(seed, shape)
    h0 = np.zeros((shape[0], ours.units)) if initial_state is None else initial_state
    if training:  # Keras is given the dropout masks that we draw
        again = np.random.default_rng(5)
        ours.dropout_stream = np.random.default_rng(5)
        theirs.cell._dropout_mask, theirs.cell._recurrent_dropout_mask = _masks(ours, again, shape)
    record = ours.new_record(shape, d_vector := np.full_like(ours.vector, np.nan))
    record.mask = mask
    record.initial_state = h0 if initial_state is not None else None
    w = np.random.default_rng(seed + 2).standard_normal(ours.forward(record, x).shape)
    if training:
        ours.dropout_stream = np.random.default_rng(5)
    output = ours.forward(record, x, training).copy()
    state = record.hidden[-1].copy()
    d_input = ours.backward(record, w)

    def call(x, h0):
        # Zeros and no initial state are one to Keras too.
        return theirs(x, initial_state=h0, mask=mask, training=training)

    (their_output, their_state), their_gradients = keras_gradients(theirs, [x, h0], w, call)
    np.testing.assert_allclose(output, their_output, **TIGHT)
    np.testing.assert_allclose(state, their_state, **TIGHT)
    mine = [*ours.views(d_vector).values(), d_input]
    if initial_state is not None:
        mine.append(record.d_hidden)
    for gradient, theirs_ in zip(mine, their_gradients, strict=False):
        np.testing.assert_allclose(gradient, theirs_, **TIGHT)


def _masks(layer: SimpleRNN, draws: np.random.Generator, shape):
    held, layer.dropout_stream = layer.dropout_stream, draws
    masks = layer.dropout_masks(shape[0], shape[2])
    layer.dropout_stream = held
    return masks


SETTINGS = {
    "plain": {},
    "one unit": {"units": 1},
    "relu": {"activation": "relu"},
    "no activation": {"activation": None},
    "softmax": {"activation": "softmax"},
    "elu, derivative in the input": {"activation": "elu"},
    "no bias": {"use_bias": False},
    "sequences": {"return_sequences": True},
    "backwards": {"go_backwards": True},
    "backwards, sequences": {"go_backwards": True, "return_sequences": True},
    "unroll": {"unroll": True},
    "unroll, backwards, sequences": {"unroll": True, "go_backwards": True, "return_sequences": True},
    "zeros for masked": {"zero_output_for_mask": True},
    "zeros for masked, sequences": {"zero_output_for_mask": True, "return_sequences": True},
    "zeros for masked, sequences, backwards": {
        "zero_output_for_mask": True,
        "return_sequences": True,
        "go_backwards": True,
    },
}


@pytest.mark.parametrize("start", ["zero state", "initial state"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
@pytest.mark.parametrize("name", SETTINGS)
def test_output_state_and_gradients_are_keras(name, mask, start):
    if mask is not None and start == "initial state" and SETTINGS[name].get("go_backwards"):
        mask = mask.copy()
        mask[1, -1] = True  # the step that comes first must be there: see the test of what Keras does otherwise
    initial_state = random_input(7, (SHAPE[0], SETTINGS[name].get("units", 3))) if start == "initial state" else None
    assert_agrees(SETTINGS[name], mask=mask, initial_state=initial_state)


@pytest.mark.parametrize("mask", ["first step", "all of one sample"])
@pytest.mark.parametrize("sequences", [False, True])
def test_masked_from_the_start_with_the_state_at_zero_is_keras(mask, sequences):
    chosen = MASK.copy()
    chosen[0, 0] = False
    if mask == "all of one sample":
        chosen[0] = False
    assert_agrees({"return_sequences": sequences}, mask=chosen)
    assert_agrees({"return_sequences": sequences, "zero_output_for_mask": True}, mask=chosen)


@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.3, 0.6), (1.0, 0.0), (0.0, 1.0), (7.0, -2.0)])
@pytest.mark.parametrize("masked", [False, True])
def test_dropout_with_the_masks_held_fixed_is_keras(rates, masked):
    arguments = {"dropout": rates[0], "recurrent_dropout": rates[1], "return_sequences": True}
    assert_agrees(arguments, training=True, mask=MASK if masked else None, initial_state=random_input(3, (3, 3)))


def test_dropout_does_nothing_outside_training():
    plain, dropped = random_layer(), random_layer(dropout=0.5, recurrent_dropout=0.5)
    np.testing.assert_array_equal(plain(random_input()), dropped(random_input()))
    assert not np.array_equal(plain(random_input()), dropped(random_input(), training=True))


def test_rates_are_clamped_as_in_keras():
    ours, theirs = pair("SimpleRNN", SHAPE, units=2, dropout=7, recurrent_dropout=-2)
    assert (ours.dropout, ours.recurrent_dropout) == (theirs.dropout, theirs.recurrent_dropout) == (1.0, 0.0)


@pytest.mark.parametrize("arguments", [{}, {"return_sequences": True}, {"go_backwards": True}])
def test_stateful_is_keras(arguments):
    ours, theirs = pair("SimpleRNN", SHAPE, units=3, stateful=True, return_state=True, **arguments)
    mask = MASK.copy()
    mask[:, [0, -1]] = True
    for seed in range(3):
        x = random_input(seed)
        arguments = {"mask": mask if seed else None}
        for mine, keras_ in zip(ours(x, **arguments), theirs(x, **arguments), strict=True):
            np.testing.assert_allclose(mine, keras_, **TIGHT)
        np.testing.assert_allclose(ours.state, theirs.states[0], **TIGHT)
    # An initial state given takes the place of the one kept, and what comes out is kept.
    x, h0 = random_input(8), random_input(9, (3, 3))
    np.testing.assert_allclose(ours(x, initial_state=h0)[1], theirs(x, initial_state=h0)[1], **TIGHT)
    np.testing.assert_allclose(ours(x)[1], theirs(x)[1], **TIGHT)
    ours.reset_state(), theirs.reset_state()
    np.testing.assert_allclose(ours(x)[0], theirs(x)[0], **TIGHT)
    ours.reset_states()
    assert not ours.state.any()


def keras_numpy_rnn():
    """Return ``rnn`` of Keras' NumPy backend, from its file: the backend itself needs SciPy."""
    path = pathlib.Path(keras.__file__).parent / "src" / "backend" / "numpy" / "rnn.py"
    spec = importlib.util.spec_from_file_location("keras_numpy_rnn", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.rnn


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("zero_output_for_mask", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_first_step_masked_with_an_initial_state_follows_keras_on_numpy_not_on_tensorflow(
    go_backwards, zero_output_for_mask, sequences
):
    """Until the first step that is there, Keras on NumPy and JAX puts out h0, and on TensorFlow zeros.

    The state carries over in all of them. We put out the state, h0; the deviation is one of Keras on TensorFlow.
    """
    arguments = {
        "units": 3,
        "go_backwards": go_backwards,
        "zero_output_for_mask": zero_output_for_mask,
        "return_sequences": sequences,
        "return_state": True,
    }
    ours, theirs = pair("SimpleRNN", SHAPE, **arguments)
    x, h0 = random_input(), random_input(4, (3, 3))
    mask = MASK.copy()
    mask[0, [0, 1, -1]] = mask[1] = False

    def step(x, states):
        h = np.tanh(x @ ours.kernel + ours.bias + states[0] @ ours.recurrent_kernel)
        return h, [h]

    last, outputs, (state,) = keras_numpy_rnn()(
        step, x, [h0], go_backwards, mask, zero_output_for_mask=zero_output_for_mask, return_all_outputs=sequences
    )
    output, final = ours(x, mask=mask, initial_state=h0)
    np.testing.assert_allclose(output, outputs if sequences else last, **TIGHT)
    np.testing.assert_allclose(final, state, **TIGHT)
    tf_output, tf_state = (np.asarray(part) for part in theirs(x, mask=mask, initial_state=h0))
    np.testing.assert_allclose(final, tf_state, **TIGHT)
    if zero_output_for_mask:
        np.testing.assert_allclose(output, tf_output, **TIGHT)
    else:
        assert not (tf_output[1, 0] if sequences else tf_output[1]).any()
        np.testing.assert_array_equal(output[1, 0] if sequences else output[1], h0[1])


def test_unroll_changes_nothing():
    """Also not with zero_output_for_mask, which Keras then forgets on NumPy and JAX."""
    x = random_input()
    for flags in ({}, {"zero_output_for_mask": True}, {"zero_output_for_mask": True, "go_backwards": True}):
        one, other = (random_layer(return_sequences=True, unroll=unroll, **flags) for unroll in (False, True))
        np.testing.assert_array_equal(one(x, mask=MASK), other(x, mask=MASK))


def test_initializers_names_and_shapes_are_keras():
    arguments = {
        "units": 3,
        "kernel_initializer": "ones",
        "recurrent_initializer": "identity",
        "bias_initializer": {"class_name": "Constant", "config": {"value": 0.5}},
        "name": "memory",
        "trainable": False,
    }
    ours, theirs = SimpleRNN(**arguments), keras.layers.SimpleRNN(**arguments)
    ours.ensure_built(SHAPE), theirs.build(SHAPE)
    for weight, variable, spec in zip(ours.weights, theirs.weights, ours.specs, strict=True):
        np.testing.assert_array_equal(weight, variable)
        assert weight.dtype == "float32"
        assert spec.name == variable.name
    assert (ours.name, ours.trainable) == (theirs.name, theirs.trainable)
    assert ours.trainable_weights == theirs.trainable_weights == []
    assert len(ours.non_trainable_weights) == len(theirs.non_trainable_weights) == 3
    for return_sequences in (False, True):
        for return_state in (False, True):
            flags = {"return_sequences": return_sequences, "return_state": return_state}
            shapes = [kind(3, **flags).compute_output_shape((None, 5, 4)) for kind in (SimpleRNN, keras.layers.SimpleRNN)]
            assert shapes[0] == shapes[1]


def test_regularizers_and_constraints_in_a_training_step_are_keras(keras_in_float64):
    """One SGD step of a stacked model: loss with penalties, then the update, then the constraints."""
    first = {
        "units": 3,
        "return_sequences": True,
        "kernel_regularizer": {"class_name": "L1", "config": {"l1": 0.25}},
        "recurrent_regularizer": {"class_name": "L2", "config": {"l2": 0.125}},
        "bias_regularizer": {"class_name": "L1L2", "config": {"l1": 0.5, "l2": 0.25}},
        "kernel_constraint": "non_neg",
        "recurrent_constraint": "unit_norm",
        "bias_constraint": {"class_name": "MaxNorm", "config": {"max_value": 0.25, "axis": 0}},
    }
    second = {"units": 2, "go_backwards": True, "activation": "relu"}
    entries = [("SimpleRNN", first), ("SimpleRNN", second)]
    assert_training_step_is_keras(entries, random_input(), random_input(5, (3, 2)))


def test_activity_regularizer_is_honoured_where_keras_drops_it():
    """Keras' SimpleRNN takes the argument and leaves it out; GRU and LSTM honour it. We do, over the batch size."""
    theirs = keras.layers.SimpleRNN(2, activity_regularizer="l2")
    theirs(random_input().astype("float32"))
    assert theirs.losses == []
    layer = SimpleRNN(2, activity_regularizer="l2", dtype="float64")
    model = Sequential([Input(SHAPE[1:]), layer])
    model.compile("sgd", "mse")
    x = random_input()
    y = model(x)
    assert model.test_on_batch(x, y) == pytest.approx(0.01 * np.sum(y**2) / len(x), rel=1e-13)


def test_a_mask_goes_on_to_the_next_layer_in_input_order_as_in_keras():
    """Only with return_sequences. With go_backwards Keras hands on the mask of the input, unreversed; so do we."""
    for sequences in (False, True):
        theirs = keras.layers.SimpleRNN(2, return_sequences=sequences, go_backwards=True)
        expected = theirs.compute_mask(None, MASK)
        layer = random_layer(return_sequences=sequences, go_backwards=True)
        record = layer.new_record(SHAPE)
        record.mask = MASK
        layer.forward(record, random_input())
        assert expected is None if record.output_mask is None else np.array_equal(record.output_mask, expected)
        assert (record.output_mask is None) is not sequences


# --- identities -----------------------------------------------------------------------------------------------


FLAGS = st.fixed_dictionaries(
    {
        "return_sequences": st.booleans(),
        "go_backwards": st.booleans(),
        "zero_output_for_mask": st.booleans(),
        "activation": st.sampled_from(["tanh", "relu", "elu"]),
        "use_bias": st.booleans(),
    }
)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3))


def gradients(layer: SimpleRNN, x, w=None, mask=None, initial_state=None, record=None):
    """Return the output and the gradients (weights, input) of ``sum(w * output)``."""
    d_vector = np.full_like(layer.vector, np.nan)
    record = layer.new_record(x.shape, d_vector)
    record.mask, record.initial_state = mask, initial_state
    output = layer.forward(record, x).copy()
    w = np.ones_like(output) if w is None else w
    return output, d_vector, layer.backward(record, w).copy()


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS)
def test_masking_nothing_changes_nothing(flags, shape, seed):
    layer, x = random_layer(seed, shape, **flags), random_input(seed % 1000, shape)
    h0 = random_input(3, (shape[0], 3))
    plain = gradients(layer, x, initial_state=h0)
    masked = gradients(layer, x, mask=np.ones(shape[:2], bool), initial_state=h0)
    for a, b in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(a, b)


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS)
def test_a_masked_step_is_as_good_as_no_step(flags, shape, seed):
    """The outputs and gradients of the other steps are those of the sequence with the step taken out."""
    layer, x = random_layer(seed, shape, **{**flags, "zero_output_for_mask": False}), random_input(seed % 1000, shape)
    at = seed % (shape[1] + 1)
    longer = np.insert(x, at, 1e3, axis=1)
    mask = np.ones(longer.shape[:2], bool)
    mask[:, at] = False
    output, d_vector, d_input = gradients(layer, x)
    w = np.ones((shape[0], shape[1] + 1, 3))
    place = shape[1] - at if layer.go_backwards else at  # of the masked step in the output
    w[:, place] = 0
    with_gap = gradients(layer, longer, w if layer.return_sequences else None, mask)
    assert not with_gap[2][:, at].any()
    np.testing.assert_allclose(with_gap[1], d_vector, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.delete(with_gap[2], at, axis=1), d_input, rtol=1e-12, atol=1e-13)
    shortened = np.delete(with_gap[0], place, axis=1) if layer.return_sequences else with_gap[0]
    np.testing.assert_allclose(shortened, output, rtol=1e-13, atol=1e-14)


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_stacking_two_batches_changes_nothing(flags, shape, seed, masked):
    """Outputs are those of each batch; gradients of weights add up."""
    layer = random_layer(seed, shape, **flags)
    x = random_input(seed % 1000, (2 * shape[0], *shape[1:]))
    mask = np.random.default_rng(seed).random(x.shape[:2]) < 0.6 if masked else None
    n = shape[0]
    whole = gradients(layer, x, mask=mask)
    parts = [gradients(layer, x[rows], mask=None if mask is None else mask[rows]) for rows in (slice(n), slice(n, None))]
    np.testing.assert_allclose(whole[0], np.concatenate([p[0] for p in parts]), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(whole[1], parts[0][1] + parts[1][1], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(whole[2], np.concatenate([p[2] for p in parts]), rtol=1e-12, atol=1e-13)


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_the_record_is_what_was_computed(flags, shape, seed, masked):
    """The record, time-major and in processing order, holds the output, and obeys the layer's formula."""
    layer, x = random_layer(seed, shape, **{**flags, "return_sequences": True}), random_input(seed % 1000, shape)
    record = layer.new_record(shape)
    if masked:
        record.mask = np.random.default_rng(seed).random(shape[:2]) < 0.6
    record.initial_state = random_input(2, (shape[0], 3))
    output = layer.forward(record, x)
    hidden = record.hidden
    ordered = x[:, ::-1] if layer.go_backwards else x
    np.testing.assert_array_equal(record.x, ordered.transpose(1, 0, 2))
    np.testing.assert_array_equal(hidden[0], record.initial_state)
    for t in range(shape[1]):
        a = ordered[:, t] @ layer.kernel + hidden[t] @ layer.recurrent_kernel + (layer.bias if layer.use_bias else 0)
        expected = layer.activation(a)
        if masked:
            there = record.mask[:, shape[1] - 1 - t if layer.go_backwards else t, None]
            expected = np.where(there, expected, hidden[t])
        np.testing.assert_allclose(hidden[t + 1], expected, rtol=1e-12, atol=1e-13)
    if not (masked and layer.zero_output_for_mask):
        np.testing.assert_array_equal(output.transpose(1, 0, 2), hidden[1:])
    assert hidden.flags.c_contiguous
    assert set(record.named_arrays()) >= {"x", "hidden", "preactivation"}


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_going_backwards_is_reversing_the_input(flags, shape, seed, masked):
    x = random_input(seed % 1000, shape)
    mask = np.random.default_rng(seed).random(shape[:2]) < 0.6 if masked else None
    backwards = random_layer(seed, shape, **{**flags, "go_backwards": True})
    forwards = random_layer(seed, shape, **{**flags, "go_backwards": False})
    a = gradients(backwards, x, mask=mask)
    b = gradients(forwards, x[:, ::-1], mask=None if mask is None else mask[:, ::-1])
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(a[1], b[1])
    np.testing.assert_array_equal(a[2], b[2][:, ::-1])


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_two_stateful_halves_are_one_run(flags, shape, seed, masked):
    """And so is a run whose second half is given the first one's state."""
    flags = {**flags, "go_backwards": False}
    x = random_input(seed % 1000, (shape[0], 2 * shape[1], shape[2]))
    mask = np.random.default_rng(seed).random(x.shape[:2]) < 0.6 if masked else np.ones(x.shape[:2], bool)
    whole = random_layer(seed, x.shape, return_state=True, **flags)
    halves = random_layer(seed, x.shape, return_state=True, stateful=True, **flags)
    cut = shape[1]
    output, state = whole(x, mask=mask)
    first, _ = halves(x[:, :cut], mask=mask[:, :cut])
    second, last_state = halves(x[:, cut:], mask=mask[:, cut:])
    joined = np.concatenate([first, second], axis=1) if flags["return_sequences"] else second
    np.testing.assert_allclose(joined, output, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(last_state, state, rtol=1e-13, atol=1e-14)
    _, middle = whole(x[:, :cut], mask=mask[:, :cut])
    again, _ = whole(x[:, cut:], mask=mask[:, cut:], initial_state=[middle])
    np.testing.assert_allclose(again, second, rtol=1e-13, atol=1e-14)


@few
@given(seed=SEEDS, masked=st.booleans(), flags=FLAGS)
def test_a_stack_of_two_is_one_after_the_other(seed, masked, flags):
    first = random_layer(seed, **{**flags, "return_sequences": True})
    second = random_layer(seed + 1, (3, 5, 3), **flags)
    entries = [Masking(dtype="float64"), first, second, Dense(2, dtype="float64")]
    x = random_input(seed % 1000)
    if masked:
        x[~MASK] = 0
    h = first(x, mask=MASK if masked else None)
    expected = entries[-1](second(h, mask=MASK if masked else None))
    np.testing.assert_allclose(Sequential([Input(SHAPE[1:]), *entries])(x), expected, rtol=1e-13, atol=1e-14)


@few
@given(seed=SEEDS, flags=FLAGS, calls=st.lists(st.tuples(*[st.booleans()] * 3), min_size=2, max_size=4))
def test_a_record_used_again_gives_what_a_fresh_one_gives(seed, flags, calls):
    """Whatever the batch before had: a mask, an initial state, dropout."""
    layer = random_layer(seed, dropout=0.3, recurrent_dropout=0.3, **flags)
    used_d, fresh_d = np.empty_like(layer.vector), np.empty_like(layer.vector)
    used = layer.new_record(SHAPE, used_d)
    for number, (masked, started, training) in enumerate(calls):
        x = random_input(number)
        mask = np.random.default_rng(seed + number).random(SHAPE[:2]) < 0.5 if masked else None
        fresh = layer.new_record(SHAPE, fresh_d)
        results = []
        for record in (used, fresh):
            layer.dropout_stream = np.random.default_rng(number)
            record.mask = mask
            record.initial_state = random_input(number, (3, 3)) if started else None
            output = layer.forward(record, x, training).copy()
            results.append((output, layer.backward(record, np.ones_like(output)).copy(), record.hidden[-1].copy()))
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(used_d, fresh_d)


def test_one_dropout_mask_serves_all_steps_of_a_batch_and_the_next_batch_gets_another():
    layer = SimpleRNN(
        400, None, use_bias=False, kernel_initializer="identity", recurrent_initializer="zeros", dropout=0.3, seed=1,
        return_sequences=True, dtype="float64",
    )  # fmt: skip
    x = np.ones((5, 4, 400))
    first, second = layer(x, training=True), layer(x, training=True)
    for t in range(1, 4):
        np.testing.assert_array_equal(first[:, t], first[:, 0])
    assert np.abs(first[:, 0] - np.where(first[:, 0] > 0, 1 / 0.7, 0)).max() < 1e-15
    assert abs((first[:, 0] == 0).mean() - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5  # five standard errors
    assert not np.array_equal(first, second)
    again = SimpleRNN.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x, training=True), first)


# --- arguments --------------------------------------------------------------------------------------------------


def test_called_on_anything_array_like_it_returns_an_array_of_its_dtype():
    layer = SimpleRNN(2, return_state=True)
    output, state = layer([[[1, 2], [3, 4]]])
    assert output.dtype == state.dtype == np.float32
    assert output.shape == state.shape == (1, 2)
    np.testing.assert_array_equal(output, state)
    layer = random_layer(return_sequences=True, dtype="float64")
    x = random_input()
    output = layer(x, mask=MASK.astype(int), initial_state=random_input(2, (3, 3)).tolist())
    np.testing.assert_array_equal(output, layer(x, mask=MASK.tolist(), initial_state=[random_input(2, (3, 3))]))
    assert output.flags.c_contiguous
    assert output.dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda layer, x: layer(x[0]), ValueError, r"expects \(batch, timesteps, 4\), got \(batch|expects"),
        (lambda layer, x: layer(x[..., :3]), ValueError, "it was built for 4 features"),
        (lambda layer, x: layer(x[:, :0]), ValueError, "no dimension may be empty"),
        (lambda layer, x: layer(x, mask=MASK[:2]), ValueError, r"mask must .* \(3, 5\), got \(2, 5\)"),
        (lambda layer, x: layer(x, mask=np.full((3, 5), "yes")), ValueError, "mask must be a bool array"),
        (lambda layer, x: layer(x, initial_state=np.ones((3, 4))), ValueError, r"initial_state .* = \(3, 3\), got \(3, 4\)"),
        (lambda layer, x: layer(x, initial_state=[np.ones((3, 3))] * 2), ValueError, "initial_state must have shape"),
        (lambda layer, x: layer(x, initial_state="zeros"), TypeError, "initial_state must be numeric"),
    ],
)
def test_bad_calls_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call(random_layer(), random_input())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "SimpleRNN: units must be an integer of at least 1, got 0"),
        ({"units": 2.5}, "units must be an integer"),
        ({"units": 2, "activation": "tanhh"}, "Did you mean 'tanh'"),
        ({"units": 2, "dropout": "half"}, "dropout must be a number"),
        ({"units": 2, "seed": "one"}, "seed must be an integer"),
        ({"units": 2, "dtype": "float16"}, "float32"),
    ],
)
def test_bad_arguments_say_what_was_expected(arguments, message):
    with pytest.raises(ValueError, match=message):
        SimpleRNN(**arguments)


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="does not know: return_sequence"):
        SimpleRNN(2, return_sequence=True)


def test_a_stateful_layer_keeps_its_batch_size():
    layer = SimpleRNN(2, stateful=True)
    layer(np.ones((3, 2, 1)))
    for batch in (1, 2, 4):
        with pytest.raises(ValueError, match=f"stateful with batches of 3, got one of {batch}"):
            layer(np.ones((batch, 2, 1)))
    with pytest.raises(ValueError, match="fixed batch size"):
        Sequential([Input((2, 1)), SimpleRNN(2, stateful=True)])
    model = Sequential([Input(batch_shape=(3, 2, 1)), SimpleRNN(2, stateful=True)])
    with pytest.raises(ValueError, match="stateful with batches of 3, got one of 4"):
        model(np.ones((4, 2, 1)))


# --- the early end of the backward loop --------------------------------------------------------------------------


def long_layer(dtype: str, factor: float, units: int = 8, **arguments) -> tuple[SimpleRNN, np.ndarray]:
    """Return a layer that forgets by `factor` a step, and 1000 steps of input."""
    shape = (2, 1000, 3)
    draws = np.random.default_rng(0)
    layer = SimpleRNN(units, dtype=dtype, **arguments)
    layer.ensure_built(shape)
    layer.kernel[...] = 0.2 * draws.standard_normal((3, units))
    layer.recurrent_kernel[...] = factor * np.linalg.qr(draws.standard_normal((units, units)))[0]
    return layer, draws.standard_normal(shape).astype(dtype)


def long_gradients(dtype: str, factor: float, d_outputs=None, **arguments):
    layer, x = long_layer(dtype, factor, **arguments)
    record = layer.new_record(x.shape, np.empty_like(layer.vector))
    record.initial_state = np.full((2, 8), 0.1, dtype)
    if d_outputs is None:
        d_outputs = np.random.default_rng(1).standard_normal((2, 8))
    layer.forward(record, x)
    d_input = layer.backward(record, d_outputs.astype(dtype))
    return {
        "kernel": record.d_kernel,
        "recurrent_kernel": record.d_recurrent_kernel,
        "bias": record.d_bias,
        "input": d_input,
        "initial_state": record.d_hidden,
    }, record


def assert_equal_to_float32_rounding(mine, reference, eps: float = 16) -> None:
    """At most 16 eps of the largest entry: the rule of thumb for a product over many terms in float32."""
    for name, expected in reference.items():
        error = np.abs(mine[name] - expected).max()
        assert error <= eps * np.finfo("float32").eps * np.abs(expected).max() + 1e-35, name


def disable_early_end(monkeypatch) -> None:
    monkeypatch.setattr(simple_rnn, "_FLUSH_EVERY", 10**9)
    monkeypatch.setattr(simple_rnn, "_has_vanished", lambda d_hidden: False)  # step 0 is a multiple of all


@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize("factor", [0.5, 0.9, 0.97])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_gradients_that_vanish_end_the_loop_early_and_stay_exact(factor, activation, go_backwards, monkeypatch):
    arguments = {"activation": activation, "go_backwards": go_backwards}
    reference, _ = long_gradients("float64", factor, **arguments)
    mine, record = long_gradients("float32", factor, **arguments)
    assert_equal_to_float32_rounding(mine, reference)
    if factor < 0.97:
        assert record.first_active > 100
        assert not mine["initial_state"].any()
    disable_early_end(monkeypatch)
    to_the_end, record = long_gradients("float32", factor, **arguments)
    assert record.first_active == 0
    assert_equal_to_float32_rounding(mine, to_the_end, eps=4)


def test_every_output_in_the_loss_keeps_the_loop_going_and_late_ones_only_do_not():
    """The gradient that enters at an early step must arrive, though that of the late steps has died on its way."""
    d_outputs = np.zeros((2, 1000, 8))
    d_outputs[:, 990:] = np.random.default_rng(2).standard_normal((2, 10, 8))
    for early, active in (((), True), ((3,), False), ((3, 500), False)):
        d_outputs[:, list(early)] = 1.0
        reference, _ = long_gradients("float64", 0.5, d_outputs, return_sequences=True)
        mine, record = long_gradients("float32", 0.5, d_outputs, return_sequences=True)
        assert (record.first_active > 0) is active
        assert_equal_to_float32_rounding(mine, reference)
        if early:
            assert mine["initial_state"].any()


@pytest.mark.parametrize(("dtype", "factor"), [("float32", 0.3), ("float32", 0.9), ("float64", 0.3)])
def test_no_denormal_number_is_left_where_the_loop_looks(dtype, factor, monkeypatch):
    seen = []

    def spy(d_hidden):
        flush(d_hidden)
        size = np.abs(d_hidden)
        seen.append(int(((size > 0) & (size < np.finfo(dtype).tiny)).sum()))

    monkeypatch.setattr(simple_rnn, "flush", spy)
    _, record = long_gradients(dtype, factor)
    assert len(seen) > 3
    assert not any(seen)
    assert steps_with_denormals(record) <= FLUSH_EVERY  # and only between two looks
    disable_early_end(monkeypatch)
    assert steps_with_denormals(long_gradients(dtype, factor)[1]) > FLUSH_EVERY  # as they would be


def steps_with_denormals(record) -> int:
    size = np.abs(record.d_preactivation[record.first_active :])
    return int(((size > 0) & (size < np.finfo(size.dtype).tiny)).any(axis=(1, 2)).sum())


def rising_gradient(dtype: str, depth: int, plateau: int, rise: int):
    """Return gradients of a layer through which dh falls by 0.03 a step, stays, and rises by 3 a step, backwards.

    Each unit is fed back to itself with weight 3 through leaky_relu (slope 0.01): x_t = -2 holds h at its unstable
    fixed point 1 (dh grows), x_t = -1 - 3 h_(t-1) makes a_t = -1 (dh shrinks), a masked step leaves dh as it is.
    """
    timesteps = rise + plateau + depth
    x = np.full((2, timesteps, 1), -2.0)
    mask = np.ones((2, timesteps), bool)
    mask[:, rise : rise + plateau] = False
    h = 1.0
    for t in range(rise + plateau, timesteps):
        x[:, t] = -1 - 3 * h
        h = -0.01
    slope = {"class_name": "leaky_relu", "config": {"negative_slope": 0.01}}
    layer = SimpleRNN(4, slope, use_bias=False, kernel_initializer="ones", dtype=dtype)
    layer.ensure_built(x.shape)
    layer.recurrent_kernel[...] = 3 * np.eye(4)
    record = layer.new_record(x.shape, np.empty_like(layer.vector))
    record.mask, record.initial_state = mask, np.ones((2, 4), dtype)
    output = layer.forward(record, x.astype(dtype))
    np.testing.assert_allclose(output, -0.01, rtol=1e-4)
    d_input = layer.backward(record, np.ones((2, 4), dtype))
    lowest = np.abs(record.d_preactivation[rise + plateau]).max()
    return lowest, record.first_active, {
        "kernel": record.d_kernel,
        "recurrent_kernel": record.d_recurrent_kernel,
        "input": d_input,
        "initial_state": record.d_hidden,
    }


@pytest.mark.parametrize(("depth", "lowest"), [(13, 1e-20), (16, 1e-24), (20, 1e-30)])
@pytest.mark.parametrize("plateau", [0, 20])
def test_a_gradient_that_decays_and_grows_again_is_not_cut(depth, lowest, plateau):
    """It sinks far below what float32 resolves beside 1, rests there over flushes, and comes back."""
    rise = int(round(-np.log(lowest) / np.log(3)))
    reference = rising_gradient("float64", depth, plateau, rise)
    mine = rising_gradient("float32", depth, plateau, rise)
    assert lowest / 100 < mine[0] < lowest * 100
    assert mine[1] == 0
    assert np.abs(reference[2]["initial_state"]).max() > 0.01
    assert_equal_to_float32_rounding(mine[2], reference[2], eps=64)
