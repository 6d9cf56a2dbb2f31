"""A contest of forecasters on one table: trained on its first rows, judged on later ones that none of them has seen.

::

    rows   0 ............ r1 ......... train_end    test        test
           trained on     [ rolling    ]            [ 1 ]       [ 2 ]
                            origin

Every network is trained twice, from the same seed: first without the last part of its training rows, which says
after how many epochs to stop (early stopping); then on all of them for so many epochs.

The rolling origin within the training rows (:func:`rnn_core.series.backtest`) scores all before any test row is
looked at: what is chosen is chosen by it, and its errors give the intervals of the test forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from rnn_core.contest.entrants import Committee, Entrant
from rnn_core.contest.outcome import COMMITTEE, Outcome
from rnn_core.series.judging import backtest, compare
from rnn_core.series.scaling import Scaler
from rnn_core.series.table import Name
from rnn_core.series.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

BACKTEST_FROM, FOLDS, BACKTEST_NETWORKS = 0.55, 4, 3
"""The rolling origin: from where on in the training rows, in how many folds, and the mean of how many networks."""


def hold(
    table: pd.DataFrame,
    target: Name,
    train_end: int,
    tests: Mapping[str, tuple[int, int]],
    competing: Sequence[Entrant],
    seeds: Sequence[int],
    horizon: int,
    divisor: float,
    report: Callable[[str, int, int], None] = lambda name, done, of: None,
) -> Outcome:
    """Hold the contest.

    Parameters
    ----------
    table : DataFrame
        The target and the inputs: all its columns are read, as they were up to the row before the one predicted.
    target : name
    train_end : int
        The first row not trained on.
    tests : mapping of str to (first row, row after the last)
    competing : sequence of Entrant
    seeds : sequence of int
        A network is trained for each.
    horizon : int
        Rows to predict in closed loop, from every row of a test on.
    divisor : float
    report : function of (name, trainings done, of how many)

    Raises
    ------
    ValueError
        If there are too few rows.
    """
    import pandas as pd

    parts, backtests = [], []
    for entrant in competing:
        windows = entrant.read(table, target)
        done, of = 0, (FOLDS * min(BACKTEST_NETWORKS, len(seeds)) + len(seeds)) if entrant.draws else FOLDS + 1

        def fit(train: Windows, seed: int, entrant: Entrant = entrant, of: int = of) -> Any:
            nonlocal done
            fitted = entrant.fit(train, seed)
            done += 1
            report(entrant.name, done, of)
            return fitted

        counted = replace(entrant, fit=fit)

        known: dict[int, Any] = {}  # the folds are the same in both loops

        def committee(train: Windows, counted: Entrant = counted, known: dict[int, Any] = known) -> Any:
            if train.end not in known:
                known[train.end] = counted.committee(train, seeds[:BACKTEST_NETWORKS])
            return known[train.end]

        past = windows.between(0, train_end)
        every = -(-(train_end - past.row_of(BACKTEST_FROM)) // FOLDS)
        loops = {"one step": 1, "closed": horizon}
        for loop, steps in loops.items():
            rolled = backtest(
                {entrant.name: committee}, past, BACKTEST_FROM, every, min(steps, every), scaler="standard"
            )
            backtests.append(_in_units(rolled, entrant).assign(loop=loop))
        scaler = Scaler().fit(past)
        train = past.scaled(scaler)
        fitted = {seed: fit(train, seed) for seed in (seeds if entrant.draws else [COMMITTEE])}
        if entrant.draws:
            fitted[COMMITTEE] = Committee(list(fitted.values()))
        for span, (start, stop) in tests.items():
            test = windows.between(start, stop).scaled(scaler)
            for loop, steps in loops.items():
                for seed, predictor in fitted.items():
                    part = compare({entrant.name: predictor}, test, steps)
                    parts.append(_in_units(part, entrant).assign(span=span, loop=loop, network=seed))
    results = pd.concat(parts, ignore_index=True)
    return Outcome(results, pd.concat(backtests, ignore_index=True), divisor, [entrant.name for entrant in competing])


def _in_units(results: pd.DataFrame, entrant: Entrant) -> pd.DataFrame:
    return results.assign(**{column: entrant.in_units(results[column]) for column in ("true", "predicted")})
