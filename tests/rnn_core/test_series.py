"""Windows hold the series' own values, and baselines are what least squares and arithmetic say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.series import (
    LinearAutoregression,
    Persistence,
    TrainMean,
    WindowMean,
    arrange,
    baselines,
    make_windows,
    mean_squared_error,
    score_table,
)

seeds = st.integers(0, 2**32 - 1)


@st.composite
def series_and_step(draw):
    step = draw(st.integers(1, 6))
    samples = draw(st.integers(step + 1, 40))
    return np.random.default_rng(draw(seeds)).normal(size=samples), step


def tutorial_matrix(data, step):
    """The tutorial's own loop."""
    pairs = [(data[i : i + step], data[i + step]) for i in range(len(data) - step)]
    return np.array([x for x, _ in pairs]), np.array([y for _, y in pairs])


@given(series_and_step(), st.integers(0, 1000))
def test_windows_are_the_tutorials(case, start):
    values, step = case
    padded = np.append(values, np.repeat(values[-1], step))
    for data, pad in ((values, False), (padded, True)):
        windows = make_windows(values, step, start=start, pad=pad)
        inputs, targets = tutorial_matrix(data, step)
        np.testing.assert_array_equal(windows.inputs, inputs)
        np.testing.assert_array_equal(windows.targets, targets)


@given(series_and_step(), st.integers(0, 1000))
def test_positions_say_where_a_target_was_measured(case, start):
    values, step = case
    windows = make_windows(values, step, start=start, pad=True)
    assert len(windows.inputs) == len(values)
    np.testing.assert_array_equal(values[windows.positions - start], windows.targets)
    assert (~windows.measured).sum() == step
    for mine, plain in zip(windows.without_padding(), make_windows(values, step, start=start), strict=True):
        np.testing.assert_array_equal(mine, plain)


def test_windows_and_layouts_are_views():
    values = np.arange(10.0)
    windows = make_windows(values, 3)
    for view in (windows.inputs, windows.targets, arrange(windows.inputs, "1xstep"), arrange(windows.inputs, "stepx1")):
        assert np.shares_memory(view, values)


@given(series_and_step())
def test_both_layouts_hold_the_window_in_order(case):
    inputs = make_windows(*case).inputs
    n, step = inputs.shape
    np.testing.assert_array_equal(arrange(inputs, "1xstep"), inputs.reshape(n, 1, step))
    np.testing.assert_array_equal(arrange(inputs, "stepx1"), inputs.reshape(n, step, 1))


@pytest.mark.parametrize(
    ("values", "step", "error", "message"),
    [
        (np.zeros((5, 1)), 2, ValueError, r"values must have shape \(samples,\), got \(5, 1\)"),
        (np.zeros(4), 4, ValueError, "a window of 4 needs more than 4 values, got 4"),
        (np.zeros(4), 0, ValueError, "step must be an integer of at least 1, got 0"),
        (np.zeros(4), 1.5, ValueError, "step must be an integer of at least 1, got 1.5"),
        (["a", "b"], 1, TypeError, "values must be real numbers, got <U1"),
        (np.array([1, None]), 1, TypeError, "values must be real numbers, got object"),
    ],
)
def test_windows_refuse(values, step, error, message):
    with pytest.raises(error, match=message):
        make_windows(values, step)


def test_layouts_refuse():
    with pytest.raises(ValueError, match=r"Unknown layout '1xstp'. Did you mean '1xstep'\?"):
        arrange(np.zeros((3, 2)), "1xstp")
    with pytest.raises(ValueError, match=r"inputs must have shape \(n, step\), got \(3, 1, 2\)"):
        arrange(np.zeros((3, 1, 2)), "1xstep")


@given(series_and_step())
def test_linear_autoregression_is_the_least_squares_line(case):
    """Its errors are at right angles to all that it may use; so no other baseline, all of its kind, does better."""
    inputs, targets, *_ = make_windows(*case)
    line = LinearAutoregression().fit(inputs, targets)
    errors = targets - line.predict(inputs)
    np.testing.assert_allclose(np.column_stack([np.ones(len(inputs)), inputs]).T @ errors, 0, atol=1e-9)
    best = mean_squared_error(targets, line.predict(inputs))
    for baseline in baselines():
        assert best <= mean_squared_error(targets, baseline.fit(inputs, targets).predict(inputs)) + 1e-12


def test_linear_autoregression_recovers_the_process():
    values = [0.3, -0.8]
    for _ in range(60):
        values.append(0.5 + 0.9 * values[-1] - 0.6 * values[-2])
    inputs, targets, *_ = make_windows(values, 2)
    line = LinearAutoregression().fit(inputs, targets)
    np.testing.assert_allclose(line.coefficients, [-0.6, 0.9], rtol=1e-9)
    assert line.intercept == pytest.approx(0.5, rel=1e-9)


def test_the_simple_baselines():
    inputs, targets = np.array([[1.0, 3.0], [5.0, 9.0]]), np.array([10.0, 20.0])
    new = np.array([[0.0, 4.0]])
    assert Persistence().fit(inputs, targets).predict(new) == [4.0]
    assert WindowMean().fit(inputs, targets).predict(new) == [2.0]
    assert TrainMean().fit(inputs, targets).predict(new) == [15.0]


@pytest.mark.parametrize("baseline", [LinearAutoregression, TrainMean])
def test_what_learns_must_be_fitted(baseline):
    with pytest.raises(ValueError, match=f"{baseline.__name__}: call fit before predict"):
        baseline().predict(np.zeros((2, 3)))


def test_mean_squared_error_does_not_broadcast():
    assert mean_squared_error(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == 2.5
    with pytest.raises(ValueError, match=r"same shape, got \(3,\) and \(3, 1\)"):
        mean_squared_error(np.zeros(3), np.zeros((3, 1)))


def test_scores_are_of_the_same_windows():
    train, test = make_windows(np.arange(6.0), 2), make_windows(np.arange(20.0, 24.0), 2)
    mean = TrainMean().fit(train.inputs, train.targets)
    table = score_table(
        {"last": lambda w: w.inputs[:, -1], "mean": lambda w: mean.predict(w.inputs)}, {"train": train, "test": test}
    )
    assert list(table.columns) == ["train", "test"]
    assert list(table.index) == ["last", "mean"]
    np.testing.assert_allclose(table, [[1, 1], [1.25, 19**2 + 0.25]])
