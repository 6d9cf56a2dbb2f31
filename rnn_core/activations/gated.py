"""Gates: the input times a soft step of itself (or, in glu, of its other half)."""
# ruff: noqa: D102  (value, derivative, forward and backward are described once, in Activation)
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from rnn_core.activations.base import Activation, Array
from rnn_core.activations.fast import sigmoid
from rnn_core.activations.steps import hard_sigmoid

_erfc = np.frompyfunc(math.erfc, 1, 1)  # NumPy has none; about 0.1 us an element


class Silu(Activation):
    """``y = x s``, ``dy/dx = s (1 + x (1 - s))``, with the gate ``s = sigmoid(x)``; also called swish.

    References
    ----------
    Ramachandran, Zoph and Le, Searching for activation functions, 2017, https://arxiv.org/abs/1710.05941.

    Examples
    --------
    >>> silu([-1.0, 1.0]).round(4)
    array([-0.2689,  0.7311], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return x * sigmoid(x)

    def derivative(self, x: Array) -> Array:
        s = sigmoid(x)
        return s * (1 + x * (1 - s))


class HardSilu(Activation):
    """``y = x h``, ``dy/dx = h + x h'``, with the gate ``h = hard_sigmoid(x)``; also called hard_swish.

    References
    ----------
    Howard et al., Searching for MobileNetV3, 2019, https://arxiv.org/abs/1905.02244.

    Examples
    --------
    >>> hard_silu([-4.0, 1.5, 4.0])
    array([-0.   ,  1.125,  4.   ], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return x * hard_sigmoid(x)

    def derivative(self, x: Array) -> Array:
        return hard_sigmoid(x) + x * hard_sigmoid.derivative(x)


class Mish(Activation):
    """``y = x t``, ``dy/dx = t + x (1 - t**2) sigmoid(x)``, with the gate ``t = tanh(log(1 + exp(x)))``.

    References
    ----------
    Misra, Mish: a self regularized non-monotonic activation function, 2019, https://arxiv.org/abs/1908.08681.

    Examples
    --------
    >>> mish([-1.0, 1.0]).round(4)
    array([-0.3034,  0.8651], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return x * np.tanh(np.logaddexp(x, 0))

    def derivative(self, x: Array) -> Array:
        t = np.tanh(np.logaddexp(x, 0))
        return t + x * (1 - t * t) * sigmoid(x)


class Gelu(Activation):
    """``y = x Φ(x)``, ``dy/dx = Φ(x) + x φ(x)``, with the normal distribution's Φ and its density φ.

    Approximately, with ``u = sqrt(2/π) (x + 0.044715 x**3)``::

        y     = x (1 + tanh(u)) / 2
        dy/dx = (1 + tanh(u)) / 2 + x (1 - tanh(u)**2) / 2 * du/dx

    Parameters
    ----------
    approximate : bool
        Use the second form, which is within 5e-4 of the first, and faster here.

    References
    ----------
    Hendrycks and Gimpel, Gaussian error linear units, 2016, https://arxiv.org/abs/1606.08415.

    Examples
    --------
    >>> gelu([-1.0, 1.0]).round(4), gelu([-1.0, 1.0], approximate=True).round(4)
    (array([-0.1587,  0.8413], dtype=float32), array([-0.1588,  0.8412], dtype=float32))
    """

    def __init__(self, approximate: bool = False) -> None:
        if not isinstance(approximate, (bool, np.bool_)):
            raise TypeError(f"gelu: approximate must be True or False, got {approximate!r}.")
        self.approximate = bool(approximate)

    def value(self, x: Array) -> Array:
        if self.approximate:
            return x * (1 + np.tanh(_u(x))) / 2
        return x * _normal_cdf(x)

    def derivative(self, x: Array) -> Array:
        if self.approximate:
            t = np.tanh(_u(x))
            du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
            return (1 + t) / 2 + x * (1 - t * t) / 2 * du
        density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return _normal_cdf(x) + x * density


def _u(x: Array) -> Array:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


def _normal_cdf(x: Array) -> Array:
    """Φ(x) = erfc(-x / sqrt(2)) / 2, which unlike 1 + erf keeps its digits in the left tail."""
    return np.asarray(_erfc(-x * math.sqrt(0.5)), x.dtype) / 2


class Glu(Activation):
    """``y = u s`` where `x` is split into halves ``u, v`` along `axis` and ``s = sigmoid(v)`` is the gate.

    Backward: ``du = dy s``, ``dv = dy u s (1 - s)``.

    The output has half the size of the input along `axis`. A layer's activation keeps its shape, so glu is
    refused there; apply it to the layer's output.

    Parameters
    ----------
    axis : int

    Raises
    ------
    ValueError
        If the size of `axis` is odd, or if it is used as the activation of a layer.

    References
    ----------
    Dauphin et al., Language modeling with gated convolutional networks, 2017, https://arxiv.org/abs/1612.08083.

    Examples
    --------
    >>> glu([[1.0, 2.0, 0.0, 1000.0]])  # (1, 4) -> (1, 2)
    array([[0.5, 2. ]], dtype=float32)
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = operator.index(axis)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        axis = normalize_axis_index(self.axis, len(shape))
        if shape[axis] % 2:
            raise ValueError(f"glu: axis {self.axis} must have an even size, to be halved, got shape {shape}.")
        return (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])

    def forward(self, a: Array, out: Array) -> None:
        halved = self.output_shape(a.shape)
        if out.shape != halved:
            raise ValueError(
                f"Activation 'glu' halves axis {self.axis}: {a.shape} becomes {halved}, not {out.shape}. It "
                "cannot be a layer's activation: apply activations.glu to the layer's output."
            )
        u, v = np.split(a, 2, self.axis)
        np.multiply(u, sigmoid(v), out=out)

    def backward(self, saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        u, v = np.split(saved, 2, self.axis)
        du, dv = np.split(out, 2, self.axis)  # views: writing to them writes to out
        s = sigmoid(v)
        np.multiply(dy, s, out=du)
        np.multiply(dy, u * s * (1 - s), out=dv)


silu = swish = Silu()
hard_silu = hard_swish = HardSilu()
mish = Mish()
gelu = Gelu()
glu = Glu()
