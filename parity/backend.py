"""Keras, imported when it is first asked for, and the float type that it works in."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BACKENDS = {"tensorflow": "'rnn-core[keras]'", "jax": "keras jax", "torch": "keras torch"}
"""The backends that parity can use, and what pip installs for them."""

_SLOTS = ("model_variables_moving_average", "velocities", "momentums", "average_gradients", "velocity_hats")


def require_keras() -> Any:
    """Return the module ``keras``, or say in one line what to install.

    On JAX it also switches on 64-bit numbers, without which JAX rounds every float64 to float32.

    Raises
    ------
    ImportError
        If Keras 3, or the backend that ``KERAS_BACKEND`` names, is not installed or has no gradients.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    try:
        keras = importlib.import_module("keras")
        backend = keras.backend.backend()
    except (ImportError, ValueError) as error:  # a ValueError for a backend that Keras does not know
        if backend in BACKENDS:
            what = f"parity needs Keras 3 with the backend {backend!r}: pip install {BACKENDS[backend]}"
            raise ImportError(what, name=getattr(error, "name", None)) from None
    if backend not in BACKENDS:
        raise ImportError(
            f"parity needs a backend with gradients ({', '.join(BACKENDS)}), KERAS_BACKEND is {backend!r}."
        )
    if int(keras.__version__.split(".")[0]) < 3:
        raise ImportError(f"parity needs Keras 3, found {keras.__version__}: pip install -U keras", name="keras")
    if backend == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    return keras


@contextmanager
def floatx(dtype: str) -> Iterator[None]:
    """Let Keras compute in `dtype` for a while, and then as before.

    A layer knows its own dtype, but losses, metrics, penalties and the data that ``fit`` is given are rounded to
    ``keras.config.floatx()``: train and judge a float64 model inside ``with floatx("float64")``.

    On JAX and torch Keras rounds the results of tanh, matmul and others to float32, whatever floatx is: a table of its
    own has float32 for float64. Here that entry is float64 for as long, as it is on TensorFlow.
    """
    config = require_keras().config
    before = config.floatx(), config.dtype_policy()
    results = getattr(importlib.import_module("keras.src.backend.common.dtypes"), "BIT64_TO_BIT32_DTYPE", {})
    result_before = results.get("float64")
    try:
        config.set_floatx(dtype)
        config.set_dtype_policy(dtype)
        if result_before and dtype == "float64":
            results["float64"] = "float64"
        yield
    finally:
        config.set_floatx(before[0])
        config.set_dtype_policy(before[1])
        if result_before:
            results["float64"] = result_before


@contextmanager
def masks_may_end() -> Iterator[None]:
    """Hold back Keras' warning that a layer ends a mask, as Flatten does: here the same layer ends it too."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not support masking")
        yield


def to_numpy(tensor: Any) -> Array:
    """Return a copy of a Keras variable or a tensor as an array."""
    keras = require_keras()
    if isinstance(tensor, keras.Variable):
        tensor = tensor.value
    if keras.backend.backend() == "torch":
        tensor = tensor.detach().cpu()
    # np.array(tensor) would warn on TensorFlow and torch.
    return np.array(tensor.numpy() if hasattr(tensor, "numpy") else tensor)


def slots_of(optimizer: Any) -> dict[str, list[Any]]:
    """Return a built Keras optimizer's slots by the names that rnn_core has for them.

    Each is a list of Keras variables, one for each of ``optimizer._trainable_variables``.
    """
    found = {name: getattr(optimizer, f"_{name}", None) or getattr(optimizer, name, None) for name in _SLOTS}
    return {name: variables for name, variables in found.items() if variables}
