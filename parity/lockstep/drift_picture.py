"""The picture of a lockstep: how far the weights are apart after each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parity.lockstep.result import FIRST_STEPS, FIRST_WEIGHTS, WEIGHTS, WEIGHTS_TO_FLIP, Lockstep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

BLACK = "#000000"
COLORS = {"float64": "#0072B2", "float32": "#D55E00"}  # Okabe-Ito: told apart by colour-blind readers too
LINES = {"float64": "-", "float32": "--"}
SMALLEST, LARGEST = 1e-17, 1e2


def drift(runs: Sequence[Lockstep]) -> Figure:
    """Draw the largest difference of any weight over the steps, both axes on a log scale.

    One panel for each title; in it a line for each run, the limits of its dtype in black and, as a circle, the step
    at which a ReLU first flips. Steps after which all weights are the same bit for bit lie on the lower edge.

    Parameters
    ----------
    runs : sequence of Lockstep
        Give runs that belong into one panel the same title: those of both dtypes, say.

    Raises
    ------
    ValueError
        Without runs.

    Returns
    -------
    matplotlib.figure.Figure
        Write it with ``figure.savefig(path)``.
    """
    from matplotlib.figure import Figure

    if not runs:
        raise ValueError("drift: there is no run to draw.")
    titles = list(dict.fromkeys(run.title for run in runs))
    figure = Figure(figsize=(9, 0.6 + 3.6 * len(titles)), layout="constrained")
    panels: list[Axes] = list(figure.subplots(len(titles), squeeze=False, sharex=True)[:, 0])
    figure.suptitle("Largest difference of any weight, here and in Keras", x=0.01, ha="left", fontsize=14)
    for axes, title in zip(panels, titles, strict=True):
        shown = [run for run in runs if run.title == title]
        axes.set_title(title, loc="left", fontsize=11)
        _limits(axes, shown)
        for run in shown:
            _line(axes, run)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(SMALLEST, LARGEST)
        axes.set_xlim(1, 1.8 * max(len(run.weight_difference) for run in runs))  # space for the names
        axes.set_ylabel("|ours - Keras'|")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    panels[-1].set_xlabel("training step (log scale)")
    return figure


def _line(axes: Axes, run: Lockstep) -> None:
    color, steps = COLORS[run.dtype], np.arange(1, len(run.weight_difference) + 1)
    values = np.clip(run.weight_difference, SMALLEST, LARGEST)
    axes.plot(steps, values, color=color, linestyle=LINES[run.dtype], linewidth=1.4)
    axes.annotate(
        run.dtype, (steps[-1], values[-1]), (4, 0), textcoords="offset points", color=color, va="center", weight="bold"
    )
    if run.flip is None:
        return
    flip = run.flip
    place = (flip.step, values[flip.step - 1])
    axes.plot(*place, marker="o", markersize=9, markerfacecolor="white", markeredgecolor=BLACK, markeredgewidth=1.8)
    where = "" if flip.time_step is None else f"time step {flip.time_step}, "
    late = flip.step > len(values) ** 0.5  # in the right half: the text goes to the left
    axes.annotate(
        f"step {flip.step:,}: a ReLU flips\n{flip.layer}, {where}unit {flip.unit}",
        place,
        (-14 if late else 14, 22),
        textcoords="offset points",
        ha="right" if late else "left",
        arrowprops={"arrowstyle": "-", "color": BLACK, "shrinkB": 6},
    )


def _limits(axes: Axes, runs: Sequence[Lockstep]) -> None:
    """Draw what the weights must stay under, as far as it holds: a dotted line, in words what it is."""
    lines = []
    for run in runs:
        steps, until = len(run.weight_difference), max(run.steps_before_flip, 1)
        if run.dtype == "float64":
            lines.append((WEIGHTS, steps, "limit, float64"))
        else:
            lines.append((FIRST_WEIGHTS, min(FIRST_STEPS, until), f"limit, float32, {FIRST_STEPS} steps"))
            lines.append((WEIGHTS_TO_FLIP, until, "limit, float32, up to a flip"))
    for level, stop, text in dict.fromkeys(lines):
        axes.plot([1, stop], [level, level], color=BLACK, linestyle=":", linewidth=1.4)
        axes.annotate(text, (1, level), (4, 3), textcoords="offset points", fontsize=9)
