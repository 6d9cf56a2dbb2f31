r"""The maths of Elman's recurrent layer: forward, and back through time.

The sequence lies time-major, x (T, B, F), and two products are taken over all time steps at once; only what
depends on the step before stays in the loop::

    forward                                     backward, t = T-1 .. 0

    p = [x, 1] [K; b]      all t, one product   dh_t = dy_t + da_(t+1) Uᵀ
    for t = 0 .. T-1:                           da_t = dh_t * act'(a_t)
        a_t = p_t + h_(t-1) U
        h_t = act(a_t)                          [dK; db] = sum over t of [x_t, 1]ᵀ da_t     one product
                                                 dU      = sum over t of h_(t-1)ᵀ da_t      one product
                                                 dx_t    = da_t Kᵀ                          one product

x has a column of ones, and the bias lies under the kernel in memory, so that adding the bias and summing its
gradient cost no pass of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.denormals import flush
from rnn_core.layers.recurrent import Recurrent
from rnn_core.layers.simple_rnn_cell import SimpleRNNSettings
from rnn_core.layers.simple_rnn_record import FLUSH_EVERY, SimpleRNNRecord

Array = NDArray[Any]

add, multiply = np.add, np.multiply


class SimpleRNNPasses(Recurrent, SimpleRNNSettings):
    """The forward and the backward pass of :class:`~rnn_core.layers.SimpleRNN`, whose settings these are."""

    affine: Array
    """Kernel and bias as one matrix, shape (features + 1, units); the kernel alone without bias."""

    def affine_of(self, vector: Array) -> Array:
        """Return kernel and bias of a vector laid out as the weights: they lie after the recurrent kernel."""
        return vector[self.units**2 :].reshape(-1, self.units)

    def bind(self, vector: Array) -> None:
        """Make `vector` the home of the weights."""
        super().bind(vector)
        self.affine = self.affine_of(vector)

    def forward(self, r: SimpleRNNRecord, x: Any, training: bool = False) -> Any:
        """p = [x, 1] [K; b];  a_t = p_t + h_(t-1) U;  h_t = act(a_t)"""
        if isinstance(x, list):  # in a graph the initial state comes with the inputs
            r.inputs = len(x)
            x, r.initial_state = (*x, None)[:2]
            r.mask = r.mask[0] if isinstance(r.mask, list) else r.mask
        self._prepare(r, x, training)
        r.x_rows.dot(self.affine, r.projection)
        recurrent_kernel, recurrent, activate = self.recurrent_kernel, r.recurrent, self.activation.forward
        if r.has_initial_state or r.step_mask is not None or r.recurrent_dropout is not None:
            self._special_steps(r)
        else:
            activate(*r.first_step)  # h_(-1) = 0 adds nothing
            for h_previous, a, h in r.later_steps:
                h_previous.dot(recurrent_kernel, recurrent)
                add(a, recurrent, a)
                activate(a, h)
        if self.state is not None:
            self.state[...] = r.last_hidden
        output = r.hidden_sequence if self.return_sequences else r.last_hidden
        if r.step_mask is not None and self.zero_output_for_mask:
            output = self._output_zeroed(r)
        return (output, r.last_hidden) if self.return_state else output

    def _special_steps(self, r: SimpleRNNRecord) -> None:
        """The loop over time with an initial state, a mask or recurrent dropout."""
        for t, (h_previous, a, h) in enumerate(r.steps):
            if t or r.has_initial_state:
                dropped = h_previous if r.recurrent_dropout is None else h_previous * r.recurrent_dropout
                dropped.dot(self.recurrent_kernel, r.recurrent)
                add(a, r.recurrent, a)
            self.activation.forward(a, h)
            if r.step_mask is not None:  # a masked step carries the state over
                np.copyto(h, h_previous, where=~r.step_mask[t])

    def backward(self, r: SimpleRNNRecord, d_output: Any) -> Any:
        """dh_t = dy_t + da_(t+1) Uᵀ;  da_t = dh_t * act'(a_t);  then dK, dU, db and dx, one product each"""
        d_state = None
        if self.return_state:
            d_output, d_state = d_output  # one of them is None where it was not used
        if r.step_mask is not None and self.zero_output_for_mask and d_output is not None:
            d_output = self._d_output_zeroed(r, d_output)
        sequences = self.return_sequences and d_output is not None
        d_steps = d_output.transpose(1, 0, 2) if sequences else None  # dy_t, shape (T, B, H)
        d_hidden = d_output if d_steps is None else d_steps[-1]
        if d_state is not None:
            d_hidden = d_state if d_hidden is None else d_hidden + d_state
        if r.timesteps > 1 or r.has_initial_state:
            r.transposed[...] = self.recurrent_kernel.T
        was_zero, r.first_active = r.first_active, 0
        if r.slope is not None and r.step_mask is None and r.recurrent_dropout is None:
            self._steps_back(r, r.slope, d_hidden, d_steps)
        else:
            self._special_steps_back(r, d_hidden, d_steps)
        if was_zero < r.first_active:
            r.d_preactivation[was_zero : r.first_active] = 0  # what the batch before left there
        self._weight_gradients(r)
        d_input = self._input_gradient(r) if r.needs_d_input else None
        return [d_input, r.d_hidden][: r.inputs] if r.inputs else d_input

    def _steps_back(self, r: SimpleRNNRecord, slope: Any, d_hidden: Array, d_steps: Array | None) -> None:
        """The loop back through time; act'(a_t) is taken of a block of steps at once, and lies where da_t will be"""
        for saved, slopes, steps in r.blocks:
            slope(saved, slopes)
            for t, da_later, da in steps:
                if da_later is not None:  # not the last step
                    d_hidden = r.d_hidden
                    da_later.dot(r.transposed, d_hidden)
                    if d_steps is not None:
                        add(d_hidden, d_steps[t], d_hidden)
                    if t % FLUSH_EVERY == 0 and _has_vanished(d_hidden, d_steps, t):
                        da.fill(0)
                        r.first_active = t + 1
                        return
                multiply(da, d_hidden, da)
        if r.has_initial_state:
            r.d_preactivation[0].dot(r.transposed, r.d_hidden)

    def _special_steps_back(self, r: SimpleRNNRecord, d_hidden: Array, d_steps: Array | None) -> None:
        """The same with a mask, recurrent dropout, or an activation such as softmax that has no act'(a_t) by element"""
        carried = None  # what a masked step hands on
        for t in reversed(range(r.timesteps)):
            if t < r.timesteps - 1:
                d_hidden = r.d_hidden
                r.d_preactivation[t + 1].dot(r.transposed, d_hidden)
                self._recurrent_dropout_and_carry(r, d_hidden, carried)
                if d_steps is not None:
                    add(d_hidden, d_steps[t], d_hidden)
                if t % FLUSH_EVERY == 0 and _has_vanished(d_hidden, d_steps, t):
                    r.first_active = t + 1
                    return
            if r.step_mask is not None:  # a masked step hands dh_t on as it is, and takes no part
                carried = np.where(r.step_mask[t], 0, d_hidden)
                d_hidden = d_hidden * r.step_mask[t]
            self.activation.backward(r.saved[t], d_hidden, r.d_preactivation[t], r.scratch)
        if r.has_initial_state:
            r.d_preactivation[0].dot(r.transposed, r.d_hidden)
            self._recurrent_dropout_and_carry(r, r.d_hidden, carried)

    def _prepare(self, r: SimpleRNNRecord, x: Array, training: bool) -> None:
        """Lay the inputs out in processing order, and set up state, mask and dropout of this batch."""
        xt = x.transpose(1, 0, 2)
        r.x[...] = xt[::-1] if self.go_backwards else xt
        if self.dropout_stream is not None:
            r.input_dropout = r.recurrent_dropout = None
            if training:
                r.input_dropout, r.recurrent_dropout = self.dropout_masks(r.batch, x.shape[2])
                if r.input_dropout is not None:
                    np.multiply(r.x, r.input_dropout, r.x)
        r.output_mask = r.mask if self.return_sequences else None
        r.step_mask = None
        if r.mask is not None:
            step_mask = r.mask.T[:, :, None]
            r.step_mask = step_mask[::-1] if self.go_backwards else step_mask
        state = self.state if r.initial_state is None else r.initial_state
        if state is not None:
            r.hidden[0] = state
        elif r.has_initial_state:  # the batch before had one
            r.hidden[0] = 0
        r.has_initial_state = state is not None

    def _output_zeroed(self, r: SimpleRNNRecord) -> Array:
        """Return the output with 0 at masked steps in place of the carried state."""
        outputs = r.hidden[1:] * r.step_mask
        return outputs.transpose(1, 0, 2) if self.return_sequences else np.asarray(outputs[-1])

    def _d_output_zeroed(self, r: SimpleRNNRecord, d_output: Array) -> Array:
        """Return dy without what masked steps got: their output was 0 whatever the state."""
        assert r.step_mask is not None
        return d_output * (r.step_mask.transpose(1, 0, 2) if self.return_sequences else r.step_mask[-1])

    def _recurrent_dropout_and_carry(self, r: SimpleRNNRecord, d_hidden: Array, carried: Array | None) -> None:
        """dh_(t-1) = da_t Uᵀ * rm, and what a masked step carried over"""
        if r.recurrent_dropout is not None:
            np.multiply(d_hidden, r.recurrent_dropout, d_hidden)
        if carried is not None:
            add(d_hidden, carried, d_hidden)

    def _weight_gradients(self, r: SimpleRNNRecord) -> None:
        """[dK; db] = sum of [x_t, 1]ᵀ da_t;  dU = sum of h_(t-1)ᵀ da_t, over the active steps"""
        if r.first_active == 0:
            r.x_transposed.dot(r.d_rows, r.d_affine)
        else:
            start = r.first_active * r.batch
            r.x_transposed[:, start:].dot(r.d_rows[start:], r.d_affine)
        first = r.first_active or int(not r.has_initial_state)  # h_(-1) = 0 takes no part
        if first == r.timesteps:
            r.d_recurrent_kernel.fill(0)
            return
        h_previous = r.hidden[first:-1]
        if r.recurrent_dropout is not None:
            h_previous = h_previous * r.recurrent_dropout
        h_previous.reshape(-1, self.units).T.dot(r.d_rows[first * r.batch :], r.d_recurrent_kernel)

    def _input_gradient(self, r: SimpleRNNRecord) -> Array:
        """dx_t = da_t Kᵀ * dm, shape (B, T, F)"""
        if r.d_input is None:
            r.d_input = np.empty(r.x.shape, self.dtype)
        start = r.first_active * r.batch
        d_input_rows = r.d_input.reshape(len(r.d_rows), -1)
        d_input_rows[:start] = 0
        r.d_rows[start:].dot(self.kernel.T, d_input_rows[start:])
        if r.input_dropout is not None:
            np.multiply(r.d_input, r.input_dropout, r.d_input)
        d_input = r.d_input[::-1] if self.go_backwards else r.d_input
        return d_input.transpose(1, 0, 2)


def _has_vanished(d_hidden: Array, d_steps: Array | None, t: int) -> bool:
    """Clear dh_t of denormal numbers; whether nothing is left of it nor in dy before: earlier gradients are zero."""
    flush(d_hidden)
    return not (d_hidden.max() or d_hidden.min()) and (d_steps is None or not d_steps[:t].any())
