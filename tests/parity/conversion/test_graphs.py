"""Functional models go to Keras and back as they are, and both sides compute the same."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given

from tests.rnn_core.finite_differences import SEEDS, examples
from tests.rnn_core.random_graphs import built, data, graphs, randomize

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import parity
import rnn_core
from rnn_core.layers import Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Model, Sequential
from rnn_core.several import as_list

DRAWS = np.random.default_rng(1)
PAST, TODAY = DRAWS.normal(size=(8, 3, 2)), DRAWS.normal(size=(8, 3))
LEVEL, KIND = DRAWS.normal(size=(8, 1)), DRAWS.integers(0, 3, 8)


def two(masked=False, dtype="float32", **named):
    past, today = Input((3, 2), name="past", dtype=dtype), Input((3,), name="today", dtype=dtype)
    start = Dense(4, "tanh", name="start", dtype=dtype)
    source = Masking(name="mask", dtype=dtype)(past) if masked else past
    h = SimpleRNN(4, name="memory", dtype=dtype)(source, **({} if masked else {"initial_state": start(today)}))
    level = Dense(1, name="level", dtype=dtype)(h)
    kind = Dense(3, "softmax", name="kind", dtype=dtype)(start(today))
    return Model([past, today], [level, kind], **named)


def same(ours, again, x):
    assert [layer.name for layer in again.layers] == [layer.name for layer in ours.layers]
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in ours.layers]
    assert again.get_config() == ours.get_config()
    np.testing.assert_array_equal(again.vector, ours.vector)
    for a, b in zip(as_list(again.predict(x)), as_list(ours.predict(x)), strict=True):
        np.testing.assert_array_equal(a, b)


@examples(5)
@given(graphs(), SEEDS)
def test_any_graph_comes_back_from_keras(graph, seed):
    model = built(rnn_core, graph)
    randomize(model, np.random.default_rng(seed))
    x = data(model, np.random.default_rng(seed))
    theirs = parity.to_keras(model)
    assert [layer.name for layer in theirs.layers] == [layer.name for layer in model.layers]
    same(model, parity.from_keras(theirs), x)


@examples(4)
@given(graphs(masking=True), SEEDS)
def test_any_graph_takes_keras_step(graph, seed):
    draws = np.random.default_rng(seed)
    model = built(rnn_core, graph)
    randomize(model, draws)
    x = data(model, draws)
    for part in x:
        if part.ndim == 3:
            part[1, 1] = 0  # a step in the middle: one at either end Keras on TensorFlow takes wrongly, from a state
    y = [draws.normal(size=part.shape) for part in as_list(model.predict(x))]
    model.compile("rmsprop", "mse")
    report = parity.check(model, x, y if len(y) > 1 else y[0], dtypes=["float64"])
    assert report.holds, report


@pytest.mark.parametrize("masked", [False, True])
def test_what_a_model_was_compiled_with(masked):
    model = two(masked, name="two")
    model.compile(
        rnn_core.optimizers.Adam(0.01),
        {"level": "mse", "kind": rnn_core.losses.SparseCategoricalCrossentropy()},
        loss_weights=[2, 0.5],
        metrics={"kind": ["accuracy"]},
        weighted_metrics=[["mae"], None],
    )
    model.fit([PAST, TODAY], [LEVEL, KIND], verbose=0, epochs=2)
    theirs = parity.to_keras(model)
    again = parity.from_keras(theirs)
    same(model, again, [PAST, TODAY])
    assert again.loss.get_config() == model.loss.get_config()
    assert again.loss.coefficients == model.loss.coefficients
    assert again.optimizer.iterations == model.optimizer.iterations == 2
    for name, slot in model.optimizer.slots.items():
        np.testing.assert_array_equal(again.optimizer.slots[name], slot)
    logs = [m.evaluate([PAST, TODAY], [LEVEL, KIND], verbose=0, return_dict=True) for m in (model, theirs, again)]
    assert set(logs[0]) == set(logs[1]) == set(logs[2])
    for name, value in logs[0].items():
        assert logs[1][name] == pytest.approx(value, rel=1e-5)
        assert logs[2][name] == value
    for m in (model, theirs, again):
        m.fit([PAST, TODAY], [LEVEL, KIND], verbose=0, shuffle=False)
    for layer in model.layers:
        for a, b, c in zip(
            layer.weights, theirs.get_layer(layer.name).get_weights(), again.get_layer(layer.name).weights, strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
            np.testing.assert_array_equal(a, c)


def test_one_output_compiled_by_name():
    a = Input((3,), name="a")
    model = Model(a, Dense(1, name="head")(Dense(4, "tanh")(a)))
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(TODAY, LEVEL, verbose=0)
    again = parity.from_keras(parity.to_keras(model))
    same(model, again, TODAY)
    assert again.get_compile_config()["metrics"] == ["mae"]


@pytest.mark.parametrize(
    "given",
    [
        {"loss": {"head": "mse"}},
        {"loss": ["mse"], "weighted_metrics": [["mae"]]},
        {"loss": "mse", "metrics": {"head": ["mae", keras.metrics.MeanSquaredError("error")]}},
        {"loss": keras.losses.Huber(0.3), "metrics": {"head": "mae"}},
    ],
)
def test_one_output_compiled_in_keras_as_several_are(given):
    a = keras.Input((3,), name="a")
    theirs = keras.Model(a, keras.layers.Dense(1, name="head")(a))
    theirs.compile("rmsprop", **given)
    theirs.fit(TODAY, LEVEL, verbose=0)
    ours = parity.from_keras(theirs)
    found, expected = (model.evaluate(TODAY, LEVEL, verbose=0, return_dict=True) for model in (ours, theirs))
    assert found == pytest.approx(expected, rel=1e-5)
    same(ours, parity.from_keras(parity.to_keras(ours)), TODAY)


def test_an_input_wider_than_the_layers_rounds_nothing():
    a = keras.Input((3,), name="a", dtype="float64")
    theirs = keras.Model(a, keras.layers.Dense(1, dtype="float32")(a))
    ours = parity.from_keras(theirs)
    assert ours.dtype == "float32"
    x = TODAY.astype(np.float64) / 3
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=1e-6)


def test_chains_in_a_chain_come_over_as_their_layers():
    innermost = keras.Sequential([keras.layers.SimpleRNN(3, name="upper")])
    inner = keras.Sequential([keras.layers.SimpleRNN(4, return_sequences=True, name="lower"), innermost])
    inner.trainable = False
    theirs = keras.Sequential([keras.Input((3, 2)), inner, keras.layers.Dense(1, name="head")])
    theirs.compile("rmsprop", "mse")
    theirs.fit(PAST, LEVEL, verbose=0)
    ours = parity.from_keras(theirs)
    assert [(layer.name, layer.trainable) for layer in ours.layers] == [
        ("lower", False),
        ("upper", False),
        ("head", True),
    ]
    assert parity.check(ours, PAST, LEVEL, keras_model=theirs).holds


def test_a_model_made_in_keras():
    a, b = keras.Input((3, 2), name="a"), keras.Input((3, 2), name="b")
    inner = keras.Sequential([keras.layers.SimpleRNN(4, return_sequences=True, name="inner_memory")], name="inner")
    shared = keras.layers.SimpleRNN(2, name="shared")
    h = keras.layers.Masking(name="mask")(a)
    model = keras.Model([a, b], [shared(h), shared(b), keras.layers.Dense(1, name="head")(inner(b))], name="made")
    ours = parity.from_keras(model)
    assert "inner_memory" in [layer.name for layer in ours.layers]
    x = [np.where(DRAWS.random((8, 3, 1)) < 0.4, 0, PAST), PAST]
    for mine, theirs in zip(ours.predict(x), model.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("compute", "operation"),
    [
        (lambda a: keras.layers.Dense(1)(keras.ops.sin(a)), "Sin 'sin"),
        (lambda a: keras.layers.Dense(1)(a * 2 + 1), "Add 'add|Multiply 'multiply"),
        (lambda a: keras.layers.Add()([a, a * 0.5]), "Multiply 'multiply"),
        (lambda a: keras.ops.tanh(keras.layers.Dense(1)(a)), "Tanh 'tanh"),
        (
            lambda a: keras.layers.SimpleRNN(3)(keras.layers.RepeatVector(2)(a), initial_state=a[:, ::-1]),
            "GetItem 'get_item",
        ),
    ],
)
def test_an_operation_that_is_no_layer_is_refused(compute, operation):
    a = keras.Input((3,), name="a")
    with pytest.raises(parity.ConversionError, match=f"^({operation}).* is an operation and no layer"):
        parity.from_keras(keras.Model(a, compute(a)))


def test_a_layer_that_is_not_here_is_refused():
    b = keras.Input((3, 2), name="b")
    convolution = keras.Model(b, keras.layers.Conv1D(2, 1)(b))
    with pytest.raises(parity.ConversionError, match="Conv1D"):
        parity.from_keras(convolution)


def test_the_layers_around_recurrent_ones():
    made = rnn_core.layers
    words, past = Input((3,), dtype="int32", name="words"), Input((3, 2), name="past")
    h = made.Embedding(5, 2, embeddings_initializer="uniform", mask_zero=False, name="table")(words)
    both = made.Concatenate(name="both")([h, past, made.Subtract(name="less")([h, past])])
    low = made.Minimum(name="low")([made.Maximum(name="high")([h, past]), past])
    flat = made.Flatten(name="flat")(low)
    again = made.Reshape((3, 2), name="again")(flat)
    pooled = made.GlobalMaxPooling1D(name="max")(both), made.GlobalAveragePooling1D(name="mean")(both)
    told = made.RepeatVector(2, name="told")(made.Average(name="average")(list(pooled)))
    model = Model([words, past], [SimpleRNN(3, name="memory")(told), Dense(1, name="head")(again)])
    x = [DRAWS.integers(0, 5, (8, 3)), PAST]
    theirs = parity.to_keras(model)
    same(model, parity.from_keras(theirs), x)
    for a, b in zip(model.predict(x), theirs.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [None, "concatenate", "concatenate_3", "logical_or", "any"])
def test_names_that_keras_gives_to_what_it_makes_masks_of(name):
    """Those of our layers come first: Keras refuses a model in which a name is used twice."""
    keras.backend.clear_session()
    a, b = Input((3, 2)), Input((3, 2))
    for _ in range(2):
        both = rnn_core.layers.Concatenate(axis=1, name=name)([a, rnn_core.layers.Masking()(b)])
        model = Model([a, b], SimpleRNN(2)(both))
        x = [PAST, np.where(DRAWS.random((8, 3, 1)) < 0.4, 0, PAST)]
        same(model, parity.from_keras(parity.to_keras(model)), x)


def test_a_mask_of_something_else_is_refused(tmp_path):
    """Through a file and back Keras makes the masks of a model twice, in the same way."""
    a, b = keras.Input((3, 2), name="a"), keras.Input((3, 2), name="b")
    known = keras.layers.Masking(name="known")(b)
    both = keras.layers.Concatenate(axis=1, name="both")([a, known])
    right = keras.Model([a, b], keras.layers.SimpleRNN(2, name="memory")(both))
    right.save(tmp_path / "right.keras")
    assert parity.from_keras(keras.saving.load_model(tmp_path / "right.keras")).get_layer("memory").units == 2
    mask = keras.layers.Masking(name="other").compute_mask(b)
    for x, what in ((a, mask), (known, keras.layers.Masking(0.5, name="half").compute_mask(b))):
        wrong = keras.Model([a, b], keras.layers.SimpleRNN(2, name="memory")(x, mask=what))
        with pytest.raises(parity.ConversionError, match="SimpleRNN 'memory' is called with mask="):
            parity.from_keras(wrong)
        wrong.save(tmp_path / "wrong.keras")
        with pytest.raises(parity.ConversionError, match="SimpleRNN 'memory' is called with mask="):
            parity.from_keras(keras.saving.load_model(tmp_path / "wrong.keras"))


def test_dropout_that_a_call_asks_for():
    a = Input((50,), name="a")
    model = Model(a, [Dropout(0.5, name="x")(a, training=True), Dropout(0.5, name="y")(a)])
    again = parity.from_keras(parity.to_keras(model))
    assert [step.training for step in again.graph.steps] == [step.training for step in model.graph.steps]
    chain = Sequential([Input((3, 2)), SimpleRNN(2)])
    assert type(parity.from_keras(parity.to_keras(chain))) is Sequential
