"""The learning rate: what it may be, when a new one holds, and how a schedule takes its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnn_core.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, schedules

from ..float64 import keras
from .against_keras import VARIANTS, Ours, every_variant, name_of

UNMOVED = [(cls, options) for cls, options in VARIANTS if not options.get("momentum")]  # momentum goes on by itself


@every_variant
def test_a_learning_rate_that_is_set_holds_from_the_next_step(cls: type[Optimizer], options: dict[str, Any]) -> None:
    changed, other = Ours(cls(0.5, **options)), Ours(cls(0.25, **options))
    changed.optimizer.learning_rate = 0.25
    changed.step()
    other.step()
    assert (changed.weights == other.weights).all()


@pytest.mark.parametrize(("cls", "options"), UNMOVED, ids=map(name_of, UNMOVED))
def test_at_a_learning_rate_of_zero_nothing_moves(cls: type[Optimizer], options: dict[str, Any]) -> None:
    ours = Ours(cls(**{"weight_decay": 0.5, **options}))
    ours.step()
    kept = ours.weights.copy()
    ours.optimizer.learning_rate = 0
    ours.step()
    assert (ours.weights == kept).all()


def test_the_learning_rate_has_the_precision_of_floatx_as_in_keras() -> None:
    optimizer = SGD(0.1)
    assert optimizer.learning_rate == float(keras.optimizers.SGD(0.1).learning_rate) == float(np.float32(0.1))
    optimizer.learning_rate = np.float64(0.3)
    assert optimizer.learning_rate == float(np.float32(0.3))


def test_a_schedule_may_give_zero_but_nothing_below() -> None:
    ours = Ours(SGD(schedules.PolynomialDecay(0.5, 2, end_learning_rate=0)))
    rates = []
    for _ in range(4):
        rates.append(ours.optimizer.learning_rate)
        ours.step()
    assert rates == [0.5, 0.25, 0, 0]

    class Sinking(schedules.LearningRateSchedule):
        def __call__(self, step: int) -> float:
            return 1.0 - step

    ours = Ours(SGD(Sinking()))
    ours.step()
    ours.step()
    with pytest.raises(ValueError, match=r"Sinking must give a finite .* of at least 0, got -1.0 at step 2"):
        ours.step()


@pytest.mark.parametrize("rate", [0, 0.0, -0.1, np.nan, np.inf, "0.1", None, True])
@pytest.mark.parametrize("cls", [RMSprop, SGD, Adam, AdamW])
def test_an_optimizer_is_made_with_a_learning_rate_above_zero(cls: type[Optimizer], rate: Any) -> None:
    with pytest.raises(ValueError, match=f"{cls.__name__}: learning_rate must be a number above 0, got {rate!r}"):
        cls(rate)


@pytest.mark.parametrize("rate", [-0.1, np.nan, np.inf, "0.1", None, True])
def test_a_learning_rate_that_is_set_is_a_number_of_at_least_zero(rate: Any) -> None:
    optimizer = RMSprop()
    with pytest.raises(ValueError, match=f"RMSprop: learning_rate must be a number of at least 0, got {rate!r}"):
        optimizer.learning_rate = rate
    assert optimizer.learning_rate == float(np.float32(0.001))


def test_a_schedule_can_be_set_over_a_number_but_no_number_over_a_schedule() -> None:
    optimizer = SGD(schedules.ExponentialDecay(0.1, 10, 0.9))
    with pytest.raises(TypeError, match=r"learning_rate follows ExponentialDecay, so it cannot be set to 0\.2"):
        optimizer.learning_rate = 0.2
    optimizer = SGD(0.1)
    optimizer.learning_rate = schedules.ExponentialDecay(0.5, 10, 0.9)
    assert optimizer.learning_rate == 0.5


def test_a_function_is_no_schedule() -> None:
    with pytest.raises(TypeError, match="must be a number or a LearningRateSchedule"):
        SGD(lambda: 0.1)
