"""What a weight must be, restored after every update.

A constraint is called with a weight and returns an allowed one, a new array of the same shape and dtype::

    kernel[...] = constraint(kernel)

Norms are Euclidean, along `axis`. In a kernel (features, units), axis 0 gives one norm for each unit: that of
its incoming weights. Formulas are Keras' (keras/src/constraints/constraints.py); they divide by norm + 1e-7:
every norm comes out 1e-7 shorter than asked for, and a weight of 0 stays 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks, serialization

Array = NDArray[Any]
Axis = int | Sequence[int] | None

EPSILON = 1e-7


class Constraint:
    """Base of all constraints. One of your own defines ``__call__``; with arguments, ``get_config`` too."""

    def __call__(self, w: Array) -> Array:
        """Return the nearest allowed weight, a new array."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the constraint that `config` came from."""
        return cls(**config)

    def _axis(self, axis: Any) -> Axis:
        axes = axis if isinstance(axis, (list, tuple)) else [axis]
        if axis is None or all(isinstance(a, (int, np.integer)) and not isinstance(a, bool) for a in axes):
            return axis  # type: ignore[no-any-return]
        raise ValueError(f"{type(self).__name__}: axis must be an integer or a list of them, got {axis!r}.")

    def _norms(self, w: Array, axis: Axis) -> Array:
        """``sqrt(sum of w² along axis)``, with the axis kept at length 1."""
        axes = axis if axis is None or isinstance(axis, int) else tuple(axis)
        try:
            return np.sqrt(np.square(w).sum(axes, keepdims=True))  # type: ignore[no-any-return]
        except np.exceptions.AxisError:
            raise ValueError(
                f"{type(self).__name__}: axis {axis!r} is no axis of a weight of shape {w.shape}."
            ) from None


class NonNeg(Constraint):
    """``max(w, 0)``.

    Examples
    --------
    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: Array) -> Array:
        """Return the nearest weight that is nowhere negative."""
        return np.maximum(w, 0)


class UnitNorm(Constraint):
    """``w / (|w| + 1e-7)``: norm 1.

    Examples
    --------
    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(6).ravel()
    array([0.6, 0.8])
    """

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = self._axis(axis)

    def __call__(self, w: Array) -> Array:
        """Return the weight of norm 1 in the same direction."""
        return w / (self._norms(w, self.axis) + EPSILON)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"axis": self.axis}


class MaxNorm(Constraint):
    """``w * min(|w|, max_value) / (|w| + 1e-7)``: norm of at most `max_value`.

    Source: Srivastava et al. 2014, Dropout, section 5.1; keras/src/constraints/constraints.py.

    Examples
    --------
    >>> MaxNorm(2.0)(np.array([[3.0], [4.0]])).round(6).ravel()
    array([1.2, 1.6])
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = checks.real("MaxNorm", "max_value", max_value, 0)
        self.axis = self._axis(axis)

    def __call__(self, w: Array) -> Array:
        """Return the weight, shortened where it is too long."""
        norms = self._norms(w, self.axis)
        return w * (np.minimum(norms, self.max_value) / (norms + EPSILON))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"max_value": self.max_value, "axis": self.axis}


class MinMaxNorm(Constraint):
    """A norm from `min_value` to `max_value`, or `rate` of the way there with each update.

    ``w * (rate * clip(|w|, min_value, max_value) + (1 - rate) * |w|) / (|w| + 1e-7)``

    Parameters
    ----------
    min_value, max_value : float
        ``0 <= min_value <= max_value``.
    rate : float
        From 0 to 1; 1 enforces the bounds at once.
    axis : int, sequence of int or None
        The axes that a norm is taken along; None for all.

    Raises
    ------
    ValueError
        For any other value; when called, for an axis that the weight does not have.

    Examples
    --------
    >>> w = np.array([[3.0], [4.0]])
    >>> MinMaxNorm(0.0, 1.0, rate=0.5)(w).round(6).ravel()     # norm 5 -> 3, half way to 1
    array([1.8, 2.4])
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> None:
        self.min_value = checks.real("MinMaxNorm", "min_value", min_value, 0)
        self.max_value = checks.real("MinMaxNorm", "max_value", max_value, self.min_value)
        self.rate = checks.real("MinMaxNorm", "rate", rate, 0, 1)
        self.axis = self._axis(axis)

    def __call__(self, w: Array) -> Array:
        """Return the weight, stretched where it is too short and shortened where it is too long."""
        norms = self._norms(w, self.axis)
        wanted = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (wanted / (norms + EPSILON))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


# Keras' other names.
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

_TABLE = {
    "MaxNorm": MaxNorm,
    "max_norm": MaxNorm,
    "MinMaxNorm": MinMaxNorm,
    "min_max_norm": MinMaxNorm,
    "NonNeg": NonNeg,
    "non_neg": NonNeg,
    "UnitNorm": UnitNorm,
    "unit_norm": UnitNorm,
}


def get(identifier: Any) -> Any:
    """Return the constraint that `identifier` stands for.

    A name (``"max_norm"``, ``"MaxNorm"``), a config or a class makes a new one. None, an object and any other
    callable ``constraint(w)`` that returns an array are returned as they are. ValueError for an unknown name,
    TypeError for anything else.

    Examples
    --------
    >>> get("unit_norm").get_config()
    {'axis': 0}
    """
    if identifier is None or (callable(identifier) and not isinstance(identifier, type)):
        return identifier
    return serialization.resolve("constraint", identifier, _TABLE, Constraint)


deserialize = get


def serialize(constraint: Any) -> dict[str, Any] | None:
    """Return the config that Keras writes: of a bare function only its name, which cannot be read back."""
    if constraint is None:
        return None
    if isinstance(constraint, Constraint):
        return serialization.serialize(constraint, "keras.constraints")
    return serialization.serialize_function(constraint)
