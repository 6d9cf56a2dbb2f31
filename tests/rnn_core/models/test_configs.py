"""What a model says about itself is what Keras says, and makes the same model again."""

from __future__ import annotations

import numpy as np
import pytest

import rnn_core
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Model, Sequential

from ..engine import small_models as small
from ..engine.twins import TOLERANCE, X, Y, rmsprop, twins
from ..float64 import keras
from . import three_outputs
from .chain import assert_one_vector, make

pytestmark = pytest.mark.usefixtures("float64_everywhere")


def test_weights_come_in_keras_order_and_go_back():
    theirs, ours = twins(small.relu_and_dense, rmsprop())
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    assert ours.count_params() == theirs.count_params() == ours.vector.size == 4 * (2 + 4 + 1) + 3 * 5 + 4
    weights = [np.full_like(w, i) for i, w in enumerate(ours.get_weights())]
    ours.set_weights(weights)
    for view, copy, expected in zip(ours.weights, ours.get_weights(), weights, strict=True):
        assert np.array_equal(view, expected)
        assert not np.shares_memory(copy, view)
        assert np.shares_memory(view, ours.vector)
    ours.get_weights()[0][...] = 7
    assert not ours.layers[0].kernel.any()


def test_what_a_model_was_compiled_with_can_be_compiled_again():
    made = [rnn_core.metrics.MeanAbsoluteError(name="error"), rnn_core.metrics.mean_squared_error]
    config = {"class_name": "RootMeanSquaredError", "config": {"name": "rmse"}}
    ours, again = (rnn_core.Sequential([rnn_core.Input((3, 2)), *small.plain(rnn_core)]) for _ in range(2))
    ours.compile(**rmsprop(metrics=["mae", *made, config], weighted_metrics=["mse"])(rnn_core))
    again.compile(**ours.get_compile_config())
    again.set_weights(ours.get_weights())
    results = [model.evaluate(X, Y, verbose=0, return_dict=True) for model in (ours, again)]
    assert results[0] == results[1]
    assert set(results[0]) == {"loss", "mae", "error", "mean_squared_error", "rmse", "mse"}
    assert again.optimizer.get_config() == ours.optimizer.get_config()


def test_get_config_is_keras():
    theirs, ours = twins(small.penalised, rmsprop())
    expected, config = theirs.get_config(), ours.get_config()
    assert [entry["class_name"] for entry in config["layers"]] == [entry["class_name"] for entry in expected["layers"]]
    for entry, keras_entry in zip(config["layers"], expected["layers"], strict=True):
        assert entry["module"] == keras_entry["module"]
        for key, value in entry["config"].items():
            if key not in ("name", "dtype", "seed") and not isinstance(
                value, dict
            ):  # Keras leaves SimpleRNN's seed out
                assert keras_entry["config"][key] == value, key
        unknown = keras_entry["config"].keys() - entry["config"].keys()
        assert unknown <= {"quantization_config", "sparse", "ragged", "optional"}
    again = rnn_core.Sequential.from_config(config)
    assert again.get_config() == config
    again.set_weights(ours.get_weights())
    assert np.array_equal(again(X), ours(X))
    made_by_keras = keras.Sequential.from_config(config)
    made_by_keras.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(X), made_by_keras(X), **TOLERANCE)


def test_a_keras_config_makes_a_model():
    theirs = keras.Sequential([keras.layers.Input((3, 2)), keras.layers.SimpleRNN(4), keras.layers.Dense(1)])
    config = theirs.get_config()
    model = Sequential.from_config(config)
    assert [weight.shape for weight in model.weights] == [(2, 4), (4, 4), (4,), (4, 1), (1,)]
    config["layers"][0]["config"]["sparse"] = True
    with pytest.raises(ValueError, match="sparse=True is not supported"):
        Sequential.from_config(config)


def test_a_sequential_model_survives_its_config():
    model = make(name="mine")
    again = Sequential.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.name == "mine"
    assert again.built
    assert_one_vector(again)
    unbuilt = Sequential([SimpleRNN(2)])
    assert not Sequential.from_config(unbuilt.get_config()).built
    unbuilt.build((None, 3, 2))
    assert Sequential.from_config(unbuilt.get_config()).input_shape == (None, 3, 2)


def test_a_sequential_model_is_a_model_and_shows_its_name():
    model = make(name="mine")
    assert isinstance(model, Model)
    assert repr(model) == "<Sequential name=mine, built=True>"


def test_a_functional_model_survives_its_config():
    ours, theirs = three_outputs.pair()
    twins = [type(ours).from_config(ours.get_config()), type(ours).from_config(theirs.get_config())]
    for twin in twins:
        assert [layer.name for layer in twin.layers] == [layer.name for layer in ours.layers]
        assert (twin.name, twin.input_names, twin.output_names) == (ours.name, ours.input_names, ours.output_names)
        twin.set_weights(ours.get_weights())
        for a, b in zip(twin.predict(three_outputs.X), ours.predict(three_outputs.X), strict=True):
            np.testing.assert_array_equal(a, b)
        assert twin.get_config() == ours.get_config()
    again = keras.Model.from_config(ours.get_config())
    assert [layer.name for layer in again.layers] == [layer.name for layer in theirs.layers]


def test_a_cyclic_config_is_refused_by_name():
    a = Input((3,), name="a")
    config = Model(a, Dense(3, name="second")(Dense(3, name="first")(a))).get_config()
    first, second = config["layers"][1:]
    first["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["second", 0, 0]
    with pytest.raises(ValueError, match=r"The graph is cyclic: layers first, second wait for each other"):
        Model.from_config(config)
    second["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["third", 0, 0]
    with pytest.raises(ValueError, match=r"'second' reads from a layer 'third' that the config does not have"):
        Model.from_config(config)


def test_a_functional_model_is_summed_up_as_in_keras():
    texts = []
    for k in (rnn_core, keras):
        k.utils.clear_session()
        visible = k.Input(shape=(None, 4))
        hidden = k.layers.SimpleRNN(32, activation="relu")(visible)
        hidden = k.layers.Dense(8, activation="relu")(hidden)
        output = k.layers.Dense(1)(hidden)
        model = k.Model(inputs=visible, outputs=output)
        model.compile("rmsprop", "mse")
        model.fit(np.ones((5, 3, 4)), np.ones(5), verbose=0)
        model.summary(print_fn=texts.append)
    assert texts[0] == texts[1]
    assert "input_layer (InputLayer)" in texts[0]
