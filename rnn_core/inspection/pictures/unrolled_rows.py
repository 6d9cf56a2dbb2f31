"""What stands in each row of a model unrolled in time, before anything is drawn.

A layer that works step by step has a box at every step; a recurrent one has a row of them for each of its cells, and
two for Jordan's (hidden units, output). A layer that mixes steps (Flatten, RepeatVector, ...) is one box as wide as all
of them, and what has no time at all stands above the step that it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rnn_core.graph import output_shapes
from rnn_core.inspection.pictures.graph_layout import Node, cells_of
from rnn_core.layers import (
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    JordanCell,
    JordanRNN,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
    TimeDistributed,
)

MOST_STEPS = 5
"""More steps than these are drawn as the first ones, dots, and the last one."""

DOTS = -1
"""Stands for the steps that are left out."""

_STEP_BY_STEP = (Activation, Dense, Dropout, Embedding, Masking, TimeDistributed)


@dataclass
class Row:
    """What stands in one row, and in which columns.

    Attributes
    ----------
    node : Node
        The layer's.
    about : str
        The text beside the row.
    symbol, size : str
        In its boxes: "h", to which the step is added, or "" where the class says it; and "3 units".
    places : dict of int to int
        The column of each step that is shown, DOTS among them; what has no time has one place.
    wide : bool
        One box over all columns.
    backwards : bool
        Time runs from right to left.
    sends : list of int
        The columns from which something goes up.
    kernel : str
        What the arrows from below pass, with its shape.
    returns : str
        "" or what runs from step to step: "h" from a hidden state to the next, "y" from an output to the hidden units
        in the row below, at the next step.
    recurrent_kernel, start, initial : str
        Written beside that, and what stands before the first step: its symbol, "= 0", "kept" or "given".
    """

    node: Node
    about: str
    symbol: str
    size: str
    places: dict[int, int]
    sends: list[int]
    wide: bool = False
    backwards: bool = False
    kernel: str = ""
    returns: str = ""
    recurrent_kernel: str = ""
    start: str = ""
    initial: str = ""

    def name(self, t: int) -> str:
        """Return what stands in the box of step `t`."""
        if self.symbol:
            return f"${self.symbol}_{{{t}}}$"
        return "input" if self.node.kind == "InputLayer" else self.node.kind


def rows_of(nodes: Sequence[Node], steps: int | None) -> list[Row]:
    """Return the rows of a chain, from the input upwards; `steps` where shapes leave the number of steps open."""
    numbered = sum(len(list(cells_of(node.layer))) for node in nodes) > 1
    backwards = _reads_backwards(nodes)
    timesteps = _input_steps(nodes, steps)
    rows = [_input_row(nodes[0], timesteps, backwards)]
    number = 0
    for node in nodes[1:]:
        below, shape = rows[-1].sends, output_shapes(node.output)[0]
        if node.recurrent and timesteps is not None:
            backwards ^= node.layer.go_backwards
            places = _places(timesteps, backwards)
            for inside, cell in cells_of(node.layer):
                number += 1
                index = f"^{{({number})}}" if numbered else ""
                rows += _cell_rows(node, inside, cell, index, places, backwards)
            if len(shape) == 2:  # what returns its last state only computes it at every step all the same
                rows[-1].sends = [places[timesteps - 1]]
                timesteps = None
        elif timesteps is None and len(shape) == 2:
            rows.append(_plain(node, {0: below[-1]}))
        elif timesteps is not None and isinstance(node.layer, _STEP_BY_STEP):
            rows.append(_plain(node, _places(timesteps, backwards)))
        else:
            timesteps, backwards = (_steps(shape, shape[1] or steps) if len(shape) > 2 else None), False
            leaves = {0: max(below)} if timesteps is None else _places(timesteps, backwards)
            rows.append(_plain(node, leaves, wide=True))
    return rows


def is_drawable(node: Node) -> bool:
    """Whether a layer is made of Elman's and Jordan's cells alone."""
    found = [cell for _, cell in cells_of(node.layer)]
    return bool(found) and all(isinstance(cell, (SimpleRNN, SimpleRNNCell, JordanCell)) for cell in found)


def recurrent_nodes(node: Node) -> list[Node]:
    """Return the node if it can be drawn, or those of both directions."""
    layer = node.layer
    if isinstance(layer, Bidirectional):
        shape = node.inputs[0]
        inner = [
            Node(f"{node.name}/{label}", type(one).__name__, node.inputs, one.compute_output_shape(shape),
                 one.count_params(), one)
            for label, one in layer.inner.items()
        ]  # fmt: skip
        return [found for one in inner for found in recurrent_nodes(one)]
    return [node] if is_drawable(node) else []


def _cell_rows(
    node: Node, inside: str, cell: Any, index: str, places: dict[int, int], backwards: bool
) -> Iterator[Row]:
    """Yield the row of Elman's cell, or both of Jordan's."""
    kind = type(cell).__name__ if inside else node.kind
    about = f"{node.name}{inside}\n{kind}, {cell.activation.name}\n{_count(cell.count_params(), 'parameter')}"
    row = Row(node, about, f"h{index}", _count(cell.units, "unit"), places, _shown(places), backwards=backwards)
    row.kernel = "K: {} x {}".format(*cell.kernel.shape)
    jordan = isinstance(cell, JordanCell)
    if jordan:
        yield row
        about, size = f"its output\n{cell.output_activation.name}", _count(cell.output_units, "output")
        row = Row(node, about, f"y{index}", size, places, _shown(places), backwards=backwards)
        row.kernel = "V: {} x {}".format(*cell.output_kernel.shape)
    row.returns = "y" if jordan else "h"
    row.start = f"$c{index}_0$" if jordan else f"$h{index}_{{-1}}$"
    given = len(node.inputs) > (2 if isinstance(node.layer, JordanRNN) else 1)  # Jordan's second input: true outputs
    row.initial = "given" if given else "kept" if node.layer.stateful else "= 0"
    row.recurrent_kernel = "U: {} x {}".format(*cell.recurrent_kernel.shape)
    if jordan and cell.decay:
        row.recurrent_kernel += f"\n$c{index}_{{t+1}} = {cell.decay:g} c{index}_t + y{index}_t$"
    yield row


def _input_row(node: Node, timesteps: int | None, backwards: bool) -> Row:
    shape, places = output_shapes(node.output)[0], _places(timesteps, backwards)
    if timesteps is None:
        return Row(node, _about(node), "", _size(shape[1:], "feature"), places, _shown(places))
    size = _size(shape[2:], "feature") or "1 index"
    return Row(node, _about(node), "x", size, places, _shown(places), backwards=backwards)


def _plain(node: Node, places: dict[int, int], wide: bool = False) -> Row:
    """Return the row of a layer without a state; a wide one has the `places` that it sends to."""
    layer = node.layer.layer if isinstance(node.layer, TimeDistributed) else node.layer
    kernel = getattr(layer, "kernel", None)
    label = "" if kernel is None else "kernel: {} x {}".format(*kernel.shape)
    shape = output_shapes(node.output)[0]
    size = _size(shape[1 if len(shape) == 2 else 2 :], "unit" if label else "feature")
    if wide:
        size = f"{_shape(output_shapes(node.inputs[0])[0])} to {_shape(shape)}"
    return Row(node, _about(node), "", size, {} if wide else places, _shown(places), wide, kernel=label)


def _input_steps(nodes: Sequence[Node], steps: int | None) -> int | None:
    """Return how many steps the input has, or None where it is no sequence."""
    shape = output_shapes(nodes[0].output)[0]
    indices = len(nodes) > 1 and isinstance(nodes[1].layer, Embedding)
    return _steps(shape, steps) if len(shape) > 2 or (indices and len(shape) == 2) else None


def _steps(shape: Any, steps: int | None) -> int:
    """Return the steps of a sequence, `steps` where its shape (batch, timesteps, ...) leaves them open."""
    length: int | None = shape[1] or steps
    if length is None:
        raise ValueError("unrolled: the model takes any number of time steps, so timesteps must say how many to draw.")
    if steps not in (None, length):
        raise ValueError(f"unrolled: the model takes {length} time steps, got timesteps {steps}.")
    return length


def _reads_backwards(nodes: Sequence[Node]) -> bool:
    """Whether the first recurrent layer reads the input from its end: the columns are in the order of its steps."""
    for node in nodes:
        if node.recurrent:
            return bool(node.layer.go_backwards)
        if node.kind != "InputLayer" and not isinstance(node.layer, _STEP_BY_STEP):
            return False
    return False


def _places(steps: int | None, backwards: bool) -> dict[int, int]:
    """Return the column of each step that is shown."""
    if steps is None:
        return {0: 0}
    shown = list(range(steps)) if steps <= MOST_STEPS else [0, 1, 2, DOTS, steps - 1]
    if backwards:
        shown = [t if t == DOTS else steps - 1 - t for t in shown]
    return {t: column for column, t in enumerate(shown)}


def _shown(places: dict[int, int]) -> list[int]:
    return [column for t, column in places.items() if t != DOTS]


def _count(number: int | None, what: str) -> str:
    return "" if number is None else f"{number:,} {what}{'' if number == 1 else 's'}"


def _size(shape: Sequence[int | None], what: str) -> str:
    """Return "3 features", or "2 x 3 features" of several axes."""
    if len(shape) > 1:
        return f"{' x '.join(map(str, shape))} {what}s"
    return _count(shape[0], what) if shape else ""


def _shape(shape: Sequence[int | None]) -> str:
    """Return the shape of one sample."""
    return f"({', '.join('any' if size is None else str(size) for size in shape[1:])})"


def _about(node: Node) -> str:
    """Return the text beside a row."""
    parts = [node.name, "input" if node.kind == "InputLayer" else node.kind]
    if node.activation:
        parts[-1] += f", {node.activation}"
    if node.params:
        parts.append(_count(node.params, "parameter"))
    return "\n".join(dict.fromkeys(parts))  # an input that is called input says so once
