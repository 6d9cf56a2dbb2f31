"""A contest as pictures: who errs how much and with what spread, and forecasts in closed loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.contest.outcome import COMMITTEE, Outcome
from rnn_core.figures import BLACK, BLUE, GREY, VERMILLION, finish, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def scores(outcome: Outcome, names: list[str]) -> Figure:
    """Draw the error one step ahead on each test: a dot for each network, a diamond for the mean of all."""
    results = outcome.results[outcome.results["loop"] == "one step"]
    spans = list(dict.fromkeys(results["span"]))
    figure, panels = new_figure("One step ahead", rows=len(spans))
    error = (results["true"] - results["predicted"]) ** 2 / outcome.divisor
    each = error.groupby([results[key] for key in ("span", "predictor", "network")]).mean()
    places = np.arange(len(names))
    for axes, span in zip(panels, spans, strict=True):
        for place, name in zip(places, names, strict=True):
            of = each[span][name]
            single = of.drop(COMMITTEE).to_numpy()
            spread = place + 0.25 * np.linspace(-1, 1, len(single)) if len(single) > 1 else np.full(len(single), place)
            axes.plot(spread, single, "o", color=BLUE, markersize=5, label="one network" if len(single) else None)
            color = VERMILLION if len(single) else BLACK
            label = "mean of all networks" if len(single) else "no network"
            axes.plot([place], [of[COMMITTEE]], "D", markersize=7, label=label, color=color)
            beside = place + (0.32 if len(single) > 1 else 0.1)
            axes.text(beside, of[COMMITTEE], f"{of[COMMITTEE]:.3f}", va="center", fontsize=9)
        axes.set_xlim(-0.5, len(names) - 0.2)
        axes.set_ylim(bottom=0)
        axes.set_xticks(places, names)
        finish(axes, "", f"squared error / variance\n{span}", legend=False)
        if axes is panels[0]:
            handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
            axes.legend(handles.values(), handles, loc="lower right", bbox_to_anchor=(1, 0.99), ncols=3, frameon=False)
    return figure


def closed_loop(results: pd.DataFrame, others: pd.DataFrame, name: str, other: str, horizon: int) -> Figure:
    """Draw forecasts in closed loop, one after the other: each starts from the truth and runs on its own outputs.

    Parameters
    ----------
    results, others : DataFrame
        Of one predictor each, in closed loop from every row; `results` perhaps with intervals.
    name, other : str
    horizon : int
    """
    figure, (axes,) = new_figure(f"Closed loop, {horizon} rows at a time", rows=1)
    truth = results.drop_duplicates("at").sort_values("at")
    axes.plot(truth["at"], truth["true"], color=GREY, linewidth=1.2, marker=".", markersize=5, label="truth")
    origins = list(dict.fromkeys(results["origin"]))[::horizon]
    for frame, label, color, line in ((results, name, BLUE, "-"), (others, other, VERMILLION, "--")):
        for i, origin in enumerate(origins):
            run: Any = frame[frame["origin"] == origin].sort_values("step")
            if "lower" in run:
                band = "interval" if i == 0 else None
                axes.fill_between(
                    run["at"], run["lower"], run["upper"], color=BLUE, alpha=0.15, linewidth=0, label=band
                )
            axes.plot(
                run["at"], run["predicted"], label=label if i == 0 else None, color=color, linestyle=line, linewidth=1.8
            )
    axes.margins(x=0.01)
    finish(axes, "", str(results["target"].iloc[0]))
    return figure
