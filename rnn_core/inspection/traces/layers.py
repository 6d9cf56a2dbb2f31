"""What one layer computed, forwards and backwards: its record seen batch first, and what the record does not keep.

The engine keeps little: a pre-activation is overwritten by its output where the derivative is written in the output.
It is computed again here from what is kept, by the same operations in the same order, so it is what the engine had, to
rounding.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_core.activations import Activation as ActivationFunction
from rnn_core.activations import Glu, Linear, LogSoftmax, Softmax, Sparsemax
from rnn_core.blas import single_thread
from rnn_core.inspection.run import Call
from rnn_core.layers import Activation, Dense, Layer

Array = NDArray[Any]


class Vectors(NamedTuple):
    """Gradients of a layer's weights, each laid out as the weights."""

    total: Array  # what the optimizer is given
    data: Array  # without what the weights' regularizers add
    call: Array  # the part of one call, where the layer is called several times

    def cut(self, layer: Any) -> list[Vectors]:
        """Return the parts of the layers inside `layer`."""
        return [Vectors(*parts) for parts in zip(*map(layer.parts, self), strict=True)]


class LayerTrace:
    """What a layer computed for one batch. Every array has the batch first; d stands for the gradient of the loss.

    Attributes
    ----------
    name : str
        The layer's; a second call is ``"name #2"``, and a layer inside another ``"name/label"``.
    layer : Layer
        The copy that was run.
    record : Record
        The engine's own arrays, in its own order.
    input, d_input : ndarray, shape (batch, ...), or a list of them
        What the layer was given. The gradient is None where the loss does not see it.
    output, d_output : ndarray, shape (batch, ...), or a list of them
    weights, d_weights : dict of str to ndarray
        By name, with the shape of the weight. The gradients are those that the optimizer is given. Empty where the
        weights are those of layers inside, which have traces of their own.
    d_data : dict of str to ndarray
        `d_weights` without what the weights' regularizers add.
    d_call : dict of str to ndarray
        The part of `d_data` that comes from this call: all of it, unless the layer is called several times.
    """

    names: ClassVar[tuple[str, ...]] = ("input", "output", "d_output", "d_input")
    """The names of the arrays, in the order in which they are computed."""

    into_units: ClassVar[tuple[str, ...]] = ()
    """The weights whose last axis is that of the pre-activation, where others are not."""

    def __init__(self, name: str, call: Call, weighted: Layer | None = None, vectors: Vectors | None = None) -> None:
        self.name, self.layer, self.record = name, call.layer, call.record
        self.input, self.output = call.input, call.output
        self.d_output, self.d_input = call.d_output, call.d_input
        none: dict[str, Array] = {}
        self.weights = self.d_weights = self.d_data = self.d_call = none
        if weighted is not None and vectors is not None:
            self.weights = weighted.views(weighted.vector)
            self.d_weights, self.d_data, self.d_call = map(weighted.views, vectors)

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, in the order in which they are computed, then the weights' gradients."""
        found: dict[str, Array] = {}
        for name in self.names:
            value = getattr(self, name)
            several = isinstance(value, (list, tuple))
            entries = {f"{name}[{i}]": part for i, part in enumerate(value)} if several else {name: value}
            found |= {key: part for key, part in entries.items() if part is not None}
        return {**found, **{f"d_{name}": d_weight for name, d_weight in self.d_weights.items()}}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self.layer).__name__} {self.name!r}: {', '.join(self.arrays())}>"


class ActivatedTrace(LayerTrace):
    """A layer that ends in an activation.

    Where the loss goes back to the logits, which are the pre-activation, nothing computes the gradient of the output:
    ``d_output`` is None. See :mod:`rnn_core.engine.logits`.

    Attributes
    ----------
    activation : activations.Activation
    preactivation, d_preactivation : ndarray, shape (batch, ...)
        a and dL/da.
    derivative : ndarray, shape of preactivation, or None
        act'(a); None for softmax and others that mix the units.
    """

    def __init__(self, name: str, call: Call, weighted: Layer | None = None, vectors: Vectors | None = None) -> None:
        super().__init__(name, call, weighted, vectors)
        self.d_received = self.d_output
        if self.is_of_logits:
            self.d_output = None

    @property
    def is_of_logits(self) -> bool:
        """Whether the loss is taken of the pre-activation."""
        return getattr(self.record, "is_handed_da", False) and not isinstance(self.activation, Linear)

    @property
    def activation(self) -> ActivationFunction:
        """act"""
        return self.layer.activation  # type: ignore[attr-defined,no-any-return]

    @property
    def preactivation(self) -> Array:
        """a"""
        raise NotImplementedError

    @property
    def d_preactivation(self) -> Array:
        """dL/da"""
        raise NotImplementedError

    @cached_property
    def derivative(self) -> Array | None:
        """act'(a)"""
        saved = self.output if self.activation.needs == "output" else self.preactivation
        return derivative_of(self.activation, saved)


class DenseTrace(ActivatedTrace):
    """A Dense layer.

    Attributes
    ----------
    preactivation, d_preactivation : ndarray, shape (batch, [timesteps,] units)
    """

    names = ("input", "preactivation", "output", "d_output", "d_preactivation", "d_input")
    layer: Dense

    @cached_property
    def preactivation(self) -> Array:
        """a = [x, 1] [K; b]"""
        r = self.record
        if self.layer.activation.needs == "input" or r.is_handed_da:
            return np.asarray(r.preactivation)
        with single_thread:
            rows = r.x_rows.dot(self.layer.affine)
        return _batch_first(rows, self.output.shape)

    @property
    def d_preactivation(self) -> Array:
        """dL/da"""
        r = self.record
        return self.d_received if r.is_handed_da and not r.is_sequence else np.asarray(r.d_preactivation)


class ActivationTrace(ActivatedTrace):
    """An Activation layer, whose input is the pre-activation.

    Attributes
    ----------
    preactivation, d_preactivation : ndarray, shape (batch, ...)
    """

    names = ("preactivation", "output", "d_output", "d_preactivation")
    layer: Activation

    @property
    def preactivation(self) -> Array:
        """a"""
        return np.asarray(self.record.x)

    @property
    def d_preactivation(self) -> Array:
        """dL/da"""
        return np.asarray(self.record.d_input)


def derivative_of(activation: ActivationFunction, saved: Array) -> Array | None:
    """Return act' from what the activation saves, element by element; None where outputs mix several inputs."""
    if isinstance(activation, (Softmax, LogSoftmax, Sparsemax, Glu)):
        return None
    if isinstance(activation, Linear):
        return np.ones_like(saved)
    slope = np.empty_like(saved)
    activation.backward(saved, np.ones_like(saved), slope, np.empty_like(saved))
    return slope


def _batch_first(rows: Array, shape: tuple[int, ...]) -> Array:
    """Return rows (batch, units) or time-major (timesteps * batch, units) as an array of `shape`, batch first."""
    if len(shape) == 2:
        return rows
    batch, timesteps, units = shape
    return rows.reshape(timesteps, batch, units).transpose(1, 0, 2)
