"""The results of a contest as numbers by name, and as the tables and sentences that are printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.contest.holding import BACKTEST_NETWORKS, FOLDS
from rnn_core.contest.outcome import Outcome
from rnn_core.contest.task import Task, day
from rnn_core.series.residuals import autocorrelation, measured_coverage, with_intervals

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

COVERAGE = 0.9


def with_committee_intervals(committees: pd.DataFrame, outcome: Outcome, roots: bool) -> tuple[pd.DataFrame, str]:
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


def as_numbers(task: Task, outcome: Outcome, best: str, judged: pd.DataFrame) -> dict[str, Any]:
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
        "train": [day(task.table.index[0]), day(task.table.index[task.train_end - 1])],
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


def show(
    console: Console, task: Task, outcome: Outcome, best: str, report: Mapping[str, Any], why_no_intervals: str
) -> None:
    """Print the tables and what they say, in sentences."""
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
    folded = _some(min(BACKTEST_NETWORKS, task.seeds), "network")
    console.print(
        f"'one network': mean ± standard deviation over {_some(task.seeds, 'seed')}. 'mean of all': the mean forecast "
        f"of {_some(task.seeds, 'network')}, one predictor; for those without random numbers, themselves. "
        f"'rolling origin': {FOLDS} folds within the training rows, the mean of {folded}. "
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
