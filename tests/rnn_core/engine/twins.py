"""The same small models in Keras and here, with the same weights, and data for them in float64."""

from __future__ import annotations

import numpy as np

import rnn_core

from ..float64 import keras

TOLERANCE = {"rtol": 1e-11, "atol": 1e-13}

draws = np.random.default_rng(3)
X = draws.normal(size=(11, 3, 2))
Y = draws.normal(size=(11, 1))
Y_SEQUENCE = draws.normal(size=(11, 3, 1))
VX, VY = draws.normal(size=(5, 3, 2)), draws.normal(size=(5, 1))
W, VW = draws.uniform(0.2, 3, size=11), draws.uniform(0.2, 3, size=5)
LABELS = draws.integers(0, 3, 11)
ONE_HOT = np.eye(3)[LABELS]
BINARY = (Y > 0).astype(float)
GAPS = X * (draws.random((11, 3, 1)) > 0.4)
GAPS[:2] = [[[0, 0], [1, 2], [0, 0]], [[0, 0], [0, 0], [0, 0]]]


def started(k, layers, compiled, x=X, batch=None):
    """A compiled model of keras or rnn_core, with weights that are always the same."""
    model = k.models.Sequential([k.Input(x.shape[1:], batch_size=batch), *layers(k)])
    model.compile(**(compiled(k) if callable(compiled) else compiled), run_eagerly=True)
    start = np.random.default_rng(5)
    model.set_weights([start.normal(size=w.shape) / 2 for w in model.get_weights()])
    return model


def twins(layers, compiled, x=X, batch=None):
    """The same model in Keras and here."""
    return [started(k, layers, compiled, x, batch) for k in (keras, rnn_core)]


def assert_same(ours, theirs):
    """Both are dicts of the same numbers, in the same order."""
    assert list(ours) == list(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], **TOLERANCE, err_msg=name)


def assert_same_weights(ours, theirs):
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, **TOLERANCE)


def rmsprop(**more):
    return lambda k: {"optimizer": k.optimizers.RMSprop(0.01), "loss": "mse", **more}


def optimizer(name, **settings):
    return lambda k: {"optimizer": getattr(k.optimizers, name)(**settings), "loss": "mse"}


ONCE = {"metrics": ["mae"], "weighted_metrics": ["mse"]}  # Keras lists a value twice where a name comes twice

SPARSE = rmsprop(loss="sparse_categorical_crossentropy", metrics=["acc"], weighted_metrics=["accuracy"])
