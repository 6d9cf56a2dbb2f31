"""Gradient descent, plain, with momentum or with Nesterov's momentum."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from rnn_core import checks
from rnn_core.optimizers.base import Optimizer
from rnn_core.optimizers.chunks import Array, Chunk
from rnn_core.optimizers.options import DecayOptions

add, multiply, subtract = np.add, np.multiply, np.subtract


class SGD(Optimizer):
    """Gradient descent.

    For each weight `w` with gradient `g`::

        w = w - learning_rate * g                           momentum = 0

        m = momentum * m - learning_rate * g                momentum > 0
        w = w + m
        w = w + momentum * m - learning_rate * g            the same line, with nesterov

    Parameters
    ----------
    learning_rate : float above 0, or LearningRateSchedule
    momentum : float from 0 to 1
    nesterov : bool
        Has no effect without momentum.
    **options
        What every optimizer takes, see :class:`~rnn_core.optimizers.Optimizer`: weight_decay, clipnorm,
        clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, name.

    Raises
    ------
    ValueError
        For a setting out of its range.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013;
    ``keras/src/optimizers/sgd.py``.

    Examples
    --------
    >>> w, g = np.array([1.0, -2.0]), np.array([0.5, 0.5])
    >>> optimizer = SGD(learning_rate=0.1)
    >>> optimizer.build(w, g, tensors=[slice(0, 2)], trainable=[slice(0, 2)])
    >>> optimizer.step(); w.round(4)
    array([ 0.95, -2.05])
    """

    momentums: Array | None

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[DecayOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = checks.real("SGD", "momentum", momentum, 0, 1)
        self.nesterov = checks.boolean("SGD", "nesterov", nesterov)

    def _slots(self) -> dict[str, bool]:
        return {"momentums": self.momentum > 0}

    def build(self, weights: Array, gradients: Array, tensors: list[slice], trainable: list[slice]) -> None:
        """Allocate the slots; see the base class."""
        super().build(weights, gradients, tensors, trainable)
        self._momentum = self._scalar(self.momentum)

    def _update(self, chunk: Chunk) -> None:
        w, g, s, u = chunk.w, chunk.g, chunk.s, chunk.u
        (m,) = chunk.slots

        multiply(g, self._lr, s)
        if m is None:
            subtract(w, s, w)  # w = w - learning_rate * g
            return
        multiply(m, self._momentum, m)
        subtract(m, s, m)  # m = momentum * m - learning_rate * g
        if self.nesterov:
            multiply(m, self._momentum, u)
            subtract(u, s, u)
            add(w, u, w)  # w = w + momentum * m - learning_rate * g
        else:
            add(w, m, w)

    def get_config(self) -> dict[str, Any]:
        """Return the settings under Keras' keys."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
