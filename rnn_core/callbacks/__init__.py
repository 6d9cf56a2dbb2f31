"""Callbacks for ``fit``, ``evaluate`` and ``predict``, by Keras' names."""

from __future__ import annotations

from typing import NoReturn

from rnn_core.callbacks.callback import Callback, LambdaCallback
from rnn_core.callbacks.callback_list import CallbackList
from rnn_core.callbacks.checkpoint import ModelCheckpoint
from rnn_core.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from rnn_core.callbacks.monitor import MonitorCallback
from rnn_core.callbacks.recorders import CSVLogger, History, ProgbarLogger
from rnn_core.callbacks.stopping import EarlyStopping, TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]

_NOT_SUPPORTED = {
    "BackupAndRestore": "ModelCheckpoint saves weights",
    "OrbaxCheckpoint": "ModelCheckpoint saves weights",
    "RemoteMonitor": "a LambdaCallback can send the logs",
    "SwapEMAWeights": "use_ema=True in the optimizer ends fit with the averaged weights",
    "TensorBoard": "CSVLogger writes the logs to a file",
}


def __getattr__(name: str) -> NoReturn:
    """Say which of Keras' callbacks are not here, and what there is instead."""
    if name in _NOT_SUPPORTED:
        raise ImportError(f"rnn_core.callbacks has no {name}; {_NOT_SUPPORTED[name]}.", name=__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
