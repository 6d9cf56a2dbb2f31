"""The callbacks of one run as one callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_core.callbacks.callback import HOOKS, Callback, Logs
from rnn_core.callbacks.recorders import History, ProgbarLogger


class CallbackList(Callback):
    """Calls each hook of each callback that overrides it, and no other.

    Parameters
    ----------
    callbacks : Callback or (nested) list of Callback, optional
    add_history, add_progbar : bool
        Whether to add a :class:`History` and a :class:`ProgbarLogger` at the end, where there is none.
    model : Sequential or Model, optional
    **params
        Settings of the run for ``set_params``: verbose, epochs, steps.

    Attributes
    ----------
    callbacks : list of Callback
    has_train_batch_hooks, has_test_batch_hooks, has_predict_batch_hooks : bool
        Whether any callback listens to batches; where none does, a loop leaves the calls out.

    Raises
    ------
    TypeError
        For anything that is not a callback.

    Notes
    -----
    As in Keras (``keras/src/callbacks/callback_list.py``), `logs` reach the callbacks sorted by name, as
    floats, in a new dict that they share: a learning rate that one adds is seen by those behind it.

    Examples
    --------
    >>> quiet, loud = Callback(), Callback()
    >>> loud.on_train_batch_end = lambda batch, logs=None: print(batch, logs)
    >>> CallbackList(quiet).has_train_batch_hooks
    False
    >>> CallbackList([quiet, loud]).on_train_batch_end(0, {"mae": np.float32(0.5), "loss": 2})
    0 {'loss': 2.0, 'mae': 0.5}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks = flatten(callbacks)
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def set_model(self, model: Any) -> None:
        """Give all callbacks the model, and the model its history."""
        self.model = model
        for callback in self.callbacks:
            if isinstance(callback, History):
                model.history = callback
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Give all callbacks the settings of the run, and list those that listen to each hook."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)
        self._hooks: dict[str, list[Callable[..., None]]] = {}
        self._lazy: dict[str, bool] = {}
        for hook in HOOKS:
            listening = [c for c in self.callbacks if c.listens(hook)]
            self._hooks[hook] = [getattr(c, hook) for c in listening]
            self._lazy[hook] = all(c.lazy_logs for c in listening)
        self.takes_nan = any(c.handles_nan for c in self.callbacks)
        self.has_train_batch_hooks = self._any("on_train_batch_begin", "on_train_batch_end")
        self.has_test_batch_hooks = self._any("on_test_batch_begin", "on_test_batch_end")
        self.has_predict_batch_hooks = self._any("on_predict_batch_begin", "on_predict_batch_end")

    @property
    def has_batch_hooks(self) -> bool:
        """Whether any callback listens to batches of any kind."""
        return self.has_train_batch_hooks or self.has_test_batch_hooks or self.has_predict_batch_hooks

    def _any(self, *hooks: str) -> bool:
        return any(self._hooks[hook] for hook in hooks)

    def _call(self, hook: str, logs: Logs | None, *epoch: int) -> None:
        logs = plain(logs)
        for function in self._hooks[hook]:
            function(*epoch, logs)

    def _call_batch(self, hook: str, batch: int, logs: Any) -> None:
        if not self._lazy[hook]:
            logs = plain(logs)
        for function in self._hooks[hook]:
            function(batch, logs=logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call the callbacks that listen, as all hooks below."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call the callbacks that listen."""
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the callbacks that listen."""
        self._call("on_epoch_begin", logs, epoch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the callbacks that listen."""
        self._call("on_epoch_end", logs, epoch)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Call the callbacks that listen."""
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Call the callbacks that listen."""
        self._call("on_test_end", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Call the callbacks that listen."""
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Call the callbacks that listen."""
        self._call("on_predict_end", logs)

    # Batch hooks take a dict, or a function that makes one and is called only where a callback looks at it.

    def on_train_batch_begin(self, batch: int, logs: Logs | Callable[[], Logs] | None = None) -> None:
        """Call the callbacks that listen."""
        self._call_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | Callable[[], Logs] | None = None) -> None:
        """Call the callbacks that listen."""
        self._call_batch("on_train_batch_end", batch, logs)

    on_batch_begin, on_batch_end = on_train_batch_begin, on_train_batch_end

    def on_test_batch_begin(self, batch: int, logs: Logs | Callable[[], Logs] | None = None) -> None:
        """Call the callbacks that listen."""
        self._call_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | Callable[[], Logs] | None = None) -> None:
        """Call the callbacks that listen."""
        self._call_batch("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | Callable[[], Logs] | None = None) -> None:
        """Call the callbacks that listen."""
        self._call_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | Callable[[], Logs] | None = None) -> None:
        """Call the callbacks that listen."""
        self._call_batch("on_predict_batch_end", batch, logs)


def flatten(callbacks: Any) -> list[Callback]:
    """Return callbacks, given alone or in nested lists, as one list.

    Examples
    --------
    >>> flatten([History])
    Traceback (most recent call last):
        ...
    TypeError: callbacks must hold callback objects, got the class History: write History(...).
    """
    if callbacks is None:
        return []
    if isinstance(callbacks, Callback):
        return [callbacks]
    if isinstance(callbacks, (list, tuple)):
        return [callback for item in callbacks for callback in flatten(item)]
    if isinstance(callbacks, type):
        name = callbacks.__name__
        raise TypeError(f"callbacks must hold callback objects, got the class {name}: write {name}(...).")
    raise TypeError(
        "callbacks must hold objects of (subclasses of) rnn_core.callbacks.Callback, "
        f"got {type(callbacks).__module__}.{type(callbacks).__name__}."
    )


def plain(logs: Logs | Callable[[], Logs] | None) -> Logs:
    """Return a copy of `logs` sorted by name, with numbers as floats, as Keras passes them on.

    Examples
    --------
    >>> plain({"mae": np.float32(0.5), "loss": 2})
    {'loss': 2.0, 'mae': 0.5}
    """
    if callable(logs):
        logs = logs()
    return {name: number(value) for name, value in sorted(logs.items())} if logs else {}


def number(value: Any) -> Any:
    """Return a number of any kind as a float, anything else as it is."""
    if isinstance(value, (int, float, np.number)) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return float(value)
    return value
