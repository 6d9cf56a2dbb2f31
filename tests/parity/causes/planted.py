"""A model of two recurrent layers, and faults to plant in its Keras twin: each returns the faulty Keras model."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from parity import to_keras
from parity.backend import floatx, require_keras
from parity.causes.faulty_keras import replace_update_step
from rnn_core.layers import Dense, Dropout, Input, SimpleRNN
from rnn_core.models import Sequential

keras = require_keras()
ops = keras.ops

BATCH, TIMESTEPS, FEATURES = 4, 5, 3


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


X, Y = random(BATCH, TIMESTEPS, FEATURES), random(BATCH, 2, seed=1)
Y_SEQUENCE = random(BATCH, TIMESTEPS, 2, seed=1)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 1], [1, 0, 1, 1, 0], [1, 1, 1, 0, 0]], bool)
STATE = random(BATCH, 6, seed=3)


def stack(optimizer=None, loss="mse", activation="elu", upper=None, dtype="float64", rate=None, **lower) -> Sequential:
    """Return two recurrent layers and two dense ones, with random weights, compiled."""
    model = Sequential(
        [
            Input(batch_shape=(BATCH, TIMESTEPS, FEATURES), dtype=dtype),
            SimpleRNN(6, return_sequences=True, dtype=dtype, name="lower", **lower),
            SimpleRNN(5, **{"activation": "relu", "dtype": dtype, "name": "upper", **(upper or {})}),
            *([] if rate is None else [Dropout(rate, seed=1, dtype=dtype, name="dropout")]),
            Dense(4, activation, dtype=dtype, name="middle"),
            Dense(2, dtype=dtype, name="last"),
        ]
    )
    model.vector[...] = 0.5 * random(model.vector.size, seed=2)
    model.compile(optimizer or "rmsprop", loss)
    return model


def like(model: Sequential, **options):
    """Return Keras' twin of the same model made with other options."""
    other = stack(**options)
    other.set_weights(model.get_weights())
    return to_keras(other)


def weights_changed(layer, index, change):
    def plant(model):
        keras_model = to_keras(model)
        weights = keras_model.get_layer(layer).get_weights()
        weights[index] = change(weights[index])
        keras_model.get_layer(layer).set_weights(weights)
        return keras_model

    return plant


def called_with(layer, change):
    """Let a layer get something else than it is given."""

    def plant(model):
        keras_model = to_keras(model)
        target = keras_model.get_layer(layer)
        call = target.call

        def changed(x, **given):
            x, given = change(x, given)
            return call(x, **given)

        target.call = changed
        return keras_model

    return plant


def without(argument):
    return lambda x, given: (x, {**given, argument: None})


def mask_flipped(x, given):
    return x, {**given, "mask": ops.flip(given["mask"], 1)}


def setting(**options):
    return lambda model: like(model, **options)


def bias_twice(model):
    keras_model = to_keras(model)
    dense = keras_model.get_layer("last")
    call = dense.call
    dense.call = lambda x, training=None: call(x) + dense.bias
    return keras_model


def bias_forgotten(model):
    keras_model = to_keras(model)
    dense = keras_model.get_layer("last")
    dense.call = lambda x, training=None: ops.matmul(x, dense._kernel)
    return keras_model


def no_bias(model):
    other = stack(use_bias=False)
    other.set_weights([w for i, w in enumerate(model.get_weights()) if i != 2])
    return to_keras(other)


def epsilon_outside(model):
    keras_model = to_keras(model)
    optimizer = keras_model.optimizer

    def update_step(gradient, variable, learning_rate):
        v = optimizer._velocities[optimizer._get_variable_index(variable)]
        v.assign(v * optimizer.rho + gradient**2 * (1 - optimizer.rho))
        variable.assign(variable - learning_rate * gradient / (ops.sqrt(v) + optimizer.epsilon))

    replace_update_step(optimizer, update_step)
    return keras_model


def optimizer_with(**settings):
    """Set attributes of Keras' optimizer, to numbers that float32 does not hold."""

    def plant(model):
        keras_model = to_keras(model)
        for name, value in settings.items():
            setattr(keras_model.optimizer, name, value)
        return keras_model

    return plant


def computed_in_float32(model):
    keras_model = to_keras(model)
    dense = keras_model.get_layer("middle")
    call = dense.call
    dense.call = lambda x, training=None: ops.cast(ops.cast(call(x), "float32"), "float64")
    return keras_model


def loss_in_float32(model):
    """Keras makes a loss in floatx, whatever the dtype of the layers is."""
    keras_model = to_keras(model)
    with floatx("float32"):
        keras_model.compile(keras_model.optimizer, "mse")
    return keras_model


def stale(model):
    keras_model = to_keras(model)
    keras_model.get_layer("lower").states[0].assign(STATE)
    return keras_model


def kernel_used_transposed(model):
    keras_model = to_keras(model)
    dense = keras_model.get_layer("middle")

    def call(x, training=None):
        kernel = ops.reshape(ops.transpose(dense._kernel), dense._kernel.shape)
        return dense.activation(ops.matmul(x, kernel) + dense.bias)

    dense.call = call
    return keras_model


def always_training(layer):
    """Let a layer drop out in inference."""
    return called_with(layer, lambda x, given: (x, {**given, "training": True}))


def loss_without(argument):
    """Let the loss ignore the mask of the outputs, or sample weights."""

    def plant(model):
        keras_model = to_keras(model)
        compute_loss = keras_model.compute_loss

        def changed(y_pred, sample_weight, **given):
            if argument == "mask":
                return compute_loss(y_pred=y_pred + 0, sample_weight=sample_weight, **given)
            return compute_loss(y_pred=y_pred, sample_weight=None, **given)

        keras_model.compute_loss = changed
        return keras_model

    return plant
