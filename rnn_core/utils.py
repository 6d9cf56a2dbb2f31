"""Small things that scripts take from ``keras.utils``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int
from rnn_core.data import as_floats, as_numeric
from rnn_core.naming import clear_session
from rnn_core.random import set_random_seed

__all__ = ["clear_session", "set_random_seed", "to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[np.float32]:
    """Turn class labels into one-hot rows.

    Parameters
    ----------
    x : array_like of int, from 0 to num_classes - 1
        A last axis of size 1 is dropped.
    num_classes : int, optional
        Default: the largest label + 1.

    Raises
    ------
    ValueError
        For labels that are negative, fractional or not below `num_classes`.

    Examples
    --------
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = as_floats("to_categorical: x", as_numeric("to_categorical: x", x), "float64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    whole = labels.astype(np.int64)
    classes = int(whole.max(initial=-1)) + 1
    if num_classes is not None:
        classes = positive_int("to_categorical", "num_classes", num_classes)
    if (whole != labels).any() or (whole < 0).any() or (whole >= classes).any():
        raise ValueError(
            f"to_categorical: x must hold whole numbers from 0 to {max(classes - 1, 0)}, "
            f"got numbers from {labels.min():g} to {labels.max():g}."
        )
    return np.eye(classes, dtype=np.float32)[whole]


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("utils", name, __all__)
