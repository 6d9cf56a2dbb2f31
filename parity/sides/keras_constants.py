"""Constants that Keras on TensorFlow has in float32 only, also in a float64 model, and our own parts with the same.

===============  ===================================================  ===========================================
part             in TensorFlow or Keras                               how far it is off
===============  ===================================================  ===========================================
gelu             ``cast(0.7071067811865476, x.dtype)``, 0.044715      1.7e-8 and 3.1e-8, relative
leaky_relu       `alpha`, an attribute in float32                     up to 6e-8, relative; 1.5e-8 for 0.2
LogCosh          ``ops.log(2.0)``, in the loss, not in its gradient   2.7e-8, relative
===============  ===================================================  ===========================================

They are Python floats on their way to a tensor, and that rounds them to float32; the function has no argument that
could carry more digits. In place of a limit that forgives such errors, and all others of that size, the check gives
our side the same number. What is then compared with Keras is everything but the last digits of these constants.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.parts import all_parts
from rnn_core.activations import Gelu, LeakyRelu
from rnn_core.activations.gated import _erfc
from rnn_core.losses import LogCosh
from rnn_core.losses.several import LossOfOutputs
from rnn_core.models import Model

Array = NDArray[Any]


def rounded(constant: float) -> float:
    """Return a number as float32 has it.

    Examples
    --------
    >>> rounded(0.2)
    0.20000000298023224
    """
    return float(np.float32(constant))


ROOT = rounded(math.sqrt(0.5))
CUBIC = rounded(0.044715)
LOG_2 = rounded(math.log(2))


def take_keras_constants(model: Model) -> list[str]:
    """Give a model the constants that Keras on TensorFlow has, in place; return of what they are."""
    found = []
    for part in all_parts(model.layers):
        for name in ("activation", "output_activation"):
            activation = getattr(part, name, None)
            if type(activation) is Gelu:
                setattr(part, name, _KerasGelu(activation.approximate))
            elif type(activation) is LeakyRelu:
                setattr(part, name, LeakyRelu(rounded(activation.negative_slope)))
            else:
                continue
            found.append(activation.name)
    given = model.loss
    several = given.losses if isinstance(given, LossOfOutputs) else [given]
    rounded_ones = [_rounded_log(loss) if isinstance(loss, LogCosh) else loss for loss in several]
    if any(isinstance(loss, LogCosh) for loss in several):
        found.append("LogCosh")
        if isinstance(given, LossOfOutputs):
            given.losses = rounded_ones
        else:
            (model.loss,) = rounded_ones
    return sorted(set(found))


class _KerasGelu(Gelu):
    """gelu with float32 constants."""

    def value(self, x: Array) -> Array:
        y: Array = x * (1 + np.tanh(_u(x))) / 2 if self.approximate else x * _normal_cdf(x)
        return y

    def derivative(self, x: Array) -> Array:
        derivative: Array
        if self.approximate:
            t, du = np.tanh(_u(x)), math.sqrt(2 / math.pi) * (1 + 3 * CUBIC * x * x)
            derivative = (1 + t) / 2 + x * (1 - t * t) / 2 * du
        else:
            density = np.exp(-((ROOT * x) ** 2)) * (ROOT / math.sqrt(math.pi))
            derivative = _normal_cdf(x) + x * density
        return derivative


def _u(x: Array) -> Array:
    u: Array = math.sqrt(2 / math.pi) * (x + CUBIC * x * x * x)
    return u


def _normal_cdf(x: Array) -> Array:
    return np.asarray(_erfc(-x * ROOT), x.dtype) / 2


def _rounded_log(loss: LogCosh) -> LogCosh:
    """Return LogCosh with a log(2) in float32; of a class derived from it, too."""
    if not isinstance(loss, _KerasLogCosh):
        loss = copy.copy(loss)
        loss.__class__ = type(type(loss).__name__, (_KerasLogCosh, type(loss)), {})
    return loss


class _KerasLogCosh:
    """What makes a LogCosh one with a log(2) in float32."""

    def element(self, y: Array, p: Array) -> Any:
        """Return log(cosh(d)), off by the error of log(2)."""
        exact: Array = super().element(y, p)  # type: ignore[misc]
        return exact + (float(np.log(2)) - LOG_2)
