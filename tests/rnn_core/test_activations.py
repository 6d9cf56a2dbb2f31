"""Activations: every derivative against central differences, every value and gradient against live Keras."""

from __future__ import annotations

import math
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rnn_core import activations
from rnn_core.activations import Activation

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Every name, and every argument at another value than its default.
CASES: dict[str, Activation] = {
    **activations.OBJECTS,
    "threshold(0.5, -1)": activations.Threshold(0.5, -1.0),
    "threshold(-1, 2)": activations.Threshold(-1.0, 2.0),
    "relu(max 4)": activations.Relu(max_value=4),
    "relu(slope 0.3)": activations.Relu(negative_slope=0.3),
    "relu(threshold 1)": activations.Relu(threshold=1),
    "relu(slope 0.3, max 4, threshold 1)": activations.Relu(0.3, 4, 1),
    "relu(slope 0.3, max 1, threshold 2)": activations.Relu(0.3, 1, 2),
    "leaky_relu(1.5)": activations.LeakyRelu(1.5),
    "elu(0.5)": activations.Elu(0.5),
    "celu(0.5)": activations.Celu(0.5),
    "squareplus(1)": activations.Squareplus(1),
    "gelu(approximate)": activations.Gelu(approximate=True),
    "hard_shrink(1)": activations.HardShrink(1),
    "soft_shrink(1)": activations.SoftShrink(1),
    "softmax(axis 0)": activations.Softmax(axis=0),
    "softmax(axes 0, 1)": activations.Softmax(axis=(0, 1)),
    "log_softmax(axis 0)": activations.LogSoftmax(axis=0),
    "sparsemax(axis 0)": activations.Sparsemax(axis=0),
    "glu(axis 0)": activations.Glu(axis=0),
}
KINKS = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0)  # of all of them together
FAST = ("linear", "relu", "tanh", "sigmoid")

every_case = pytest.mark.parametrize("case", CASES)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def gradient(activation: Activation, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dx for dy, by the interface that layers use."""
    y = activation(x)
    out = np.full_like(x, np.nan)
    activation.backward(y if activation.needs == "output" else x, dy, out, np.full_like(x, np.nan))
    return out


def central_differences(activation: Activation, x: np.ndarray, dy: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Return d sum(dy * act(x)) / dx by the five-point formula, whose error is of order h**4."""
    dx = np.empty_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        f = {k: np.sum(dy * (activation(x + k * e) - activation(x))) for k in (-2, -1, 1, 2)}
        dx[i] = (f[-2] - 8 * f[-1] + 8 * f[1] - f[2]) / (12 * h)
    return dx


def away_from_kinks(x: np.ndarray, margin: float = 0.01) -> np.ndarray:
    """Move what lies within `margin` of a kink to its right."""
    for kink in KINKS:
        x = np.where(np.abs(x - kink) < margin, kink + margin, x)
    return x


def sparsemax_by_bisection(x: np.ndarray) -> np.ndarray:
    """Return max(x - tau, 0) over the last axis, tau found from sum(y) = 1 and nothing else."""
    low, high = x.max(-1, keepdims=True) - 1, x.max(-1, keepdims=True)
    for _ in range(80):
        tau = (low + high) / 2
        too_much = np.maximum(x - tau, 0).sum(-1, keepdims=True) > 1
        low, high = np.where(too_much, tau, low), np.where(too_much, high, tau)
    return np.maximum(x - tau, 0)


# --- the derivatives ----------------------------------------------------------------------------------------


@every_case
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.sampled_from([2, 4]), scale=st.sampled_from([0.3, 1.0, 5.0]))
def test_gradient_is_that_of_central_differences(case: str, seed: int, rows: int, scale: float) -> None:
    activation = CASES[case]
    draws = np.random.default_rng(seed)
    x = away_from_kinks(scale * draws.standard_normal((rows, 4)))
    if activation.name == "sparsemax":  # its kinks are where an output is about to leave zero: at x = tau
        y = activation(x)
        tau = (x - y).max(activation.axis, keepdims=True, where=y > 0, initial=-np.inf)
        assume(np.abs(x - tau).min() > 0.01)
    dy = draws.standard_normal(activation(x).shape)
    numeric = central_differences(activation, x, dy)
    np.testing.assert_allclose(
        gradient(activation, x, dy), numeric, rtol=1e-7, atol=1e-7 * max(1e-3, np.abs(numeric).max())
    )


@every_case
@both_dtypes
def test_large_inputs_neither_warn_nor_give_nan(case: str, dtype: str) -> None:
    activation = CASES[case]
    x = np.array([-1e4, -1e3, -100, -50, -1, 0, 1, 50, 100, 1e3, 5e3, 1e4], dtype).reshape(2, 6)
    with np.errstate(all="raise", under="ignore"):
        y = activation(x)
        dx = gradient(activation, x, np.ones_like(y))
    assert y.dtype == dx.dtype == dtype
    assert not np.isnan(y).any()
    assert not np.isnan(dx).any()
    if activation.name != "exponential":
        assert np.isfinite(y).all()
        assert np.isfinite(dx).all()


@every_case
@both_dtypes
def test_layers_may_reuse_their_arrays(case: str, dtype: str) -> None:
    """forward leaves `a`, backward leaves `saved`; `out` may be `dy`, or `a` where the output is needed."""
    activation = CASES[case]
    draws = np.random.default_rng(1)
    a = draws.standard_normal((4, 6)).astype(dtype)
    before = a.copy()
    y = activation(a)
    np.testing.assert_array_equal(a, before)
    saved = y if activation.needs == "output" else a
    before = saved.copy()
    dy = draws.standard_normal(y.shape).astype(dtype)
    expected = gradient(activation, a, dy)
    np.testing.assert_array_equal(saved, before)
    if dy.shape == a.shape:
        activation.backward(saved, dy, dy, np.empty_like(a))
        np.testing.assert_array_equal(dy, expected)
    if activation.needs == "output":
        activation.forward(a, a)
        np.testing.assert_array_equal(a, y)


@pytest.mark.parametrize("name", FAST)
@both_dtypes
def test_the_fast_four_allocate_no_array(name: str, dtype: str) -> None:
    activation = activations.get(name)
    a, dy, out, scratch = (np.ones((100, 1000), dtype) for _ in range(4))
    tracemalloc.start()
    activation.forward(a, out)
    activation.backward(out, dy, out, scratch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000 < a.nbytes


@every_case
def test_derivatives_have_the_dtype_of_the_input(case: str) -> None:
    activation = CASES[case]
    if type(activation).derivative is not Activation.derivative:
        assert activation.derivative(np.linspace(-7, 7, 9, dtype="float32")).dtype == "float32"


# --- Keras --------------------------------------------------------------------------------------------------


def keras_value_and_gradient(activation: Activation, x: np.ndarray, dy: np.ndarray):
    """Return Keras' y and dx, from its function of the same name with the same arguments."""
    import keras
    import tensorflow as tf

    function = getattr(keras.activations, activation.name)
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x, **activation.get_config())
    return y.numpy(), tape.gradient(y, x, dy).numpy()


def test_every_name_that_keras_knows_is_there() -> None:
    import keras

    public = {name for name in dir(keras.activations) if not name.startswith("_")}
    assert public <= set(dir(activations))
    assert public - {"get", "serialize", "deserialize"} == set(activations.CLASSES)


@every_case
def test_values_and_gradients_are_those_of_keras(case: str) -> None:
    activation = CASES[case]
    draws = np.random.default_rng(2)
    x = np.concatenate([4 * draws.standard_normal(200), np.linspace(-50, 50, 40)]).reshape(12, 20)
    if activation.name == "sparsemax":  # Keras 3.15 is wrong where more than one output is not zero
        np.put_along_axis(x, x.argmax(activation.axis, keepdims=True), 60.0, activation.axis)
    dy = draws.standard_normal(activation(x).shape)
    y, dx = keras_value_and_gradient(activation, x, dy)
    # In float64 the two differ by a few roundings of the largest term in the formula; but TensorFlow rounds
    # gelu's constants and leaky_relu's slope to float32 whatever the dtype.
    large = np.exp(50.0) if activation.name == "exponential" else 50.0
    rounded = activation.name in ("gelu", "leaky_relu") or case == "relu(slope 0.3)"
    close = {"rtol": 1e-6, "atol": 1e-8} if rounded else {"rtol": 1e-13, "atol": 1e-15 * large}
    np.testing.assert_allclose(activation(x), y, **close)
    np.testing.assert_allclose(gradient(activation, x, dy), dx, **close)

    x, dy = x.astype("float32"), dy.astype("float32")
    y, dx = keras_value_and_gradient(activation, x, dy)
    np.testing.assert_allclose(activation(x), y, rtol=2e-6, atol=1e-7 * large)
    np.testing.assert_allclose(gradient(activation, x, dy), dx, rtol=2e-6, atol=1e-6 * large)


@pytest.mark.parametrize("name", sorted(set(activations.OBJECTS) - {"celu", "sparsemax", "glu"}))
def test_derivatives_at_the_kinks_are_those_of_keras(name: str) -> None:
    activation = activations.get(name)
    x = np.array([KINKS])
    dy = np.ones_like(x)
    np.testing.assert_allclose(
        gradient(activation, x, dy), keras_value_and_gradient(activation, x, dy)[1], rtol=1e-6, atol=1e-12
    )


def test_celu_at_zero_has_one_derivative_not_two() -> None:
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    assert gradient(activations.celu, zero, one) == 1
    # TensorFlow gives the gradient to both sides of a tie, and celu has both max(x, 0) and min(x, 0).
    assert keras_value_and_gradient(activations.celu, zero, one)[1] in (1, 2)


# --- identities ---------------------------------------------------------------------------------------------

X = np.linspace(-8, 8, 60).reshape(6, 10)


def test_sigmoid_and_its_relatives() -> None:
    s = activations.sigmoid(X)
    np.testing.assert_allclose(s + activations.sigmoid(-X), 1, rtol=1e-15)
    np.testing.assert_allclose(2 * activations.sigmoid(2 * X) - 1, activations.tanh(X), rtol=1e-13)
    np.testing.assert_allclose(np.exp(activations.log_sigmoid(X)), s, rtol=1e-13)
    np.testing.assert_allclose(activations.softplus(X) - activations.softplus(-X), X, rtol=1e-13)
    pair = np.stack([X, np.zeros_like(X)], -1)
    np.testing.assert_allclose(activations.softmax(pair)[..., 0], s, rtol=1e-13)
    np.testing.assert_allclose(activations.sparsemax(pair)[..., 0], activations.sparse_sigmoid(X), atol=1e-15)
    np.testing.assert_allclose(activations.glu(np.concatenate([X, X], -1)), activations.silu(X), rtol=1e-15)


@both_dtypes
def test_sigmoid_keeps_its_digits_on_the_left_and_ends_above_the_denormals(dtype: str) -> None:
    x = np.array([-80.0, -1e3, -1e30], dtype)
    y = activations.sigmoid(x)
    np.testing.assert_allclose(y[0], np.exp(-80.0), rtol=1e-5 if dtype == "float32" else 1e-13)
    assert (y >= np.finfo(dtype).tiny).all()


def test_rectifiers_contain_each_other() -> None:
    np.testing.assert_array_equal(activations.relu6(X), activations.relu(X, max_value=6))
    np.testing.assert_array_equal(activations.leaky_relu(X), activations.relu(X, 0.2))
    np.testing.assert_allclose(activations.celu(X), activations.elu(X), rtol=1e-15)
    np.testing.assert_array_equal(activations.elu(X, 0.0), activations.relu(X))
    scale = activations.Selu.LAMBDA
    np.testing.assert_allclose(activations.selu(X), scale * activations.elu(X, activations.Selu.ALPHA), rtol=1e-15)
    np.testing.assert_allclose(activations.sparse_plus(X) - activations.sparse_plus(-X), X, rtol=1e-13)
    np.testing.assert_allclose(activations.squareplus(X) * activations.squareplus(-X), 1, rtol=1e-12)


def test_gelu_keeps_its_digits_in_the_left_tail() -> None:
    exactly = [0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in X.flat]
    np.testing.assert_allclose(activations.gelu(X).ravel(), exactly, rtol=1e-13, atol=1e-15)
    # Φ(-10), from tables of the normal distribution; 1 + erf would give 0 here
    np.testing.assert_allclose(activations.gelu(np.array([-10.0])), -10 * 7.61985302416053e-24, rtol=1e-13)
    np.testing.assert_allclose(activations.gelu(X) - activations.gelu(-X), X, rtol=1e-13)
    assert np.abs(activations.gelu(X, approximate=True) - activations.gelu(X)).max() < 5e-4


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.1, 1.0, 10.0, 1e4]))
def test_probabilities_sum_to_one_and_ignore_a_shift(seed: int, scale: float) -> None:
    x = scale * np.random.default_rng(seed).standard_normal((5, 7))
    for act in (activations.softmax, activations.sparsemax):
        y = act(x)
        assert (y >= 0).all()
        np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-13)
        np.testing.assert_allclose(act(x + scale), y, atol=1e-12)
        np.testing.assert_array_equal(act(x.T, axis=0), y.T)
        np.testing.assert_allclose(gradient(act, x, np.ones_like(x)), 0, atol=1e-14)
    np.testing.assert_allclose(np.exp(activations.log_softmax(x)), activations.softmax(x), rtol=1e-12)
    np.testing.assert_allclose(activations.sparsemax(x), sparsemax_by_bisection(x), atol=1e-11)


# --- calling ------------------------------------------------------------------------------------------------


def test_calling_returns_a_new_array_of_the_input_dtype() -> None:
    for activation in CASES.values():
        for x in (X.astype("float32"), X, np.asfortranarray(X)):
            y = activation(x)
            assert y.dtype == x.dtype
            assert not np.shares_memory(x, y)
            np.testing.assert_array_equal(y, activation(x.copy()))


def test_lists_and_integers_are_read_as_floatx() -> None:
    for x in ([-1.0, 2.0], [-1, 2], np.array([-1, 2]), [False, True]):
        assert activations.relu(x).dtype == "float32"
    assert activations.tanh(np.float64(0.5)).dtype == "float64"
    assert activations.tanh(0.5).shape == ()


@pytest.mark.parametrize("x", ["abc", ["a"], [None], [1j], np.array([{}])])
def test_other_than_numbers_are_refused(x: object) -> None:
    with pytest.raises(TypeError, match="relu: x must be an array of numbers"):
        activations.relu(x)


def test_half_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64'"):
        activations.relu(np.ones(2, "float16"))


# --- your own ----------------------------------------------------------------------------------------------


def test_a_subclass_is_an_activation() -> None:
    class Cube(Activation):
        def value(self, x):
            return x**3

        def derivative(self, x):
            return 3 * x**2

    class LogisticTimes(Activation):
        needs = "output"

        def __init__(self, scale: float = 2.0) -> None:
            self.scale = scale

        def value(self, x):
            return self.scale / (1 + np.exp(-x))

        def derivative(self, y):
            return y * (1 - y / self.scale)

    for activation in (Cube(), LogisticTimes(3.0)):
        assert activations.get(activation) is activation
        dy = np.cos(X)
        numeric = central_differences(activation, X, dy)
        np.testing.assert_allclose(gradient(activation, X, dy), numeric, rtol=1e-7, atol=1e-9)
    assert activations.get(Cube).name == "cube"
    written = activations.serialize(LogisticTimes(3.0))
    assert activations.deserialize(written, {"LogisticTimes": LogisticTimes}).scale == 3.0
    with pytest.raises(ValueError, match="Unknown activation 'LogisticTimes'"):
        activations.get(written)


def test_a_subclass_without_its_formulas_says_which() -> None:
    class Half(Activation):
        needs = "output"

    with pytest.raises(NotImplementedError, match=r"Half must define value\(self, x\)"):
        Half()(X)
    with pytest.raises(NotImplementedError, match=r"Half must define derivative\(self, y\)"):
        Half().backward(X, X, X.copy(), X.copy())
