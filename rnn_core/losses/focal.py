"""Focal losses: cross-entropies turned down by (1 - q)^gamma, where q is the probability given to the target.

Examples that are easy, q near 1, then count little beside the hard ones: T.-Y. Lin and others, Focal loss for
dense object detection, 2017, https://arxiv.org/abs/1708.02002. Constants and clips are Keras',
``keras/src/losses/losses.py``. Logits of several classes go through the softmax first, and its result is clipped;
those of a sigmoid give the cross-entropy as they are, as in Keras on TensorFlow: that is exact for large ones, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.losses.base import EPSILON
from rnn_core.losses.classification import BinaryCrossentropy, CategoricalCrossentropy, clip, sigmoid, softmax
from rnn_core.losses.shapes import Array


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """e = a (1 - q)^gamma b: the cross-entropy b, turned down where the prediction is already good.

    q = y p + (1 - y)(1 - p) is the probability given to the target, and with `apply_class_balancing`
    a = y alpha + (1 - y)(1 - alpha), else a = 1. With q' = 2 y - 1, from logits times p (1 - p),

        e' = a ((1 - q)^gamma b' - gamma (1 - q)^(gamma - 1) q' b)

    Parameters
    ----------
    apply_class_balancing : bool
    alpha : float
        The weight of class 1; class 0 has 1 - alpha.
    gamma : float
        How strongly good predictions are turned down; 0 gives the cross-entropy. At least 0.
    from_logits, label_smoothing, axis
        As in :class:`BinaryCrossentropy`.

    Examples
    --------
    >>> BinaryFocalCrossentropy(reduction=None)([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).round(3)
    array([0.33 , 0.206])
    """

    settings = ("from_logits", "label_smoothing", "axis", "apply_class_balancing", "alpha", "gamma")

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        owner = "BinaryFocalCrossentropy"
        self.apply_class_balancing = checks.boolean(owner, "apply_class_balancing", apply_class_balancing)
        self.alpha = checks.real(owner, "alpha", alpha)
        self.gamma = checks.real(owner, "gamma", gamma, 0)

    def element(self, y: Array, p: Array) -> Any:
        """Return a (1 - q)^gamma b."""
        factor, _ = self._factor_and_slope(self.smooth(y), p)
        return factor * super().element(y, p)

    def slope(self, y: Array, p: Array) -> Any:
        """Return a ((1 - q)^gamma b' - gamma (1 - q)^(gamma - 1) q' b)."""
        factor, d_factor = self._factor_and_slope(self.smooth(y), p)
        return factor * super().slope(y, p) + d_factor * super().element(y, p)

    def _factor_and_slope(self, y: Array, p: Array) -> tuple[Any, Any]:
        """Return a (1 - q)^gamma and its derivative."""
        d_p: Any = 1
        if self.from_logits:
            p = sigmoid(p)
            d_p = p * (1 - p)
        a, miss = self._balance(y), 1 - y * p - (1 - y) * (1 - p)  # 1 - q
        # gamma < 1: the power of a perfect prediction stays finite (Keras: NaN)
        d_factor = -self.gamma * np.maximum(miss, EPSILON) ** (self.gamma - 1) * (2 * y - 1) * d_p
        return a * miss**self.gamma, a * d_factor

    def _balance(self, y: Array) -> Any:
        """Return a, the weight of the target's class."""
        return y * self.alpha + (1 - y) * (1 - self.alpha) if self.apply_class_balancing else 1.0


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """l = -sum_i alpha_i y_i (1 - q_i)^gamma log q_i with q = p / s, s = sum p: easy classes are turned down.

    With g = dl / dq, that is g_i = alpha_i y_i (gamma (1 - q_i)^(gamma - 1) log q_i - (1 - q_i)^gamma / q_i),

        dl / dp_j = (g_j - sum_i g_i q_i) / s
        dl / dx_j = q_j (g_j - sum_i g_i q_i)    from logits, where q = softmax(x)

    Parameters
    ----------
    alpha : float or list of float
        One weight, or one for each class.
    gamma : float
        How strongly good predictions are turned down. At least 0.
    from_logits, label_smoothing, axis
        As in :class:`CategoricalCrossentropy`.

    Examples
    --------
    >>> y_true, y_pred = [[0, 1, 0], [0, 0, 1]], [[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]]
    >>> CategoricalFocalCrossentropy(reduction=None)(y_true, y_pred).round(5)
    array([2.6000e-04, 6.7591e-01])
    """

    settings = ("from_logits", "label_smoothing", "axis", "alpha", "gamma")

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        owner = "CategoricalFocalCrossentropy"
        self.alpha = (
            [checks.real(owner, "alpha", a) for a in alpha] if np.ndim(alpha) else checks.real(owner, "alpha", alpha)
        )
        self.gamma = checks.real(owner, "gamma", gamma, 0)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return -sum alpha y (1 - q)^gamma log q."""
        y, (q, _) = self._targets(y_true), self._probabilities(y_pred)
        c = clip(q)
        return np.asarray(-(y * (1 - c) ** self.gamma * np.log(c)).sum(axis=self.axis))

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return dl / dp, or dl / dx."""
        y, (q, s) = self._targets(y_true), self._probabilities(y_pred)
        c = clip(q)
        miss = 1 - c
        g = y * (self.gamma * miss ** (self.gamma - 1) * np.log(c) - miss**self.gamma / c) * (c == q)
        through_sum = g - (g * q).sum(axis=self.axis, keepdims=True)
        return np.asarray(q * through_sum if self.from_logits else through_sum / s)

    def _targets(self, y: Array) -> Any:
        """Return alpha y."""
        return self.smooth(y) * np.asarray(self.alpha, y.dtype)

    def _probabilities(self, p: Array) -> tuple[Array, Array]:
        """Return q and s."""
        if self.from_logits:
            p = softmax(p, self.axis)
        s = p.sum(axis=self.axis, keepdims=True)
        return p / s, s
