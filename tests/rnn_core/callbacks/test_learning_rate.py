"""Callbacks that set the learning rate set Keras' learning rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import config
from rnn_core.callbacks import CallbackList, History, LambdaCallback, LearningRateScheduler, ReduceLROnPlateau

from ..float64 import keras
from .pretended_fit import Adapted, deltas, fit, losses, modes, series


@given(
    series,
    st.fixed_dictionaries(
        {"mode": modes, "patience": st.integers(0, 3), "min_delta": deltas, "verbose": st.integers(0, 1)},
        optional={
            "factor": st.sampled_from([0.0, 0.25, 0.5]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.sampled_from([0.0625, 0.1, 0.5, 1.0]),
        },
    ),
)
@settings(max_examples=120, deadline=None)
def test_reduce_lr_on_plateau_decides_as_keras(values, options):
    def rates(cls):
        seen = []
        callback = cls(**options)
        notes = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
        text = fit(CallbackList([Adapted(callback), notes]), [{"val_loss": value} for value in values])[2]
        return seen, callback.wait, callback.cooldown_counter, text

    np.testing.assert_equal(rates(ReduceLROnPlateau), rates(keras.callbacks.ReduceLROnPlateau))


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate * 0.5,
        lambda epoch: 0.25 / (1 + epoch),
        lambda epoch, rate=None: np.float32(0.125),
        lambda *arguments: 0.5 ** len(arguments),
    ],
)
def test_learning_rate_scheduler_sets_what_keras_sets(schedule):
    def run(cls):
        seen = []
        notes = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["learning_rate"]))
        text = fit(CallbackList([Adapted(cls(schedule, verbose=1)), notes]), losses(1, 1, 1))[2]
        return seen, text

    assert run(LearningRateScheduler) == run(keras.callbacks.LearningRateScheduler)


def test_the_learning_rate_is_logged_in_floatx():
    scheduler = LearningRateScheduler(lambda epoch: 0.001)
    history = History()
    fit(CallbackList([scheduler, history]), losses(1))
    assert history.history["learning_rate"] == [float(np.float32(0.001))]  # as in Keras
    config.set_floatx("float64")
    try:
        fit(CallbackList([scheduler, history]), losses(1))
    finally:
        config.set_floatx("float32")
    assert history.history["learning_rate"][1] == 0.001


@pytest.mark.parametrize("bad", [None, "0.1", float("nan"), -0.1, [0.1], True])
def test_a_schedule_must_return_a_number(bad):
    with pytest.raises(ValueError, match="what schedule returns must be a number of at least 0"):
        fit(LearningRateScheduler(lambda epoch: bad), losses(1))


def test_a_type_error_inside_a_schedule_is_shown():
    # Keras takes it for a schedule that takes one argument, and calls it again.
    def schedule(epoch, rate):
        return rate + "a"

    with pytest.raises(TypeError, match="unsupported operand"):
        fit(LearningRateScheduler(schedule), losses(1))
