"""What one layer computed, forwards and backwards: its record seen batch first, and what the record does not keep.

The engine keeps little: a pre-activation is overwritten by its output where the derivative is written in the output,
and the total gradient of a hidden state lives for one step of the backward loop. Both are computed again here from
what is kept, by the same operations in the same order, so they are the numbers that the engine had, to rounding.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.activations import Activation as ActivationFunction
from rnn_core.activations import Glu, Linear, LogSoftmax, Softmax, Sparsemax
from rnn_core.blas import single_thread
from rnn_core.inspection.run import Call
from rnn_core.layers import Activation, Dense, Layer, SimpleRNN
from rnn_core.layers.simple_rnn_record import SimpleRNNRecord

Array = NDArray[Any]


class LayerTrace:
    """What a layer computed for one batch. Every array has the batch first; d stands for the gradient of the loss.

    Attributes
    ----------
    name : str
    layer : Layer
        The copy that was run.
    record : Record
        The engine's own arrays, in its own order.
    input, d_input : ndarray, shape (batch, ...)
        What the layer was given.
    output, d_output : ndarray, shape (batch, ...)
    weights, d_weights : dict of str to ndarray
        By name, with the shape of the weight. The gradients are those that the optimizer is given.
    d_data : dict of str to ndarray
        `d_weights` without what the weights' regularizers add.
    """

    names: ClassVar[tuple[str, ...]] = ("input", "output", "d_output", "d_input")
    """The names of the arrays, in the order in which they are computed."""

    def __init__(self, name: str, call: Call, d_weights: dict[str, Array], d_data: dict[str, Array]) -> None:
        self.name, self.layer, self.record = name, call.layer, call.record
        self.input, self.output = call.input, call.output
        assert call.d_output is not None
        self.d_output, self.d_input = call.d_output, call.d_input
        self.weights = call.layer.views(call.layer.vector)
        self.d_weights, self.d_data = d_weights, d_data

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, in the order in which they are computed, then the weights' gradients."""
        found = {name: getattr(self, name) for name in self.names}
        return {**found, **{f"d_{name}": d_weight for name, d_weight in self.d_weights.items()}}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self.layer).__name__} {self.name!r}: {', '.join(self.arrays())}>"


class ActivatedTrace(LayerTrace):
    """A layer that ends in an activation.

    Attributes
    ----------
    activation : activations.Activation
    preactivation, d_preactivation : ndarray, shape (batch, ...)
        a and dL/da.
    derivative : ndarray, shape of preactivation, or None
        act'(a); None for softmax and others that mix the units.
    """

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
        if self.layer.activation.needs == "input" or r.is_linear:
            return np.asarray(r.preactivation)
        with single_thread:
            rows = r.x_rows.dot(self.layer.affine)
        return _batch_first(rows, self.output.shape)

    @property
    def d_preactivation(self) -> Array:
        """dL/da"""
        r = self.record
        return self.d_output if r.is_linear and not r.is_sequence else np.asarray(r.d_preactivation)


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


class SimpleRNNTrace(ActivatedTrace):
    """A SimpleRNN layer: every time step.

    The arrays of the time steps are in processing order, which `order` tells: with ``go_backwards`` step 0 reads the
    last input. `input` and `d_input` are as the layer was given them.

    Attributes
    ----------
    order : ndarray of int, shape (timesteps,)
        Which time step of the input each step reads.
    step_input : ndarray, shape (batch, timesteps, features)
        x_t in processing order, dropped out where that applies.
    preactivation, d_preactivation : ndarray, shape (batch, timesteps, units)
        a_t and dL/da_t. At a masked step a_t is computed but not used, and its gradient is zero.
    hidden, d_hidden : ndarray, shape (batch, timesteps + 1, units)
        h_(-1), the initial state, then h_0, h_1, ..., and dL/dh, the total on all paths from h_t to the loss. Zero
        where the gradient had vanished and the engine stopped (``record.first_active``).
    from_loss, from_future : ndarray, shape (batch, timesteps, units)
        The two parts of dL/dh_t: through the layer's own output at t, and through h_(t+1).
    derivative : ndarray, shape (batch, timesteps, units), or None
        act'(a_t); None for softmax and others that mix the units.
    """

    names = (
        "input", "step_input", "preactivation", "hidden", "output",
        "d_output", "from_loss", "from_future", "d_hidden", "d_preactivation", "d_input",
    )  # fmt: skip
    layer: SimpleRNN
    record: SimpleRNNRecord

    @property
    def order(self) -> Array:
        """Which time step of the input each step reads."""
        order = np.arange(self.record.timesteps)
        return order[::-1] if self.layer.go_backwards else order

    @property
    def step_mask(self) -> Array:
        """Which steps are real, shape (batch, timesteps), in processing order."""
        r = self.record
        if r.step_mask is None:
            return np.ones((r.batch, r.timesteps), bool)
        return np.asarray(r.step_mask[:, :, 0].T)

    @property
    def step_input(self) -> Array:
        """x_t * dm"""
        return self.record.x.transpose(1, 0, 2)

    @property
    def hidden(self) -> Array:
        """h_(-1), h_0, h_1, ..."""
        return self.record.hidden.transpose(1, 0, 2)

    @cached_property
    def h_previous(self) -> Array:
        """h_(t-1) * rm, what the recurrent kernel is applied to, shape (batch, timesteps, units)."""
        h = self.record.hidden[:-1]
        dropout = self.record.recurrent_dropout
        return (h if dropout is None else h * dropout).transpose(1, 0, 2)

    @cached_property
    def preactivation(self) -> Array:
        """a_t = [x_t, 1] [K; b] + h_(t-1) U"""
        r = self.record
        if self.layer.activation.needs == "input":
            return r.preactivation.transpose(1, 0, 2)
        h_previous = self.h_previous.transpose(1, 0, 2)
        with single_thread:
            a: Array = r.x_rows.dot(self.layer.affine).reshape(r.preactivation.shape)
            for t in range(r.timesteps):
                if t or r.has_initial_state:
                    np.add(a[t], h_previous[t].dot(self.layer.recurrent_kernel), a[t])
        return a.transpose(1, 0, 2)

    @property
    def d_preactivation(self) -> Array:
        """da_t = dh_t * act'(a_t)"""
        return self.record.d_preactivation.transpose(1, 0, 2)

    @cached_property
    def from_loss(self) -> Array:
        """dy_t, at the last step only without ``return_sequences``."""
        r, layer = self.record, self.layer
        d_output: Array = self.d_output
        if layer.zero_output_for_mask and r.step_mask is not None:
            d_output = layer._d_output_zeroed(r, d_output)
        if layer.return_sequences:
            return d_output
        arriving = np.zeros_like(r.d_preactivation)
        arriving[-1] = d_output
        return arriving.transpose(1, 0, 2)

    @property
    def from_future(self) -> Array:
        """(da_(t+1) Uᵀ) * rm, or dh_(t+1) where step t+1 is masked; zero at the last step."""
        return self._from_future[1:].transpose(1, 0, 2)

    @cached_property
    def d_hidden(self) -> Array:
        """dh_t = dy_t + da_(t+1) Uᵀ"""
        total = self._from_future.copy()
        total[1:] += self.from_loss.transpose(1, 0, 2)
        return total.transpose(1, 0, 2)

    @cached_property
    def _from_future(self) -> Array:
        """For h_(-1) .. h_(T-1), time-major: (timesteps + 1, batch, units)."""
        r = self.record
        d_steps = self.from_loss.transpose(1, 0, 2)
        arriving = np.zeros_like(r.hidden)
        transposed = np.ascontiguousarray(self.layer.recurrent_kernel.T)
        stop = r.first_active or -1  # before it the gradient had vanished, and the engine stopped
        with single_thread:
            for t in range(r.timesteps - 1, stop, -1):  # arriving[t] is that of h_(t-1)
                r.d_preactivation[t].dot(transposed, arriving[t])
                if r.recurrent_dropout is not None:
                    arriving[t] *= r.recurrent_dropout
                if r.step_mask is not None:  # a masked step hands on what it was given
                    arriving[t] += np.where(r.step_mask[t], 0, arriving[t + 1] + d_steps[t])
        return arriving

    @cached_property
    def derivative(self) -> Array | None:
        """act'(a_t), as ``backward`` used it."""
        r = self.record
        saved = r.hidden[1:] if self.layer.activation.needs == "output" else r.preactivation
        slope = derivative_of(self.layer.activation, saved)
        return None if slope is None else slope.transpose(1, 0, 2)


def layer_trace(name: str, call: Call, d_weights: dict[str, Array], d_data: dict[str, Array]) -> LayerTrace:
    """Return the trace that fits the layer; one that is not known here shows its inputs, outputs and weights."""
    for kind, trace in _TRACES.items():
        if isinstance(call.layer, kind):
            return trace(name, call, d_weights, d_data)
    return LayerTrace(name, call, d_weights, d_data)


_TRACES: dict[type[Layer], type[LayerTrace]] = {
    SimpleRNN: SimpleRNNTrace,
    Dense: DenseTrace,
    Activation: ActivationTrace,
}


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
