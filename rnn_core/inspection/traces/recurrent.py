"""What a recurrent layer computed, step by step: what its traces have in common, and the one of SimpleRNN.

The engine keeps one total gradient of a hidden state while its backward loop runs. That of every step is computed again
here from what is kept, by the same operations in the same order, so it is what the engine had, to rounding.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.activations import Activation as ActivationFunction
from rnn_core.blas import single_thread
from rnn_core.inspection.traces.layers import ActivatedTrace, LayerTrace, derivative_of
from rnn_core.layers import SimpleRNN
from rnn_core.layers.simple_rnn_record import SimpleRNNRecord

Array = NDArray[Any]


class RecurrentTrace(LayerTrace):
    """A layer that hands a state from step to step.

    The arrays of the time steps are in processing order, which `order` tells: with ``go_backwards`` step 0 reads the
    last input. `input` and `d_input` are as the layer was given them.

    Attributes
    ----------
    step_input : ndarray, shape (batch, timesteps, features)
        x_t in processing order, dropped out where that applies.
    state, d_state : ndarray, shape (batch, timesteps + 1, size)
        The initial state, then that after each step, and dL/ds, the total on all paths from there to the loss.
    from_loss : ndarray, shape (batch, timesteps, width of the output)
        What arrives at each step through the layer's own outputs.
    from_future : ndarray, shape (batch, timesteps, size)
        What arrives at each step through the next one.
    d_fed_back : ndarray, shape (batch, timesteps, size)
        The gradient of what comes back at the next step, from both.
    contributions : dict of str to ndarray, shape (timesteps, *shape of the weight)
        What each step adds to the gradient of each weight, summed over the batch.
    """

    fed_back: ClassVar[str] = "s"
    """The symbol of what comes back at the next step: h in Elman's network, y in Jordan's."""

    symbol: ClassVar[str] = "s"
    """That of the state: h in Elman's network, the context c in Jordan's."""

    output_is_state: bool = True

    step_input: Array
    state: Array
    d_state: Array
    from_loss: Array
    from_future: Array
    contributions: dict[str, Array]

    @property
    def d_fed_back(self) -> Array:
        """The gradient of what comes back."""
        return self.d_state[:, 1:]

    @property
    def timesteps(self) -> int:
        """How many steps there are."""
        return int(self.state.shape[1]) - 1

    @property
    def go_backwards(self) -> bool:
        """Whether step 0 reads the last input."""
        return bool(self.layer.go_backwards)  # type: ignore[attr-defined]

    @property
    def order(self) -> Array:
        """Which time step of the input each step reads, shape (timesteps,)."""
        order = np.arange(self.timesteps)
        return order[::-1] if self.go_backwards else order

    @property
    def step_mask(self) -> Array:
        """Which steps are real, shape (batch, timesteps), in processing order."""
        mask = self.record.step_mask
        if mask is None:
            return np.ones((len(self.state), self.timesteps), bool)
        return np.asarray(mask[:, :, 0].T)

    @property
    def has_initial_state(self) -> bool:
        """Whether the layer starts from something else than zeros, or may."""
        return bool(self.state[:, 0].any()) or getattr(self.layer, "stateful", False)

    @property
    def recurrence(self) -> tuple[str, Array] | None:
        """The matrix that leads from a state (a row) to the next one in a linear network, and its name."""
        return None

    def columns(self) -> dict[str, Array]:
        """Return arrays of one shape (batch, timesteps, units), by name: the columns of a table."""
        return {
            "state_before": self.state[:, :-1],
            "state": self.state[:, 1:],
            "from_future": self.from_future,
            "d_state": self.d_state[:, 1:],
        }

    def back(self, t: int, d_output: Array, d_state: Array) -> tuple[Array, Array]:
        """Take a gradient one step back, from after step t to before it: ``(d_output, d_state)``, both float64.

        A masked step hands on both: its output was the one before.
        """
        real = self.step_mask[:, t, None]
        before = self._step_back(t, d_output, d_state)
        return np.where(real, 0.0, d_output), np.where(real, before, d_state)

    def _step_back(self, t: int, d_output: Array, d_state: Array) -> Array:
        raise NotImplementedError


class ElmanTrace(RecurrentTrace, ActivatedTrace):
    """Elman's network, ``h_t = act(x_t K + h_(t-1) U + b)``: what comes back is the hidden state.

    Attributes
    ----------
    hidden, d_hidden : ndarray, shape (batch, timesteps + 1, units)
        h_(-1), the initial state, then h_0, h_1, ..., and dL/dh.
    h_previous : ndarray, shape (batch, timesteps, units)
        h_(t-1) * rm, what the recurrent kernel is applied to.
    preactivation, d_preactivation : ndarray, shape (batch, timesteps, units)
        a_t and dL/da_t. At a masked step a_t is computed but not used, and its gradient is zero.
    derivative : ndarray, shape (batch, timesteps, units), or None
        act'(a_t); None for softmax and others that mix the units.
    dropped : bool
        Whether x or h were dropped out.
    """

    names = (
        "input", "step_input", "preactivation", "hidden", "output",
        "d_output", "from_loss", "from_future", "d_hidden", "d_preactivation", "d_input",
    )  # fmt: skip
    fed_back = symbol = "h"
    h_previous: Array

    @property
    def dropped(self) -> bool:
        """Whether x or h were dropped out."""
        raise NotImplementedError

    @property
    def hidden(self) -> Array:
        """h_(-1), h_0, h_1, ..."""
        return self.state

    @property
    def d_hidden(self) -> Array:
        """dL/dh"""
        return self.d_state

    @property
    def recurrence(self) -> tuple[str, Array]:
        """U"""
        return "recurrent kernel", self.weights["recurrent_kernel"]

    def columns(self) -> dict[str, Array]:
        """Return arrays of one shape (batch, timesteps, units), by name: the columns of a table."""
        slope = self.derivative
        return {
            "h_previous": self.h_previous,
            "preactivation": self.preactivation,
            "hidden": self.hidden[:, 1:],
            "from_loss": self.from_loss,
            "from_future": self.from_future,
            "d_hidden": self.d_hidden[:, 1:],
            "derivative": np.full(self.preactivation.shape, np.nan) if slope is None else slope,
            "d_preactivation": self.d_preactivation,
        }


class SimpleRNNTrace(ElmanTrace):
    """A SimpleRNN layer: every time step.

    `d_hidden` is zero where the gradient had vanished and the engine stopped (``record.first_active``).
    """

    layer: SimpleRNN
    record: SimpleRNNRecord

    @property
    def has_initial_state(self) -> bool:
        """Whether the layer starts from a state of its own or of a call, be it zeros."""
        return self.record.has_initial_state

    @property
    def dropped(self) -> bool:
        """Whether x or h were dropped out."""
        return self.record.input_dropout is not None or self.record.recurrent_dropout is not None

    @property
    def step_input(self) -> Array:  # type: ignore[override]
        """x_t * dm"""
        return self.record.x.transpose(1, 0, 2)

    @property
    def state(self) -> Array:  # type: ignore[override]
        """h_(-1), h_0, h_1, ..."""
        return self.record.hidden.transpose(1, 0, 2)

    @cached_property
    def h_previous(self) -> Array:  # type: ignore[override]
        """h_(t-1) * rm"""
        h = self.record.hidden[:-1]
        dropout = self.record.recurrent_dropout
        return (h if dropout is None else h * dropout).transpose(1, 0, 2)

    @cached_property
    def preactivation(self) -> Array:
        """a_t = [x_t, 1] [K; b] + h_(t-1) U"""
        r = self.record
        if self.activation.needs == "input":
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
    def from_loss(self) -> Array:  # type: ignore[override]
        """dy_t, at the last step only without ``return_sequences``, and there also that of the state returned."""
        r, layer = self.record, self.layer
        d_output, d_last = self.d_output if layer.return_state else (self.d_output, None)
        arriving = np.zeros_like(r.d_preactivation).transpose(1, 0, 2)
        if d_output is not None:
            if layer.zero_output_for_mask and r.step_mask is not None:
                d_output = layer._d_output_zeroed(r, d_output)
            if layer.return_sequences:
                if d_last is None:
                    return np.asarray(d_output)
                arriving += d_output
            else:
                arriving[:, -1] = d_output
        if d_last is not None:
            arriving[:, -1] += d_last
        return arriving

    @property
    def from_future(self) -> Array:  # type: ignore[override]
        """(da_(t+1) Uᵀ) * rm, or dh_(t+1) where step t+1 is masked; zero at the last step."""
        return self._from_future[1:].transpose(1, 0, 2)

    @cached_property
    def d_state(self) -> Array:  # type: ignore[override]
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
        slope = derivative_of(self.activation, self._saved)
        return None if slope is None else slope.transpose(1, 0, 2)

    @property
    def _saved(self) -> Array:
        """What the activation's derivative is written in, (timesteps, batch, units)."""
        r = self.record
        return r.hidden[1:] if self.activation.needs == "output" else r.preactivation

    @cached_property
    def contributions(self) -> dict[str, Array]:  # type: ignore[override]
        """dK_t = x_tᵀ da_t;  dU_t = h_(t-1)ᵀ da_t;  db_t = sum of da_t over the batch"""
        x, h_previous, da = (
            a.transpose(1, 0, 2) for a in (self.step_input, self.h_previous, self.d_preactivation)
        )  # (T, B, F), (T, B, H), (T, B, H)
        parts = {"kernel": x.transpose(0, 2, 1) @ da, "recurrent_kernel": h_previous.transpose(0, 2, 1) @ da}
        if self.layer.use_bias:
            parts["bias"] = da.sum(axis=1)
        return parts

    def _step_back(self, t: int, d_output: Array, d_state: Array) -> Array:
        """dh_(t-1) = (dh_t * act'(a_t)) Uᵀ * rm"""
        da = through(self.activation, self._saved[t].astype(np.float64), d_output + d_state)
        before: Array = da @ self.layer.recurrent_kernel.T.astype(np.float64)
        dropout = self.record.recurrent_dropout
        return before if dropout is None else before * dropout


def through(activation: ActivationFunction, saved: Array, d: Array) -> Array:
    """Return d * act', from what the activation saves."""
    da = np.empty_like(d)
    activation.backward(saved, d, da, np.empty_like(d))
    return da
