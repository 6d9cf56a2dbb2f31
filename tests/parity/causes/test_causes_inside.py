"""Faults in layers inside others are found AND named, in the right place."""

from __future__ import annotations

import numpy as np
import pytest

from parity import check, find_cause, to_keras
from rnn_core import layers, optimizers
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Model

from .planted import called_with, ops
from .test_causes_graphs import BATCH, FEATURES, TIMESTEPS, X, Y


def wrapped(both=None, each=None, cell=None) -> Model:
    """Two inputs by their names; a Bidirectional, a TimeDistributed and a cell."""
    known, other = (Input(batch_shape=(BATCH, TIMESTEPS, FEATURES), dtype="float64", name=name) for name in "ab")
    rnn = SimpleRNN(3, dtype="float64", return_sequences=True, **(both or {}))
    head = Dense(3, dtype="float64", **(each or {}))
    turned = layers.Bidirectional(rnn, dtype="float64", name="both")(known)
    merged = layers.Concatenate(dtype="float64", name="merged")(
        [turned, layers.TimeDistributed(head, dtype="float64", name="each")(other)]
    )
    last = layers.RNN(layers.SimpleRNNCell(2, dtype="float64", **(cell or {})), dtype="float64", name="last")(merged)
    model = Model({"a": known, "b": other}, last, name="wrapped")
    model.vector[...] = 0.5 * np.random.default_rng(1).standard_normal(model.vector.size)
    model.compile(optimizers.RMSprop(), "mse")
    return model


def made_otherwise(**other):
    def plant(model):
        twin = wrapped(**other)
        twin.set_weights(model.get_weights())
        return to_keras(twin)

    return plant


def weight_inside(layer, attribute, index, change):
    def plant(model):
        keras_model = to_keras(model)
        inner = getattr(keras_model.get_layer(layer), attribute)
        values = inner.get_weights()
        values[index] = change(values[index])
        inner.set_weights(values)
        return keras_model

    return plant


def cause_inside(plant):
    model = wrapped()
    x = dict(zip("ab", X, strict=False))
    keras_model = plant(model)
    report = check(model, x, Y[0], keras_model=keras_model, dtypes=["float64"], draws=0)
    assert not report.holds
    return find_cause(model, x, Y[0], keras_model=keras_model, report=report)


def transposed(layer, attribute):
    return weight_inside(layer, attribute, 1, np.transpose)


@pytest.mark.parametrize(
    ("name", "place", "plant"),
    [
        ("transposed recurrent kernel", "both/forward_simple_rnn", transposed("both", "forward_layer")),
        ("transposed recurrent kernel", "both/backward_simple_rnn", transposed("both", "backward_layer")),
        ("missing bias", "each/dense", weight_inside("each", "layer", 1, np.zeros_like)),
        ("transposed recurrent kernel", "last/simple_rnn_cell", transposed("last", "cell")),
        ("other activation", "both", made_otherwise(both={"activation": "relu"})),  # of both directions
        ("other activation", "each", made_otherwise(each={"activation": "relu"})),
        ("other kernel regularizer", "last", made_otherwise(cell={"kernel_regularizer": "l2"})),
    ],
)
def test_a_fault_inside_a_layer_is_named(name, place, plant):
    cause = cause_inside(plant)
    assert cause is not None
    assert (cause.name, cause.place) == (name, place), str(cause)


def test_one_of_no_known_kind_has_no_cause():
    assert cause_inside(weight_inside("last", "cell", 0, lambda kernel: 1.001 * kernel)) is None


def test_a_sequence_is_turned_beside_the_initial_states_that_come_with_it():
    """Both directions get it turned, which is one fault."""
    series, start = Input((TIMESTEPS, FEATURES), dtype="float64"), Input((3,), dtype="float64")
    both = layers.Bidirectional(SimpleRNN(3, dtype="float64"), dtype="float64", name="both")
    model = Model([series, start], both(series, initial_state=[start, start]))
    model.vector[...] = 0.5 * np.random.default_rng(1).standard_normal(model.vector.size)
    x = [X[0], np.random.default_rng(2).standard_normal((BATCH, 3))]
    keras_model = called_with("both", lambda sequence, given: (ops.flip(sequence, 1), given))(model)
    cause = find_cause(model, x, keras_model=keras_model)
    assert cause is not None
    assert (cause.name, cause.place) == ("time-reversed input", "both")
