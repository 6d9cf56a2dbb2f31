"""Hinge losses: y is -1 or 1, and p should be beyond it, a margin of 1 away from the wrong side.

Where p lies right on the margin, the derivative is taken from inside it, as TensorFlow does.
Source: ``keras/src/losses/losses.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_core.losses.base import BuiltInLoss, ElementwiseLoss
from rnn_core.losses.shapes import Array


def signs(y: Array) -> Array:
    """Return targets 0 and 1 as -1 and 1; targets with any other value in the batch stay as they are."""
    return np.asarray(2 * y - 1) if ((y == 0) | (y == 1)).all() else y


class Hinge(ElementwiseLoss):
    """e = max(1 - y p, 0),  e' = -y where 1 - y p >= 0, else 0.

    Examples
    --------
    >>> float(Hinge()([[0.0], [1.0]], [[-2.0], [0.5]]))
    0.25
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return max(1 - y p, 0)."""
        return np.maximum(1 - signs(y) * p, 0)

    def slope(self, y: Array, p: Array) -> Any:
        """Return -y where the margin is not reached."""
        y = signs(y)
        return -y * (1 - y * p >= 0)


class SquaredHinge(ElementwiseLoss):
    """e = max(1 - y p, 0)^2,  e' = -2 y max(1 - y p, 0).

    Examples
    --------
    >>> float(SquaredHinge()([[0.0], [1.0]], [[-2.0], [0.5]]))
    0.125
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return max(1 - y p, 0)^2."""
        return np.square(np.maximum(1 - signs(y) * p, 0))

    def slope(self, y: Array, p: Array) -> Any:
        """Return -2 y max(1 - y p, 0)."""
        y = signs(y)
        return -2 * y * np.maximum(1 - y * p, 0)


class CategoricalHinge(BuiltInLoss):
    """l = max(n - t + 1, 0): the target's score t should be 1 above the best other score n.

    t = sum_j y_j p_j,  n = max_j (1 - y_j) p_j

    dl / dp_j = (1 - y_j) [j is the best other] - y_j where n - t + 1 >= 0, else 0. Targets are one-hot.

    Examples
    --------
    >>> float(CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 1.0, 0.25]]))
    0.5
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return max(n - t + 1, 0)."""
        n = ((1 - y_true) * y_pred).max(axis=-1)
        t = (y_true * y_pred).sum(axis=-1)
        return np.asarray(np.maximum(n - t + 1, 0))

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return (1 - y) [best other] - y where the margin is not reached; equally good ones share."""
        others = (1 - y_true) * y_pred
        n = others.max(axis=-1, keepdims=True)
        t = (y_true * y_pred).sum(axis=-1, keepdims=True)
        best = others == n
        share = best / best.sum(axis=-1, keepdims=True, dtype=y_pred.dtype)
        return np.asarray(((1 - y_true) * share - y_true) * (n - t + 1 >= 0))
