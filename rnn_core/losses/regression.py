"""Losses for numbers: y and p are real values, and most losses are the mean of e(y, p) over the last axis.

Each class gives e and its derivative e' = de / dp next to each other. All sums, means and norms run over the
last axis unless `axis` says otherwise; clips use eps = 1e-7.

Formulas, constants and clips are Keras', ``keras/src/losses/losses.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.losses.base import EPSILON, BuiltInLoss, ElementwiseLoss
from rnn_core.losses.shapes import Array

multiply, subtract = np.multiply, np.subtract


class MeanSquaredError(ElementwiseLoss):
    """e = (p - y)^2,  e' = 2 (p - y).

    Examples
    --------
    >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]))
    0.5
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return (p - y)^2."""
        return np.square(p - y)

    def slope(self, y: Array, p: Array) -> Any:
        """Return 2 (p - y)."""
        return 2 * (p - y)

    def value_and_gradient(
        self,
        y_true: Array,
        y_pred: Array,
        d_pred: Array,
        sample_weight: Array | None = None,
        mask: Array | None = None,
    ) -> float:
        """Return L = d.d / n and write 2 d / n into `d_pred`, with d = p - y and n its size.

        Without weights and mask nothing is allocated: d is computed in `d_pred` itself. A small batch takes
        about a fifth of the time of the general way.
        """
        averages = self.reduction == "sum_over_batch_size" or self.reduction in ("mean", "mean_with_sample_weight")
        if sample_weight is not None or mask is not None or not averages or y_true.shape != y_pred.shape:
            return super().value_and_gradient(y_true, y_pred, d_pred, sample_weight, mask)
        subtract(y_pred, y_true, d_pred)
        d = d_pred.ravel("K")  # in memory order: a view for time-major memory too
        n = d.size
        loss = float(d.dot(d)) / n
        multiply(d_pred, _two_over(n, d.dtype), d_pred)
        return loss


_two_over_made: dict[tuple[int, Any], Array] = {}


def _two_over(n: int, dtype: Any) -> Array:
    """Return 2 / n as an array of no dimensions: made once, and a ufunc takes it twice as fast as a Python float."""
    scale = _two_over_made.get((n, dtype))
    if scale is None:
        scale = _two_over_made[n, dtype] = np.array(2 / n, dtype)
    return scale


class MeanAbsoluteError(ElementwiseLoss):
    """e = |p - y|,  e' = sign(p - y), with sign(0) = 0.

    Examples
    --------
    >>> float(MeanAbsoluteError()([[0.0], [4.0]], [[1.0], [1.0]]))
    2.0
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return |p - y|."""
        return np.abs(p - y)

    def slope(self, y: Array, p: Array) -> Any:
        """Return sign(p - y)."""
        return np.sign(p - y)


class MeanAbsolutePercentageError(ElementwiseLoss):
    """e = 100 |p - y| / max(|y|, eps),  e' = 100 sign(p - y) / max(|y|, eps).

    Examples
    --------
    >>> float(MeanAbsolutePercentageError()([[2.0], [4.0]], [[1.0], [4.0]]))
    25.0
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return 100 |p - y| / max(|y|, eps)."""
        return 100 * np.abs(p - y) / np.maximum(np.abs(y), EPSILON)

    def slope(self, y: Array, p: Array) -> Any:
        """Return 100 sign(p - y) / max(|y|, eps)."""
        return 100 * np.sign(p - y) / np.maximum(np.abs(y), EPSILON)


class MeanSquaredLogarithmicError(ElementwiseLoss):
    """e = d^2,  e' = 2 d / (1 + p), 0 where p < eps;  d = log(1 + max(p, eps)) - log(1 + max(y, eps)).

    Examples
    --------
    >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
    0.4805
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return d^2."""
        return np.square(self._difference(y, p))

    def slope(self, y: Array, p: Array) -> Any:
        """Return 2 d / (1 + p), 0 where p is clipped."""
        return 2 * self._difference(y, p) / (1 + np.maximum(p, EPSILON)) * (p >= EPSILON)

    def _difference(self, y: Array, p: Array) -> Any:
        """Return d."""
        return np.log(1 + np.maximum(p, EPSILON)) - np.log(1 + np.maximum(y, EPSILON))


class Huber(ElementwiseLoss):
    """e = d^2 / 2 where |d| <= delta, else delta |d| - delta^2 / 2;  e' = d cut to +-delta;  d = p - y.

    Parameters
    ----------
    delta : float
        Where the parabola turns into a straight line. Above 0.

    Raises
    ------
    ValueError
        If `delta` is not above 0.

    Notes
    -----
    P. J. Huber, Robust estimation of a location parameter, 1964. Keras leaves `delta` out of the config, so
    that it is lost when a model is saved; here it is kept.

    Examples
    --------
    >>> float(Huber()([[0.0], [0.0]], [[1.0], [3.0]]))
    1.5
    """

    settings = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = checks.real("Huber", "delta", delta, 0, above=True)

    def element(self, y: Array, p: Array) -> Any:
        """Return c d - c^2 / 2 with c = d cut to +-delta: the parabola and both straight lines in one."""
        d = p - y
        c = np.clip(d, -self.delta, self.delta)
        return c * (d - c / 2)

    def slope(self, y: Array, p: Array) -> Any:
        """Return d cut to +-delta."""
        return np.clip(p - y, -self.delta, self.delta)


class LogCosh(ElementwiseLoss):
    """e = log(cosh(d)),  e' = tanh(d);  d = p - y. Like d^2 / 2 near zero, like |d| - log 2 far away.

    Examples
    --------
    >>> round(float(LogCosh()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return log(cosh(d)) as |d| + log(1 + exp(-2 |d|)) - log(2), which does not overflow."""
        d = np.abs(p - y)
        return d + np.log1p(np.exp(-2 * d)) - float(np.log(2))

    def slope(self, y: Array, p: Array) -> Any:
        """Return tanh(d)."""
        return np.tanh(p - y)


class Poisson(ElementwiseLoss):
    """e = p - y log(p + eps),  e' = 1 - y / (p + eps): counts y of a Poisson variable with mean p > 0.

    Examples
    --------
    >>> float(Poisson()([[3.0]], [[1.0]]).round(4))
    1.0
    """

    def element(self, y: Array, p: Array) -> Any:
        """Return p - y log(p + eps)."""
        return p - y * np.log(p + EPSILON)

    def slope(self, y: Array, p: Array) -> Any:
        """Return 1 - y / (p + eps)."""
        return 1 - y / (p + EPSILON)


class KLDivergence(BuiltInLoss):
    """l = sum_j y_j log(y_j / p_j),  dl / dp_j = -y_j / p_j;  y and p clipped to [eps, 1].

    The Kullback-Leibler divergence of the distribution p from y. Where p is clipped its derivative is 0.

    Examples
    --------
    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return sum y log(y / p)."""
        y, p = np.clip(y_true, EPSILON, 1), np.clip(y_pred, EPSILON, 1)
        return np.asarray((y * np.log(y / p)).sum(axis=-1))

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return -y / p, 0 where p is clipped."""
        y, p = np.clip(y_true, EPSILON, 1), np.clip(y_pred, EPSILON, 1)
        return np.asarray(-y / p * (p == y_pred))


class CosineSimilarity(BuiltInLoss):
    """l = -sum_j u_j v_j with u = y / |y|, v = p / |p|;  dl / dp = (-u - l v) / |p|.

    -1 for the same direction, 0 for a right angle. Norms are at least eps, so that a zero vector gives 0.

    Parameters
    ----------
    axis : int
        The axis of the vectors.

    Examples
    --------
    >>> CosineSimilarity(reduction=None)([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]).round(4).tolist()
    [-0.0, -1.0]
    """

    settings = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = checks.integer("CosineSimilarity", "axis", axis)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return -sum u v."""
        u, v = y_true / self._norm(y_true), y_pred / self._norm(y_pred)
        return np.asarray(-(u * v).sum(axis=self.axis))

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return (-u - l v) / |p|: what is left of -u across the direction of p."""
        norm = self._norm(y_pred)
        u, v = y_true / self._norm(y_true), y_pred / norm
        across, along = u, v * (norm > EPSILON)  # a norm held at eps is a constant
        for _ in range(2):  # the second time takes away what rounding left of v
            across = across - (across * along).sum(axis=self.axis, keepdims=True) * along
        return np.asarray(-across / norm)

    def _norm(self, x: Array) -> Array:
        """Return |x| along the axis, kept, at least eps."""
        return np.asarray(np.maximum(np.sqrt(np.square(x).sum(axis=self.axis, keepdims=True)), EPSILON))
