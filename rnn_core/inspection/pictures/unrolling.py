"""The model unrolled in time: a column for each step, time to the right, the network upwards.

A recurrent layer's hidden state runs from column to column, h_(t-1) through U into h_t; in Jordan's network the output
does, y_(t-1) through U into h_t. In a stack of cells every cell has a row of its own, and reads the one below it at the
same step. All steps share the weights.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rnn_core.checks import positive_int
from rnn_core.figures import VERMILLION
from rnn_core.inspection.pictures.graph import SIZE, Point, arrow, box, canvas, fill, text_width
from rnn_core.inspection.pictures.graph_layout import Node, describe
from rnn_core.inspection.pictures.unrolled_rows import DOTS, Row, recurrent_nodes, rows_of
from rnn_core.models import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, ROW = 128.0, 104.0
BOX = (74.0, 42.0)
START = (0.8 * BOX[0], BOX[1])
"""The box of what stands before the first step."""
INNER = SIZE - 1.0


def unrolled(model: Model, layer: str | None = None, timesteps: int | None = None) -> Figure:
    """Draw a model unrolled in time, with the shapes of what moves and the weights that all steps share.

    Parameters
    ----------
    model : Model
        Built, with a SimpleRNN, a JordanRNN, or an RNN of a SimpleRNNCell, a JordanCell or a stack of them, also inside
        a Bidirectional.
    layer : str, optional
        In a model that is no chain: the recurrent layer to draw, by itself. Not needed where there is one. A direction
        of a Bidirectional is ``"bidirectional/backward_simple_rnn"``.
    timesteps : int, optional
        Needed only where the model takes any number of them.

    Raises
    ------
    ValueError
        If there is no such layer, or for `timesteps` that the model does not take.

    Examples
    --------
    >>> from rnn_core.tutorial import build_model
    >>> texts = [text.get_text() for text in unrolled(build_model(4, 1)).axes[0].texts]
    >>> texts.count("32 units"), [text for text in texts if "x 32" in text]
    (4, ['K: 1 x 32', 'U: 32 x 32'])
    """
    chain, recurrent = _described(model)
    if layer is None and recurrent and (chain or len(recurrent) == 1):
        layer = next(iter(recurrent))
    if layer not in recurrent:
        raise ValueError(f"unrolled: layer must be the name of a recurrent layer of Elman's or Jordan's kind, one of "
                         f"{list(recurrent)}, got {layer!r}.")  # fmt: skip
    node = recurrent[layer]
    steps = None if timesteps is None else positive_int("unrolled", "timesteps", timesteps)
    return _draw(rows_of(chain or [Node("input", "InputLayer", [], node.inputs[0]), node], steps))


def unrolled_layers(model: Model) -> list[str | None]:
    """Return what :func:`unrolled` can be asked for: None where one picture shows the whole model."""
    chain, recurrent = _described(model)
    return [None] if chain and recurrent else [name for name, node in recurrent.items() if not node.shares]


def _described(model: Model) -> tuple[list[Node], dict[str, Node]]:
    """Return the model's nodes if one picture can show them all, and those of them that can be drawn."""
    description = describe(model)
    recurrent = {found.name: found for node in description.nodes for found in recurrent_nodes(node)}
    whole = description.is_chain and all(node.name in recurrent for node in description.nodes if node.recurrent)
    return (description.nodes if whole else []), recurrent


def _draw(rows: list[Row]) -> Figure:
    columns = 1 + max(column for row in rows for column in [*row.places.values(), *row.sends])
    right, top = COLUMN * (columns - 1), ROW * (len(rows) - 1)
    about = _widest([row.about for row in rows])
    left = -16 - BOX[0] / 2 - (COLUMN if any(row.returns for row in rows) else 0)
    extent: list[tuple[Point, Point]] = [((left - about / 2, ROW * i), (about, BOX[1])) for i in range(len(rows))]
    extent += [((right, top + BOX[1] / 2 + 30), (BOX[0], 30)), ((right, -BOX[1] / 2 - 12), (BOX[0], 16))]
    extent += [
        ((COLUMN * min(below.sends), ROW * (i + 0.5)), (2 * text_width(row.kernel) + 20, 10))
        for i, (below, row) in enumerate(pairwise(rows))
    ]
    for i, row in enumerate(rows):
        if row.returns:
            extent.append(((_start(row), ROW * i), (max(START[0], _widest([row.recurrent_kernel])), BOX[1])))
    figure, axes = canvas(extent)
    for i, row in enumerate(rows):
        y = ROW * i
        axes.text(left, y, row.about, fontsize=SIZE, ha="right", va="center", linespacing=1.4)
        if row.wide:
            _box(axes, (right / 2, y), (right + BOX[0], BOX[1]), row, 0)
        for t, column in row.places.items():
            _box(axes, (COLUMN * column, y), BOX, row, t)
        if i:
            _arrows_up(axes, rows[i - 1].sends, row, y)
        if row.returns:
            _recurrence(axes, row, y)
    for t, column in rows[0].places.items():  # the columns are in the order in which the first layer takes its steps
        if rows[0].symbol and t != DOTS:
            text = f"step {max(rows[0].places) - t}, reads {t}" if rows[0].backwards else f"step {t}"
            axes.text(COLUMN * column, -BOX[1] / 2 - 12, text, fontsize=INNER, ha="center", va="center")
    for column in rows[-1].sends:
        x, y = COLUMN * column, top + BOX[1] / 2
        arrow(axes, [(x, y), (x, y + 28)])
        axes.text(x, y + 36, "output", fontsize=INNER, ha="center", va="center")
    return figure


def _widest(texts: list[str]) -> float:
    return max(text_width(line) for text in texts for line in text.split("\n"))


def _box(axes: Axes, centre: Point, size: Point, row: Row, t: int) -> None:
    x, y = centre
    if t == DOTS:
        axes.text(x, y, "…", fontsize=2 * SIZE, ha="center", va="center")
        return
    box(axes, centre, size, facecolor=fill(row.node), zorder=3)
    _two_lines(axes, centre, size, row.name(t), row.size)


def _two_lines(axes: Axes, centre: Point, size: Point, name: str, below: str) -> None:
    """Write a symbol or a class into a box, and its size below."""
    x, y = centre
    for text, fontsize, shift in ((name, SIZE + 3 * ("$" in name), 7), (below, INNER, -11)):
        room = 1.0 if "$" in text else (size[0] - 6) / max(text_width(text, fontsize), 1)
        axes.text(x, y + shift, text, fontsize=fontsize * min(1, room), ha="center", va="center_baseline", zorder=6)


def _arrows_up(axes: Axes, columns: list[int], row: Row, y: float) -> None:
    """Draw what the row reads, with the kernel's shape at the first arrow."""
    for column in columns:
        x = COLUMN * column
        arrow(axes, [(x, y - ROW + BOX[1] / 2), (x, y - BOX[1] / 2)])
    axes.text(COLUMN * min(columns) + 6, y - ROW / 2, row.kernel, fontsize=INNER, ha="left", va="center")


def _start(row: Row) -> float:
    """Return where the box before the first step stands."""
    return COLUMN * (max(row.places.values()) + 1 if row.backwards else -1)


def _recurrence(axes: Axes, row: Row, y: float) -> None:
    """Draw what runs from column to column: along the row, or from an output down to the hidden units."""
    jordan, way = row.returns == "y", -1 if row.backwards else 1
    start, down = _start(row), ROW if jordan else 0.0
    box(axes, (start, y), START, linestyle="--", zorder=3)
    _two_lines(axes, (start, y), START, row.start, row.initial)
    xs = sorted((COLUMN * column for column in row.places.values()), reverse=row.backwards)
    ends = [(start + way * START[0] / 2, xs[0] - way * BOX[0] / 2)]
    ends += [(a + way * BOX[0] / 2, b - way * BOX[0] / 2) for a, b in pairwise(xs)]
    for a, b in ends:
        arrow(axes, [(a, y - down / 9), (b, y - down + down / 9)], color=VERMILLION, linewidth=2)
    place = (start, y - down / 2) if jordan else (sum(ends[0]) / 2, y + 30)
    axes.text(*place, row.recurrent_kernel, fontsize=INNER, ha="center", va="center")
