"""Saving weights on the way."""

from __future__ import annotations

import os

from rnn_core import checks
from rnn_core.callbacks.callback import Logs
from rnn_core.callbacks.monitor import MonitorCallback
from rnn_core.progress import print_message


class ModelCheckpoint(MonitorCallback):
    """Saves the weights after every epoch, after every so many batches, or only where a value improves.

    Parameters
    ----------
    filepath : str or path
        Ends in ``.npz``. May hold ``{epoch}`` (counted from 1), ``{batch}`` where `save_freq` is an int,
        and names in the logs: ``"{epoch:02d}-{val_loss:.2f}.npz"``. Missing folders are made.
    monitor : str
        Looked at only with `save_best_only`.
    verbose : {0, 1}
    save_best_only : bool
        Whether to save only where `monitor` improves on the best value so far.
    save_weights_only : bool
        Must be True: whole models are not saved to one file.
    mode : {"auto", "min", "max"}
    save_freq : "epoch" or int
        When to save: after each epoch, or each time this many batches are done.
    initial_value_threshold : float, optional
        The value to improve on at first.

    Raises
    ------
    ValueError
        For ``save_weights_only=False``, for a path that does not end in ``.npz``, and where `monitor` or a
        name in the path is not logged.

    Notes
    -----
    As ``keras/src/callbacks/model_checkpoint.py``, except for the file format. To load:
    ``model.load_weights(path)``.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        if not save_weights_only:
            raise ValueError(
                "ModelCheckpoint: whole-model files are not supported; pass save_weights_only=True "
                "and a filepath that ends in '.npz'."
            )
        if not self.filepath.endswith(".npz"):
            hint = " HDF5 and .keras files are Keras' own." if self.filepath.endswith((".h5", ".keras")) else ""
            raise ValueError(
                f"ModelCheckpoint: filepath must end in '.npz', NumPy's format, got {self.filepath!r}.{hint}"
            )
        self.save_freq: int | None = None
        if save_freq != "epoch":
            if isinstance(save_freq, str):
                raise ValueError(f"ModelCheckpoint: save_freq must be 'epoch' or an integer, got {save_freq!r}.")
            self.save_freq = checks.positive_int("ModelCheckpoint", "save_freq", save_freq)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self._batches = 0
        self._epoch = 0

    def listens(self, hook: str) -> bool:
        """Whether anything is saved in this hook: after batches only with `save_freq` an int."""
        return super().listens(hook) and not (hook == "on_train_batch_end" and self.save_freq is None)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Remember the epoch, for the name of the file."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, with ``save_freq="epoch"``."""
        if self.save_freq is None:
            self._save(epoch, None, logs or {})

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, with `save_freq` an int; batches are counted on across epochs."""
        if self.save_freq is None:
            return
        self._batches += 1
        if self._batches == self.save_freq:
            self._batches = 0
            self._save(self._epoch, batch, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        intro, gain = f"\nEpoch {epoch + 1}:", ""
        if self.save_best_only:
            value = self.monitored(logs)
            if value is None:
                return
            best = "None" if self.best is None else f"{self.best:.5f}"
            if not self.improves(value, self.best):
                if self.verbose > 0:
                    print_message(f"{intro} {self.monitor} did not improve from {best}")
                return
            self.best = value
            gain = f"{self.monitor} improved from {best} to {value:.5f}, "
        path = self._path(epoch, batch, logs)
        if self.verbose > 0:
            print_message(f"{intro} {gain}saving model to {path}")
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self.model.save_weights(path)
        if self.verbose > 0:
            print_message(f"{intro} finished saving model to {path}")

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        """Fill in the names in the path."""
        names = {"epoch": epoch + 1, **logs}
        if batch is not None:
            names.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            raise ValueError(
                f"ModelCheckpoint: filepath {self.filepath!r} names {error}, known are {', '.join(names)}."
            ) from error
