"""Callbacks in ``fit`` see, change and write what they do in Keras'."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import rnn_core

from ..float64 import keras
from . import small_models as small
from .twins import VX, VY, X, Y, assert_same, assert_same_weights, optimizer, rmsprop, twins

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


def test_callbacks_see_what_keras_callbacks_see(tmp_path):
    theirs, ours = twins(small.plain, rmsprop(metrics=["mae"]))
    seen, rows = {}, {}
    for name, k, model in (("theirs", keras, theirs), ("ours", rnn_core, ours)):
        events = []

        def note(hook, events=events):
            return lambda *args, logs=None: events.append((hook, *args, logs))

        hooks = ["epoch_begin", "epoch_end", "train_begin", "train_end", "train_batch_begin", "train_batch_end"]
        csv_file = tmp_path / f"{name}.csv"
        suffix = "npz" if k is rnn_core else "weights.h5"
        model.fit(
            X,
            Y,
            batch_size=4,
            epochs=4,
            shuffle=False,
            verbose=0,
            validation_data=(VX, VY),
            callbacks=[
                k.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else 0.02),
                k.callbacks.CSVLogger(csv_file),
                k.callbacks.ModelCheckpoint(
                    tmp_path / f"{name}-{{epoch}}.{suffix}", save_best_only=True, save_weights_only=True
                ),
                k.callbacks.LambdaCallback(**{f"on_{hook}": note(hook) for hook in hooks}),
            ],
        )
        seen[name] = events
        with csv_file.open() as file:
            rows[name] = list(csv.DictReader(file))
    assert len(seen["ours"]) == len(seen["theirs"])
    for mine, expected in zip(seen["ours"], seen["theirs"], strict=True):
        assert mine[0] == expected[0]
        numbers = [[a for a in event[1:] if not isinstance(a, dict) and a is not None] for event in (mine, expected)]
        assert numbers[0] == numbers[1]
        logs = [next((a for a in event[1:] if isinstance(a, dict)), {}) for event in (mine, expected)]
        assert_same(logs[0], logs[1])
    for mine, expected in zip(rows["ours"], rows["theirs"], strict=True):
        assert_same(
            {name: float(value) for name, value in mine.items()},
            {name: float(value) for name, value in expected.items()},
        )
    assert [float(row["learning_rate"]) for row in rows["ours"]] == [0.02, 0.01, 0.005, 0.0025]
    files = sorted(path.name.removesuffix(".npz") for path in tmp_path.glob("ours-*"))
    assert [f.removeprefix("ours") for f in files] == sorted(
        path.name.removesuffix(".weights.h5").removeprefix("theirs") for path in tmp_path.glob("theirs-*")
    )
    theirs.load_weights(sorted(tmp_path.glob("theirs-*"))[-1])
    ours.load_weights(sorted(tmp_path.glob("ours-*"))[-1])
    assert_same_weights(ours, theirs)
    assert_same_weights(ours, theirs)


def test_a_callback_may_stop_within_an_epoch():
    _, ours = twins(small.plain, rmsprop())
    batches = []

    def stop(batch, logs):
        batches.append(batch)
        ours.stop_training = batch == 1

    history = ours.fit(
        X, Y, batch_size=4, epochs=5, verbose=0, callbacks=[rnn_core.callbacks.LambdaCallback(on_train_batch_end=stop)]
    )
    assert batches == [0, 1]
    assert len(history.history["loss"]) == 1
    assert len(ours.fit(X, Y, epochs=2, verbose=0).history["loss"]) == 2
