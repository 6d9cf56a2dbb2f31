"""Faults planted in the Keras twin of a graph are found AND named, in the right place."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from parity import check, find_cause, to_keras
from parity.causes import MORE_THAN_ONE
from rnn_core import layers, losses, optimizers
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Model

BATCH, TIMESTEPS, FEATURES, UNITS = 6, 5, 3, 4
R = np.random.default_rng(0)
X = [R.standard_normal((BATCH, TIMESTEPS, FEATURES)) for _ in range(2)] + [R.standard_normal((BATCH, UNITS))]
X[0][::2, 3:] = 0  # is masked
Y = [R.standard_normal((BATCH, 2)), R.integers(0, 2, (BATCH, 1)).astype(float)]
WEIGHTS = [R.uniform(0.5, 2, BATCH), R.uniform(0.5, 2, BATCH)]


def graph(optimizer=None, loss=("mse", "binary_crossentropy"), loss_weights=(1.0, 0.5), first=None, **shared) -> Model:
    """Two series, the first with a mask and an initial state, through one shared layer; a merge; two outputs."""
    given = [
        Input(batch_shape=(BATCH, TIMESTEPS, FEATURES), dtype="float64", name="masked"),
        Input(batch_shape=(BATCH, TIMESTEPS, FEATURES), dtype="float64", name="series"),
        Input(batch_shape=(BATCH, UNITS), dtype="float64", name="start"),
    ]
    known = layers.Masking(dtype="float64", name="masking")(given[0])
    rnn = SimpleRNN(UNITS, **{"activation": "elu", "dtype": "float64", "name": "shared", **shared})
    memory = SimpleRNN(UNITS, dtype="float64", name="memory")(known, initial_state=given[2])
    both = layers.Concatenate(dtype="float64", name="both")([rnn(given[1]), rnn(known), memory])
    outputs = [
        Dense(2, **{"activation": "relu", "dtype": "float64", "name": "first", **(first or {})})(both),
        Dense(1, "sigmoid", dtype="float64", name="second")(both),
    ]
    model = Model(given, outputs, name="graph")
    model.vector[...] = 0.5 * np.random.default_rng(1).standard_normal(model.vector.size)
    model.compile(optimizer or optimizers.RMSprop(), list(loss), loss_weights=list(loss_weights))
    return model


def made_with(**other):
    """Plant another setting."""

    def plant(model):
        twin = graph(**other)
        twin.set_weights(model.get_weights())
        return to_keras(twin)

    return plant


def weight(layer, index, change):
    def plant(model):
        keras_model = to_keras(model)
        values = keras_model.get_layer(layer).get_weights()
        values[index] = change(values[index])
        keras_model.get_layer(layer).set_weights(values)
        return keras_model

    return plant


def called_without(layer, argument):
    def plant(model):
        keras_model = to_keras(model)
        target = keras_model.get_layer(layer)
        call = target.call
        target.call = lambda x, **given: call(x, **{**given, argument: None})
        return keras_model

    return plant


FAULTS = [
    ("transposed recurrent kernel", "shared", weight("shared", 1, np.transpose)),
    ("transposed recurrent kernel", "memory", weight("memory", 1, np.transpose)),
    ("missing bias", "second", weight("second", 1, np.zeros_like)),
    ("doubled bias", "shared", weight("shared", 2, lambda b: 2 * b)),
    ("other activation", "first", made_with(first={"activation": "tanh"})),
    ("other activation", "shared", made_with(activation="tanh")),
    ("time-reversed input", "shared", made_with(go_backwards=True)),
    ("ignored mask", "memory", called_without("memory", "mask")),
    ("ignored mask", "shared", called_without("shared", "mask")),  # seen in its second call alone
    ("other kernel regularizer", "first", made_with(first={"kernel_regularizer": "l2"})),
    ("initial state ignored", "memory", called_without("memory", "initial_state")),
    ("other loss", "loss of first", made_with(loss=("mae", "binary_crossentropy"))),
    (
        "other label smoothing",
        "loss of second",
        made_with(loss=("mse", losses.BinaryCrossentropy(label_smoothing=0.1))),
    ),
    ("sum for mean loss", "loss of first", made_with(loss=(losses.MeanSquaredError("sum"), "binary_crossentropy"))),
    ("other loss weights", "loss", made_with(loss_weights=(1.0, 0.75))),
    ("other rho", "optimizer", made_with(optimizer=optimizers.RMSprop(rho=0.8))),
    ("other learning rate", "optimizer", made_with(optimizer=optimizers.RMSprop(0.002))),
]


def cause_of(plant):
    model = graph()
    before = model.vector.copy()
    keras_model = plant(model)
    report = check(model, X, Y, WEIGHTS, keras_model=keras_model, dtypes=["float64"], draws=0)
    cause = find_cause(model, X, Y, WEIGHTS, keras_model=keras_model, report=report)
    assert not report.holds
    np.testing.assert_array_equal(model.vector, before)
    return cause


def test_without_a_fault_all_holds():
    assert check(graph(), X, Y, WEIGHTS).holds


@pytest.mark.parametrize(("name", "place", "plant"), FAULTS, ids=[f"{name}, {place}" for name, place, _ in FAULTS])
def test_a_fault_is_named(name, place, plant):
    cause = cause_of(plant)
    assert cause is not None
    assert (cause.name, cause.place) == (name, place), str(cause)


def test_two_faults_are_more_than_one():
    def both(model):
        keras_model = made_with(optimizer=optimizers.RMSprop(rho=0.8))(model)
        values = keras_model.get_layer("shared").get_weights()
        keras_model.get_layer("shared").set_weights([values[0], values[1].T, values[2]])
        return keras_model

    cause = cause_of(both)
    assert cause is not None
    assert cause.name == MORE_THAN_ONE
    assert {part.name for part in cause.parts} == {"transposed recurrent kernel", "other rho"}


@pytest.mark.parametrize("layer", ["shared", "first", "memory"])
def test_a_fault_of_no_known_kind_has_no_cause(layer):
    assert cause_of(weight(layer, 0, lambda kernel: 1.001 * kernel)) is None
