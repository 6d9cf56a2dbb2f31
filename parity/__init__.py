"""Our engine held against Keras 3: the only package here that imports Keras.

    convert     models and layers both ways: to_keras, from_keras
    keras_side  a Keras model asked with NumPy arrays: outputs, loss, gradients, one training step

``import parity`` is light; Keras is imported when something is asked of it.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "ConversionError": "objects",
    "ParametrisedActivation": "objects",
    "from_keras": "convert",
    "layer_from_keras": "convert",
    "layer_to_keras": "convert",
    "notes": "convert",
    "to_keras": "convert",
    "KerasSide": "keras_side",
    "dropout_masks": "keras_side",
    "floatx": "backend",
    "require_keras": "backend",
    "Report": "report",
    "check": "checking",
    "Cause": "causes",
    "find_cause": "causes",
}

__all__ = [
    "Cause",
    "ConversionError",
    "KerasSide",
    "ParametrisedActivation",
    "Report",
    "check",
    "dropout_masks",
    "find_cause",
    "floatx",
    "from_keras",
    "layer_from_keras",
    "layer_to_keras",
    "notes",
    "require_keras",
    "to_keras",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"parity.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
