"""What ``RNN(cell)`` computed, step by step, for any cell; with more names for those of Elman and Jordan.

Nothing is computed a second time but what a cell does not keep: its ``step`` and ``step_backward`` were watched, and
each step's part of the gradients was copied when it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.activations import Activation as ActivationFunction
from rnn_core.inspection.run import Call, CellCall
from rnn_core.inspection.traces.layers import ActivatedTrace, LayerTrace, Vectors, derivative_of
from rnn_core.inspection.traces.recurrent import ElmanTrace, RecurrentTrace, through
from rnn_core.layers import RNN, Cell, JordanCell, SimpleRNNCell, StackedRNNCells

Array = NDArray[Any]


class CellTrace(RecurrentTrace):
    """A cell that :class:`rnn_core.layers.RNN` ran over time, by itself or in a stack.

    In a stack, `input` and `output` are those of the cell, in processing order. Several states lie side by side.

    Attributes
    ----------
    cell : Cell
    kept : dict of str to ndarray, shape (batch, timesteps, ...)
        What the cell kept at each step, by its own names.
    """

    names: ClassVar[tuple[str, ...]] = (
        "input", "step_input", "state", "output", "d_output", "from_loss", "from_future", "d_state", "d_input",
    )  # fmt: skip
    record: Any

    def __init__(
        self,
        name: str,
        call: Call,
        cell: Cell,
        steps: Sequence[CellCall],
        d_last: Array | None,
        vectors: Vectors,
        outer: Call | None,
    ) -> None:
        super().__init__(name, call, cell, vectors)
        self.cell, self.steps = cell, list(steps)
        self.record = call.record
        self.output_is_state = cell.output_state is not None
        mask = self.record.step_mask  # (T, B, 1)
        self.step_input = _batch_first([step.input[0] for step in steps])
        before, after, through_step = (
            np.array([np.concatenate(states, axis=1) for states in found])  # (T, B, S)
            for found in (
                [step.input[1] for step in steps],
                [step.output[1] for step in steps],
                [step.d_input[1] for step in steps],
            )
        )
        if mask is not None:
            after = np.where(mask, after, before)
        self.state = np.concatenate([before[:1], after]).transpose(1, 0, 2)
        arriving = np.zeros_like(self.state.transpose(1, 0, 2))  # (T + 1, B, S): from the future
        if d_last is not None:
            arriving[-1] = d_last
        self.from_loss = self._from_loss(outer)
        d_outputs = self.from_loss.transpose(1, 0, 2)
        for t in range(len(steps) - 1, -1, -1):
            arriving[t] = through_step[t]
            if mask is not None:  # a masked step hands on what it was given
                arriving[t] += np.where(mask[t], 0, arriving[t + 1])
                if self.output_is_state:
                    arriving[t][:, self.place] += np.where(mask[t], 0, d_outputs[t])
        self.from_future = arriving[1:].transpose(1, 0, 2)
        self.d_state = arriving.transpose(1, 0, 2).copy()
        if self.output_is_state:
            self.d_state[:, 1:, self.place] += self.from_loss
        self.contributions = {name: np.array([step.d_weights[name] for step in steps]) for name in self.d_weights}
        self.kept = _kept(steps, len(self.state))

    @property
    def place(self) -> slice:
        """Where the output lies among the states."""
        sizes, number = self.cell.state_sizes, self.cell.output_state or 0
        return slice(sum(sizes[:number]), sum(sizes[: number + 1]))

    def _from_loss(self, outer: Call | None) -> Array:
        """What each step was given for its output; where that is the layer's, also at masked steps."""
        if outer is None or not self.output_is_state:
            return _batch_first([step.d_output[0] for step in self.steps])
        layer: Any = outer.layer
        d_output = outer.d_output[0] if layer.return_state else outer.d_output
        return np.array(layer._d_outputs(outer.record, d_output).transpose(1, 0, 2))

    @property
    def go_backwards(self) -> bool:
        """Whether step 0 reads the last input; within a stack everything is in processing order."""
        return isinstance(self.layer, RNN) and self.layer.go_backwards

    def _step_back(self, t: int, d_output: Array, d_state: Array) -> Array:
        """What the cell's own ``step_backward`` hands back."""
        ends = np.cumsum(self.cell.state_sizes)[:-1]
        d_states = np.split(d_state.astype(self.cell.dtype), ends, axis=1)
        backward = type(self.cell).step_backward  # the one that is not watched
        _, before = backward(self.cell, self.steps[t].record, d_output.astype(self.cell.dtype), d_states)
        return np.concatenate(before, axis=1).astype(np.float64)


class SimpleRNNCellTrace(CellTrace, ElmanTrace):
    """A SimpleRNNCell that RNN ran over time."""

    names = ElmanTrace.names
    fed_back = symbol = "h"
    cell: SimpleRNNCell

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.step_input = self.kept["x"]  # as dropout left it

    @property
    def activation(self) -> ActivationFunction:
        """act"""
        return self.cell.activation

    @property
    def dropped(self) -> bool:
        """Whether x or h were dropped out."""
        masks = self.steps[0].record.dropout_masks
        return masks is not None and any(mask is not None for mask in masks)

    @property
    def h_previous(self) -> Array:  # type: ignore[override]
        """h_(t-1) * rm"""
        return self.kept["h_previous"]

    @property
    def preactivation(self) -> Array:
        """a_t"""
        return self.kept["preactivation"]

    @cached_property
    def derivative(self) -> Array | None:
        """act'(a_t)"""
        return derivative_of(self.activation, self.kept[_saved(self.activation, "preactivation", "hidden")])

    @cached_property
    def d_preactivation(self) -> Array:
        """da_t = dh_t * act'(a_t)"""
        saved = self.kept[_saved(self.activation, "preactivation", "hidden")]
        d_hidden = _batch_first([step.d_output[0] + step.d_output[1][0] for step in self.steps])
        return _each_step(self.activation, saved, d_hidden)


class JordanTrace(CellTrace, ActivatedTrace):
    """Jordan's network: what comes back is the output.

    ::

        h_t = act(x_t K + c_t U + b)      y_t = out_act(h_t V + b_y)      c_(t+1) = decay c_t + y_t, or the true output

    Attributes
    ----------
    context, d_context : ndarray, shape (batch, timesteps + 1, output_units)
        c_0, c_1, ..., and their gradients: `state` by its name.
    preactivation, hidden, d_hidden, d_preactivation : ndarray, shape (batch, timesteps, units)
    output_preactivation, step_output, d_output_preactivation : ndarray, shape (batch, timesteps, output_units)
    d_fed_back : ndarray, shape (batch, timesteps, output_units)
        dL/dy_t = from_loss + from_future.
    from_future : ndarray, shape (batch, timesteps, output_units)
        dL/dc_(t+1), as it reaches y_t; zero where the true outputs were fed back.
    derivative : ndarray, shape (batch, timesteps, units), or None
        act'(a_t)
    """

    names = (
        "input", "step_input", "context", "preactivation", "hidden", "output_preactivation", "step_output", "output",
        "d_output", "from_loss", "from_future", "d_fed_back", "d_output_preactivation", "d_hidden", "d_preactivation",
        "d_context", "d_input",
    )  # fmt: skip
    fed_back, symbol = "y", "c"
    into_units = ("kernel", "recurrent_kernel", "bias")
    cell: JordanCell

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if self.forced:
            self.from_future = np.zeros_like(self.from_future)

    @property
    def forced(self) -> bool:
        """Whether the true outputs were fed back: teacher forcing."""
        return self.steps[0].record.target is not None

    @property
    def activation(self) -> ActivationFunction:
        """act"""
        return self.cell.activation

    @property
    def context(self) -> Array:
        """c_0, c_1, ..."""
        return self.state

    @property
    def d_context(self) -> Array:
        """dL/dc"""
        return self.d_state

    @property
    def preactivation(self) -> Array:
        """a_t"""
        return self.kept["preactivation"]

    @property
    def hidden(self) -> Array:
        """h_t"""
        return self.kept["hidden"]

    @property
    def output_preactivation(self) -> Array:
        """The pre-activation of y_t."""
        return self.kept["output_preactivation"]

    @property
    def step_output(self) -> Array:
        """y_t"""
        return self.kept["output"]

    @cached_property
    def derivative(self) -> Array | None:
        """act'(a_t)"""
        return derivative_of(self.activation, self.kept[_saved(self.activation, "preactivation", "hidden")])

    @cached_property
    def d_fed_back(self) -> Array:
        """dy_t = from the loss + dc_(t+1)"""
        return self.from_loss + np.where(self.step_mask[:, :, None], self.from_future, 0)

    @cached_property
    def d_output_preactivation(self) -> Array:
        """dy_t * out_act'"""
        activation = self.cell.output_activation
        return _each_step(activation, self.kept[_saved(activation, "output_preactivation", "output")], self.d_fed_back)

    @property
    def d_hidden(self) -> Array:
        """dh_t = da_y Vᵀ"""
        return self.d_output_preactivation @ self.cell.output_kernel.T

    @cached_property
    def d_preactivation(self) -> Array:
        """da_t = dh_t * act'(a_t)"""
        saved = self.kept[_saved(self.activation, "preactivation", "hidden")]
        return _each_step(self.activation, saved, self.d_hidden)

    @property
    def recurrence(self) -> tuple[str, Array]:
        """decay I + U V, from the context to the next one; decay I where the true outputs are fed back."""
        kept = self.cell.decay * np.eye(self.cell.output_units)
        if self.forced:
            return "decay I (the true outputs are fed back)", kept
        product = self.weights["recurrent_kernel"] @ self.weights["output_kernel"]
        return "decay I + U V" if self.cell.decay else "U V", kept + product

    def columns(self) -> dict[str, Array]:
        """Return arrays of one shape (batch, timesteps, output_units), by name: the columns of a table."""
        return {
            "context": self.context[:, :-1],
            "output_preactivation": self.output_preactivation,
            "output": self.step_output,
            "from_loss": self.from_loss,
            "from_future": self.from_future,
            "d_output": self.d_fed_back,
            "d_output_preactivation": self.d_output_preactivation,
        }


def rnn_traces(name: str, call: Call, calls: dict[int, Call], vectors: Vectors) -> Iterator[LayerTrace]:
    """Yield the trace of an RNN: of its cell, or for a stack one of the layer and one of each cell."""
    layer, record = call.layer, call.record
    assert isinstance(layer, RNN)
    d_last = list(call.d_output[1:]) if layer.return_state else [None] * len(layer.state_size)
    if isinstance(layer.cell, StackedRNNCells):
        yield LayerTrace(name, call)
        yield from _stack_traces(name, call, layer.cell, record.steps, calls, d_last, vectors, call)
    else:
        yield _cell_trace(name, call, layer.cell, [calls[id(r)] for r in record.steps], d_last, vectors, call)


def _stack_traces(
    name: str,
    call: Call,
    stack: StackedRNNCells,
    records: Sequence[Any],
    calls: dict[int, Call],
    d_last: list[Any],
    vectors: Vectors,
    outer: Call | None,
) -> Iterator[LayerTrace]:
    start = 0
    for (label, cell), part in zip(stack.inner.items(), vectors.cut(stack), strict=True):
        ours, start = d_last[start : start + len(cell.state_sizes)], start + len(cell.state_sizes)
        inner, above = [r.inner[label] for r in records], outer if cell is stack.cells[-1] else None
        if isinstance(cell, StackedRNNCells):
            yield from _stack_traces(f"{name}/{label}", call, cell, inner, calls, ours, part, above)
            continue
        steps: list[Any] = [calls[id(r)] for r in inner]
        by_itself = Call(cell, call.record, *(_firsts(steps, which) for which in ("input", "output")))
        by_itself.d_output, by_itself.d_input = _firsts(steps, "d_output"), _firsts(steps, "d_input")
        yield _cell_trace(f"{name}/{label}", by_itself, cell, steps, ours, part, above)


def _cell_trace(
    name: str, call: Call, cell: Cell, steps: Any, d_last: list[Any], vectors: Vectors, outer: Call | None
) -> CellTrace:
    kind = next((trace for known, trace in _CELLS.items() if isinstance(cell, known)), CellTrace)
    last = None
    if any(d is not None for d in d_last):
        given = zip(d_last, steps[-1].output[1], strict=True)
        last = np.concatenate([np.zeros_like(state) if d is None else d for d, state in given], axis=1)
    return kind(name, call, cell, steps, last, vectors, outer)


_CELLS: dict[type[Cell], type[CellTrace]] = {SimpleRNNCell: SimpleRNNCellTrace, JordanCell: JordanTrace}


def _kept(steps: Sequence[CellCall], batch: int) -> dict[str, Array]:
    found = [step.record.named_arrays() for step in steps]
    same = [name for name in found[0] if all(name in one and one[name].shape[:1] == (batch,) for one in found)]
    return {name: _batch_first([one[name] for one in found]) for name in same}


def _firsts(steps: Sequence[Any], which: str) -> Array:
    """Return what each step read or put out, without the states: (batch, timesteps, width)."""
    return _batch_first([getattr(step, which)[0] for step in steps])


def _batch_first(steps: Sequence[Array]) -> Array:
    """Return arrays (batch, ...), one for each step, as (batch, timesteps, ...)."""
    return np.stack(steps, axis=1)


def _saved(activation: ActivationFunction, a: str, output: str) -> str:
    return output if activation.needs == "output" else a


def _each_step(activation: ActivationFunction, saved: Array, d: Array) -> Array:
    """Return d * act' step by step, as the cell does."""
    steps = zip(saved.swapaxes(0, 1), d.swapaxes(0, 1), strict=True)
    return _batch_first([through(activation, np.ascontiguousarray(a), np.ascontiguousarray(dy)) for a, dy in steps])
