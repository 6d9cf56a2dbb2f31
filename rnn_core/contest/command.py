"""What ``rnn-core forecast`` prints and draws: a contest of networks and baselines on a table of one's own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_core.contest.entrants import Entrant, entrants
from rnn_core.contest.holding import hold
from rnn_core.contest.outcome import COMMITTEE, Outcome
from rnn_core.contest.progress import ContestProgress
from rnn_core.contest.results import as_numbers, show, with_committee_intervals
from rnn_core.contest.task import Task, day
from rnn_core.series import pictures
from rnn_core.series.residuals import autocorrelation

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console


def run(task: Task, output: Path, as_json: bool = False) -> dict[str, Any]:
    """Hold the contest: print progress and scores, write pictures and the forecast of the coming rows.

    Returns what ``--json`` prints.
    """
    from rich.console import Console

    console = Console(highlight=False, stderr=as_json)
    console.width = min(console.width, 120) if console.is_terminal else 100
    table, networks = task.table, task.networks
    start = time.perf_counter()
    rows = f"{len(table):,} rows, {day(table.index[0])} to {day(table.index[-1])}"
    console.print(
        f"{', '.join(map(str, table.columns))}: {rows}. Trained up to {day(table.index[task.train_end - 1])}, "
        f"tested on {', '.join(task.tests)}.\n"
    )
    competing = entrants(networks, task.step, task.lags, task.period, task.roots)
    with ContestProgress(console) as progress:
        outcome = hold(
            table, task.target, task.train_end, task.tests, competing, range(task.seeds), task.horizon, task.divisor,
            progress.report,
        )  # fmt: skip
    best = outcome.best_network(networks)
    committees = outcome.results[outcome.results["network"] == COMMITTEE]
    judged, why_no_intervals = with_committee_intervals(committees, outcome, task.roots)
    report = as_numbers(task, outcome, best, judged)
    report["seconds"] = round(time.perf_counter() - start, 1)
    show(console, task, outcome, best, report, why_no_intervals)
    coming = _coming(console, task, competing, best)
    if coming is not None:
        report["coming"] = {day(label): value for label, value in coming.items()}
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


def _coming(console: Console, task: Task, competing: Sequence[Entrant], best: str) -> pd.Series[float] | None:
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
    values = ", ".join(f"{day(label)}: {value:.4g}" for label, value in coming.items())
    console.print(f"\nThe rows to come, by {best} trained on all rows (mean of all networks): {values}")
    coming.index.name = task.table.index.name or "row"
    return coming


def _figures(task: Task, outcome: Outcome, judged: pd.DataFrame, best: str) -> dict[str, Figure]:
    from rnn_core.contest import pictures as contest_pictures

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
