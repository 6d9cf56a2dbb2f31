"""Metrics that are losses, averaged over samples: each value is that of the loss of the same name.

Formulas stand in ``rnn_core/losses/``. Source: ``keras/src/metrics/{regression,probabilistic,hinge}_metrics.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_core import losses
from rnn_core.metrics.base import MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """The mean of (p - y)^2.

    Examples
    --------
    >>> MeanSquaredError()([[0.0], [1.0]], [[2.0], [1.0]])
    2.0
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of |p - y|."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of 100 |p - y| / |y|."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of (log(1 + p) - log(1 + y))^2."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """The mean of log(cosh(p - y))."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class Poisson(MeanMetricWrapper):
    """The mean of p - y log p."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.poisson, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """The mean of sum(y log(y / p))."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean of -y log p - (1 - y) log(1 - p).

    Parameters
    ----------
    from_logits, label_smoothing
        As in ``losses.BinaryCrossentropy``.
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(
            losses.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of -sum(y log p) for one-hot targets.

    Parameters
    ----------
    from_logits, label_smoothing, axis
        As in ``losses.CategoricalCrossentropy``.
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **settings)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of -log p at the target's class, for targets that are class numbers.

    Parameters
    ----------
    from_logits, ignore_class, axis
        As in ``losses.SparseCategoricalCrossentropy``. Ignored targets do not count, as in the loss. (Keras leaves
        them out of the metric only where sample weights are given, and else takes their value for 0.)
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        settings: dict[str, Any] = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **settings)
        self.ignore_class = ignore_class

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Add a batch, without targets of the class to be ignored."""
        if self.ignore_class is not None:
            valid = (np.asarray(y_true) != self.ignore_class).reshape(np.shape(y_pred)[:-1])
            mask = valid if mask is None else np.asarray(mask, bool) & valid
        super().update_state(y_true, y_pred, sample_weight, mask)


class Hinge(MeanMetricWrapper):
    """The mean of max(1 - y p, 0), for targets -1 and 1, or 0 and 1."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """The mean of max(1 - y p, 0)^2."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The mean of max(best other score - target's score + 1, 0), for one-hot targets."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)
