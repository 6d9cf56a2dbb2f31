"""Unknown names are answered with the nearest known one, Keras' names with what is not here."""

from __future__ import annotations

import pytest

import rnn_core
from rnn_core.layers import Activation, Dense, Input, SimpleRNN
from rnn_core.models import Sequential


def compiled(**given):
    return Sequential([Input((3, 2)), Dense(1)]).compile(**{"optimizer": "sgd", "loss": "mse", **given})


UNKNOWN = {
    "activation": (lambda name: Dense(1, name), "rellu", "relu"),
    "activation of SimpleRNN": (lambda name: SimpleRNN(1, name), "tan", "tanh"),
    "activation layer": (Activation, "sigmiod", "sigmoid"),
    "initializer": (lambda name: Dense(1, kernel_initializer=name), "glorot_unifrom", "glorot_uniform"),
    "recurrent initializer": (lambda name: SimpleRNN(1, recurrent_initializer=name), "orthogonl", "orthogonal"),
    "regularizer": (lambda name: Dense(1, kernel_regularizer=name), "l22", "l2"),
    "activity regularizer": (lambda name: SimpleRNN(1, activity_regularizer=name), "L_2", "L2"),
    "constraint": (lambda name: SimpleRNN(1, bias_constraint=name), "nonneg", "non_neg"),
    "optimizer": (lambda name: compiled(optimizer=name), "rmsporp", "rmsprop"),
    "loss": (lambda name: compiled(loss=name), "mean_squered_error", "mean_squared_error"),
    "metric": (lambda name: compiled(metrics=[name]), "maee", "mae"),
    "weighted metric": (lambda name: compiled(weighted_metrics=[name]), "acuracy", "accuracy"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_unknown_names_get_the_nearest_known_one(kind):
    make, name, nearest = UNKNOWN[kind]
    with pytest.raises(ValueError, match=rf"Unknown \w+ '{name}'.*Did you mean '{nearest}'"):
        make(name)
    make(nearest)


NOT_HERE = {
    "rnn_core.layers": ["LSTM", "GRU", "Conv1D", "MaxPooling1D", "BatchNormalization", "Dot", "Permute"],
    "rnn_core.losses": ["CTC", "Dice"],
    "rnn_core.metrics": ["F1Score", "MeanIoU"],
    "rnn_core.utils": ["PyDataset", "Sequence", "get_file", "np_utils"],
    "rnn_core.backend": ["mean", "set_value"],
    "rnn_core.config": ["image_data_format"],
    "rnn_core.preprocessing": ["timeseries_dataset_from_array"],
    "rnn_core": ["KerasTensor", "Function", "datasets", "applications", "version", "ops"],
}


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in NOT_HERE.items() for n in names])
def test_names_of_keras_that_are_not_here_are_named(module, name):
    with pytest.raises(ImportError, match=name) as caught:
        exec(f"from {module} import {name}")
    assert "cannot import name" not in str(caught.value)  # Python's own words say nothing


def test_a_name_that_keras_does_not_have_either_is_no_attribute():
    assert not hasattr(rnn_core, "no_such_thing")
    assert not hasattr(rnn_core.layers, "no_such_thing")
