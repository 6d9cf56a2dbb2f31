"""The model unrolled in time: a column for each step, time to the right, the network upwards.

A recurrent layer's hidden state runs from column to column, h_(t-1) through U into h_t; all steps share the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rnn_core.checks import positive_int
from rnn_core.inspection.graph_picture import FILLS, OTHER_FILL, SIZE, Point, arrow, box, canvas, text_width
from rnn_core.inspection.graph_picture_layout import Node, describe
from rnn_core.models import Model
from rnn_core.pictures import BLACK, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, ROW = 128.0, 104.0
BOX = (74.0, 42.0)
INNER = SIZE - 1.0
MOST_STEPS = 5
"""More steps than these are drawn as the first ones, dots, and the last one."""


@dataclass
class _Row:
    """What stands in one row: at every step (sequence), or at the last one only."""

    node: Node
    sequence: bool
    symbol: str


def unrolled(model: Model, layer: str | None = None, timesteps: int | None = None) -> Figure:
    """Draw a model unrolled in time, with the shapes of what moves and the weights that all steps share.

    Parameters
    ----------
    model : Model
        Built, with a SimpleRNN.
    layer : str, optional
        In a model that is no chain: the SimpleRNN to draw, by itself. Not needed where there is one.
    timesteps : int, optional
        Needed only where the model takes any number of them.

    Raises
    ------
    ValueError
        If there is no such SimpleRNN.

    Examples
    --------
    >>> from rnn_core.tutorial import build_model
    >>> texts = [text.get_text() for text in unrolled(build_model(4, 1)).axes[0].texts]
    >>> texts.count("32 units"), [text for text in texts if "x 32" in text]
    (4, ['K: 1 x 32', 'U: 32 x 32'])
    """
    description = describe(model)
    recurrent = {node.name: node for node in description.nodes if node.recurrent}
    if layer is None and recurrent and (description.is_chain or len(recurrent) == 1):
        layer = next(iter(recurrent))
    if layer not in recurrent:
        raise ValueError(f"unrolled: layer must be the name of a SimpleRNN of the model, one of {list(recurrent)}, "
                         f"got {layer!r}.")  # fmt: skip
    nodes = description.nodes
    if not description.is_chain:
        node = recurrent[layer]
        nodes = [Node("input", "InputLayer", [], node.inputs[0]), node]
    steps = nodes[0].output[1] if timesteps is None else positive_int("unrolled", "timesteps", timesteps)
    if steps is None:
        raise ValueError("unrolled: the model takes any number of time steps, so timesteps must say how many to draw.")
    return _draw(_rows(nodes), steps)


def _rows(nodes: list[Node]) -> list[_Row]:
    stacked = sum(node.recurrent for node in nodes)
    rows: list[_Row] = []
    number = 0
    for node in nodes:
        if node.kind == "InputLayer":
            symbol = "x"
        elif node.recurrent:
            number += 1
            symbol = f"h^{{({number})}}" if stacked > 1 else "h"
        else:
            symbol = ""
        # A recurrent layer that returns its last state only computes it at every step all the same.
        rows.append(_Row(node, node.recurrent or len(node.output) == 3, symbol))
    return rows


def _draw(rows: list[_Row], steps: int) -> Figure:
    times = list(range(steps)) if steps <= MOST_STEPS else [0, 1, 2, -1, steps - 1]  # -1: dots
    x = {t: COLUMN * i for i, t in enumerate(times)}
    recurrent = any(row.node.recurrent for row in rows)
    labels = [f"{row.node.name}\n{_about(row.node)}" for row in rows]
    width = max(text_width(line) for label in labels for line in label.split("\n"))
    left = -(COLUMN if recurrent else BOX[0]) - (BOX[0] / 2 if recurrent else 0) - 16
    extent = [((left - width / 2, ROW * i), (width, BOX[1])) for i in range(len(rows))]
    last = x[steps - 1]
    beside = 2 * max(text_width(_kernel_label(row)) for row in rows) + 20 if not rows[-1].sequence else BOX[0]
    extent += [((last, ROW * i), (max(BOX[0], beside), BOX[1])) for i in range(len(rows))]
    top = ROW * (len(rows) - 1)
    figure, axes = canvas([*extent, ((last, top + BOX[1] / 2 + 30), (50, 30)), ((last, -BOX[1] / 2 - 12), (10, 16))])
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        axes.text(left, ROW * i, label, fontsize=SIZE, ha="right", va="center", linespacing=1.4)
        shown = times if row.sequence else [steps - 1]
        for t in shown:
            _cell(axes, (x[t], ROW * i), row, t)
        if i:
            _arrows_up(axes, rows[i - 1], row, ROW * i, x, shown)
        if row.node.recurrent:
            _recurrence(axes, row, ROW * i, [x[t] for t in times])
    backwards = rows[1].node.recurrent and rows[1].node.layer.go_backwards
    for t in times:
        read = steps - 1 - t if backwards and t >= 0 else t
        text = f"step {t}" + (f", reads {read}" if backwards else "")
        axes.text(x[t], -BOX[1] / 2 - 12, "" if t < 0 else text, fontsize=INNER, ha="center", va="center")
    for t in times if _all_steps_out(rows) else [steps - 1]:
        if t >= 0:
            arrow(axes, [(x[t], top + BOX[1] / 2), (x[t], top + BOX[1] / 2 + 28)])
            axes.text(x[t], top + BOX[1] / 2 + 36, "output", fontsize=INNER, ha="center", va="center")
    return figure


def _all_steps_out(rows: list[_Row]) -> bool:
    return len(rows[-1].node.output) == 3


def _cell(axes: Axes, centre: Point, row: _Row, t: int) -> None:
    if t < 0:
        axes.text(*centre, "…", fontsize=2 * SIZE, ha="center", va="center")
        return
    box(axes, centre, BOX, facecolor=FILLS.get(row.node.kind, OTHER_FILL), zorder=3)
    units = row.node.output[-1]
    what = "feature" if row.node.kind == "InputLayer" else "unit"
    size = f"{units} {what}{'' if units == 1 else 's'}" if isinstance(units, int) else ""
    name = f"${row.symbol}_{{{t}}}$" if row.symbol else row.node.kind
    axes.text(
        centre[0], centre[1] + 7, name, fontsize=SIZE + (3 if row.symbol else 0), ha="center",
        va="center_baseline", zorder=6,
    )  # fmt: skip
    axes.text(centre[0], centre[1] - 11, size, fontsize=INNER, ha="center", va="center_baseline", zorder=6)


def _arrows_up(axes: Axes, below: _Row, row: _Row, y: float, x: dict[int, float], shown: list[int]) -> None:
    """Draw what the row reads, with the kernel's shape at the first arrow."""
    labelled = False
    for t in shown:
        if t < 0:
            continue
        # A recurrent layer that hands on its last state only is read at the last step only.
        if below.sequence and row.sequence and len(below.node.output) != 3:
            continue
        arrow(axes, [(x[t], y - ROW + BOX[1] / 2), (x[t], y - BOX[1] / 2)])
        if not labelled and _kernel_label(row):
            axes.text(x[t] + 6, y - ROW / 2, _kernel_label(row), fontsize=INNER, ha="left", va="center")
            labelled = True


def _recurrence(axes: Axes, row: _Row, y: float, x: list[float]) -> None:
    start = (-COLUMN, y)
    box(axes, start, (BOX[0] * 0.8, BOX[1]), linestyle="--", zorder=3)
    axes.text(start[0], y + 7, f"${row.symbol}_{{-1}}$", fontsize=SIZE + 3, ha="center", va="center_baseline", zorder=6)
    axes.text(start[0], y - 11, _initial(row.node.layer), fontsize=INNER, ha="center", va="center_baseline", zorder=6)
    ends = [(start[0] + BOX[0] * 0.4, x[0] - BOX[0] / 2)]
    ends += [(a + BOX[0] / 2, b - BOX[0] / 2) for a, b in pairwise(x)]
    for left, right in ends:
        arrow(axes, [(left, y), (right, y)], color=VERMILLION, linewidth=2)
    units = row.node.layer.units
    middle = sum(ends[0]) / 2
    label = f"U: {units} x {units}"
    axes.text(middle, y + 30, label, fontsize=INNER, ha="center", va="center", color=BLACK)


def _initial(layer: Any) -> str:
    return "kept" if layer.stateful else "= 0"


def _kernel_label(row: _Row) -> str:
    kernel = getattr(row.node.layer, "kernel", None)
    if kernel is None:
        return ""
    return f"{'K' if row.node.recurrent else 'kernel'}: {kernel.shape[0]} x {kernel.shape[1]}"


def _about(node: Node) -> str:
    parts = [node.kind] if node.kind not in ("InputLayer",) else []
    if node.activation:
        parts[-1] += f", {node.activation}"
    if node.params:
        parts.append(f"{node.params:,} parameter{'s' if node.params > 1 else ''}")
    return "\n".join(parts) or "input"
