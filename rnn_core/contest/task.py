"""What is to be forecast, read and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.contest import literature
from rnn_core.contest.data import read_table, row_at, span_rows
from rnn_core.contest.holding import BACKTEST_FROM, FOLDS
from rnn_core.contest.networks import NETWORKS
from rnn_core.series import sunspots
from rnn_core.series.datasets import SUNSPOTS_VARIANCE

if TYPE_CHECKING:
    import pandas as pd

SUNSPOTS = "sunspots"
"""In place of a file: the data that come with the package."""
FEWEST_WINDOWS = 10


@dataclass(frozen=True)
class Task:
    """What is to be forecast, checked: nothing has been trained yet."""

    table: pd.DataFrame
    target: str
    train_end: int
    tests: dict[str, tuple[int, int]]
    step: int
    lags: int
    horizon: int
    period: int | None
    roots: bool
    networks: list[str]
    seeds: int
    divisor: float


def prepare(
    file: str,
    target: str | None = None,
    inputs: Sequence[str] = (),
    index: str | None = None,
    step: int | None = None,
    lags: int | None = None,
    horizon: int | None = None,
    period: int | None = None,
    sqrt: bool = False,
    train_until: str | None = None,
    test: Sequence[str] = (),
    models: Sequence[str] | None = None,
    seeds: int | None = None,
) -> Task:
    """Read the table and check every argument.

    Raises
    ------
    ValueError
        With one line that says what cannot be used, and where it stands.
    """
    known = list(NETWORKS)
    for name in models or ():
        if name not in known:
            from rnn_core.serialization import suggestion

            raise ValueError(f"--models: there is no {name!r}.{suggestion(name, known)}")
    shipped = file == SUNSPOTS
    if shipped:
        if inputs or index or target not in (None, literature.TARGET):
            raise ValueError(
                f"{SUNSPOTS} are the shipped data, of one column: --target, --inputs and --index are for files."
            )
        table, target = sunspots().to_frame(), literature.TARGET
        train_until, test = train_until or literature.TRAIN_UNTIL, test or literature.TESTS
        period, sqrt = period or literature.PERIOD, True
    else:
        if target is None:
            raise ValueError("--target is missing: which column is to be forecast?")
        table = read_table(Path(file), target, inputs, index)
    if sqrt and (table < 0).any(axis=None):
        raise ValueError("--sqrt: the columns hold numbers below 0, which have no square roots.")
    step = step or literature.STEP
    tests = {}
    for text in test or ["0.2"]:
        try:
            first, stop = span_rows(table, text)
        except ValueError as error:
            raise ValueError(f"--test: {error}") from None
        tests[label(table, first, stop)] = (first, stop)
    begin = min(first for first, _ in tests.values())
    try:
        train_end = begin if train_until is None else row_at(table, train_until, side="right")
    except ValueError as error:
        raise ValueError(f"--train-until: {error}") from None
    if train_end > begin:
        raise ValueError(f"--test: {next(iter(tests))} begins within the rows to train on, up to {train_until}.")
    lags = lags or step
    fold = -(-(train_end - round(BACKTEST_FROM * train_end)) // FOLDS)
    most = min(fold, *(stop - first for first, stop in tests.values()))
    _check_length(table, train_end, max(step, lags + 1), most, horizon)
    if period is not None and period > (before := round(BACKTEST_FROM * train_end)):
        raise ValueError(f"--period: the first fold of the rolling origin has {before} rows before it, not {period}.")
    return Task(
        table, target, train_end, tests, step, lags, min(literature.HORIZON, most) if horizon is None else horizon,
        period, sqrt, list(models or known), seeds or (10 if shipped else 3),
        SUNSPOTS_VARIANCE if shipped else float(np.var(table[target].iloc[:train_end])),
    )  # fmt: skip


def _check_length(table: pd.DataFrame, train_end: int, reach: int, most: int, horizon: int | None) -> None:
    first_fold = round(BACKTEST_FROM * train_end)
    if first_fold - reach < FEWEST_WINDOWS:
        fewest = int(np.ceil((reach + FEWEST_WINDOWS) / BACKTEST_FROM)) + 1
        raise ValueError(
            f"too short: {train_end} of {len(table)} rows to train on, and a look back over {reach} rows needs at "
            f"least {fewest}. Give more rows, or a smaller --step."
        )
    if horizon is not None and horizon > most:
        raise ValueError(
            f"--horizon: {horizon} rows are more than the tests, or the folds of the rolling origin, have: "
            f"at most {most}."
        )


def day(label: Any) -> str:
    """Return a row's label as text, of midnight the day alone."""
    return str(label).removesuffix(" 00:00:00")


def label(table: pd.DataFrame, first: int, stop: int) -> str:
    """Return a test's name: its first and last label."""
    begin, end = day(table.index[first]), day(table.index[stop - 1])
    return f"{begin}-{end}" if begin.isdigit() and end.isdigit() else f"{begin} to {end}"
