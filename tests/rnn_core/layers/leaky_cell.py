"""A cell of one's own, as a reader would write it: Elman's network with units that leak."""

from __future__ import annotations

import numpy as np

from rnn_core.layers import Cell


class LeakyCell(Cell):
    """h' = (1 - rate) h + rate y,  y = tanh(x K + h U + b)"""

    def __init__(self, units, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.state_size, self.rate = units, rate

    def build(self, input_shape):
        units = self.state_size
        self.add_weight("kernel", (input_shape[-1], units))
        self.add_weight("recurrent_kernel", (units, units), "orthogonal")
        self.add_weight("bias", (units,), "zeros")

    def step(self, r, x, states):
        (h,) = states
        r.x, r.h = x, h  # kept for the way back
        r.y = np.tanh(x @ self.kernel + h @ self.recurrent_kernel + self.bias)
        h = (1 - self.rate) * h + self.rate * r.y
        return h, [h]  # the output, the new states

    def step_backward(self, r, d_output, d_states):
        dh = d_output + d_states[0]
        da = self.rate * dh * (1 - r.y**2)
        r.d_kernel[...] = r.x.T @ da  # the layer adds these up over time
        r.d_recurrent_kernel[...] = r.h.T @ da
        r.d_bias[...] = da.sum(axis=0)
        return da @ self.kernel.T, [(1 - self.rate) * dh + da @ self.recurrent_kernel.T]  # dx, d_states

    def get_config(self):
        return {**super().get_config(), "units": self.state_size, "rate": self.rate}
