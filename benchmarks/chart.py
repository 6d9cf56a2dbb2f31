"""The run as a chart: a panel for every workload, a bar for every engine, on a logarithmic scale.

Colours are Okabe and Ito's (2008), which the colour-blind can tell apart; floors are also hatched, and every bar is
labelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.document import Document
from benchmarks.engines import OURS
from benchmarks.tables import duration, factor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS_COLOR, PEER_COLOR, FLOOR_COLOR = "#0072B2", "#b8b8b8", "#ffffff"
BAR_INCHES, PANEL_INCHES = 0.23, 0.75  # a bar; title, axis and space of a panel


def chart(document: Document) -> Figure:
    """Return the chart as a figure."""
    from matplotlib.figure import Figure

    names = [name for name in document.data["workloads"] if document.of(name)]
    columns = 2 if len(names) > 1 else 1
    rows = [names[start : start + columns] for start in range(0, len(names), columns)]
    heights = [PANEL_INCHES + BAR_INCHES * max(len(document.of(name)) for name in row) for row in rows]
    figure = Figure(figsize=(6.2 * columns, sum(heights) + 0.75), layout="constrained")
    panels = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for row, axes_row in zip(rows, panels, strict=True):
        for axes in axes_row[len(row) :]:
            axes.set_axis_off()
        for name, axes in zip(row, axes_row, strict=False):
            panel(axes, document, name)
    figure.suptitle(
        "Time, logarithmic; beside each bar the median and how many times ours it is\n" + document.machine(),
        fontsize=10,
        x=0.01,
        ha="left",
    )
    return figure


def panel(axes: Axes, document: Document, name: str) -> None:
    """Draw one workload, fastest on top."""
    results, ratios = document.of(name), document.ratios(name)
    for place, result in enumerate(results):
        spread, ours, floor = result.spread, result.engine == OURS, document.is_floor(result.engine)
        style: dict[str, Any] = {"color": OURS_COLOR if ours else PEER_COLOR}
        if floor:
            style = {"facecolor": FLOOR_COLOR, "edgecolor": "#555555", "hatch": "////"}
        axes.barh(place, spread.median, height=0.72, **style)
        ratio = ratios.get(result.engine)
        label = duration(spread.median) + (f"   {factor(ratio.median)} x" if ratio and not ours else "")
        weight = "bold" if ours else "normal"
        axes.annotate(label, (spread.median, place), (4, 0), textcoords="offset points", va="center", fontsize=8,
                      fontweight=weight)  # fmt: skip
    labels = [document.title(result.engine) for result in results]
    axes.set_yticks(range(len(results)), labels, fontsize=8.5)
    for tick, result in zip(axes.get_yticklabels(), results, strict=True):
        tick.set_fontweight("bold" if result.engine == OURS else "normal")
    axes.invert_yaxis()
    axes.set_xscale("log")
    fastest, slowest = results[0].spread.median, results[-1].spread.median
    axes.set_xlim(fastest / 2.5, slowest * (slowest / fastest * 2.5) ** 0.42)  # room for the labels
    axes.xaxis.set_major_formatter(lambda seconds, _: duration(seconds))
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", linewidth=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    what, _, model = document.data["workloads"][name]["what"].partition("; ")
    axes.set_title(f"{name}: {what}\n", loc="left", fontsize=9.5, fontweight="bold", pad=1)
    axes.text(0, 1.01, model, transform=axes.transAxes, fontsize=8, color="#444444", va="bottom")
