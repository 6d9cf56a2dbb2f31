"""Optimizers by name and by config are those of Keras; settings out of range are refused."""

from __future__ import annotations

from typing import Any

import pytest

from rnn_core import optimizers
from rnn_core.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, schedules

from ..float64 import keras
from .against_keras import VARIANTS, name_of

CONFIGS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    *VARIANTS,
    (RMSprop, {"learning_rate": 0.02, "rho": 0.8, "epsilon": 1e-3, "clipvalue": 0.5, "name": "mine"}),
    (SGD, {"global_clipnorm": 2.0}),
    (Adam, {"learning_rate": schedules.CosineDecay(0.1, 100, alpha=0.1), "beta_1": 0.8, "clipnorm": 1.0}),
]


@pytest.mark.parametrize(("cls", "options"), CONFIGS, ids=map(name_of, CONFIGS))
def test_configs_are_those_of_keras(cls: type[Optimizer], options: dict[str, Any]) -> None:
    ours = cls(**{"name": "named", **options})
    config = ours.get_config()
    theirs = keras.optimizers.deserialize(optimizers.serialize(ours))
    assert theirs.get_config() == config
    assert list(theirs.get_config()) == list(config)
    again = optimizers.get(keras.optimizers.serialize(theirs))
    assert type(again) is cls
    assert again.get_config() == config
    assert cls.from_config(config).get_config() == config


@pytest.mark.parametrize("name", ["rmsprop", "RMSprop", "RMSPROP", "sgd", "SGD", "adam", "Adam", "adamw", "AdamW"])
def test_names_and_defaults_are_those_of_keras(name: str) -> None:
    ours, theirs = optimizers.get(name), keras.optimizers.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    assert {**ours.get_config(), "name": ""} == {**theirs.get_config(), "name": ""}


def test_objects_and_classes_pass_through_get() -> None:
    optimizer = RMSprop()
    assert optimizers.get(optimizer) is optimizer
    assert type(optimizers.get(SGD)) is SGD
    with pytest.raises(ValueError, match=r"Unknown optimizer 'rmspop'. Did you mean 'rmsprop'\?"):
        optimizers.get("rmspop")
    with pytest.raises(TypeError, match="optimizer must be a name"):
        optimizers.get(3)
    with pytest.raises(TypeError, match="optimizer must be a name"):
        optimizers.get(None)


def test_all_other_optimizers_of_keras_are_refused_by_name() -> None:
    from keras.src.optimizers import ALL_OBJECTS

    others = {cls.__name__ for cls in ALL_OBJECTS} - {"RMSprop", "SGD", "Adam", "AdamW", "Optimizer", "OptimizerMap"}
    assert len(others) > 8
    for name in others:
        message = rf"'{name}' is not supported\. Supported: RMSprop, SGD, Adam, AdamW"
        with pytest.raises(ValueError, match=message):
            optimizers.get(name)
        with pytest.raises(ImportError, match=message):
            getattr(optimizers, name)
    assert not hasattr(optimizers, "nothing")


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (RMSprop, {"rho": 1.5}, "RMSprop: rho must be a number of at least 0 and at most 1, got 1.5"),
        (RMSprop, {"momentum": -0.1}, "RMSprop: momentum must be"),
        (RMSprop, {"epsilon": -1e-7}, "RMSprop: epsilon must be a number of at least 0"),
        (RMSprop, {"centered": "yes"}, "RMSprop: centered must be True or False, got 'yes'"),
        (RMSprop, {"weight_decay": -1}, "RMSprop: weight_decay must be a number of at least 0"),
        (RMSprop, {"clipnorm": 0}, "RMSprop: clipnorm must be a number above 0, got 0"),
        (RMSprop, {"clipvalue": -1}, "RMSprop: clipvalue must be"),
        (RMSprop, {"global_clipnorm": "1"}, "RMSprop: global_clipnorm must be"),
        (RMSprop, {"clipnorm": 1, "clipvalue": 1}, "RMSprop: only one of clipnorm, global_clipnorm, clipvalue can be"),
        (RMSprop, {"use_ema": 1}, "RMSprop: use_ema must be True or False"),
        (RMSprop, {"ema_momentum": 1.1}, "RMSprop: ema_momentum must be"),
        (RMSprop, {"ema_overwrite_frequency": 0}, "RMSprop: ema_overwrite_frequency must be an integer of at least 1"),
        (RMSprop, {"loss_scale_factor": 2.0}, "RMSprop: loss_scale_factor is not supported and must be None, got 2.0"),
        (RMSprop, {"gradient_accumulation_steps": 2}, "RMSprop: gradient_accumulation_steps is not supported"),
        (SGD, {"momentum": 2}, "SGD: momentum must be"),
        (SGD, {"nesterov": None}, "SGD: nesterov must be True or False"),
        (Adam, {"beta_1": 1.0}, "Adam: beta_1 must be below 1, got 1.0"),
        (Adam, {"beta_2": -1}, "Adam: beta_2 must be"),
        (Adam, {"amsgrad": 0}, "Adam: amsgrad must be True or False"),
        (AdamW, {"weight_decay": None}, "AdamW: weight_decay must be a number of at least 0, got None"),
        (AdamW, {"epsilon": None}, "AdamW: epsilon must be"),
    ],
)
def test_settings_out_of_range_are_refused(cls: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(**options)


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="decay"):
        RMSprop(decay=0.1)  # type: ignore[call-arg]
