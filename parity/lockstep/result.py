"""What a lockstep run measured, and the rules that it must meet."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity.lockstep.flips import Flip

Array = NDArray[Any]

WEIGHTS, EPOCH_LOSS = 1e-12, 1e-13  # float64
FIRST_STEPS, FIRST_WEIGHTS, WEIGHTS_TO_FLIP, FLIP = 100, 1e-6, 2e-5, 2e-5  # float32
JAX_LOSS = 2.0**-23  # Keras on JAX returns a loss that was rounded to float32


class Rule(NamedTuple):
    """One thing that must hold: the worst figure, its limit, and the first step (or epoch) over it, from 1."""

    name: str
    worst: float
    limit: float
    first_bad: int | None
    holds: bool


class Lockstep:
    """What a lockstep run measured; a difference is ours minus Keras', its absolute value.

    Attributes
    ----------
    title, dtype, backend : str
    steps_per_epoch : int
    weight_difference : ndarray, shape (steps,)
        After each step, the largest over all weights.
    weight_relative : ndarray, shape (steps,)
        The same, as a part of the largest weight.
    losses : ndarray, shape (steps, 2)
        The loss of each batch before its step, ours and Keras'.
    epoch_losses : ndarray, shape (epochs, 2)
        Their means, weighted by batch size.
    flip : Flip or None
        The first, if there was one.
    """

    def __init__(self, title: str, dtype: str, backend: str, epochs: int, steps_per_epoch: int) -> None:
        self.title, self.dtype, self.backend = title, dtype, backend
        self.steps_per_epoch = steps_per_epoch
        steps = epochs * steps_per_epoch
        self.weight_difference, self.weight_relative = np.full(steps, np.nan), np.full(steps, np.nan)
        self.losses, self.epoch_losses = np.full((steps, 2), np.nan), np.full((epochs, 2), np.nan)
        self.flip: Flip | None = None

    @property
    def loss_difference(self) -> Array:
        """The difference of each batch's losses, shape (steps,)."""
        return np.asarray(np.abs(self.losses[:, 0] - self.losses[:, 1]))

    @property
    def loss_relative(self) -> Array:
        """The same as a part of Keras' loss."""
        return _relative(self.losses)

    @property
    def epoch_loss_relative(self) -> Array:
        """The difference of each epoch's losses as a part of Keras', shape (epochs,)."""
        return _relative(self.epoch_losses)

    @property
    def steps_before_flip(self) -> int:
        """How many steps' weights no flip had a part in."""
        return len(self.weight_difference) if self.flip is None else self.flip.step - 1

    def rules(self) -> list[Rule]:
        """Return what must hold for this dtype, and whether it does."""
        weights = self.weight_difference
        if self.dtype == "float64":
            loss_limit = JAX_LOSS if self.backend == "jax" else EPOCH_LOSS
            return [
                _rule("weights, all steps", weights, WEIGHTS),
                _rule("epoch loss, relative, all epochs", self.epoch_loss_relative, loss_limit),
            ]
        until = self.steps_before_flip
        first, met = min(FIRST_STEPS, until), "no ReLU flips" if self.flip is None else "up to a flip"
        rules = [
            _rule(f"weights, first {first:,} steps", weights[:first], FIRST_WEIGHTS),
            _rule(f"weights, {until:,} steps, {met}", weights[:until], WEIGHTS_TO_FLIP),
        ]
        if self.flip is not None:
            worst = self.flip.relative
            holds = worst <= FLIP
            rules.append(Rule("the flip, relative", worst, FLIP, None if holds else self.flip.step, holds))
        return rules

    @property
    def holds(self) -> bool:
        """Whether all rules hold."""
        return all(rule.holds for rule in self.rules())

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, without the arrays over all steps, as JSON has them."""
        return {
            "title": self.title,
            "dtype": self.dtype,
            "backend": self.backend,
            "steps": len(self.weight_difference),
            "holds": self.holds,
            "rules": [{**rule._asdict(), "worst": finite_or_none(rule.worst)} for rule in self.rules()],
            "flip": None if self.flip is None else self.flip._asdict(),
            "last_weight_difference": finite_or_none(self.weight_difference[-1]),
            "last_weight_relative": finite_or_none(self.weight_relative[-1]),
            "last_epoch_losses": [finite_or_none(loss) for loss in self.epoch_losses[-1]],
        }

    def __str__(self) -> str:
        ours, keras = self.epoch_losses[-1]
        lines = [
            f"{self.title}, {self.dtype}, {len(self.weight_difference):,} steps: {'holds' if self.holds else 'FAILS'}",
            *(
                f"  {'ok ' if rule.holds else 'BAD'} {rule.name}: {rule.worst:.1e} (limit {rule.limit:.0e})"
                + ("" if rule.first_bad is None else f", over at {rule.first_bad:,}")
                for rule in self.rules()
            ),
            f"  in the end: weights {self.weight_difference[-1]:.1e}; epoch loss {ours:.9f} here, {keras:.9f} Keras",
        ]
        if self.flip is not None:
            place, _, values = str(self.flip).rpartition(": ")
            lines += ["  first ReLU that flips:", f"    {place}", f"    {values}"]
        return "\n".join(lines)


def finite_or_none(value: float) -> float | None:
    """Return `value` as JSON has numbers: it has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def _relative(losses: Array) -> Array:
    return np.asarray(np.abs(losses[:, 0] - losses[:, 1]) / np.maximum(np.abs(losses[:, 1]), np.finfo(float).tiny))


def _rule(name: str, differences: Array, limit: float) -> Rule:
    if not differences.size:
        return Rule(name, float("nan"), limit, None, False)
    bad = np.flatnonzero(~(differences <= limit))  # not a number is bad too
    return Rule(name, float(differences.max()), limit, int(bad[0]) + 1 if bad.size else None, not bad.size)
