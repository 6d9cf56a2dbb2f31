"""A small chain of layers to train, change and copy."""

from __future__ import annotations

import numpy as np

from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

X = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)
Y = X[:, 0, :1]


def make(**given):
    return Sequential([Input((3, 2)), SimpleRNN(4, name="memory"), Dense(2, "relu", name="middle"), Dense(1)], **given)


def trained(model, epochs=2, **given):
    if not model.compiled:
        model.compile("rmsprop", "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, **given)
    return model


def assert_one_vector(model):
    """All weights lie in the model's vector, one layer after the other."""
    assert sum(layer.vector.size for layer in model.layers) == model.vector.size == model.count_params()
    start = model.vector.ctypes.data
    for layer in model.layers:
        if layer.vector.size:
            assert layer.vector.ctypes.data == start
            start += layer.vector.nbytes
        for name, view in layer.views(layer.vector).items():
            assert getattr(layer, name).ctypes.data == view.ctypes.data
    assert model.vector.flags.c_contiguous
