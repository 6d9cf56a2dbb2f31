"""Our engine held against Keras 3: the only package here that imports Keras.

    conversion  models and layers both ways: to_keras, from_keras
    sides       a model of either engine, and the reference, asked with NumPy arrays: outputs, loss, gradients, a step
    checking    one batch through both engines in both precisions, and the report: check
    causes      why a check fails, by name: find_cause
    lockstep    both engines trained on the same batches, compared after every step; and many seeds of each
    fuzzing     random models through the check
    commands    the command line

``import parity`` is light; Keras is imported when something is asked of it.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "ConversionError": "conversion.objects",
    "ParametrisedActivation": "conversion.objects",
    "from_keras": "conversion.models",
    "layer_from_keras": "conversion.models",
    "layer_to_keras": "conversion.models",
    "notes": "conversion.models",
    "to_keras": "conversion.models",
    "KerasSide": "sides.keras_side",
    "dropout_masks": "sides.questions",
    "floatx": "backend",
    "require_keras": "backend",
    "Report": "checking.report",
    "check": "checking.run",
    "Cause": "causes.cause",
    "find_cause": "causes.search",
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
