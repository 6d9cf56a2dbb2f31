"""Callbacks: functions that ``fit``, ``evaluate`` and ``predict`` call on their way.

    on_train_begin
        on_epoch_begin(0)
            on_train_batch_begin(0) .. on_train_batch_end(0)      then batch 1, 2, ...
            on_test_begin .. on_test_batch_begin/end .. on_test_end         where there is validation data
        on_epoch_end(0, logs)                                     then epoch 1, 2, ...
    on_train_end

``evaluate`` calls the ``on_test_*`` hooks alone, ``predict`` the ``on_predict_*`` hooks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rnn_core.serialization import suggestion

Logs = dict[str, Any]


class Callback:
    """The base of all callbacks: subclass it and override the hooks that you need.

    Attributes
    ----------
    model : Sequential or Model
        The model that is running. ``model.stop_training = True`` ends ``fit`` after the current batch.
    params : dict
        ``{"verbose": ..., "epochs": ..., "steps": ...}``, steps being the batches in an epoch.

    Notes
    -----
    `logs` holds numbers by name: at the end of a batch the running means of the epoch so far, at the end of
    an epoch the loss and metrics, those of validation with the prefix ``val_``; at a beginning nothing.
    Follows ``keras/src/callbacks/callback.py``.

    Examples
    --------
    >>> class PrintLoss(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']:.3f}")
    >>> PrintLoss().on_epoch_end(3, {"loss": 0.25})
    epoch 3: 0.250
    """

    lazy_logs: ClassVar[bool] = False
    """Whether batch hooks also take `logs` as a function that makes them, to be called only if needed."""

    handles_nan: ClassVar[bool] = False
    """Whether the callback deals with a loss that is not finite; else ``fit`` raises NonFiniteError."""

    model: Any = None
    params: dict[str, Any] | None = None

    def set_model(self, model: Any) -> None:
        """Take the model that is about to run."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the settings of the run."""
        self.params = params

    def listens(self, hook: str) -> bool:
        """Whether the callback does anything in this hook, that is, overrides it; others are never called."""
        method = getattr(self, hook)
        if getattr(method, "__func__", method) is not getattr(Callback, hook):
            return True
        return "_train_batch_" in hook and self.listens(hook.replace("_train_", "_"))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Do something when ``fit`` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Do something when ``fit`` ends; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something after an epoch, its validation included."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do the same as `on_train_batch_begin`, under its older name."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do the same as `on_train_batch_end`, under its older name."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a batch, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a batch."""
        self.on_batch_end(batch, logs=logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Do something when ``evaluate``, or validation in ``fit``, begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Do something when ``evaluate``, or validation in ``fit``, ends."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a batch of ``evaluate`` or of validation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a batch of ``evaluate`` or of validation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Do something when ``predict`` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Do something when ``predict`` ends."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do something before a batch of ``predict``."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after a batch of ``predict``; ``logs["outputs"]`` is what was predicted."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called as ``f(epoch, logs)``.
    on_train_begin, on_train_end : callable, optional
        Called as ``f(logs)``.
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called as ``f(batch, logs=logs)``.
    **kwargs : callable
        Any other hook of :class:`Callback`, by its name.

    Raises
    ------
    TypeError
        For a name that is no hook (Keras ignores it), or a value that can't be called.

    Examples
    --------
    >>> shout = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> shout.on_epoch_end(0, {"loss": 0.5})
    0 {'loss': 0.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any],
    ) -> None:
        super().__init__()
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for hook, function in functions.items():
            if hook not in HOOKS:
                raise TypeError(f"LambdaCallback: {hook!r} is no hook.{suggestion(hook, HOOKS)}")
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"LambdaCallback: {hook} must be a function, got {function!r}.")
            setattr(self, hook, function)
