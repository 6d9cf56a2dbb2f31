"""Medians, quartiles, ratios by round, growth, and what counts as slower: all the statistics there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Self

Rounds = Sequence[float | None]  # what was measured round by round; None where the engine did not take part

LEAST_NOISE = 0.15  # unchanged peers were up to 13% apart in two runs, however quiet each was


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of some measurements.

    Examples
    --------
    >>> Spread.of([3.0, 1.0, None, 2.0])
    Spread(median=2.0, low=1.5, high=2.5, count=3)
    """

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, rounds: Rounds) -> Self:
        """Return the spread of the rounds in which something was measured; at least one."""
        values = [value for value in rounds if value is not None]
        if not values:
            raise ValueError("rounds must hold at least one measurement, got none.")
        low, middle, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return cls(middle, low, high, len(values))

    @property
    def relative(self) -> float:
        """(upper quartile - lower quartile) / median."""
        return (self.high - self.low) / self.median


def ratios(rounds: Rounds, base: Rounds) -> list[float]:
    """Return rounds / base, round by round, where both were measured: a drift hits both alike and cancels.

    Examples
    --------
    >>> ratios([2.0, None, 12.0], [1.0, 5.0, 6.0])
    [2.0, 2.0]
    """
    return [a / b for a, b in zip(rounds, base, strict=True) if a is not None and b is not None]


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of log(seconds) over log(sizes) by least squares: p where seconds ~ sizes^p.

    Examples
    --------
    >>> round(slope([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    x, y = [math.log(size) for size in sizes], [math.log(value) for value in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    rise = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return rise / sum((a - mean_x) ** 2 for a in x)


@dataclass(frozen=True)
class Change:
    """A measurement beside an older one.

    Attributes
    ----------
    factor : float
        New median / old median / drift of the machine.
    noise : float
        The larger of 15% and the sum of both relative quartile distances.
    """

    factor: float
    noise: float

    @property
    def verdict(self) -> str:
        """``"slower"`` or ``"faster"`` where the factor is outside the noise, else ``""``."""
        if self.factor > 1 + self.noise:
            return "slower"
        return "faster" if self.factor < 1 / (1 + self.noise) else ""


def change(old: Spread, new: Spread, drift: float = 1.0) -> Change:
    """Return by how much `new` differs from `old`, and how much of that may be noise.

    Examples
    --------
    >>> change(Spread(1.0, 0.95, 1.05, 9), Spread(1.5, 1.4, 1.5, 9)).verdict
    'slower'
    """
    return Change(new.median / old.median / drift, max(LEAST_NOISE, old.relative + new.relative))


def drift(old: Sequence[float], new: Sequence[float]) -> float:
    """Return by what the machine itself became slower: the median of new / old over work that did not change."""
    return median(after / before for before, after in zip(old, new, strict=True)) if old else 1.0
