"""Accuracies: the share of samples whose class is predicted right. Values are 1 (right) or 0.

Source: ``keras/src/metrics/accuracy_metrics.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.config import floatx
from rnn_core.losses.shapes import check_targets
from rnn_core.metrics.base import Array, MeanMetricWrapper


def accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return where y = p, element by element.

    Examples
    --------
    >>> accuracy([1, 2, 3], [1, 2, 4])
    array([1., 1., 0.], dtype=float32)
    """
    y, p = _matched("accuracy", y_true, y_pred)
    return _as_floats(y == p, p)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """Return where y (0 or 1) says the same as p > threshold."""
    y, p = _matched("binary_accuracy", y_true, y_pred)
    return _as_floats(y == (p > threshold), p)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return where the largest p is at the place of the largest y (one-hot)."""
    y, p = _matched("categorical_accuracy", y_true, y_pred)
    return _as_floats(y.argmax(axis=-1) == p.argmax(axis=-1), p)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return where the largest p is at place y, a class number."""
    y, p = _classes("sparse_categorical_accuracy", y_true, y_pred)
    return _as_floats(y == p.argmax(axis=-1), p)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Array:
    """Return where the class of the largest y (one-hot) is among the k largest p."""
    y, p = _matched("top_k_categorical_accuracy", y_true, y_pred)
    return _as_floats(_in_top_k(y.argmax(axis=-1), p, k), p)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Array:
    """Return where class y is among the k largest p; with `from_sorted_ids`, p lists classes, best first."""
    y, p = _classes("sparse_top_k_categorical_accuracy", y_true, y_pred)
    if from_sorted_ids:
        return _as_floats((y[..., None] == p[..., :k]).any(axis=-1), p)
    return _as_floats(_in_top_k(y.astype(np.int64), p, k), p)


class Accuracy(MeanMetricWrapper):
    """How often y = p: for outputs that are classes themselves.

    Examples
    --------
    >>> Accuracy()([[1], [2], [3], [4]], [[0], [2], [3], [4]])
    0.75
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often y (0 or 1) says the same as p > threshold.

    Examples
    --------
    >>> BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
    0.75
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        self.threshold = checks.real("BinaryAccuracy", "threshold", threshold)
        super().__init__(binary_accuracy, name, dtype, threshold=self.threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest output is that of the target's class; targets are one-hot.

    Examples
    --------
    >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest output is that of the target's class; targets are class numbers.

    Examples
    --------
    >>> SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
    0.5
    """

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the target's class is among the k largest outputs; targets are one-hot.

    Examples
    --------
    >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.5, 0.1, 0.4]])
    0.5
    """

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        self.k = checks.positive_int("TopKCategoricalAccuracy", "k", k)
        super().__init__(top_k_categorical_accuracy, name, dtype, k=self.k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the target's class is among the k largest outputs; targets are class numbers.

    Examples
    --------
    >>> SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.9, 0.8], [0.5, 0.1, 0.4]])
    0.5
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        self.k = checks.positive_int("SparseTopKCategoricalAccuracy", "k", k)
        self.from_sorted_ids = checks.boolean("SparseTopKCategoricalAccuracy", "from_sorted_ids", from_sorted_ids)
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=self.k, from_sorted_ids=from_sorted_ids)


def _matched(owner: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return targets and outputs in the same shape."""
    y, p = np.asarray(y_true), np.asarray(y_pred)
    y_shape, p_shape = check_targets(owner, y.shape, p.shape)
    return y.reshape(y_shape), p.reshape(p_shape)


def _classes(owner: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return class numbers in the shape of the outputs without their last axis, and the outputs."""
    y, p = np.asarray(y_true), np.asarray(y_pred)
    if y.ndim == p.ndim and y.shape[-1] == 1:
        y = y[..., 0]
    if y.shape != p.shape[:-1]:
        raise ValueError(
            f"{owner}: y_true of shape {np.shape(y_true)} does not match y_pred of shape {p.shape}. "
            f"Expected one class number a sample, shape {p.shape[:-1]}."
        )
    return y, p


def _in_top_k(classes: Array, p: Array, k: int) -> Array:
    """Return where fewer than k outputs are larger than that of the class; a tie at the edge counts as inside."""
    known = (classes >= 0) & (classes < p.shape[-1])
    at_class = np.take_along_axis(p, np.where(known, classes, 0)[..., None], axis=-1)
    return np.asarray(known & np.isfinite(at_class[..., 0]) & ((p > at_class).sum(axis=-1) < k))


def _as_floats(matches: Any, p: Array) -> Array:
    """Return 1 where there is a match and 0 elsewhere, in the outputs' float type."""
    return np.asarray(matches, p.dtype if p.dtype in ("float32", "float64") else floatx())
