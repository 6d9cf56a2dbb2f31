"""Conversion: a round trip changes nothing, and twins compute the same."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import parity
import rnn_core
from parity import floatx, from_keras, layer_from_keras, layer_to_keras, notes, to_keras
from parity.backend import slots_of, to_numpy
from parity.conversion.objects import from_keras_object, to_keras_object
from rnn_core import activations, layers, losses, metrics, optimizers, regularizers
from rnn_core.models import Sequential

from .. import samples
from ..samples import ACTIVATIONS, CONSTRAINTS, few, keras

any_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def states_of(model: Sequential) -> list[np.ndarray]:
    return [layer.state for layer in model.layers if getattr(layer, "state", None) is not None]


def assert_same(a: Sequential, b: Sequential) -> None:
    """Weights, settings, what they were compiled with, and the optimizer's state: bit for bit."""
    assert a.get_config() == b.get_config()
    assert (a.built, a.compiled) == (b.built, b.compiled)
    assert [type(layer) for layer in a.layers] == [type(layer) for layer in b.layers]
    if a.built:
        assert a.vector.dtype == b.vector.dtype
        assert a.vector.tobytes() == b.vector.tobytes()
        assert not np.shares_memory(a.vector, b.vector)
    for mine, other in zip(states_of(a), states_of(b), strict=True):
        assert mine.tobytes() == other.tobytes()
    if a.compiled:
        assert a.get_compile_config() == b.get_compile_config()
        assert a.optimizer.built == b.optimizer.built
        mine, other = a.optimizer.get_state(), b.optimizer.get_state()
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            assert np.asarray(value).tobytes() == np.asarray(other[name]).tobytes(), name


def plain(**arguments: Any) -> Sequential:
    dtype = arguments.pop("dtype", "float64")
    rnn = layers.SimpleRNN(3, dtype=dtype, name="rnn", **arguments)
    return Sequential([layers.Input((4, 2), dtype=dtype), rnn, layers.Dense(1, dtype=dtype, name="out")])


def trained(optimizer: Any = "rmsprop", epochs: int = 2, **arguments: Any) -> Sequential:
    model = plain(**arguments)
    model.compile(optimizer, "mse")
    x, y = samples.batch(model)
    model.fit(x, y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model


# Round trips.


@pytest.mark.parametrize("kind", [samples.dense, samples.simple_rnn])
@any_dtype
@given(data=st.data())
@few(20)
def test_a_layer_with_any_settings_comes_back_the_same(kind, dtype, data):
    layer = data.draw(kind(dtype))
    if data.draw(st.booleans()):
        layer.ensure_built((None, 4, 2))
    theirs = layer_to_keras(layer)
    back = layer_from_keras(theirs)
    assert back.get_config() == layer.get_config()
    assert [w.tobytes() for w in back.weights] == [w.tobytes() for w in layer.weights]
    assert layer_to_keras(back).get_config() == theirs.get_config()
    assert [v.name for v in theirs.weights] == [spec.name for spec in layer.specs]


@any_dtype
def test_the_other_layers_come_back_the_same(dtype):
    for layer in (
        layers.Dropout(0.3, (None, 1, 2), seed=4, dtype=dtype),
        layers.Activation(activations.Elu(0.3), dtype=dtype, name="mine"),
        layers.Masking(0.1, dtype=dtype),
        layers.InputLayer(batch_shape=(3, None, 2), dtype=dtype, name="window"),
        layers.SimpleRNNCell(3, dropout=0.1, seed=2, dtype=dtype),
    ):
        back = layer_from_keras(layer_to_keras(layer))
        assert type(back) is type(layer)
        assert back.get_config() == layer.get_config()


@any_dtype
@given(data=st.data())
@few(20)
def test_a_model_comes_back_the_same(dtype, data):
    model = data.draw(samples.models(dtype))
    if data.draw(st.booleans()):
        model.compile(
            data.draw(st.sampled_from(samples.some_optimizers())),
            data.draw(st.sampled_from([None, "mse", losses.Huber(0.3)])),
            metrics=data.draw(st.sampled_from([None, ["mae", metrics.RootMeanSquaredError()]])),
            weighted_metrics=data.draw(st.sampled_from([None, ["mse"]])),
        )
        if model.loss is not None and data.draw(st.booleans()):
            model.fit(*samples.batch(model), epochs=1, batch_size=4, verbose=0)
    theirs = to_keras(model)
    back = from_keras(theirs)
    assert_same(back, model)
    again = to_keras(back)
    if model._input is not None:  # else Keras counts up the name of the one it made
        assert again.get_config() == theirs.get_config()
    if model.compiled:
        assert again.get_compile_config() == theirs.get_compile_config()


@pytest.mark.parametrize("index", range(len(samples.some_optimizers())))
@any_dtype
def test_an_optimizer_comes_back_with_its_state(index, dtype):
    model = trained(samples.some_optimizers()[index], dtype=dtype)
    assert_same(from_keras(to_keras(model)), model)


@any_dtype
def test_losses_and_metrics_come_back_with_all_settings(dtype):
    for loss in samples.LOSSES:
        assert repr(from_keras_object("", "loss", to_keras_object("", "loss", loss, dtype))) == repr(loss)
    model = plain(dtype=dtype)
    given = list(samples.METRICS)
    model.compile("sgd", "mse", metrics=given, weighted_metrics=given[:2])
    assert from_keras(to_keras(model)).get_compile_config() == model.get_compile_config()
    for name in metrics.__all__:
        if name.islower() and hasattr(keras.metrics, name):  # functions go by name
            theirs = to_keras(plain(dtype=dtype))
            theirs.compile("sgd", keras.losses.mean_squared_error, metrics=[getattr(keras.metrics, name)])
            assert from_keras(theirs).get_compile_config()["metrics"][0]["config"] == name
            assert_same(from_keras(to_keras(from_keras(theirs))), from_keras(theirs))


@pytest.mark.parametrize("name", ["crossentropy", None])
def test_a_loss_that_waits_for_data_and_no_loss_come_back(name):
    model = plain()
    model.compile("adam", name, metrics=["accuracy"])
    assert_same(from_keras(to_keras(model)), model)


@any_dtype
def test_small_objects_come_back_the_same(dtype):
    for kind, some in (
        ("activation", ACTIVATIONS),
        ("initializer", samples.INITIALIZERS),
        ("regularizer", samples.REGULARIZERS),
        ("constraint", samples.CONSTRAINTS),
        ("learning rate schedule", samples.SCHEDULES),
    ):
        for ours in some:
            theirs = to_keras_object("", kind, ours, dtype)
            if isinstance(theirs, str):
                theirs = keras.activations.get(theirs)
            back = from_keras_object("", kind, theirs)
            assert type(back) is type(ours)
            assert ours is None or back.get_config() == ours.get_config()


@any_dtype
def test_a_model_goes_through_a_file_of_keras(dtype, tmp_path):
    model = trained(optimizers.Adam(amsgrad=True, use_ema=True), dtype=dtype, kernel_constraint="unit_norm")
    to_keras(model).save(tmp_path / "model.keras")
    assert_same(from_keras(keras.models.load_model(tmp_path / "model.keras")), model)


def test_models_that_are_not_built_or_have_no_layers_come_back():
    for model in (
        Sequential(name="empty"),
        Sequential([layers.Input((4, 2), name="window")]),
        Sequential([layers.SimpleRNN(3), layers.Dense(1)]),
        Sequential([layers.SimpleRNN(3, input_shape=(4, 2)), layers.Dense(1)]),
        Sequential([layers.Dense(1)]),
    ):
        assert_same(from_keras(to_keras(model)), model)


def test_a_model_that_keras_made_keeps_everything_there():
    with floatx("float64"):
        model = keras.Sequential(
            [
                keras.Input((4, 2), name="window"),
                keras.layers.Masking(),
                keras.layers.SimpleRNN(3, seed=5, dropout=0.2, kernel_regularizer="l1", return_sequences=True),
                keras.layers.Dense(2, "gelu", kernel_initializer=keras.initializers.Identity(0.3)),
                keras.layers.Dropout(0.1),
                keras.layers.SimpleRNN(2, recurrent_constraint="unit_norm"),
            ],
            name="theirs",
        )
        model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 5)), keras.losses.Huber(0.3))
        model.fit(np.ones((4, 4, 2)), np.ones((4, 2)), verbose=0)
        back = to_keras(from_keras(model))
    assert back.get_config() == model.get_config()
    assert back.get_compile_config() == model.get_compile_config()
    assert back.layers[1].cell.seed == 5  # what get_config leaves out
    assert back.layers[2].kernel_initializer.gain == 0.3
    assert back.loss._fn_kwargs["delta"] == 0.3
    for a, b in zip(
        [*back.weights, *back.optimizer.variables], [*model.weights, *model.optimizer.variables], strict=True
    ):
        assert to_numpy(a).tobytes() == to_numpy(b).tobytes()


# Twins compute the same.


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a.name != "sparsemax"], ids=repr)
def test_an_activation_computes_the_same(activation):
    """But for sparsemax, where Keras 3.15 is wrong."""
    x = np.random.default_rng(0).standard_normal((5, 4))
    theirs = layer_to_keras(layers.Activation(activation, dtype="float64"))
    # Keras takes the slope of leaky_relu and the root in gelu as float32, also for float64.
    np.testing.assert_allclose(activation(x), to_numpy(theirs(x)), rtol=1e-6, atol=1e-15)


def test_penalties_and_constraints_compute_the_same_to_the_last_digits():
    w = np.random.default_rng(0).standard_normal((5, 4))
    parts = {"regularizer": samples.REGULARIZERS[1:], "constraint": CONSTRAINTS[1:]}
    for kind, ours in ((kind, ours) for kind, some in parts.items() for ours in some):
        theirs = to_keras_object("", kind, ours, "float64")
        with floatx("float64"):
            np.testing.assert_allclose(ours(w), to_numpy(theirs(keras.ops.convert_to_tensor(w))), rtol=1e-14)


@pytest.mark.parametrize("index", range(len(samples.some_optimizers())))
def test_optimizers_take_the_same_steps_in_float64(index):
    """Keras on TensorFlow rounds Python floats to float32, also for float64 weights: these are not."""
    draws = np.random.default_rng(0)
    ours, vector = samples.some_optimizers()[index], draws.standard_normal(5)
    model = Sequential([layers.Input((4,)), layers.Dense(1, dtype="float64")])
    model.compile(ours, "mse")
    model.vector[...] = vector
    with floatx("float64"):
        theirs = to_keras(model)
        model.prepare_training()
        for _ in range(5):
            gradient = 0.1 * draws.standard_normal(5)
            model.d_vector[...] = gradient
            ours.step()
            tensors = [keras.ops.convert_to_tensor(g) for g in (gradient[:4, None], gradient[4:])]
            theirs.optimizer.apply(tensors, theirs.trainable_variables)
    for mine, other in zip(model.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(mine, to_numpy(other), rtol=1e-14)
    assert slots_of(theirs.optimizer).keys() == ours.slots.keys()


@any_dtype
def test_a_state_is_taken_along(dtype):
    model = Sequential(
        [layers.Input(batch_shape=(2, 4, 2), dtype=dtype), layers.SimpleRNN(3, stateful=True, dtype=dtype, name="rnn")]
    )
    x = np.random.default_rng(0).standard_normal((2, 4, 2)).astype(dtype)
    model.predict(x)
    theirs = to_keras(model)
    assert to_numpy(theirs.layers[0].states[0]).tobytes() == model.layers[0].state.tobytes()
    assert_same(from_keras(theirs), model)
    with floatx(dtype):
        np.testing.assert_allclose(model.predict(x), theirs.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    one = layer_from_keras(layer_to_keras(model.layers[0]))
    assert one.state.tobytes() == model.layers[0].state.tobytes()


def test_an_activity_regularizer_of_a_simple_rnn_is_honoured_though_keras_drops_it():
    penalised = plain(activity_regularizer=regularizers.L2(0.5), dtype="float32")
    penalised.compile("sgd", "mse")
    x, y = samples.batch(penalised)
    theirs = to_keras(penalised)
    assert theirs.evaluate(x, y, verbose=0) == pytest.approx(penalised.evaluate(x, y, verbose=0), rel=1e-5)
    dropped = keras.layers.SimpleRNN(3, activity_regularizer="l2")
    assert dropped.activity_regularizer is None  # or the workaround can go
    assert notes(plain(dtype="float32")) == []
    assert len(notes(penalised)) == 1
    assert "SimpleRNN 'rnn': Keras drops activity_regularizer" in notes(penalised)[0]


def test_an_input_has_the_dtype_of_the_layers_in_keras():
    model = Sequential([layers.Input((4, 2)), layers.SimpleRNN(3, dtype="float64")])
    assert to_keras(model)._layers[0].dtype == "float64"
    assert "Input 'input_layer" in notes(model)[-1]
    assert "has dtype float32" in notes(model)[-1]
    assert_same(from_keras(to_keras(model)), model)


def test_a_frozen_layer_stays_frozen():
    model = plain(trainable=False)
    theirs = to_keras(model)
    assert [layer.trainable for layer in theirs.layers] == [False, True]
    assert len(theirs.trainable_weights) == 2
    theirs.trainable = False
    assert [layer.trainable for layer in from_keras(theirs).layers] == [False, False]


@pytest.mark.parametrize("optimizer", ["rmsprop", optimizers.SGD(momentum=0.5)], ids=["rmsprop", "momentum"])
def test_a_layer_frozen_after_training_keeps_its_slots(optimizer):
    model = trained(optimizer)
    model.layers[0].trainable = False
    model.prepare_training()
    theirs = to_keras(model)
    assert all(len(variables) == 5 for variables in slots_of(theirs.optimizer).values())
    assert_same(from_keras(theirs), model)


def test_a_learning_rate_is_kept_to_the_last_digit():
    rnn_core.config.set_floatx("float64")
    try:
        optimizer = optimizers.RMSprop(0.001)
    finally:
        rnn_core.config.set_floatx("float32")
    assert optimizer.learning_rate == 0.001
    for dtype in ("float32", "float64"):
        model = plain(dtype=dtype)
        model.compile(optimizer, "mse")
        theirs = to_keras(model)
        assert float(to_numpy(theirs.optimizer.learning_rate)) == 0.001
        assert from_keras(theirs).optimizer.learning_rate == 0.001


def test_twins_share_no_memory():
    model = trained()
    before, slot = model.vector.copy(), model.optimizer.velocities.copy()
    theirs = to_keras(model)
    for variable in [*theirs.weights, *theirs.optimizer.variables]:
        variable.assign(variable * 2)
    assert model.vector.tobytes() == before.tobytes()
    assert model.optimizer.velocities.tobytes() == slot.tobytes()


@any_dtype
def test_floatx_and_dtype_policy_are_left_as_they_were(dtype):
    for setting in ("float32", "float64"):
        with floatx(setting):
            from_keras(to_keras(trained(dtype=dtype)))
            layer_to_keras(plain(dtype=dtype).layers[0])
            assert keras.config.floatx() == setting
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"
    assert rnn_core.config.floatx() == "float32"


def test_the_policy_is_not_made_in_another_dtype_by_the_first_conversion():
    code = """
import keras, rnn_core, parity
parity.layer_to_keras(rnn_core.layers.Dense(2, dtype="float64"))
assert keras.layers.Dense(2).dtype == "float32"
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)


def test_keras_can_save_and_load_an_activation_with_arguments(tmp_path):
    model = plain(activation=activations.Elu(0.3), dtype="float32")
    theirs = to_keras(model)
    custom_objects = {"ParametrisedActivation": parity.ParametrisedActivation}
    assert "Elu(alpha=0.3), Keras needs custom_objects={'ParametrisedActivation'" in notes(model)[0]
    theirs.save(tmp_path / "model.keras")
    back = from_keras(keras.models.load_model(tmp_path / "model.keras", custom_objects))
    assert back.layers[0].activation.get_config() == {"alpha": 0.3}
    assert back.vector.tobytes() == model.vector.tobytes()


def test_activation_layers_of_keras_can_be_activations():
    for theirs, ours in (
        (keras.layers.ReLU(max_value=6.0, negative_slope=0.1, threshold=0.2), activations.Relu(0.1, 6.0, 0.2)),
        (keras.layers.LeakyReLU(0.1), activations.LeakyRelu(0.1)),
        (keras.layers.ELU(0.5), activations.Elu(0.5)),
        (keras.layers.Softmax(), activations.Softmax()),
    ):
        assert repr(layer_from_keras(keras.layers.Dense(2, activation=theirs)).activation) == repr(ours)


def test_functions_as_initializers_are_passed_on():
    def mine(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    layer = layers.Dense(2, kernel_initializer=mine, bias_initializer=np.array([1.0, 2.0]), dtype="float64")
    theirs = layer_to_keras(layer)
    theirs.build((None, 3))
    np.testing.assert_array_equal(to_numpy(theirs.kernel), np.full((3, 2), 0.5))
    np.testing.assert_array_equal(to_numpy(theirs.bias), [1.0, 2.0])
    assert layer_from_keras(theirs).kernel_initializer is mine
