"""S-shaped activations: from one constant to another, as tanh and sigmoid, by cheaper or straighter ways."""
# ruff: noqa: D102  (value and derivative are described once, in Activation)
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np

from rnn_core.activations.base import Activation, Array, indicator


class Softsign(Activation):
    """``y = x / (1 + |x|)``, ``dy/dx = 1 / (1 + |x|)**2``.

    References
    ----------
    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks,
    AISTATS 2010.

    Examples
    --------
    >>> softsign([-1.0, 3.0])
    array([-0.5 ,  0.75], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return x / (1 + np.abs(x))

    def derivative(self, x: Array) -> Array:
        return (1 / (1 + np.abs(x))) ** 2


class HardTanh(Activation):
    """``y = clip(x, -1, 1)``, ``dy/dx = [-1 <= x <= 1]``.

    References
    ----------
    Collobert, Large scale machine learning, PhD thesis, Université Paris VI, 2004.

    Examples
    --------
    >>> hard_tanh([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return np.clip(x, -1, 1)

    def derivative(self, x: Array) -> Array:
        return indicator(np.abs(x) <= 1, x)


class HardSigmoid(Activation):
    """``y = clip(x / 6 + 1/2, 0, 1)``, ``dy/dx = [-3 < x < 3] / 6``.

    Keras 3's slope; Keras 2 had ``clip(0.2 x + 0.5, 0, 1)``.

    References
    ----------
    Courbariaux, Bengio and David, BinaryConnect, 2015, https://arxiv.org/abs/1511.00363, for the idea;
    keras/src/activations/activations.py, ``hard_sigmoid``, for the slope.

    Examples
    --------
    >>> hard_sigmoid([-4.0, 0.0, 1.5])
    array([0.  , 0.5 , 0.75], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return np.clip(x + 3, 0, 6) / 6

    def derivative(self, x: Array) -> Array:
        return indicator(np.abs(x) < 3, x) / 6


class SparseSigmoid(Activation):
    """``y = clip((x + 1) / 2, 0, 1)``, ``dy/dx = [-1 < x < 1] / 2``.

    Sparsemax over two classes: ``sparse_sigmoid(x) = sparsemax([x, 0])[0]``, as sigmoid is to softmax.

    References
    ----------
    Blondel, Martins and Niculae, Learning with Fenchel-Young losses, 2019, https://arxiv.org/abs/1901.02324.

    Examples
    --------
    >>> sparse_sigmoid([-2.0, 0.5, 2.0])
    array([0.  , 0.75, 1.  ], dtype=float32)
    """

    def value(self, x: Array) -> Array:
        return np.clip((x + 1) / 2, 0, 1)

    def derivative(self, x: Array) -> Array:
        return indicator(np.abs(x) < 1, x) / 2


softsign = Softsign()
hard_tanh = HardTanh()
hard_sigmoid = HardSigmoid()
sparse_sigmoid = SparseSigmoid()
