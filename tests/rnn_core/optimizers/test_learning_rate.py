"""The learning rate: what it may be, when a new one holds, and how a schedule takes its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnn_core.optimizers import SGD, Optimizer, RMSprop, schedules

from ..float64 import keras
from .against_keras import Ours, every_variant


@every_variant
def test_a_learning_rate_that_is_set_holds_from_the_next_step(cls: type[Optimizer], options: dict[str, Any]) -> None:
    changed, other = Ours(cls(0.5, **options)), Ours(cls(0.25, **options))
    changed.optimizer.learning_rate = 0.25
    changed.step()
    other.step()
    assert (changed.weights == other.weights).all()
    kept = changed.weights.copy()
    changed.optimizer.learning_rate = 0
    changed.optimizer.weight_decay = 0.5
    if not options.get("momentum"):
        changed.step()
        np.testing.assert_allclose(changed.weights, kept)


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
def test_a_learning_rate_must_be_a_number_above_zero(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"RMSprop: learning_rate must be a number above 0, got"):
        RMSprop(learning_rate=rate)
    optimizer = RMSprop()
    if not (rate == 0 and rate is not False):
        with pytest.raises(ValueError, match=r"learning_rate must be a number of at least 0, got"):
            optimizer.learning_rate = rate
    assert optimizer.learning_rate == float(np.float32(0.001))


def test_a_scheduled_learning_rate_cannot_be_set_and_a_function_is_no_schedule() -> None:
    optimizer = SGD(schedules.ExponentialDecay(0.1, 10, 0.9))
    with pytest.raises(TypeError, match=r"learning_rate follows ExponentialDecay, so it cannot be set to 0\.2"):
        optimizer.learning_rate = 0.2
    with pytest.raises(TypeError, match="must be a number or a LearningRateSchedule"):
        SGD(lambda: 0.1)
    optimizer = SGD(0.1)
    optimizer.learning_rate = schedules.ExponentialDecay(0.5, 10, 0.9)
    assert optimizer.learning_rate == 0.5
