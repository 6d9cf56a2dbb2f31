"""A model with two inputs and three outputs, in Keras and here with the same weights, and data for it."""

from __future__ import annotations

import numpy as np

import rnn_core

from ..float64 import keras

TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}

N, T = 20, 4
DRAWS = np.random.default_rng(3)
PAST, TODAY = DRAWS.normal(size=(N, T, 2)), DRAWS.normal(size=(N, 3))
LEVEL, PATH = DRAWS.normal(size=(N, 1)), DRAWS.normal(size=(N, T, 2))
KIND = DRAWS.integers(0, 3, N)
STEPS = np.where(DRAWS.random((N, T, 1)) < 0.4, 0, PAST)
WEIGHT = DRAWS.uniform(0.5, 2, N)
ONES = np.ones((N, 1))

LOSSES = ["mse", "mae", "sparse_categorical_crossentropy"]
X, Y = [PAST, TODAY], [LEVEL, PATH, KIND]


def pair(masked=False, seed=5):
    """Two inputs, three outputs of different kinds: a number, a sequence, a class."""
    models = []
    for k in (rnn_core, keras):
        layers = k.layers
        past, today = k.Input((T, 2), name="past"), k.Input((3,), name="today")
        start = layers.Dense(3, "tanh", name="start")(today)
        source = layers.Masking(name="mask")(past) if masked else past
        # Keras drops the mask of a layer that is given an initial state, see test_a_mask_and_an_initial_state.
        given = {} if masked else {"initial_state": start}
        memory = layers.SimpleRNN(3, return_sequences=True, return_state=True, name="memory")
        sequence, last = memory(source, **given)
        level = layers.Dense(1, name="level")(last)
        path = layers.Dense(2, name="path", kernel_regularizer=k.regularizers.L2(2**-6))(sequence)
        kind = layers.Dense(3, "softmax", name="kind")(start)
        models.append(k.Model([past, today], [level, path, kind], name="three"))
    ours, theirs = models
    start = np.random.default_rng(seed)
    theirs.set_weights([start.normal(size=w.shape) * 0.4 for w in theirs.get_weights()])
    for layer in ours.layers:
        layer.set_weights(theirs.get_layer(layer.name).get_weights())
    return ours, theirs


def close(ours, theirs):
    assert set(ours) == set(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], **TOLERANCE, err_msg=name)


def same_weights(ours, theirs):
    for layer in ours.layers:
        for a, b in zip(layer.get_weights(), theirs.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_allclose(a, b, **TOLERANCE, err_msg=layer.name)
