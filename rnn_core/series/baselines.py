"""What a forecast must beat: predictors that need no network, and the table that scores all alike.

Every baseline is fitted on the training windows only and predicts from windows x = (x_1 .. x_step), oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.series.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


class Baseline:
    """A predictor of the value after a window. One that learns nothing from the training windows needs no `fit`."""

    name: str

    def fit(self, inputs: Array, targets: Array) -> Self:
        """Learn from the training windows, shapes (n, step) and (n,); return the baseline itself."""
        return self

    def predict(self, inputs: Array) -> Array:
        """Return predictions, shape (n,), for windows of shape (n, step)."""
        raise NotImplementedError


class Persistence(Baseline):
    """Tomorrow is like today: ``y = x_step``, the last value of the window."""

    name = "persistence (last value)"

    def predict(self, inputs: Array) -> Array:
        """Return each window's last value."""
        return inputs[:, -1]


class WindowMean(Baseline):
    """The mean of the window: ``y = (x_1 + .. + x_step) / step``."""

    name = "mean of the window"

    def predict(self, inputs: Array) -> Array:
        """Return each window's mean."""
        mean: Array = inputs.mean(axis=1)
        return mean


class LinearAutoregression(Baseline):
    """The best straight line through the window: ``y = c + x_1 w_1 + .. + x_step w_step``, by least squares.

    A network that is no better has found nothing non-linear in the data.

    Attributes
    ----------
    intercept : float
        c.
    coefficients : ndarray, shape (step,)
        w, the oldest value's first.

    Examples
    --------
    >>> inputs = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    >>> line = LinearAutoregression().fit(inputs, 1 + inputs @ [2.0, 3.0])
    >>> bool(np.allclose(line.coefficients, [2.0, 3.0])), round(line.intercept, 9)
    (True, 1.0)
    """

    name = "linear autoregression"
    intercept: float
    coefficients: Array

    def fit(self, inputs: Array, targets: Array) -> Self:
        """Minimise ``sum((targets - c - inputs @ w)**2)`` over c and w."""
        design = np.column_stack([np.ones(len(inputs)), inputs])  # (n, 1 + step)
        solution = np.linalg.lstsq(design, targets)[0]
        self.intercept, self.coefficients = float(solution[0]), solution[1:]
        return self

    def predict(self, inputs: Array) -> Array:
        """Return ``c + inputs @ w``."""
        if not hasattr(self, "coefficients"):
            raise ValueError("LinearAutoregression: call fit before predict.")
        result: Array = self.intercept + inputs @ self.coefficients
        return result


class TrainMean(Baseline):
    """Always the same: the mean of the training targets."""

    name = "mean of the train targets"
    mean: float

    def fit(self, inputs: Array, targets: Array) -> Self:
        """Take the mean of the training targets."""
        self.mean = float(targets.mean())
        return self

    def predict(self, inputs: Array) -> Array:
        """Return the training mean for every window."""
        if not hasattr(self, "mean"):
            raise ValueError("TrainMean: call fit before predict.")
        return np.full(len(inputs), self.mean)


def baselines() -> list[Baseline]:
    """Return one of each baseline, not yet fitted."""
    return [Persistence(), WindowMean(), LinearAutoregression(), TrainMean()]


def mean_squared_error(targets: Array, predictions: Array) -> float:
    """Return ``mean((targets - predictions)**2)``, computed in float64.

    Raises
    ------
    ValueError
        If the shapes differ: ``(n,)`` against ``(n, 1)`` would silently be subtracted as (n, n).
    """
    if targets.shape != predictions.shape:
        raise ValueError(
            f"mean_squared_error: targets and predictions must have the same shape, "
            f"got {targets.shape} and {predictions.shape}."
        )
    return float(np.mean(np.square(targets - predictions, dtype=np.float64)))


def score_table(predictors: Mapping[str, Callable[[Windows], Array]], parts: Mapping[str, Windows]) -> pd.DataFrame:
    """Return the mean squared error of every predictor on the same windows.

    Parameters
    ----------
    predictors : mapping of name to function
        Each takes :class:`Windows` and returns predictions, shape (n,).
    parts : mapping of name to Windows
        ``{"train": ..., "test": ...}``.

    Returns
    -------
    pandas.DataFrame
        One row a predictor, one column a part.

    Examples
    --------
    >>> from rnn_core.series import make_windows
    >>> parts = {"train": make_windows([1.0, 2.0, 4.0], step=1), "test": make_windows([4.0, 7.0], step=1)}
    >>> print(score_table({"last value": lambda w: w.inputs[:, -1]}, parts))
                train  test
    last value    2.5   9.0
    """
    import pandas as pd

    rows = {
        name: {part: mean_squared_error(windows.targets, predict(windows)) for part, windows in parts.items()}
        for name, predict in predictors.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(parts))
