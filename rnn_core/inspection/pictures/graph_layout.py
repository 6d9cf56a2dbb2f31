"""A model as boxes and arrows, before anything is drawn: what stands in it, and where.

``describe`` is the only place that knows how a model holds its layers. ``arrange`` puts each box in a rank, one below
those that it reads, and orders every rank so that arrows cross little (K. Sugiyama, S. Tagawa, M. Toda, "Methods for
visual understanding of hierarchical system structures", IEEE Transactions on Systems, Man, and Cybernetics 11, 1981,
109-125).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rnn_core.graph import output_shapes
from rnn_core.inspection.traces.tracing import call_name
from rnn_core.layers import RNN, Bidirectional, JordanCell, JordanRNN, SimpleRNN, StackedRNNCells
from rnn_core.layers.wrapper import Wrapper
from rnn_core.models import Model

SWEEPS = 8
"""Passes that order the ranks; pictures of a few dozen boxes settle after half of them."""


@dataclass
class Node:
    """One call of a layer.

    Attributes
    ----------
    name, kind : str
        Of the layer, and its class. A second call is ``"name #2"``.
    inputs : list of tuple
        The shapes that it reads, batch first.
    output : tuple
        The shape that it puts out; a tuple of them where there are several.
    params : int
        0 in a second call: the weights are those of the first.
    layer : Layer or None
        None for an input that nobody declared.
    shares : str
        In a second call the name of the layer, whose weights it shares.
    """

    name: str
    kind: str
    inputs: list[Any]
    output: Any
    params: int = 0
    layer: Any = None
    shares: str = ""

    @property
    def loops(self) -> list[str]:
        """What is handed from step to step, as formulas; the second one goes backwards in time."""
        both = isinstance(self.layer, Bidirectional)
        cells = cells_of(self.layer.forward_layer if both else self.layer)
        fed_back = dict.fromkeys("y" if isinstance(cell, JordanCell) else "h" for _, cell in cells)
        steps = ("{t-1}", "{t+1}")[: 1 + both] if fed_back else ()
        return [f"${', '.join(f'{symbol}_{step}' for symbol in fed_back)}$" for step in steps]

    @property
    def recurrent(self) -> bool:
        """Whether it carries a state from step to step."""
        return bool(self.loops)

    @property
    def activation(self) -> str:
        """The activation's name, also that of a layer inside, or nothing."""
        names = dict.fromkeys(_activations(self.layer))
        return ", ".join(names)

    @property
    def inside(self) -> str:
        """What a layer around others runs."""
        if isinstance(self.layer, JordanRNN):
            return f"{self.layer.cell.units} hidden units"
        text = short(self.layer)
        return text.partition("(")[2][:-1] if isinstance(self.layer, Wrapper) else ""


def cells_of(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield what each state of a recurrent layer lives in, the cells of a stack one by one, and under which name.

    Examples
    --------
    >>> from rnn_core.layers import SimpleRNNCell
    >>> [name for name, _ in cells_of(RNN([SimpleRNNCell(4), JordanCell(3, 2)]))]
    ['/simple_rnn_cell', '/jordan_cell']
    """
    if isinstance(layer, SimpleRNN):
        yield "", layer
    elif isinstance(layer, RNN):
        yield from _cells_in("", layer.cell)


def _cells_in(name: str, cell: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(cell, StackedRNNCells):
        for label, inner in cell.inner.items():
            yield from _cells_in(f"{name}/{label}", inner)
    else:
        yield name, cell


def short(layer: Any) -> str:
    """Return a layer's class with what tells it from others of its kind.

    Examples
    --------
    >>> from rnn_core.layers import Dense, TimeDistributed
    >>> short(Bidirectional(SimpleRNN(4))), short(TimeDistributed(Dense(2)))
    ('Bidirectional(SimpleRNN(4))', 'TimeDistributed(Dense(2))')
    """
    kind = type(layer).__name__
    if isinstance(layer, (JordanRNN, JordanCell)):
        cell = layer.cell if isinstance(layer, JordanRNN) else layer
        return f"{kind}({cell.units}, {cell.output_units})"
    if isinstance(layer, Bidirectional):
        return f"{kind}({short(layer.forward_layer)})"
    if isinstance(layer, RNN) and isinstance(layer.cell, StackedRNNCells):
        return f"{kind}({', '.join(map(short, layer.cell.cells))})"
    if isinstance(layer, Wrapper):
        return f"{kind}({', '.join(map(short, layer.inner.values()))})"
    units = getattr(layer, "units", None)
    return f"{kind}({units})" if units else kind


def _activations(layer: Any) -> Iterator[str]:
    for inner in getattr(layer, "inner", {}).values():
        yield from _activations(inner)
    name = getattr(getattr(layer, "activation", None), "name", "")
    if name:
        yield name


@dataclass
class Description:
    """Boxes in an order in which they can run, arrows (from, to) between them, and which boxes are outputs."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    outputs: set[int] = field(default_factory=set)

    @property
    def is_chain(self) -> bool:
        """Whether each box is read by the next one and no other."""
        return self.edges == list(pairwise(range(len(self.nodes))))


def describe(model: Model) -> Description:
    """Return the boxes and arrows of a built model, a chain or a graph.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input
    >>> from rnn_core.models import Sequential
    >>> found = describe(Sequential([Input((4,)), Dense(8), Dense(1)]))
    >>> [(node.kind, node.output, node.params) for node in found.nodes], found.edges
    ([('InputLayer', (None, 4), 0), ('Dense', (None, 8), 40), ('Dense', (None, 1), 9)], [(0, 1), (1, 2)])
    """
    model._require_built("describe")
    graph = model.graph
    shapes: Any = model.input_shape
    given = list(shapes) if isinstance(shapes, list) else [shapes]
    input_layers: list[Any] = graph.input_layers or [None] * len(graph.inputs)

    found = Description()
    shape_at: dict[int, Any] = {}
    made_by: dict[int, int] = {}
    for place, shape, layer in zip(graph.inputs, given, input_layers, strict=True):
        shape_at[place], made_by[place] = shape, len(found.nodes)
        found.nodes.append(Node("input" if layer is None else layer.name, "InputLayer", [], shape, 0, layer))
    calls: Counter[Any] = Counter()
    for step in graph.steps:
        layer, number = step.layer, len(found.nodes)
        calls[layer] += 1
        incoming = [shape_at[place] for place in step.sources]
        reads: Any = incoming if step.in_list else incoming[0]
        output: Any = layer.compute_output_shape(reads)
        for place, shape in zip(step.targets, output_shapes(output), strict=True):
            shape_at[place] = shape
        found.edges += [(made_by[place], number) for place in step.sources]
        made_by |= dict.fromkeys(step.targets, number)
        first = calls[layer] == 1
        name, params = call_name(layer.name, calls[layer]), layer.count_params() if first else 0
        shares = "" if first or not layer.specs else layer.name
        found.nodes.append(Node(name, type(layer).__name__, incoming, output, params, layer, shares))
    found.outputs = {made_by[place] for place in graph.outputs}
    return found


@dataclass
class Arrangement:
    """Ranks of places. A place below `boxes` is that box; the others are bends of arrows that skip a rank.

    Attributes
    ----------
    ranks : list of list of int
    routes : list of list of int
        For each arrow the places that it passes, both ends included.
    """

    ranks: list[list[int]]
    routes: list[list[int]]


def arrange(boxes: int, edges: Sequence[tuple[int, int]]) -> Arrangement:
    """Return ranks and routes for `boxes` boxes.

    Examples
    --------
    >>> arrange(3, [(0, 1), (1, 2), (0, 2)])  # the third arrow passes beside box 1, at a place of its own
    Arrangement(ranks=[[0], [1, 3], [2]], routes=[[0, 1], [1, 2], [0, 3, 2]])
    """
    rank = [0] * boxes
    for start, end in sorted(edges, key=lambda edge: edge[1]):  # boxes are in an order in which they can run
        rank[end] = max(rank[end], rank[start] + 1)
    for start in reversed(range(boxes)):  # an input that is read late stands just above its reader
        below = [rank[end] for s, end in edges if s == start]
        if below and not any(end == start for _, end in edges):
            rank[start] = min(below) - 1
    ranks: list[list[int]] = [[] for _ in range(max(rank, default=0) + 1)]
    for box in range(boxes):
        ranks[rank[box]].append(box)

    routes, places = [], boxes
    for start, end in edges:
        bends = list(range(places, places + rank[end] - rank[start] - 1))
        places += len(bends)
        for level, bend in enumerate(bends, rank[start] + 1):
            ranks[level].append(bend)
        routes.append([start, *bends, end])

    neighbours: dict[int, list[int]] = {place: [] for place in range(places)}
    for route in routes:
        for upper, lower in pairwise(route):
            neighbours[upper].append(lower)
            neighbours[lower].append(upper)
    for _ in range(SWEEPS):
        for row in ranks:
            position = {p: i - (len(other) - 1) / 2 for other in ranks for i, p in enumerate(other)}
            middle = {p: sum(position[q] for q in neighbours[p]) / max(len(neighbours[p]), 1) for p in row}
            row.sort(key=middle.__getitem__)
    return Arrangement(ranks, routes)
