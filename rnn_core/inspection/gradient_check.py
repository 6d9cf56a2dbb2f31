"""Gradients written by hand against central differences, in float64, for every parameter.

The derivative by one parameter w is taken from five points::

    L'(w) = (L(w - 2h) - 8 L(w - h) + 8 L(w + h) - L(w + 2h)) / 12h + O(h**4)

and agrees with the analytic one if they are no further apart than

    RELATIVE * (largest derivative in the array)  +  32 eps max(1, |L|) / h

The second term is what the quotient cannot resolve. Where they do not agree the step is reduced: what a function
bends within the step falls with h**4, and a kink (of a relu, of |.|) that lies beside w is soon outside it, but a
gradient that is wrong stays wrong. A kink nearer than the smallest step shows in two derivatives, from the left and
from the right; an analytic one between them is right as far as a derivative there can be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection.run import Run
from rnn_core.models import Model

Array = NDArray[Any]

STEPS = (1e-3, 2.5e-4, 1e-5, 1e-6)
RELATIVE = 1e-7
_CENTRAL = ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0))  # twelfths


@dataclass(frozen=True)
class Difference:
    """A parameter whose two derivatives differ.

    Attributes
    ----------
    weight : str
        "layer/weight".
    index : tuple of int
    analytic, numeric : float
        By backpropagation and by differences.
    left, right : float
        One-sided differences.
    at_kink : bool
        Whether the analytic one lies between the one-sided ones, which a kink has let differ.
    """

    weight: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    left: float
    right: float
    at_kink: bool

    def __str__(self) -> str:
        place = f"{self.weight}[{', '.join(map(str, self.index))}]"
        if self.at_kink:
            return (
                f"{place:34}{self.analytic:15.8g}  kink: {self.left:.8g} from the left, {self.right:.8g} from the right"
            )
        return f"{place:34}{self.analytic:15.8g}{self.numeric:15.8g}{abs(self.analytic - self.numeric):11.1e}"


@dataclass
class GradientReport:
    """What :func:`check_gradients` found. It is true if no gradient is wrong.

    Attributes
    ----------
    checked : dict of str to int
        How many parameters of each weight were compared, by "layer/weight".
    errors : dict of str to float
        The largest difference in each weight, kinks left out.
    wrong, kinks : list of Difference
        Parameters whose derivatives differ, and those where the loss has no derivative.
    """

    checked: dict[str, int] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    wrong: list[Difference] = field(default_factory=list)
    kinks: list[Difference] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        """Return the table: a line a weight, then analytic beside numeric where they differ."""
        width = max(34, 2 + max(map(len, self.checked), default=0))
        lines = [f"{'gradient':{width}}{'parameters':>10}{'largest error':>15}{'wrong':>8}{'kinks':>8}"]
        for weight, count in self.checked.items():
            wrong, kinks = (sum(d.weight == weight for d in found) for found in (self.wrong, self.kinks))
            lines.append(f"{weight:{width}}{count:10,}{self.errors[weight]:15.1e}{wrong:8,}{kinks:8,}")
        for title, found in (("differ", self.wrong), ("at a kink", self.kinks)):
            if found:
                lines += ["", f"{title:34}{'analytic':>15}{'numeric':>15}{'apart':>11}", *map(str, found[:_SHOWN])]
                if len(found) > _SHOWN:
                    lines.append(f"... and {len(found) - _SHOWN:,} more")
        total = sum(self.checked.values())
        lines += ["", f"{total:,} parameters: {'all agree' if self else f'{len(self.wrong):,} with a WRONG gradient'}"]
        return "\n".join(lines)


_SHOWN = 10


def check_gradients(model: Model, x: Any, y: Any = None, sample_weight: Any = None, mask: Any = None) -> GradientReport:
    """Compare every gradient of a training step with central differences of the loss.

    A copy of the model computes in float64; dropout draws the same masks every time, and stateful layers start from
    the same state. Takes at least four forward passes for each parameter: give it a small batch, of a few samples.

    Parameters
    ----------
    model : Model
        Built and compiled with a loss.
    x, y, sample_weight : array_like
        As for ``fit``; all of it is one batch.
    mask : array_like of bool, shape (batch, timesteps), optional

    Returns
    -------
    GradientReport
        Print it, or ask for its truth: ``assert check_gradients(model, x, y)``.

    Raises
    ------
    ValueError, TypeError
        For a model that is not built or compiled, for bad data, and for a loss that is not finite.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input, SimpleRNN
    >>> from rnn_core.models import Sequential
    >>> model = Sequential([Input((4, 1)), SimpleRNN(3), Dense(1)])
    >>> model.compile(loss="mse", optimizer="rmsprop")
    >>> draws = np.random.default_rng(0)
    >>> report = check_gradients(model, draws.standard_normal((2, 4, 1)), draws.standard_normal(2))
    >>> bool(report), sum(report.checked.values())
    (True, 19)
    """
    run = Run("check_gradients", model, x, y, sample_weight, mask, dtype="float64")
    value = run.forward()
    if not np.isfinite(value):
        raise ValueError(f"check_gradients: the loss is {value}, which has no gradient.")
    gradient = run.backward().copy()
    report = GradientReport()
    for layer, part in zip(run.model.layers, run.model.parts(gradient), strict=True):
        weights = layer.views(layer.vector)
        for name, analytic in layer.views(part).items():
            compare(report, f"{layer.name}/{name}", run.forward, weights[name], analytic)
    return report


def compare(
    report: GradientReport, name: str, f: Callable[[], float], values: Array, analytic: Array
) -> GradientReport:
    """Compare a gradient of `f` with differences, entry by entry, and write what is found into `report`.

    Parameters
    ----------
    report : GradientReport
    name : str
        Of the array, in the report.
    f : callable
        Returns the loss, from `values` as they are at that moment.
    values : ndarray of float64
        What `f` is differentiated by; varied in place, and put back.
    analytic : ndarray, shape of values
        What is claimed to be the gradient.
    """
    here = float(f())
    tries = {index: _Entry(f, values, index, here) for index in np.ndindex(values.shape)}
    for h in STEPS:
        for entry in tries.values():
            if not entry.agrees:
                entry.numeric = entry.central(h)
        scale = max((abs(entry.numeric) for entry in tries.values() if np.isfinite(entry.numeric)), default=0.0)
        allowed = RELATIVE * scale + 32 * np.finfo(np.float64).eps * max(1.0, abs(here)) / h
        for index, entry in tries.items():
            entry.agrees = entry.agrees or bool(abs(entry.numeric - analytic[index]) <= allowed)
        if all(entry.agrees for entry in tries.values()):
            break
    report.checked[name], report.errors[name] = values.size, 0.0
    for index, entry in tries.items():
        given, error = float(analytic[index]), abs(float(analytic[index]) - entry.numeric)
        if not entry.agrees:
            left, right = entry.one_sided(-h), entry.one_sided(h)
            at_kink = bool(min(left, right) - allowed <= given <= max(left, right) + allowed)
            found = report.kinks if at_kink else report.wrong
            found.append(Difference(name, index, given, entry.numeric, left, right, at_kink))
            if at_kink:
                continue
        report.errors[name] = max(report.errors[name], error) if np.isfinite(error) else np.inf
    return report


def central_differences(f: Callable[[], float], values: Array, h: float = STEPS[0]) -> Array:
    """Return df / d values from five points with step `h`, as it is, whatever kinks there are."""
    here = float(f())
    numeric = np.empty_like(values)
    for index in np.ndindex(values.shape):
        numeric[index] = _Entry(f, values, index, here).central(h)
    return numeric


class _Entry:
    """One entry of an array, and the function along it."""

    def __init__(self, f: Callable[[], float], values: Array, index: tuple[int, ...], here: float) -> None:
        self.f, self.values, self.index, self.here = f, values, index, here
        self.numeric = np.nan
        self.agrees = False

    def at(self, shift: float) -> float:
        value = self.values[self.index]
        self.values[self.index] = value + shift
        try:
            return float(self.f())
        finally:
            self.values[self.index] = value

    def central(self, h: float) -> float:
        """(f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h"""
        return sum(weight * self.at(steps * h) for steps, weight in _CENTRAL) / (12 * h)

    def one_sided(self, h: float) -> float:
        """(-3 f(0) + 4 f(h) - f(2h)) / 2h, from the left where h is negative"""
        return (-3 * self.here + 4 * self.at(h) - self.at(2 * h)) / (2 * h)
