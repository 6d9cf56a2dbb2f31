"""Baselines are arithmetic and least squares; errors, skill, residuals and intervals are their definitions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.series import (
    LinearAutoregression,
    MovingAverage,
    Persistence,
    Scaler,
    Seasonal,
    TrainMean,
    Windows,
    autocorrelation,
    backtest,
    baselines,
    compare,
    errors,
    mean_squared_error,
    measured_coverage,
    pictures,
    skill,
    sunspots,
    with_intervals,
)
from rnn_core.series.datasets import SUNSPOTS_VARIANCE
from rnn_core.series.residuals import chi_squared_tail


@pytest.mark.parametrize(("ahead", "known"), [(0, 1), (1, 1), (3, 3)])
def test_the_simple_baselines(ahead, known):
    values = np.random.default_rng(0).normal(size=40)
    windows = Windows(values, step=4, ahead=ahead, horizon=3, inputs=0, targets=0).between(12, 40)
    t = windows.positions[:, 0] - known  # the last row known
    repeat = np.repeat
    np.testing.assert_array_equal(Persistence().predict(windows), repeat(values[t][:, None], 3, 1))
    mean = np.mean([values[t - i] for i in range(4)], axis=0)
    np.testing.assert_allclose(MovingAverage().predict(windows), repeat(mean[:, None], 3, 1))
    seasonal = np.stack(
        [values[r - 5 * math.ceil((known + h) / 5)] for h in range(3) for r in [windows.positions[:, h]]], 1
    )
    np.testing.assert_array_equal(Seasonal(5).predict(windows), seasonal)
    np.testing.assert_allclose(TrainMean().fit(windows).predict(windows), windows.targets.mean())
    with pytest.raises(ValueError, match="rows before the table's first"):
        Seasonal(30).predict(windows)


def test_baselines_follow_the_windows_units():
    windows = Windows(np.random.default_rng(0).normal(3, 2, 40), step=4)
    scaled = windows.scaled(Scaler().fit(windows))
    for plain, same in zip(baselines(4), baselines(4), strict=True):
        np.testing.assert_allclose(
            scaled.in_units(same.fit(scaled).predict(scaled)), plain.fit(windows).predict(windows), atol=1e-9
        )


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(8, 40), st.integers(0, 99))
def test_linear_autoregression_is_the_least_squares_line(step, rows, seed):
    """Its errors are at right angles to all that it may use; so no other baseline, all of its kind, does better."""
    windows = Windows(np.random.default_rng(seed).normal(size=rows), step)
    line = LinearAutoregression().fit(windows)
    wrong = windows.targets - line.predict(windows)
    x = windows.inputs[:, :, 0]
    np.testing.assert_allclose(np.column_stack([np.ones(len(x)), x]).T @ wrong, 0, atol=1e-9)
    for baseline in baselines():
        other = mean_squared_error(windows.targets, baseline.fit(windows).predict(windows))
        assert mean_squared_error(windows.targets, line.predict(windows)) <= other + 1e-12


def test_sunspots_as_the_literature_has_them():
    assert (len(sunspots()), sunspots().index[0], sunspots().index[-1]) == (309, 1700, 2008)
    assert np.var(sunspots().loc[:1979], ddof=0) == pytest.approx(SUNSPOTS_VARIANCE, rel=0.05)
    windows = Windows(sunspots(), step=12)
    train, test, later, _ = windows.split(1921, 1956, 1980)
    line = {"AR(12)": LinearAutoregression().fit(train)}
    found = [errors(compare(line, part), metric="mse").iloc[0] / SUNSPOTS_VARIANCE for part in (test, later)]
    assert [round(float(x), 3) for x in found] == [0.130, 0.368]
    assert compare(line, test)["at"].tolist() == list(range(1921, 1956))
    once = backtest({"AR(12)": LinearAutoregression().fit}, windows.between(0, 256), 1921, every=35, scaler="standard")
    assert errors(once, metric="mse").iloc[0] / SUNSPOTS_VARIANCE == pytest.approx(found[0])


def test_results_and_errors_are_the_definitions():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"], index=range(100, 130))
    windows = Windows(table, step=2, targets=["b", "a"]).split(110)[1]
    results = compare({"last": Persistence(), "mean": TrainMean().fit(windows)}, windows, steps=3)
    assert len(results) == 2 * 18 * 3 * 2
    for row in results[results["predictor"] == "last"].itertuples():
        assert row.at == row.origin + row.step
        assert row.true == table.loc[row.at, row.target]
        assert row.predicted == table.loc[row.origin, row.target]
    by_step = errors(results, by="step", metric="mae")
    part = results[(results["predictor"] == "mean") & (results["step"] == 2)]
    assert by_step.loc[2, "mean"] == pytest.approx((part["true"] - part["predicted"]).abs().mean())
    mse = errors(results, metric="mse")
    np.testing.assert_allclose(errors(results) ** 2, mse)
    assert skill(results).loc["last", "skill"] == pytest.approx(1 - mse["last"] / mse["mean"])
    assert skill(results, of="mean", by="target").loc["a", "best baseline"] == "last"
    with pytest.raises(ValueError, match="no column 'stp'"):
        errors(results, by="stp")


@pytest.mark.parametrize("refit", [True, False])
def test_a_backtest_trains_on_the_past_alone(refit):
    windows = Windows(np.random.default_rng(0).normal(size=60), step=3)
    seen = []

    def fit(train):
        seen.append(train)
        return TrainMean().fit(train)

    results = backtest({"mean": fit}, windows, first=30, every=10, steps=4, refit=refit, scaler="standard")
    assert len(seen) == (3 if refit else 1)
    for train, origin in zip(seen, (30, 40, 50), strict=False):
        assert train.rows_seen()[1] == origin
        mean, scale = train.scaler.of([0])  # of the rows that were known, no other
        np.testing.assert_allclose(
            [mean, scale], [[windows.table.values[:origin].mean()], [windows.table.values[:origin].std()]]
        )
    assert results["trained_to"].unique().tolist() == ([30, 40, 50] if refit else [30])
    assert results["at"].min() == 30
    first = results[results["at"] < 40]["predicted"]
    np.testing.assert_allclose(first, windows.table.values[3:30].mean())


def test_autocorrelation_finds_the_pattern_and_no_other():
    noise = np.random.default_rng(0).normal(size=5000)
    table = autocorrelation(noise, 40)
    assert table["outside"].sum() <= 5
    assert table["p"].iloc[-1] > 0.05
    moving = noise[1:] + 0.5 * noise[:-1]  # its autocorrelation is 0.4, then 0
    table = autocorrelation(moving, 10)
    assert table["autocorrelation"][1] == pytest.approx(0.4, abs=0.03)
    assert table["band"][1] == pytest.approx(1.96 / np.sqrt(4999))
    assert table["p"].max() < 1e-6
    with pytest.raises(ValueError, match="20 lags need more than 20 residuals, got 20"):
        autocorrelation(noise[:20])


@pytest.mark.parametrize(
    ("degrees", "x"), [(1, 3.841459), (2, 5.991465), (5, 11.070498), (10, 18.307038), (31, 44.985343)]
)
def test_chi_squared_as_in_the_tables(degrees, x):
    assert chi_squared_tail(x, degrees) == pytest.approx(0.05, abs=1e-7)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.sampled_from([0.5, 0.8, 0.95]))
def test_intervals_hold_what_they_promise(seed, promised):
    walk = np.random.default_rng(seed).standard_t(3, size=6000).cumsum()
    _, calibration, test = Windows(walk, step=1).split(100, 3000)
    last = {"last": Persistence()}
    results = with_intervals(compare(last, test, 2), compare(last, calibration, 2), promised)
    found = measured_coverage(results)
    np.testing.assert_allclose(found["coverage"], promised, atol=0.05)
    assert found["width"].is_monotonic_increasing  # two steps are less certain than one


def test_intervals_are_the_ranked_residual():
    calibration = compare({"last": Persistence()}, Windows(np.cumsum(np.arange(10.0)), step=1))  # |e| = 1 .. 9
    test = compare({"last": Persistence()}, Windows(pd.Series([0.0, 0.0], index=[100, 101]), step=1))
    results = with_intervals(test, calibration, 0.8)
    assert results[["lower", "upper"]].to_numpy().tolist() == [[-8.0, 8.0]]  # the ceil(10 * 0.8)-th of 9
    with pytest.raises(ValueError, match=r"coverage of 0.95 needs at least 19 residuals, got 9"):
        with_intervals(test, calibration, 0.95)
    with pytest.raises(ValueError, match="share rows"):
        with_intervals(calibration, calibration)
    with pytest.raises(ValueError, match="the calibration has no"):
        with_intervals(test.assign(predictor="other"), calibration, 0.8)


def test_pictures_draw_the_numbers():
    windows = Windows(sunspots(), step=3)
    _, calibration, test = windows.split(1800, 1900)
    last = {"last": Persistence(), "mean": MovingAverage()}
    results = with_intervals(compare(last, test, 3), compare(last, calibration, 3))
    (axes,) = pictures.forecast(results, step=2).axes
    truth, predicted = axes.get_lines()
    part = results[(results["predictor"] == "last") & (results["step"] == 2)]
    np.testing.assert_array_equal(truth.get_xydata(), part[["at", "true"]])
    np.testing.assert_array_equal(predicted.get_xydata(), part[["at", "predicted"]])
    (axes,) = pictures.forecast(results, step=None).axes
    assert axes.get_lines()[0].get_xdata().tolist() == [1900, 1901, 1902]
    table = errors(results, by="step")
    (axes,) = pictures.error_by_horizon(results).axes
    for line in axes.get_lines():
        np.testing.assert_array_equal(line.get_ydata(), table[line.get_label()])
    with pytest.raises(ValueError, match="no predictor 'lst'"):
        pictures.forecast(results, "lst")
