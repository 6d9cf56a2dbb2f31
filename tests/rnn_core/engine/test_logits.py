"""Cross-entropies of a softmax or a sigmoid go back to the logits: as exact, and as Keras on TensorFlow."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_core
from rnn_core import losses, metrics
from rnn_core.engine.loop import Step
from rnn_core.inspection import check_gradients, diagnose, trace
from rnn_core.layers import Dense, Input
from rnn_core.models import Model, Sequential
from tests.rnn_core.finite_differences import SEEDS, examples
from tests.rnn_core.float64 import float64_in

KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "BinaryCrossentropy": ("sigmoid", {"label_smoothing": 0.1}, "binary_crossentropy"),
    "BinaryFocalCrossentropy": ("sigmoid", {}, "binary_crossentropy"),
    "CategoricalCrossentropy": ("softmax", {"label_smoothing": 0.1}, "categorical_crossentropy"),
    "SparseCategoricalCrossentropy": ("softmax", {}, "sparse_categorical_crossentropy"),
}
BATCH, TIMESTEPS, FEATURES, UNITS = 6, 3, 2, 4
SURE = 100.0  # of a probability nothing is left then


def batch(kind: str, sequence: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets."""
    draws = np.random.default_rng(seed)
    places = (BATCH, TIMESTEPS) if sequence else (BATCH,)
    x = draws.standard_normal((BATCH, TIMESTEPS, FEATURES))
    if kind.startswith("Binary"):
        return x, draws.integers(0, 2, (*places, UNITS)).astype(float)
    classes = draws.integers(0, UNITS, places)
    return x, classes if kind.startswith("Sparse") else np.eye(UNITS)[classes]


def stack(layers: Any, activation: str, sequence: bool, apart: bool) -> list[Any]:
    """Return the layers of a classifier, whose activation stands in its last layer or apart."""
    last = [layers.Dense(UNITS), layers.Activation(activation)] if apart else [layers.Dense(UNITS, activation)]
    return [layers.Input((TIMESTEPS, FEATURES)), layers.SimpleRNN(5, return_sequences=sequence), *last]


@pytest.mark.parametrize("apart", [False, True], ids=["in a Dense layer", "in a layer of its own"])
@pytest.mark.parametrize("sequence", [False, True], ids=["one output", "sequence"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_where_the_model_is_surely_wrong_is_that_of_keras(kind, sequence, apart):
    activation, options, metric = KINDS[kind]
    x, y = batch(kind, sequence)
    weights = np.random.default_rng(1).uniform(0.5, 1, (BATCH, 1) if sequence else BATCH)
    histories, scores, ends = [], [], []
    with float64_in(rnn_core, keras):
        start: list[np.ndarray] = []
        for module in (rnn_core, keras):
            model = module.Sequential(stack(module.layers, activation, sequence, apart))
            if not start:
                start = [np.random.default_rng(2).standard_normal(w.shape) for w in model.get_weights()]
                start[3] *= 10 * SURE  # the kernel of the Dense layer
            model.set_weights(start)
            loss = getattr(module.losses, kind)(**options)
            model.compile(module.optimizers.SGD(1e-4), loss, metrics=[metric], weighted_metrics=[metric])
            fitted = model.fit(x, y, 4, epochs=3, verbose=0, shuffle=False, sample_weight=weights)
            histories.append(fitted.history)
            scores.append(model.evaluate(x, y, verbose=0, return_dict=True))
            ends.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    assert histories[0]["loss"][0] > 16.2  # more than any probability can cost when it is clipped
    for ours, theirs in (histories, scores):
        assert set(ours) == set(theirs)
        for name, values in theirs.items():
            np.testing.assert_allclose(ours[name], values, 1e-12, err_msg=name)
    np.testing.assert_allclose(ends[0], ends[1], 1e-12, 1e-13)


@examples(60)
@given(
    kind=st.sampled_from(list(KINDS)),
    sequence=st.booleans(),
    apart=st.booleans(),
    scale=st.sampled_from([0.1, 1.0, 10.0, 1000.0]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=SEEDS,
)
def test_it_is_the_loss_from_logits_of_the_model_without_the_activation(kind, sequence, apart, scale, dtype, seed):
    activation, options, metric = KINDS[kind]
    x, y = batch(kind, sequence, seed)
    found = []
    with float64_in(rnn_core) if dtype == "float64" else nullcontext():
        for last, from_logits in ((activation, False), ("linear", True)):
            model = Sequential(stack(rnn_core.layers, last, sequence, apart))
            model.vector[...] = scale * np.random.default_rng(seed).standard_normal(model.vector.size)
            settings = {"from_logits": from_logits, **options}
            judged = metrics.MeanMetricWrapper(getattr(losses, metric), from_logits=from_logits)
            model.compile("sgd", getattr(losses, kind)(**settings), metrics=[judged])
            scores = model.train_on_batch(x, y)
            assert model.dtype == dtype
            found.append((*scores, *model.vector))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_surely_wrong_sample_is_learned_from(kind):
    activation, _, _ = KINDS[kind]
    model = Sequential([Input((2,)), Dense(2, activation, kernel_initializer="identity")])
    model.compile(rnn_core.optimizers.SGD(1.0), getattr(losses, kind)())
    y = {"Sparse": [1], "Binary": [[0, 1]]}.get(kind[:6], [[0, 1]])
    x = np.array([[SURE, -SURE]])
    before = model.evaluate(x, np.array(y), verbose=0)
    assert before == pytest.approx(SURE if kind.startswith("Binary") else 2 * SURE)
    model.fit(x, np.array(y), epochs=2, verbose=0)
    assert model.evaluate(x, np.array(y), verbose=0) < 1e-6


# --- where it stays with the probabilities ------------------------------------------------------------------------


class OwnDense(Dense):
    """Could do anything."""


def probabilities(layer: Any = None, *more: Any) -> Sequential:
    return Sequential([Input((FEATURES,)), layer or Dense(UNITS, "softmax"), *more])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "Focal" not in kind])
def test_logits_are_expected_and_probabilities_come_a_warning_says_so_and_keras_does_the_same(kind):
    activation, _, _ = KINDS[kind]
    x, y = batch(kind, sequence=False)
    found = []
    with float64_in(rnn_core, keras):
        for module in (rnn_core, keras):
            model = module.Sequential(stack(module.layers, activation, False, apart=False))
            model.set_weights([np.random.default_rng(2).standard_normal(w.shape) for w in model.get_weights()])
            model.compile("sgd", getattr(module.losses, kind)(from_logits=True))
            with pytest.warns(UserWarning, match="from_logits=True"):
                found.append(model.evaluate(x, y, verbose=0))
    assert found[0] == pytest.approx(found[1], 1e-13)


def test_a_metric_that_ignores_a_class_stays_with_the_probabilities():
    model = Sequential([Input((2,)), Dense(2, "softmax", kernel_initializer="identity")])
    judged = [rnn_core.metrics.SparseCategoricalCrossentropy(ignore_class=0), "sparse_categorical_crossentropy"]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=judged)
    found = model.evaluate(np.array([[SURE, -SURE], [SURE, -SURE]]), np.array([1, 0]), verbose=0)
    assert found == pytest.approx([SURE, -np.log(1e-7), SURE])


CROSSENTROPY = losses.CategoricalCrossentropy
STAYS: dict[str, tuple[Any, Any]] = {
    "another activation": (probabilities(Dense(UNITS, "sigmoid")), CROSSENTROPY()),
    "another axis": (probabilities(Dense(UNITS, rnn_core.activations.Softmax(axis=0))), CROSSENTROPY()),
    "a layer of your own": (probabilities(OwnDense(UNITS, "softmax")), CROSSENTROPY()),
    "a layer behind": (probabilities(None, rnn_core.layers.Reshape((UNITS,))), CROSSENTROPY()),
    "an ignored class": (probabilities(), losses.SparseCategoricalCrossentropy(ignore_class=0)),
    "a focal loss of classes": (probabilities(), losses.CategoricalFocalCrossentropy()),
    "another loss": (probabilities(), losses.KLDivergence()),
}


@pytest.mark.parametrize("why", STAYS)
def test_elsewhere_the_loss_is_that_of_the_probabilities(why):
    model, loss = STAYS[why]
    x, y = np.random.default_rng(0).standard_normal((BATCH, FEATURES)), np.eye(UNITS)[[0, 1, 2, 3, 0, 1]]
    y = y.argmax(-1) if why == "an ignored class" else y
    model.compile("sgd", loss)
    step = Step(model, x.shape, y.shape, training=True)
    assert step.logits == [None]
    assert step.loss(x, y, None) == pytest.approx(float(loss(y, model(x))), 1e-6)
    assert check_gradients(model, x, y)


# --- where the probabilities go elsewhere, too --------------------------------------------------------------------


def classes_of(layers: Any, x: Any, apart: bool, **options: Any) -> Any:
    if apart:
        return layers.Activation("softmax", **options)(layers.Dense(UNITS)(x))
    return layers.Dense(UNITS, "softmax", **options)(x)


def penalised(layers: Any, x: Any, apart: bool) -> list[Any]:
    l2 = {"class_name": "L2", "config": {"l2": 2.0**-7}}  # Keras rounds factors to float32
    return [classes_of(layers, x, apart, activity_regularizer=l2), layers.Dense(UNITS, "softmax")(x)]


def used_twice(layers: Any, x: Any, apart: bool) -> list[Any]:
    p = classes_of(layers, x, apart)
    return [p, layers.Dense(UNITS, "softmax")(layers.Dense(UNITS)(p))]


def put_out_twice(layers: Any, x: Any, apart: bool) -> list[Any]:
    p = classes_of(layers, x, apart)
    return [p, p]


def shared(layers: Any, x: Any, apart: bool) -> list[Any]:
    last = layers.Dense(UNITS, "softmax")
    return [last(x), last(layers.Dense(FEATURES, "tanh")(x))]


@pytest.mark.parametrize("apart", [False, True], ids=["in a Dense layer", "in a layer of its own"])
@pytest.mark.parametrize("kinds", [("categorical_crossentropy",) * 2, ("categorical_crossentropy", "mse")])
@pytest.mark.parametrize("make", [penalised, used_twice, put_out_twice, shared])
def test_what_comes_from_elsewhere_is_added_as_in_keras(make, kinds, apart):
    r = np.random.default_rng(0)
    x, y = r.standard_normal((BATCH, FEATURES)), np.eye(UNITS)[[0, 1, 2, 3, 0, 1]]
    losses_found, ends = [], []
    with float64_in(rnn_core, keras):
        start: list[np.ndarray] = []
        for module in (rnn_core, keras):
            given = module.Input((FEATURES,))
            model = module.Model(given, make(module.layers, given, apart))
            start = start or [10 * r.standard_normal(w.shape) for w in model.get_weights()]
            model.set_weights(start)
            model.compile(module.optimizers.SGD(0.01), list(kinds), loss_weights=[1.0, 0.5])
            losses_found.append([model.train_on_batch(x, [y, y], return_dict=True)["loss"] for _ in range(5)])
            ends.append(np.concatenate([w.ravel() for w in model.get_weights()]))
            if module is rnn_core:
                step = Step(model, x.shape, (y.shape, y.shape), training=True)
                assert [logits is not None for logits in step.logits] == [kind != "mse" for kind in kinds]
                assert model(x)[0].min() < 1e-8
    np.testing.assert_allclose(*losses_found, 1e-12)
    np.testing.assert_allclose(*ends, 1e-12, 1e-13)


@pytest.mark.parametrize("make", [penalised, used_twice, put_out_twice, shared])
def test_gradients_of_both_ways_together_are_right(make):
    x = Input((FEATURES,))
    model = Model(x, make(rnn_core.layers, x, apart=False))
    model.compile("sgd", ["categorical_crossentropy", "mse"], loss_weights=[1.0, 0.5])
    x, y = np.random.default_rng(0).standard_normal((BATCH, FEATURES)), np.eye(UNITS)[[0, 1, 2, 3, 0, 1]]
    assert check_gradients(model, x, [y, y])


def test_each_output_by_itself():
    x = Input((FEATURES,))
    classes, size = Dense(UNITS, "softmax")(x), Dense(1)(x)
    switch = Dense(1, "sigmoid", kernel_initializer="ones")(x)
    model = Model(x, [classes, switch, size])
    kinds = ["sparse_categorical_crossentropy", "binary_crossentropy", "mse"]
    model.compile("sgd", kinds, metrics=[[kinds[0]], [kinds[1]], ["mae"]])
    data = SURE * np.ones((1, FEATURES))
    y = [np.array([int(model.predict(data, verbose=0)[0].argmin())]), np.zeros((1, 1)), np.zeros((1, 1))]
    if model.predict(data, verbose=0)[1] < 0.5:
        y[1] += 1
    logs = model.evaluate(data, y, verbose=0, return_dict=True)
    first, second = model.output_names[:2]
    assert logs[f"{first}_loss"] == logs[f"{first}_{kinds[0]}"] > 17
    assert logs[f"{second}_loss"] == logs[f"{second}_{kinds[1]}"] > 17
    assert check_gradients(model, np.ones((1, FEATURES)), y)


# --- what is seen inside ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("apart", [False, True], ids=["in a Dense layer", "in a layer of its own"])
@pytest.mark.parametrize("sequence", [False, True], ids=["one output", "sequence"])
def test_a_trace_shows_the_gradient_of_the_logits(sequence, apart):
    x, y = batch("CategoricalCrossentropy", sequence)
    model = Sequential(stack(rnn_core.layers, "softmax", sequence, apart))
    model.compile("sgd", "categorical_crossentropy")
    t = trace(model, x, y)
    last = t[-1]
    count = BATCH * (TIMESTEPS if sequence else 1)
    assert last.d_output is None
    assert "d_output" not in last.arrays()
    np.testing.assert_allclose(last.d_preactivation, (t.output - y) / count, atol=1e-7)
    np.testing.assert_allclose(rnn_core.activations.softmax(last.preactivation), t.output, 1e-6)
    np.testing.assert_allclose((t.sample_losses * t.sample_shares).sum(), t.loss, 1e-6)
    np.testing.assert_array_equal(t.d_output, last.d_preactivation)


def test_a_sure_classifier_has_no_finding_of_weights_without_gradient():
    x, y = batch("BinaryCrossentropy", False)
    model = Sequential(stack(rnn_core.layers, "sigmoid", False, False))
    model.layers[-1].kernel[...] *= 1000
    model.compile("sgd", "binary_crossentropy")
    t = trace(model, x, y)
    assert (t[-1].derivative == 0).any()
    assert t[-1].d_preactivation.any(axis=0).all()
    assert "zero gradient" not in diagnose(model, x, y).kinds
