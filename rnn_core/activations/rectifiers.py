"""The relatives of relu: close to x on the right, close to a constant (or a gentle slope) on the left."""
# ruff: noqa: D102  (value and derivative are described once, in Activation)
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from rnn_core import checks
from rnn_core.activations.base import Activation, Array, indicator
from rnn_core.activations.fast import sigmoid


class Relu6(Activation):
    """``y = min(max(x, 0), 6)``, ``dy/dx = [0 < y < 6]``.

    References
    ----------
    Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.

    Examples
    --------
    >>> relu6([-1.0, 3.0, 9.0])
    array([0., 3., 6.], dtype=float32)
    """

    needs = "output"

    def value(self, x: Array) -> Array:
        return np.clip(x, 0, 6)

    def derivative(self, y: Array) -> Array:
        return indicator((y > 0) & (y < 6), y)


class LeakyRelu(Activation):
    """``y = x [x > 0] + s x [x <= 0]``, ``dy/dx = [x > 0] + s [x <= 0]``, with the slope ``s``.

    Parameters
    ----------
    negative_slope : float
        0.2, as Keras' function has it (Keras' LeakyReLU layer has 0.3).

    References
    ----------
    Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, ICML 2013.

    Examples
    --------
    >>> leaky_relu([-1.0, 2.0]), leaky_relu([-1.0, 2.0], negative_slope=0.5)
    (array([-0.2,  2. ], dtype=float32), array([-0.5,  2. ], dtype=float32))
    """

    def __init__(self, negative_slope: float = 0.2) -> None:
        self.negative_slope = checks.real("leaky_relu", "negative_slope", negative_slope)

    def value(self, x: Array) -> Array:
        return np.where(x > 0, x, self.negative_slope * x)

    def derivative(self, x: Array) -> Array:
        return indicator(x > 0, x) + self.negative_slope * indicator(x <= 0, x)


class Elu(Activation):
    """``y = x [x > 0] + α (exp(x) - 1) [x <= 0]``, ``dy/dx = [x > 0] + α exp(x) [x <= 0]``.

    Parameters
    ----------
    alpha : float
        Minus the limit on the left.

    References
    ----------
    Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential linear units,
    2016, https://arxiv.org/abs/1511.07289.

    Examples
    --------
    >>> elu([-1.0, 2.0]).round(4)
    array([-0.6321,  2.    ], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = checks.real("elu", "alpha", alpha)

    def value(self, x: Array) -> Array:
        left = np.minimum(x, 0)  # exp is never asked for what it would overflow on
        return np.where(x > 0, x, self.alpha * np.expm1(left))

    def derivative(self, x: Array) -> Array:
        left = np.minimum(x, 0)
        return np.where(x > 0, 1, self.alpha * np.exp(left))


class Selu(Activation):
    """The self-normalizing elu, ``y = λ elu(x; α)``, ``dy/dx = λ [x >= 0] + λ α exp(x) [x < 0]``.

    α and λ are such that outputs keep mean 0 and variance 1 from layer to layer, with lecun_normal kernels.

    References
    ----------
    Klambauer et al., Self-normalizing neural networks, 2017, https://arxiv.org/abs/1706.02515.

    Examples
    --------
    >>> selu([-1.0, 1.0]).round(4)
    array([-1.1113,  1.0507], dtype=float32)
    """

    ALPHA = 1.6732632423543772848170429916717
    LAMBDA = 1.0507009873554804934193349852946

    def value(self, x: Array) -> Array:
        left = np.minimum(x, 0)
        return self.LAMBDA * np.where(x > 0, x, self.ALPHA * np.expm1(left))

    def derivative(self, x: Array) -> Array:
        left = np.minimum(x, 0)
        return self.LAMBDA * np.where(x >= 0, 1, self.ALPHA * np.exp(left))


class Celu(Activation):
    """``y = max(x, 0) + α (exp(min(x, 0) / α) - 1)``, ``dy/dx = exp(min(x, 0) / α)``.

    An elu whose derivative has no jump, whatever α is. At ``x = 0`` exactly, Keras on TensorFlow counts both
    sides and gives the derivative 2; here it is 1.

    Parameters
    ----------
    alpha : float above 0

    Raises
    ------
    ValueError
        If `alpha` is not above 0.

    References
    ----------
    Barron, Continuously differentiable exponential linear units, 2017, https://arxiv.org/abs/1704.07483.

    Examples
    --------
    >>> celu([-2.0, 2.0], alpha=2.0).round(4)
    array([-1.2642,  2.    ], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = checks.real("celu", "alpha", alpha, 0, above=True)

    def value(self, x: Array) -> Array:
        left = np.minimum(x, 0)
        return np.maximum(x, 0) + self.alpha * np.expm1(left / self.alpha)

    def derivative(self, x: Array) -> Array:
        left = np.minimum(x, 0)
        return np.exp(left / self.alpha)


class Softplus(Activation):
    """``y = log(1 + exp(x))``, ``dy/dx = sigmoid(x)``.

    References
    ----------
    Dugas et al., Incorporating second-order functional knowledge for better option pricing, NIPS 2000.

    Examples
    --------
    >>> softplus([-10.0, 0.0, 10.0]).round(4)
    array([ 0.    ,  0.6931, 10.    ], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return np.logaddexp(x, 0)

    def derivative(self, x: Array) -> Array:
        return sigmoid(x)


class Squareplus(Activation):
    """``y = (x + r) / 2``, ``dy/dx = (1 + x / r) / 2``, with ``r = sqrt(x**2 + b)``.

    Parameters
    ----------
    b : float above 0
        Width of the bend.

    Raises
    ------
    ValueError
        If `b` is not above 0 (0 would be relu, with no derivative at 0).

    References
    ----------
    Barron, Squareplus: a softplus-like algebraic rectifier, 2021, https://arxiv.org/abs/2112.11687.

    Examples
    --------
    >>> squareplus([0.0, 1.5])
    array([1., 2.], dtype=float32)
    """

    def __init__(self, b: float = 4) -> None:
        self.b = checks.real("squareplus", "b", b, 0, above=True)

    def value(self, x: Array) -> Array:
        r = np.hypot(x, self.b**0.5)
        return (x + r) / 2

    def derivative(self, x: Array) -> Array:
        r = np.hypot(x, self.b**0.5)
        return (1 + x / r) / 2


class SparsePlus(Activation):
    """``y = x [x >= 1] + (x + 1)**2 / 4 [-1 < x < 1]``, ``dy/dx = clip((x + 1) / 2, 0, 1)``.

    A softplus that reaches 0; its derivative is sparse_sigmoid.

    References
    ----------
    keras/src/activations/activations.py, ``sparse_plus``.

    Examples
    --------
    >>> sparse_plus([-2.0, 0.0, 2.0])
    array([0.  , 0.25, 2.  ], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        middle = np.clip(x, -1, 1)
        return np.where(x < 1, (middle + 1) ** 2 / 4, x)

    def derivative(self, x: Array) -> Array:
        return np.clip((x + 1) / 2, 0, 1)


relu6 = Relu6()
leaky_relu = LeakyRelu()
elu = Elu()
selu = Selu()
celu = Celu()
softplus = Softplus()
squareplus = Squareplus()
sparse_plus = SparsePlus()
