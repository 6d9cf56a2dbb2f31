"""A penalty on large weights, added to the loss, and its derivative.

A regularizer is called with an array and returns the penalty, a number. Its derivative is added in place to a
gradient::

    loss += regularizer(kernel)
    regularizer.add_gradient(kernel, d_kernel)      # d_kernel += d regularizer(kernel) / d kernel

Formulas and defaults are Keras' (keras/src/regularizers/regularizers.py): no half in L2, no division by the
batch size. At 0, where ``|w|`` has no derivative, it is taken as 0.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks, serialization

Array = NDArray[Any]

EPSILON = 1e-7  # the shortest length that OrthogonalRegularizer divides by


class Regularizer:
    """Base of all regularizers. One of your own defines ``__call__``, ``add_gradient`` and ``get_config``."""

    def __call__(self, w: Array) -> float:
        """Return the penalty on `w`."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w).")

    def add_gradient(self, w: Array, d_w: Array) -> None:
        """Add the penalty's derivative with respect to `w` to `d_w`, in place."""
        raise NotImplementedError(f"{type(self).__name__} must define add_gradient(w, d_w).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config().")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the regularizer that `config` came from."""
        return cls(**config)


class L1(Regularizer):
    """``l1 * sum |w|``, which draws weights to exactly 0; derivative ``l1 * sign(w)``.

    Examples
    --------
    >>> w, d_w = np.array([3.0, -1.0]), np.zeros(2)
    >>> L1(0.5)(w)
    2.0
    >>> L1(0.5).add_gradient(w, d_w); d_w
    array([ 0.5, -0.5])
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = checks.real("L1", "l1", 0.01 if l1 is None else l1, 0)

    def __call__(self, w: Array) -> float:
        """Return the penalty on `w`."""
        return self.l1 * float(np.abs(w).sum())

    def add_gradient(self, w: Array, d_w: Array) -> None:
        """``d_w += l1 * sign(w)``"""
        d_w += self.l1 * np.sign(w)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"l1": self.l1}


class L2(Regularizer):
    """``l2 * sum w²``, which draws weights towards 0; derivative ``2 l2 w``.

    Examples
    --------
    >>> w, d_w = np.array([3.0, -1.0]), np.zeros(2)
    >>> L2(0.5)(w)
    5.0
    >>> L2(0.5).add_gradient(w, d_w); d_w
    array([ 3., -1.])
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = checks.real("L2", "l2", 0.01 if l2 is None else l2, 0)

    def __call__(self, w: Array) -> float:
        """Return the penalty on `w`."""
        return self.l2 * float(np.square(w).sum())

    def add_gradient(self, w: Array, d_w: Array) -> None:
        """``d_w += 2 l2 w``"""
        d_w += 2 * self.l2 * w

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"l2": self.l2}


class L1L2(Regularizer):
    """``l1 * sum |w| + l2 * sum w²``; derivative ``l1 * sign(w) + 2 l2 w``.

    Both factors default to 0, as in Keras. The name ``"l1_l2"`` stands for 0.01 and 0.01: see :func:`get`.

    Source: Zou & Hastie 2005, Regularization and variable selection via the elastic net.

    Examples
    --------
    >>> L1L2(l1=0.5, l2=0.25)(np.array([3.0, -1.0]))
    4.5
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = checks.real("L1L2", "l1", 0.0 if l1 is None else l1, 0)
        self.l2 = checks.real("L1L2", "l2", 0.0 if l2 is None else l2, 0)

    def __call__(self, w: Array) -> float:
        """Return the penalty on `w`."""
        return self.l1 * float(np.abs(w).sum()) + self.l2 * float(np.square(w).sum())

    def add_gradient(self, w: Array, d_w: Array) -> None:
        """``d_w += l1 * sign(w) + 2 l2 w``"""
        d_w += self.l1 * np.sign(w)
        d_w += 2 * self.l2 * w

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean ``|cos|`` of the angles between the rows (or columns) of a matrix.

    With n rows w_i and ``u_i = w_i / |w_i|``::

        penalty  = factor / (n (n - 1)) * sum over i != j of |u_i . u_j|
        d_u_i    = 2 factor / (n (n - 1)) * sum over j != i of sign(u_i . u_j) u_j
        d_w_i    = (d_u_i - (d_u_i . u_i) u_i) / |w_i|          the part along w_i does not turn it

    A row shorter than 1e-7 is divided by 1e-7. A single row makes no angle: its penalty is 0 (Keras: nan).

    Parameters
    ----------
    factor : float
        At least 0.
    mode : {"rows", "columns"}

    Raises
    ------
    ValueError
        For any other value; when called, for an array that is not of rank 2.

    Examples
    --------
    >>> OrthogonalRegularizer(0.5)(np.array([[2.0, 0.0], [3.0, 4.0]]))
    0.3
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = checks.real("OrthogonalRegularizer", "factor", factor, 0)
        self.mode = checks.one_of("OrthogonalRegularizer", "mode", mode, ("rows", "columns"))

    def __call__(self, w: Array) -> float:
        """Return the penalty on `w`, shape (rows, columns)."""
        _, _, cosines, weight = self._angles(w)
        return weight * float(np.abs(cosines).sum())

    def add_gradient(self, w: Array, d_w: Array) -> None:
        """Add the derivative to `d_w`, shape (rows, columns)."""
        u, lengths, cosines, weight = self._angles(w)
        d_u = 2 * weight * (np.sign(cosines) @ u)  # (n, m)
        along = (d_u * u).sum(1, keepdims=True) * (lengths > EPSILON)  # (n, 1); dividing by 1e-7 keeps it all
        d_rows = (d_u - along * u) / lengths
        d_w += d_rows if self.mode == "rows" else d_rows.T

    def _angles(self, w: Array) -> tuple[Array, Array, Array, float]:
        """Return unit vectors (n, m), lengths (n, 1), cosines (n, n) of diagonal 0, and their weight."""
        if w.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer expects a matrix, got an array of shape {w.shape}.")
        rows = w if self.mode == "rows" else w.T  # (n, m)
        n = len(rows)
        lengths = np.maximum(np.sqrt(np.square(rows).sum(1, keepdims=True)), EPSILON)
        u = rows / lengths
        cosines = u @ u.T
        np.fill_diagonal(cosines, 0)
        return u, lengths, cosines, self.factor / max(1, n * (n - 1))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"factor": self.factor, "mode": self.mode}


# Keras' other names.
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

_TABLE = {
    "L1": L1,
    "l1": L1,
    "L2": L2,
    "l2": L2,
    "L1L2": L1L2,
    "l1l2": L1L2,
    "l1_l2": L1L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
    "orthogonal_regularizer": OrthogonalRegularizer,
}


def get(identifier: Any) -> Any:
    """Return the regularizer that `identifier` stands for; None for None.

    A name (``"l2"``, ``"L2"``), a config or a class makes a new one; an object is returned as it is. The name
    ``"l1_l2"`` means ``L1L2(0.01, 0.01)``, as Keras documents it; Keras 3 itself does not know that string.

    Raises
    ------
    ValueError
        For an unknown name; the nearest known one is suggested.
    TypeError
        For anything else, a bare function too: its derivative is not known.

    Examples
    --------
    >>> get("l1_l2").get_config(), get("l2").get_config()
    ({'l1': 0.01, 'l2': 0.01}, {'l2': 0.01})
    """
    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier == "l1_l2":
        return L1L2(0.01, 0.01)
    if callable(identifier) and not isinstance(identifier, (type, Regularizer)):
        raise TypeError(
            f"regularizer {identifier!r} has no derivative: make it a subclass of rnn_core.regularizers."
            "Regularizer with __call__(w) and add_gradient(w, d_w)."
        )
    return serialization.resolve("regularizer", identifier, _TABLE, Regularizer)


deserialize = get


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """Return the config that Keras writes; None for None."""
    return None if regularizer is None else serialization.serialize(regularizer, "keras.regularizers")
