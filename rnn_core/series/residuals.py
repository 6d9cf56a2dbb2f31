"""What is left over: whether errors still follow a pattern, and how far the truth strays from a prediction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_core import checks
from rnn_core.data import as_floats, as_numeric

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_GROUP = ["predictor", "target", "step"]


def autocorrelation(residuals: ArrayLike, lags: int = 20) -> pd.DataFrame:
    r"""Return how residuals are correlated with those before them: what a better model could still predict.

    ::

        r_k = sum over t of e_t e_(t-k) / sum over t of e_t e_t         e: residuals less their mean

    Of residuals without a pattern, 95 of 100 r_k lie within ±1.96/√n.

    Parameters
    ----------
    residuals : array_like, shape (n,)
        In the order of time, one step ahead.
    lags : int

    Returns
    -------
    pandas.DataFrame
        By lag 1 .. lags: "autocorrelation", "band" (1.96/√n), "outside" (whether beyond the band), and Ljung and
        Box's test of all lags so far together: "Q" ``= n (n+2) sum r_k²/(n-k)`` and "p", the probability of so
        large a Q without a pattern.

    Notes
    -----
    p is that for residuals of a model whose parameters were not fitted on them.

    G. M. Ljung and G. E. P. Box, "On a measure of lack of fit in time series models", Biometrika 65 (1978), 297-303.

    Examples
    --------
    >>> autocorrelation([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0], lags=2).round(3)
         autocorrelation   band  outside      Q      p
    lag
    1             -0.875  0.693     True   8.75  0.003
    2              0.750  0.693     True  16.25  0.000
    """
    import pandas as pd

    e = as_floats("autocorrelation: residuals", as_numeric("autocorrelation: residuals", residuals), "float64")
    if e.ndim != 1:
        raise ValueError(f"autocorrelation: residuals must have shape (n,), got {e.shape}: take one target at a time.")
    n, lags = len(e), checks.positive_int("autocorrelation", "lags", lags)
    if n <= lags:
        raise ValueError(f"autocorrelation: {lags} lags need more than {lags} residuals, got {n}.")
    e = e - e.mean()
    power = float(e @ e)
    if power == 0:
        raise ValueError("autocorrelation: all residuals are the same.")
    k = np.arange(1, lags + 1)
    r = np.array([e[lag:] @ e[:-lag] for lag in k]) / power
    band = 1.96 / math.sqrt(n)
    q = n * (n + 2) * np.cumsum(r**2 / (n - k))
    p = [chi_squared_tail(float(value), int(lag)) for value, lag in zip(q, k, strict=True)]
    table = {"autocorrelation": r, "band": band, "outside": np.abs(r) > band, "Q": q, "p": p}
    return pd.DataFrame(table, pd.Index(k, name="lag"))


def chi_squared_tail(x: float, degrees: int) -> float:
    """Return the probability that a chi-squared variable of this many degrees of freedom exceeds x.

    ``Q(x; m) = Q(x; m-2) + (x/2)^(m/2-1) e^(-x/2) / Gamma(m/2)``, from ``Q(x; 2) = e^(-x/2)`` or
    ``Q(x; 1) = erfc(sqrt(x/2))`` on.

    Examples
    --------
    >>> round(chi_squared_tail(3.841459, 1), 6), round(chi_squared_tail(18.307038, 10), 6)
    (0.05, 0.05)
    """
    if x <= 0:
        return 1.0
    half = x / 2
    tail = math.erfc(math.sqrt(half)) if degrees % 2 else 0.0
    for m in range(1 if degrees % 2 == 0 else 3, degrees + 1):
        if (m - degrees) % 2 == 0:
            tail += math.exp((m / 2 - 1) * math.log(half) - half - math.lgamma(m / 2))
    return min(1.0, tail)


def with_intervals(results: pd.DataFrame, calibration: pd.DataFrame, coverage: float = 0.9) -> pd.DataFrame:
    """Add intervals that hold the truth with a given probability: split conformal prediction.

    ::

        predicted ± q,   q = the ceil((n + 1) coverage)-th smallest |true - predicted| in the calibration

    for each predictor, target and step of its own. No distribution of the errors is assumed; only that those to
    come are like those of the calibration, which neither trained the model nor are among the results.

    Parameters
    ----------
    results, calibration : DataFrame
        Of :func:`compare` or :func:`backtest`, on different rows.
    coverage : float between 0 and 1

    Returns
    -------
    pandas.DataFrame
        The results with columns "lower" and "upper".

    Raises
    ------
    ValueError
        If the calibration is too small for the coverage, lacks a predictor, target or step, or shares rows with
        the results.

    Notes
    -----
    J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free predictive inference for
    regression", Journal of the American Statistical Association 113 (2018), 1094-1111. Series that drift break its
    promise: :func:`measured_coverage` says what came true.

    Examples
    --------
    >>> from rnn_core.series import Persistence, Windows, compare
    >>> walk = np.random.default_rng(0).normal(size=900).cumsum()
    >>> _, calibration, test = Windows(walk, step=1).split(100, 500)
    >>> last = {"last value": Persistence()}
    >>> results = with_intervals(compare(last, test, steps=2), compare(last, calibration, steps=2), coverage=0.9)
    >>> measured_coverage(results).round(2)
                            coverage  width    n
    predictor  target step
    last value 0      1         0.89   3.02  399
                      2         0.91   4.63  399
    """
    coverage = checks.real("with_intervals", "coverage", coverage, 0, 1, above=True)
    if coverage == 1:
        raise ValueError("with_intervals: coverage must be below 1: no finite interval is sure.")
    shared = set(results["at"]) & set(calibration["at"])
    if shared:
        raise ValueError(
            f"with_intervals: calibration and results share rows, such as {next(iter(shared))!r}: intervals fitted on "
            "the rows that they are judged on say nothing."
        )
    distance = (calibration["true"] - calibration["predicted"]).abs()
    radius = distance.groupby([calibration[column] for column in _GROUP]).agg(_conformal_quantile, coverage=coverage)
    added = results.join(radius.rename("radius"), on=_GROUP)
    if added["radius"].isna().any():
        first = added.loc[added["radius"].isna(), _GROUP].iloc[0].to_dict()
        raise ValueError(f"with_intervals: the calibration has no {first}.")
    added["lower"], added["upper"] = added["predicted"] - added["radius"], added["predicted"] + added["radius"]
    return added.drop(columns="radius")


def measured_coverage(results: pd.DataFrame) -> pd.DataFrame:
    """Return how often the truth lay in its interval, and how wide intervals are, by predictor, target and step."""
    if "lower" not in results:
        raise ValueError("measured_coverage: results have no intervals: see with_intervals.")
    inside = results["true"].between(results["lower"], results["upper"])
    found = results.assign(coverage=inside, width=results["upper"] - results["lower"]).groupby(_GROUP, sort=False)
    return found[["coverage", "width"]].mean().assign(n=found.size())


def _conformal_quantile(distances: Any, coverage: float) -> float:
    n = len(distances)
    rank = math.ceil(round((n + 1) * coverage, 9))
    if rank > n:
        fewest = math.ceil(round(coverage / (1 - coverage), 9))
        raise ValueError(f"with_intervals: a coverage of {coverage} needs at least {fewest} residuals, got {n}.")
    return float(np.sort(np.asarray(distances))[rank - 1])
