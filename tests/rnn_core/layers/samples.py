"""Recurrent layers and inputs to try things with."""

from __future__ import annotations

import numpy as np

from rnn_core.layers import SimpleRNN

SHAPE = (3, 5, 4)  # batch, timesteps, features
MASK = np.array([[1, 1, 0, 1, 1], [1, 0, 0, 1, 0], [1, 1, 1, 1, 1]], bool)


def random_layer(
    seed: int = 0, shape=SHAPE, scale: float = 0.6, units: int = 3, dtype="float64", **arguments
) -> SimpleRNN:
    """Return a built layer with random weights, the bias too."""
    layer = SimpleRNN(units, dtype=dtype, **arguments)
    layer.ensure_built(shape)
    layer.vector[...] = scale * np.random.default_rng(seed).standard_normal(layer.vector.size)
    return layer


def random_input(seed: int = 0, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed + 1).standard_normal(shape)
