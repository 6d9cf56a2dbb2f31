"""The model as a graph: a card for each layer, with its shapes and parameters, and arrows between them.

Drawn by matplotlib alone. One unit of the axes is one point, so text and boxes fit each other in every size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.checks import one_of
from rnn_core.figures import BLACK, blank_figure
from rnn_core.inspection.pictures.graph_layout import Description, Node, arrange, describe
from rnn_core.layers.base import shape_text
from rnn_core.models import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]

SIZE = 10.0
"""Of the text, in points."""

GAP, MARGIN, PADDING, LINE = 30.0, 12.0, 9.0, 1.5 * SIZE
PORTS = 14.0
"""Between two arrows at one side of a box."""

LOOP = 28.0
"""Room beside a recurrent layer for the arrow from its hidden state to itself, without its label."""

FILLS = {"InputLayer": "#e3e3e3", "Dense": "#c3def0", "TimeDistributed": "#c3def0"}
"""Headers by class: tints of Okabe and Ito's colours."""
RECURRENT_FILL, OTHER_FILL = "#f9d3bd", "#c5e8dc"


def model_graph(
    model: Model,
    *,
    show_shapes: bool = True,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    show_layer_activations: bool = True,
    show_trainable: bool = False,
    show_params: bool = True,
    rankdir: str = "TB",
) -> Figure:
    """Draw a model's layers, their shapes and parameters, and which reads which.

    Parameters
    ----------
    model : Model
        Built. A chain or a graph.
    show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, show_params : bool
        What the cards tell.
    rankdir : {"TB", "LR"}
        From top to bottom, or from left to right.

    Examples
    --------
    >>> from rnn_core.tutorial import build_model
    >>> figure = model_graph(build_model(1, 4))
    >>> [text.get_text() for text in figure.axes[0].texts if "parameters" in text.get_text()]
    ['1,184 parameters', '264 parameters', '9 parameters']
    """
    one_of("model_graph", "rankdir", rankdir, ("TB", "LR"))
    description = describe(model)
    cards = []
    read = {start for start, _ in description.edges}
    for number, node in enumerate(description.nodes):
        lines = [node.name] if show_layer_names else []
        if node.inside:
            lines.append(node.inside)
        if show_layer_activations and node.activation:
            lines.append(f"activation: {node.activation}")
        if show_shapes:
            lines += [f"in:  {_shapes(node.inputs)}"] if node.inputs else []
            lines.append(f"out: {_shapes(node.output)}")
        if show_dtype and node.layer is not None:
            lines.append(str(node.layer.dtype))
        if show_params and node.params:
            lines.append(f"{node.params:,} parameter{'s' if node.params > 1 else ''}")
        if node.shares:
            lines.append(f"same weights as {node.shares}")
        if number in read & description.outputs:
            lines.append("also an output")
        if show_trainable and node.params:
            lines.append("trained" if node.layer.trainable else "frozen")
        cards.append((node, lines))
    return _draw(description, cards, rankdir == "TB")


def _draw(description: Description, cards: Sequence[tuple[Node, list[str]]], downwards: bool) -> Figure:
    sizes = [_card_size(node, lines, downwards) for node, lines in cards]
    placed = arrange(len(cards), description.edges)
    places = {p for rank in placed.ranks for p in rank}
    size = {p: sizes[p] if p < len(sizes) else (GAP / 2, GAP / 2) for p in places}
    centre: dict[int, Point] = {}
    across, along = (0, 1) if downwards else (1, 0)  # which of x and y the boxes of one rank share
    span: dict[int, Point] = {}  # where the rank of a place begins and ends
    start = 0.0
    for rank in placed.ranks:
        depth = max(size[p][along] for p in rank)
        position = -(sum(size[p][across] for p in rank) + GAP * (len(rank) - 1)) / 2
        for p in rank:
            middle = position + size[p][across] / 2
            centre[p] = (middle, -(start + depth / 2)) if downwards else (start + depth / 2, -middle)
            span[p] = (-start, -start - depth) if downwards else (start, start + depth)
            position += size[p][across] + GAP
        start += depth + GAP

    figure, axes = canvas([(c, size[p]) for p, c in centre.items()])
    for route in placed.routes:
        first = _port(route, 0, [r for r in placed.routes if r[0] == route[0]], centre, size, along)
        last = _port(route, -1, [r for r in placed.routes if r[-1] == route[-1]], centre, size, along)
        points = [first]
        for p in route:  # straight past the boxes of a rank, those that are longer than its own box too
            ends = span[p][1:] if p == route[0] else span[p][:1] if p == route[-1] else span[p]
            beside = {route[0]: first, route[-1]: last}.get(p, centre[p])[across]
            points += [(beside, end) if downwards else (end, beside) for end in ends]
        points += [last]
        way = [b for a, b in pairwise([(np.inf, np.inf), *points]) if not np.allclose(a, b)]
        arrow(axes, way, rounded=along)
    for i, (node, lines) in enumerate(cards):
        _card(axes, centre[i], sizes[i], node, lines, downwards)
    return figure


def canvas(boxes: Sequence[tuple[Point, Point]]) -> tuple[Figure, Axes]:
    """Return a figure that just holds `boxes` (centre, size), and its axes in points."""
    low = [min(c[k] - s[k] / 2 for c, s in boxes) - MARGIN for k in (0, 1)]
    high = [max(c[k] + s[k] / 2 for c, s in boxes) + MARGIN for k in (0, 1)]
    figure = blank_figure((high[0] - low[0]) / 72, (high[1] - low[1]) / 72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.set_axis_off()
    return figure, axes


def arrow(axes: Axes, points: Sequence[Point], rounded: int | None = None, **style: Any) -> None:
    """Draw an arrow through `points`; `rounded` names the axis (0, 1) along which it leaves and arrives."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        if rounded is None or (x0, y0)[1 - rounded] == (x1, y1)[1 - rounded]:
            vertices, codes = [*vertices, (x1, y1)], [*codes, Curve.LINETO]
            continue
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        bends = ((x0, middle[1]), (x1, middle[1])) if rounded else ((middle[0], y0), (middle[0], y1))
        vertices, codes = [*vertices, *bends, (x1, y1)], [*codes, *[Curve.CURVE4] * 3]
    style = {"color": BLACK, "linewidth": 1.3, **style}
    axes.add_patch(
        FancyArrowPatch(path=Curve(vertices, codes), arrowstyle="-|>", mutation_scale=11, joinstyle="miter", **style)
    )


def text_width(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Return how wide `text` will be, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=FontProperties(weight=weight)).get_extents().x1)


def box(axes: Axes, centre: Point, size: Point, **style: Any) -> Any:
    """Draw a rounded box and return it."""
    from matplotlib.patches import FancyBboxPatch

    given: dict[str, Any] = {"facecolor": "white", "edgecolor": BLACK, "linewidth": 1.2, **style}
    given["boxstyle"] = "round,pad=0,rounding_size=4"
    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    return axes.add_patch(FancyBboxPatch(corner, *size, **given))


def _card_size(node: Node, lines: Sequence[str], downwards: bool) -> Point:
    width = max([text_width(node.kind, SIZE + 1, "bold"), *map(text_width, lines)]) + 2 * PADDING
    height = 1.9 * SIZE + (LINE * len(lines) + PADDING if lines else 0)
    if node.recurrent:  # room for the loop, on both sides so that the card stays in the middle
        width, height = (width + 2 * _beside(node), height) if downwards else (width, height + 2 * LOOP)
    return max(width, 90.0), height


def _beside(node: Node) -> float:
    """Return the room for the loop and its label beside a card."""
    return LOOP + max(text_width(label, SIZE + 1) for label in node.loops)


def _card(axes: Axes, centre: Point, size: Point, node: Node, lines: Sequence[str], downwards: bool) -> None:
    from matplotlib.patches import Rectangle

    (x, y), (width, height) = centre, size
    if node.recurrent:
        width, height = (width - 2 * _beside(node), height) if downwards else (width, height - 2 * LOOP)
    card = box(axes, centre, (width, height), zorder=3)
    top, header = y + height / 2, 1.9 * SIZE
    band = Rectangle((x - width / 2, top - header), width, header, color=fill(node), zorder=4)
    axes.add_patch(band)
    band.set_clip_path(card)
    box(axes, centre, (width, height), facecolor="none", zorder=5)
    axes.text(
        x, top - header / 2, node.kind, fontsize=SIZE + 1, weight="bold", ha="center", va="center_baseline", zorder=6
    )
    for i, line in enumerate(lines):
        axes.text(
            x, top - header - PADDING / 2 - LINE * (i + 0.5), line, fontsize=SIZE, ha="center", va="center_baseline",
            zorder=6,
        )  # fmt: skip
    for backwards, label in enumerate(node.loops):
        _loop(axes, centre, (width, height), downwards, bool(backwards), label)


def fill(node: Node) -> str:
    """Return the colour of a layer's header."""
    return RECURRENT_FILL if node.recurrent else FILLS.get(node.kind, OTHER_FILL)


def _loop(axes: Axes, centre: Point, size: Point, downwards: bool, backwards: bool, label: str) -> None:
    """Draw the way of a state back into the layer, on the other side where it goes backwards in time."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    (x, y), (width, height) = centre, size
    way = -1 if backwards else 1
    if downwards:
        side, out = x + way * width / 2, way * 26.0
        ends = [(side, y - 12), (side + out, y - 18), (side + out, y + 18), (side, y + 12)]
        place: dict[str, Any] = {"x": side + out - way, "y": y, "ha": "right" if backwards else "left", "va": "center"}
    else:
        side, out = y + way * height / 2, way * 24.0
        ends = [(x + 12, side), (x + 18, side + out), (x - 18, side + out), (x - 12, side)]
        place = {"x": x + 22, "y": side + out / 2 + 2 * way, "ha": "left", "va": "center"}
    loop = Curve(ends, [Curve.MOVETO, *[Curve.CURVE4] * 3])
    axes.add_patch(FancyArrowPatch(path=loop, arrowstyle="-|>", mutation_scale=11, color=BLACK, linewidth=1.3))
    axes.text(s=label, fontsize=SIZE + 1, **place)


def _port(
    route: list[int], end: int, routes: list[list[int]], centre: dict[int, Point], size: dict[int, Point], along: int
) -> Point:
    """Return where a route leaves (end 0) or reaches (-1) its box; `routes` are all that do so there."""
    across, neighbour = 1 - along, 1 if end == 0 else -2
    order = sorted(routes, key=lambda r: centre[r[neighbour]][across])
    number = next(i for i, other in enumerate(order) if other is route)
    shift = PORTS * (number - (len(order) - 1) / 2)
    outwards = (-1 if along else 1) * (1 if end == 0 else -1)  # y runs upwards
    point = list(centre[route[end]])
    point[along] += outwards * size[route[end]][along] / 2
    point[across] += shift
    return point[0], point[1]


def _shapes(shapes: Any) -> str:
    several = isinstance(shapes, (list, tuple)) and shapes and all(isinstance(s, (list, tuple)) for s in shapes)
    return ", ".join(map(shape_text, shapes)) if several else shape_text(shapes)
