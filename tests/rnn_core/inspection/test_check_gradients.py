"""``check_gradients`` passes what is right, finds what is wrong by weight and index, and knows kinks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import layers
from rnn_core.inspection import GradientReport, check_gradients
from rnn_core.inspection.gradient_check import compare

from ..finite_differences import examples
from .drawn import built, drawn_models, everything_of

X = np.random.default_rng(5).standard_normal((3, 4, 2))
Y = np.random.default_rng(6).standard_normal((3, 1))


@examples(40)
@given(drawn=drawn_models())
def test_every_gradient_of_any_model_is_right(drawn):
    """Through masks, dropout, states, reversed and stacked layers, kinks and regularizers; nothing is changed."""
    before = everything_of(drawn.model)
    report = check_gradients(*drawn)
    assert report, str(report)
    assert sum(report.checked.values()) == drawn.model.count_params()
    for ours, was in zip(everything_of(drawn.model), before, strict=True):
        np.testing.assert_array_equal(ours, was)


class WrongFactor(layers.SimpleRNN):
    """One entry of the recurrent kernel's gradient is off by a millionth."""

    def backward(self, r, d_output):
        d_input = super().backward(r, d_output)
        r.d_recurrent_kernel[2, 1] *= 1 + 1e-6
        return d_input


class NoFuture(layers.SimpleRNN):
    """Forgets that the state is fed back: each step's gradient counts by itself."""

    def backward(self, r, d_output):
        d_input = super().backward(r, d_output)
        r.d_recurrent_kernel[...] = r.hidden[-2].T @ r.d_preactivation[-1]
        return d_input


class WrongInput(layers.Dense):
    """Right gradients of its own, a wrong one for the layer below."""

    def backward(self, r, d_output):
        d_input = super().backward(r, d_output)
        return d_input * 1.01


def test_one_wrong_entry_is_named():
    report = check_gradients(built([layers.Input((4, 2)), WrongFactor(3, name="rnn"), layers.Dense(1)]), X, Y)
    assert not report
    (wrong,) = report.wrong
    assert (wrong.weight, wrong.index) == ("rnn/recurrent_kernel", (2, 1))
    assert wrong.analytic == pytest.approx(wrong.numeric * (1 + 1e-6), rel=1e-8)
    assert "rnn/recurrent_kernel[2, 1]" in str(report)
    assert f"{wrong.analytic:.8g}" in str(report)
    assert f"{wrong.numeric:.8g}" in str(report)
    assert max(map(len, str(report).splitlines())) <= 80


def test_a_wrong_formula_is_found_where_it_is_and_nowhere_else():
    report = check_gradients(built([layers.Input((4, 2)), NoFuture(3, name="rnn"), layers.Dense(1)]), X, Y)
    assert {wrong.weight for wrong in report.wrong} == {"rnn/recurrent_kernel"}
    entries = [layers.Input((4, 2)), layers.SimpleRNN(3, name="rnn"), layers.Dense(2, name="below")]
    report = check_gradients(built([*entries, WrongInput(1, name="above")]), X, Y)
    wrong = {wrong.weight.split("/")[0] for wrong in report.wrong}
    assert wrong == {"rnn", "below"}  # all that is behind it
    assert "WRONG" in str(report)


def test_many_kinks_within_the_first_step_are_no_errors():
    """relu and mean absolute error over many samples: some value is always within 1e-3 of a kink."""
    draws = np.random.default_rng(0)
    model = built([layers.Input((3, 1)), layers.SimpleRNN(8, "relu"), layers.Dense(1)], loss="mae")
    report = check_gradients(model, draws.standard_normal((400, 3, 1)), draws.standard_normal(400))
    assert report, str(report)


def test_a_point_on_a_kink_is_said_to_be_one():
    """Biases of 0 and a sample of zeros: every pre-activation lies on the kink of relu."""
    model = built([layers.Input((2,)), layers.Dense(3, "relu", name="hidden"), layers.Dense(1)])
    model.layers[0].bias = np.zeros(3)
    report = check_gradients(model, np.zeros((1, 2)), np.ones(1))
    assert report
    assert {kink.weight for kink in report.kinks} == {"hidden/bias"}
    assert "from the left" in str(report)


@pytest.mark.parametrize("wrong", [1 + 1e-6, 0.5, -1, np.nan, np.inf])
@examples(10)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_gradient_that_is_known(wrong, seed):
    x = np.random.default_rng(seed).uniform(0.2, 1, (2, 3))
    gradient = np.exp(x) * (np.sin(3 * x) + 3 * np.cos(3 * x))

    def f() -> float:
        return float(np.sum(np.exp(x) * np.sin(3 * x)))

    start = x.copy()
    assert compare(GradientReport(), "x", f, x, gradient)
    largest = np.unravel_index(np.abs(gradient).argmax(), x.shape)
    gradient[largest] *= wrong
    report = compare(GradientReport(), "x", f, x, gradient)
    assert [found.index for found in report.wrong] == [largest]
    np.testing.assert_array_equal(x, start)


def test_a_loss_that_is_not_finite_is_refused():
    model = built([layers.Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="the loss is inf"):
        check_gradients(model, np.full((1, 2), 1e200), [1.0])
