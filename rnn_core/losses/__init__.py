"""Losses: what training makes small, each with its derivative written next to it.

    base.py             weights, masks, reductions, the gradient of the reduced loss
    regression.py       losses for numbers
    classification.py   cross-entropies
    focal.py            cross-entropies that look at the hard examples
    margin.py           hinge losses
    functions.py        the same as functions, one value a sample
    shapes.py           how targets, weights and masks are fitted to outputs

A loss is asked for by name (``"mse"``, ``"mean_squared_error"``, ``"MeanSquaredError"``), by config, by
function, or as an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rnn_core import serialization
from rnn_core.losses import functions
from rnn_core.losses.base import Loss
from rnn_core.losses.classification import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from rnn_core.losses.focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from rnn_core.losses.functions import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    cosine_similarity,
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
from rnn_core.losses.margin import CategoricalHinge, Hinge, SquaredHinge
from rnn_core.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
)
from rnn_core.losses.shapes import Shape, target_kind
from rnn_core.serialization import resolve, snake_case

_ALIASES = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_CLASSES: tuple[type[Loss], ...] = (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
_NAMES: dict[str, type[Loss]] = {
    **{loss.__name__: loss for loss in _CLASSES},
    **{snake_case(loss.__name__): loss for loss in _CLASSES},
    **_ALIASES,
    **{alias.upper(): loss for alias, loss in _ALIASES.items()},
}
_FUNCTIONS = {getattr(functions, snake_case(loss.__name__)): loss for loss in _CLASSES}
_NOT_HERE = ("CTC", "CategoricalGeneralizedCrossEntropy", "Circle", "Dice", "Tversky")


def get(identifier: Any) -> Loss:
    """Return the loss that `identifier` stands for.

    Parameters
    ----------
    identifier : str, dict, function, class or Loss
        ``"mse"``, ``{"class_name": "Huber", "config": {"delta": 2.0}}``, ``losses.mean_squared_error``, ...

    Raises
    ------
    ValueError
        For an unknown name, or one of Keras' losses that is not computed here.
    TypeError
        For anything else; for a function of your own, since it brings no derivative.

    Examples
    --------
    >>> get("mse")
    MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size')
    """
    name = identifier.get("class_name") if isinstance(identifier, dict) else identifier
    if isinstance(name, str) and snake_case(name) in map(snake_case, _NOT_HERE):
        raise ValueError(_refusal(name))
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        if identifier in _FUNCTIONS:
            return _FUNCTIONS[identifier]()
        raise TypeError(
            f"loss: a function brings no derivative, got {identifier!r}. "
            "Subclass rnn_core.losses.Loss with per_sample(y_true, y_pred) and derivative(y_true, y_pred)."
        )
    return resolve("loss", identifier, _NAMES, Loss)  # type: ignore[no-any-return]


def get_for_shapes(identifier: Any, y_true_shape: Shape, y_pred_shape: Shape) -> Loss:
    """Return the loss; ``"crossentropy"`` and ``"ce"`` mean the one that fits the shapes, as in ``compile``.

    Examples
    --------
    >>> get_for_shapes("crossentropy", (32,), (32, 10)).name
    'sparse_categorical_crossentropy'
    """
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        kind = target_kind(y_true_shape, y_pred_shape)
        identifier = "sparse_categorical_crossentropy" if kind == "sparse" else f"{kind}_crossentropy"
    return get(identifier)


def serialize(loss: Loss) -> dict[str, Any]:
    """Return the loss as the nested config that Keras writes.

    Examples
    --------
    >>> serialize(get("mae"))["class_name"]
    'MeanAbsoluteError'
    """
    return serialization.serialize(loss, "keras.losses")


def deserialize(config: dict[str, Any]) -> Loss:
    """Return the loss that a config stands for."""
    return get(config)


def _refusal(name: str) -> str:
    supported = ", ".join(loss.__name__ for loss in _CLASSES)
    return f"Loss {name!r} is one of Keras' that rnn_core does not compute. Supported: {supported}."


if not TYPE_CHECKING:  # mypy would take every name for defined

    def __getattr__(name: str) -> Any:
        if snake_case(name) in map(snake_case, _NOT_HERE):
            raise ImportError(_refusal(name))  # "from ... import" would replace an AttributeError's message
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
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
    "sparse_categorical_crossentropy",
    "squared_hinge",
]
