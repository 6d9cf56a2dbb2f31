"""Where :class:`RNN` writes what it computes, with a record of the cell's for each time step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.layers.base import Shape
from rnn_core.records import Record

if TYPE_CHECKING:
    from rnn_core.layers.rnn import RNN

Array = NDArray[Any]


class RNNRecord(Record):
    """What :class:`RNN` computes for one batch (T timesteps, B batch, F features), in processing order.

    Attributes
    ----------
    x : ndarray, shape (T, B, F)
    steps : list of CellRecord
        One for each time step.
    outputs : ndarray, shape (T, B, output_size)
        After a masked step, the output before it again.
    states : list of ndarray, each (B, size)
        After the last step.
    d_states : list of ndarray, each (B, size)
        The gradients of the initial states, after ``backward``.
    d_step : ndarray
        The gradients of the weights from one time step, laid out like the weights.
    d_vector : ndarray
        Their sum over all steps.
    """

    def __init__(self, layer: RNN, shape: Shape, d_vector: Array | None) -> None:
        batch, timesteps, features = shape
        self.x = np.empty((timesteps, batch, features), layer.dtype)
        self.outputs = np.empty((timesteps, batch, layer.cell.output_size), layer.dtype)
        self.step_mask: Array | None = None  # (T, B, 1)
        self.given = 0  # in a graph: the number of inputs that came in a list, initial states among them
        self.given_states: list[Array] | None = None  # where a call gives initial states
        self.initial_states = layer.cell.get_initial_state(batch)
        self.states: list[Array] = []
        self.d_states: list[Array] = []
        self.d_input: Array | None = None  # (T, B, F), made when it is first asked for
        self.d_step: Array | None = None
        if d_vector is not None:
            self.d_vector, self.d_step = d_vector, np.empty_like(d_vector)
        self.steps = [layer.cell.new_record((batch, features), self.d_step) for _ in range(timesteps)]

    def named_arrays(self) -> dict[str, Array]:
        """Return the arrays of the record, and what the cell kept at its steps, stacked over time: (T, B, size)."""
        steps = [step.named_arrays() for step in self.steps]
        over_time = {name: np.stack([step[name] for step in steps]) for name in steps[0]}
        return {**super().named_arrays(), **over_time}
