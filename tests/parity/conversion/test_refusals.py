"""Conversion refuses by name what the other side does not have."""

from __future__ import annotations

import numpy as np
import pytest

from parity import ConversionError, from_keras, to_keras
from rnn_core import activations, layers, losses, metrics, optimizers
from rnn_core.models import Model, Sequential

from ..samples import keras


class MyActivation(activations.Activation):
    def value(self, x):
        return x

    def derivative(self, x):
        return np.ones_like(x)


class Dice(losses.Loss):  # the name of a loss that Keras has
    pass


class MyDense(layers.Dense):
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sequential([layers.Dense(1, activation=MyActivation())]), "Dense 'dense.*activation.*MyActivation"),
        (lambda: Sequential([MyDense(1, name="x")]), "MyDense 'x': Keras has no such layer"),
        (lambda: Sequential([layers.RNN(Leaky(name="x"))]), "Leaky 'x': Keras has no such cell"),
        (lambda: Sequential([layers.RNN([layers.SimpleRNNCell(2), Leaky()])]), "Leaky 'leaky.*no such cell"),
        (lambda: Sequential([layers.TimeDistributed(MyDense(1, name="x"))]), "MyDense 'x': Keras has no such layer"),
        (lambda: Sequential([layers.Bidirectional(layers.RNN(Leaky()))]), "Leaky 'leaky.*no such cell"),
        (lambda: MyModel((x := layers.Input((2,))), layers.Dense(1)(x)), "got tests.MyModel 'my_model|got .*MyModel"),
        (lambda: Sequential([layers.Dense(1, name="a/b")]), "Dense 'a/b': .*cannot contain"),
        (lambda: layers.Dense(1, name="x"), "converts rnn_core.Sequential and rnn_core.Model, got rnn_core.Dense 'x'"),
        (
            lambda: Sequential([layers.Dense(1, name="x", kernel_constraint=lambda w: w)]),
            "Dense 'x': kernel_constraint: Keras has no constraint builtins.function",
        ),
    ],
)
def test_what_keras_does_not_have_is_refused(make, message):
    with pytest.raises(ConversionError, match=message):
        to_keras(make())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": Dice()}, "Keras has no loss .*Dice 'dice'"),
        (
            {"metrics": [metrics.MeanMetricWrapper(np.equal, "same")]},
            "Keras has no metric rnn_core.MeanMetricWrapper 'same'",
        ),
        ({"optimizer": type("Mine", (optimizers.SGD,), {})()}, "Keras has no .*Mine"),
        (
            {"optimizer": optimizers.SGD(type("Halving", (optimizers.schedules.LearningRateSchedule,), {})())},
            "Keras has no learning rate schedule .*Halving",
        ),
    ],
)
def test_compile_settings_that_keras_does_not_have_are_refused(arguments, message):
    model = Sequential([layers.Input((4, 2)), layers.SimpleRNN(3), layers.Dense(1)])
    model.compile(**{"loss": "mse", **arguments})
    model.optimizer.get_config = dict if "schedule" in message else model.optimizer.get_config
    with pytest.raises(ConversionError, match=message):
        to_keras(model)


def test_averaged_weights_that_were_frozen_after_training_are_refused():
    model = Sequential([layers.Input((4, 2)), layers.SimpleRNN(3), layers.Dense(1)])
    model.compile(optimizers.RMSprop(use_ema=True), "mse")
    model.fit(np.ones((4, 4, 2)), np.ones(4), verbose=0)
    model.layers[0].trainable = False
    model.prepare_training()
    with pytest.raises(ConversionError, match="cannot average weights"):
        to_keras(model)


class Leaky(layers.Cell):
    state_size = 2


class MyModel(Model):
    pass


def on_symbols(call, dtype="float32"):
    x = keras.Input((4, 2), name="x", dtype=dtype)
    return keras.Model(x, call(x), name="graph")


def masked_by_hand():
    x, real = keras.Input((4, 2)), keras.Input((4,), dtype="bool", name="real")
    return keras.Model([x, real], keras.layers.SimpleRNN(2, name="rnn")(x, mask=real))


def chain(*entries, **compiled):
    model = keras.Sequential([keras.Input((4, 2)), *entries], name="theirs")
    if compiled:
        model.compile(**compiled)
    return model


def half_frozen():
    model = chain(keras.layers.Dense(1, name="x"))
    model.layers[0].bias.trainable = False
    return model


def excluded():
    optimizer = keras.optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def dense1():
    return keras.layers.Dense(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (type("Mine", (keras.Sequential,), {}), "converts keras.Sequential and functional keras.Model, got .*Mine"),
        (type("Mine", (keras.Model,), {}), "converts keras.Sequential and functional keras.Model, got .*Mine"),
        (lambda: on_symbols(keras.layers.LSTM(3, name="x1")), "LSTM 'x1': rnn_core has no layer keras.LSTM 'x1'"),
        (
            lambda: on_symbols(lambda x: keras.layers.Dense(1, name="d")(x + 1)),
            "Add 'add.* is an operation and no layer",
        ),
        (lambda: on_symbols(keras.layers.Dense(1, dtype="float64")), "Input 'x' has dtype 'float32', to which Keras"),
        (masked_by_hand, "SimpleRNN 'rnn' is called with mask=, and with another than its input carries"),
        (lambda: chain(keras.layers.LSTM(3, name="x")), "LSTM 'x': rnn_core has no layer keras.LSTM 'x'"),
        (lambda: chain(keras.layers.GRU(3, name="x")), "GRU 'x': rnn_core has no layer keras.GRU 'x'"),
        (lambda: chain(keras.layers.Conv1D(3, 2, name="x")), "Conv1D 'x': rnn_core has no layer keras.Conv1D"),
        (lambda: chain(keras.layers.Permute((2, 1), name="x")), "Permute 'x': rnn_core has no layer"),
        (lambda: chain(keras.layers.BatchNormalization(name="x")), "BatchNormalization 'x': rnn_core has no layer"),
        (lambda: chain(keras.layers.Bidirectional(keras.layers.GRU(2, name="x"))), "GRU 'forward_x': rnn_core"),
        (lambda: chain(keras.layers.TimeDistributed(keras.layers.Softmax(name="x"))), "Softmax 'x': rnn_core has no"),
        (lambda: chain(keras.layers.Lambda(lambda x: x, name="x")), "Lambda 'x': rnn_core has no layer keras.Lambda"),
        (lambda: chain(type("Mine", (keras.layers.Dense,), {})(1)), "Mine 'mine.*rnn_core has no layer"),
        (lambda: chain(keras.layers.RNN(keras.layers.GRUCell(2, name="x"))), "GRUCell 'x': rnn_core has no cell"),
        (
            lambda: chain(keras.layers.RNN([keras.layers.SimpleRNNCell(2), keras.layers.LSTMCell(2, name="x")])),
            "LSTMCell 'x': rnn_core has no cell keras.LSTMCell",
        ),
        (lambda: chain(keras.layers.Dense(1, dtype="mixed_float16")), "dtype policy is 'mixed_float16'"),
        (lambda: chain(keras.layers.Dense(1, dtype="bfloat16")), "dtype policy is 'bfloat16'"),
        (lambda: chain(keras.layers.Dense(1, lora_rank=2)), "Dense 'dense.*lora_rank"),
        (lambda: chain(keras.layers.Dense(1, keras.ops.cos, name="x")), "Dense 'x': activation: .*derivative"),
        (lambda: chain(keras.layers.Dense(1, lambda x: x, name="x")), "Dense 'x': activation: .*derivative"),
        (
            lambda: chain(keras.layers.Dense(1, kernel_regularizer=lambda w: 0.0, name="x")),
            "Dense 'x': kernel_regularizer: rnn_core has no regularizer",
        ),
        (
            lambda: chain(
                keras.layers.Dense(
                    1, kernel_initializer=keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(1))
                )
            ),
            "kernel_initializer: RandomNormal draws from a SeedGenerator",
        ),
        (lambda: chain(keras.layers.Masking(mask_value=[0.0, 1.0])), "Masking 'masking.*mask_value must be a number"),
        (
            lambda: keras.Sequential([keras.Input((2, 3, 4)), keras.layers.Dense(1, name="x")]),
            r"Dense 'x' expects \(batch, features\) or .*4 dimensions",
        ),
        (lambda: chain(keras.layers.SimpleRNN(2, return_state=True, name="x")), "SimpleRNN 'x' has several outputs"),
        (half_frozen, "Dense 'x': some of its weights are frozen"),
        (
            lambda: keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(1, dtype="float64")]),
            "Input 'x' has dtype 'float32', to which Keras rounds",
        ),
        (lambda: keras.Sequential([keras.Input((3,), dtype="bool", name="x")]), "Input 'x' has dtype 'bool'"),
        (
            lambda: keras.Sequential([keras.Input((3,), name="x", optional=True)]),
            "Input 'x' is sparse, ragged or optional",
        ),
        (
            lambda: keras.Sequential([keras.layers.Dense(1, dtype="float64"), dense1()]),
            "All layers of a model need one dtype",
        ),
        (lambda: chain(dense1(), optimizer="nadam", loss="mse"), "no optimizer keras.Nadam 'nadam'"),
        (
            lambda: chain(dense1(), optimizer=type("Mine", (keras.optimizers.SGD,), {})(), loss="mse"),
            "rnn_core has no optimizer .*Mine",
        ),
        (
            lambda: chain(dense1(), optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), loss="mse"),
            "no optimizer keras.LossScaleOptimizer",
        ),
        (
            lambda: chain(dense1(), optimizer=keras.optimizers.SGD(gradient_accumulation_steps=2), loss="mse"),
            "gradient_accumulation_steps is not supported",
        ),
        (lambda: chain(dense1(), optimizer=keras.optimizers.SGD(lambda: 0.1), loss="mse"), "rate is a function"),
        (
            lambda: chain(
                dense1(),
                optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecayRestarts(0.1, 5)),
                loss="mse",
            ),
            "no learning rate schedule keras.CosineDecayRestarts",
        ),
        (lambda: chain(dense1(), optimizer=excluded(), loss="mse"), "exclude_from_weight_decay"),
        (lambda: chain(dense1(), loss="tversky"), "tversky"),
        (lambda: chain(dense1(), loss=keras.losses.Dice()), "rnn_core has no loss keras.Dice"),
        (lambda: chain(dense1(), loss=lambda y, p: p), "rnn_core has no loss builtins.function"),
        (lambda: chain(dense1(), loss="mse", loss_weights=2.0), "^compile: loss_weights is for several outputs"),
        (lambda: chain(dense1(), loss="mse", metrics=[lambda y, p: p]), "rnn_core has no metric builtins.function"),
        (lambda: chain(dense1(), loss="mse", metrics=["mean_io_u"]), "MeanIoU|mean_io_u"),
        (lambda: chain(dense1(), loss="mse", metrics=[keras.metrics.F1Score()]), "no metric keras.F1Score"),
        (
            lambda: chain(
                dense1(), loss="mse", metrics=[keras.metrics.MeanMetricWrapper(keras.losses.mean_squared_error, "x")]
            ),
            "no metric keras.MeanMetricWrapper 'x'",
        ),
    ],
)
def test_what_rnn_core_does_not_have_is_refused(make, message):
    with pytest.raises(ConversionError, match=message):
        from_keras(make())
