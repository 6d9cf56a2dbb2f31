"""Learning rate schedules against live Keras and their own properties."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.optimizers import schedules

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

rates = st.floats(1e-4, 1)
lengths = st.integers(1, 50)
flags = st.booleans()

ARGUMENTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "ExponentialDecay": st.fixed_dictionaries(
        {"initial_learning_rate": rates, "decay_steps": lengths, "decay_rate": st.floats(0.1, 1.5), "staircase": flags}
    ),
    "InverseTimeDecay": st.fixed_dictionaries(
        {"initial_learning_rate": rates, "decay_steps": lengths, "decay_rate": st.floats(0, 2), "staircase": flags}
    ),
    "PiecewiseConstantDecay": st.lists(st.integers(0, 100), min_size=1, max_size=4, unique=True).flatmap(
        lambda boundaries: st.fixed_dictionaries(
            {
                "boundaries": st.just(sorted(boundaries)),
                "values": st.lists(rates, min_size=len(boundaries) + 1, max_size=len(boundaries) + 1),
            }
        )
    ),
    "PolynomialDecay": st.fixed_dictionaries(
        {
            "initial_learning_rate": rates,
            "decay_steps": lengths,
            "end_learning_rate": rates,
            "power": st.sampled_from([0.5, 1.0, 2.0]),
            "cycle": flags,
        }
    ),
    "CosineDecay": st.fixed_dictionaries(
        {
            "initial_learning_rate": rates,
            "decay_steps": lengths,
            "alpha": st.floats(0, 1),
            "warmup_target": st.none() | rates,
            "warmup_steps": lengths,
        }
    ),
}


def double(value: Any) -> Any:
    """Return np.float64 for floats: Keras computes a schedule in float32 when it gets Python's."""
    if isinstance(value, list):
        return [double(v) for v in value]
    return np.float64(value) if isinstance(value, float) else value


@pytest.mark.parametrize("name", ARGUMENTS)
def test_schedules_agree_with_keras(name: str) -> None:
    import keras

    @settings(max_examples=25, deadline=None)
    @given(ARGUMENTS[name], st.lists(st.integers(0, 120), min_size=1, max_size=8))
    def check(arguments: dict[str, Any], steps: list[int]) -> None:
        ours = getattr(schedules, name)(**arguments)
        theirs = getattr(keras.optimizers.schedules, name)(**{key: double(v) for key, v in arguments.items()})
        for step in [0, *steps]:
            rate = ours(step)
            assert isinstance(rate, float)
            np.testing.assert_allclose(rate, float(theirs(step)), rtol=1e-12, atol=1e-15)

    check()


@pytest.mark.parametrize("name", ARGUMENTS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_configs_are_those_of_keras(name: str, data: st.DataObject) -> None:
    import keras

    ours = getattr(schedules, name)(**data.draw(ARGUMENTS[name]))
    config = ours.get_config()
    theirs = keras.optimizers.schedules.deserialize(schedules.serialize(ours))
    assert theirs.get_config() == config
    again = schedules.get(keras.optimizers.schedules.serialize(theirs))
    assert type(again) is type(ours)
    assert again.get_config() == type(ours).from_config(config).get_config() == config
    assert again(17) == ours(17)


def test_staircases_are_flat_between_their_steps() -> None:
    for cls in (schedules.ExponentialDecay, schedules.InverseTimeDecay):
        schedule = cls(0.1, decay_steps=7, decay_rate=0.5, staircase=True)
        smooth = cls(0.1, decay_steps=7, decay_rate=0.5)
        for step in range(50):
            assert schedule(step) == smooth(step - step % 7)


def test_polynomial_and_cosine_decay_end_where_they_say() -> None:
    for step in (10, 11, 1000):
        assert schedules.PolynomialDecay(0.5, 10, end_learning_rate=0.125)(step) == 0.125
        assert schedules.CosineDecay(0.5, 10, alpha=0.25)(step) == 0.125
        assert schedules.CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=5)(step + 5) == 0
    assert schedules.PolynomialDecay(0.5, 10, 0.1, cycle=True)(15) == pytest.approx(0.2)


def test_a_schedule_passes_through_get() -> None:
    schedule = schedules.CosineDecay(0.1, 10)
    assert schedules.get(schedule) is schedule


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ExponentialDecay", (0.1, 0, 0.5), "ExponentialDecay: decay_steps must be a number above 0, got 0"),
        ("ExponentialDecay", (-0.1, 10, 0.5), "ExponentialDecay: initial_learning_rate must be a number of at least 0"),
        ("InverseTimeDecay", (0.1, -1, 0.5), "InverseTimeDecay: decay_steps must be a number above 0, got -1"),
        ("InverseTimeDecay", (0.1, 10, "a"), "InverseTimeDecay: decay_rate must be"),
        ("PolynomialDecay", (0.1, 10, -0.1), "PolynomialDecay: end_learning_rate must be"),
        ("CosineDecay", (0.1, 10, -1), "CosineDecay: alpha must be"),
        ("CosineDecay", (0.1, 10, 0.0, None, -1.0), "CosineDecay: warmup_target must be"),
        ("PiecewiseConstantDecay", ([1, 2], [0.1, 0.2]), "values must be one more than boundaries, got 2 values and 2"),
        ("PiecewiseConstantDecay", ([2, 1], [0.1, 0.2, 0.3]), r"boundaries must increase, got \[2, 1\]"),
        ("PiecewiseConstantDecay", ([1], [0.1, -0.2]), "PiecewiseConstantDecay: values must be"),
    ],
)
def test_arguments_out_of_range_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(schedules, name)(*arguments)


def test_what_is_not_supported_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'CosineDecayRestarts' is not supported. Supported: CosineDecay, "):
        schedules.get({"class_name": "CosineDecayRestarts", "config": {}})
    with pytest.raises(ImportError, match="schedule 'CosineDecayRestarts' is not supported"):
        _ = schedules.CosineDecayRestarts
    with pytest.raises(ValueError, match=r"Unknown learning rate schedule 'CosinDecay'. Did you mean 'CosineDecay'\?"):
        schedules.get({"class_name": "CosinDecay", "config": {}})
    with pytest.raises(NotImplementedError, match="LearningRateSchedule must define __call__"):
        schedules.LearningRateSchedule()(0)
    with pytest.raises(NotImplementedError, match="must define get_config"):
        schedules.LearningRateSchedule().get_config()
