"""Models with data, drawn by Hypothesis over the options that change what a training step computes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from rnn_core import layers
from rnn_core.models import Sequential

ACTIVATIONS = st.sampled_from(["tanh", "relu", "sigmoid", "linear", "elu", "softmax", "gelu"])
SIZES = st.integers(1, 3)


class Drawn(NamedTuple):
    """A compiled model and a batch for it."""

    model: Sequential
    x: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    mask: np.ndarray | None


def built(entries: list[Any], loss: str = "mse", optimizer: Any = "rmsprop", seed: int = 0) -> Sequential:
    """Return a compiled model whose weights, biases too, are not special."""
    model = Sequential(entries)
    model.vector[...] = 0.6 * np.random.default_rng(seed).standard_normal(model.vector.size)
    model.compile(loss=loss, optimizer=optimizer)
    return model


@st.composite
def drawn_models(draw: Any, dtype: str | None = None, activations: Any = ACTIVATIONS) -> Drawn:
    """Draw one or two SimpleRNNs with everything that may stand around them."""
    seed = draw(st.integers(0, 2**32 - 1))
    draws = np.random.default_rng(seed)
    dtype = dtype or draw(st.sampled_from(["float32", "float64"]))
    batch, timesteps, features = draw(SIZES) + 1, draw(st.integers(1, 5)), draw(SIZES)
    rates = st.sampled_from([0.0, 0.0, 0.4])
    penalties = st.sampled_from([None, None, "l2"])
    stateful = draw(st.booleans())

    def recurrent(return_sequences: bool) -> layers.SimpleRNN:
        return layers.SimpleRNN(
            draw(SIZES),
            draw(activations),
            use_bias=draw(st.booleans()),
            return_sequences=return_sequences,
            go_backwards=draw(st.booleans()),
            zero_output_for_mask=draw(st.booleans()),
            stateful=stateful,
            dropout=draw(rates),
            recurrent_dropout=draw(rates),
            kernel_regularizer=draw(penalties),
            activity_regularizer=draw(penalties),
            dtype=dtype,
        )

    sequences = draw(st.booleans())
    entries: list[Any] = [layers.Input(batch_shape=(batch if stateful else None, timesteps, features), dtype=dtype)]
    masking = draw(st.booleans())
    if masking:
        entries.append(layers.Masking(dtype=dtype))
    if draw(st.booleans()):
        entries += [recurrent(True), layers.Dropout(draw(rates), dtype=dtype)]
    entries += [recurrent(sequences), layers.Dense(2, draw(activations), dtype=dtype)]
    if draw(st.booleans()):
        entries.append(layers.Activation(draw(activations), dtype=dtype))
    model = built(entries, seed=seed)
    if stateful:
        for layer in model.layers:
            if isinstance(layer, layers.SimpleRNN):
                layer.state[...] = draws.standard_normal(layer.state.shape)
    x = draws.standard_normal((batch, timesteps, features))
    missing = draws.random((batch, timesteps)) < 0.3
    mask = None
    if masking:
        x[missing] = 0
    elif draw(st.booleans()):
        mask = ~missing
    y = draws.standard_normal((batch, timesteps, 2) if sequences else (batch, 2))
    weight = draws.uniform(0.5, 2, y.shape[:-1]) if draw(st.booleans()) else None
    return Drawn(model, x, y, weight, mask)


def everything_of(model: Sequential) -> list[Any]:
    """Return copies of all that training could change: weights, gradients, states, streams, optimizer."""
    found: list[Any] = [model.vector.copy(), model.d_vector.copy(), model.optimizer.iterations]
    for layer in model.layers:
        found += [layer.state.copy()] if getattr(layer, "state", None) is not None else []
        stream = getattr(layer, "dropout_stream", None)
        found += [str(stream.bit_generator.state)] if stream is not None else []
    return found + list(model.optimizer.get_state().values() if model.optimizer.built else [])
