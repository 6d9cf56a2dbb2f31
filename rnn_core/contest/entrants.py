"""Who competes: networks and what they must beat, all read the table and are trained in the same way."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.contest.networks import NETWORKS
from rnn_core.series.baselines import Baseline, LinearAutoregression, MovingAverage, Persistence, Seasonal, TrainMean
from rnn_core.series.table import Name
from rnn_core.series.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


class Committee:
    """The mean of what several networks predict; in closed loop it is the mean that is fed back."""

    def __init__(self, members: Sequence[Any]) -> None:
        self.members = members

    def predict(self, x: Any) -> Array:
        """Return the mean of the members' outputs."""
        outputs = [np.asarray(member.predict(x, verbose=0), np.float64) for member in self.members]
        return np.asarray(np.mean(outputs, axis=0))


@dataclass(frozen=True)
class Entrant:
    """A predictor in the contest: how it reads the table, how it is trained with a seed, whether that draws numbers.

    With `roots` it reads and predicts square roots, which suit counts: from high counts to low the roots spread
    evenly. What is judged, and weighs in training, is still the error of the counts.
    """

    name: str
    windows: dict[str, Any]
    fit: Callable[[Windows, int], Any]
    draws: bool = False
    roots: bool = False

    def read(self, table: pd.DataFrame, target: Name) -> Windows:
        """Return the windows over a table that this predictor reads."""
        return Windows(np.sqrt(table) if self.roots else table, targets=target, **self.windows)

    def in_units(self, values: Any) -> Any:
        """Undo the roots: of what is below 0, there being none, as of 0."""
        return np.square(np.maximum(values, 0)) if self.roots else values

    def committee(self, windows: Windows, seeds: Sequence[int]) -> Any:
        """Return the mean of a network for each seed; what draws nothing is trained once."""
        if not self.draws:
            return self.fit(windows, 0)
        return Committee([self.fit(windows, seed) for seed in seeds])


def entrants(
    names: Sequence[str], step: int, lags: int | None = None, period: int | None = None, roots: bool = False
) -> list[Entrant]:
    """Return the networks of these names, the linear autoregression and the baselines.

    Parameters
    ----------
    names : sequence of str
        Of :data:`NETWORKS`.
    step : int
        Rows that each predictor looks back.
    lags : int, optional
        Values of the target in each row that the NARX network reads, by default `step`.
    period : int, optional
        For the seasonal baseline.
    roots : bool
        Whether the networks read square roots.

    Examples
    --------
    >>> [entrant.name for entrant in entrants(["elman"], step=12, period=11)]  # doctest: +NORMALIZE_WHITESPACE
    ['AR(12)', 'elman', 'persistence (last value)', 'mean of the window', 'mean of the train targets',
     'seasonal (11 rows ago)']
    """
    found = [Entrant(f"AR({step})", {"step": step}, _without_seed(LinearAutoregression()))]
    for name in names:
        network = NETWORKS[name]
        fit = functools.partial(network.fit, counts=roots)
        found.append(Entrant(name, network.windows(step, lags or step), fit, draws=True, roots=roots))
    baselines: list[Baseline] = [Persistence(), MovingAverage(), TrainMean()]
    if period is not None:
        baselines.append(Seasonal(period))
    for baseline in baselines:
        found.append(Entrant(baseline.name, {"step": step}, _without_seed(baseline)))
    return found


def _without_seed(predictor: Baseline | LinearAutoregression) -> Callable[[Windows, int], Any]:
    def fit(windows: Windows, seed: int) -> Any:
        return copy.copy(predictor).fit(windows)

    return fit
