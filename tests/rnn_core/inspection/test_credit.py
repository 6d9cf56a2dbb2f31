"""Jacobians and spectra against central differences, and against TensorFlow's automatic differentiation."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import layers
from rnn_core.inspection import SimpleRNNTrace, credit, spectrum, trace

from ..finite_differences import central_differences, examples
from .drawn import built, drawn_models

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SMOOTH = st.sampled_from(["tanh", "sigmoid", "linear", "softmax", "gelu"])


def by_differences(layer, t, k):
    """dh_t / dh_k of one traced layer: every entry of h_k is moved, and the steps after it are taken again."""
    r = layer.record
    start = np.array(layer.hidden[:, k + 1])
    batch, units = start.shape
    jacobian = np.zeros((batch, units, units))
    for i in range(units):

        def later(i=i):
            h = start
            for step in range(k + 1, t + 1):
                dropped = h if r.recurrent_dropout is None else h * r.recurrent_dropout
                a = layer.step_input[:, step] @ layer.layer.kernel + dropped @ layer.layer.recurrent_kernel
                a = a + (layer.layer.bias if layer.layer.use_bias else 0)
                h = np.where(layer.step_mask[:, step, None], layer.layer.activation(a), h)
            return float(h[:, i].sum())  # samples do not mix

        jacobian[:, i, :] = central_differences(later, start)
    return jacobian


@examples(40)
@given(drawn=drawn_models(dtype="float64", activations=SMOOTH), data=st.data())
def test_jacobians_are_those_of_finite_differences(drawn, data):
    traced = trace(*drawn)
    for layer in traced:
        if isinstance(layer, SimpleRNNTrace):
            c = credit(traced, layer.name)
            t = data.draw(st.integers(0, c.timesteps - 1))
            k = data.draw(st.integers(-1, t))
            np.testing.assert_allclose(c.jacobian(t, k), by_differences(layer, t, k), rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(
                c.norms[:, c.timesteps - 1 - k],
                np.linalg.norm(c.jacobian(c.timesteps - 1, k), 2, axis=(1, 2)),
                rtol=1e-9,
                atol=1e-300,
            )


def test_jacobians_are_those_of_automatic_differentiation():
    import tensorflow as tf

    model = built([layers.Input((6, 2), dtype="float64"), layers.SimpleRNN(3, dtype="float64")], seed=1)
    draws = np.random.default_rng(2)
    x = draws.standard_normal((2, 6, 2))
    c = credit(trace(model, x, np.zeros((2, 3))))
    kernel, recurrent_kernel, bias = map(tf.constant, model.get_weights())
    states = [tf.zeros((2, 3), tf.float64)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(states[0])
        for t in range(6):
            states.append(tf.tanh(x[:, t] @ kernel + states[-1] @ recurrent_kernel + bias))
    for k in (-1, 2, 4):
        expected = tape.batch_jacobian(states[6], states[k + 1]).numpy()
        np.testing.assert_allclose(c.jacobian(5, k), expected, rtol=1e-10, atol=1e-15)
        singular = np.linalg.svd(expected, compute_uv=False)
        np.testing.assert_allclose(c.singular_values[:, 5 - k], singular, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(("size", "word"), [(0.5, "vanish"), (1.0, "keep"), (1.5, "explode")])
def test_the_factor_of_a_linear_rotation_is_its_size(size, word):
    model = built([layers.Input((50, 1)), layers.SimpleRNN(2, "linear")])
    model.layers[0].recurrent_kernel = size * np.array([[0.6, 0.8], [-0.8, 0.6]])
    c = credit(trace(model, np.ones((2, 50, 1)), np.zeros((2, 2))))
    assert c.factor == pytest.approx(size, rel=1e-6)
    np.testing.assert_allclose(c.median_norms, size ** np.arange(51.0), rtol=1e-5)
    assert c.reach == (6 if size == 0.5 else 50)
    assert word in str(c)
    assert c.spectrum.spectral_radius == pytest.approx(size)
    assert c.spectrum.outside == (2 if size > 1 else 0)
    assert max(map(len, str(c).splitlines())) <= 80


def test_no_product_over_many_steps_overflows():
    model = built([layers.Input((1500, 1)), layers.SimpleRNN(2, "linear", dtype="float64")])
    for size, factor in ((1.9, np.inf), (0.3, 0.0)):
        model.layers[0].recurrent_kernel = size * np.eye(2)
        c = credit(trace(model, np.zeros((1, 1500, 1)), np.zeros((1, 2))))
        np.testing.assert_allclose(c.log_norms[0], np.arange(1501) * np.log(size), rtol=1e-10)
        assert c.norms[0, -1] == factor
        assert c.factor == pytest.approx(size)


def test_behind_dead_units_nothing_arrives():
    model = built([layers.Input((5, 1)), layers.SimpleRNN(2, "relu")])
    model.layers[0].bias = [-100.0, -100.0]
    c = credit(trace(model, np.ones((2, 5, 1)), np.zeros((2, 2))))
    assert c.factor == 0
    assert c.reach == 0
    assert "nothing arrives" in str(c)


@examples(30)
@given(seed=st.integers(0, 2**32 - 1), units=st.integers(1, 6))
def test_the_spectrum_of_any_kernel(seed, units):
    kernel = np.random.default_rng(seed).standard_normal((units, units))
    s = spectrum(kernel)
    assert s.spectral_radius <= s.singular_values[0] * (1 + 1e-9)
    assert np.prod(s.eigenvalues) == pytest.approx(np.linalg.det(kernel), rel=1e-6, abs=1e-9)
    assert np.prod(s.singular_values) == pytest.approx(abs(np.linalg.det(kernel)), rel=1e-6, abs=1e-9)
    assert s.outside == np.sum(np.abs(np.linalg.eigvals(kernel)) > 1 + 1e-5)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"shape \(units, units\)"):
        spectrum(np.ones((2, 3)))
    model = built([layers.Input((5, 1)), layers.SimpleRNN(2)])
    c = credit(trace(model, np.ones((2, 5, 1)), np.zeros((2, 2))))
    with pytest.raises(ValueError, match="-1 <= k <= t < 5"):
        c.jacobian(2, 3)


def test_masked_steps_are_no_steps():
    """With U = 0.5 in a linear network every real step halves a gradient, however many steps of padding follow."""
    model = built([layers.Input((12, 1)), layers.Masking(), layers.SimpleRNN(2, "linear", name="rnn"), layers.Dense(1)])
    model.layers[1].recurrent_kernel = 0.5 * np.eye(2)
    x = np.ones((5, 12, 1))
    x[:, 6:] = 0
    x[4, 1:] = 0  # one real step
    found = credit(trace(model, x, np.zeros(5)))
    assert found.factor == pytest.approx(0.5)
    assert "0.5 x a real step" in str(found)
    np.testing.assert_allclose(found.median_norms[[6, 12]], [1, 0.5**6])
    x[:] = 0
    assert credit(trace(model, x, np.zeros(5))).factor == 1
    x[:, 0] = 1
    assert credit(trace(model, x, np.zeros(5))).factor == pytest.approx(0.5)


def test_one_step_reads_as_one():
    model = built([layers.Input((1, 1)), layers.SimpleRNN(2, name="rnn")])
    assert "over 1 step gradients" in str(credit(trace(model, np.ones((3, 1, 1)), np.zeros((3, 2)))))


def test_what_is_not_finite_is_refused():
    model = built([layers.Input((3, 1)), layers.SimpleRNN(2, name="rnn")])
    model.layers[0].recurrent_kernel = np.full((2, 2), np.nan)
    with pytest.raises(ValueError, match="NaN or infinite"):
        credit(trace(model, np.ones((3, 3, 1)), np.zeros((3, 2))))
    model.layers[0].set_weights([[[np.nan, 0]], np.eye(2), [0, 0]])
    with pytest.raises(ValueError, match="Jacobians of 'rnn' are not finite"):
        print(credit(trace(model, np.ones((3, 3, 1)), np.zeros((3, 2)))))
