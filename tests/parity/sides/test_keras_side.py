"""Keras asked with NumPy arrays: what it says is what Keras itself computes, and what rnn_core computes by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import parity
from parity import KerasSide, dropout_masks, floatx, require_keras, to_keras
from parity.backend import to_numpy
from parity.sides.our_side import OurSide
from rnn_core import layers, optimizers
from rnn_core.layers import Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Model, Sequential

from .. import samples
from ..samples import BACKEND, few, keras

any_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": {"rtol": 2e-4, "atol": 2e-5}, "float64": {"rtol": 1e-11, "atol": 1e-13}}
"""Both add up the same numbers in another order; a deep model of drawn weights loses some digits."""

X = np.random.default_rng(0).standard_normal((6, 4, 2))
Y = np.random.default_rng(1).standard_normal((6, 1))
MASK = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 0]], bool)


def stacked(dtype: str, *extra: Any, **arguments: Any) -> Sequential:
    """Two recurrent layers and two dense ones; `arguments` are those of the first."""
    model = Sequential(
        [
            Input((4, 2), dtype=dtype),
            *extra,
            SimpleRNN(3, return_sequences=True, name="lower", dtype=dtype, **arguments),
            SimpleRNN(3, activation="sigmoid", name="upper", dtype=dtype),
            Dense(2, "tanh", name="dense", kernel_regularizer="l1", dtype=dtype),
            Dense(1, name="out", activity_regularizer="l2", dtype=dtype),
        ]
    )
    model.compile(optimizers.RMSprop(momentum=0.5), "mse")
    return model


def our_gradients(
    model: Sequential, x: Any, y: Any, **options: Any
) -> tuple[float, dict[str, Any], Any, dict[str, Any]]:
    """Return the loss of rnn_core and its gradients: weights, input, initial states."""
    x, y = np.asarray(x, model.dtype), np.asarray(y, model.dtype)
    one = options.get("one") or model.new_pass(x.shape, training=True, needs_d_input=True)
    starts = options.get("initial_states") or {}
    for layer, record in zip(model.layers, one.records, strict=True):
        if layer.name in starts:
            record.initial_state = starts[layer.name]
    y_pred = one.forward(x, options.get("training", False), options.get("mask"))
    d_output = np.empty_like(y_pred)
    loss = model.loss.value_and_gradient(y, y_pred, d_output, options.get("sample_weight"), one.output_mask)
    d_input = one.backward(d_output)
    gradients = {}
    loss += one.activity_penalty()
    for layer, part in zip(model.layers, model.parts(model.d_vector), strict=True):
        for spec, weight, d_weight in zip(layer.specs, layer.weights, layer.views(part).values(), strict=True):
            if spec.regularizer is not None and layer.trainable:
                loss += float(spec.regularizer(weight))
                spec.regularizer.add_gradient(weight, d_weight)
            gradients[f"{layer.name}/{spec.name}"] = d_weight.copy()
    states = {
        layer.name: record.d_hidden.copy()
        for layer, record in zip(model.layers, one.records, strict=True)
        if layer.name in starts
    }
    return loss, gradients, np.array(d_input), states


def assert_gradients_agree(model: Sequential, side: KerasSide, x: Any, y: Any, **options: Any) -> None:
    loss, weights, d_input, states = our_gradients(model, x, y, **options)
    options.pop("one", None)
    theirs = side.gradients(x, y, **options)
    close = TOLERANCE[model.dtype]
    np.testing.assert_allclose(loss, theirs.loss, **close)
    assert list(theirs.weights) == list(weights)
    for name, gradient in weights.items():
        assert theirs.weights[name].dtype == model.dtype
        np.testing.assert_allclose(gradient, theirs.weights[name], **close, err_msg=name)
    np.testing.assert_allclose(d_input, theirs.input, **close)
    assert theirs.initial_states.keys() == states.keys()
    for name, gradient in states.items():
        np.testing.assert_allclose(gradient, theirs.initial_states[name], **close, err_msg=name)


# What Keras itself says.


@any_dtype
@pytest.mark.parametrize("compiled", [False, True])
def test_outputs_and_loss_are_those_of_the_model(dtype, compiled):
    theirs = to_keras(stacked(dtype, Masking(dtype=dtype)))
    side, x = KerasSide(theirs, compiled), np.where(MASK[:, :, None], X, 0)
    forward = side.forward(x)
    with floatx(dtype):
        # A traced graph is rewritten here and there, and rounds otherwise.
        np.testing.assert_allclose(
            forward.output, to_numpy(theirs(x.astype(dtype))), rtol=(2e-6 if dtype == "float32" else 1e-14) * compiled
        )
        loss = theirs.evaluate(x, Y, batch_size=6, verbose=0)
    assert list(forward.outputs) == [layer.name for layer in theirs.layers]
    np.testing.assert_array_equal(forward.masks["lower"], MASK)
    assert forward.masks["upper"] is None
    np.testing.assert_allclose(side.loss(x, Y), loss, rtol=1e-6 if dtype == "float32" else 1e-14)
    assert side.gradients(x, Y).loss == pytest.approx(side.loss(x, Y), rel=1e-6)


@any_dtype
@pytest.mark.parametrize(("compiled", "weighted"), [(False, True), (True, False)])
def test_a_step_is_that_of_train_on_batch(dtype, compiled, weighted):
    model = stacked(dtype, Masking(dtype=dtype))
    x, weight = np.where(MASK[:, :, None], X, 0).astype(dtype), np.linspace(0, 2, 6) if weighted else None
    theirs, other = to_keras(model), to_keras(model)
    side = KerasSide(theirs, compiled)
    close = {"rtol": 1e-5, "atol": 1e-7} if dtype == "float32" else {"rtol": 1e-13, "atol": 1e-15}
    for i in range(3):
        step = side.step(x, Y, sample_weight=weight)
        with floatx(dtype):
            loss = other.train_on_batch(x, Y.astype(dtype), sample_weight=weight)
        np.testing.assert_allclose(step.loss, float(np.ravel(loss)[0]), **close)
        assert step.iterations == i + 1
    assert step.learning_rate == pytest.approx(0.001)
    assert list(step.slots) == ["velocities", "momentums"]
    for name, variable in zip(step.weights, other.weights, strict=True):
        np.testing.assert_allclose(step.weights[name], to_numpy(variable), **close, err_msg=name)
    slots = [*step.slots["velocities"].values(), *step.slots["momentums"].values()]
    for slot, variable in zip(slots, other.optimizer.variables[2:], strict=True):
        np.testing.assert_allclose(slot, to_numpy(variable), **close, err_msg=variable.path)


def test_traced_and_eager_agree_for_every_shape():
    model = stacked("float32")
    eager, traced = KerasSide(to_keras(model)), KerasSide(to_keras(model), compiled=True)
    for rows in (6, 1):
        for options in ({}, {"mask": MASK[:rows], "initial_states": {"upper": np.ones((rows, 3))}}):
            a, b = (side.gradients(X[:rows], Y[:rows], **options) for side in (eager, traced))
            for name, gradient in a.weights.items():
                np.testing.assert_allclose(gradient, b.weights[name], rtol=1e-4, atol=1e-6, err_msg=name)


# What rnn_core says.


@any_dtype
@given(data=st.data())
@few(15)
def test_gradients_of_random_models_agree(dtype, data):
    model = data.draw(samples.models(dtype, smooth=True))
    model.compile("sgd", "mse")
    x, y = samples.batch(model)
    recurrent = [layer for layer in model.layers if isinstance(layer, SimpleRNN)]
    has_masking = isinstance(model.layers[0], Masking)
    mask = MASK if not has_masking and data.draw(st.booleans()) else None
    starts = {layer.name: np.full((samples.BATCH, layer.units), 0.3, dtype) for layer in recurrent}
    # Where the first step is masked and a state given, Keras on TensorFlow puts out zeros: a bug that is not copied.
    backwards = any(layer.go_backwards for layer in recurrent)
    given_starts = not (backwards and (has_masking or mask is not None)) and data.draw(st.booleans())
    weights = np.linspace(0, 2, y.size, dtype=dtype).reshape(y.shape[:-1])
    assert_gradients_agree(
        model,
        KerasSide(to_keras(model)),
        x,
        y,
        initial_states=starts if given_starts else {},
        sample_weight=weights if data.draw(st.booleans()) else None,
        mask=mask,
    )


@any_dtype
def test_outputs_of_every_layer_agree(dtype):
    model = stacked(dtype, Dropout(0.5, dtype=dtype))
    starts = {"lower": np.full((6, 3), 0.3), "upper": np.full((6, 3), -0.2)}
    forward = KerasSide(to_keras(model)).forward(X, mask=MASK, initial_states=starts)
    one = model.new_pass(X.shape)
    for layer, record in zip(model.layers, one.records, strict=True):
        if layer.name in starts:
            record.initial_state = starts[layer.name].astype(dtype)
    one.forward(X.astype(dtype), mask=MASK)
    outputs = [one._values[step.targets[0]] for step in one.steps]
    for ours, (name, theirs) in zip(outputs, forward.outputs.items(), strict=True):
        np.testing.assert_allclose(ours, theirs, **TOLERANCE[dtype], err_msg=name)


@any_dtype
@pytest.mark.parametrize("compiled", [False, True])
def test_dropout_masks_can_be_handed_over(dtype, compiled):
    first = Dropout(0.4, noise_shape=(None, 1, None), dtype=dtype, name="drop")
    model = stacked(dtype, first, dropout=0.3, recurrent_dropout=0.4)
    one = model.new_pass(X.shape, training=True, needs_d_input=True)
    one.forward(X.astype(dtype), training=True)
    masks = dropout_masks(one)
    assert list(masks) == ["drop", "lower"]
    assert masks["drop"][0].shape == (6, 1, 2)
    side = KerasSide(to_keras(model), compiled)
    forward = side.forward(X, training=True, dropout_masks=masks)
    np.testing.assert_allclose(one.output, forward.output, **TOLERANCE[dtype])
    other = side.forward(X, training=True)  # Keras' own masks
    assert not np.allclose(other.output, forward.output)
    again = side.forward(X, training=True, dropout_masks=masks)  # and they are not remembered
    np.testing.assert_array_equal(forward.output, again.output)
    # The gradients, too: the same masks are drawn again from a stream set back.
    for layer in model.layers:
        if getattr(layer, "dropout_stream", None) is not None:
            layer.dropout_stream = np.random.default_rng(3)
    loss, weights, d_input, _ = our_gradients(model, X, Y, one=one, training=True)
    theirs = side.gradients(X, Y, training=True, dropout_masks=dropout_masks(one))
    np.testing.assert_allclose(loss, theirs.loss, **TOLERANCE[dtype])
    np.testing.assert_allclose(d_input, theirs.input, **TOLERANCE[dtype])
    for name, gradient in weights.items():
        np.testing.assert_allclose(gradient, theirs.weights[name], **TOLERANCE[dtype], err_msg=name)


# Side effects.


def test_only_a_step_changes_the_model():
    model = Sequential(
        [
            Input(batch_shape=(6, 4, 2)),
            SimpleRNN(3, stateful=True, name="rnn", dropout=0.2),
            Dense(1),
        ]
    )
    model.compile("adam", "mse")
    side = KerasSide(to_keras(model))
    before, state = side.weights(), to_numpy(side.model.layers[0].states[0])
    forward = side.forward(X, training=True)
    side.loss(X, Y)
    side.gradients(X, Y)
    assert all((side.weights()[name] == weight).all() for name, weight in before.items())
    np.testing.assert_array_equal(to_numpy(side.model.layers[0].states[0]), state)
    assert np.abs(forward.states["rnn"]).max() > 0
    assert not side.model.optimizer.built
    step = side.step(X, Y, training=False)
    assert all((step.weights[name] != weight).any() for name, weight in before.items() if name != "rnn/recurrent")
    after = to_numpy(side.model.layers[0].states[0])
    np.testing.assert_allclose(after, side_state(model, X), rtol=1e-5, atol=1e-6)


def side_state(model: Sequential, x: np.ndarray) -> np.ndarray:
    model.layers[0].reset_state()
    model.new_pass(x.shape).forward(x.astype(model.dtype))
    return model.layers[0].state


@pytest.mark.parametrize("compiled", [False, True])
def test_states_go_on_from_step_to_step(compiled):
    model = Sequential([Input(batch_shape=(6, 4, 2)), SimpleRNN(3, stateful=True, name="rnn"), Dense(1)])
    model.compile("sgd", "mse")
    side = KerasSide(to_keras(model), compiled)
    for _ in range(3):
        step = side.step(X, Y)
        assert step.loss == pytest.approx(model.train_on_batch(X, Y), rel=1e-5)
    np.testing.assert_allclose(to_numpy(side.model.layers[0].states[0]), model.layers[0].state, rtol=1e-4, atol=1e-5)


def test_answers_are_copies():
    side = KerasSide(to_keras(stacked("float32")))
    for weight in (side.weights()["dense/kernel"], side.step(X, Y).slots["velocities"]["dense/kernel"]):
        weight[...] = np.nan
    assert np.isfinite(side.weights()["dense/kernel"]).all()
    assert np.isfinite(side.slots()["velocities"]["dense/kernel"]).all()


def test_frozen_weights_have_gradients_and_stay():
    model = stacked("float32", trainable=False)
    side = KerasSide(to_keras(model))
    before, gradients = side.weights(), side.gradients(X, Y)
    assert np.abs(gradients.weights["lower/kernel"]).max() > 0
    step = side.step(X, Y)
    np.testing.assert_array_equal(step.weights["lower/kernel"], before["lower/kernel"])
    assert "lower/kernel" not in step.slots["velocities"]


# Errors.


def test_bad_questions_are_refused():
    with pytest.raises(ValueError, match="model 'empty' is not built"):
        KerasSide(keras.Sequential(name="empty"))
    model = stacked("float32")
    side = KerasSide(to_keras(model))
    with pytest.raises(ValueError, match=r"has no layer 'rnn' that takes an initial state: .*'lower', 'upper'\]"):
        side.forward(X, initial_states={"rnn": np.zeros((6, 3))})
    with pytest.raises(ValueError, match="dropout_masks are for training=True"):
        side.forward(X, dropout_masks={"lower": (np.ones((6, 2)), None)})
    bare = Sequential([Input((4, 2)), layers.SimpleRNN(2, name="rnn")], name="bare")
    with pytest.raises(ValueError, match="model 'bare' is not compiled with a loss"):
        KerasSide(to_keras(bare)).gradients(X, Y)


def test_floatx_is_restored_after_it_and_after_an_error():
    with floatx("float64"):
        assert keras.layers.Dense(1).dtype == "float64"
        with pytest.raises(ValueError, match="Unknown"), floatx("float99"):
            pass
        assert keras.config.floatx() == "float64"
    assert keras.config.floatx() == "float32"
    assert keras.layers.Dense(1).dtype == "float32"


@pytest.mark.parametrize(
    ("missing", "backend", "message"),
    [
        ("keras", "tensorflow", "parity needs Keras 3 with the backend 'tensorflow': pip install 'rnn-core[keras]'"),
        ("keras", "jax", "parity needs Keras 3 with the backend 'jax': pip install keras jax"),
        ("keras", "numpy", "parity needs a backend with gradients (tensorflow, jax, torch), KERAS_BACKEND is 'numpy'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(missing, backend, message, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)  # importing it fails
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(ImportError) as caught:
        require_keras()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="one such run is enough")
def test_a_backend_that_keras_does_not_know_is_refused_in_one_line():
    given = {**os.environ, "KERAS_BACKEND": "nonsense"}
    command = [sys.executable, "-m", "parity", "fuzz", "--cases", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=given)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("(tensorflow, jax, torch), KERAS_BACKEND is 'nonsense'.")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(BACKEND != "tensorflow", reason="one such run is enough")
def test_a_backend_that_is_not_installed_is_named():
    code = """
import os, sys
os.environ["KERAS_BACKEND"] = "torch"
sys.modules["torch"] = None
import parity
try:
    parity.require_keras()
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "parity needs Keras 3 with the backend 'torch': pip install keras torch\n"


def test_importing_parity_imports_no_keras():
    code = "import sys, parity.conversion.models, parity.sides.keras_side"
    unwanted = "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{code}; {unwanted}"], check=True, timeout=60)


@pytest.mark.parametrize("kind", ["stateful", "activity"])
def test_a_layer_that_is_called_twice_is_trained_as_by_keras_own_fit(kind):
    """Its state takes no gradient from one call to the next; the activity of each call counts: both but on JAX."""
    a, b = (Input(batch_shape=(6, 4, 2), dtype="float64", name=name) for name in "ab")
    if kind == "stateful":
        shared = SimpleRNN(3, stateful=True, dtype="float64", name="shared")
    else:
        shared = Dense(3, activity_regularizer="l2", dtype="float64", name="shared")
    model = Model([a, b], [shared(a), shared(b)])
    model.compile("sgd", ["mse", "mse"])
    x = [X, X[::-1] - 1]
    y = [np.ones(shape) for shape in model.output_shape]
    theirs = to_keras(model)
    side = KerasSide(theirs)
    found, before = side.gradients(x, y), side.weights()
    if BACKEND != "jax" or kind == "activity":
        ours = OurSide(model).gradients(x, y)
        np.testing.assert_allclose(found.loss, ours.loss, rtol=1e-13)
        for name, gradient in ours.weights.items():
            np.testing.assert_allclose(found.weights[name], gradient, rtol=1e-11, atol=1e-13)
    with floatx("float64"):
        theirs.compile(keras.optimizers.SGD(1.0), ["mse", "mse"])
        loss = np.ravel(theirs.train_on_batch(x, y))[0]
    if BACKEND == "jax" and kind == "activity":
        assert loss < found.loss - 1e-3  # Keras forgets all calls but the first
        assert any("for its first call alone" in note for note in parity.check(model, x, y, dtypes=["float64"]).notes)
        return
    if BACKEND == "jax":
        assert any("back into the one before" in note for note in parity.check(model, x, y, dtypes=["float64"]).notes)
    np.testing.assert_allclose(found.loss, loss, rtol=1e-13 if BACKEND != "jax" else 1e-6)
    for name, gradient in found.weights.items():
        np.testing.assert_allclose(before[name] - side.weights()[name], gradient, rtol=1e-9, atol=1e-11)
