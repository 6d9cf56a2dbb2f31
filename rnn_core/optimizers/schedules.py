"""Learning rates that change with the number of steps taken.

A schedule is called with the step (0 for the first) and returns the learning rate, in double precision.
As ``keras.optimizers.schedules`` (``keras/src/optimizers/schedules/learning_rate_schedule.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn, Self

from rnn_core import checks, serialization


class LearningRateSchedule:
    """The base of all schedules; a subclass defines ``__call__(step)`` and, to be saved, ``get_config()``.

    Examples
    --------
    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 / 2**step
    >>> Halving()(2)
    0.025
    """

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(step).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config() to be saved.")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a schedule from :meth:`get_config`'s dict."""
        return cls(**config)


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** p`` with ``p = step / decay_steps``.

    Parameters
    ----------
    initial_learning_rate : float of at least 0
    decay_steps : float above 0
    decay_rate : float of at least 0
    staircase : bool
        Round p down, so that the rate changes only every `decay_steps` steps.
    name : str

    Raises
    ------
    ValueError
        For an argument out of its range.

    Examples
    --------
    >>> schedule = ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    >>> schedule(0), schedule(20)
    (0.1, 0.025)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "ExponentialDecay",
    ) -> None:
        owner = type(self).__name__
        self.initial_learning_rate = checks.real(owner, "initial_learning_rate", initial_learning_rate, 0)
        self.decay_steps = _steps(owner, decay_steps)
        self.decay_rate = checks.real(owner, "decay_rate", decay_rate, 0)
        self.staircase = checks.boolean(owner, "staircase", staircase)
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        p = step / self.decay_steps
        return self.initial_learning_rate * math.pow(self.decay_rate, math.floor(p) if self.staircase else p)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(ExponentialDecay):
    """``initial_learning_rate / (1 + decay_rate * p)`` with ``p = step / decay_steps``.

    Parameters and errors are those of :class:`ExponentialDecay`.

    Examples
    --------
    >>> schedule = InverseTimeDecay(0.1, decay_steps=10, decay_rate=0.5)
    >>> schedule(0), schedule(20)
    (0.1, 0.05)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        p = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (math.floor(p) if self.staircase else p))


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[i]``, where i is the number of `boundaries` below the step.

    The step that equals a boundary still has the rate before it.

    Parameters
    ----------
    boundaries : sequence of number
        Increasing steps.
    values : sequence of float of at least 0
        One more than there are boundaries.
    name : str

    Raises
    ------
    ValueError
        If the numbers do not match, or the boundaries do not increase.

    Examples
    --------
    >>> schedule = PiecewiseConstantDecay([100, 200], [0.1, 0.05, 0.01])
    >>> schedule(100), schedule(101), schedule(201)
    (0.1, 0.05, 0.01)
    """

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str | None = "PiecewiseConstant"
    ) -> None:
        self.boundaries = list(boundaries)
        self.values = [checks.real("PiecewiseConstantDecay", "values", value, 0) for value in values]
        self.name = name
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"PiecewiseConstantDecay: values must be one more than boundaries, got {len(self.values)} "
                f"values and {len(self.boundaries)} boundaries."
            )
        if sorted(set(self.boundaries)) != self.boundaries:
            raise ValueError(f"PiecewiseConstantDecay: boundaries must increase, got {self.boundaries}.")

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.values[sum(step > boundary for boundary in self.boundaries)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """``(initial_learning_rate - end_learning_rate) * (1 - p) ** power + end_learning_rate``.

    ``p = min(step, decay_steps) / decay_steps``; with `cycle`, `decay_steps` is multiplied by the smallest
    whole number that keeps p at most 1, so that the rate jumps up again whenever it has reached its end.

    Parameters
    ----------
    initial_learning_rate : float of at least 0
    decay_steps : float above 0
    end_learning_rate : float of at least 0
    power : float of at least 0
    cycle : bool
    name : str

    Raises
    ------
    ValueError
        For an argument out of its range.

    Examples
    --------
    >>> schedule = PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)
    >>> schedule(0), schedule(5), schedule(99)
    (0.1, 0.05, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str | None = "PolynomialDecay",
    ) -> None:
        owner = "PolynomialDecay"
        self.initial_learning_rate = checks.real(owner, "initial_learning_rate", initial_learning_rate, 0)
        self.decay_steps = _steps(owner, decay_steps)
        self.end_learning_rate = checks.real(owner, "end_learning_rate", end_learning_rate, 0)
        self.power = checks.real(owner, "power", power, 0)
        self.cycle = checks.boolean(owner, "cycle", cycle)
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        if self.cycle:
            p = step / (self.decay_steps * max(1, math.ceil(step / self.decay_steps)))
        else:
            p = min(step, self.decay_steps) / self.decay_steps
        height = self.initial_learning_rate - self.end_learning_rate
        return height * math.pow(1 - p, self.power) + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class CosineDecay(LearningRateSchedule):
    """Half a wave of the cosine, from the initial rate down to `alpha` times it, after an optional warm-up.

    ``top * ((1 - alpha) * (1 + cos(pi * p)) / 2 + alpha)`` with ``p = min(step, decay_steps) / decay_steps``
    and ``top = initial_learning_rate``. With a `warmup_target` the rate first goes in a straight line from
    `initial_learning_rate` to it, in `warmup_steps` steps; then it is the top, and steps count from there.

    Parameters
    ----------
    initial_learning_rate : float of at least 0
    decay_steps : float above 0
    alpha : float of at least 0
    name : str
    warmup_target : float of at least 0, optional
    warmup_steps : float of at least 0

    Raises
    ------
    ValueError
        For an argument out of its range.

    References
    ----------
    I. Loshchilov, F. Hutter, https://arxiv.org/abs/1608.03983; warm-up: P. Goyal et al.,
    https://arxiv.org/abs/1706.02677.

    Examples
    --------
    >>> schedule = CosineDecay(0.0, decay_steps=10, warmup_target=0.1, warmup_steps=5)
    >>> [round(schedule(step), 3) for step in (0, 4, 5, 10, 15)]
    [0.0, 0.08, 0.1, 0.05, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str | None = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        owner = "CosineDecay"
        self.initial_learning_rate = checks.real(owner, "initial_learning_rate", initial_learning_rate, 0)
        self.decay_steps = _steps(owner, decay_steps)
        self.alpha = checks.real(owner, "alpha", alpha, 0)
        self.name = name
        if warmup_target is not None:
            checks.real(owner, "warmup_target", warmup_target, 0)
        self.warmup_target = warmup_target
        checks.real(owner, "warmup_steps", warmup_steps, 0)
        self.warmup_steps = warmup_steps

    def __call__(self, step: float) -> float:
        """Return the learning rate of a step."""
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return top + (self.warmup_target - top) * step / self.warmup_steps
            top, step = self.warmup_target, step - self.warmup_steps
        p = min(step, self.decay_steps) / self.decay_steps
        return top * ((1 - self.alpha) * (1 + math.cos(math.pi * p)) / 2 + self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


def _steps(owner: str, value: Any) -> float:
    """Check `decay_steps`, which stays an int if it is one."""
    checks.real(owner, "decay_steps", value, 0, above=True)
    steps: float = value
    return steps


_TABLE = {
    schedule.__name__: schedule
    for schedule in (CosineDecay, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay)
}
_KERAS_ONLY = ["CosineDecayRestarts"]
_REFUSAL = f"Keras' schedule {{!r}} is not supported. Supported: {', '.join(_TABLE)}."


def get(identifier: Any) -> LearningRateSchedule:
    """Return a schedule from its config, or the schedule itself.

    Examples
    --------
    >>> get({"class_name": "PolynomialDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 10}})(0)
    0.1

    Raises
    ------
    ValueError
        For a schedule that is not supported.
    """
    if isinstance(identifier, dict) and identifier.get("class_name") in _KERAS_ONLY:
        raise ValueError(_REFUSAL.format(identifier["class_name"]))
    schedule: LearningRateSchedule = serialization.resolve(
        "learning rate schedule", identifier, _TABLE, LearningRateSchedule
    )
    return schedule


deserialize = get


def __getattr__(name: str) -> NoReturn:
    if name in _KERAS_ONLY:
        raise ImportError(_REFUSAL.format(name), name=__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return the nested config that Keras writes for a schedule."""
    return serialization.serialize(learning_rate_schedule, "keras.optimizers.schedules")
