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

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.callbacks import EarlyStopping
from rnn_core.layers import Dense, Input, JordanRNN, Layer, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.optimizers import Adam
from rnn_core.random import seeded
from rnn_core.regularizers import L2
from rnn_core.series.baselines import Baseline, LinearAutoregression, MovingAverage, Persistence, Seasonal, TrainMean
from rnn_core.series.judging import backtest, compare
from rnn_core.series.scaling import Scaler
from rnn_core.series.table import Name
from rnn_core.series.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

UNITS, LEARNING_RATE = 16, 0.003
EPOCHS, PATIENCE = 600, 30
VALIDATION = 0.15
"""The part of the training rows, the last, whose error says when to stop."""
LEAST_WEIGHT = 0.25
"""What a count of 0 weighs in training on square roots, as a part of what the mean count adds."""
BACKTEST_FROM, FOLDS, BACKTEST_NETWORKS = 0.55, 4, 3
"""The rolling origin: from where on in the training rows, in how many folds, and the mean of how many networks."""
COMMITTEE = -1
"""The `network` that is the mean of all; the only one of a predictor that draws no random numbers."""


@dataclass(frozen=True)
class Network:
    """How a network reads the table and what it is made of.

    Attributes
    ----------
    title : str
    windows : function of (step, lags)
        The arguments of :class:`Windows`.
    layers : function of (units, outputs, l2)
    penalty : float
        L2 on every kernel, divided by the number of windows: so that the penalty weighs against the sum of squared
        errors, not their mean, and more data outvote it.
    """

    title: str
    windows: Callable[[int, int], dict[str, Any]]
    layers: Callable[[int, int, L2], list[Layer]]
    penalty: float

    def build(self, windows: Windows) -> Sequential:
        """Return a new network for such windows, compiled."""
        l2 = L2(self.penalty / len(windows))
        model = Sequential([Input(windows.input_shape), *self.layers(UNITS, windows.outputs, l2)])
        model.compile(optimizer=Adam(LEARNING_RATE), loss="mse")
        return model

    def fit(self, windows: Windows, seed: int, counts: bool = False) -> Sequential:
        """Train: find the number of epochs on the last rows, then train anew on all for so many.

        With `counts` the windows hold square roots, and errors weigh as those of the counts: see :func:`as_counts`.
        """
        first, stop = windows.target_rows[0, 0], windows.end
        cut = stop - max(1, round(VALIDATION * (stop - first)))
        early, late = windows.between(first, cut), windows.between(cut, stop)
        options: dict[str, Any] = {"batch_size": batch_size(len(windows)), "verbose": 0}
        stopping = EarlyStopping(patience=PATIENCE)
        weights = as_counts if counts else lambda part: None
        judged_by = (late.inputs, late.targets, weights(late))
        with seeded(seed):
            self.build(early).fit(
                early, sample_weight=weights(early), validation_data=judged_by, epochs=EPOCHS, callbacks=[stopping],
                **options,
            )  # fmt: skip
        with seeded(seed):
            model = self.build(windows)
            model.fit(windows, sample_weight=weights(windows), epochs=stopping.best_epoch + 1, **options)
        return model


def as_counts(windows: Windows) -> Array:
    """Return weights with which the squared errors of square roots are about those of the counts y, shape (n,).

    ::

        y = r²,   dy = 2 r dr,   so   dy² ~ y dr²          weight = y + LEAST_WEIGHT * mean of y, over its mean

    Examples
    --------
    >>> as_counts(Windows(np.sqrt([3.0, 4.0, 0.0, 8.0]), step=1)).round(6)
    array([1. , 0.2, 1.8])
    """
    counts = windows.table.values[windows.target_rows[:, 0], windows.target_columns[0]] ** 2
    weights = counts + LEAST_WEIGHT * counts.mean()
    return np.asarray(weights / weights.mean() if weights.any() else np.ones(len(weights)))


def batch_size(windows: int) -> int:
    """Return 16 for up to 2,000 windows, then more, so that an epoch has at most about 128 steps; at most 256."""
    return min(256, max(16, windows // 128))


def _mlp(units: int, outputs: int, l2: L2) -> list[Layer]:
    return [Dense(units, "relu", kernel_regularizer=l2), Dense(outputs, kernel_regularizer=l2)]


def _elman(units: int, outputs: int, l2: L2) -> list[Layer]:
    recurrent = SimpleRNN(units, "relu", kernel_regularizer=l2, recurrent_regularizer=l2)
    return [recurrent, Dense(outputs, kernel_regularizer=l2)]


def _jordan(units: int, outputs: int, l2: L2) -> list[Layer]:
    return [
        JordanRNN(
            units,
            outputs,
            "tanh",
            decay=0.7,
            kernel_regularizer=l2,
            recurrent_regularizer=l2,
            output_regularizer=l2,
        )
    ]


NETWORKS = {
    "mlp": Network("all rows of the window at once", lambda step, lags: {"step": step, "layout": "flat"}, _mlp, 6.0),
    "elman": Network("row after row, the hidden state fed back", lambda step, lags: {"step": step}, _elman, 2.0),
    "jordan": Network("row after row, the output fed back", lambda step, lags: {"step": step}, _jordan, 2.0),
    "narx": Network(
        "two rows, each with all lags of the target, the hidden state fed back",
        lambda step, lags: {"step": 2, "lags": lags - 1}, _elman, 6.0,
    ),
}  # fmt: skip
"""By the name on the command line.

ReLU: of what is larger than all that was trained on, a piecewise linear network still makes more, where tanh saturates.
Jordan's has tanh all the same: what it feeds back would grow without bounds.
"""


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


@dataclass
class Outcome:
    """What came out.

    Attributes
    ----------
    results : DataFrame
        Of :func:`compare`, with columns "span" (the test), "loop" ("one step", or "closed" for `horizon` rows on
        own outputs) and "network" (the seed, or :data:`COMMITTEE`).
    backtest : DataFrame
        Of :func:`backtest`, within the training rows, with a column "loop".
    divisor : float
        What squared errors are divided by.
    """

    results: pd.DataFrame
    backtest: pd.DataFrame
    divisor: float
    names: list[str]

    def scores(self, span: str, loop: str) -> pd.DataFrame:
        """Return each predictor's squared error / divisor on a test.

        Columns "mean" and "sd" over single networks (NaN where there are none), and "committee".
        """
        import pandas as pd

        part = self.results[(self.results["span"] == span) & (self.results["loop"] == loop)]
        error = (part["true"] - part["predicted"]) ** 2 / self.divisor
        each = error.groupby([part["predictor"], part["network"]]).mean().unstack("network")  # noqa: PD010
        single = each.drop(columns=COMMITTEE)
        scores = {"mean": single.mean(axis=1), "sd": single.std(axis=1, ddof=1), "committee": each[COMMITTEE]}
        return pd.DataFrame(scores).reindex(self.names)

    def backtest_scores(self, loop: str = "one step") -> pd.Series[float]:
        """Return each predictor's squared error / divisor over the rolling origin."""
        part = self.backtest[self.backtest["loop"] == loop]
        error = (part["true"] - part["predicted"]) ** 2 / self.divisor
        return error.groupby(part["predictor"]).mean().reindex(self.names)

    def best_network(self, candidates: Sequence[str]) -> str:
        """Return the candidate with the smallest one-step error over the rolling origin: no test row has a say."""
        return str(self.backtest_scores()[list(candidates)].idxmin())


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
