"""Where :class:`SimpleRNN` writes what it computes: every array of its forward and backward pass, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.activations.fast import FastActivation
from rnn_core.layers.base import Shape
from rnn_core.records import Record

if TYPE_CHECKING:
    from rnn_core.layers.simple_rnn import SimpleRNN

Array = NDArray[Any]

FLUSH_EVERY = 8
"""Backward steps between two looks at a decayed gradient, often enough that few denormals arise in between; and as many
slopes are computed at once."""


class SimpleRNNRecord(Record):
    """What :class:`SimpleRNN` computes for one batch (T timesteps, B batch, F features, H units).

    All arrays are in processing order: with ``go_backwards`` index 0 holds the last time step.

    Attributes
    ----------
    x : ndarray, shape (T, B, F)
        The inputs, dropped out where that applies.
    hidden : ndarray, shape (T + 1, B, H)
        h_(-1) = the initial state, then the hidden state after each step.
    preactivation : ndarray, shape (T, B, H)
        a_t. The same memory as ``hidden[1:]``, overwritten by h_t, where the derivative of the activation is
        written in its output (tanh, relu, sigmoid, ...).
    d_preactivation : ndarray, shape (T, B, H)
        da_t; exactly zero before ``first_active``, where the gradient had vanished.
    d_hidden : ndarray, shape (B, H)
        dh_t while the backward loop runs; afterwards the gradient of the initial state, where there is one.
    d_kernel, d_recurrent_kernel, d_bias : ndarray
        Views into the model's vector of gradients.
    d_input : ndarray, shape (T, B, F)
    """

    def __init__(self, layer: SimpleRNN, shape: Shape, d_vector: Array | None) -> None:
        batch, timesteps, features = shape
        units, dtype = layer.units, layer.dtype
        self.batch, self.timesteps = batch, timesteps
        width = features + layer.use_bias
        self.x_and_one = np.ones((timesteps, batch, width), dtype)
        self.x = self.x_and_one[..., :features]
        self.x_rows = self.x_and_one.reshape(-1, width)  # (T * B, F + 1)
        in_place = layer.activation.needs == "output"
        if not in_place:
            self.preactivation = np.empty((timesteps, batch, units), dtype)
        self.hidden = np.zeros((timesteps + 1, batch, units), dtype)
        if in_place:
            self.preactivation = self.hidden[1:]
        self.projection = self.preactivation.reshape(-1, units)  # (T * B, H)
        self.recurrent = np.empty((batch, units), dtype)  # h_(t-1) U
        # Views, made once: of each step h_(t-1), a_t, h_t; of the outputs.
        self.steps = list(zip(self.hidden[:-1], self.preactivation, self.hidden[1:], strict=True))
        self.first_step, self.later_steps = self.steps[0][1:], self.steps[1:]
        self.last_hidden = self.hidden[-1]
        self.hidden_sequence = self.hidden[1:].transpose(1, 0, 2)  # (B, T, H)

        self.inputs = 0  # in a graph: 1 for the inputs in a list, 2 where an initial state comes with them
        self.initial_state: Array | None = None  # (B, H), where a call gives one
        self.has_initial_state = False
        self.input_dropout: Array | None = None  # (B, F)
        self.recurrent_dropout: Array | None = None  # (B, H)
        self.step_mask: Array | None = None  # (T, B, 1), in processing order
        self.first_active = 0

        if d_vector is not None:
            d_weights = layer.views(d_vector)
            self.d_affine = layer.affine_of(d_vector)
            self.d_kernel = d_weights["kernel"]
            self.d_recurrent_kernel = d_weights["recurrent_kernel"]
            self.d_bias = d_weights.get("bias")
            self.d_preactivation = np.empty((timesteps, batch, units), dtype)
            self.d_hidden = np.empty((batch, units), dtype)
            self.scratch = np.empty((batch, units), dtype)
            self.transposed = np.empty((units, units), dtype)  # Uᵀ, contiguous
            self.saved = self.hidden[1:] if in_place else self.preactivation  # what act' is written in
            self.slope = layer.activation.slope if isinstance(layer.activation, FastActivation) else None
            da = [*self.d_preactivation, None]
            self.blocks = [  # from the last on: h_t and da_t of all its steps, and t, da_(t+1), da_t of each
                (
                    self.saved[start : start + FLUSH_EVERY],
                    self.d_preactivation[start : start + FLUSH_EVERY],
                    [(t, da[t + 1], da[t]) for t in range(start, min(start + FLUSH_EVERY, timesteps))][::-1],
                )
                for start in range(0, timesteps, FLUSH_EVERY)
            ][::-1]
            self.x_transposed = self.x_rows.T
            self.d_rows = self.d_preactivation.reshape(-1, units)  # (T * B, H)
            self.d_input: Array | None = None  # made when it is first asked for
