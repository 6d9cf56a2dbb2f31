"""What callbacks that watch a value do without it, and which way of it they take for better."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from rnn_core.callbacks.monitor import higher_is_better

from ..float64 import keras
from .pretended_fit import fit, losses, sixteenths


@pytest.mark.parametrize(
    "make",
    [
        EarlyStopping,
        ReduceLROnPlateau,
        lambda monitor: ModelCheckpoint("a.npz", monitor, save_best_only=True, save_weights_only=True),
    ],
)
def test_a_missing_value_is_an_error(make):
    with pytest.raises(ValueError, match=r"monitor='val_loss' is not among.* loss.*It needs validation_data"):
        fit(make("val_loss"), losses(1))
    with pytest.raises(ValueError, match=r"monitor='val_los' is not among.* Did you mean 'val_loss'"):
        fit(make("val_los"), [{"loss": 1.0, "val_loss": 1.0}])
    with pytest.raises(ValueError, match=r"\(none\)"):
        make("loss").monitored({})


@given(
    st.lists(st.none() | sixteenths, min_size=1, max_size=12),
    st.sampled_from([EarlyStopping, ReduceLROnPlateau]),
)
@settings(max_examples=50, deadline=None)
def test_epochs_without_validation_are_passed_over(values, cls):
    def run(callback, params):
        logs = [{"loss": 0.0} if value is None else {"loss": 0.0, "val_loss": value} for value in values]
        callback.set_params(params)
        callback.set_params = lambda params: None
        model, epochs, _ = fit(callback, logs)
        return epochs, model.optimizer.learning_rate, callback.wait, callback.best

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns at each such epoch
        theirs = run(getattr(keras.callbacks, cls.__name__)(patience=2), {})
    assert run(cls(patience=2), {"validation_freq": 2}) == theirs


def test_settings_of_monitors_out_of_range_are_refused():
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max', got 'least'"):
        EarlyStopping(mode="least")
    with pytest.raises(ValueError, match="patience must be an integer of at least 0, got -1"):
        EarlyStopping(patience=-1)
    with pytest.raises(ValueError, match="min_delta must be a number"):
        EarlyStopping(min_delta="small")
    with pytest.raises(TypeError, match="monitor must be a name"):
        EarlyStopping(monitor=["loss"])
    with pytest.raises(TypeError, match="'loss' must be a number"):
        fit(EarlyStopping("loss"), [{"loss": [1, 2]}])
    with pytest.raises(ValueError, match="whether more of 'score' is better is not known; pass mode='max'"):
        fit(EarlyStopping("score"), [{"score": 1.0}])
    with pytest.raises(ValueError, match=r"factor must be below 1, got 1\.0"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.raises(TypeError, match="epsilon"):
        ReduceLROnPlateau(epsilon=1e-4)


def test_each_metric_is_better_in_the_direction_that_keras_says():
    from keras.src.metrics import ALL_OBJECTS_DICT

    known = 0
    for name, cls in ALL_OBJECTS_DICT.items():
        for arguments in ({}, {"num_classes": 3}):
            try:
                metric = cls(**arguments)
            except (TypeError, AttributeError):  # it needs other arguments
                continue
            direction = {"up": True, "down": False}.get(getattr(metric, "_direction", None))
            if direction is None or "io_u" in metric.name:
                continue
            known += 1
            assert higher_is_better(metric.name) is direction, metric.name
            assert higher_is_better(f"val_{metric.name}") is direction
            if name.lower() in ("mse", "mae", "mape", "msle", "bce"):
                assert higher_is_better(name) is direction
    assert known > 40
    assert higher_is_better("acc") is True
    assert higher_is_better("loss") is False
