r"""A recurrent layer from any cell: the loop over time, forwards and back.

The cell knows one step; here are the sequence, the masks, the states and the sum over time::

    forward, t = 0 .. T-1                          backward, t = T-1 .. 0

    y_t, s_t = step(x_t, s_(t-1))                  dx_t, ds_(t-1) = step_backward(dy_t, ds_t)
                                                   dW += what step_backward filled for step t
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.denormals import flush
from rnn_core.layers.base import InputShape, Layer
from rnn_core.layers.cell import Cell
from rnn_core.layers.recurrent import Recurrent
from rnn_core.layers.rnn_record import RNNRecord
from rnn_core.layers.stacked_cells import StackedRNNCells, cell_from_config
from rnn_core.layers.wrapper import Wrapper
from rnn_core.serialization import serialize, snake_case

Array = NDArray[Any]

_FLUSH_EVERY = 8
"""Backward steps between two looks at a decayed gradient, as in SimpleRNN."""


class RNN(Recurrent, Wrapper):
    """A recurrent layer that runs a cell over time.

    Parameters
    ----------
    cell : Cell, or a list of them
        What one step does: see :class:`rnn_core.layers.Cell`. A list is stacked, see :class:`StackedRNNCells`.
    return_sequences : bool
        Return every output (batch, timesteps, output_size) instead of the last one (batch, output_size).
    return_state : bool
        Return ``(output, *states)`` when called.
    go_backwards : bool
        Go through the sequence from its end; the outputs stay in that order.
    stateful : bool
        Start each batch from the states after the batch before. The batch size must then be fixed.
    unroll : bool
        Accepted and without effect: there is no graph to unroll.
    zero_output_for_mask : bool
        Output 0 at masked steps instead of the output before.
    **kwargs
        As for every layer: name, dtype (the cell's), trainable, input_shape.

    Attributes
    ----------
    cell : Cell
        Its weights are the layer's, as ``layer.cell.kernel`` and by the name "simple_rnn_cell/kernel".
    states : list of ndarray, each (batch, size)
        Only with `stateful`: views into one array `state`.

    Raises
    ------
    TypeError, ValueError
        For what is no cell, a cell that another layer has, and inputs that are not (batch, timesteps, features).

    Notes
    -----
    At a masked step all states carry over and the output is the one before; before the first output it is the initial
    state where the cell's output is a state (``output_state``), else zero. Dropout is drawn once a batch and held fixed
    over time. As ``keras.layers.RNN`` (``keras/src/layers/rnn/rnn.py``).

    ``SimpleRNN(...)`` computes the same as ``RNN(SimpleRNNCell(...))``, with products over all time steps at once.

    Examples
    --------
    >>> from rnn_core.layers import SimpleRNNCell
    >>> layer = RNN(SimpleRNNCell(1, activation=None, kernel_initializer="ones", recurrent_initializer="ones"))
    >>> layer(np.array([[[1.0], [2.0], [3.0]]]))
    array([[6.]], dtype=float32)
    """

    record_type: ClassVar[type[RNNRecord]] = RNNRecord

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        if not isinstance(cell, Cell):
            raise TypeError(f"{type(self).__name__}: cell must be a rnn_core cell or a list of them, got {cell!r}.")
        super().__init__(
            inner={snake_case(type(cell).__name__): cell},
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            **kwargs,
        )
        self.cell = cell

    @property
    def state_size(self) -> list[int]:
        """The widths of all states."""
        return self.cell.state_sizes

    @property
    def output_size(self) -> int:
        """The width of the cell's output."""
        return self.cell.output_size

    @property
    def states(self) -> list[Array] | None:
        """The states that a stateful layer carries from batch to batch, as views."""
        if self.state is None:
            return None
        return np.split(self.state, np.cumsum(self.state_size)[:-1], axis=1)

    def inner_shapes(self, input_shape: Any) -> list[InputShape]:
        """Return what the cell gets: (batch, features)."""
        return [(input_shape[0], input_shape[2])]

    def check_input_shape(self, shape: Any) -> None:
        """Raise ValueError where `shape` is not (batch, timesteps, features), states aside."""
        shape = self.input_shape_of(shape)
        Layer.check_input_shape(self, shape)  # the cell would complain about shapes that nobody gave

    def give_states(self, r: RNNRecord, initial_state: Any, batch: int) -> None:
        """Check initial states that a caller gave, and hand them to the record `r`."""
        label = f"{type(self).__name__} {self.name!r}: initial_state"
        r.given_states = self.cell.checked_states(label, initial_state, batch)

    # The two passes.

    def forward(self, r: RNNRecord, x: Any, training: bool = False) -> Any:
        """y_t, s_t = step(x_t, s_(t-1)), and at masked steps y_(t-1), s_(t-1) again"""
        if isinstance(x, list):
            r.given = len(x)
            x, *states = x
            r.given_states = states or None
        mask = r.mask[0] if isinstance(r.mask, list) else r.mask
        r.output_mask = mask if self.return_sequences else None
        r.step_mask = None if mask is None else self._in_order(mask.T[:, :, None])
        r.x[...] = self._in_order(x.transpose(1, 0, 2))
        masks = self.cell.dropout_masks(x.shape[0], x.shape[2]) if training else None
        states, output = self._start(r)
        for t, step in enumerate(r.steps):
            step.dropout_masks = masks
            new_output, new_states = self.cell.step(step, r.x[t], states)
            if t == 0:
                self._check_step(r, new_output, new_states)
            if r.step_mask is None:
                output, states = new_output, new_states
            else:
                real = r.step_mask[t]
                output = np.where(real, new_output, output)
                states = [np.where(real, new, old) for new, old in zip(new_states, states, strict=True)]
            r.outputs[t] = output
        r.states = states
        if self.state is not None:
            np.concatenate(states, axis=1, out=self.state)
        outputs = r.outputs
        if self.zero_output_for_mask and r.step_mask is not None:
            outputs = outputs * r.step_mask
        result = outputs.transpose(1, 0, 2) if self.return_sequences else outputs[-1]
        return (result, *states) if self.return_state else result

    def backward(self, r: RNNRecord, d_output: Any) -> Any:
        """dx_t, ds_(t-1) = step_backward(dy_t, ds_t);  dW = sum over t"""
        d_given: list[Any] = list(d_output) if self.return_state else [d_output]
        d_outputs = self._d_outputs(r, d_given[0])
        d_states = [np.zeros_like(state) for state in r.states]
        for d_state, d in zip(d_states, d_given[1:], strict=False):
            if d is not None:
                d_state += d
        carried = np.zeros_like(d_outputs[0])  # what masked steps hand on to the output before
        if r.d_input is None:
            r.d_input = np.empty_like(r.x)
        r.d_vector.fill(0)
        for t in range(len(r.steps) - 1, -1, -1):
            dy, passed = d_outputs[t], None
            if r.step_mask is not None:  # a masked step hands both on as they are, and takes no part
                real, dy = r.step_mask[t], dy + carried
                carried, dy = np.where(real, 0, dy), np.where(real, dy, 0)
                passed = [np.where(real, 0, d) for d in d_states]
                d_states = [np.where(real, d, 0) for d in d_states]
            r.d_input[t], d_states = self.cell.step_backward(r.steps[t], dy, d_states)
            if passed is not None:
                d_states = [d + p for d, p in zip(d_states, passed, strict=True)]
            r.d_vector += r.d_step
            if t % _FLUSH_EVERY == 0:
                d_states = [_flushed(d) for d in d_states]
        if self.cell.output_state is not None and r.step_mask is not None:
            d_states[self.cell.output_state] = d_states[self.cell.output_state] + carried
        r.d_states = d_states
        d_input = self._in_order(r.d_input).transpose(1, 0, 2) if r.needs_d_input else None
        return [d_input, *d_states][: r.given] if r.given else d_input

    def _in_order(self, array: Array) -> Array:
        """Turn a time-major array to the order in which the steps are taken, or back."""
        return array[::-1] if self.go_backwards else array

    def _start(self, r: RNNRecord) -> tuple[list[Array], Array]:
        """Return the initial states, and what masked steps put out before there is an output."""
        states = self.states if r.given_states is None else r.given_states
        for i, home in enumerate(r.initial_states):  # copied: a stateful layer goes on to change its states
            home[...] = 0 if states is None else states[i]
        if self.cell.output_state is None:
            return list(r.initial_states), np.zeros_like(r.outputs[0])
        return list(r.initial_states), r.initial_states[self.cell.output_state]

    def _check_step(self, r: RNNRecord, output: Any, states: Any) -> None:
        """Raise ValueError where the cell did not return what its sizes promise."""
        expected = [r.outputs.shape[1:], [state.shape for state in r.initial_states]]
        is_list = isinstance(states, (list, tuple))
        got = [np.shape(output), [np.shape(state) for state in states] if is_list else np.shape(states)]
        if got != expected:
            raise ValueError(
                f"{type(self.cell).__name__} {self.cell.name!r}: step must return the output, {expected[0]}, and a "
                f"list of the new states, {expected[1]}; got {got[0]} and {got[1]}."
            )

    def _d_outputs(self, r: RNNRecord, d_output: Array | None) -> Array:
        """Return dy_t for all steps, shape (T, B, output_size); zero where the step's output was not used."""
        if self.return_sequences and d_output is not None:
            d_outputs = d_output.transpose(1, 0, 2)
        else:
            d_outputs = np.zeros_like(r.outputs)
            if d_output is not None:
                d_outputs[-1] = d_output
        if self.zero_output_for_mask and r.step_mask is not None:
            d_outputs = d_outputs * r.step_mask
        return d_outputs

    # Configuration.

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the cell as a nested config."""
        return {**super().get_config(), "cell": serialize(self.cell, "keras.layers")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the cell, and a layer that runs it."""
        return cls(**{**config, "cell": cell_from_config(config["cell"])})


def _flushed(d: Array) -> Array:
    """Return `d` without denormal numbers, as a copy: it may be any array of the cell's."""
    d = d.copy()
    flush(d)
    return d
