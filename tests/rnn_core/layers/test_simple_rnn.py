"""SimpleRNN: agreement with live Keras in float64, and its arguments.

Its gradients against central differences are in ``test_gradients``.
"""

from __future__ import annotations

import importlib.util
import pathlib

import numpy as np
import pytest

from rnn_core.layers import Input, SimpleRNN
from rnn_core.models import Sequential

from .against_keras import TIGHT, assert_training_step_is_keras, keras, keras_gradients, pair
from .samples import MASK, SHAPE, random_input, random_layer

# --- live Keras ----------------------------------------------------------------------------------------------


def assert_agrees(arguments: dict, *, mask=None, initial_state=None, training=False, shape=SHAPE, seed=0) -> None:
    """Compare output, final state and all gradients of ``sum(w * output)`` with Keras' on TensorFlow."""
    # return_state only adds to what is returned; it is asked for everywhere, so that the state is compared too.
    ours, theirs = pair("SimpleRNN", shape, seed, **{"units": 3, "return_state": True, **arguments})
    x = random_input(seed, shape)
    h0 = np.zeros((shape[0], ours.units)) if initial_state is None else initial_state
    if training:  # Keras is given the dropout masks that we draw
        ours.dropout_stream = np.random.default_rng(5)
        theirs.cell._dropout_mask, theirs.cell._recurrent_dropout_mask = ours.dropout_masks(shape[0], shape[2])
        ours.dropout_stream = np.random.default_rng(5)
    record = ours.new_record(shape, d_vector := np.full_like(ours.vector, np.nan))
    record.mask, record.initial_state = mask, initial_state
    output = ours.forward(record, x, training)[0].copy()
    w = np.random.default_rng(seed + 2).standard_normal(output.shape)
    d_input = ours.backward(record, [w, None])

    def call(x, h0):
        return theirs(x, initial_state=h0, mask=mask, training=training)

    (their_output, their_state), their_gradients = keras_gradients(theirs, [x, h0], w, call)
    np.testing.assert_allclose(output, their_output, **TIGHT)
    np.testing.assert_allclose(record.hidden[-1], their_state, **TIGHT)
    mine = [*ours.views(d_vector).values(), d_input]
    if initial_state is not None:
        mine.append(record.d_hidden)
    for gradient, theirs_ in zip(mine, their_gradients, strict=False):
        np.testing.assert_allclose(gradient, theirs_, **TIGHT)


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
            shapes = [
                kind(3, **flags).compute_output_shape((None, 5, 4)) for kind in (SimpleRNN, keras.layers.SimpleRNN)
            ]
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


def test_a_mask_from_masking_layer_to_loss_is_keras(keras_in_float64):
    """Through two recurrent layers; the loss is the mean over the steps that are there."""
    x = random_input()
    x[~MASK] = 0
    entries = [
        ("Masking", {}),
        ("SimpleRNN", {"units": 3, "return_sequences": True}),
        ("SimpleRNN", {"units": 3, "return_sequences": True, "zero_output_for_mask": True}),
        ("Dense", {"units": 2}),
    ]
    assert_training_step_is_keras(entries, x, random_input(5, (3, 5, 2)))


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
        (
            lambda layer, x: layer(x, initial_state=np.ones((3, 4))),
            ValueError,
            r"initial_state .* = \(3, 3\), got \(3, 4\)",
        ),
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
    assert layer(np.ones((3, 2, 1))).any()
    layer.reset_states()  # Keras' other name of reset_state
    assert not layer.state.any()
    for batch in (1, 2, 4):
        with pytest.raises(ValueError, match=f"stateful with batches of 3, got one of {batch}"):
            layer(np.ones((batch, 2, 1)))
    layer = SimpleRNN(2, stateful=True)
    with pytest.raises(ValueError, match="fixed batch size"):
        Sequential([Input((2, 1)), layer])
    assert layer(np.ones((3, 2, 1))).shape == (3, 2)  # the refusal left nothing behind
    model = Sequential([Input(batch_shape=(3, 2, 1)), SimpleRNN(2, stateful=True)])
    with pytest.raises(ValueError, match="stateful with batches of 3, got one of 4"):
        model(np.ones((4, 2, 1)))
