"""Callbacks in the ``fit`` of a real model."""

from __future__ import annotations

import re

import numpy as np

from rnn_core.callbacks import CSVLogger, LambdaCallback, ModelCheckpoint
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.utils import set_random_seed


def small_model():
    set_random_seed(1)
    model = Sequential([Input((2, 1)), SimpleRNN(3), Dense(1)])
    model.compile("rmsprop", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(24, 2, 1))
    return model, x, x.sum(axis=(1, 2))


def test_a_checkpoint_holds_the_weights_of_its_epoch(tmp_path):
    model, x, y = small_model()
    weights = []
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    save = ModelCheckpoint(tmp_path / "{epoch:02d}.npz", save_weights_only=True)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[keep, save])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01.npz", "02.npz", "03.npz"]
    model.load_weights(tmp_path / "02.npz")
    for ours, kept in zip(model.get_weights(), weights[1], strict=True):
        np.testing.assert_array_equal(ours, kept)


def test_a_run_logs_the_same_everywhere(tmp_path, capsys):
    model, x, y = small_model()
    seen = []
    note = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    options = {"epochs": 2, "batch_size": 10, "validation_split": 0.25, "verbose": 2}
    history = model.fit(x, y, callbacks=[note, CSVLogger(tmp_path / "log.csv")], **options)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert history.history == {name: [logs[name] for logs in seen] for name in history.history}
    assert history.params == {"epochs": 2, "steps": 2, "verbose": 2}
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows[1] == ",".join(["0", *map(str, seen[0].values())])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Epoch 1/2"
    values = [f"{name}: {value:.4f}" for name, value in seen[0].items()]
    assert re.fullmatch(r"2/2 - \d+s - \d+[mu]?s/step - " + " - ".join(values), printed[1])
