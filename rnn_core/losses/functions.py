"""The losses as functions, ``mean_squared_error(y_true, y_pred)``: one value for each sample, not reduced.

Each has the formula, the arguments and the checks of the class it is named after. A name such as
``"mean_squared_error"`` and the function itself stand for that class wherever a loss is asked for.
"""

from __future__ import annotations

from typing import Any

from rnn_core.losses import classification, focal, margin, regression
from rnn_core.losses.shapes import Array


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """Return mean((p - y)^2) over the last axis.

    Examples
    --------
    >>> mean_squared_error([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 2.0]])
    array([0.5, 2.5])
    """
    return regression.MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """Return mean(|p - y|)."""
    return regression.MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Array:
    """Return 100 mean(|p - y| / max(|y|, eps))."""
    return regression.MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Array:
    """Return mean((log(1 + p) - log(1 + y))^2)."""
    return regression.MeanSquaredLogarithmicError().call(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Return the cosine of the angle between y and p, NEGATED, as a loss needs it."""
    return regression.CosineSimilarity(axis).call(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Array:
    """Return the mean of a parabola that turns into straight lines at `delta`."""
    return regression.Huber(delta).call(y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> Array:
    """Return mean(log(cosh(p - y)))."""
    return regression.LogCosh().call(y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> Array:
    """Return mean(p - y log p)."""
    return regression.Poisson().call(y_true, y_pred)


def kl_divergence(y_true: Any, y_pred: Any) -> Array:
    """Return sum(y log(y / p))."""
    return regression.KLDivergence().call(y_true, y_pred)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Return mean(-y log p - (1 - y) log(1 - p))."""
    return classification.BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the binary cross-entropy, turned down where the prediction is already good."""
    loss = focal.BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Return -sum(y log p) for one-hot targets."""
    return classification.CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the categorical cross-entropy, turned down where the prediction is already good."""
    loss = focal.CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """Return -log p at the target, for targets that are class numbers."""
    loss = classification.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
    return loss.call(y_true, y_pred)


def hinge(y_true: Any, y_pred: Any) -> Array:
    """Return mean(max(1 - y p, 0)) for targets -1 and 1, or 0 and 1."""
    return margin.Hinge().call(y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> Array:
    """Return mean(max(1 - y p, 0)^2)."""
    return margin.SquaredHinge().call(y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> Array:
    """Return max(best other score - target's score + 1, 0) for one-hot targets."""
    return margin.CategoricalHinge().call(y_true, y_pred)
