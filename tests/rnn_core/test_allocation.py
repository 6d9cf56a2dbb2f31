"""Training allocates no arrays in its inner loop: all it writes to was there before, in records."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from rnn_core import callbacks
from rnn_core.blas import single_thread
from rnn_core.engine import loop
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

FLOAT = np.dtype("float32").itemsize

# Timesteps, features, batch size, layers, and the width of the recurrent layer.
WORKLOADS = {
    "W1, the tutorial": (1, 4, 16, lambda: [SimpleRNN(32, "relu"), Dense(8, "relu"), Dense(1)], 32),
    "W2, the same over time": (4, 1, 16, lambda: [SimpleRNN(32, "relu"), Dense(8, "relu"), Dense(1)], 32),
    "W3": (50, 8, 32, lambda: [SimpleRNN(64), Dense(1)], 64),
    "stacked": (6, 3, 16, lambda: [SimpleRNN(32, return_sequences=True), SimpleRNN(32, "sigmoid"), Dense(1)], 32),
}


def build(timesteps, features, layers):
    model = Sequential([Input((timesteps, features)), *layers()])
    model.compile("rmsprop", "mse")
    return model


def peak_of_a_step(workload, batch):
    """How many bytes a training step takes beyond what it started with, once warm."""
    timesteps, features, _, layers, _ = WORKLOADS[workload]
    model = build(timesteps, features, layers)
    draws = np.random.default_rng(0)
    x = draws.normal(size=(batch, timesteps, features)).astype(np.float32)
    y = draws.normal(size=(batch, 1)).astype(np.float32)
    model.prepare_training()
    step, totals = loop.Step(model, x.shape, y.shape, True), loop.Totals(model)

    def train():
        totals.add(step.train(x, y, None), len(x), step, y, None)

    with single_thread:
        for _ in range(3):
            train()
        model.optimizer.iterations = 62  # so that its look at denormals, every 64 steps, is among those measured
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(3):
                train()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_training_step_allocates_no_arrays(workload):
    """What is left are Python's own small objects (views, numbers), however large the batch is."""
    small, large = 256, 1024
    peak = peak_of_a_step(workload, large)
    assert peak < large * 1 * FLOAT  # less than the smallest array there is, the output (batch, 1)
    assert peak - peak_of_a_step(workload, small) < small * FLOAT


class Peaks(callbacks.Callback):
    """Notes the most bytes in use between the beginning of one batch and that of the next."""

    lazy_logs = True

    def __init__(self):
        super().__init__()
        self.peaks = []
        self.before = 0

    def on_train_batch_begin(self, batch, logs=None):
        if batch > 1:
            self.peaks.append(tracemalloc.get_traced_memory()[1] - self.before)
        tracemalloc.reset_peak()
        self.before = tracemalloc.get_traced_memory()[0]

    def on_train_batch_end(self, batch, logs=None):
        pass


def peaks_of_fit(workload, **given):
    timesteps, features, batch, layers, _ = WORKLOADS[workload]
    model = build(timesteps, features, layers)
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(20 * batch, timesteps, features)), draws.normal(size=20 * batch)
    model.fit(x, y, batch_size=batch, verbose=0)
    watch = Peaks()
    tracemalloc.start()
    try:
        model.fit(x, y, batch_size=batch, epochs=4, verbose=0, callbacks=[watch], **given)
    finally:
        tracemalloc.stop()
    assert len(watch.peaks) == 4 * 18
    return np.array(watch.peaks[18:])  # without the first epoch, in which records and batches are made


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_fit_allocates_no_arrays_between_batches(workload, shuffle):
    _, _, batch, _, units = WORKLOADS[workload]
    peaks = peaks_of_fit(workload, shuffle=shuffle)
    assert peaks.max() < batch * units * FLOAT  # less than one step's hidden state
    assert np.median(peaks) < 1500


def test_an_array_in_a_layer_would_be_noticed(monkeypatch):
    forward = SimpleRNN.forward

    def wasteful(self, r, x, training=False):
        np.empty((len(x), self.units), np.float32)
        return forward(self, r, x, training)

    monkeypatch.setattr(SimpleRNN, "forward", wasteful)
    for workload in ("W1, the tutorial", "W3"):
        _, _, batch, _, units = WORKLOADS[workload]
        assert peak_of_a_step(workload, 1024) > 1024 * FLOAT
        assert peaks_of_fit(workload).max() > batch * units * FLOAT
