"""Every combination of settings, schedules and constraints take the steps that live Keras takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rnn_core import constraints
from rnn_core.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, schedules

from ..float64 import keras
from .against_keras import STOPS, TENSORS, TRAINABLE, Ours, Theirs, assert_same, every_variant, gradient_sequence
from .any_settings import AVERAGES, CLIPS, DECAYS, OWN

NO_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]  # Keras takes minutes for it


@pytest.mark.parametrize(("cls", "examples"), [(RMSprop, 20), (SGD, 12), (Adam, 12), (AdamW, 4)])
def test_every_combination_of_settings_agrees_with_keras(cls: type[Optimizer], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, phases=NO_SHRINKING)
    @given(OWN[cls], CLIPS, AVERAGES, DECAYS, st.sampled_from([0.001, 0.05]), st.integers(0, 2**32 - 1))
    def check(own: Any, clip: Any, average: Any, decay: Any, rate: float, seed: int) -> None:
        options = {"learning_rate": rate, **decay, **own, **clip, **average}
        ours = Ours(cls(**options), seed=seed)
        theirs = Theirs(cls, options, ours)
        for gradients in gradient_sequence(seed, 66):
            ours.step(gradients)
            theirs.step(gradients)
        assert_same(ours.trained(), theirs.trained())
        assert_same(ours.optimizer.variables, [v.numpy().ravel() for v in theirs.optimizer.variables])
        ours.optimizer.finalize()
        theirs.optimizer.finalize_variable_values(theirs.weights)
        assert_same(ours.trained(), theirs.trained())

    check()


@every_variant
def test_float32_agrees_with_keras(cls: type[Optimizer], options: dict[str, Any]) -> None:
    ours = Ours(cls(**options), "float32")
    theirs = Theirs(cls, options, ours)
    for gradients in gradient_sequence(1, 30, "float32"):
        ours.step(gradients)
        theirs.step(gradients)
    assert_same(ours.trained(), theirs.trained(), rtol=2e-6, atol=1e-6)


def test_constraints_come_after_average_and_overwriting() -> None:
    options = {"learning_rate": 0.5, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3}
    ours = Ours(SGD(**options))
    theirs = Theirs(SGD, options, ours)
    theirs.weights[0].constraint = keras.constraints.NonNeg()
    constraint, kernel = constraints.NonNeg(), ours.weights[TENSORS[0]]
    average = ours.optimizer.model_variables_moving_average
    assert average is not None

    lowest = 0.0
    for gradients in gradient_sequence(3, 20):
        ours.step(gradients)
        kernel[:] = constraint(kernel)
        theirs.step(gradients)
        assert_same(ours.trained(), theirs.trained())
        assert_same([average[t] for t in TRAINABLE], [v.numpy().ravel() for v in theirs.optimizer.variables[2:4]])
        assert kernel.min() >= 0
        lowest = min(lowest, average[TENSORS[0]].min())
    assert lowest < 0  # the average is of unconstrained weights


@every_variant
def test_schedules_agree_with_keras(cls: type[Optimizer], options: dict[str, Any]) -> None:
    options = {**options, "learning_rate": schedules.PiecewiseConstantDecay([2, 5], [0.125, 0.5, 0.25])}
    ours = Ours(cls(**options))
    theirs = Theirs(cls, options, ours)
    for gradients in gradient_sequence(4, 9):
        ours.step(gradients)
        theirs.step(gradients)
    assert_same(ours.trained(), theirs.trained())
    assert_same(ours.optimizer.variables, [v.numpy().ravel() for v in theirs.optimizer.variables])


def test_keras_on_tensorflow_rounds_adams_betas_to_float32() -> None:
    ours = Ours(Adam())
    theirs, rounded = Theirs(Adam, {}, ours), Theirs(Adam, {}, ours, exact=False)
    start = ours.weights[TRAINABLE[0]].copy()
    gradients = np.ones(STOPS[-1])
    for optimizer in (ours, theirs, rounded):
        optimizer.step(gradients)
    ours_step, theirs_step, rounded_step = (x.trained()[0] - start for x in (ours, theirs, rounded))
    np.testing.assert_allclose(ours_step, theirs_step, rtol=1e-12)
    assert 1e-6 < abs(rounded_step / ours_step - 1).max() < 1e-5


def test_keras_centered_rmsprop_gets_lost_on_a_constant_gradient_and_ours_does_not() -> None:
    optimizer = RMSprop(centered=True)
    weights, gradients = np.zeros(200, np.float32), np.linspace(0.5, 20, 200).astype(np.float32)
    optimizer.build(weights, gradients, [slice(0, 200)], [slice(0, 200)])
    assert optimizer.velocities is not None
    assert optimizer.average_gradients is not None
    for _ in range(300):
        optimizer.step()
    variance = optimizer.velocities - optimizer.average_gradients**2
    assert variance.min() < -optimizer.epsilon  # Keras takes the root of this plus epsilon
    assert np.isfinite(weights).all()
    theirs = keras.optimizers.RMSprop(centered=True)
    theirs_weights, theirs_gradients = keras.Variable(np.zeros_like(weights)), keras.ops.convert_to_tensor(gradients)
    for _ in range(300):
        theirs.apply([theirs_gradients], [theirs_weights])
    assert np.isnan(theirs_weights.numpy()).any()
