"""What Keras has and the engine has not is refused by name, and what has another name here is said."""

from __future__ import annotations

import importlib

import pytest


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("rnn_core.models", "load_model", r"from_keras\(keras.models.load_model"),
        ("rnn_core.saving", "load_model", r"model.load_weights"),
        ("rnn_core.models", "save_model", r"parity.to_keras\(model\).save"),
        ("rnn_core.datasets", "imdb", "given as arrays"),
        ("rnn_core.preprocessing.text", "Tokenizer", "rnn_core.text"),
        ("rnn_core.wrappers.scikit_learn", "KerasRegressor", "RNNRegressor"),
        ("rnn_core.mixed_precision", "set_global_policy", "float64"),
        ("rnn_core.utils", "timeseries_dataset_from_array", "rnn_core.series.Windows"),
        ("rnn_core.layers", "LSTM", "supports here Activation, Add"),
        ("rnn_core", "ops", "rnn_core has no ops"),
    ],
)
def test_importing_it_says_what_there_is(module, name, message):
    with pytest.raises(ImportError, match=message):
        exec(f"from {module} import {name}")


@pytest.mark.parametrize("module", ["rnn_core", "rnn_core.models", "rnn_core.utils", "rnn_core.saving"])
def test_a_name_that_nobody_knows_is_an_attribute_error(module):
    assert not hasattr(importlib.import_module(module), "nonsense")
