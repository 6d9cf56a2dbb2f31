"""What a forecast must beat: predictors that need no network.

Those that only repeat or average the past predict any number of steps from it. :class:`LinearAutoregression` reads
the same windows as a network and, like one, can be run on its own predictions.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks
from rnn_core.data import all_finite
from rnn_core.series.windows import Windows

Array = NDArray[Any]


class Baseline:
    """A predictor of targets from their own past. One that learns nothing from the training windows needs no `fit`."""

    name: str

    def fit(self, windows: Windows) -> Self:
        """Learn from the training windows; return the baseline itself."""
        return self

    def predict(self, windows: Windows) -> Array:
        """Return predictions of the windows' targets, shape (n, outputs)."""
        raise NotImplementedError


class Persistence(Baseline):
    """Tomorrow is like today: ``y(t+h) = y(t)``, the last value known.

    Known is what stands in the window; where the target stands in the window's last row (``ahead=0``), up to the
    row before it.

    Examples
    --------
    >>> Persistence().predict(Windows([1.0, 2.0, 4.0, 8.0], step=1, horizon=2))
    array([[1., 1.],
           [2., 2.]])
    """

    name = "persistence (last value)"

    def predict(self, windows: Windows) -> Array:
        """Return the last known value of each target, at every step."""
        return _flat(_past(windows, np.repeat(last_known(windows), windows.horizon, axis=1)))


class Seasonal(Baseline):
    """As one period ago: ``y(t+h) = y(t+h-m*period)``, with the smallest m for which that is known.

    Parameters
    ----------
    period : int
        In rows.

    Examples
    --------
    >>> Seasonal(3).predict(Windows([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], step=3)).ravel()
    array([1., 2., 3.])
    """

    def __init__(self, period: int) -> None:
        self.period = checks.positive_int("Seasonal", "period", period)
        self.name = f"seasonal ({self.period} rows ago)"

    def predict(self, windows: Windows) -> Array:
        """Return the values of the last known period."""
        known = last_known(windows)  # (n, 1)
        later = windows.target_rows - known  # (n, horizon), from 1 on
        return _flat(_past(windows, known + (later - 1) % self.period + 1 - self.period))


class MovingAverage(Baseline):
    """The mean of the last values known: ``y(t+h) = (y(t) + .. + y(t-width+1)) / width``.

    Parameters
    ----------
    width : int, optional
        By default the window's.

    Examples
    --------
    >>> MovingAverage(2).predict(Windows([1.0, 2.0, 4.0, 8.0], step=2)).ravel()
    array([1.5, 3. ])
    """

    def __init__(self, width: int | None = None) -> None:
        self.width = None if width is None else checks.positive_int("MovingAverage", "width", width)
        self.name = "mean of the window" if width is None else f"mean of the last {width}"

    def predict(self, windows: Windows) -> Array:
        """Return the mean of each target, at every step."""
        rows = last_known(windows) - np.arange(self.width or windows.step)[::-1]  # (n, width), oldest first
        mean = _past(windows, rows).mean(axis=1, keepdims=True)  # (n, 1, targets)
        return _flat(np.broadcast_to(mean, (len(windows), windows.horizon, mean.shape[2])))


class TrainMean(Baseline):
    """Always the same: the mean of the training targets.

    Examples
    --------
    >>> train, test = Windows([0.0, 1.0, 3.0, 9.0], step=1).split(3)
    >>> TrainMean().fit(train).predict(test)
    array([[2.]])
    """

    name = "mean of the train targets"
    mean: Array

    def fit(self, windows: Windows) -> Self:
        """Take the mean of each target."""
        targets = windows.in_units(windows.targets).reshape(-1, len(windows.target_names))
        self.mean = targets.mean(axis=0)
        return self

    def predict(self, windows: Windows) -> Array:
        """Return the training mean for every window and step."""
        if not hasattr(self, "mean"):
            raise ValueError("TrainMean: call fit before predict.")
        return _scaled(windows, np.tile(self.mean, (len(windows), windows.horizon)))


class LinearAutoregression:
    """The best linear map of what stands in a window: ``y = c + W x``, by least squares.

    Over windows of a single series this is the AR(step) model ``y = c + x_1 w_1 + .. + x_step w_step``. It sees
    what a network sees: one that is no better has found nothing non-linear in the data.

    Attributes
    ----------
    intercept : ndarray, shape (outputs,)
        c.
    coefficients : ndarray, shape (values in a window, outputs)
        W, the oldest row's first.

    Examples
    --------
    >>> line = LinearAutoregression().fit(Windows([1.0, 2.0, 4.0, 8.0, 16.0], step=1))
    >>> line.coefficients.round(9)
    array([[2.]])
    >>> line.predict(Windows([16.0, 32.0], step=1)).round(9)
    array([[32.]])

    G. U. Yule, "On a method of investigating periodicities in disturbed series, with special reference to Wolfer's
    sunspot numbers", Philosophical Transactions A 226 (1927), 267-298.
    """

    name = "linear autoregression"
    intercept: Array
    coefficients: Array

    def fit(self, windows: Windows) -> Self:
        """Minimise ``sum((y - c - W x)**2)`` over c and W."""
        x, y = windows.inputs.reshape(len(windows), -1), windows.targets
        for what, values in (("inputs", x), ("targets", y)):
            if not all_finite(values):
                raise ValueError(f"LinearAutoregression: the windows' {what} hold NaN or infinity: fill them first.")
        design = np.column_stack([np.ones(len(x)), x])  # (n, 1 + values)
        solution = np.linalg.lstsq(design, y)[0]  # (1 + values, outputs)
        self.intercept, self.coefficients = solution[0], solution[1:]
        return self

    def predict(self, x: Windows | Array) -> Array:
        """Return ``c + W x`` for windows, or for inputs of shape (n, ...)."""
        if not hasattr(self, "coefficients"):
            raise ValueError("LinearAutoregression: call fit before predict.")
        inputs = np.asarray(x.inputs if isinstance(x, Windows) else x)
        result: Array = self.intercept + inputs.reshape(len(inputs), -1) @ self.coefficients
        return result


def baselines(period: int | None = None) -> list[Baseline | LinearAutoregression]:
    """Return one of each baseline, not yet fitted; the seasonal one where there is a period.

    Examples
    --------
    >>> [baseline.name for baseline in baselines(period=12)][-2:]
    ['mean of the train targets', 'seasonal (12 rows ago)']
    """
    seasonal: list[Baseline | LinearAutoregression] = [] if period is None else [Seasonal(period)]
    return [Persistence(), MovingAverage(), LinearAutoregression(), TrainMean(), *seasonal]


def last_known(windows: Windows) -> Array:
    """Return the last row whose targets are known when a window's are predicted, shape (n, 1)."""
    return windows.target_rows[:, :1] - max(1, windows.ahead)


def _past(windows: Windows, rows: Array) -> Array:
    """Return the targets' values in these rows, shape (n, rows, targets), in the units of the windows."""
    if len(rows) and rows.min() < 0:
        raise ValueError(
            f"The baseline needs values from {-int(rows.min())} rows before the table's first: predict later windows."
        )
    rows = np.minimum(rows, len(windows.table) - 1)  # what padding repeats
    values = windows.table.values[rows[..., None], windows.target_columns]
    if windows.scaler is None:
        return np.asarray(values)
    shift, scale = windows.scaler.of(windows.target_names)
    return np.asarray((values - shift) / scale)


def _scaled(windows: Windows, outputs: Array) -> Array:
    """Return outputs in the units of the data as the windows have them; undone by ``windows.in_units``."""
    if windows.scaler is None:
        return outputs
    shift, scale = windows.scaler.of(windows.target_names)
    return np.asarray((outputs - np.tile(shift, windows.horizon)) / np.tile(scale, windows.horizon))


def _flat(predicted: Array) -> Array:
    """Return (n, horizon, targets) as (n, outputs)."""
    return predicted.reshape(len(predicted), -1)
