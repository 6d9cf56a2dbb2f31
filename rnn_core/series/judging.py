"""How good is a forecast: errors on the same rows for all predictors, backtests, and skill against the best baseline.

Everything here works on one table of results, a row for each predicted value::

    predictor    origin   step  target  at       true   predicted
    network      1920     1     o       1921     26.1   28.4        origin: the last row known
    network      1920     2     o       1922     14.2   15.0        step: how many rows after it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks
from rnn_core.series.forecasting import predict_ahead
from rnn_core.series.scaling import Scaler
from rnn_core.series.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
Metric = Literal["mse", "rmse", "mae"]


def compare(predictors: Mapping[str, Any], windows: Windows, steps: int | None = None) -> pd.DataFrame:
    """Predict the same rows with every predictor.

    Parameters
    ----------
    predictors : mapping of name to Model, Baseline or LinearAutoregression
        Trained on windows like these.
    windows : Windows
    steps : int, optional
        How many rows from each window on, every predictor on its own outputs (see :func:`predict_ahead`). By
        default the horizon: the predictors' own outputs, open loop.

    Returns
    -------
    pandas.DataFrame
        Results: columns predictor, origin, step, target, at, true, predicted; in the units of the data.

    Examples
    --------
    >>> from rnn_core.series import LinearAutoregression, Persistence
    >>> series = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    >>> train, test = Windows(series, step=1).split(4)
    >>> results = compare({"line": LinearAutoregression().fit(train), "last value": Persistence()}, test)
    >>> errors(results, metric="mae").round(6)
    predictor
    line           0.0
    last value    12.0
    Name: mae, dtype: float64
    """
    import pandas as pd

    if not predictors:
        raise ValueError("compare: no predictors were given.")
    steps = windows.horizon if steps is None else checks.positive_int("compare", "steps", steps)
    wide = windows.without_padding().replace(horizon=steps)
    targets = wide.target_names
    rows = wide.target_rows  # (n, steps)
    shape = (len(wide), steps, len(targets))
    labels = wide.table.labels
    origin, at = labels(np.maximum(rows[:, :1] - 1, 0)), labels(rows)
    true = wide.table.values[rows[:, :, None], wide.target_columns]
    columns = {
        "origin": np.broadcast_to(origin[:, :, None], shape),
        "step": np.broadcast_to(np.arange(1, steps + 1)[:, None], shape),
        "target": np.broadcast_to(np.array(targets, object), shape),
        "at": np.broadcast_to(at[:, :, None], shape),
        "true": true,
    }
    parts = []
    for name, predictor in predictors.items():
        part = pd.DataFrame({column: values.reshape(-1) for column, values in columns.items()})
        part.insert(0, "predictor", name)
        part["predicted"] = predict_ahead(predictor, windows, steps).reshape(-1)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def backtest(
    fits: Mapping[str, Callable[[Windows], Any]],
    windows: Windows,
    first: Any,
    every: int,
    steps: int | None = None,
    refit: bool = True,
    scaler: Literal["standard", "minmax"] | None = None,
) -> pd.DataFrame:
    """Go through the series as time did: train on what was known, predict what came next, move on.

    At the origins ``first, first + every, ...`` each predictor is trained on the windows whose targets all stand
    before the origin, and predicts the rows from the origin on to the next one.

    Parameters
    ----------
    fits : mapping of name to function
        Each takes the training windows and returns what predicts: ``Persistence().fit``, or a function that builds
        a model, fits it and returns it.
    windows : Windows
    first : float, int or label
        The first origin, as in :meth:`Windows.split`.
    every : int
        Rows from one origin to the next.
    steps : int, optional
        As in :func:`compare`.
    refit : bool
        Train anew at every origin; otherwise only at the first.
    scaler : {"standard", "minmax"}, optional
        Scale for training, by the rows of the training windows alone. Results are in the units of the data.

    Returns
    -------
    pandas.DataFrame
        Results as of :func:`compare`, with a column "trained_to": the origin, the first row not trained on.

    Examples
    --------
    >>> from rnn_core.series import LinearAutoregression, Persistence
    >>> series = Windows(np.sin(np.arange(60) / 3), step=2)
    >>> results = backtest(
    ...     {"line": LinearAutoregression().fit, "last value": Persistence().fit}, series, first=30, every=10
    ... )
    >>> errors(results, by="trained_to").round(3)
    predictor   line  last value
    trained_to
    30           0.0       0.240
    40           0.0       0.238
    50           0.0       0.235
    """
    import pandas as pd

    if not fits:
        raise ValueError("backtest: no predictors were given.")
    every = checks.positive_int("backtest", "every", every)
    refit = checks.boolean("backtest", "refit", refit)
    windows = windows.without_padding()
    origins = range(windows.row_of(first), windows.end, every)
    if not origins:
        raise ValueError(f"backtest: first={first!r} lies behind the last row.")
    parts: list[pd.DataFrame] = []
    fitted: dict[str, Any] = {}
    ready = windows
    for origin in origins:
        train = windows.between(0, origin)
        if not len(train):
            raise ValueError(f"backtest: no whole window stands before the first origin, first={first!r}.")
        if refit or not fitted:
            ready = windows if scaler is None else windows.scaled(Scaler(scaler).fit(train))
            train = ready.between(0, origin)
            fitted = {name: fit(train) for name, fit in fits.items()}
        test = ready.between(origin, origin + every)
        if not len(test.replace(horizon=steps)):
            continue  # too few rows are left
        part = compare(fitted, test, steps)
        part.insert(1, "trained_to", windows.table.labels(np.array([origin if refit else origins[0]]))[0])
        parts.append(part)
    if not parts:
        raise ValueError(f"backtest: no origin is followed by steps={steps} rows within every={every}.")
    return pd.concat(parts, ignore_index=True)


def errors(results: pd.DataFrame, by: str | None = None, metric: Metric = "rmse") -> Any:
    """Return each predictor's error over all results, or by another column of them.

    Parameters
    ----------
    results : DataFrame
        Of :func:`compare` or :func:`backtest`.
    by : {"step", "target", "trained_to", "origin"}, optional
        ``by="step"`` gives the error by horizon.
    metric : {"rmse", "mse", "mae"}

    Returns
    -------
    pandas.Series or pandas.DataFrame
        By predictor, in the order of the results; with `by` one row a group and one column a predictor.

    Examples
    --------
    >>> from rnn_core.series import Persistence
    >>> results = compare({"last value": Persistence()}, Windows([1.0, 2.0, 4.0, 8.0], step=1), steps=2)
    >>> errors(results, by="step").round(2)
    predictor  last value
    step
    1                1.58
    2                4.74
    """
    checks.one_of("errors", "metric", metric, ("rmse", "mse", "mae"))
    _check_columns("errors", results, "predictor", "true", "predicted", *([] if by is None else [by]))
    error = results["true"] - results["predicted"]
    each = error.abs() if metric == "mae" else error**2
    keys = [results["predictor"]] if by is None else [results[by], results["predictor"]]
    mean = each.groupby(keys, sort=False).mean()
    if metric == "rmse":
        mean = mean**0.5
    names = results["predictor"].unique()
    return mean.rename(metric) if by is None else mean.unstack("predictor")[names].sort_index()  # noqa: PD010


def skill(results: pd.DataFrame, by: str | None = None, of: str | None = None) -> pd.DataFrame:
    """Return how much of the best other predictor's squared error is gone: ``1 - mse / mse of the best other``.

    1 is perfect, 0 no better than the best baseline, below 0 worse.

    Parameters
    ----------
    results : DataFrame
        Of :func:`compare` or :func:`backtest`.
    by : str, optional
        A row for each group, as in :func:`errors`; the best baseline is found for each.
    of : str, optional
        The predictor in question; by default the first.

    Returns
    -------
    pandas.DataFrame
        Columns "mse", "best baseline", "its mse", "skill".

    Examples
    --------
    >>> from rnn_core.series import LinearAutoregression, Persistence, TrainMean
    >>> train, test = Windows([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], step=1).split(4)
    >>> predictors = {"line": LinearAutoregression(), "last value": Persistence(), "mean": TrainMean()}
    >>> results = compare({name: p.fit(train) for name, p in predictors.items()}, test)
    >>> skill(results).round(3)
          mse best baseline  its mse  skill
    line  0.0    last value    160.0    1.0
    """
    import pandas as pd

    table = errors(results, by, "mse")
    if by is None:
        table = table.to_frame().T
    of = table.columns[0] if of is None else of
    if of not in table.columns or len(table.columns) < 2:
        raise ValueError(f"skill: {of!r} and at least one other are needed, results are of {list(table.columns)}.")
    others = table.drop(columns=of)
    best = others.min(axis=1)
    found = pd.DataFrame(
        {"mse": table[of], "best baseline": others.idxmin(axis=1), "its mse": best, "skill": 1 - table[of] / best}
    )
    return found.set_axis([of]) if by is None else found


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
        Each takes :class:`Windows` and returns predictions, shape (n, outputs).
    parts : mapping of name to Windows
        ``{"train": ..., "test": ...}``.

    Returns
    -------
    pandas.DataFrame
        One row a predictor, one column a part.

    Examples
    --------
    >>> parts = {"train": Windows([1.0, 2.0, 4.0], step=1), "test": Windows([4.0, 7.0], step=1)}
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


def _check_columns(owner: str, results: pd.DataFrame, *columns: str) -> None:
    missing = [column for column in columns if column not in results]
    if missing:
        raise ValueError(f"{owner}: results have no column {missing[0]!r}, only {list(results.columns)}.")
