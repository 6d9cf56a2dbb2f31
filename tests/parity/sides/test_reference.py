"""The reference is our engine in longer floats; noise on it shows what rounding costs; it leaves no trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.sides.our_side import OurSide, cast
from parity.sides.reference import EPS, LONG, ReferenceSide, noisy_ones
from rnn_core import activations, config
from rnn_core.activations import OBJECTS, base
from rnn_core.layers import Activation, Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Model, Sequential

X = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((4, 2)).astype(np.float32)
extended = pytest.mark.skipif(np.finfo(LONG).eps == EPS, reason="np.longdouble is float64 here")


def stack(*extra: Any, activation: Any = "tanh", **arguments: Any) -> Sequential:
    layers = [*extra, SimpleRNN(4, activation, dtype="float64", name="rnn", **arguments)]
    model = Sequential([Input((5, 3), dtype="float64"), *layers, Dense(2, dtype="float64", name="last")])
    model.vector[...] = 0.5 * np.random.default_rng(2).standard_normal(model.vector.size)
    model.compile("rmsprop", "mse")
    return model


def arrays(side: OurSide) -> list[np.ndarray]:
    forward, (gradients, step) = side.forward(X), side.gradients_and_step(X, Y, training=True)
    slots = [value for parts in step.slots.values() for value in parts.values()]
    parts = [forward.outputs, gradients.weights, {"input": gradients.input}, step.weights, dict(enumerate(slots))]
    return [value for part in parts for value in part.values()]


@extended
@pytest.mark.parametrize("activation", [n for n in OBJECTS if n not in ("glu", "sparsemax", "exponential")])
def test_float64_is_the_reference_but_for_rounding(activation):
    """But for exponential, which explodes when it is fed back."""
    model = stack(activation=activation)
    for exact, ours in zip(arrays(ReferenceSide(model)), arrays(OurSide(cast(model, "float64"))), strict=True):
        assert exact.dtype == LONG
        assert np.abs(exact - ours).max() <= 64 * EPS * np.abs(exact).max()


@extended
def test_rounding_is_smaller_than_that_of_float64():
    model = stack()
    exact, ours = (side.forward(X).output for side in (ReferenceSide(model), OurSide(model)))
    assert (exact != exact.astype(np.float64)).any()
    assert (exact != ours).any()


@pytest.mark.parametrize("extra", [Masking(), Dropout(0.4, seed=3)])
def test_dropout_and_masks_are_those_of_our_side(extra):
    model = stack(type(extra).from_config({**extra.get_config(), "dtype": "float64"}), dropout=0.3, seed=5)
    model.compile("adam", "log_cosh", metrics=["mae"])
    reference, ours = ReferenceSide(model), OurSide(cast(model, "float64"))
    for _ in range(2):
        exact, mine = (side.gradients(X, Y, training=True) for side in (reference, ours))
        np.testing.assert_allclose(mine.input, exact.input.astype(float), rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(mine.input == 0, exact.input == 0)


def test_noise_is_one_eps_and_goes_away():
    side = ReferenceSide(stack())
    vector, exact = side.model.vector.copy(), side.forward(X).output
    with side.noise(np.random.default_rng(0)):
        noisy = side.forward(X).output
        assert (side.model.vector != vector).any()
    assert 0 < np.abs(noisy - exact).max() < 16 * EPS
    np.testing.assert_array_equal(side.model.vector, vector)
    np.testing.assert_array_equal(side.forward(X).output, exact)
    ones = noisy_ones((1000,), np.random.default_rng(0)).astype(LONG)
    assert np.abs(ones - 1).max() <= EPS


@extended
def test_noise_shows_what_a_saturated_unit_costs():
    """The derivative 1 - y**2 loses the digits of y: 1 / (1 - y**2) times one eps, a thousand at 4."""
    model = Sequential([Input((1,), dtype="float64"), Dense(1, "tanh", use_bias=False, dtype="float64")])
    model.set_weights([np.full((1, 1), 4.0)])
    model.compile("sgd", "mse")
    side, x, y = ReferenceSide(model), np.ones((1, 1)), np.zeros((1, 1))
    exact = side.gradients(x, y).input.item()
    with side.noise(np.random.default_rng(0)):
        noisy = [side.gradients(x, y).input.item() for _ in range(20)]
    cost = max(abs(value / exact - 1) for value in noisy) / EPS
    assert 500 < cost < 2 * 2 / (1 - np.tanh(4.0) ** 2)


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", "linear"])
def test_no_noise_on_a_derivative_that_is_0_or_1(activation):
    side, a = ReferenceSide(stack(activation=activation)), np.array([-3.0, -0.5, 0.5, 3.0], LONG)
    y, dy, d, scratch = a.copy(), np.ones_like(a), np.empty_like(a), np.empty_like(a)
    with side.noise(np.random.default_rng(0)):
        noisy: Any = side.model.layers[0].activation
        noisy.forward(a, y)
        noisy.backward(y if noisy.needs == "output" else a, dy, d, scratch)
    assert set(d) <= {0, 1}


@extended
def test_noise_on_the_loss_shows_sums_that_cancel():
    """The bias' gradient is 0: w - w. Noise on each of them shows what rounding may leave in its place."""
    model = Sequential([Input((1,), dtype="float64"), Dense(1, dtype="float64", name="only")])
    model.compile("sgd", "mae")
    side, x, y = ReferenceSide(model), np.ones((2, 1)), np.array([[-100.0], [100.0]])
    assert side.gradients(x, y).weights["only/bias"].item() == 0
    with side.noise(np.random.default_rng(0)):
        assert 0 < abs(side.gradients(x, y).weights["only/bias"].item()) < EPS


@extended
@pytest.mark.parametrize("several", [False, True])
def test_noise_on_a_cosine_is_one_of_its_terms(several):
    """Along the prediction the gradient's terms cancel; the bigger the angle's cosine, the more is left to rounding."""
    inputs = Input((2,), dtype="float64")
    outputs = [Dense(2, use_bias=False, dtype="float64", name=name)(inputs) for name in ("a", "b")]
    model = Model(inputs, outputs if several else outputs[0])
    model.set_weights([np.eye(2)] * (1 + several))
    model.compile("sgd", ["cosine_similarity", "mse"] if several else "cosine_similarity")
    side, x, y = ReferenceSide(model), np.array([[3.0, 4.0]]), np.array([[3.0, 4.01]])
    targets, loss = ([y, x], side.model.loss.losses[0]) if several else (y, side.model.loss)

    def along():
        """The kernel's gradient is x d; its part along x."""
        return abs((x @ side.gradients(x, targets).weights["a/kernel"] @ x.T).item()) / 25

    exact = along()
    with side.noise(np.random.default_rng(0)):
        noisy = [along() for _ in range(20)]
    assert "derivative" not in vars(loss)
    assert exact < 0.01 * EPS
    assert 0.5 * EPS < max(noisy) < 2 * EPS


@extended
def test_noise_on_the_logarithm_of_a_sum():
    """log_softmax of the surest class is near 0, and a sum near 1 is what it is taken of."""
    model = Sequential([Input((2,), dtype="float64"), Activation("log_softmax", dtype="float64")])
    side, x = ReferenceSide(model), np.array([[0.0, -30.0]])
    exact = side.forward(x).output[0, 0]
    with side.noise(np.random.default_rng(0)):
        noisy = [abs(side.forward(x).output[0, 0] - exact) for _ in range(20)]
    assert abs(exact) < 1e-12
    assert 0.5 * EPS < max(noisy) <= EPS


@extended
def test_noise_on_a_derivative_that_cancels():
    """gelu's g(x) + x g'(x) at -4 is near 0, and a sum of numbers near 1 in the formula with tanh."""
    activation = activations.Gelu(approximate=True)
    model = Sequential([Input((1,), dtype="float64"), Dense(1, activation, use_bias=False, dtype="float64")])
    model.set_weights([np.full((1, 1), -4.0)])
    model.compile("sgd", "mse")
    side, x, y = ReferenceSide(model), np.ones((1, 1)), np.ones((1, 1))
    exact = side.gradients(x, y).input.item()
    with side.noise(np.random.default_rng(0)):
        noisy = [side.gradients(x, y).input.item() for _ in range(20)]
    cost = max(abs(value / exact - 1) for value in noisy) / EPS
    derivative = abs(activation.derivative(np.array([-4.0])).item())
    assert 1 / derivative < cost < 8 / derivative


def test_users_are_still_refused():
    standardize = config.standardize_dtype
    ReferenceSide(stack()).forward(X)
    assert config.standardize_dtype is base.standardize_dtype is standardize
    with pytest.raises(ValueError, match="must be 'float32' or 'float64'"):
        config.standardize_dtype(LONG)
