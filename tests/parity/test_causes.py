"""Planted faults are found AND named; two at once are "more than one"; what is none of the kinds has no name."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from parity import to_keras
from parity.backend import require_keras
from parity.causes import MORE_THAN_ONE, Cause, find_cause, names
from parity.checking import check
from rnn_core import activations, losses, optimizers
from rnn_core.layers import Dense, Dropout, Input, SimpleRNN
from rnn_core.models import Sequential

keras = require_keras()
ops = keras.ops

BATCH, TIMESTEPS, FEATURES = 4, 5, 3


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


X, Y = random(BATCH, TIMESTEPS, FEATURES), random(BATCH, 2, seed=1)
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


# --- faults in the Keras model: each returns it ---------------------------------------------------------------


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


def kernel_used_transposed(model):
    keras_model = to_keras(model)
    dense = keras_model.get_layer("middle")
    square = keras_model.get_layer("square") if "square" in [x.name for x in keras_model.layers] else dense
    square.call = lambda x, training=None: ops.matmul(x, ops.transpose(square._kernel)) + square.bias
    return keras_model


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
        v.assign(optimizer.rho * v + (1 - optimizer.rho) * gradient**2)
        variable.assign(variable - learning_rate * gradient / (ops.sqrt(v) + optimizer.epsilon))

    optimizer.update_step = update_step
    return keras_model


def computed_in_float32(model):
    keras_model = to_keras(model)
    dense = keras_model.get_layer("middle")
    call = dense.call
    dense.call = lambda x, training=None: ops.cast(ops.cast(call(x), "float32"), "float64")
    return keras_model


def stale(model):
    keras_model = to_keras(model)
    keras_model.get_layer("lower").states[0].assign(STATE)
    return keras_model


def dropout_on(model):
    keras_model = to_keras(model)
    dropout = keras_model.get_layer("dropout")
    call = dropout.call
    dropout.call = lambda x, training=None: call(x, training=True)
    return keras_model


PLAIN: dict = {}
FAULTS = [
    ("transposed recurrent kernel", "upper", weights_changed("upper", 1, np.transpose), PLAIN, PLAIN),
    ("transposed kernel", "middle", weights_changed("middle", 0, lambda w: w.T.reshape(w.shape)), PLAIN, PLAIN),
    ("missing bias", "lower", no_bias, PLAIN, PLAIN),
    ("missing bias", "upper", weights_changed("upper", 2, np.zeros_like), PLAIN, PLAIN),
    ("missing bias", "last", bias_forgotten, PLAIN, PLAIN),
    ("doubled bias", "lower", weights_changed("lower", 2, lambda b: 2 * b), PLAIN, PLAIN),
    ("doubled bias", "last", bias_twice, PLAIN, PLAIN),
    ("other activation", "upper", setting(upper={"activation": "tanh"}), PLAIN, PLAIN),
    ("other activation", "middle", setting(activation="sigmoid"), PLAIN, PLAIN),
    ("other gelu", "middle", setting(activation=activations.Gelu(approximate=True)), {"activation": "gelu"}, PLAIN),
    (
        "other leaky slope",
        "middle",
        setting(activation=activations.LeakyRelu(0.3)),
        {"activation": activations.LeakyRelu(0.2)},
        PLAIN,
    ),
    ("time-reversed input", "lower", setting(go_backwards=True), PLAIN, PLAIN),
    ("time-reversed input", "upper", called_with("upper", lambda x, g: (ops.flip(x, 1), g)), PLAIN, PLAIN),
    ("unreversed mask", "lower", called_with("lower", mask_flipped), {"go_backwards": True}, {"mask": MASK}),
    ("ignored mask", "lower", called_with("lower", without("mask")), PLAIN, {"mask": MASK}),
    ("stale state", "lower", stale, {"stateful": True}, PLAIN),
    (
        "initial state ignored",
        "lower",
        called_with("lower", without("initial_state")),
        PLAIN,
        {"initial_state": STATE},
    ),
    (
        "batch-major for time-major",
        "lower",
        called_with(
            "lower",
            lambda x, g: (ops.transpose(ops.reshape(x, (TIMESTEPS, BATCH, FEATURES)), (1, 0, 2)), g),
        ),
        PLAIN,
        PLAIN,
    ),
    ("dropout left on", "dropout", dropout_on, {"rate": 0.4}, PLAIN),
    ("sum for mean loss", "loss", setting(loss=losses.MeanSquaredError("sum")), PLAIN, PLAIN),
    ("other loss", "loss", setting(loss="mae"), PLAIN, PLAIN),
    ("epsilon outside the root", "optimizer", epsilon_outside, PLAIN, PLAIN),
    ("other rho", "optimizer", setting(optimizer=optimizers.RMSprop(rho=0.87)), PLAIN, PLAIN),
    ("other epsilon", "optimizer", setting(optimizer=optimizers.RMSprop(epsilon=1.1e-7)), PLAIN, PLAIN),
    ("other learning rate", "optimizer", setting(optimizer=optimizers.RMSprop(0.0011)), PLAIN, PLAIN),
    ("float32 for float64", "middle", computed_in_float32, PLAIN, PLAIN),
]


@pytest.mark.parametrize(
    ("name", "place", "plant", "made_with", "given"), FAULTS, ids=[f"{f[0]}, {f[1]}" for f in FAULTS]
)
def test_a_fault_in_keras_is_named(name, place, plant, made_with, given):
    model = stack(**made_with)
    keras_model = plant(model)
    report = check(model, X, Y, **given, keras_model=keras_model, dtypes=["float64"], draws=0)
    cause = find_cause(model, X, Y, **given, keras_model=keras_model, report=report)
    assert cause is not None, report.summary
    assert (cause.name, cause.place) == (name, place)
    assert report.cause == str(cause)
    assert f"cause: {name}" in str(report)


# --- faults in our own code -----------------------------------------------------------------------------------


def test_a_wrong_activation_here_is_named(monkeypatch):
    wrong, tanh = type(activations.get("sigmoid")), activations.get("tanh")
    model = stack(activation="sigmoid")
    monkeypatch.setattr(wrong, "forward", lambda self, a, out: tanh.forward(a, out))
    monkeypatch.setattr(wrong, "backward", lambda self, *given: tanh.backward(*given))
    cause = find_cause(model, X, Y)
    assert cause is not None
    assert (cause.name, cause.place) == ("other activation", "middle")


def test_a_wrong_rho_here_is_named(monkeypatch):
    build = optimizers.RMSprop.build

    def wrong(self, *given):
        build(self, *given)
        self._rho, self._one_minus_rho = self._scalar(0.99), self._scalar(0.01)

    monkeypatch.setattr(optimizers.RMSprop, "build", wrong)
    cause = find_cause(stack(), X, Y)
    assert cause is not None
    assert (cause.name, cause.place) == ("other rho", "optimizer")


def test_a_recurrent_kernel_transposed_here_is_named(monkeypatch):
    forward = SimpleRNN.forward

    def wrong(self, r, x, training=False):
        kept = self.recurrent_kernel
        self.recurrent_kernel = kept.T.copy() if self.name == "upper" else kept
        output = forward(self, r, x, training)
        self.recurrent_kernel = kept
        return output

    model = stack()
    monkeypatch.setattr(SimpleRNN, "forward", wrong)
    cause = find_cause(model, X)
    assert cause is not None
    assert (cause.name, cause.place) == ("transposed recurrent kernel", "upper")


def test_a_fault_that_only_the_float32_model_has_is_named():
    """A changed call is lost in the float64 twin of a float32 model: the search is made in float32."""
    model = stack(dtype="float32")
    keras_model = bias_forgotten(model)
    report = check(model, X, Y, keras_model=keras_model, draws=0)
    assert report.first_bad is not None
    assert report.first_bad.dtype == "float32"
    cause = find_cause(model, X, Y, keras_model=keras_model, report=report)
    assert cause is not None
    assert (cause.name, cause.place) == ("missing bias", "last")


# --- two at once ----------------------------------------------------------------------------------------------


def transposed_and_no_bias(model):
    keras_model = to_keras(model)
    layer = keras_model.get_layer("upper")
    kernel, recurrent_kernel, bias = layer.get_weights()
    layer.set_weights([kernel, recurrent_kernel.T, np.zeros_like(bias)])
    return keras_model


def transposed_and_other_rho(model):
    keras_model = weights_changed("lower", 1, np.transpose)(model)
    keras_model.optimizer.rho = 0.8
    return keras_model


def reversed_and_bias_forgotten(model):
    keras_model = called_with("lower", lambda x, given: (ops.flip(x, 1), given))(model)
    dense = keras_model.get_layer("last")
    dense.call = lambda x, training=None: ops.matmul(x, dense._kernel)
    return keras_model


PAIRS = [
    (transposed_and_no_bias, {"transposed recurrent kernel", "missing bias"}),
    (transposed_and_other_rho, {"transposed recurrent kernel", "other rho"}),
    (reversed_and_bias_forgotten, {"time-reversed input", "missing bias"}),
    (
        setting(loss=losses.MeanSquaredError("sum"), upper={"activation": "tanh"}),
        {"other activation", "sum for mean loss"},
    ),
]


@pytest.mark.parametrize(("plant", "both"), PAIRS)
def test_two_at_once_are_more_than_one(plant, both):
    model = stack()
    keras_model = plant(model)
    report = check(model, X, Y, keras_model=keras_model, dtypes=["float64"], draws=0)
    cause = find_cause(model, X, Y, keras_model=keras_model, report=report)
    assert cause is not None
    assert (cause.name, set(names(cause))) == (MORE_THAN_ONE, both)
    assert report.cause.startswith("more than one: ")


# --- none -----------------------------------------------------------------------------------------------------


def scaled(model):
    keras_model = to_keras(model)
    layer = keras_model.get_layer("middle")
    call = layer.call
    layer.call = lambda x, training=None: 1.001 * call(x)
    return keras_model


def step_lengthened(model):
    keras_model = to_keras(model)
    optimizer = keras_model.optimizer
    update_step = optimizer.update_step
    optimizer.update_step = lambda g, v, lr: update_step(1.01 * g + 0.01, v, lr)
    return keras_model


UNKNOWN = [
    scaled,
    step_lengthened,
    weights_changed("upper", 1, lambda w: w + 1e-3),
]


@pytest.mark.parametrize("plant", UNKNOWN)
def test_a_fault_of_no_known_kind_has_no_cause(plant):
    model = stack()
    keras_model = plant(model)
    report = check(model, X, Y, keras_model=keras_model, dtypes=["float64"], draws=0)
    assert not report.holds
    assert find_cause(model, X, Y, keras_model=keras_model, report=report) is None
    assert report.cause == ""


def test_a_result_rounded_too_often_in_float32_has_no_cause(monkeypatch):
    """It is a fault, but no change mends it more than doing nothing does."""
    forward = Dense.forward

    def rounded(self, r, x, training=False):
        y = forward(self, r, x, training)
        if self.name == "middle" and y.dtype == np.float32:
            y[...] = y.astype(np.float16)
        return y

    monkeypatch.setattr(Dense, "forward", rounded)
    model = stack(dtype="float32")
    report = check(model, X, draws=0)
    assert not report.holds
    assert find_cause(model, X, report=report) is None


def test_what_holds_has_no_cause():
    model = stack(dtype="float32")
    assert find_cause(model, X, Y, mask=MASK, initial_state=STATE, keras_model=to_keras(model)) is None


def test_the_search_leaves_both_models_as_they_were():
    model = stack(rate=0.3)
    model.fit(X, Y, batch_size=BATCH, epochs=2, verbose=0)
    keras_model = weights_changed("upper", 1, np.transpose)(model)
    before, state = model.get_weights(), model.optimizer.get_state()
    theirs = [w.copy() for w in keras_model.get_weights()]
    cause = find_cause(model, X, Y, keras_model=keras_model)
    assert cause == Cause("transposed recurrent kernel", "upper")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert all(np.array_equal(v, state[name]) for name, v in model.optimizer.get_state().items())
    assert all(np.array_equal(a, b) for a, b in zip(theirs, keras_model.get_weights(), strict=True))
