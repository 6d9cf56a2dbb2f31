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

from rnn_core.blas import single_thread
from rnn_core.layers.base import Layer, checked_mask
from rnn_core.models import Model
from rnn_core.training import Step

Array = NDArray[Any]


class Call:
    """One call of a layer: its record, what went in and came out, and the gradients of both."""

    def __init__(self, layer: Layer, record: Any, x: Array, output: Array) -> None:
        self.layer, self.record = layer, record
        self.input, self.output = x, output
        self.d_output: Array | None = None
        self.d_input: Array | None = None


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
        Whether dropout is applied.
    dtype : {"float32", "float64"}, optional
        What the copy computes in; by default what the model does.

    Attributes
    ----------
    model : Model
        The copy.
    calls : dict of int to Call
        What the last pass did, by the identity of the record, in the order of the forward pass.
    d_data : ndarray, shape (parameters,)
        The gradient without that of the weights' regularizers, after :meth:`backward`.
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
        self.mask = checked_mask(mask, self.x.shape)
        self.calls: dict[int, Call] = {}
        for layer in self.model.layers:
            _watch(layer, self.calls)
        self.step = Step(self.model, self.x.shape, self.y.shape, training=True)
        self.step.training = training  # records for a backward pass, with or without dropout
        for record in self.step.passes.records:
            record.needs_d_input = True
        if self.mask is not None:  # a pass knows masks, a training step does not
            self.step.passes.forward = partial(self.step.passes.forward, mask=self.mask)  # type: ignore[method-assign]
        self._start = [(part, _state_of(part)) for layer in self.model.layers for part in _changing(layer)]
        self.d_data: Array = np.empty(0)

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
            for regularizer, w, d_w in self.step.regularized:
                regularizer.add_gradient(w, d_w)
        return self.model.d_vector


def own_copy(
    owner: str, model: Model, x: Any, y: Any, sample_weight: Any = None, dtype: str | None = None
) -> tuple[Model, Array, Array, Array | None]:
    """Return a copy of a built and compiled model, and the data as it takes them."""
    if not isinstance(model, Model):
        raise TypeError(f"{owner}: model must be a Model, got {type(model).__name__}.")
    model._require_built(owner)
    model._require_loss(owner)
    twin = copy.deepcopy(model)
    if dtype is not None:
        _cast(twin, dtype)
    x, y, sample_weight = twin._checked_data(x, y, sample_weight)
    return twin, np.asarray(x), np.asarray(y), sample_weight


def _watch(layer: Layer, calls: dict[int, Call]) -> None:
    """Let `layer` write down every call of its two passes; nothing else about them changes."""
    run_forward, run_backward = layer.forward, layer.backward

    def forward(r: Any, x: Array, training: bool = False) -> Array:
        output = run_forward(r, x, training)
        calls[id(r)] = Call(layer, r, x, output)
        return output

    def backward(r: Any, d_output: Array) -> Array | None:
        call = calls[id(r)]
        call.d_output = d_output
        call.d_input = run_backward(r, d_output)
        return call.d_input

    vars(layer).update(forward=forward, backward=backward)


def _cast(model: Model, dtype: str) -> None:
    """Let a model that nobody else has compute in `dtype`."""
    for layer in model.layers:
        layer.dtype = dtype
        layer.bind(layer.vector.astype(dtype))
        state = getattr(layer, "state", None)
        if isinstance(state, np.ndarray):
            vars(layer)["state"] = state.astype(dtype)
    model.dtype = dtype
    model._make_vector()


# A forward pass changes two kinds of things: streams of random numbers, and the states of stateful layers.


def _changing(layer: Layer) -> Iterator[Any]:
    for name, value in vars(layer).items():
        if isinstance(value, np.random.Generator) or (name == "state" and isinstance(value, np.ndarray)):
            yield value
        elif isinstance(value, Layer):
            yield from _changing(value)


def _state_of(part: Any) -> Any:
    return part.copy() if isinstance(part, np.ndarray) else part.bit_generator.state


def _set_state(part: Any, state: Any) -> None:
    if isinstance(part, np.ndarray):
        part[...] = state
    else:
        part.bit_generator.state = state
