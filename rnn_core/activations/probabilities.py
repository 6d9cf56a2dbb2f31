"""Outputs that are read as rates, probabilities and their logarithms.

Softmax and its relatives are no element-wise functions: each output depends on all inputs along an axis.
Their `backward` multiplies `dy` by the whole Jacobian, ``dx_i = sum_j dy_j dy_j/dx_i``, written out.
"""
# ruff: noqa: D102  (value, derivative, forward and backward are described once, in Activation)
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import operator

import numpy as np

from rnn_core.activations.base import Activation, Array
from rnn_core.activations.fast import sigmoid

Axis = int | tuple[int, ...] | None


class Exponential(Activation):
    """``y = exp(x)``, ``dy/dx = y``; infinite, without a warning, above 88 (float32) or 709 (float64).

    References
    ----------
    keras/src/activations/activations.py, ``exponential``.

    Examples
    --------
    >>> exponential([0.0, 1.0, 1000.0]).round(4)
    array([1.    , 2.7183,    inf], dtype=float32)
    """

    needs = "output"

    def value(self, x: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(x)

    def derivative(self, y: Array) -> Array:
        return y


class LogSigmoid(Activation):
    """``y = log(sigmoid(x)) = -log(1 + exp(-x))``, ``dy/dx = sigmoid(-x)``.

    References
    ----------
    keras/src/activations/activations.py, ``log_sigmoid``.

    Examples
    --------
    >>> log_sigmoid([-10.0, 0.0]).round(4)
    array([-10.    ,  -0.6931], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return -np.logaddexp(-x, 0)

    def derivative(self, x: Array) -> Array:
        return sigmoid(-x)


class Softmax(Activation):
    """``y_i = exp(x_i) / Σ_j exp(x_j)`` along `axis`. Backward: ``dx_i = y_i (dy_i - Σ_j dy_j y_j)``.

    Parameters
    ----------
    axis : int, tuple of int or None
        What to sum over; None is all axes.

    References
    ----------
    Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.

    Examples
    --------
    >>> softmax([[0.0, 0.0], [1000.0, 0.0]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """

    needs = "output"

    def __init__(self, axis: Axis = -1) -> None:
        self.axis = _axis("softmax", axis)

    def forward(self, a: Array, out: Array) -> None:
        np.subtract(a, a.max(self.axis, keepdims=True), out=out)  # changes nothing, but exp cannot overflow
        np.exp(out, out=out)
        np.divide(out, out.sum(self.axis, keepdims=True), out=out)

    def backward(self, saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        np.multiply(dy, saved, out=scratch)
        np.subtract(dy, scratch.sum(self.axis, keepdims=True), out=out)
        np.multiply(saved, out, out=out)


class LogSoftmax(Activation):
    """``y_i = x_i - log Σ_j exp(x_j)`` along `axis`. Backward: ``dx_i = dy_i - exp(y_i) Σ_j dy_j``.

    Parameters
    ----------
    axis : int, tuple of int or None
        What to sum over; None is all axes.

    References
    ----------
    keras/src/activations/activations.py, ``log_softmax``.

    Examples
    --------
    >>> log_softmax([0.0, 0.0]).round(4)
    array([-0.6931, -0.6931], dtype=float32)
    """

    needs = "output"

    def __init__(self, axis: Axis = -1) -> None:
        self.axis = _axis("log_softmax", axis)

    def forward(self, a: Array, out: Array) -> None:
        np.subtract(a, a.max(self.axis, keepdims=True), out=out)
        np.subtract(out, np.log(np.exp(out).sum(self.axis, keepdims=True)), out=out)

    def backward(self, saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        np.exp(saved, out=scratch)
        np.multiply(scratch, dy.sum(self.axis, keepdims=True), out=scratch)
        np.subtract(dy, scratch, out=out)


class Sparsemax(Activation):
    """``y_i = max(x_i - τ, 0)`` with the one τ for which ``Σ_i y_i = 1``, along `axis`.

    With x sorted downwards, ``τ = max_k (x_1 + ... + x_k - 1) / k``. Backward: with the support
    ``S = {y > 0}``, ``dx_i = [i in S] (dy_i - mean of dy over S)``.

    This is the projection onto the probabilities, as the paper has it. Keras 3.15 sums the wrong terms where
    more than one output is not zero, and its outputs then do not sum to 1 (its issue 23425, fixed since).

    Parameters
    ----------
    axis : int

    References
    ----------
    Martins and Astudillo, From softmax to sparsemax, ICML 2016, https://arxiv.org/abs/1602.02068.

    Examples
    --------
    >>> sparsemax([0.0, 0.5, 1.0])
    array([0.  , 0.25, 0.75], dtype=float32)
    """

    needs = "output"

    def __init__(self, axis: int = -1) -> None:
        self.axis = operator.index(axis)

    def forward(self, a: Array, out: Array) -> None:
        x = np.moveaxis(a, self.axis, -1)  # (..., n)
        x = x - x.max(-1, keepdims=True)  # changes nothing, but keeps the digits of large inputs
        down = np.sort(x)[..., ::-1]
        k = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
        tau = ((np.cumsum(down, -1) - 1) / k).max(-1, keepdims=True)  # (..., 1)
        np.maximum(x - tau, 0, out=np.moveaxis(out, self.axis, -1))

    def backward(self, saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        support = np.sign(saved, out=scratch)  # y >= 0, so its sign is [y > 0]
        count = np.maximum(support.sum(self.axis, keepdims=True), 1)  # a state of 0, carried over a mask, has none
        mean = (support * dy).sum(self.axis, keepdims=True) / count
        np.subtract(dy, mean, out=out)
        np.multiply(support, out, out=out)


def _axis(owner: str, axis: Axis) -> Axis:
    if axis is None:
        return None
    try:
        return tuple(map(operator.index, axis)) if isinstance(axis, (tuple, list)) else operator.index(axis)
    except TypeError:
        raise TypeError(f"{owner}: axis must be an integer, several or None, got {axis!r}.") from None


exponential = Exponential()
log_sigmoid = LogSigmoid()
softmax = Softmax()
log_softmax = LogSoftmax()
sparsemax = Sparsemax()
