"""The four activations that run inside every recurrent loop: linear, relu, tanh and sigmoid.

They allocate nothing. Each step is one ufunc that writes into `out` or `scratch`; constants are 0-d arrays of
the array's dtype. On arrays of a few hundred numbers the calls are the cost, so there are as few as can be.
"""
# ruff: noqa: D102  (the methods are described once, in Activation and FastActivation)
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.activations.base import ONE, ZERO, Activation, Array, indicator

_add = np.add
_copyto = np.copyto
_divide = np.divide
_exp = np.exp
_maximum = np.maximum
_multiply = np.multiply
_negative = np.negative
_sign = np.sign
_subtract = np.subtract
_tanh = np.tanh

# Where sigmoid levels off: at log(2 * tiny), with `tiny` the smallest normal number.
_LOWEST = {dtype: np.array(math.log(2 * float(np.finfo(dtype).tiny)), dtype) for dtype in ONE}


class FastActivation(Activation):
    """An activation that writes its derivative into an array: a recurrent layer has it do so for several steps."""

    def slope(self, saved: Array, out: Array) -> None:
        """Write ``act'`` into `out`; `saved` is the input or the output of `forward`, as `needs` says."""
        raise NotImplementedError

    def backward(self, saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        self.slope(saved, scratch)
        _multiply(scratch, dy, out)


class Linear(FastActivation):
    """``y = x``, ``dy/dx = 1``.

    References
    ----------
    keras/src/activations/activations.py, ``linear``.

    Examples
    --------
    >>> linear([-1.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """

    needs = "output"

    def forward(self, a: Array, out: Array) -> None:
        if out is not a:
            _copyto(out, a)

    def slope(self, saved: Array, out: Array) -> None:
        out.fill(1)

    def backward(self, saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        if out is not dy:
            _copyto(out, dy)


class Relu(FastActivation):
    """The rectified linear unit, ``y = max(x, 0)``, ``dy/dx = [y > 0]``; at the kink the derivative is 0.

    With arguments (``m`` for `max_value`, ``t`` for `threshold`, ``s`` for `negative_slope`)::

        y     = min(x, m) [x > t] + s (x - t) [x <= t]
        dy/dx = [t < x < m]       + s [x <= t]

    Parameters
    ----------
    negative_slope : float, at least 0
    max_value : float, at least 0, or None
    threshold : float, at least 0

    Raises
    ------
    ValueError
        If an argument is negative or no number, as Keras' ReLU layer does.

    References
    ----------
    Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010.

    Examples
    --------
    >>> relu([-2.0, 0.5, 9.0]), relu([-2.0, 0.5, 9.0], negative_slope=0.5, max_value=4)
    (array([0. , 0.5, 9. ], dtype=float32), array([-1. ,  0.5,  4. ], dtype=float32))
    """

    def __init__(self, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> None:
        self.negative_slope = checks.real("relu", "negative_slope", negative_slope, 0)
        self.max_value = None if max_value is None else checks.real("relu", "max_value", max_value, 0)
        self.threshold = checks.real("relu", "threshold", threshold, 0)
        self.is_plain = self.get_config() == {"negative_slope": 0.0, "max_value": None, "threshold": 0.0}
        self.needs = "output" if self.is_plain else "input"

    def forward(self, a: Array, out: Array) -> None:
        if self.is_plain:
            _maximum(a, ZERO[a.dtype], out=out)  # by position, out is slow and deprecated
        else:
            super().forward(a, out)

    def slope(self, saved: Array, out: Array) -> None:
        if self.is_plain:
            _sign(saved, out)  # y >= 0, so its sign is [y > 0]
        else:
            out[...] = self.derivative(saved)

    def value(self, x: Array) -> Array:
        m = math.inf if self.max_value is None else self.max_value
        t, s = self.threshold, self.negative_slope
        return np.where(x > t, np.minimum(x, m), s * np.minimum(x - t, 0))

    def derivative(self, x: Array) -> Array:
        m = math.inf if self.max_value is None else self.max_value
        t, s = self.threshold, self.negative_slope
        return indicator((t < x) & (x < m), x) + s * indicator(x <= t, x)

    def get_config(self) -> dict[str, Any]:
        return {
            "negative_slope": self.negative_slope,
            "max_value": self.max_value,
            "threshold": self.threshold,
        }


class Tanh(FastActivation):
    """``y = tanh(x)``, ``dy/dx = 1 - y**2``.

    References
    ----------
    keras/src/activations/activations.py, ``tanh``; the default of SimpleRNN.

    Examples
    --------
    >>> tanh([0.0, 1.0]).round(4)
    array([0.    , 0.7616], dtype=float32)
    """

    needs = "output"

    def forward(self, a: Array, out: Array) -> None:
        _tanh(a, out)

    def slope(self, saved: Array, out: Array) -> None:
        _multiply(saved, saved, out)
        _subtract(ONE[saved.dtype], out, out)


class Sigmoid(FastActivation):
    """``y = 1 / (1 + exp(-x))``, ``dy/dx = y (1 - y)``.

    Below -86 (float32; -707 in float64) the output stays at twice the dtype's smallest normal number, so
    that ``exp`` never overflows and no denormal number comes out.

    References
    ----------
    keras/src/activations/activations.py, ``sigmoid``.

    Examples
    --------
    >>> sigmoid([-1000.0, 0.0, 1.0]).round(4)
    array([0.    , 0.5   , 0.7311], dtype=float32)
    """

    needs = "output"

    def forward(self, a: Array, out: Array) -> None:
        _maximum(a, _LOWEST[a.dtype], out=out)
        _negative(out, out)
        _exp(out, out)
        _add(out, ONE[a.dtype], out)
        _divide(ONE[a.dtype], out, out)

    def slope(self, saved: Array, out: Array) -> None:
        _subtract(ONE[saved.dtype], saved, out)
        _multiply(out, saved, out)


linear = Linear()
relu = Relu()
tanh = Tanh()
sigmoid = Sigmoid()
