"""Callbacks that write down how training goes: in memory, in a file, on the terminal."""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

import numpy as np

from rnn_core.callbacks.callback import Callback, Logs
from rnn_core.progress import Progbar, print_message


class History(Callback):
    """The losses and metrics of all epochs; what ``fit`` returns.

    Attributes
    ----------
    history : dict of str to list of float
        One value an epoch for the loss and each metric, those of validation under ``val_...``.
    epoch : list of int
        The numbers of the epochs, from `initial_epoch` on.

    Examples
    --------
    >>> record = History()
    >>> record.on_train_begin(); record.on_epoch_end(0, {"loss": 0.5}); record.on_epoch_end(1, {"loss": 0.25})
    >>> record.epoch, record.history
    ([0, 1], {'loss': [0.5, 0.25]})
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start counting epochs."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the values of the epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class CSVLogger(Callback):
    """Writes one line an epoch to a CSV file, at once, so that a crash leaves all epochs before it.

    Parameters
    ----------
    filename : str or path
    separator : str
        One character between two values.
    append : bool
        Whether to go on in an existing file, under its header, rather than to write a new one.

    Notes
    -----
    The columns are ``epoch`` and the names logged in the first epoch. Where that had no validation, there
    is a column ``val_...`` for each name, too; a value that an epoch does not have is NA. Both as in
    ``keras/src/callbacks/csv_logger.py``.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator must be one character, got {separator!r}.")
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.append_header = True
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Empty the file, or find out whether it has a header to go on under."""
        if not self.append:
            with open(self.filename, "w"):
                pass
        self.append_header = not (os.path.exists(self.filename) and os.path.getsize(self.filename) > 0)
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line, before the first one the header."""
        import csv

        logs = logs or {}
        # Opened for each line, so that the line is on its way to the disk, and nothing stays open if fit raises.
        with open(self.filename, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self.sep)
            if self.keys is None:
                self.keys = sorted(logs)
                if not any(name.startswith("val_") for name in self.keys):
                    self.keys += [f"val_{name}" for name in self.keys]
                if self.append_header:
                    writer.writerow(["epoch", *self.keys])
            writer.writerow([epoch, *(_cell(logs.get(name, "NA")) for name in self.keys)])


def _cell(value: Any) -> Any:
    """Return a value for a CSV cell; a sequence as ``"[1, 2]"``, in quotes."""
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0):
        return f'"[{", ".join(map(str, value))}]"'
    return value


class ProgbarLogger(Callback):
    """Prints progress on the terminal; ``fit``, ``evaluate`` and ``predict`` add it unless ``verbose=0``.

    Notes
    -----
    Prints what ``keras/src/callbacks/progbar_logger.py`` prints, redrawn at most every 0.05 s. Unlike in
    Keras this holds across epochs too: the line of an epoch that takes less is drawn once, at its end. With
    ``verbose=2`` no batch hook is called at all.
    """

    lazy_logs: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.verbose: int = 1
        self.epochs: int = 1
        self.target: int | None = None
        self.seen = 0
        self.progbar: Progbar | None = None
        self._in_fit = False

    def set_params(self, params: dict[str, Any]) -> None:
        """Take verbose ("auto": 1), epochs and steps."""
        self.params = params
        self.verbose = 1 if params["verbose"] == "auto" else int(params["verbose"])
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def listens(self, hook: str) -> bool:
        """Whether anything is drawn in this hook: after batches only by a bar, or to count steps."""
        if "_batch_" in hook and self.verbose != 1 and self.target is not None:
            return False
        return super().listens(hook)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Note that ``fit`` runs, where validation prints no line of its own."""
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Print ``Epoch 1/100``."""
        self._start_bar()
        if self.verbose and self.epochs > 1:
            print_message(f"Epoch {epoch + 1}/{self.epochs}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Draw the finished line."""
        self._finish(logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Redraw the bar, if it is time to."""
        self._advance(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Start a bar, unless in ``fit``."""
        if not self._in_fit:
            self._start_bar()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Redraw the bar, if it is time to, unless in ``fit``."""
        if not self._in_fit:
            self._advance(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Draw the finished line, unless in ``fit``."""
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Start a bar."""
        self._start_bar()

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Redraw the bar, if it is time to; the predictions are not shown."""
        self._advance(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Draw the finished line."""
        self._finish(logs)

    def _start_bar(self) -> Progbar:
        drawn = self.progbar.last_update if self.progbar is not None else None
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())
        if drawn is not None:
            self.progbar.last_update = drawn
        return self.progbar

    def _advance(self, batch: int, logs: Any) -> None:
        self.seen = batch + 1
        bar = self.progbar or self._start_bar()
        # The first batch goes through in any case: its time is left out of the time per step.
        if batch and time.perf_counter() - bar.last_update < bar.interval:
            return
        if self.verbose == 1:
            if callable(logs):
                logs = logs()
            bar.update(self.seen, sorted((logs or {}).items()), finalize=False)

    def _finish(self, logs: Logs | None) -> None:
        bar = self.progbar or self._start_bar()
        if self.target is None:
            self.target = bar.target = self.seen
        bar.update(self.target, list((logs or {}).items()), finalize=True)
