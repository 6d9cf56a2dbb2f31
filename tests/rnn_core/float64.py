"""float64 as the default of rnn_core and Keras, for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import rnn_core


@contextmanager
def float64_in(*modules: Any) -> Iterator[None]:
    """Let the given modules, or rnn_core and Keras both, compute in float64 unless told otherwise.

    Keras' layers go by its dtype policy, which the first layer of a process takes from floatx and which stays; its
    losses, metrics, penalties and optimizers go by floatx.
    """
    modules = modules or (rnn_core, keras)
    before = [module.config.floatx() for module in modules]
    policy = keras.config.dtype_policy()
    for module in modules:
        module.config.set_floatx("float64")
    if keras in modules:
        keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        for module, dtype in zip(modules, before, strict=True):
            module.config.set_floatx(dtype)
        keras.config.set_dtype_policy(policy)
