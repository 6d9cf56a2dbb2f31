"""The model unrolled in time: a column for each step, time to the right, the network upwards.

A recurrent layer's hidden state runs from column to column, h_(t-1) through U into h_t; in Jordan's network the output
does, y_(t-1) through U into h_t. All steps share the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rnn_core.checks import positive_int
from rnn_core.figures import BLACK, VERMILLION
from rnn_core.graph import output_shapes
from rnn_core.inspection.pictures.graph import SIZE, Point, arrow, box, canvas, fill, text_width
from rnn_core.inspection.pictures.graph_layout import Node, describe
from rnn_core.layers import Bidirectional, JordanCell, SimpleRNN, SimpleRNNCell
from rnn_core.models import Model

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
    """What stands in one row: at every step (sequence), or at the last one only.

    `returns` is "" or what runs from column to column: "h" from a hidden state to the next, "y" from an output to the
    hidden units in the row below, at the next step.
    """

    node: Node
    sequence: bool
    symbol: str
    units: int | None
    about: str
    kernel: str = ""
    returns: str = ""
    sends_sequence: bool = True


def unrolled(model: Model, layer: str | None = None, timesteps: int | None = None) -> Figure:
    """Draw a model unrolled in time, with the shapes of what moves and the weights that all steps share.

    Parameters
    ----------
    model : Model
        Built, with a SimpleRNN, an RNN of a SimpleRNNCell or a JordanRNN, also inside a Bidirectional.
    layer : str, optional
        In a model that is no chain: the recurrent layer to draw, by itself. Not needed where there is one. A direction
        of a Bidirectional is ``"bidirectional/backward_simple_rnn"``.
    timesteps : int, optional
        Needed only where the model takes any number of them.

    Raises
    ------
    ValueError
        If there is no such layer.

    Examples
    --------
    >>> from rnn_core.tutorial import build_model
    >>> texts = [text.get_text() for text in unrolled(build_model(4, 1)).axes[0].texts]
    >>> texts.count("32 units"), [text for text in texts if "x 32" in text]
    (4, ['K: 1 x 32', 'U: 32 x 32'])
    """
    description = describe(model)
    recurrent = {found.name: found for node in description.nodes for found in _drawable(node)}
    whole = description.is_chain and all(node.name in recurrent for node in description.nodes if node.recurrent)
    if layer is None and recurrent and (whole or len(recurrent) == 1):
        layer = next(iter(recurrent))
    if layer not in recurrent:
        raise ValueError(f"unrolled: layer must be the name of a recurrent layer of Elman's or Jordan's kind, one of "
                         f"{list(recurrent)}, got {layer!r}.")  # fmt: skip
    nodes = description.nodes
    if not whole:
        node = recurrent[layer]
        nodes = [Node("input", "InputLayer", [], node.inputs[0]), node]
    steps = nodes[0].output[1] if timesteps is None else positive_int("unrolled", "timesteps", timesteps)
    if steps is None:
        raise ValueError("unrolled: the model takes any number of time steps, so timesteps must say how many to draw.")
    return _draw(_rows(nodes), steps)


def _drawable(node: Node) -> list[Node]:
    """Return the node if it can be drawn, or those of both directions."""
    layer = node.layer
    if isinstance(layer, Bidirectional):
        shape = node.inputs[0]
        inner = [
            Node(f"{node.name}/{label}", type(one).__name__, [shape], one.compute_output_shape(shape),
                 one.count_params(), one)
            for label, one in layer.inner.items()
        ]  # fmt: skip
        return [found for one in inner for found in _drawable(one)]
    known = isinstance(layer, SimpleRNN) or isinstance(getattr(layer, "cell", None), (SimpleRNNCell, JordanCell))
    return [node] if known else []


def _rows(nodes: list[Node]) -> list[_Row]:
    stacked = sum(node.recurrent for node in nodes)
    rows: list[_Row] = []
    number = 0
    for node in nodes:
        output = output_shapes(node.output)[0]
        about, layer = _about(node), getattr(node.layer, "cell", node.layer)
        sends = len(output) == 3
        number += node.recurrent
        index = f"^{{({number})}}" if stacked > 1 else ""
        if node.kind == "InputLayer":
            rows.append(_Row(node, sends, "x", output[-1], about))
        elif isinstance(layer, JordanCell):
            hidden = f"{node.name}\n{node.kind}, {layer.activation.name}\n{node.params:,} parameters"
            kernels = [
                f"{name}: {a} x {b}" for name, (a, b) in (("K", layer.kernel.shape), ("V", layer.output_kernel.shape))
            ]
            rows.append(_Row(node, True, f"h{index}", layer.units, hidden, kernels[0]))
            out = f"its output\n{layer.output_activation.name}"
            rows.append(_Row(node, True, f"y{index}", layer.output_units, out, kernels[1], "y", sends))
        elif node.recurrent:  # what returns its last state only computes it at every step all the same
            kernel = "K: {} x {}".format(*layer.kernel.shape)
            rows.append(_Row(node, True, f"h{index}", layer.units, about, kernel, "h", sends))
        else:
            shape = getattr(getattr(layer, "kernel", None), "shape", None)
            label = "" if shape is None else f"kernel: {shape[0]} x {shape[1]}"
            rows.append(_Row(node, sends, "", output[-1], about, label, "", sends))
    return rows


def _draw(rows: list[_Row], steps: int) -> Figure:
    times = list(range(steps)) if steps <= MOST_STEPS else [0, 1, 2, -1, steps - 1]  # -1: dots
    x = {t: COLUMN * i for i, t in enumerate(times)}
    recurrent = any(row.returns for row in rows)
    width = max(text_width(line) for row in rows for line in row.about.split("\n"))
    left = -(COLUMN if recurrent else BOX[0]) - (BOX[0] / 2 if recurrent else 0) - 16
    extent = [((left - width / 2, ROW * i), (width, BOX[1])) for i in range(len(rows))]
    last = x[steps - 1]
    beside = 2 * max(text_width(row.kernel) for row in rows) + 20 if not rows[-1].sequence else BOX[0]
    extent += [((last, ROW * i), (max(BOX[0], beside), BOX[1])) for i in range(len(rows))]
    top = ROW * (len(rows) - 1)
    figure, axes = canvas([*extent, ((last, top + BOX[1] / 2 + 30), (50, 30)), ((last, -BOX[1] / 2 - 12), (10, 16))])
    for i, row in enumerate(rows):
        axes.text(left, ROW * i, row.about, fontsize=SIZE, ha="right", va="center", linespacing=1.4)
        shown = times if row.sequence else [steps - 1]
        for t in shown:
            _cell(axes, (x[t], ROW * i), row, t)
        if i:
            _arrows_up(axes, rows[i - 1], row, ROW * i, x, shown)
        if row.returns:
            _recurrence(axes, row, ROW * i, [x[t] for t in times])
    backwards = len(rows) > 1 and rows[1].node.recurrent and rows[1].node.layer.go_backwards
    for t in times:
        read = steps - 1 - t if backwards and t >= 0 else t
        text = f"step {t}" + (f", reads {read}" if backwards else "")
        axes.text(x[t], -BOX[1] / 2 - 12, "" if t < 0 else text, fontsize=INNER, ha="center", va="center")
    for t in times if rows[-1].sends_sequence else [steps - 1]:
        if t >= 0:
            arrow(axes, [(x[t], top + BOX[1] / 2), (x[t], top + BOX[1] / 2 + 28)])
            axes.text(x[t], top + BOX[1] / 2 + 36, "output", fontsize=INNER, ha="center", va="center")
    return figure


def _cell(axes: Axes, centre: Point, row: _Row, t: int) -> None:
    if t < 0:
        axes.text(*centre, "…", fontsize=2 * SIZE, ha="center", va="center")
        return
    box(axes, centre, BOX, facecolor=fill(row.node), zorder=3)
    what = "feature" if row.node.kind == "InputLayer" else "output" if row.returns == "y" else "unit"
    size = f"{row.units} {what}{'' if row.units == 1 else 's'}" if isinstance(row.units, int) else ""
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
        if below.sequence and row.sequence and not below.sends_sequence:
            continue
        arrow(axes, [(x[t], y - ROW + BOX[1] / 2), (x[t], y - BOX[1] / 2)])
        if not labelled and row.kernel:
            axes.text(x[t] + 6, y - ROW / 2, row.kernel, fontsize=INNER, ha="left", va="center")
            labelled = True


def _recurrence(axes: Axes, row: _Row, y: float, x: list[float]) -> None:
    """Draw what runs from column to column: along the row, or from an output down to the hidden units."""
    jordan = row.returns == "y"
    start, down = (-COLUMN, y), ROW if jordan else 0.0
    box(axes, start, (BOX[0] * 0.8, BOX[1]), linestyle="--", zorder=3)
    symbol = "c_{0}" if jordan else f"{row.symbol}_{{-1}}"
    axes.text(start[0], y + 7, f"${symbol}$", fontsize=SIZE + 3, ha="center", va="center_baseline", zorder=6)
    axes.text(start[0], y - 11, _initial(row.node.layer), fontsize=INNER, ha="center", va="center_baseline", zorder=6)
    ends = [(start[0] + BOX[0] * 0.4, x[0] - BOX[0] / 2)]
    ends += [(a + BOX[0] / 2, b - BOX[0] / 2) for a, b in pairwise(x)]
    for left, right in ends:
        arrow(axes, [(left, y - down / 9), (right, y - down + down / 9)], color=VERMILLION, linewidth=2)
    cell = getattr(row.node.layer, "cell", row.node.layer)
    label = "U: {} x {}".format(*cell.recurrent_kernel.shape)
    if jordan and cell.decay:
        label += f"\n$c_{{t+1}} = {cell.decay:g} c_t + y_t$"
    place = (start[0], y - down / 2) if jordan else (sum(ends[0]) / 2, y + 30)
    axes.text(*place, label, fontsize=INNER, ha="center", va="center", color=BLACK)


def _initial(layer: Any) -> str:
    return "kept" if layer.stateful else "= 0"


def _about(node: Node) -> str:
    """Return the text beside a row."""
    parts = [node.name, "input" if node.kind == "InputLayer" else node.kind]
    if node.activation:
        parts[-1] += f", {node.activation}"
    if node.params:
        parts.append(f"{node.params:,} parameter{'s' if node.params > 1 else ''}")
    return "\n".join(dict.fromkeys(parts))  # an input that is called input says so once
