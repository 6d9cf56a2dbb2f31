"""Graphs with data, drawn by Hypothesis: every kind of layer that inspection has a view of its own for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from rnn_core import layers
from rnn_core.layers import RNN, Bidirectional, Cell, Dense, Input, JordanRNN, SimpleRNN, SimpleRNNCell, TimeDistributed
from rnn_core.models import Model

SMOOTH = st.sampled_from(["tanh", "sigmoid", "linear", "softmax"])
SIZES = st.integers(1, 3)


class LeakySum(Cell):
    """A cell of one's own with two states: s' = decay * s + x, and how many steps there were."""

    state_size = (2, 1)

    def build(self, input_shape):
        self.add_weight("decay", (2,), "ones")
        self.add_weight("scale", (), "ones")

    def step(self, r, x, states):
        r.s, r.x = states[0], x.sum(axis=1, keepdims=True)
        s = self.decay * r.s + self.scale * r.x
        return s, [s, states[1] + 1]

    def step_backward(self, r, d_output, d_states):
        ds = d_output + d_states[0]
        r.d_decay[...] = (ds * r.s).sum(axis=0)
        r.d_scale[...] = (ds * r.x).sum()
        dx = np.repeat(self.scale * ds.sum(axis=1, keepdims=True), self.input_shape[-1], axis=1)
        return dx, [ds * self.decay, d_states[1]]


class Graph(NamedTuple):
    """A compiled model and a batch for it."""

    model: Model
    x: Any
    y: Any
    sample_weight: Any


def fitted_in(model: Model, loss: Any, seed: int, loss_weights: Any = None) -> Model:
    """Return the model, compiled, with weights that are not special."""
    model.vector[...] = 0.5 * np.random.default_rng(seed).standard_normal(model.vector.size)
    model.compile(loss=loss, optimizer="rmsprop", loss_weights=loss_weights)
    return model


@st.composite
def recurrent_layers(draw: Any, sequences: bool, dtype: str, state: bool = False) -> Any:
    """Draw one recurrent layer of any kind."""
    rates = st.sampled_from([0.0, 0.0, 0.4])

    def elman(kind: Any, **kwargs: Any) -> Any:
        return kind(
            draw(SIZES),
            draw(SMOOTH),
            use_bias=draw(st.booleans()),
            dropout=draw(rates),
            recurrent_dropout=draw(rates),
            kernel_regularizer=draw(st.sampled_from([None, "l2"])),
            dtype=dtype,
            **kwargs,
        )

    how = {
        "return_sequences": sequences,
        "go_backwards": draw(st.booleans()),
        "zero_output_for_mask": draw(st.booleans()),
        "return_state": state,
    }
    kind = draw(st.sampled_from(["SimpleRNN", "RNN", "stack", "Jordan", "own", "Bidirectional"]))
    if kind == "SimpleRNN":
        return elman(SimpleRNN, **how)
    if kind == "RNN":
        return RNN(elman(SimpleRNNCell), **how)
    if kind == "stack":
        return RNN([elman(SimpleRNNCell), LeakySum(dtype=dtype), elman(SimpleRNNCell)], **how)
    if kind == "own":
        return RNN(LeakySum(dtype=dtype), **how)
    if kind == "Jordan":
        decay = draw(st.sampled_from([0.0, 0.3]))
        return JordanRNN(draw(SIZES), draw(SIZES), draw(SMOOTH), draw(SMOOTH), decay, dtype=dtype, **how)
    inner = elman(SimpleRNN, return_sequences=sequences, return_state=state)
    if state:
        return Bidirectional(inner, "sum", dtype=dtype)
    return Bidirectional(inner, draw(st.sampled_from(["concat", "sum", "mul", "ave"])), dtype=dtype)


@st.composite
def graphs(draw: Any, dtype: str | None = None) -> Graph:
    """Draw a model with two inputs and outputs: a recurrent layer called on both, merged, and another above.

    ::

        a ---- mask --- recurrent --\\
                                     merged -- TimeDistributed(Dense) -- recurrent 2 -- out, with a skip to the second
        b ------------- recurrent --/
    """
    seed = draw(st.integers(0, 2**32 - 1))
    draws = np.random.default_rng(seed)
    dtype = dtype or draw(st.sampled_from(["float32", "float64"]))
    batch, timesteps, features = draw(SIZES) + 1, draw(st.integers(1, 4)), draw(SIZES)
    a, b = (Input((timesteps, features), dtype=dtype, name=name) for name in "ab")
    masking = draw(st.booleans())
    first = layers.Masking(dtype=dtype)(a) if masking else a
    shared = draw(recurrent_layers(True, dtype))
    one, two = shared(first), shared(b)
    merge = draw(st.sampled_from([layers.Add, layers.Multiply, layers.Concatenate]))
    merged = merge(dtype=dtype)([one, two])
    steps = TimeDistributed(Dense(2, "tanh", dtype=dtype), name="steps")(merged)
    state = draw(st.booleans())
    above = draw(recurrent_layers(False, dtype, state))(steps)
    output, *states = above if state else (above,)
    out = Dense(1, name="out", dtype=dtype)(output)
    skip = layers.GlobalAveragePooling1D(name="pool", dtype=dtype)(merged)
    side = layers.Concatenate(dtype=dtype)([skip, *states]) if states else skip
    model = Model([a, b], [out, Dense(2, "softmax", name="side", dtype=dtype)(side)])
    fitted_in(model, ["mse", "categorical_crossentropy"], seed, loss_weights=[1.0, 0.3])
    x = [draws.standard_normal((batch, timesteps, features)) for _ in "ab"]
    if masking:
        missing = draws.random((batch, timesteps)) < 0.3
        missing[:, 0] = False  # an average over no step at all has no meaning
        x[0][missing] = 0
    y = [draws.standard_normal((batch, 1)), np.eye(2)[draws.integers(0, 2, batch)]]
    weight = [draws.uniform(0.5, 2, batch) for _ in y] if draw(st.booleans()) else None
    return Graph(model, x, y, weight)


def jordan(forced: bool, dtype: str = "float64", decay: float = 0.3, **kwargs: Any) -> Graph:
    """Return a Jordan network with data, with or without the second input that brings in true outputs."""
    x, y_true = Input((4, 2), dtype=dtype, name="x"), Input((4, 2), dtype=dtype, name="y_true")
    layer = JordanRNN(3, 2, output_activation="tanh", decay=decay, return_sequences=True, dtype=dtype, name="jordan",
                      **kwargs)  # fmt: skip
    model = Model([x, y_true], layer([x, y_true])) if forced else Model(x, layer(x))
    draws = np.random.default_rng(1)
    data = draws.standard_normal((3, 4, 2)), draws.standard_normal((3, 4, 2))
    return Graph(fitted_in(model, "mse", 2), list(data) if forced else data[0], data[1], None)
