"""The default float type, as ``keras.config`` has it."""

from __future__ import annotations

from typing import Any

import numpy as np

_FLOATS = ("float32", "float64")
_floatx = "float32"


def floatx() -> str:
    """Return the dtype that layers take when none is given: ``"float32"`` unless changed.

    Examples
    --------
    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Set the default float type.

    Parameters
    ----------
    value : {"float32", "float64"}

    Raises
    ------
    ValueError
        For any other type: the engine computes in these two and nothing in between.
    """
    global _floatx
    _floatx = standardize_dtype(value)


def epsilon() -> float:
    """Return what keeps logarithms and divisions finite: 1e-7. It can't be changed."""
    return 1e-7


def backend() -> str:
    """Return what computes: "numpy"."""
    return "numpy"


def standardize_dtype(dtype: Any = None) -> str:
    """Return ``"float32"`` or ``"float64"`` for a name, a NumPy dtype or a Keras dtype-policy config.

    Examples
    --------
    >>> standardize_dtype(np.float64), standardize_dtype(None)
    ('float64', 'float32')
    """
    if dtype is None:
        return _floatx
    if isinstance(dtype, dict):  # Keras writes {"class_name": "DTypePolicy", "config": {"name": "float32"}}
        dtype = str(dtype.get("config", {}).get("name"))  # np.dtype(None) would be float64
    try:
        name = str(np.dtype(dtype).name)
    except TypeError:
        name = str(dtype)
    if name not in _FLOATS:
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}.")
    return name


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("config", name, ["backend", "epsilon", "floatx", "set_floatx"])
