"""Callbacks in ``fit`` see, change and write what they do in Keras'."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import rnn_core

from ..float64 import keras
from . import small_models as small
from .twins import VX, VY, X, Y, assert_same, assert_same_weights, optimizer, rmsprop, started, twins

pytestmark = pytest.mark.usefixtures("float64_everywhere")


def test_early_stopping_restores_the_best_weights_as_keras():
    theirs, ours = twins(small.plain, optimizer("SGD", learning_rate=0.25, momentum=0.75))
    seen = {}
    for k, model in ((keras, theirs), (rnn_core, ours)):
        stop = k.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)
        best = []
        keep = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, m=model, b=best: b.append(m.get_weights()))
        history = model.fit(
            X, Y, batch_size=4, epochs=12, shuffle=False, verbose=0, validation_data=(VX, VY), callbacks=[keep, stop]
        )
        seen[k] = history.history, stop.stopped_epoch, stop.best_epoch, best
    assert_same(seen[rnn_core][0], seen[keras][0])
    assert seen[rnn_core][1:3] == seen[keras][1:3]
    stopped, best_epoch, kept = seen[rnn_core][1:]
    assert (best_epoch, stopped) == (5, 10)
    for weight, best, last in zip(ours.get_weights(), kept[best_epoch], kept[-1], strict=True):
        assert np.array_equal(weight, best)
        assert not np.array_equal(weight, last)
    assert_same_weights(ours, theirs)


DATA = {"x": X, "y": Y, "batch_size": 4, "epochs": 4, "shuffle": False, "verbose": 0, "validation_data": (VX, VY)}


def scheduler(k):
    return k.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else 0.02)


def test_callbacks_see_what_keras_callbacks_see():
    seen = []
    for k, model in zip((keras, rnn_core), twins(small.plain, rmsprop(metrics=["mae"])), strict=True):
        events = []

        def note(hook, events=events):
            return lambda *args, logs=None: events.append((hook, *args, logs))

        hooks = ["epoch_begin", "epoch_end", "train_begin", "train_end", "train_batch_begin", "train_batch_end"]
        notes = k.callbacks.LambdaCallback(**{f"on_{hook}": note(hook) for hook in hooks})
        model.fit(**DATA, callbacks=[scheduler(k), notes])
        seen.append(events)
    for expected, mine in zip(*seen, strict=True):
        assert mine[0] == expected[0]
        numbers = [[a for a in event[1:] if not isinstance(a, dict) and a is not None] for event in (mine, expected)]
        assert numbers[0] == numbers[1]
        logs = [next((a for a in event[1:] if isinstance(a, dict)), {}) for event in (mine, expected)]
        assert_same(*logs)


def test_callbacks_write_what_keras_callbacks_write(tmp_path):
    theirs, ours = twins(small.plain, rmsprop(metrics=["mae"]))
    rows, checkpoints = [], []
    for k, model, suffix in ((keras, theirs, ".weights.h5"), (rnn_core, ours, ".npz")):
        folder = tmp_path / suffix
        folder.mkdir()
        logger = k.callbacks.CSVLogger(tmp_path / "log.csv")
        path = folder / f"{{epoch}}{suffix}"
        saver = k.callbacks.ModelCheckpoint(path, save_best_only=True, save_weights_only=True)
        model.fit(**DATA, callbacks=[scheduler(k), logger, saver])
        with (tmp_path / "log.csv").open() as file:
            rows.append([{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)])
        files = sorted(folder.iterdir())
        checkpoints.append([file.name.removesuffix(suffix) for file in files])
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        model.load_weights(files[-1])
    for expected, mine in zip(*rows, strict=True):
        assert_same(mine, expected)
    assert [row["learning_rate"] for row in rows[1]] == [0.02, 0.01, 0.005, 0.0025]
    assert checkpoints[0] == checkpoints[1]
    assert_same_weights(ours, theirs)


def test_a_callback_may_stop_within_an_epoch():
    ours = started(rnn_core, small.plain, rmsprop())
    batches = []

    def stop(batch, logs):
        batches.append(batch)
        ours.stop_training = batch == 1

    stopper = rnn_core.callbacks.LambdaCallback(on_train_batch_end=stop)
    history = ours.fit(X, Y, batch_size=4, epochs=5, verbose=0, callbacks=stopper)
    assert batches == [0, 1]
    assert history.epoch == [0]
    assert len(history.history["loss"]) == 1
    assert len(ours.fit(X, Y, epochs=2, verbose=0).history["loss"]) == 2
