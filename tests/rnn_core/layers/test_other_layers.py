"""Dropout, Activation and Masking beside live Keras.

Their gradients against central differences are in ``test_gradients``.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import activations, layers
from rnn_core.layers import Activation, Dense, Dropout, Input, Masking

from .against_keras import TIGHT, keras, keras_gradients

SEEDS = st.integers(0, 2**32 - 1)


def random_array(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# --- Dropout --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "training"), [(0.0, True), (0, True), (1.0, True), (1, True), (0.5, False), (1.0, False)]
)
def test_dropout_without_chance_is_keras(rate, training):
    x = random_array((4, 3))
    ours, theirs = (module.Dropout(rate, dtype="float64") for module in (layers, keras.layers))
    np.testing.assert_array_equal(ours(x, training=training), theirs(x, training=training))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_sets_its_share_to_zero_and_scales_the_rest(rate, dtype):
    """The share within five standard errors, so that the mean stays; as in Keras, whose share passes the same check."""
    x = np.ones((200, 100), dtype)
    allowed = 5 * (rate * (1 - rate) / x.size) ** 0.5
    for module in (layers, keras.layers):
        y = np.asarray(module.Dropout(rate, seed=1, dtype=dtype)(x, training=True))
        assert abs((y == 0).mean() - rate) < allowed
        np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)
        assert abs(y.mean() - 1) < allowed / (1 - rate)
        assert y.dtype == dtype


def test_dropout_draws_each_entry_on_its_own():
    """Neighbours in any direction are dropped together as often as chance has it."""
    dropped = Dropout(0.5, seed=2)(np.ones((40, 50, 60)), training=True) == 0
    for axis in range(3):
        ahead, behind = np.take(dropped, range(1, 40), axis), np.take(dropped, range(39), axis)
        assert abs((ahead & behind).mean() - 0.25) < 5 * (0.25 * 0.75 / ahead.size) ** 0.5


@settings(max_examples=20, deadline=None)
@given(shared=st.lists(st.sampled_from([None, 1, "size"]), min_size=3, max_size=3), seed=SEEDS)
def test_noise_shape_shares_draws_along_its_axes_of_size_one(shared, seed):
    shape = (4, 5, 6)
    noise_shape = tuple(n if m == "size" else m for m, n in zip(shared, shape, strict=True))
    y = Dropout(0.5, noise_shape, seed=seed)(np.ones(shape), training=True)
    for axis, size in enumerate(noise_shape):
        if size == 1:
            np.testing.assert_array_equal(y, np.broadcast_to(np.take(y, [0], axis), shape))
    their_shape = tuple(n if m is None else m for m, n in zip(noise_shape, shape, strict=True))
    theirs = np.asarray(keras.layers.Dropout(0.5, their_shape, seed=seed)(np.ones(shape), training=True))
    for axis, size in enumerate(noise_shape):
        if size == 1:
            np.testing.assert_array_equal(theirs, np.broadcast_to(np.take(theirs, [0], axis), shape))


def test_the_same_seed_drops_the_same_and_every_batch_something_else():
    x = np.ones((20, 20))
    one, other, third = Dropout(0.5, seed=1), Dropout(0.5, seed=1), Dropout(0.5, seed=2)
    first, second = one(x, training=True), one(x, training=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, other(x, training=True))
    np.testing.assert_array_equal(second, other(x, training=True))
    assert not np.array_equal(first, third(x, training=True))


def test_dropout_in_a_model_works_in_training_only():
    from rnn_core.models import Sequential

    model = Sequential([Input((3,)), Dropout(0.5)])
    x = random_array((50, 3)).astype("float32")
    np.testing.assert_array_equal(model.predict(x), x)
    np.testing.assert_array_equal(model(x), x)
    y = model(x, training=True)
    assert (y == 0).any()
    np.testing.assert_allclose(y[y != 0], 2 * x[y != 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": -0.1}, "Dropout: rate must be a number of at least 0 and at most 1, got -0.1"),
        ({"rate": 1.5}, "rate must be a number"),
        ({"rate": "half"}, "rate must be a number"),
        ({"rate": 0.5, "noise_shape": 3}, "noise_shape must be a tuple of sizes, got 3"),
        ({"rate": 0.5, "noise_shape": "ab"}, "noise_shape must be a tuple"),
        ({"rate": 0.5, "noise_shape": (0, 1)}, "every size in noise_shape must be an integer of at least 1, got 0"),
        ({"rate": 0.5, "noise_shape": (1.5, 1)}, "every size in noise_shape"),
        ({"rate": 0.5, "seed": "one"}, "Dropout: seed must be an integer"),
        ({"rate": 0.5, "seed": -1}, "Dropout: seed must be an integer of at least 0"),
    ],
)
def test_bad_dropout_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Dropout(**arguments)


@pytest.mark.parametrize("noise_shape", [(2, 3), (2, 1, 4, 1), (3, 3, 4), (2, 2, 4)])
def test_a_noise_shape_that_does_not_fit_the_input(noise_shape):
    with pytest.raises(ValueError, match=r"noise_shape .* does not fit inputs of shape \(2, 3, 4\)"):
        Dropout(0.5, noise_shape)(np.ones((2, 3, 4)), training=True)


# --- Activation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in activations.OBJECTS if name != "sparsemax"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_activation_and_its_gradient_are_keras(name, shape):
    """Except sparsemax, where Keras 3.15 is wrong: see the tests of activations."""
    ours, theirs = Activation(name, dtype="float64"), keras.layers.Activation(name, dtype="float64")
    x = 2 * random_array(shape)
    record = ours.new_record(shape)
    output = ours.forward(record, x)
    w = random_array(output.shape, 3)
    d_input = ours.backward(record, w)
    (their_output,), (their_d_input,) = keras_gradients(theirs, [x], w, theirs)
    # TensorFlow rounds the constants of some formulas (gelu, leaky_relu) to float32, whatever the dtype.
    loose = {"rtol": 1e-6, "atol": 1e-6}
    np.testing.assert_allclose(output, their_output, **(loose if name in ("gelu", "leaky_relu") else TIGHT))
    np.testing.assert_allclose(d_input, their_d_input, **(loose if name in ("gelu", "leaky_relu") else TIGHT))


def test_glu_as_a_layer_halves_the_last_size_and_goes_on_in_a_model():
    from rnn_core.models import Sequential

    model = Sequential([Input((5, 6)), Activation("glu"), Dense(2)])
    assert model.layers[0].output_shape == (None, 5, 3)
    assert model.predict(np.ones((2, 5, 6))).shape == (2, 5, 2)
    with pytest.raises(ValueError, match="even size"):
        Activation("glu")(np.ones((2, 3)))


def test_the_input_of_an_activation_is_kept_although_the_next_layer_may_overwrite_it():
    layer, x = Activation("silu", dtype="float64"), random_array((2, 3))
    record = layer.new_record(x.shape)
    layer.forward(record, x)
    first = layer.backward(record, np.ones((2, 3))).copy()
    x.fill(0)
    np.testing.assert_array_equal(layer.backward(record, np.ones((2, 3))), first)


def test_unknown_activations_are_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        Activation("reluu")
    with pytest.raises(TypeError, match="whose derivative is not known"):
        Activation(lambda x: x)


# --- Masking --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask_value", "dtype"),
    [(0.0, "float32"), (0.0, "float64"), (-1.5, "float32"), (-1.5, "float64"), (0.1, "float32")],
)
def test_masking_is_keras(mask_value, dtype):
    x = random_array((4, 5, 2)).astype(dtype)
    x[0, 1] = x[2, 4] = x[3] = mask_value
    x[1, 1, 0] = mask_value  # one of the features only: not missing
    ours, theirs = Masking(mask_value, dtype=dtype), keras.layers.Masking(mask_value, dtype=dtype)
    expected = theirs(x)
    np.testing.assert_array_equal(ours(x), expected)
    np.testing.assert_array_equal(ours.compute_mask(x), expected._keras_mask)
    assert ours.compute_mask(x).sum() == 4 * 5 - 7
    assert ours(x).dtype == dtype


def test_a_mask_value_is_found_in_float64_where_keras_rounds_it_to_float32():
    x = np.full((1, 2, 3), 0.1)
    assert not Masking(0.1, dtype="float64").compute_mask(x).any()
    assert np.asarray(keras.layers.Masking(0.1, dtype="float64")(x)._keras_mask).all()


def test_masking_takes_the_place_of_an_earlier_mask_as_in_keras():
    x = random_array((2, 3, 2))
    x[0, 0] = 0
    theirs = keras.layers.Masking()
    given = np.zeros((2, 3), bool)
    layer = Masking()
    record = layer.new_record(x.shape)
    record.mask = given
    layer.forward(record, x)
    np.testing.assert_array_equal(record.output_mask, theirs.compute_mask(x, given))


@pytest.mark.parametrize("value", ["0", None, np.nan, np.inf])
def test_a_mask_value_is_a_finite_number(value):
    with pytest.raises(ValueError, match="Masking: mask_value must be a number"):
        Masking(value)


def test_masking_is_for_sequences():
    with pytest.raises(ValueError, match=r"expects \(batch, timesteps, features\), got"):
        Masking()(np.ones((2, 3)))
