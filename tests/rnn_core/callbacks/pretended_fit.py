"""The hooks of ``fit`` called with made-up logs, for our callbacks and for Keras'."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from hypothesis import strategies as st

from rnn_core import config
from rnn_core.callbacks import Callback


class Optimizer:
    """Holds the learning rate in floatx, as Keras' optimizers do."""

    def __init__(self):
        self.learning_rate = 0.5

    @property
    def learning_rate(self):
        return float(self._rate)

    @learning_rate.setter
    def learning_rate(self, rate):
        self._rate = np.dtype(config.floatx()).type(rate)


class Model:
    """What callbacks need of a model; its one weight tells the epoch."""

    def __init__(self):
        self.stop_training = False
        self.weights = [np.array([-1.0])]
        self.optimizer = Optimizer()
        self.saved = []
        self.metrics = []

    def get_weights(self):
        return [w.copy() for w in self.weights]

    def set_weights(self, weights):
        self.weights = [w.copy() for w in weights]

    def save_weights(self, path, overwrite=True):
        self.saved.append((path, float(self.weights[0][0])))


def fit(callback, epochs_logs, batches_logs=()):
    """Run the hooks of `fit`; return the model, the number of epochs and what was printed."""
    model = Model()
    text = io.StringIO()
    epochs = 0
    with contextlib.redirect_stdout(text):
        callback.set_model(model)
        callback.set_params({"epochs": len(epochs_logs), "steps": len(batches_logs), "verbose": 0})
        callback.on_train_begin()
        for epoch, logs in enumerate(epochs_logs):
            callback.on_epoch_begin(epoch)
            for batch, batch_logs in enumerate(batches_logs):
                callback.on_train_batch_begin(batch)
                callback.on_train_batch_end(batch, dict(batch_logs))
            model.weights[0][0] = epoch
            callback.on_epoch_end(epoch, dict(logs))
            epochs += 1
            if model.stop_training:
                break
        callback.on_train_end()
    return model, epochs, text.getvalue()


def losses(*values):
    return [{"loss": float(value)} for value in values]


class Adapted(Callback):
    """Lets a Keras callback run in a list of ours."""

    def __init__(self, inner):
        self.inner = inner

    def set_model(self, model):
        self.inner.set_model(model)

    def on_train_begin(self, logs=None):
        self.inner.on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.inner.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.inner.on_epoch_end(epoch, logs)


# Sixteenths are exact in float32, in which Keras compares, so a tie is a tie in both.
sixteenths = st.integers(-24, 24).map(lambda n: n / 16)
series = st.lists(sixteenths | st.sampled_from([float("nan"), float("inf")]), min_size=1, max_size=14)
deltas = st.sampled_from([0, 1 / 16, -1 / 8, 0.5])
modes = st.sampled_from(["auto", "min", "max"])
