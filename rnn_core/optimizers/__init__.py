"""Optimizers: how gradients change weights. As ``keras.optimizers``.

Supported are :class:`RMSprop`, :class:`SGD`, :class:`Adam` and :class:`AdamW`. Keras' others
are refused by name.
"""

from __future__ import annotations

from typing import Any, NoReturn

from rnn_core import serialization
from rnn_core.optimizers import schedules
from rnn_core.optimizers.adam import Adam, AdamW
from rnn_core.optimizers.base import Optimizer
from rnn_core.optimizers.rmsprop import RMSprop
from rnn_core.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "deserialize", "get", "schedules", "serialize"]

_TABLE = {optimizer.__name__.lower(): optimizer for optimizer in (RMSprop, SGD, Adam, AdamW)}
_KERAS_ONLY = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "ScheduleFreeAdamW",
]
_REFUSAL = "Keras' optimizer {!r} is not supported. Supported: RMSprop, SGD, Adam, AdamW."


def get(identifier: Any) -> Optimizer:
    """Return the optimizer that a name (in any case), a config or an optimizer stands for.

    Raises
    ------
    ValueError
        For an unknown name, and for an optimizer that Keras has and this package has not.
    TypeError
        For anything else.

    Examples
    --------
    >>> get("rmsprop").learning_rate
    0.0010000000474974513
    >>> get({"class_name": "SGD", "config": {"momentum": 0.9}}).momentum
    0.9
    >>> get("nadam")
    Traceback (most recent call last):
        ...
    ValueError: Keras' optimizer 'nadam' is not supported. Supported: RMSprop, SGD, Adam, AdamW.
    """
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {}}
    if isinstance(identifier, dict) and isinstance(identifier.get("class_name"), str):
        name = identifier["class_name"]
        if name.lower() in (other.lower() for other in _KERAS_ONLY):
            raise ValueError(_REFUSAL.format(name))
        identifier = {**identifier, "class_name": name.lower()}
    optimizer: Optimizer = serialization.resolve("optimizer", identifier, _TABLE, Optimizer)
    return optimizer


deserialize = get


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return the nested config that Keras writes for an optimizer.

    Examples
    --------
    >>> serialize(SGD())["class_name"]
    'SGD'
    """
    return serialization.serialize(optimizer, "keras.optimizers")


def __getattr__(name: str) -> NoReturn:
    if name in _KERAS_ONLY:  # an ImportError, because `from ... import` hides the message of an AttributeError
        raise ImportError(_REFUSAL.format(name), name=__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
