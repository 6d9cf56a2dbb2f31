"""Cells on top of one another that step together, as one cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from numpy.typing import NDArray

from rnn_core.layers.base import InputShape, Shape
from rnn_core.layers.cell import Cell, CellRecord
from rnn_core.layers.wrapper import Wrapper
from rnn_core.serialization import serialize, snake_case, suggestion

Array = NDArray[Any]


class StackedRecord(CellRecord):
    """The records of all cells for one step."""

    def __init__(self, stack: StackedRNNCells, shape: Shape, d_vector: Array | None) -> None:
        super().__init__(stack)
        self.inner = stack.inner_records(shape, d_vector)
        self.steps = list(self.inner.values())

    def named_arrays(self) -> dict[str, Array]:
        """Return the arrays of all cells, filed as their weights are: ``"simple_rnn_cell/hidden"``."""
        return {f"{label}/{name}": a for label, r in self.inner.items() for name, a in r.named_arrays().items()}


class StackedRNNCells(Wrapper, Cell):
    """Several cells as one: the output of each is the input of the next, at the same time step.

    ::

        x -> cells[0] -> cells[1] -> ... -> output        each with states of its own

    Parameters
    ----------
    cells : list of Cell
    **kwargs
        As for every layer.

    Attributes
    ----------
    state_size : list
        That of each cell.

    Raises
    ------
    TypeError, ValueError
        For what is no cell, for no cells at all, one cell twice, and cells of other layers.

    Notes
    -----
    Weights are filed under their cells: ``"simple_rnn_cell/kernel"``, ``"simple_rnn_cell_1/kernel"``. States are one
    flat list, those of the first cell first; where a cell has several, Keras nests them. As
    ``keras.layers.StackedRNNCells`` (``keras/src/layers/rnn/stacked_rnn_cells.py``).

    Examples
    --------
    >>> import numpy as np
    >>> from rnn_core.layers import RNN, SimpleRNNCell
    >>> layer = RNN(StackedRNNCells([SimpleRNNCell(8), SimpleRNNCell(3)]))
    >>> layer(np.zeros((2, 5, 4))).shape, layer.count_params()
    ((2, 3), 140)
    """

    def __init__(self, cells: Sequence[Cell], **kwargs: Any) -> None:
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ValueError(f"StackedRNNCells: cells must be a list of at least one cell, got {cells!r}.")
        for cell in cells:
            if not isinstance(cell, Cell):
                raise TypeError(f"StackedRNNCells: cells must be rnn_core cells, got {type(cell).__name__}: {cell!r}.")
        if len(set(map(id, cells))) < len(cells):
            raise ValueError("StackedRNNCells: a cell can stand in the stack once; make another one.")
        super().__init__(dict(zip(_labels(cells), cells, strict=True)), **kwargs)
        last = cells[-1].output_state
        below = sum(len(cell.state_sizes) for cell in cells[:-1])
        self.output_state = None if last is None else below + last

    @property
    def cells(self) -> list[Any]:
        """The cells, the one that gets the input first."""
        return list(self.inner.values())

    @property
    def state_size(self) -> list[Any]:
        """The sizes of all states, an entry for each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The width of the last cell's output."""
        size: int = self.cells[-1].output_size
        return size

    def inner_shapes(self, input_shape: Any) -> list[InputShape]:
        """Return what each cell gets: the output of the one before."""
        widths = [input_shape[1], *(cell.output_size for cell in self.cells[:-1])]
        return [(input_shape[0], width) for width in widths]

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> StackedRecord:
        """Make the records of one step."""
        return StackedRecord(self, shape, d_vector)

    def dropout_masks(self, batch: int, features: int) -> list[Any]:
        """Draw those of every cell."""
        shapes = self.inner_shapes((batch, features))
        return [cell.dropout_masks(*shape) for cell, shape in zip(self.cells, shapes, strict=True)]

    def step(self, r: StackedRecord, x: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        """x_(i+1) = output of cells[i] for x_i"""
        new: list[Array] = []
        masks = r.dropout_masks or [None] * len(self.cells)
        for cell, step, given, drawn in zip(self.cells, r.steps, self._by_cell(states), masks, strict=True):
            step.dropout_masks = drawn
            x, states = cell.step(step, x, given)
            new += states
        return x, new

    def step_backward(self, r: Any, d_output: Array, d_states: list[Array]) -> tuple[Array, list[Array]]:
        """dx_i = what cells[i] hands back for dx_(i+1)"""
        d_given: list[Array] = []
        backwards = zip(self.cells[::-1], r.steps[::-1], self._by_cell(d_states)[::-1], strict=True)
        for cell, step, d_new in backwards:
            d_output, d_before = cell.step_backward(step, d_output, d_new)
            d_given = [*d_before, *d_given]
        return d_output, d_given

    def _by_cell(self, states: list[Array]) -> list[list[Array]]:
        cut, start = [], 0
        for cell in self.cells:
            end = start + len(cell.state_sizes)
            cut.append(list(states[start:end]))
            start = end
        return cut

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, each cell as a nested config."""
        return {**super().get_config(), "cells": [serialize(cell, "keras.layers") for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the cells, and stack them."""
        return cls(**{**config, "cells": [cell_from_config(entry) for entry in config["cells"]]})


def cell_from_config(config: dict[str, Any]) -> Cell:
    """Make a cell from its nested config, of any class that is defined, those outside this engine too."""
    known: dict[str, type[Cell]] = {}
    ahead: list[type[Cell]] = [Cell]
    while ahead:
        kind = ahead.pop()
        known[kind.__name__] = kind
        ahead += kind.__subclasses__()
    name = config["class_name"]
    if name not in known:
        raise ValueError(f"There is no cell {name!r}.{suggestion(name, known)}")
    return known[name].from_config(dict(config["config"]))


def _labels(cells: Sequence[Cell]) -> list[str]:
    """Return what the cells' weights are filed under: the class with a running number, whatever the cells' names."""
    counts: Counter[str] = Counter()
    labels = []
    for cell in cells:
        label = snake_case(type(cell).__name__)
        labels.append(f"{label}_{counts[label]}" if counts[label] else label)
        counts[label] += 1
    return labels
