"""Forecasts as pictures: against the truth, error by horizon, and what the residuals still hold.

Every picture is a matplotlib figure: ``figure.savefig("forecast.png", dpi=150)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.figures import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, finish, new_figure
from rnn_core.series.judging import Metric, errors

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLES = [
    (BLUE, "o", "-"),
    (VERMILLION, "s", "--"),
    (GREEN, "^", "-."),
    (ORANGE, "D", ":"),
    ("#CC79A7", "v", "-"),
    ("#56B4E9", "P", "--"),
]


def forecast(results: pd.DataFrame, predictor: str | None = None, target: Any = None, step: int | None = 1) -> Figure:
    """Draw a forecast against the truth, with its intervals where it has some.

    Parameters
    ----------
    results : DataFrame
        Of :func:`rnn_core.series.compare`, :func:`rnn_core.series.backtest` or
        :func:`rnn_core.series.with_intervals`.
    predictor, target : optional
        By default the first.
    step : int or None
        Draw what was predicted so many rows ahead; None draws all steps from the first origin, one run.

    Raises
    ------
    ValueError
        If the results hold nothing of the kind.

    Examples
    --------
    >>> from rnn_core.series import LinearAutoregression, Windows, compare, sunspots
    >>> train, test, _ = Windows(sunspots(), step=12).split(1921, 1956)
    >>> figure = forecast(compare({"AR(12)": LinearAutoregression().fit(train)}, test))
    >>> [len(line.get_xdata()) for line in figure.axes[0].get_lines()]
    [35, 35]
    """
    predictor = results["predictor"].iloc[0] if predictor is None else predictor
    target = results["target"].iloc[0] if target is None else target
    part = results[(results["predictor"] == predictor) & (results["target"] == target)]
    if step is None:
        part = part[part["origin"] == part["origin"].min()]
        title = f"{predictor}, closed loop from {_label(part)}"
    else:
        part = part[part["step"] == step]
        title = f"{predictor}, {step} step{'s' if step > 1 else ''} ahead"
    if part.empty:
        raise ValueError(
            f"forecast: the results have no predictor {predictor!r} with target {target!r} at step {step}."
        )
    part = part.sort_values("at")
    figure, (axes,) = new_figure(title, rows=1)
    marker = "." if len(part) <= 200 else ""
    if "lower" in part:
        inside = part["true"].between(part["lower"], part["upper"]).mean()
        label = f"interval: {inside:.0%} inside"
        axes.fill_between(part["at"], part["lower"], part["upper"], color=BLUE, alpha=0.18, linewidth=0, label=label)
    axes.plot(part["at"], part["true"], color=GREY, linewidth=1.2, marker=marker, markersize=5, label="truth")
    axes.plot(part["at"], part["predicted"], color=BLUE, linewidth=1.8, label="predicted")
    axes.margins(x=0.01)
    finish(axes, "", str(target))
    return figure


def error_by_horizon(results: pd.DataFrame, metric: Metric = "rmse") -> Figure:
    """Draw the error of each predictor over how many steps ahead it predicts.

    Parameters
    ----------
    results : DataFrame
        With several steps.
    metric : {"rmse", "mse", "mae"}

    Examples
    --------
    >>> from rnn_core.series import Persistence, TrainMean, Windows, compare, sunspots
    >>> train, test, _ = Windows(sunspots(), step=12).split(1921, 1956)
    >>> results = compare({"last value": Persistence(), "mean": TrainMean().fit(train)}, test, steps=5)
    >>> [line.get_label() for line in error_by_horizon(results).axes[0].get_lines()]
    ['last value', 'mean']
    """
    from matplotlib.ticker import MaxNLocator

    table = errors(results, "step", metric)
    if len(table.columns) > len(STYLES):
        raise ValueError(
            f"error_by_horizon: at most {len(STYLES)} predictors can be told apart, got {len(table.columns)}."
        )
    figure, (axes,) = new_figure("Error by horizon", rows=1)
    for name, (color, marker, line) in zip(table.columns, STYLES, strict=False):
        width, size = (2.2, 6) if name == table.columns[0] else (1.4, 5)
        axes.plot(
            table.index, table[name], color=color, marker=marker, markersize=size, linestyle=line, linewidth=width,
            label=str(name),
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    names = {"rmse": "root mean squared error", "mse": "mean squared error", "mae": "mean absolute error"}
    finish(axes, "steps ahead", names[metric], legend=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def residual_autocorrelation(table: pd.DataFrame) -> Figure:
    """Draw the autocorrelation of residuals with the band in which 95 of 100 lie if no pattern is left.

    Parameters
    ----------
    table : DataFrame
        Of :func:`rnn_core.series.autocorrelation`.

    Examples
    --------
    >>> from rnn_core.series import autocorrelation
    >>> figure = residual_autocorrelation(autocorrelation(np.random.default_rng(0).normal(size=200)))
    >>> figure.axes[0].get_ylabel()
    'autocorrelation'
    """
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = new_figure("What the residuals still hold", rows=1)
    band = float(table["band"].iloc[0])
    axes.axhspan(-band, band, color=GREY, alpha=0.25, linewidth=0, label="95 % if no pattern is left")
    axes.axhline(0, color=BLACK, linewidth=0.8)
    for outside, color, marker, label in (
        (False, BLUE, "o", "within the band"),
        (True, VERMILLION, "s", "outside"),
    ):
        part = table[table["outside"] == outside]
        if len(part):
            axes.vlines(part.index, 0, part["autocorrelation"], color=color, linewidth=1.6)
            axes.plot(part.index, part["autocorrelation"], marker, color=color, markersize=6, label=label)
    axes.set_xlim(0.3, len(table) + 0.7)
    limit = max(1.3 * float(np.abs(table["autocorrelation"]).max()), 2 * band)
    axes.set_ylim(-limit, limit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(axes, "lag", "autocorrelation")
    return figure


def _label(part: pd.DataFrame) -> str:
    return str(part["at"].min()) if len(part) else "?"
