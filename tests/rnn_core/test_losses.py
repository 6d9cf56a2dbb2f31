"""Losses: gradients against central differences, values and gradients against Keras, identities, memory, types."""

from __future__ import annotations

import os
import tracemalloc

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rnn_core import losses
from rnn_core.losses.classification import sigmoid, softmax

REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"]

# Each case: class name, settings, and the kind of data it is made for.
CASES = [
    ("MeanSquaredError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "real"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("CosineSimilarity", {}, "real"),
    ("CosineSimilarity", {"axis": 0}, "real"),
    ("Huber", {}, "real"),
    ("Huber", {"delta": 0.3}, "real"),
    ("LogCosh", {}, "real"),
    ("Poisson", {}, "positive"),
    ("KLDivergence", {}, "distribution"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary logits"),
    ("BinaryFocalCrossentropy", {}, "binary"),
    ("BinaryFocalCrossentropy", {"gamma": 0.0}, "binary"),
    ("BinaryFocalCrossentropy", {"gamma": 0.5, "label_smoothing": 0.1}, "binary"),
    (
        "BinaryFocalCrossentropy",
        {"from_logits": True, "gamma": 3.0, "apply_class_balancing": True, "alpha": 0.7},
        "binary logits",
    ),
    ("CategoricalCrossentropy", {}, "one-hot"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "one-hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "one-hot logits"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.3}, "one-hot logits"),
    ("CategoricalFocalCrossentropy", {}, "one-hot"),
    ("CategoricalFocalCrossentropy", {"gamma": 0.5, "alpha": [0.125, 0.5, 0.875]}, "one-hot"),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one-hot logits"),
    ("SparseCategoricalCrossentropy", {}, "sparse"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "sparse logits"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "sparse"),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1, "from_logits": True}, "sparse logits, -1"),
    ("Hinge", {}, "binary logits"),
    ("Hinge", {}, "signs"),
    ("SquaredHinge", {}, "signs"),
    ("CategoricalHinge", {}, "one-hot logits"),
]
IDS = [f"{name}{options or ''} {kind}" for name, options, kind in CASES]


def make_data(kind: str, shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and outputs of `shape`, float64; the last axis of the shape is the classes' axis."""
    rng = np.random.default_rng(seed)
    uniform = rng.uniform(0.05, 0.95, shape)
    logits = rng.normal(0, 2, shape)
    classes = rng.integers(shape[-1], size=shape[:-1])
    one_hot = np.eye(shape[-1])[classes]
    if kind == "sparse logits, -1":
        classes = np.where(rng.random(classes.shape) < 0.3, -1, classes)
    targets = {
        "real": rng.normal(0, 1, shape),
        "positive": rng.uniform(0.1, 3, shape),
        "distribution": rng.uniform(0.05, 0.95, shape),
        "binary": rng.integers(2, size=shape).astype(float),
        "signs": rng.choice([-1.0, 1.0], shape),
        "one-hot": one_hot,
        "sparse": classes.astype(float),
    }
    target = targets[kind.split(" ")[0]]
    if "logits" in kind or kind == "real":
        return target, logits
    return target, rng.uniform(0.1, 3, shape) if kind == "positive" else logits if kind == "signs" else uniform


def values_shape(name: str, options: dict, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if options.get("axis") == 0 else shape[:-1]


def distance_to_kinks(name: str, y: np.ndarray, p: np.ndarray) -> float:
    """Return how far the outputs are from where the derivative jumps."""
    if name in ("MeanAbsoluteError", "MeanAbsolutePercentageError"):
        return float(np.abs(p - y).min())
    if name == "Hinge":
        signs = 2 * y - 1 if set(np.unique(y)) <= {0, 1} else y
        return float(np.abs(1 - signs * p).min())
    if name == "CategoricalHinge":
        others = np.sort((1 - y) * p, axis=-1)
        margin = others[..., -1] - (y * p).sum(axis=-1) + 1
        return float(min(np.abs(margin).min(), np.diff(others[..., -2:], axis=-1).min()))
    return 1.0


def central_differences(function, x: np.ndarray, h: float = 1e-6) -> np.ndarray:
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        gradient[i] = (function(up) - function(down)) / (2 * h)
    return gradient


def keras_value_and_gradient(loss, y, p, sample_weight=None, mask=None):
    """Return Keras' loss and its gradient, on TensorFlow."""
    p = tf.constant(p)
    with tf.GradientTape() as tape:
        tape.watch(p)
        if mask is not None:
            keras.src.backend.set_keras_mask(p, tf.constant(mask))
        value = loss(np.asarray(y), p, sample_weight)
    return value.numpy(), tape.gradient(value, p).numpy()


def tolerance(name: str) -> float:
    """Return how near Keras' values must be: its LogCosh takes log(2) in float32."""
    return 1e-8 if name == "LogCosh" else 1e-12


def assert_close(ours, theirs, rtol=1e-12):
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * max(1.0, np.abs(theirs).max(initial=0)))


# Gradients


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_gradients_agree_with_central_differences(data):
    name, options, kind = data.draw(st.sampled_from(CASES))
    classes = 3 if "alpha" in options and np.ndim(options["alpha"]) else data.draw(st.integers(2, 4))
    shape = (*data.draw(st.sampled_from([(1,), (4,), (2, 3), (3, 1)])), classes)
    y, p = make_data(kind, shape, data.draw(st.integers(0, 10**6)))
    assume(distance_to_kinks(name, y, p) > 1e-3)
    rng = np.random.default_rng(1)
    places = values_shape(name, options, shape)
    weight_shapes = [None, (), places] + ([(places[0], 1)] if len(places) == 2 else [])
    weight_shape = data.draw(st.sampled_from(weight_shapes))
    sample_weight = None if weight_shape is None else rng.uniform(0, 2, weight_shape)
    mask = rng.random(places) < 0.7 if data.draw(st.booleans()) else None
    loss = getattr(losses, name)(**options, reduction=data.draw(st.sampled_from(REDUCTIONS)))

    gradient = np.full_like(p, np.nan)
    value = loss.value_and_gradient(y, p, gradient, sample_weight, mask)

    assert type(value) is float
    assert value == pytest.approx(float(loss(y, p, sample_weight, mask)), rel=1e-13, abs=1e-15)
    numeric = central_differences(lambda q: float(loss(y, q, sample_weight, mask)), p)
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-7 * max(1.0, np.abs(numeric).max()))


@pytest.mark.parametrize(("name", "options", "kind"), CASES, ids=IDS)
def test_values_and_gradients_are_those_of_keras(name, options, kind):
    shape = (4, 5, 3)
    y, p = make_data(kind, shape, 7)
    rng = np.random.default_rng(3)
    places = values_shape(name, options, shape)
    weights, mask = rng.uniform(0, 2, places), rng.random(places) < 0.6
    runs = [("sum_over_batch_size", w, m) for w in (None, weights, weights[:, :1], 0.5) for m in (None, mask)]
    runs += [(reduction, weights, mask) for reduction in REDUCTIONS[1:]]
    runs += [("mean_with_sample_weight", weights[:, :1], None), ("sum", None, None)]
    for reduction, w, m in runs:
        theirs = getattr(keras.losses, name)(**options, reduction=reduction, dtype="float64")
        value, gradient = keras_value_and_gradient(theirs, y, p, w, m)
        ours = getattr(losses, name)(**options, reduction=reduction)
        d_pred = np.empty_like(p)
        assert_close(
            ours.value_and_gradient(y, p, d_pred, None if w is None else np.asarray(w), m), value, tolerance(name)
        )
        assert_close(d_pred, gradient)
        assert_close(ours(y, p, w, m), value, tolerance(name))


@pytest.mark.parametrize("reduction", ["none", None])
@pytest.mark.parametrize(("name", "options", "kind"), CASES[::4], ids=IDS[::4])
def test_without_reduction_the_losses_of_all_samples_are_returned(name, options, kind, reduction):
    y, p = make_data(kind, (4, 3), 7)
    weights = np.array([0.0, 1, 2, 3])[: values_shape(name, options, (4, 3))[0]]
    for w in (None, weights, weights[:, None]):
        theirs = getattr(keras.losses, name)(**options, reduction=reduction, dtype="float64")(y, p, w).numpy()
        ours = getattr(losses, name)(**options, reduction=reduction)(y, p, w)
        assert ours.shape == theirs.shape
        assert_close(ours, theirs, tolerance(name))


# Where formulas are cut off


EDGES = [
    ("BinaryCrossentropy", {}, [[1.0], [0.0], [1.0], [0.0], [1.0]], [[0.0], [1.0], [1.0], [0.0], [0.3]]),
    ("CategoricalCrossentropy", {}, [[0.0, 1.0], [0, 1], [1, 0]], [[1.0, 0.0], [0, 1], [0.3, 0.9]]),
    ("SparseCategoricalCrossentropy", {}, [1.0, 1, 0], [[1.0, 0.0], [0, 1], [0.3, 0.9]]),
    ("CategoricalFocalCrossentropy", {}, [[0.0, 1.0], [0, 1], [1, 0]], [[1.0, 0.0], [0, 1], [0.3, 0.9]]),
    ("KLDivergence", {}, [[0.0, 1.0], [2, 0.5]], [[0.0, 0.0], [0.5, 1.5]]),
    ("MeanSquaredLogarithmicError", {}, [[1.0, -2.0]], [[-0.5, 0.5]]),
    ("MeanAbsoluteError", {}, [[1.0, 2.0]], [[1.0, 2.5]]),
    ("MeanAbsolutePercentageError", {}, [[0.0, 1e-9]], [[1.0, 2.0]]),
    ("Huber", {}, [[0.0, 0.0, 0.0]], [[1.0, -1.0, 0.0]]),
    ("Hinge", {}, [[1.0, -1.0]], [[1.0, -1.0]]),
    ("CategoricalHinge", {}, [[1.0, 0.0, 0.0]], [[0.5, 2.0, 2.0]]),
    ("CosineSimilarity", {}, [[1.0, 0.0]], [[1e-9, 1e-9]]),
    ("BinaryCrossentropy", {"from_logits": True}, [[1.0], [0.0]], [[-800.0], [800.0]]),
    ("CategoricalCrossentropy", {"from_logits": True}, [[1.0, 0.0]], [[-800.0, 800.0]]),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, [0.0], [[-800.0, 800.0]]),
    ("LogCosh", {}, [[0.0, 0.0]], [[-800.0, 800.0]]),
]


@pytest.mark.parametrize(("name", "options", "y", "p"), EDGES, ids=[f"{e[0]}{e[1] or ''}" for e in EDGES])
def test_at_clips_kinks_and_extremes_the_gradient_is_that_of_keras(name, options, y, p):
    y, p = np.array(y), np.array(p)
    value, gradient = keras_value_and_gradient(getattr(keras.losses, name)(**options, dtype="float64"), y, p)
    d_pred = np.empty_like(p)
    assert_close(getattr(losses, name)(**options).value_and_gradient(y, p, d_pred), value, tolerance(name))
    assert_close(d_pred, gradient)


def test_a_perfect_prediction_has_a_finite_focal_gradient():
    for gamma in (0.0, 0.5, 2.0):
        d_pred = np.empty((1, 1))
        losses.BinaryFocalCrossentropy(gamma=gamma).value_and_gradient(np.ones((1, 1)), np.ones((1, 1)), d_pred)
        assert np.isfinite(d_pred).all()  # Keras: NaN for gamma below 1


def test_softmax_gradient_holds_for_targets_that_do_not_sum_to_one():
    y, p = np.array([[1.0, 2.0, 0.5]]), np.array([[0.3, -0.2, 0.1]])
    loss, d_pred = losses.CategoricalCrossentropy(from_logits=True), np.empty_like(p)
    loss.value_and_gradient(y, p, d_pred)
    np.testing.assert_allclose(d_pred, central_differences(lambda q: float(loss(y, q)), p), atol=1e-8)


# Identities


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_identities(seed):
    y, logits = make_data("binary logits", (5, 3), seed)
    p = 1 / (1 + np.exp(-logits))
    assert_close(losses.binary_crossentropy(y, logits, from_logits=True), losses.binary_crossentropy(y, p), 1e-6)
    assert_close(losses.binary_focal_crossentropy(y, p, gamma=0.0), losses.binary_crossentropy(y, p))
    one_hot, q = make_data("one-hot", (5, 3), seed)
    assert_close(losses.categorical_crossentropy(one_hot, q), losses.categorical_crossentropy(one_hot, 7 * q))
    assert_close(
        losses.sparse_categorical_crossentropy(one_hot.argmax(-1), logits, from_logits=True),
        losses.categorical_crossentropy(one_hot, logits, from_logits=True),
    )
    assert_close(losses.huber(y, logits, delta=1e6), losses.mean_squared_error(y, logits) / 2)
    assert_close(losses.hinge(y, logits), losses.hinge(2 * y - 1, logits))


def test_a_mask_gives_the_mean_over_valid_steps():
    y, p = make_data("real", (3, 4, 2), 0)
    mask = np.arange(12).reshape(3, 4) % 3 > 0
    d_pred, d_valid = np.empty_like(p), np.empty_like(p[mask])
    value = losses.MeanSquaredError().value_and_gradient(y, p, d_pred, mask=mask)
    assert value == pytest.approx(losses.MeanSquaredError().value_and_gradient(y[mask], p[mask], d_valid), rel=1e-14)
    assert_close(d_pred[mask], d_valid)
    assert not d_pred[~mask].any()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nothing_valid_is_a_loss_of_zero(reduction):
    y, p = make_data("real", (3, 4, 2), 0)
    d_pred, mask = np.full_like(p, np.nan), np.zeros((3, 4), bool)
    loss = losses.MeanAbsoluteError(reduction=reduction)
    assert loss.value_and_gradient(y, p, d_pred, mask=mask) == 0 == loss(y, p, mask=mask)
    assert not d_pred.any()


# Memory


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mean_squared_error_allocates_nothing(time_major, dtype):
    y, p, d_pred = (np.random.default_rng(i).random((50, 40, 30)).astype(dtype) for i in range(3))
    if time_major:
        y, p, d_pred = (a.transpose(1, 0, 2) for a in (y, p, d_pred))
    loss = losses.MeanSquaredError()
    expected = losses.mean_squared_error(y, p).mean(dtype="float64")
    tracemalloc.start()
    try:
        value = loss.value_and_gradient(y, p, d_pred)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4096  # an array of theirs has 240,000 bytes
    assert value == pytest.approx(expected, rel=1e-5 if dtype == "float32" else 1e-13)
    np.testing.assert_allclose(d_pred, 2 * (p - y) / p.size, rtol=1e-6)


@pytest.mark.parametrize(("name", "options", "kind"), CASES, ids=IDS)
def test_outputs_may_be_views_of_time_major_memory(name, options, kind):
    y, p = make_data(kind, (4, 5, 3), 1)
    view, d_view = (np.empty((5, 4, 3)).transpose(1, 0, 2) for _ in range(2))
    view[...] = p
    d_pred = np.empty_like(p)
    loss = getattr(losses, name)(**options)
    assert loss.value_and_gradient(y, view, d_view) == pytest.approx(loss.value_and_gradient(y, p, d_pred), rel=1e-13)
    assert_close(d_view, d_pred)
    assert (view == p).all()


# Types


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options", "kind"), CASES, ids=IDS)
def test_results_have_the_dtype_of_the_outputs(name, options, kind, dtype):
    y, p = make_data(kind, (4, 3), 1)
    y, p = y.astype(dtype), p.astype(dtype)
    loss = getattr(losses, name)(**options)
    assert loss(y, p).dtype == loss.per_sample(*loss.match(y, p)).dtype == loss.derivative(y, p).dtype == dtype
    assert loss(y, p, np.ones(values_shape(name, options, (4, 3)))).dtype == dtype
    assert loss(y, p) == pytest.approx(float(loss(y.astype("float64"), p.astype("float64"))), rel=1e-5)
    assert getattr(losses, name)(**options, dtype="float64")(y, p).dtype == "float64"


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "Hinge", "CategoricalFocalCrossentropy"])
def test_whole_numbers_as_targets_are_read_as_floats(name, dtype):
    y, p = make_data("one-hot", (6, 3), 1)
    loss, d_pred, d_expected = getattr(losses, name)(), np.empty_like(p), np.empty_like(p)
    expected = loss.value_and_gradient(y, p, d_expected)
    assert loss.value_and_gradient(y.astype(dtype), p, d_pred) == pytest.approx(expected, rel=1e-13)
    assert_close(d_pred, d_expected)
    assert loss(y.astype(dtype), p) == pytest.approx(expected, rel=1e-13)


def test_whole_outputs_are_read_as_floatx():
    assert losses.MeanSquaredError()([[1], [2]], [[2], [4]]) == np.float32(2.5)
    assert losses.MeanSquaredError()([[1], [2]], [[2], [4]]).dtype == "float32"


@pytest.mark.parametrize("reduction", ["none", None])
def test_training_needs_one_number(reduction):
    y, p = make_data("real", (5, 3), 0)
    for loss in (losses.MeanSquaredError(reduction=reduction), losses.MeanAbsoluteError(reduction=reduction)):
        with pytest.raises(ValueError, match="training needs one number, got reduction="):
            loss.value_and_gradient(y, p, np.empty_like(p))


# Your own


def test_a_loss_of_your_own_needs_two_methods():
    class Quartic(losses.Loss):
        def per_sample(self, y_true, y_pred):
            return ((y_pred - y_true) ** 4).sum(axis=-1)

        def derivative(self, y_true, y_pred):
            return 4 * (y_pred - y_true) ** 3

    y, p = make_data("real", (5, 3), 0)
    loss, d_pred = losses.get(Quartic()), np.empty_like(p)
    assert loss.name == "quartic"
    loss.value_and_gradient(y, p, d_pred, np.arange(5.0))
    numeric = central_differences(lambda q: float(loss(y, q, np.arange(5.0))), p)
    np.testing.assert_allclose(d_pred, numeric, atol=1e-7 * np.abs(numeric).max())

    class Half(losses.Loss):
        def per_sample(self, y_true, y_pred):
            return y_pred[..., 0]

    with pytest.raises(NotImplementedError, match=r"Half must define derivative"):
        Half().value_and_gradient(y, p, d_pred)


def test_float32_probabilities_made_of_logits_are_good_to_the_last_digit():
    """By way of their logarithms they would be off by half as much again, and gradients of the loss with them."""
    x = np.random.default_rng(0).standard_normal((20_000, 5)).astype(np.float32)
    for probabilities, most, typical in ((sigmoid, 0.8, 0.2), (softmax, 1.3, 0.14)):
        error = np.abs(probabilities(x) - probabilities(x.astype(np.float64))) / np.finfo(np.float32).eps
        assert error.max() < most
        assert np.sqrt((error**2).mean()) < typical


def test_the_gradient_of_the_cosine_has_nothing_along_the_prediction():
    """However near the two directions are: what rounding leaves there is no part of it, and layers may amplify it."""
    y = np.random.default_rng(0).standard_normal((200, 3))
    p = 2 * y + 1e-6 * np.random.default_rng(1).standard_normal((200, 3))
    d = losses.CosineSimilarity().derivative(y, p)
    along = (d * p).sum(axis=-1) / np.linalg.norm(d, axis=-1) / np.linalg.norm(p, axis=-1)
    assert np.abs(along).max() < 1e-15
