"""How far rounding alone may take a float64 result: our own engine in ``np.longdouble``, with noise and without.

::

    weights w, activations f, derivatives f'                    --.
    w (1 + eps u), f (1 + eps u), f' + eps u (1 + |x|), and       |--> the difference: what one eps of noise costs
    likewise what the loss is given, its gradient,                |
    and the weights of samples                                  --'

u is uniform in [-1, 1], drawn for every number anew; eps is that of float64. No engine does much better than this: it
rounds every product, and tanh and exp of a good library are off by up to one eps. What turns one eps into k eps (a sum
that cancels, 1 - tanh(x)**2 of a saturated unit, a cosine near 1, a long recurrence) does so here, too.

On x86 ``np.longdouble`` has 64 bits of mantissa, 11 more than float64, so rounding of its own is 1/2048 of the noise.
Where it is float64 itself (Windows, ARM on macOS) its own rounding is part of what is measured, which is less sharp.

The engine offers no such dtype to its users. It is let in here for the time of one question: in the check of dtypes,
and in the constants that are arrays of each dtype.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from parity.parts import all_parts
from parity.sides.our_side import OurSide, cast
from parity.sides.questions import Forward, Gradients, Options, Step
from rnn_core import config, denormals
from rnn_core.activations import LogSoftmax, base, fast
from rnn_core.engine import loop
from rnn_core.losses import CosineSimilarity
from rnn_core.losses.base import EPSILON
from rnn_core.models import Model
from rnn_core.several import as_list, each

Array = NDArray[Any]

LONG = np.dtype(np.longdouble)
EPS = float(np.finfo(np.float64).eps)


class ReferenceSide(OurSide):
    """A model that is asked in ``np.longdouble``: all answers but the loss, a Python float, are arrays of it.

    Parameters
    ----------
    model : rnn_core.Sequential
        Built; it is copied.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input
    >>> from rnn_core.models import Sequential
    >>> side = ReferenceSide(Sequential([Input((3,)), Dense(2, "tanh")]))
    >>> exact = side.forward(np.ones((1, 3))).output
    >>> exact.dtype == np.longdouble
    True
    >>> with side.noise(np.random.default_rng(0)):
    ...     noisy = side.forward(np.ones((1, 3))).output
    >>> bool(0 < np.abs(noisy - exact).max() < 8 * EPS)
    True
    """

    def __init__(self, model: Model) -> None:
        with _extended():
            super().__init__(cast(model, LONG.name))
        self._random: np.random.Generator | None = None  # while there is noise
        for loss in getattr(self.model.loss, "losses", [self.model.loss]):
            if getattr(loss, "dtype", None) is not None:
                loss.dtype = LONG.name

    def forward(self, x: Any, **options: Unpack[Options]) -> Forward:
        """As :meth:`OurSide.forward`."""
        with _extended():
            return super().forward(x, **options)

    def gradients(self, x: Any, y: Any, **options: Unpack[Options]) -> Gradients:
        """As :meth:`OurSide.gradients`."""
        with _extended():
            return super().gradients(x, y, **options)

    def step(self, x: Any, y: Any, **options: Unpack[Options]) -> Step:
        """As :meth:`OurSide.step`."""
        with _extended():
            return super().step(x, y, **options)

    def _step(self, x: Any, y: Any, options: Options) -> tuple[loop.Step, tuple[Any, Any, Any]]:
        """Return the engine's own step; while there is noise, what its loss is given and hands back has some, too."""
        step, data = super()._step(x, y, options)
        if (random := self._random) is not None:
            exact, noisy = step.loss_function.value_and_gradient, copy.copy(step.loss_function)

            def value_and_gradient(y_true: Any, y_pred: Any, d_output: Any, *rest: Any) -> float:
                value = exact(y_true, each(lambda y: y * noisy_ones(y.shape, random), y_pred), d_output, *rest)
                for d in as_list(d_output):
                    d *= noisy_ones(d.shape, random)
                return float(value)

            noisy.value_and_gradient = value_and_gradient
            step.loss_function = noisy
        return step, data

    @contextmanager
    def noise(self, random: np.random.Generator) -> Iterator[None]:
        """Put one eps of noise on weights, on what activations put out, on what the loss is given and hands back."""
        found = [
            (part, name, getattr(part, name, None))
            for part in all_parts(self.model.layers)
            for name in ("activation", "output_activation")
        ]
        activations = [entry for entry in found if entry[2] is not None]
        losses = getattr(self.model.loss, "losses", [self.model.loss])
        cosines = [loss for loss in losses if isinstance(loss, CosineSimilarity)]
        vector, self._random = self.model.vector.copy(), random
        self.model.vector *= noisy_ones(vector.shape, random)
        for part, name, activation in activations:
            setattr(part, name, _noisy(activation, random))
        for loss in cosines:
            vars(loss)["derivative"] = _noisy_cosine(loss, random)
        try:
            yield
        finally:
            self.model.vector[...] = vector
            self._random = None
            for part, name, activation in activations:
                setattr(part, name, activation)
            for loss in cosines:
                del vars(loss)["derivative"]


def noisy_ones(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Return 1 + eps u, with u uniform in [-1, 1]."""
    return 1 + EPS * random.uniform(-1, 1, shape).astype(LONG)


def _noisy(activation: Any, random: np.random.Generator) -> Any:
    """Return an activation with noise on what it puts out and, where it needs its input for that, on its derivative.

    Many an activation is x g(x), and its derivative g(x) + x g'(x). An error of eps in g and g', which are near 1,
    is one of eps (1 + |x|) in the sum, however small that is: gelu's for a negative x. A derivative of 0 or 1 has no
    noise. A logarithm of a sum, rounded near 1, is off by eps however near to 0 it comes.
    """
    noisy, forward, backward = copy.copy(activation), activation.forward, activation.backward

    def noisy_forward(a: Array, out: Array) -> None:
        forward(a, out)
        np.multiply(out, noisy_ones(out.shape, random), out=out)
        if isinstance(activation, LogSoftmax):
            np.add(out, noisy_ones(a.max(activation.axis, keepdims=True).shape, random) - 1, out=out)

    def noisy_backward(saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        before, size = dy.copy(), np.abs(saved)  # both may be written over
        backward(saved, dy, out, scratch)
        if before.shape == out.shape:
            rounded = (out != 0) & (out != before)
            np.add(out, before * (1 + size) * (noisy_ones(out.shape, random) - 1), out=out, where=rounded)

    noisy.forward = noisy_forward
    if activation.needs == "input":
        noisy.backward = noisy_backward
    return noisy


def _noisy_cosine(loss: CosineSimilarity, random: np.random.Generator) -> Any:
    """Return the derivative (-u - l v) / |p| with noise on l: what is left of a difference may be far smaller."""
    exact = loss.derivative

    def derivative(y_true: Array, y_pred: Array) -> Array:
        cosine = np.expand_dims(loss.per_sample(y_true, y_pred), loss.axis)
        square = np.maximum(np.square(y_pred).sum(axis=loss.axis, keepdims=True), EPSILON**2)
        rounded: Array = cosine * (noisy_ones(cosine.shape, random) - 1) * y_pred / square
        return exact(y_true, y_pred) - rounded

    return derivative


@contextmanager
def _extended() -> Iterator[None]:
    """Let the engine compute in ``np.longdouble`` within."""
    standardize, float64 = config.standardize_dtype, np.dtype(np.float64)
    modules: tuple[Any, ...] = (config, base)

    def standardized(dtype: Any = None) -> str:
        return LONG.name if dtype is not None and dtype == LONG else standardize(dtype)

    for table in (base.ZERO, base.ONE, fast._LOWEST):
        table.setdefault(LONG, table[float64].astype(LONG))
    # The same grid; the anchor is grid / eps, and eps is smaller.
    anchor: Any = denormals._ANCHORS[float64].astype(LONG)
    denormals._ANCHORS.setdefault(LONG, anchor * (EPS / np.finfo(LONG).eps))
    for module in modules:
        module.standardize_dtype = standardized
    try:
        yield
    finally:
        for module in modules:
            module.standardize_dtype = standardize
