"""Callbacks that change the learning rate from epoch to epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.callbacks.callback import Callback, Logs
from rnn_core.callbacks.monitor import MonitorCallback
from rnn_core.config import floatx
from rnn_core.progress import print_message


def _rounded(rate: float) -> float:
    """Return a learning rate in floatx, as Keras holds it."""
    return float(np.dtype(floatx()).type(rate))


def _log_learning_rate(model: Any, logs: Logs) -> None:
    """Add the learning rate to `logs`, rounded, so that 0.001 prints as in Keras: 0.0010, not 1.0000e-03."""
    logs["learning_rate"] = _rounded(model.optimizer.learning_rate)


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of every epoch to ``schedule(epoch, learning_rate)``.

    Parameters
    ----------
    schedule : callable
        Takes the epoch, counted from 0, and the present learning rate (or the epoch alone), returns the new
        one.
    verbose : {0, 1}

    Raises
    ------
    TypeError
        If `schedule` can't be called.
    ValueError
        If it returns anything but a number of at least 0.

    Notes
    -----
    As ``keras/src/callbacks/learning_rate_scheduler.py``; adds ``learning_rate`` to the logs of the epoch.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> halving = LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1)
    >>> halving.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.5)))
    >>> halving.on_epoch_begin(0)
    <BLANKLINE>
    Epoch 1: LearningRateScheduler setting learning rate to 0.25.
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(f"LearningRateScheduler: schedule must be a function, got {schedule!r}.")
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the learning rate."""
        optimizer = self.model.optimizer
        arguments = (epoch, float(optimizer.learning_rate)) if self._takes_rate else (epoch,)
        rate = self.schedule(*arguments)
        optimizer.learning_rate = checks.real("LearningRateScheduler", "what schedule returns", rate, 0)
        if self.verbose > 0:
            print_message(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add ``learning_rate`` to the logs."""
        if logs is not None:
            _log_learning_rate(self.model, logs)


def _takes_two(schedule: Callable[..., Any]) -> bool:
    """Whether `schedule` takes (epoch, learning_rate); older ones take (epoch) alone."""
    import inspect

    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a built-in function without a signature
        return True
    return True


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` when a value has not improved for `patience` epochs.

    Parameters
    ----------
    monitor : str
    factor : float
        At least 0 and below 1.
    patience : int
    verbose : {0, 1}
    mode : {"auto", "min", "max"}
    min_delta : float
        An improvement must be more than this.
    cooldown : int
        Epochs after a reduction in which none is counted.
    min_lr : float
        The learning rate stays at least this.

    Notes
    -----
    Decides as ``keras/src/callbacks/reduce_lr_on_plateau.py`` does, and adds ``learning_rate``, that of the
    epoch before a reduction, to the logs. Unknown arguments, which Keras takes and ignores, are refused.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> plateau = ReduceLROnPlateau("loss", factor=0.5, patience=2)
    >>> plateau.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.1)))
    >>> for epoch, loss in enumerate([1.0, 0.9, 0.9, 0.9]):
    ...     plateau.on_epoch_end(epoch, {"loss": loss})
    >>> plateau.model.optimizer.learning_rate
    0.05
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        owner = "ReduceLROnPlateau"
        self.factor = checks.real(owner, "factor", factor, 0)
        if self.factor >= 1:
            raise ValueError(f"{owner}: factor must be below 1, got {factor!r}.")
        self.patience = checks.positive_int(owner, "patience", patience, minimum=0)
        self.verbose = verbose
        self.cooldown = checks.positive_int(owner, "cooldown", cooldown, minimum=0)
        self.min_lr = checks.real(owner, "min_lr", min_lr, 0)
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier ``fit``."""
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, and reduce the learning rate when patience is over."""
        if logs is not None:
            _log_learning_rate(self.model, logs)
        value = self.monitored(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best = value
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        rate = float(optimizer.learning_rate)
        if _rounded(rate) <= _rounded(self.min_lr):
            return
        rate = max(rate * self.factor, self.min_lr)
        optimizer.learning_rate = rate
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose > 0:
            print_message(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
