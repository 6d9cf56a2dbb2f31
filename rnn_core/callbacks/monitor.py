"""What callbacks that watch one logged value share: which value, and what counts as better."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.callbacks.callback import Callback, Logs
from rnn_core.serialization import suggestion

_LOWER_IS_BETTER = re.compile(
    r"loss|mse|mae|mape|msle|rmse|bce|(.*_)?(error|crossentropy|hinge|huber|poisson|logcosh|kl_divergence)",
    re.I,
)
_HIGHER_IS_BETTER = re.compile(
    r"acc|(.*_)?(accuracy|auc|precision|recall|cosine_similarity|r2_score|f1_score|fbeta_score|correlation|io_u)"
)


def higher_is_better(name: str) -> bool | None:
    """Return the direction of a metric of Keras by its name, None for a name that is not Keras'.

    Examples
    --------
    >>> higher_is_better("val_loss"), higher_is_better("binary_accuracy"), higher_is_better("score")
    (False, True, None)
    """
    name = re.sub(r"_\d+$", "", name.removeprefix("val_"))
    if _LOWER_IS_BETTER.fullmatch(name):
        return False
    return True if _HIGHER_IS_BETTER.fullmatch(name) else None


class MonitorCallback(Callback):
    """The base of callbacks that watch one value.

    `value` is an improvement on `reference` if it is better by more than `min_delta`::

        min:  value + min_delta < reference          max:  value - min_delta > reference

    Parameters
    ----------
    monitor : str
        The name of the value in the logs.
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" goes by the metric's name.
    baseline : float, optional
        The value to improve on at first. Default: none, so that the first value is an improvement.
    min_delta : float
        Its sign is ignored.

    Raises
    ------
    ValueError
        For an unknown mode (Keras warns and takes "auto"), and at the end of the first epoch where
        `monitor` is not logged (Keras warns at each epoch) or "auto" finds no direction.

    Notes
    -----
    Follows ``keras/src/callbacks/monitor_callback.py``, which compares in float32; here all digits count.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        owner = type(self).__name__
        if not isinstance(monitor, str):
            raise TypeError(f"{owner}: monitor must be a name in the logs, got {monitor!r}.")
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{owner}: mode must be 'auto', 'min' or 'max', got {mode!r}.")
        self.monitor = monitor
        self.mode = mode
        self.best = None if baseline is None else checks.real(owner, "baseline", baseline)
        self.min_delta = abs(checks.real(owner, "min_delta", min_delta))
        self._higher: bool | None = None if mode == "auto" else mode == "max"

    def monitored(self, logs: Logs | None) -> float | None:
        """Return the watched value of `logs`, or None in an epoch that is not followed by a validation."""
        value: Any = (logs or {}).get(self.monitor)
        if isinstance(value, (int, float, np.number)):
            return float(value)
        if value is not None:
            raise TypeError(f"{type(self).__name__}: {self.monitor!r} must be a number, got {value!r}.")
        known = list(logs or {})
        needs = ""
        if self.monitor.startswith("val_") and not any(name.startswith("val_") for name in known):
            if (self.params or {}).get("validation_freq", 1) != 1:
                return None
            needs = " It needs validation_data or validation_split in fit."
        raise ValueError(
            f"{type(self).__name__}: monitor={self.monitor!r} is not among the logged values "
            f"{', '.join(known) or '(none)'}.{needs or suggestion(self.monitor, known)}"
        )

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference`; any value is better than none."""
        if self._higher is None:
            self._higher = higher_is_better(self.monitor)
            if self._higher is None:
                raise ValueError(
                    f"{type(self).__name__}: whether more of {self.monitor!r} is better is not known; "
                    "pass mode='max' if it is, mode='min' if not."
                )
        if reference is None:
            return True
        if self._higher:
            return value - self.min_delta > reference
        return value + self.min_delta < reference
