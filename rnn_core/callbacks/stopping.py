"""Callbacks that end training early."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from rnn_core import checks
from rnn_core.callbacks.callback import Callback, Logs
from rnn_core.callbacks.monitor import MonitorCallback
from rnn_core.progress import print_message


class EarlyStopping(MonitorCallback):
    """Stops when a value has not improved for `patience` epochs.

    Parameters
    ----------
    monitor : str
    min_delta : float
        An improvement must be more than this.
    patience : int
        Epochs without improvement after which training stops.
    verbose : {0, 1}
    mode : {"auto", "min", "max"}
    baseline : float, optional
        An epoch must beat this, too, to count as progress.
    restore_best_weights : bool
        Whether the model gets the weights of its best epoch back when training ends, stopped early or not,
        and also where no epoch beats `baseline`.
    start_from_epoch : int
        Epochs before this one are not looked at.

    Attributes
    ----------
    stopped_epoch : int
        The epoch after which it stopped; 0 if it did not.
    best_epoch : int
        The epoch of the best value.
    best : float
    best_weights : list of ndarray

    Notes
    -----
    Decides as ``keras/src/callbacks/early_stopping.py`` does, except where `monitor` is missing: see
    :class:`MonitorCallback`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> stopping = EarlyStopping("loss", patience=2)
    >>> stopping.set_model(SimpleNamespace(stop_training=False)); stopping.on_train_begin()
    >>> for epoch, loss in enumerate([0.5, 0.4, 0.45, 0.41]):
    ...     stopping.on_epoch_end(epoch, {"loss": loss})
    >>> stopping.model.stop_training, stopping.best_epoch, stopping.stopped_epoch
    (True, 1, 3)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = checks.positive_int("EarlyStopping", "patience", patience, minimum=0)
        self.verbose = verbose
        self.baseline = None if baseline is None else checks.real("EarlyStopping", "baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = checks.positive_int("EarlyStopping", "start_from_epoch", start_from_epoch, minimum=0)
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier ``fit``."""
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, keep the best weights, and stop when patience is over."""
        value = self.monitored(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Give the model its best weights back."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            print_message(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                print_message(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Stops after a batch that leaves a loss of NaN or infinity.

    Parameters
    ----------
    raise_error : bool
        Whether to raise RuntimeError, so that no ``on_train_end`` runs, instead of ending ``fit`` in order.

    Notes
    -----
    As ``keras/src/callbacks/terminate_on_nan.py``. Without this callback ``fit`` raises NonFiniteError, which says
    where the first bad number was computed.
    """

    handles_nan: ClassVar[bool] = True

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"TerminateOnNaN: the loss is {loss} after batch {batch}.")
        print_message(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
