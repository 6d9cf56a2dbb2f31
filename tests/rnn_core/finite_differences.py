"""Central differences: what every gradient that was written by hand is measured against.

The derivative with respect to one entry x of an array is taken from five points::

    f'(x) = (f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)) / 12h + O(h**4)

which is Richardson's extrapolation of the central differences with steps h and 2h. In float64 with h = 1e-3 the
remainder is about 3e-14 of the fifth derivative, and rounding adds a few eps |f| / h.

The rule, for each array of weights, inputs or states by itself::

    max |gradient - numeric|  <=  1e-7 * max |numeric|  +  32 eps max(1, |f|) / h

The second term, 7e-12 for |f| up to 1, is what the quotient cannot resolve. Where an array misses the rule, it is
measured again with a quarter of the step: the remainder of a function that bends sharply falls to 1/256, while a
gradient that is wrong stays wrong.

Kinks. A quotient across the kink of a relu is wrong though the gradient is right. So whoever knows where kinks
are says on which side of each of them a value lies (:meth:`Kinks.see`), each time the function is computed. If any
side changes within the step, there is a kink in it, and Hypothesis draws another example.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from rnn_core.activations import Activation

SEEDS = st.integers(0, 2**32 - 1)
STEPS = (1e-3, 2.5e-4)
RELATIVE = 1e-7

# Where the first or second derivative jumps, in the pre-activation.
KINKS = {
    "relu": (0.0,),
    "relu6": (0.0, 6.0),
    "leaky_relu": (0.0,),
    "elu": (0.0,),
    "selu": (0.0,),
    "celu": (0.0,),
    "sparse_plus": (-1.0, 1.0),
    "softsign": (0.0,),
    "hard_tanh": (-1.0, 1.0),
    "hard_sigmoid": (-3.0, 3.0),
    "hard_silu": (-3.0, 3.0),
    "sparse_sigmoid": (-1.0, 1.0),
    "hard_shrink": (-0.5, 0.5),
    "soft_shrink": (-0.5, 0.5),
    "sparsemax": (),  # where an output leaves zero: seen in the output
}


def examples(count: int):
    """Rejecting is part of the game here: a kink in the step means another draw."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


class KinkInStep(UnsatisfiedAssumption):
    """The function has a kink where it is to be differentiated: Hypothesis draws again."""


class Kinks:
    """On which side of every kink the function went, the last time it was computed."""

    def __init__(self) -> None:
        self.sides: list[np.ndarray] = []

    def see(self, *distances: np.ndarray | float) -> None:
        """Take note of the signs of these distances from kinks."""
        self.sides += [np.sign(np.ravel(distance)) for distance in distances]

    def watch(self, *layers: object) -> None:
        """See the pre-activations of these layers from now on, where their activations have kinks."""
        for layer in layers:
            activation = getattr(layer, "activation", None)
            if activation is not None and activation.name in KINKS:
                layer.activation = Watched(activation, self)


class Watched(Activation):
    """An activation that shows its pre-activations to a :class:`Kinks`."""

    def __init__(self, activation: Activation, kinks: Kinks) -> None:
        self.activation, self.kinks, self.needs = activation, kinks, activation.needs

    def forward(self, a, out):
        self.kinks.see(*(a - kink for kink in KINKS[self.activation.name]))
        self.activation.forward(a, out)
        if self.activation.name == "sparsemax":
            self.kinks.see(out)

    def backward(self, saved, dy, out, scratch):
        self.activation.backward(saved, dy, out, scratch)


def central_differences(
    f: Callable[[], float], x: np.ndarray, kinks: Kinks | None = None, step: float = STEPS[0]
) -> np.ndarray:
    """Return df / dx for an array `x` that `f` reads; raises KinkInStep if one lies within a step."""
    kinks = kinks or Kinks()

    def at(index: tuple[int, ...], value: float) -> float:
        x[index] = value
        kinks.sides = []
        return float(f())

    def sides() -> np.ndarray:
        return np.concatenate([np.empty(0), *kinks.sides])

    here = np.zeros(x.ndim, int)
    at(tuple(here), x[tuple(here)])
    expected = sides()
    numeric = np.empty_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        total = 0.0
        for steps, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            total += weight * at(index, value + steps * step)
            if not np.array_equal(sides(), expected):
                x[index] = value
                raise KinkInStep(f"entry {index} of {x.shape}")
        x[index] = value
        numeric[index] = total / (12 * step)
    return numeric


def check_gradients(
    f: Callable[[], float], gradients: dict[str, tuple[np.ndarray, np.ndarray]], kinks: Kinks | None = None
) -> None:
    """Compare gradients with central differences of `f`, by the rule above.

    Parameters
    ----------
    f : callable
        Returns the loss, from the arrays as they are at that moment.
    gradients : dict of str to (array, gradient)
        Arrays of float64 that `f` reads, and what is claimed to be its gradient with respect to them.
    kinks : Kinks, optional
        What `f` shows its kinks to.
    """
    for name, (x, gradient) in gradients.items():
        assert x.dtype == gradient.dtype == np.float64, f"{name} is {x.dtype}, its gradient {gradient.dtype}"
        assert x.shape == gradient.shape, f"{name} has shape {x.shape}, its gradient {gradient.shape}"
        if x.size == 0:
            continue
        for step in STEPS:
            numeric = central_differences(f, x, kinks, step)
            resolution = 32 * np.finfo(np.float64).eps * max(1.0, abs(float(f()))) / step
            tolerance = RELATIVE * np.abs(numeric).max() + resolution
            error = np.abs(gradient - numeric)
            worst = tuple(int(i) for i in np.unravel_index(np.argmax(error), error.shape))
            if error[worst] <= tolerance:
                break
        assert error[worst] <= tolerance, (
            f"d_{name}{list(worst)}: by hand {gradient[worst]!r}, by differences {numeric[worst]!r}, "
            f"{error[worst]:.2e} apart where {tolerance:.2e} is allowed"
        )
