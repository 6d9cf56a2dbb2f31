"""What ``rnn-core forecast`` prints and draws: a contest of networks and baselines on a table of one's own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.series import contest, pictures, sunspots
from rnn_core.series import contest_sunspots as literature
from rnn_core.series.contest import COMMITTEE, Outcome
from rnn_core.series.contest_data import read_table, row_at, span_rows
from rnn_core.series.datasets import SUNSPOTS_VARIANCE
from rnn_core.series.residuals import autocorrelation, measured_coverage, with_intervals

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console

SUNSPOTS = "sunspots"
"""In place of a file: the data that come with the package."""
COVERAGE = 0.9
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
    known = list(contest.NETWORKS)
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
        tests[_label(table, first, stop)] = (first, stop)
    begin = min(first for first, _ in tests.values())
    try:
        train_end = begin if train_until is None else row_at(table, train_until, side="right")
    except ValueError as error:
        raise ValueError(f"--train-until: {error}") from None
    if train_end > begin:
        raise ValueError(f"--test: {next(iter(tests))} begins within the rows to train on, up to {train_until}.")
    lags = lags or step
    fold = -(-(train_end - round(contest.BACKTEST_FROM * train_end)) // contest.FOLDS)
    most = min(fold, *(stop - first for first, stop in tests.values()))
    _check_length(table, train_end, max(step, lags + 1), most, horizon)
    if period is not None and period > (before := round(contest.BACKTEST_FROM * train_end)):
        raise ValueError(f"--period: the first fold of the rolling origin has {before} rows before it, not {period}.")
    return Task(
        table, target, train_end, tests, step, lags, min(literature.HORIZON, most) if horizon is None else horizon,
        period, sqrt, list(models or known), seeds or (10 if shipped else 3),
        SUNSPOTS_VARIANCE if shipped else float(np.var(table[target].iloc[:train_end])),
    )  # fmt: skip


def _check_length(table: pd.DataFrame, train_end: int, reach: int, most: int, horizon: int | None) -> None:
    first_fold = round(contest.BACKTEST_FROM * train_end)
    if first_fold - reach < FEWEST_WINDOWS:
        fewest = int(np.ceil((reach + FEWEST_WINDOWS) / contest.BACKTEST_FROM)) + 1
        raise ValueError(
            f"too short: {train_end} of {len(table)} rows to train on, and a look back over {reach} rows needs at "
            f"least {fewest}. Give more rows, or a smaller --step."
        )
    if horizon is not None and horizon > most:
        raise ValueError(
            f"--horizon: {horizon} rows are more than the tests, or the folds of the rolling origin, have: "
            f"at most {most}."
        )


def run(task: Task, output: Path, as_json: bool = False) -> dict[str, Any]:
    """Hold the contest: print progress and scores, write pictures and the forecast of the coming rows.

    Returns what ``--json`` prints.
    """
    from rich.console import Console

    console = Console(highlight=False, stderr=as_json)
    console.width = min(console.width, 120) if console.is_terminal else 100
    table, networks = task.table, task.networks
    start = time.perf_counter()
    rows = f"{len(table):,} rows, {_day(table.index[0])} to {_day(table.index[-1])}"
    console.print(
        f"{', '.join(map(str, table.columns))}: {rows}. Trained up to {_day(table.index[task.train_end - 1])}, "
        f"tested on {', '.join(task.tests)}.\n"
    )
    competing = contest.entrants(networks, task.step, task.lags, task.period, task.roots)
    with _Progress(console) as progress:
        outcome = contest.hold(
            table, task.target, task.train_end, task.tests, competing, range(task.seeds), task.horizon, task.divisor,
            progress.report,
        )  # fmt: skip
    best = outcome.best_network(networks)
    committees = outcome.results[outcome.results["network"] == COMMITTEE]
    judged, why_no_intervals = _with_intervals(committees, outcome, task.roots)
    report = _report(task, outcome, best, judged)
    report["seconds"] = round(time.perf_counter() - start, 1)
    _print(console, task, outcome, best, report, why_no_intervals)
    coming = _coming(console, task, competing, best)
    if coming is not None:
        report["coming"] = {_day(label): value for label, value in coming.items()}
    output.mkdir(parents=True, exist_ok=True)
    console.print("\nWritten:")
    for name, figure in _figures(task, outcome, judged, best).items():
        figure.savefig(output / name, dpi=150)
        console.print(f"  {output / name}", markup=False, soft_wrap=True)
    if coming is not None:
        coming.to_csv(output / "forecast.csv")
        console.print(f"  {output / 'forecast.csv'}", markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps(report, indent=2))
    return report


class _Progress:
    """A bar for each predictor in a terminal, a line for each network kind elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.bar = Progress(
            TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} trainings"),
            TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self.tasks: dict[str, Any] = {}
        self.start = time.perf_counter()

    def __enter__(self) -> _Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def report(self, name: str, done: int, of: int) -> None:
        """Move a predictor's bar."""
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=of)
            self.start = time.perf_counter()
        self.bar.update(self.tasks[name], completed=done)
        if done == of and name in contest.NETWORKS:
            self.bar.console.print(f"  {name}: {of} trainings in {time.perf_counter() - self.start:.1f} s")


def _with_intervals(committees: pd.DataFrame, outcome: Outcome, roots: bool) -> tuple[pd.DataFrame, str]:
    """Return the committees' forecasts with intervals, or without and the reason.

    With `roots` the errors of the square roots make them: wide where counts are high, and never below 0.
    """
    import pandas as pd

    numbers = ["true", "predicted"]
    judged, past = committees.copy(), outcome.backtest.copy()
    if roots:
        judged[numbers], past[numbers] = (np.sqrt(np.maximum(frame[numbers], 0)) for frame in (judged, past))
    try:
        parts = [
            with_intervals(judged[judged["loop"] == loop], past[past["loop"] == loop], COVERAGE)
            for loop in ("one step", "closed")
        ]
    except ValueError as error:
        return committees, str(error)
    judged = pd.concat(parts)
    if roots:
        judged[["lower", "upper"]] = np.square(np.maximum(judged[["lower", "upper"]], 0))
    return judged.assign(**committees[numbers]), ""


def _report(task: Task, outcome: Outcome, best: str, judged: pd.DataFrame) -> dict[str, Any]:
    """Return all numbers by name."""
    spans = {
        span: {
            loop: {str(name): _rounded(row.dropna()) for name, row in outcome.scores(span, loop).iterrows()}
            for loop in ("one step", "closed")
        }
        for span in task.tests
    }
    report: dict[str, Any] = {
        "target": str(task.target),
        "train": [_day(task.table.index[0]), _day(task.table.index[task.train_end - 1])],
        "divisor": task.divisor,
        "seeds": task.seeds,
        "horizon": task.horizon,
        "rolling origin": {loop: _rounded(outcome.backtest_scores(loop)) for loop in ("one step", "closed")},
        "best network": best,
        "tests": spans,
    }
    one = judged[(judged["predictor"] == best) & (judged["loop"] == "one step")]
    if "lower" in judged:
        closed = judged[(judged["predictor"] == best) & (judged["loop"] == "closed")]
        report["coverage"] = {
            span: {
                "promised": COVERAGE,
                **{
                    loop: round(float(measured_coverage(part[part["span"] == span])["coverage"].mean()), 3)
                    for loop, part in (("one step", one), ("closed", closed))
                },
            }
            for span in task.tests
        }
    lags = min(task.step, len(one) - 1)
    if lags >= 1:
        left = autocorrelation((one["true"] - one["predicted"]).to_numpy(), lags)
        report["residuals"] = {"lags": lags, "Ljung-Box p": round(float(left["p"].iloc[-1]), 4)}
    return report


def _print(
    console: Console, task: Task, outcome: Outcome, best: str, report: Mapping[str, Any], why_no_intervals: str
) -> None:
    from rich.table import Table

    linear = outcome.names[0]
    for loop, title in (
        ("one step", "One row ahead"),
        ("closed", f"Closed loop, 1 to {task.horizon} rows ahead on own outputs"),
    ):
        table = Table(title=f"\n{title}: squared error / {task.divisor:,.4g}", title_justify="left")
        table.add_column("", no_wrap=True)
        table.add_column("rolling\norigin", justify="right")
        past = outcome.backtest_scores(loop)
        for span in task.tests:
            table.add_column(f"{span}\none network", justify="right")
            table.add_column("\nmean of all", justify="right")
        scores = [outcome.scores(span, loop) for span in task.tests]
        for name in outcome.names:
            cells = [f"{past[name]:.3f}"]
            for part in scores:
                row = part.loc[name]
                single = "" if np.isnan(row["mean"]) else f"{row['mean']:.3f}"
                if single and not np.isnan(row["sd"]):
                    single += f" ± {row['sd']:.3f}"
                cells += [single, f"{row['committee']:.3f}"]
            ends = name in (linear, task.networks[-1])
            table.add_row(name, *cells, style="bold" if name == best else None, end_section=ends)
        console.print(table)
    folded = _some(min(contest.BACKTEST_NETWORKS, task.seeds), "network")
    console.print(
        f"'one network': mean ± standard deviation over {_some(task.seeds, 'seed')}. 'mean of all': the mean forecast "
        f"of {_some(task.seeds, 'network')}, one predictor; for those without random numbers, themselves. "
        f"'rolling origin': {contest.FOLDS} folds within the training rows, the mean of {folded}. "
        f"It alone picks the best network: [bold]{best}[/].\n"
    )
    past = outcome.backtest_scores()
    if past[linear] < past[best]:
        console.print(f"There {linear} is ahead of every network: these data need none.")
    for span, found in report["tests"].items():
        line, ours = found["one step"][linear]["committee"], found["one step"][best]
        console.print(
            f"{span}: {linear} {line:.3f}, {best} {ours['mean']:.3f} one network, {ours['committee']:.3f} the mean of "
            f"all: {_change(ours['mean'], line)} and {_change(ours['committee'], line)}."
        )
    if len(task.table.columns) > 1:
        console.print("In closed loop the other columns are read as they were measured later: known, not forecast.")
    if why_no_intervals:
        console.print(f"No intervals: {why_no_intervals}")
    for span, found in report.get("coverage", {}).items():
        console.print(
            f"{span}: intervals of {found['promised']:.0%}, from the errors over the rolling origin, held "
            f"{found['one step']:.0%} of what came one row ahead, {found['closed']:.0%} in closed loop."
        )
    if "residuals" in report:
        p = report["residuals"]["Ljung-Box p"]
        verdict = "a pattern is left" if p < 0.05 else "no pattern is left that this would see"
        lags = report["residuals"]["lags"]
        console.print(f"Errors of {best} one row ahead, Ljung and Box over {lags} lags: p = {p:.3f}, {verdict}.")


def _rounded(numbers: pd.Series[float]) -> dict[str, float]:
    return {str(name): round(float(number), 6) for name, number in numbers.items()}


def _some(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _change(ours: float, theirs: float) -> str:
    return f"{abs(1 - ours / theirs):.0%} {'below' if ours < theirs else 'above'}"


def _coming(console: Console, task: Task, competing: Sequence[contest.Entrant], best: str) -> pd.Series[float] | None:
    """Train the best network on all rows and forecast those after them."""
    from rnn_core.series import Scaler, forecast

    if len(task.table.columns) > 1:
        console.print("\nThe rows to come are not forecast: that needs what the other columns will be.")
        return None
    entrant = next(e for e in competing if e.name == best)
    windows = entrant.read(task.table, task.target)
    windows = windows.scaled(Scaler().fit(windows))
    committee = entrant.committee(windows, range(task.seeds))
    coming: pd.Series[float] = entrant.in_units(forecast(committee, windows, task.horizon)[task.target])
    values = ", ".join(f"{_day(label)}: {value:.4g}" for label, value in coming.items())
    console.print(f"\nThe rows to come, by {best} trained on all rows (mean of all networks): {values}")
    coming.index.name = task.table.index.name or "row"
    return coming


def _figures(task: Task, outcome: Outcome, judged: pd.DataFrame, best: str) -> dict[str, Figure]:
    from rnn_core.series import contest_pictures

    linear = outcome.names[0]
    past = outcome.backtest_scores()
    baselines = [name for name in outcome.names if name not in (linear, *task.networks)]
    shown = [best, linear, *(name for name in task.networks if name != best), str(past[baselines].idxmin())]
    one, closed = (judged[judged["loop"] == loop] for loop in ("one step", "closed"))
    figures = {"scores.png": contest_pictures.scores(outcome, [linear, *task.networks, shown[-1]])}
    for span in task.tests:
        slug = re.sub(r"[^\w.-]+", "_", span)
        here = closed[closed["span"] == span]
        figures[f"one_step_{slug}.png"] = pictures.forecast(one[one["span"] == span], best)
        figures[f"closed_loop_{slug}.png"] = contest_pictures.closed_loop(
            here[here["predictor"] == best], here[here["predictor"] == linear].drop(columns="lower", errors="ignore"),
            best, linear, task.horizon,
        )  # fmt: skip
        if task.horizon > 1:
            ordered = here.set_index("predictor").loc[shown].reset_index()
            figures[f"error_by_horizon_{slug}.png"] = pictures.error_by_horizon(ordered)
    own = one[one["predictor"] == best]
    residuals = (own["true"] - own["predicted"]).to_numpy()
    lags = min(20, len(residuals) // 2)
    if lags >= 1:
        figures["residuals.png"] = pictures.residual_autocorrelation(autocorrelation(residuals, lags))
    return figures


def _day(label: Any) -> str:
    return str(label).removesuffix(" 00:00:00")


def _label(table: pd.DataFrame, first: int, stop: int) -> str:
    """Return a test's name: its first and last label."""
    begin, end = _day(table.index[first]), _day(table.index[stop - 1])
    return f"{begin}-{end}" if begin.isdigit() and end.isdigit() else f"{begin} to {end}"
