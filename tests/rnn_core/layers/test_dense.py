"""Dense: agreement with live Keras in float64, its identities, its config.

Its gradients against central differences are in ``test_gradients``.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import activations
from rnn_core.layers import Dense, Input
from rnn_core.models import Sequential

from .against_keras import TIGHT, assert_training_step_is_keras, keras, keras_gradients, pair

SEEDS = st.integers(0, 2**32 - 1)
HALF_L2 = {"class_name": "L2", "config": {"l2": 0.5}}  # Keras rounds factors to float32: take what that holds exactly
few = settings(max_examples=15, deadline=None)


def random_layer(features: int, seed: int = 0, **arguments) -> Dense:
    layer = Dense(3, dtype="float64", **arguments)
    layer.ensure_built((None, features))
    layer.vector[...] = 0.6 * np.random.default_rng(seed).standard_normal(layer.vector.size)
    return layer


def random_input(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + 1).standard_normal(shape)


def gradients(layer: Dense, x: np.ndarray, w: np.ndarray):
    """Return the output, and the gradients of weights and input of ``sum(w * output)``."""
    record = layer.new_record(x.shape, d_vector := np.full_like(layer.vector, np.nan))
    output = layer.forward(record, x).copy()
    d_input = layer.backward(record, w).copy()
    return output, list(layer.views(d_vector).values()), d_input


# --- live Keras -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4), (1, 1), (1, 1, 1)])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"activation": "relu"},
        {"activation": "tanh", "use_bias": False},
        {"activation": "softmax"},
        {"activation": "silu"},
        {"activation": "elu", "use_bias": False},
    ],
    ids=str,
)
def test_output_and_gradients_are_keras(shape, arguments):
    ours, theirs = pair("Dense", shape, units=3, **arguments)
    x, w = random_input(shape), random_input((*shape[:-1], 3), 5)
    output, d_weights, d_input = gradients(ours, x, w)
    (their_output,), their_gradients = keras_gradients(theirs, [x], w, theirs)
    np.testing.assert_allclose(output, their_output, **TIGHT)
    for mine, keras_ in zip([*d_weights, d_input], their_gradients, strict=True):
        np.testing.assert_allclose(mine, keras_, **TIGHT)


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_an_activation_over_any_axis_of_a_sequence_is_keras(axis):
    """Sequences lie time-major and are multiplied as rows; the activation must not see them so."""
    ours, theirs = pair("Dense", (2, 3, 4), units=5)
    ours.activation = activations.Softmax(axis)
    theirs.activation = lambda x: keras.activations.softmax(x, axis=axis)
    x, w = random_input((2, 3, 4)), random_input((2, 3, 5), 5)
    output, d_weights, d_input = gradients(ours, x, w)
    (their_output,), their_gradients = keras_gradients(theirs, [x], w, theirs)
    np.testing.assert_allclose(output, their_output, **TIGHT)
    for mine, keras_ in zip([*d_weights, d_input], their_gradients, strict=True):
        np.testing.assert_allclose(mine, keras_, **TIGHT)


def test_regularizers_and_constraints_in_a_training_step_are_keras(keras_in_float64):
    """All arguments at once: weight and activity regularizers, then the update, then the constraints."""
    first = {
        "units": 4,
        "activation": "tanh",
        "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.25}},
        "bias_regularizer": {"class_name": "L1", "config": {"l1": 0.5}},
        "activity_regularizer": {"class_name": "L1L2", "config": {"l1": 0.25, "l2": 0.5}},
        "kernel_constraint": "unit_norm",
        "bias_constraint": "non_neg",
    }
    second = {"units": 2, "activity_regularizer": HALF_L2}
    entries = [("Dense", first), ("Dense", second)]
    assert_training_step_is_keras(entries, random_input((6, 3)), random_input((6, 2), 3))
    assert_training_step_is_keras(entries, random_input((6, 5, 3)), random_input((6, 5, 2), 3))


def test_the_penalty_of_frozen_weights_is_left_out_as_in_keras(keras_in_float64):
    frozen = {"units": 4, "kernel_regularizer": HALF_L2, "trainable": False}
    assert_training_step_is_keras(
        [("Dense", frozen), ("Dense", {"units": 2})], random_input((6, 3)), random_input((6, 2))
    )


def test_frozen_weights_stay_as_in_keras(keras_in_float64):
    entries = [("Dense", {"units": 4, "trainable": False, "activity_regularizer": HALF_L2}), ("Dense", {"units": 2})]
    assert_training_step_is_keras(entries, random_input((6, 3)), random_input((6, 2)))


def test_initializers_names_and_shapes_are_keras():
    arguments = {
        "units": 4,
        "kernel_initializer": "identity",
        "bias_initializer": {"class_name": "Constant", "config": {"value": 0.5}},
        "name": "read_out",
    }
    ours, theirs = Dense(**arguments), keras.layers.Dense(**arguments)
    ours.ensure_built((None, 3)), theirs.build((None, 3))
    for weight, variable, spec in zip(ours.weights, theirs.weights, ours.specs, strict=True):
        np.testing.assert_array_equal(weight, variable)
        assert spec.name == variable.name
    assert ours.count_params() == theirs.count_params() == 16
    for shape in ((None, 3), (7, 3), (None, 5, 3), (2, None, 3)):
        assert ours.compute_output_shape(shape) == theirs.compute_output_shape(shape)


# --- identities -----------------------------------------------------------------------------------------------


@few
@given(
    seed=SEEDS,
    shape=st.tuples(*[st.integers(1, 4)] * 3),
    activation=st.sampled_from([None, "relu", "softmax", "gelu"]),
    use_bias=st.booleans(),
)
def test_a_sequence_is_a_batch_of_its_steps(seed, shape, activation, use_bias):
    layer = random_layer(shape[2], seed, activation=activation, use_bias=use_bias)
    x, w = random_input(shape, seed % 1000), random_input((*shape[:2], 3), seed % 1000 + 1)
    output, d_weights, d_input = gradients(layer, x, w)
    flat = gradients(layer, x.reshape(-1, shape[2]), w.reshape(-1, 3))
    np.testing.assert_allclose(output.reshape(-1, 3), flat[0], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(d_input.reshape(-1, shape[2]), flat[2], rtol=1e-12, atol=1e-13)
    for one, other in zip(d_weights, flat[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@few
@given(seed=SEEDS, shape=st.sampled_from([(4, 2), (4, 3, 2)]))
def test_stacking_two_batches_changes_nothing(seed, shape):
    """Outputs are those of each batch; gradients of weights add up."""
    layer = random_layer(2, seed, activation="relu")
    x, w = random_input(shape, seed % 1000), random_input((*shape[:-1], 3), seed % 1000 + 1)
    whole = gradients(layer, x, w)
    parts = [gradients(layer, x[rows], w[rows]) for rows in (slice(1), slice(1, None))]
    np.testing.assert_allclose(whole[0], np.concatenate([p[0] for p in parts]), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(whole[2], np.concatenate([p[2] for p in parts]), rtol=1e-13, atol=1e-14)
    for total, one, other in zip(whole[1], parts[0][1], parts[1][1], strict=True):
        np.testing.assert_allclose(total, one + other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", [None, "relu", "elu"])
@pytest.mark.parametrize("shape", [(4, 2), (4, 3, 2)])
def test_neither_the_input_nor_the_gradient_of_the_output_is_written_to(activation, shape):
    """They belong to other layers. Their layout in memory does not matter either."""
    layer = random_layer(2, activation=activation)
    x, w = random_input(shape), random_input((*shape[:-1], 3), 3)
    kept = x.copy(), w.copy()
    plain = gradients(layer, x, w)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(w, kept[1])
    other = gradients(layer, np.asfortranarray(x), np.asfortranarray(w))
    np.testing.assert_allclose(other[0], plain[0], rtol=1e-14)
    np.testing.assert_allclose(other[2], plain[2], rtol=1e-12, atol=1e-14)
    for one, another in zip(plain[1], other[1], strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-12, atol=1e-14)


def test_called_on_anything_array_like_it_returns_an_array_of_its_dtype():
    layer = Dense(2, "relu")
    first = layer([[1, 2], [3, 4]])
    assert first.dtype == np.float32
    second = layer(np.array([[9.0, 9.0]]))
    assert first.shape == (2, 2)
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(layer([[1, 2], [3, 4]]), first)
    assert layer(np.empty((0, 2))).shape == (0, 2)


# --- arguments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), r"expects \(batch, features\) or .*: 1 dimensions where 2 or 3 are needed"),
        ((2, 2, 2, 4), "4 dimensions where 2 or 3"),
        ((2, 3), "it was built for 4 features"),
        ((2, 0, 4), "no dimension may be empty"),
    ],
)
def test_inputs_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        random_layer(4)(np.ones(shape))


def test_text_is_no_input():
    with pytest.raises(TypeError, match="Dense 'words': inputs must be numeric"):
        Dense(2, name="words")([["a", "b"]])


def test_keras_arguments_that_are_not_supported_are_refused():
    for arguments in ({"lora_rank": 2}, {"quantization_config": {}}):
        with pytest.raises(TypeError, match="does not know"):
            Dense(2, **arguments)
    config = keras.layers.Dense(2).get_config()  # names quantization_config, and says None
    assert Dense.from_config(config).units == 2
    with pytest.raises(TypeError, match="does not know: quantization_config"):
        Dense.from_config({**config, "quantization_config": {"class_name": "Int8QuantizationConfig"}})


def test_input_shape_and_input_dim_build_a_model():
    for arguments in ({"input_shape": (4,)}, {"input_dim": 4}):
        assert Sequential([Dense(2, **arguments)]).count_params() == 10
    assert Sequential([Input((3, 4)), Dense(2)]).output_shape == (None, 3, 2)
