"""Adam and AdamW: running means of the gradient and of its square, corrected for their start at zero."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np

from rnn_core import checks
from rnn_core.optimizers.base import Optimizer
from rnn_core.optimizers.chunks import Array, Chunk
from rnn_core.optimizers.options import DecayOptions, Options

add, divide, maximum, multiply, sqrt = np.add, np.divide, np.maximum, np.multiply, np.sqrt
square, subtract = np.square, np.subtract


class Adam(Optimizer):
    """Adam, with the AMSGrad variant.

    For each weight `w` with gradient `g`, at step t = 1, 2, ...::

        m = m + (1 - beta_1) * (g - m)                      momentum: the running mean
        v = v + (1 - beta_2) * (g**2 - v)                   velocity: the running mean square
        h = max(h, v)                                       with amsgrad: takes the place of v below
        alpha = learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)
        w = w - alpha * m / (sqrt(v) + epsilon)

    The epsilon stands OUTSIDE the root (in RMSprop inside); it is the "epsilon hat" of the paper's section 2.

    Parameters
    ----------
    learning_rate : float above 0, or LearningRateSchedule
    beta_1, beta_2 : float from 0 to below 1
    epsilon : float of at least 0
    amsgrad : bool
    **options
        What every optimizer takes, see :class:`~rnn_core.optimizers.Optimizer`: weight_decay, clipnorm,
        clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, name.

    Raises
    ------
    ValueError
        For a setting out of its range.

    Notes
    -----
    `alpha` is computed in double precision. Keras on TensorFlow rounds both betas in it to float32, even for
    float64 weights, which makes its first steps 6e-6 (relative) longer or shorter.

    References
    ----------
    D. Kingma, J. Ba, https://arxiv.org/abs/1412.6980; AMSGrad: S. Reddi et al.,
    https://openreview.net/pdf?id=ryQu7f-RZ; ``keras/src/optimizers/adam.py``.

    Examples
    --------
    >>> w, g = np.array([1.0, -2.0]), np.array([0.5, 0.01])
    >>> optimizer = Adam(learning_rate=0.1)
    >>> optimizer.build(w, g, tensors=[slice(0, 2)], trainable=[slice(0, 2)])
    >>> optimizer.step(); w.round(4)  # the first step is one learning rate long, whatever the gradient
    array([ 0.9, -2.1])
    """

    momentums: Array | None
    velocities: Array | None
    velocity_hats: Array | None

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[DecayOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = self._below_one("beta_1", beta_1)
        self.beta_2 = self._below_one("beta_2", beta_2)
        self.epsilon = checks.real(type(self).__name__, "epsilon", epsilon, 0)
        self.amsgrad = checks.boolean(type(self).__name__, "amsgrad", amsgrad)

    def _below_one(self, argument: str, value: Any) -> float:
        number = checks.real(type(self).__name__, argument, value, 0, 1)
        if number == 1:  # the correction would divide by zero
            raise ValueError(f"{type(self).__name__}: {argument} must be below 1, got {value!r}.")
        return number

    def _slots(self) -> dict[str, bool]:
        return {"momentums": True, "velocities": True, "velocity_hats": self.amsgrad}

    def build(self, weights: Array, gradients: Array, tensors: list[slice], trainable: list[slice]) -> None:
        """Allocate the slots; see the base class."""
        super().build(weights, gradients, tensors, trainable)
        self._one_minus_beta_1, self._one_minus_beta_2 = (
            self._scalar(1 - self.beta_1),
            self._scalar(1 - self.beta_2),
        )
        self._epsilon, self._alpha = self._scalar(self.epsilon), self._scalar(0)

    def _prepare(self) -> None:
        super()._prepare()
        t = self.iterations + 1
        self._alpha.fill(float(self._lr) * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t))

    def _update(self, chunk: Chunk) -> None:
        w, g, s, u = chunk.w, chunk.g, chunk.s, chunk.u
        m, v, h = chunk.slots

        subtract(g, m, s)
        multiply(s, self._one_minus_beta_1, s)
        add(m, s, m)  # m = m + (1 - beta_1) * (g - m)

        square(g, s)
        subtract(s, v, s)
        multiply(s, self._one_minus_beta_2, s)
        add(v, s, v)  # v = v + (1 - beta_2) * (g**2 - v)

        if h is not None:
            maximum(h, v, out=h)
            v = h

        multiply(m, self._alpha, u)
        sqrt(v, s)
        add(s, self._epsilon, s)
        divide(u, s, u)
        subtract(w, u, w)  # w = w - alpha * m / (sqrt(v) + epsilon)

    def _in_keras_order(self, views: dict[str, list[Array]]) -> Iterable[Array]:
        """Momentum and velocity alternate, tensor by tensor."""
        pairs = zip(views.pop("momentums", []), views.pop("velocities", []), strict=True)
        yield from views.pop("model_variables_moving_average", [])
        yield from (view for pair in pairs for view in pair)
        yield from views.pop("velocity_hats", [])

    def get_config(self) -> dict[str, Any]:
        """Return the settings under Keras' keys."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), **own}


class AdamW(Adam):
    """Adam with decoupled weight decay, which is on by default.

    Every weight is shrunk by ``1 - weight_decay * learning_rate`` before :class:`Adam`'s update. Adam with
    the same `weight_decay` does the same.

    Parameters
    ----------
    learning_rate : float above 0, or LearningRateSchedule
    weight_decay : float of at least 0
    beta_1, beta_2, epsilon, amsgrad, **options
        As in :class:`Adam`.

    Raises
    ------
    ValueError
        For a setting out of its range.

    References
    ----------
    I. Loshchilov, F. Hutter, https://arxiv.org/abs/1711.05101; ``keras/src/optimizers/adamw.py``.

    Examples
    --------
    >>> w, g = np.array([1.0, -2.0]), np.zeros(2)
    >>> optimizer = AdamW(learning_rate=0.5, weight_decay=0.5)
    >>> optimizer.build(w, g, tensors=[slice(0, 2)], trainable=[slice(0, 2)])
    >>> optimizer.step(); w
    array([ 0.75, -1.5 ])
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        checks.real("AdamW", "weight_decay", weight_decay, 0)  # None, too, is refused
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options)
