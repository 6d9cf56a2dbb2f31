"""Faults in graphs are found AND named, in the right place: those of the Keras twin, and those of our own code."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from parity import check, find_cause, to_keras
from parity.causes.cause import MORE_THAN_ONE
from rnn_core import layers, losses, optimizers
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.losses.several import LossOfOutputs
from rnn_core.models import Model

from .planted import called_with, stack, weights_changed, without
from .test_causes_here import mask_ignored, replaced

BATCH, TIMESTEPS, FEATURES, UNITS = 6, 5, 3, 4
R = np.random.default_rng(0)
X = [R.standard_normal((BATCH, TIMESTEPS, FEATURES)) for _ in range(2)] + [R.standard_normal((BATCH, UNITS))]
X[0][::2, 3:] = 0  # is masked
Y = [R.standard_normal((BATCH, 2)), R.integers(0, 2, (BATCH, 1)).astype(float)]
WEIGHTS = [R.uniform(0.5, 2, BATCH), R.uniform(0.5, 2, BATCH)]


def graph(optimizer=None, loss=("mse", "binary_crossentropy"), loss_weights=(1.0, 0.5), first=None, **shared) -> Model:
    """Two series, the first with a mask and an initial state, through one shared layer; a merge; two outputs.

    The way of the second series is longer, so that Keras has the layers in another order.
    """
    given = [
        Input(batch_shape=(BATCH, TIMESTEPS, FEATURES), dtype="float64", name="masked"),
        Input(batch_shape=(BATCH, TIMESTEPS, FEATURES), dtype="float64", name="series"),
        Input(batch_shape=(BATCH, UNITS), dtype="float64", name="start"),
    ]
    known = layers.Masking(dtype="float64", name="masking")(given[0])
    series = Dense(FEATURES, dtype="float64", name="upper")(Dense(3, "tanh", dtype="float64", name="lower")(given[1]))
    rnn = SimpleRNN(UNITS, **{"activation": "elu", "dtype": "float64", "name": "shared", **shared})
    memory = SimpleRNN(UNITS, dtype="float64", name="memory")(known, initial_state=given[2])
    both = layers.Concatenate(dtype="float64", name="both")([rnn(series), rnn(known), memory])
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


def unweighted(*outputs):
    """Let the losses of these outputs ignore sample weights."""

    def plant(model):
        keras_model = to_keras(model)
        compute_loss = keras_model.compute_loss

        def changed(sample_weight, **given):
            left = [None if i in outputs else part for i, part in enumerate(sample_weight)]
            return compute_loss(sample_weight=left, **given)

        keras_model.compute_loss = changed
        return keras_model

    return plant


FAULTS = [
    ("transposed recurrent kernel", "shared", weights_changed("shared", 1, np.transpose)),
    ("transposed recurrent kernel", "memory", weights_changed("memory", 1, np.transpose)),
    ("missing bias", "second", weights_changed("second", 1, np.zeros_like)),
    ("doubled bias", "shared", weights_changed("shared", 2, lambda b: 2 * b)),
    ("other activation", "first", made_with(first={"activation": "tanh"})),
    ("other activation", "shared", made_with(activation="tanh")),
    ("time-reversed input", "shared", made_with(go_backwards=True)),
    ("ignored mask", "memory", called_with("memory", without("mask"))),
    ("ignored mask", "shared", called_with("shared", without("mask"))),  # seen in its second call alone
    ("other kernel regularizer", "first", made_with(first={"kernel_regularizer": "l2"})),
    ("initial state ignored", "memory", called_with("memory", without("initial_state"))),
    ("other loss", "loss of first", made_with(loss=("mae", "binary_crossentropy"))),
    (
        "other label smoothing",
        "loss of second",
        made_with(loss=("mse", losses.BinaryCrossentropy(label_smoothing=0.1))),
    ),
    ("sum for mean loss", "loss of first", made_with(loss=(losses.MeanSquaredError("sum"), "binary_crossentropy"))),
    ("other loss weights", "loss", made_with(loss_weights=(1.0, 0.75))),
    ("other loss", "loss of second", made_with(loss=("mse", None))),
    ("ignored sample weights", "loss of first", unweighted(0)),
    ("ignored sample weights", "loss", unweighted(0, 1)),
    ("time-reversed input", "memory", called_with("memory", lambda x, given: (keras.ops.flip(x, 1), given))),
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
    model = graph()
    assert [layer.name for layer in to_keras(model).layers] != [layer.name for layer in model.layers]
    assert check(model, X, Y, WEIGHTS).holds


@pytest.mark.parametrize(("name", "place", "plant"), FAULTS, ids=[f"{name}, {place}" for name, place, _ in FAULTS])
def test_a_fault_is_named(name, place, plant):
    cause = cause_of(plant)
    assert cause is not None
    assert (cause.name, cause.place) == (name, place), str(cause)


def transposed_and_other_rho(model):
    keras_model = made_with(optimizer=optimizers.RMSprop(rho=0.8))(model)
    values = keras_model.get_layer("shared").get_weights()
    keras_model.get_layer("shared").set_weights([values[0], values[1].T, values[2]])
    return keras_model


def sum_and_unweighted(model):
    """Found after other pairs of changes to the same losses, which leave nothing behind."""
    twin = graph(loss=("mse", losses.BinaryCrossentropy(reduction="sum")))
    twin.set_weights(model.get_weights())
    return unweighted(0)(twin)


def beside_each_other(model):
    """On two ways of the graph: neither mends what the other does."""
    keras_model = to_keras(model)
    for name, index, change in (("first", 0, lambda w: w.T.reshape(w.shape)), ("second", 1, np.zeros_like)):
        weights = keras_model.get_layer(name).get_weights()
        weights[index] = change(weights[index])
        keras_model.get_layer(name).set_weights(weights)
    return keras_model


PAIRS = [
    (beside_each_other, {("transposed kernel", "first"), ("missing bias", "second")}),
    (transposed_and_other_rho, {("transposed recurrent kernel", "shared"), ("other rho", "optimizer")}),
    (sum_and_unweighted, {("ignored sample weights", "loss of first"), ("sum for mean loss", "loss of second")}),
]


@pytest.mark.parametrize(("plant", "both"), PAIRS)
def test_two_faults_are_more_than_one(plant, both):
    cause = cause_of(plant)
    assert cause is not None
    assert cause.name == MORE_THAN_ONE
    assert {(part.name, part.place) for part in cause.parts} == both


@pytest.mark.parametrize("layer", ["shared", "first", "memory"])
def test_a_fault_of_no_known_kind_has_no_cause(layer):
    assert cause_of(weights_changed(layer, 0, lambda kernel: 1.001 * kernel)) is None


def a_little_more(x, given):
    return 1.001 * x, given


@pytest.mark.parametrize("layer", ["shared", "memory", "masking"])
def test_a_fault_in_how_keras_calls_a_layer_has_no_cause(layer):
    """A twin of the Keras model does not have it, so that changes that do nothing would mend it."""
    assert cause_of(called_with(layer, a_little_more)) is None


@pytest.mark.parametrize("layer", ["lower", "upper"])
def test_nor_has_it_in_a_chain(layer):
    model = stack()
    x, y = R.standard_normal((4, 5, 3)), R.standard_normal((4, 2))
    keras_model = called_with(layer, a_little_more)(model)
    report = check(model, x, y, keras_model=keras_model, dtypes=["float64"], draws=0)
    assert not report.holds
    assert find_cause(model, x, y, keras_model=keras_model, report=report) is None


def test_another_order_of_what_is_merged_has_no_cause():
    assert cause_of(called_with("both", lambda x, given: ([x[1], x[0], x[2]], given))) is None


@pytest.mark.parametrize(
    ("name", "place", "plant"),
    [
        ("transposed recurrent kernel", "shared", weights_changed("shared", 1, np.transpose)),
        ("ignored sample weights", "loss of first", unweighted(0)),
        ("ignored sample weights", "loss", unweighted(0, 1)),
    ],
)
def test_a_fault_is_named_beside_a_loss_whose_constants_keras_rounds(name, place, plant):
    model = graph(loss=("log_cosh", "binary_crossentropy"))
    keras_model = plant(model)
    report = check(model, X, Y, WEIGHTS, keras_model=keras_model, dtypes=["float64"], draws=0)
    assert not report.holds
    cause = find_cause(model, X, Y, WEIGHTS, keras_model=keras_model, report=report)
    assert cause is not None
    assert (cause.name, cause.place) == (name, place)


# Faults of our own code.


@replaced(SimpleRNN, "forward")
def state_ignored(right, self, r, x, training=False):
    return right(self, r, [x[0], np.zeros_like(x[1])] if isinstance(x, list) else x, training)


@replaced(SimpleRNN, "backward")
def no_gradient_of_the_state(right, self, r, d_output):
    d_input = right(self, r, d_output)
    r.d_hidden.fill(0)
    return d_input


@replaced(losses.MeanSquaredError, "value_and_gradient")
def unweighted_mse(right, self, y, y_pred, d, weight=None, mask=None):
    return right(self, y, y_pred, d, None, mask)


@replaced(LossOfOutputs, "value_and_gradient")
def all_unweighted(right, self, y, y_pred, d, weight=None, mask=None):
    return right(self, y, y_pred, d, None, mask)


def ignored_states(monkeypatch):
    state_ignored(monkeypatch)
    no_gradient_of_the_state(monkeypatch)


@pytest.mark.parametrize(
    ("name", "place", "plant", "where"),
    [
        ("initial state ignored", "memory", ignored_states, "in rnn_core"),
        ("ignored mask", "shared", mask_ignored, "in rnn_core, in 2 layers"),
        ("ignored sample weights", "loss of first", unweighted_mse, "in rnn_core"),
        ("ignored sample weights", "loss", all_unweighted, "in rnn_core"),
    ],
)
def test_a_fault_here_is_named(name, place, plant, where, monkeypatch):
    model = graph()
    plant(monkeypatch)
    report = check(model, X, Y, WEIGHTS, dtypes=["float64"], draws=0)
    cause = find_cause(model, X, Y, WEIGHTS, report=report)
    assert cause is not None
    assert (cause.name, cause.place, cause.detail) == (name, place, where)
