"""Metrics: what is reported beside the loss, and trains nothing.

    base.py         the running (weighted) mean, Sum, Mean, MeanMetricWrapper
    errors.py       losses as metrics
    regression.py   root mean squared error, cosine similarity, R squared
    accuracy.py     accuracies
    confusion.py    counts, precision, recall, AUC

A metric is asked for by name (``"mae"``, ``"accuracy"``, ``"RootMeanSquaredError"``), by config, as a function, or as
an object. Its name is its key in ``history``: the string that was given, or the object's `name`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rnn_core import serialization
from rnn_core.losses.functions import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from rnn_core.losses.shapes import Shape, target_kind
from rnn_core.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from rnn_core.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from rnn_core.metrics.confusion import (
    AUC,
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from rnn_core.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from rnn_core.metrics.regression import CosineSimilarity, R2Score, RootMeanSquaredError
from rnn_core.serialization import resolve, snake_case

_ALIASES = {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_CLASSES: tuple[type[Metric], ...] = (
    AUC,
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    FalseNegatives,
    FalsePositives,
    Hinge,
    KLDivergence,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Precision,
    R2Score,
    Recall,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    Sum,
    TopKCategoricalAccuracy,
    TrueNegatives,
    TruePositives,
)
_NAMES: dict[str, type[Metric]] = {
    **{metric.__name__: metric for metric in _CLASSES},
    **{snake_case(metric.__name__): metric for metric in _CLASSES},
    **_ALIASES,
    **{alias.upper(): metric for alias, metric in _ALIASES.items()},
}
_NOT_HERE = (
    "BinaryIoU",
    "ConcordanceCorrelation",
    "F1Score",
    "FBetaScore",
    "IoU",
    "MeanIoU",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
)


def get(identifier: Any) -> Metric:
    """Return the metric that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, function, class or Metric
        A function, or a loss, is wrapped in a :class:`MeanMetricWrapper`.

    Raises
    ------
    ValueError
        For an unknown name, or one of Keras' metrics that is not computed here.
    TypeError
        For anything else.

    Examples
    --------
    >>> get("mae"), get("RootMeanSquaredError")
    (<MeanAbsoluteError name=mean_absolute_error>, <RootMeanSquaredError name=root_mean_squared_error>)
    """
    name = identifier.get("class_name") if isinstance(identifier, dict) else identifier
    if isinstance(name, str) and snake_case(name) in map(snake_case, _NOT_HERE):
        raise ValueError(_refusal(name))
    if callable(identifier) and not isinstance(identifier, (Metric, type)):
        return MeanMetricWrapper(identifier, name=getattr(identifier, "name", None))
    return resolve("metric", identifier, _NAMES, Metric)  # type: ignore[no-any-return]


def get_for_shapes(identifier: Any, y_true_shape: Shape, y_pred_shape: Shape) -> Metric:
    """Return the metric as ``compile`` reads it: ``"accuracy"`` fits the shapes, and a string is kept as the name.

    ``"accuracy"`` and ``"acc"`` stand for the binary, sparse or categorical accuracy
    (:func:`rnn_core.losses.shapes.target_kind`). Source: ``keras/src/trainers/compile_utils.py``.

    Examples
    --------
    >>> get_for_shapes("accuracy", (32,), (32, 10)), get_for_shapes("mae", (32, 1), (32, 1))
    (<SparseCategoricalAccuracy name=accuracy>, <MeanAbsoluteError name=mae>)
    """
    if not isinstance(identifier, str):
        return get(identifier)
    if identifier.lower() in ("accuracy", "acc"):
        kind = target_kind(y_true_shape, y_pred_shape)
        metric = get("sparse_categorical_accuracy" if kind == "sparse" else f"{kind}_accuracy")
    else:
        metric = get(identifier)
    metric.name = identifier
    return metric


def serialize(metric: Metric | Callable[..., Any]) -> dict[str, Any]:
    """Return a metric as the nested config that Keras writes, a function as its name.

    Examples
    --------
    >>> serialize(get("mae"))["config"]
    {'name': 'mean_absolute_error', 'dtype': None}
    """
    if isinstance(metric, Metric):
        return serialization.serialize(metric, "keras.metrics")
    return serialization.serialize_function(metric)


def deserialize(config: dict[str, Any]) -> Metric:
    """Return the metric that a config stands for."""
    return get(config)


def _refusal(name: str) -> str:
    supported = ", ".join(metric.__name__ for metric in _CLASSES)
    return f"Metric {name!r} is one of Keras' that rnn_core does not compute. Supported: {supported}."


if not TYPE_CHECKING:  # mypy would take every name for defined

    def __getattr__(name: str) -> Any:
        if snake_case(name) in map(snake_case, _NOT_HERE):
            raise ImportError(_refusal(name))  # "from ... import" would replace an AttributeError's message
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "Precision",
    "R2Score",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "deserialize",
    "get",
    "get_for_shapes",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]
