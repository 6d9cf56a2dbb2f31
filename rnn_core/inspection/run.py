"""A training step's forward and backward pass on a copy of a model, watched, and run again as often as needed.

The copy has the model's weights, states and streams of random numbers, so it does what the next training step of the
model would do, and the model itself is left as it was. What runs is ``training.Step``, as in ``fit``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core import config
from rnn_core.blas import single_thread
from rnn_core.engine.loop import Step
from rnn_core.layers import Cell
from rnn_core.layers.base import Layer, checked_mask
from rnn_core.models import Model
from rnn_core.several import as_list, each, rows, shape_of

Array = NDArray[Any]


class Call:
    """One call of a layer: its record, what went in and came out, and the gradients of both; lists for several."""

    def __init__(self, layer: Layer, record: Any, x: Any, output: Any) -> None:
        self.layer, self.record = layer, record
        self.input, self.output = x, output
        self.d_output: Any = None
        self.d_input: Any = None


class CellCall(Call):
    """One time step of a cell. What goes in, and its gradient, is x and the states; what comes out, y and the states.

    Attributes
    ----------
    d_weights : dict of str to ndarray
        What the step adds to the gradient of each weight.
    """

    d_weights: dict[str, Array]


class Run:
    """One batch of data through a copy of `model`.

    Parameters
    ----------
    owner : str
        Who asks, for error messages.
    model : Model
        Built and compiled.
    x, y, sample_weight, mask
        As for :func:`rnn_core.inspection.trace`.
    training : bool
        Whether dropout is applied, and true outputs are fed back where a layer is given them.
    dtype : {"float32", "float64"}, optional
        What the copy computes in; by default what the model does.

    Attributes
    ----------
    model : Model
        The copy.
    calls : dict of int to Call
        What the last pass did, by the identity of the record, also of the layers inside others.
    d_data : ndarray, shape (parameters,)
        The gradient without that of the weights' regularizers, after :meth:`backward`.
    d_parts : list of ndarray
        The part of it that each call in the graph adds.
    """

    def __init__(
        self,
        owner: str,
        model: Model,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        mask: Any = None,
        *,
        training: bool = True,
        dtype: str | None = None,
    ) -> None:
        self.model, self.x, self.y, self.weight = own_copy(owner, model, x, y, sample_weight, dtype)
        self.mask = _checked_masks(mask, self.x)
        self.calls: dict[int, Call] = {}
        for layer in self.model.layers:
            _watch(layer, self.calls)
        self.step = Step(self.model, shape_of(self.x), shape_of(self.y), training=True)
        self.step.training = training  # records for a backward pass, with or without dropout
        for record in self.step.passes.records:
            record.needs_d_input = True
        if self.mask is not None:  # a pass knows masks, a training step does not
            self.step.passes.forward = partial(self.step.passes.forward, mask=self.mask)  # type: ignore[method-assign]
        self._start = [(part, _state_of(part)) for layer in self.model.layers for part in _changing(layer)]
        self.d_data: Array = np.empty(0)
        self.d_parts: list[Array] = []

    def forward(self) -> float:
        """Return the loss, penalties included, as the step reports it: the same in every call."""
        for part, state in self._start:
            _set_state(part, state)
        with single_thread, np.errstate(over="ignore", invalid="ignore"):
            return self.step.loss(self.x, self.y, self.weight)

    def backward(self) -> Array:
        """Return the gradient of all weights, after :meth:`forward`."""
        assert self.step.d_output is not None
        with single_thread, np.errstate(over="ignore", invalid="ignore"):
            self.step.passes.backpropagate(self.step.d_output)
            self.d_data = self.model.d_vector.copy()
            self.d_parts = [np.empty(0) if part is None else part.copy() for part in self.step.passes.d_parts]
            for regularizer, w, d_w in self.step.regularized:
                regularizer.add_gradient(w, d_w)
        return self.model.d_vector


def own_copy(
    owner: str, model: Model, x: Any, y: Any, sample_weight: Any = None, dtype: str | None = None
) -> tuple[Model, Any, Any, Any]:
    """Return a copy of a built and compiled model, and the data as it takes them: lists where there are several."""
    if not isinstance(model, Model):
        raise TypeError(f"{owner}: model must be a Model, got {type(model).__name__}.")
    model._require_built(owner)
    model._require_loss(owner)
    twin = copy.deepcopy(model) if dtype is None else cast(model, dtype)
    x, y, sample_weight = twin._checked_data(x, y, sample_weight)
    return twin, each(np.asarray, x), each(np.asarray, y), sample_weight


def cast(model: Model, dtype: str) -> Model:
    """Return a copy of a built model that computes in `dtype`: weights, states, optimizer and its state.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input
    >>> from rnn_core.models import Sequential
    >>> cast(Sequential([Input((3,)), Dense(2)]), "float64").get_weights()[0].dtype
    dtype('float64')
    """
    before = config.floatx()
    config.set_floatx("float64")  # so that the learning rate is taken over as it is
    try:
        twin = copy.deepcopy(model)
        optimizer, twin.optimizer = twin.optimizer, None
        for layer in twin.layers:
            _cast_layer(layer, dtype)
        for layer in twin.graph.input_layers:
            layer.dtype = dtype
        twin.dtype = dtype
        twin._make_vector()
        twin._forget_records()
        if optimizer is not None:
            twin.optimizer = type(optimizer).from_config(optimizer.get_config())
            if optimizer.built:
                twin.prepare_training()
                twin.optimizer.set_state(optimizer.get_state())
    finally:
        config.set_floatx(before)
    return twin


def _cast_layer(layer: Layer, dtype: str) -> None:
    for inner in _inside(layer):
        _cast_layer(inner, dtype)
    layer.dtype = dtype
    layer.bind(layer.vector.astype(dtype))  # the weights of layers inside are views into it again
    state = vars(layer).get("state")
    if isinstance(state, np.ndarray):
        vars(layer)["state"] = state.astype(dtype)


def _inside(layer: Layer) -> list[Any]:
    """Return the layers inside another one."""
    return list(getattr(layer, "inner", {}).values())


def output_masks(model: Model, x: Any) -> list[Array | None]:
    """Return which outputs count, (samples, timesteps) for each output of a model; None for all."""
    if not any(layer.makes_mask for layer in model.layers):
        return [None] * len(model.graph.outputs)
    batch = model._fixed_batch() or 256  # no more records at once than a step of training has
    found = []
    for start in range(0, rows(x), batch):
        part = each(lambda array: array[start : start + batch], x)  # noqa: B023
        passes = model.new_pass(shape_of(part))
        passes.forward(part)
        found.append(as_list(passes.output_mask))
    return [None if of_one[0] is None else np.concatenate(of_one) for of_one in zip(*found, strict=True)]


def _checked_masks(mask: Any, x: Any) -> Any:
    if not isinstance(x, list):
        return checked_mask(mask, x.shape)
    if mask is None:
        return None
    if not isinstance(mask, (list, tuple)) or len(mask) != len(x):
        raise ValueError(f"mask must be a list with an entry, or None, for each of the {len(x)} inputs.")
    return [checked_mask(one, part.shape) for one, part in zip(mask, x, strict=True)]


def _watch(layer: Layer, calls: dict[int, Call]) -> None:
    """Let `layer`, and those inside it, write down every call of its two passes; nothing else about them changes."""
    for inner in _inside(layer):
        _watch(inner, calls)
    if isinstance(layer, Cell):
        _watch_cell(layer, calls)
        return
    run_forward, run_backward = layer.forward, layer.backward

    def forward(r: Any, x: Any, training: bool = False) -> Any:
        output = run_forward(r, x, training)
        calls[id(r)] = Call(layer, r, x, output)
        return output

    def backward(r: Any, d_output: Any) -> Any:
        call = calls[id(r)]
        call.d_output = d_output
        call.d_input = run_backward(r, d_output)
        return call.d_input

    vars(layer).update(forward=forward, backward=backward)


def _watch_cell(cell: Cell, calls: dict[int, Call]) -> None:
    """Do the same for the time steps of a cell. All steps write their gradients to one place: they are copied."""
    run_step, run_backward = cell.step, cell.step_backward

    def step(r: Any, x: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        given = (x.copy(), [state.copy() for state in states])
        output, new = run_step(r, x, states)
        calls[id(r)] = CellCall(cell, r, given, (output.copy(), [state.copy() for state in new]))
        return output, new

    def step_backward(r: Any, d_output: Array, d_states: list[Array]) -> tuple[Array, list[Array]]:
        call = calls[id(r)]
        assert isinstance(call, CellCall)
        call.d_output = (d_output.copy(), [d.copy() for d in d_states])
        dx, d_before = call.d_input = run_backward(r, d_output, d_states)
        if not _inside(cell):
            call.d_weights = {spec.name: getattr(r, f"d_{spec.name}").copy() for spec in cell.specs}
        return dx, d_before

    vars(cell).update(step=step, step_backward=step_backward)


# A forward pass changes two kinds of things: streams of random numbers, and the states of stateful layers.


def _changing(layer: Layer) -> Iterator[Any]:
    for name, value in vars(layer).items():
        if isinstance(value, np.random.Generator) or (name == "state" and isinstance(value, np.ndarray)):
            yield value
    for inner in _inside(layer):
        yield from _changing(inner)


def _state_of(part: Any) -> Any:
    return part.copy() if isinstance(part, np.ndarray) else part.bit_generator.state


def _set_state(part: Any, state: Any) -> None:
    if isinstance(part, np.ndarray):
        part[...] = state
    else:
        part.bit_generator.state = state
