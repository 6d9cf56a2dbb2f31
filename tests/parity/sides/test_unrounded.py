"""A model of Keras' own holds: one in float64 has its settings taken as they are set, not rounded to float32."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import pytest

from parity import ParametrisedActivation, check, floatx, from_keras, require_keras, to_keras
from parity.checking import asking
from parity.fuzzing.drawing import draw
from parity.jordan import JordanCell, JordanRNN
from parity.sides.unrounded import _places, unrounded

from ..samples import BACKEND

keras = require_keras()
FLOAT64 = [seed for seed in range(40) if draw(seed, BACKEND).dtype == "float64"]


def loaded(model, path):
    """Return the model as Keras loads it from a file, where all numbers become Python floats."""
    to_keras(model).save(path)
    known = {cls.__name__: cls for cls in (ParametrisedActivation, JordanCell, JordanRNN)}
    with floatx(model.dtype), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an optimizer that is not built; masks that end
        return keras.saving.load_model(path, custom_objects=known)


@pytest.mark.parametrize("seed", range(20))
def test_a_model_from_a_file_holds(seed, tmp_path):
    model, data = draw(seed, BACKEND).build()
    keras_model = loaded(model, tmp_path / "model.keras")
    report = check(from_keras(keras_model), **data, keras_model=keras_model)
    assert report.holds, report.summary


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow alone rounds them")
def test_without_it_tensorflow_rounds_them(tmp_path, monkeypatch):
    @contextmanager
    def rounded(_):
        yield []

    monkeypatch.setattr(asking, "unrounded", rounded)
    found = []
    for seed in FLOAT64[:5]:
        model, data = draw(seed, BACKEND).build()
        keras_model = loaded(model, tmp_path / "model.keras")
        found.append(check(from_keras(keras_model), **data, keras_model=keras_model, dtypes=["float64"], draws=0).holds)
    assert not all(found)


def test_the_settings_are_as_they_were_afterwards():
    layers = keras.layers
    inner = layers.SimpleRNN(3, dropout=0.1, kernel_regularizer=keras.regularizers.L2(0.3))
    output = layers.Dense(1, bias_constraint=keras.constraints.MaxNorm(0.7))
    model = keras.Sequential([keras.Input((4, 2)), layers.Bidirectional(inner), output])
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model.compile(keras.optimizers.Adam(rate, beta_1=0.8), [keras.losses.Huber(0.3)])
    before = {(id(settings), name): value for settings, name, value in _places(model)}
    with unrounded(model) as names:
        assert not list(_places(model))
    after = {(id(settings), name): value for settings, name, value in _places(model)}
    assert before == after
    assert {type(value) for value in after.values()} == {float}
    wanted = "beta_1 beta_2 decay_rate delta dropout epsilon initial_learning_rate l2 max_value"
    assert names == wanted.split()
