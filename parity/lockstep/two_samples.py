"""Whether two samples differ, by permutation: in their mean, and in their spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SHUFFLES, AT_ONCE = 20_000, 1_000


class TwoSampleTest(NamedTuple):
    """A permutation test of two samples.

    Attributes
    ----------
    statistic : float
        Observed.
    p : float
        How often chance alone gives as much or more.
    detectable : float
        What the statistic must exceed for p to fall under the level: smaller differences go unseen.
    """

    statistic: float
    p: float
    detectable: float


def two_sample_tests(
    a: Array, b: Array, level: float, shuffles: int = SHUFFLES, seed: int = 0
) -> dict[str, TwoSampleTest]:
    """Return the permutation tests of the means and of the spreads of two samples.

    Parameters
    ----------
    a, b : ndarray, shape (n,) and (m,)
    level : float
        For ``TwoSampleTest.detectable``.
    shuffles : int
    seed : int
        Of the shuffles.

    Examples
    --------
    >>> tests = two_sample_tests(np.arange(10.0), np.arange(10.0) + 20, level=0.01)
    >>> tests["mean"].statistic, tests["mean"].p < 0.001, tests["spread"].p
    (20.0, True, 1.0)
    """

    def tested(statistic: Callable[[Array, Array], Array], a: Array, b: Array) -> TwoSampleTest:
        values, split, random = np.concatenate([a, b]), len(a), np.random.default_rng(seed)
        observed = float(statistic(a, b))
        by_chance = np.empty(shuffles)
        for start in range(0, shuffles, AT_ONCE):
            part = by_chance[start : start + AT_ONCE]
            shuffled = random.permuted(np.tile(values, (len(part), 1)), axis=1)  # (at most AT_ONCE, n + m)
            part[:] = statistic(shuffled[:, :split], shuffled[:, split:])
        # A shuffle that gives the observed groups again may round to a little less.
        p = (1 + int(np.sum(by_chance >= observed * (1 - 1e-9)))) / (1 + shuffles)
        return TwoSampleTest(observed, p, float(np.quantile(by_chance, 1 - level)))

    return {
        "mean": tested(_difference_of_means, a, b),
        # Around their own medians: shuffling values that are shifted apart would widen both groups alike.
        "spread": tested(_ratio_of_spreads, a - np.median(a), b - np.median(b)),
    }


def _difference_of_means(a: Array, b: Array) -> Array:
    return np.asarray(np.abs(a.mean(-1) - b.mean(-1)))


def _ratio_of_spreads(a: Array, b: Array) -> Array:
    """|log(s(a) / s(b))|, s the median distance from the median: one network whose units died is no spread."""
    tiny = np.finfo(float).tiny  # keeps equal samples without spread apart from a division by 0
    return np.asarray(np.abs(np.log((_spread(a) + tiny) / (_spread(b) + tiny))))


def _spread(x: Array) -> Array:
    return np.asarray(np.median(np.abs(x - np.median(x, axis=-1, keepdims=True)), axis=-1))
