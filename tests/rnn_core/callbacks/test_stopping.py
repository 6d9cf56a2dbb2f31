"""EarlyStopping and TerminateOnNaN end a training where Keras' do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.callbacks import EarlyStopping, TerminateOnNaN

from ..float64 import keras
from .pretended_fit import deltas, fit, losses, modes, series, sixteenths


@given(
    series,
    st.fixed_dictionaries(
        {"mode": modes, "patience": st.integers(0, 4), "min_delta": deltas, "verbose": st.integers(0, 1)},
        optional={
            "baseline": sixteenths,
            "restore_best_weights": st.booleans(),
            "start_from_epoch": st.integers(0, 5),
        },
    ),
)
@settings(max_examples=120, deadline=None)
def test_early_stopping_decides_as_keras(values, options):
    logs = [{"loss": 0.0, "val_loss": value} for value in values]
    ours, theirs = EarlyStopping(**options), keras.callbacks.EarlyStopping(**options)
    model, epochs, text = fit(ours, logs)
    keras_model, keras_epochs, keras_text = fit(theirs, logs)
    assert epochs == keras_epochs
    assert text == keras_text
    assert model.weights == keras_model.weights
    for name in ("wait", "stopped_epoch", "best_epoch", "best"):
        np.testing.assert_equal(getattr(ours, name), getattr(theirs, name))


def test_early_stopping_gives_the_best_weights_back_even_if_it_never_stops():
    model, epochs, _ = fit(EarlyStopping("loss", patience=9, restore_best_weights=True), losses(3, 1, 2))
    assert (epochs, model.weights[0][0]) == (3, 1)


def test_early_stopping_starts_anew_in_each_fit():
    stopping = EarlyStopping("loss", patience=1)
    assert [fit(stopping, losses(1, 2, 3, 4))[1] for _ in range(2)] == [2, 2]


def test_improvements_below_float32_count():
    # Keras compares in float32, where 1 - 1e-9 is 1.
    logs = losses(*(1 - 1e-9 * np.arange(6)))
    assert fit(keras.callbacks.EarlyStopping("loss", patience=2), logs)[1] == 3
    assert fit(EarlyStopping("loss", patience=2), logs)[1] == 6


@pytest.mark.parametrize("raise_error", [False, True])
@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1.0])
def test_terminate_on_nan_is_keras(loss, raise_error):
    def run(cls):
        try:
            model, epochs, text = fit(cls(raise_error), losses(1, 1), [{"mae": 1.0}, {"loss": loss}])
        except RuntimeError:
            return "raised"
        return model.stop_training, epochs, text

    assert run(TerminateOnNaN) == run(keras.callbacks.TerminateOnNaN)
