"""CSVLogger and History keep what Keras' keep."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.callbacks import CSVLogger, History

from ..float64 import keras
from .pretended_fit import fit


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize(
    "logs",
    [
        [{"loss": 0.1, "b": 2.0}, {"loss": 1e-30, "b": float("nan")}],
        [{"loss": 0.5, "val_loss": 1 / 3}, {"loss": 0.25}, {"new": 1.0}],
        [{"loss": np.arange(3), "text": 'a,"b"'}, {"loss": [0.5, 2]}],
        [{}],
    ],
)
def test_csv_logger_writes_the_bytes_of_keras(tmp_path, separator, append, logs):
    def write(cls):
        path = tmp_path / f"{cls.__module__}.csv"
        logger = cls(path, separator=separator, append=append)
        for _ in range(2):
            fit(logger, logs)
        return path.read_bytes()

    assert write(CSVLogger) == write(keras.callbacks.CSVLogger)


def test_csv_lines_are_there_at_once(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(str(path))
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
    assert path.read_text() == "epoch,loss,val_loss\n0,0.5,0.25\n"
    logger.on_train_begin()  # the fit before may have raised, so that no on_train_end came
    assert path.read_text() == ""


def test_csv_logger_refuses():
    with pytest.raises(ValueError, match="separator must be one character, got ', '"):
        CSVLogger("a.csv", separator=", ")


def test_history_is_keras():
    logs = [{"loss": 0.5, "val_loss": 1.0}, {"loss": 0.25}]
    ours, theirs = History(), keras.callbacks.History()
    fit(ours, logs)
    fit(theirs, logs)
    assert (ours.history, ours.epoch, ours.params) == (theirs.history, theirs.epoch, theirs.params)
