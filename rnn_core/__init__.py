"""A recurrent network engine in pure NumPy, with Keras' API, whose every number can be looked at.

    >>> import numpy as np
    >>> from rnn_core.models import Sequential
    >>> from rnn_core.layers import Dense, Input, SimpleRNN
    >>> model = Sequential([Input((4, 1)), SimpleRNN(8), Dense(1)])
    >>> model.compile(optimizer="rmsprop", loss="mean_squared_error")
    >>> history = model.fit(np.zeros((32, 4, 1)), np.zeros(32), epochs=2, verbose=0)
    >>> len(history.history["loss"])
    2

A script written for ``keras`` runs after replacing ``keras`` by ``rnn_core`` in its imports, or is refused with an
error that says what is not supported. Importing this package loads NumPy and nothing heavier.
"""

from __future__ import annotations

from typing import Any

from rnn_core import activations, config, constraints, initializers, layers, models, random, regularizers, utils
from rnn_core.layers import Input
from rnn_core.layers.base import Layer
from rnn_core.models import Model, Sequential
from rnn_core.unsupported import refuse_modules

__version__ = "0.1.0"

refuse_modules()

__all__ = [
    "Input",
    "Layer",
    "Model",
    "Sequential",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "initializers",
    "inspection",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "series",
    "text",
    "utils",
]

_ON_DEMAND = (
    "backend",
    "callbacks",
    "inspection",
    "losses",
    "metrics",
    "optimizers",
    "preprocessing",
    "series",
    "text",
)  # loaded when first used, to keep the import light


_BASES = {"Initializer": "initializers", "Loss": "losses", "Metric": "metrics", "Optimizer": "optimizers"}
_BASES["Regularizer"] = "regularizers"  # what one's own classes are derived from, by Keras' short names


def __getattr__(name: str) -> Any:
    import importlib

    if name in _ON_DEMAND:
        return importlib.import_module(f"rnn_core.{name}")
    if name in _BASES:
        return getattr(importlib.import_module(f"rnn_core.{_BASES[name]}"), name)
    from rnn_core.unsupported import refuse_import

    return refuse_import("", name, __all__)
