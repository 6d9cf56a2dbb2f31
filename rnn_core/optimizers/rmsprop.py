"""RMSprop: a step's length is the gradient over the root of its mean square."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from rnn_core import checks
from rnn_core.optimizers.base import Optimizer
from rnn_core.optimizers.chunks import Array, Chunk
from rnn_core.optimizers.options import DecayOptions

add, divide, maximum, multiply = np.add, np.divide, np.maximum, np.multiply
sqrt, square, subtract = np.sqrt, np.square, np.subtract


class RMSprop(Optimizer):
    """RMSprop, with optional momentum and centering.

    For each weight `w` with gradient `g`::

        v = rho * v + (1 - rho) * g**2                      velocity: the running mean square
        a = rho * a + (1 - rho) * g                         if centered: the running mean
        u = learning_rate * g / sqrt(v + epsilon)           if centered: / sqrt(v - a**2 + epsilon)
        w = w - u                                           with momentum: m = momentum * m + u ; w = w - m

    The epsilon stands INSIDE the root. The averages start at 0 and are not corrected for that, so the first
    step is about ``learning_rate / sqrt(1 - rho)`` long, whatever the gradient.

    Parameters
    ----------
    learning_rate : float above 0, or LearningRateSchedule
    rho : float from 0 to 1
        How much of the old averages is kept.
    momentum : float from 0 to 1
    epsilon : float of at least 0
    centered : bool
        Divide by the standard deviation of the gradient instead of its root mean square.
    **options
        What every optimizer takes, see :class:`~rnn_core.optimizers.Optimizer`: weight_decay, clipnorm,
        clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, name.

    Raises
    ------
    ValueError
        For a setting out of its range.

    Notes
    -----
    ``v - a**2`` is a variance, at least 0, but rounding can put it below ``-epsilon``: in float32 a gradient
    that stays constant for 130 steps turns Keras' centered RMSprop into NaN. Here such a value counts as 0.

    References
    ----------
    T. Tieleman, G. Hinton, "Lecture 6.5: rmsprop", Neural Networks for Machine Learning, 2012; momentum and
    centering: A. Graves, https://arxiv.org/abs/1308.0850, eqs. 38-45; ``keras/src/optimizers/rmsprop.py``.

    Examples
    --------
    >>> w, g = np.array([1.0, -2.0]), np.array([0.5, 0.5])
    >>> optimizer = RMSprop(learning_rate=0.1)
    >>> optimizer.build(w, g, tensors=[slice(0, 2)], trainable=[slice(0, 2)])
    >>> optimizer.step(); w.round(4)  # 0.1 * 0.5 / sqrt(0.1 * 0.5**2) = 0.3162
    array([ 0.6838, -2.3162])
    """

    velocities: Array | None
    momentums: Array | None
    average_gradients: Array | None

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Unpack[DecayOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = checks.real("RMSprop", "rho", rho, 0, 1)
        self.momentum = checks.real("RMSprop", "momentum", momentum, 0, 1)
        self.epsilon = checks.real("RMSprop", "epsilon", epsilon, 0)
        self.centered = checks.boolean("RMSprop", "centered", centered)

    def _slots(self) -> dict[str, bool]:
        return {"velocities": True, "momentums": self.momentum > 0, "average_gradients": self.centered}

    def build(self, weights: Array, gradients: Array, tensors: list[slice], trainable: list[slice]) -> None:
        """Allocate the slots; see the base class."""
        super().build(weights, gradients, tensors, trainable)
        self._rho, self._one_minus_rho = self._scalar(self.rho), self._scalar(1 - self.rho)
        self._epsilon, self._momentum = self._scalar(self.epsilon), self._scalar(self.momentum)
        self._zero = self._scalar(0)

    def _update(self, chunk: Chunk) -> None:
        w, g, s, u = chunk.w, chunk.g, chunk.s, chunk.u
        v, m, a = chunk.slots

        square(g, s)
        multiply(s, self._one_minus_rho, s)
        multiply(v, self._rho, v)
        add(v, s, v)  # v = rho * v + (1 - rho) * g**2

        if a is None:
            add(v, self._epsilon, s)
        else:
            multiply(g, self._one_minus_rho, s)
            multiply(a, self._rho, a)
            add(a, s, a)  # a = rho * a + (1 - rho) * g
            square(a, s)
            subtract(v, s, s)
            maximum(s, self._zero, out=s)
            add(s, self._epsilon, s)  # s = max(v - a**2, 0) + epsilon

        sqrt(s, s)
        multiply(g, self._lr, u)
        divide(u, s, u)  # u = learning_rate * g / sqrt(s)

        if m is not None:
            multiply(m, self._momentum, m)
            add(m, u, m)  # m = momentum * m + u
            u = m
        subtract(w, u, w)

    def get_config(self) -> dict[str, Any]:
        """Return the settings under Keras' keys."""
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}
