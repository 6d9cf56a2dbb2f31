"""What a cell is: one time step of a recurrent layer, forwards and backwards.

To write a recurrent layer of your own, write its cell; :class:`rnn_core.layers.RNN` runs it over sequences, with masks,
initial states, stateful batches and both directions. A cell states

- ``state_size``: the width of its state, or a list of widths where it has several;
- its weights, in ``build``, with ``add_weight``;
- ``step(r, x, states)``, which returns the output and the new states;
- ``step_backward(r, d_output, d_states)``, which returns ``dx`` and the gradients of the states it was given.

Every time step has a record `r` of its own. What ``step`` keeps there ``step_backward`` finds there again, and it fills
the gradients of this step's weights, ``r.d_kernel`` for the weight ``kernel``; `RNN` adds them up over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.data import as_numeric
from rnn_core.graph import is_symbolic
from rnn_core.layers.base import InputShape, Layer, Shape
from rnn_core.records import Record

Array = NDArray[Any]


class CellRecord(Record):
    """One time step of a cell: whatever its ``step`` keeps for its ``step_backward``.

    Attributes
    ----------
    dropout_masks : Any
        What the cell's ``dropout_masks`` drew for this batch, the same at every step; None outside training.
    d_kernel, ... : ndarray
        Where the gradient of each weight goes, under its name; only in records that are made for training.
    """

    dropout_masks: Any = None

    def __init__(self, cell: Layer, d_vector: Array | None = None) -> None:
        self.gradients = {} if d_vector is None else {f"d_{n}": view for n, view in cell.views(d_vector).items()}
        vars(self).update(self.gradients)

    def named_arrays(self) -> dict[str, Array]:
        """Return what the step kept, without the gradients of the weights: all steps write those to one place."""
        return {name: array for name, array in super().named_arrays().items() if name not in self.gradients}


class Cell(Layer):
    """The base of all cells: one step from (x, states) to (output, new states).

    Attributes
    ----------
    state_size : int or list of int
    output_size : int
        By default the width of the state that is the output.
    output_state : int or None
        Which of the states the output is, 0 in most cells, or None: a masked step repeats the output before it, and
        before the first output that is this state, or zero.

    Notes
    -----
    ``step`` must not write into `x` or `states`, but may keep references to them. ``d_output`` and ``d_states`` are
    always arrays, zero where nothing comes back, and must not be written into either.

    Examples
    --------
    A leaky sum, ``s' = decay * s + x``, with a weight to learn:

    >>> from rnn_core.layers import RNN, Cell
    >>> class LeakySum(Cell):
    ...     state_size = 2
    ...
    ...     def build(self, input_shape):
    ...         self.add_weight("decay", (2,), "ones")
    ...
    ...     def step(self, r, x, states):
    ...         (r.s,) = states
    ...         s = self.decay * r.s + x
    ...         return s, [s]
    ...
    ...     def step_backward(self, r, d_output, d_states):
    ...         ds = d_output + d_states[0]
    ...         r.d_decay[...] = (ds * r.s).sum(axis=0)
    ...         return ds, [ds * self.decay]
    >>> RNN(LeakySum())(np.ones((1, 5, 2)))
    array([[5., 5.]], dtype=float32)
    """

    ranks: ClassVar[tuple[int, ...]] = (2,)
    input_layout: ClassVar[str] = "(batch, features)"

    state_size: Any
    output_state: int | None = 0

    # What a cell states.

    def step(self, r: Any, x: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        """Compute ``(output, new states)`` from `x` (batch, features) and `states`, each (batch, size)."""
        raise NotImplementedError(f"{type(self).__name__} must define step(self, r, x, states).")

    def step_backward(self, r: Any, d_output: Array, d_states: list[Array]) -> tuple[Array, list[Array]]:
        """Fill the gradients of the weights; return ``(dx, gradients of the states that step was given)``."""
        raise NotImplementedError(f"{type(self).__name__} must define step_backward(self, r, d_output, d_states).")

    def dropout_masks(self, batch: int, features: int) -> Any:
        """Draw what is random in training, once a batch; ``step`` finds it as ``r.dropout_masks``."""
        return None

    # What follows from it.

    @property
    def state_sizes(self) -> list[int]:
        """The widths of all states, however they are nested in `state_size`."""
        return _flat(self.state_size)

    @property
    def output_size(self) -> int:
        """The width of the output."""
        if self.output_state is None:
            raise NotImplementedError(f"{type(self).__name__} must define output_size: its output is no state.")
        return self.state_sizes[self.output_state]

    def get_initial_state(self, batch_size: int) -> list[Array]:
        """Return the states before the first step: zeros (batch, size)."""
        return [np.zeros((batch_size, size), self.dtype) for size in self.state_sizes]

    def compute_output_shape(self, input_shape: InputShape) -> InputShape:
        """Return (batch, output_size)."""
        return (input_shape[0], self.output_size)

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> CellRecord:
        """Make the record of one step for inputs (batch, features)."""
        return CellRecord(self, d_vector)

    def checked_states(self, label: str, states: Any, batch: int) -> list[Array]:
        """Return states given by a caller as a list of arrays (batch, size); a single one may come without a list."""
        sizes = self.state_sizes
        is_list = isinstance(states, (list, tuple))
        if not is_list or (len(sizes) == 1 and states and np.ndim(states[0]) < 2):  # one state, perhaps as nested lists
            states = [states]
        arrays = [as_numeric(label, state).astype(self.dtype, copy=False) for state in states]
        expected, got = [(batch, size) for size in sizes], [array.shape for array in arrays]
        if got != expected:
            raise ValueError(
                f"{label} must be {len(sizes)} array{'s' * (len(sizes) > 1)} of shape "
                f"{' and '.join(map(str, expected))}, (batch, size of the state), got "
                f"{' and '.join(map(str, got)) or 'none'}."
            )
        return arrays

    def __call__(self, inputs: Any, states: Any, training: bool = False) -> Any:  # type: ignore[override]
        """Take one step: return the output (batch, output_size) and the new states, a list where `states` is one."""
        if is_symbolic(inputs):
            raise TypeError(f"{type(self).__name__} {self.name!r} is a cell, one time step: call RNN(cell) on symbols.")
        x = self.convert(inputs)
        given = self.checked_states(f"{type(self).__name__} {self.name!r}: states", states, len(x))
        r = self.new_record(x.shape)
        r.dropout_masks = self.dropout_masks(*x.shape) if training else None
        output, new = self.step(r, x, given)
        return output, list(new) if isinstance(states, (list, tuple)) else new[0]


def _flat(sizes: Any) -> list[int]:
    return [size for part in sizes for size in _flat(part)] if isinstance(sizes, Sequence) else [sizes]
