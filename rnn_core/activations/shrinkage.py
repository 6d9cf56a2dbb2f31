"""Shrinkage: small inputs become zero (or a constant), large ones pass, whole or less something."""
# ruff: noqa: D102  (value and derivative are described once, in Activation)
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rnn_core import checks
from rnn_core.activations.base import Activation, Array, indicator


class HardShrink(Activation):
    """``y = x [|x| > t]``, ``dy/dx = [|x| > t]``, with the threshold ``t``.

    Parameters
    ----------
    threshold : float, at least 0

    Raises
    ------
    ValueError
        If `threshold` is negative.

    References
    ----------
    Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81, 1994.

    Examples
    --------
    >>> hard_shrink([-2.0, 0.4, 1.0])
    array([-2.,  0.,  1.], dtype=float32)
    """

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = checks.real("hard_shrink", "threshold", threshold, 0)

    def value(self, x: Array) -> Array:
        return np.where(np.abs(x) > self.threshold, x, 0)

    def derivative(self, x: Array) -> Array:
        return indicator(np.abs(x) > self.threshold, x)


class SoftShrink(Activation):
    """``y = (x - t) [x > t] + (x + t) [x < -t]``, ``dy/dx = [|x| > t]``, with the threshold ``t``.

    Parameters
    ----------
    threshold : float, at least 0

    Raises
    ------
    ValueError
        If `threshold` is negative.

    References
    ----------
    Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81, 1994.

    Examples
    --------
    >>> soft_shrink([-2.0, 0.4, 1.0])
    array([-1.5,  0. ,  0.5], dtype=float32)
    """

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = checks.real("soft_shrink", "threshold", threshold, 0)

    def value(self, x: Array) -> Array:
        return x - np.clip(x, -self.threshold, self.threshold)

    def derivative(self, x: Array) -> Array:
        return indicator(np.abs(x) > self.threshold, x)


class TanhShrink(Activation):
    """``y = x - tanh(x)``, ``dy/dx = tanh(x)**2``.

    References
    ----------
    keras/src/activations/activations.py, ``tanh_shrink``.

    Examples
    --------
    >>> tanh_shrink([0.0, 2.0]).round(4)
    array([0.   , 1.036], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return x - np.tanh(x)

    def derivative(self, x: Array) -> Array:
        return np.tanh(x) ** 2


class Threshold(Activation):
    """``y = x [x > t] + c [x <= t]``, ``dy/dx = [x > t]``, with threshold ``t`` and default value ``c``.

    Parameters
    ----------
    threshold, default_value : float
        Both must be given, so that there is no ``activation="threshold"``: pass ``Threshold(0.5, 0.0)``, or
        ``{"class_name": "threshold", "config": {"threshold": 0.5, "default_value": 0.0}}``.

    Raises
    ------
    ValueError
        If one is missing or no number.

    References
    ----------
    keras/src/activations/activations.py, ``threshold``.

    Examples
    --------
    >>> Threshold(0.5, -1.0)([0.4, 0.6])
    array([-1. ,  0.6], dtype=float32)
    """

    def __init__(self, threshold: float | None = None, default_value: float | None = None) -> None:
        if threshold is None or default_value is None:
            raise ValueError(
                "Activation 'threshold' has no defaults: pass Threshold(threshold=..., default_value=...), "
                f"got threshold={threshold!r}, default_value={default_value!r}."
            )
        self.threshold = checks.real("threshold", "threshold", threshold)
        self.default_value = checks.real("threshold", "default_value", default_value)

    def value(self, x: Array) -> Array:
        return np.where(x > self.threshold, x, self.default_value)

    def derivative(self, x: Array) -> Array:
        return indicator(x > self.threshold, x)


def threshold(x: ArrayLike, threshold: float, default_value: float) -> Array:
    """Return :class:`Threshold` of `x`.

    Examples
    --------
    >>> threshold([0.4, 0.6], 0.5, -1.0)
    array([-1. ,  0.6], dtype=float32)
    """
    return Threshold(threshold, default_value)(x)


hard_shrink = HardShrink()
soft_shrink = SoftShrink()
tanh_shrink = TanhShrink()
