"""A model as boxes and arrows, before anything is drawn: what stands in it, and where.

``describe`` is the only place that knows how a model holds its layers. ``arrange`` puts each box in a rank, one below
those that it reads, and orders every rank so that arrows cross little (K. Sugiyama, S. Tagawa, M. Toda, "Methods for
visual understanding of hierarchical system structures", IEEE Transactions on Systems, Man, and Cybernetics 11, 1981,
109-125).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rnn_core.layers import SimpleRNN
from rnn_core.layers.input import InputLayer
from rnn_core.models import Model

SWEEPS = 8
"""Passes that order the ranks; pictures of a few dozen boxes settle after half of them."""


@dataclass
class Node:
    """One call of a layer.

    Attributes
    ----------
    name, kind : str
        Of the layer, and its class.
    inputs : list of tuple
        The shapes that it reads, batch first.
    output : tuple
        The shape that it puts out.
    params : int
    layer : Layer or None
        None for an input that nobody declared.
    """

    name: str
    kind: str
    inputs: list[Any]
    output: Any
    params: int = 0
    layer: Any = None

    @property
    def recurrent(self) -> bool:
        """Whether it carries a hidden state from step to step."""
        return isinstance(self.layer, SimpleRNN)

    @property
    def activation(self) -> str:
        """The activation's name, or nothing."""
        return getattr(getattr(self.layer, "activation", None), "name", "")


@dataclass
class Description:
    """Boxes in an order in which they can run, and arrows (from, to) between their numbers."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)

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
    graph: Any = getattr(model, "graph", None)
    if graph is None:
        layers = [layer for layer in model.layers if not isinstance(layer, InputLayer)]
        steps = [(layer, (i,), (i + 1,), False) for i, layer in enumerate(layers)]
        inputs, given = [0], [model.input_shape]
        input_layers = [getattr(model, "_input", None)]
    else:
        steps = [(step.layer, step.sources, step.targets, step.in_list) for step in graph.steps]
        inputs, input_layers = graph.inputs, graph.input_layers or [None] * len(graph.inputs)
        shapes: Any = model.input_shape
        given = list(shapes) if isinstance(shapes, list) else [shapes]

    found = Description()
    shape_at: dict[int, Any] = {}
    made_by: dict[int, int] = {}
    for place, shape, layer in zip(inputs, given, input_layers, strict=True):
        shape_at[place], made_by[place] = shape, len(found.nodes)
        found.nodes.append(Node("input" if layer is None else layer.name, "InputLayer", [], shape, 0, layer))
    for layer, sources, targets, in_list in steps:
        incoming = [shape_at[place] for place in sources]
        reads: Any = incoming if in_list else incoming[0]
        output: Any = layer.compute_output_shape(reads)
        several = bool(output) and all(isinstance(part, (tuple, list)) for part in output)
        number = len(found.nodes)
        found.edges += [(made_by[place], number) for place in sources]
        for place, shape in zip(targets, output if several else (output,), strict=True):
            shape_at[place], made_by[place] = shape, number
        kind = type(layer).__name__
        found.nodes.append(Node(layer.name, kind, incoming, output, layer.count_params(), layer))
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
