"""Sequential models: built as in Keras; one vector of weights, also where layers are shared, popped or copied."""

from __future__ import annotations

import copy
import gc
import os
import pickle

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import rnn_core
from rnn_core.layers import Activation, Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Model, Sequential

X = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)
Y = X[:, 0, :1]


def make(**given):
    return Sequential([Input((3, 2)), SimpleRNN(4, name="memory"), Dense(2, "relu", name="middle"), Dense(1)], **given)


def trained(model, epochs=2, **given):
    if not model.compiled:
        model.compile("rmsprop", "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, **given)
    return model


def assert_one_vector(model):
    """All weights lie in the model's vector, one layer after the other."""
    assert sum(layer.vector.size for layer in model.layers) == model.vector.size == model.count_params()
    start = model.vector.ctypes.data
    for layer in model.layers:
        if layer.vector.size:
            assert layer.vector.ctypes.data == start
            start += layer.vector.nbytes
        for name, view in layer.views(layer.vector).items():
            assert getattr(layer, name).ctypes.data == view.ctypes.data
    assert model.vector.flags.c_contiguous


# Building.

WAYS = {
    "Input first": lambda k: [k.Input((3, 2)), k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "Input(batch_shape)": lambda k: [k.Input(batch_shape=(None, 3, 2)), k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "input_shape": lambda k: [k.layers.SimpleRNN(4, input_shape=(3, 2)), k.layers.Dense(1)],
    "any length": lambda k: [k.layers.SimpleRNN(4, input_shape=(None, 2)), k.layers.Dense(1)],
    "InputLayer": lambda k: [k.layers.InputLayer(shape=(3, 2)), k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "input_dim": lambda k: [k.layers.Dense(4, input_dim=2), k.layers.Dense(1)],
    "no shape": lambda k: [k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "nothing": lambda k: [],
}


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
@pytest.mark.parametrize("by", ["list", "add"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_make_a_model_makes_keras_model(way, by):
    models = []
    for k in (keras, rnn_core):
        layers = WAYS[way](k)
        model = k.Sequential(layers if by == "list" else None, name="chain")
        for layer in layers if by == "add" else ():
            model.add(layer)
        models.append(model)
    theirs, ours = models
    assert ours.built == theirs.built
    assert ours.name == theirs.name == "chain"
    assert len(ours.layers) == len(theirs.layers)
    if ours.built:
        assert ours.input_shape == theirs.input_shape
        assert ours.output_shape == theirs.output_shape
        assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
        assert ours.count_params() == theirs.count_params()
        assert_one_vector(ours)


def test_names_count_as_in_keras():
    made = []
    for k in (keras, rnn_core):
        k.utils.clear_session()
        layers = [k.layers.SimpleRNN(2), k.layers.Dense(1), k.layers.Dense(1), k.layers.Dense(1, name="mine")]
        layers += [k.layers.Activation("relu"), k.layers.Dropout(0.1), k.layers.Masking(), k.layers.Dense(3)]
        models = [k.Sequential(), k.Sequential(layers[:1]), k.Sequential(name="own")]
        made.append([item.name for item in layers + models])
    assert made[0] == made[1]
    with pytest.raises(ValueError, match="has a layer 'a' already: names must differ"):
        Sequential([Dense(1, name="a"), Dense(2, name="a")])


def test_what_is_no_layer_is_refused():
    for bad, message in (
        (Dense, "only layers can be added, got type"),
        ("dense", "only layers can be added, got str: 'dense'"),
        (np.zeros(3), "only layers can be added, got ndarray"),
        (make(), "only layers can be added, got Sequential"),
    ):
        with pytest.raises(TypeError, match=message):
            Sequential([bad])
    model = make()
    with pytest.raises(ValueError, match="an Input can only be its first entry"):
        model.add(Input((3, 2)))
    with pytest.raises(ValueError, match="an Input can only be its first entry"):
        Sequential([Input((3, 2)), Input((3, 2))])
    assert trained(model).built


def test_a_layer_that_does_not_fit_is_refused_and_can_be_taken_out_again():
    model = make()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"SimpleRNN 'extra' expects \(batch, timesteps, features\), got \(batch, 1\)"):
        model.add(SimpleRNN(2, name="extra"))
    assert model.pop().name == "extra"
    assert model.built
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert_one_vector(model)
    trained(model)


def test_a_model_without_a_shape_is_built_by_the_first_data():
    for first in (
        lambda m: m.predict(X),
        lambda m: m(X),
        lambda m: trained(m),
        lambda m: m.build((None, 3, 2)),
        lambda m: m.predict(X.tolist()),
    ):
        model = Sequential([SimpleRNN(4), Dense(1)])
        assert not model.built
        assert model.weights == []
        first(model)
        assert model.built
        assert model.input_shape == (None, 3, 2)
        assert_one_vector(model)


def test_any_number_of_timesteps():
    model = Sequential([Input((None, 2)), SimpleRNN(4), Dense(1)])
    model.compile("sgd", "mse")
    for timesteps in (1, 3, 7):
        x = np.ones((5, timesteps, 2))
        assert model.predict(x).shape == (5, 1)
        model.fit(x, np.zeros(5), verbose=0)
        assert np.isfinite(model.train_on_batch(x, np.zeros(5)))
    assert model.output_shape == (None, 1)


def test_layers_by_name_and_index():
    model = make()
    assert model.get_layer("middle") is model.get_layer(index=1) is model.layers[1]
    assert model.get_layer(index=-1) is model.layers[-1]
    for ask, message in (
        (lambda: model.get_layer("nothing"), r"has no layer 'nothing': \['memory', 'middle', 'dense"),
        (lambda: model.get_layer(index=3), "has 3 layers, none at index 3"),
        (lambda: model.get_layer(), "needs a name or an index"),
        (lambda: model.get_layer("middle", 1), "needs a name or an index"),
    ):
        with pytest.raises(ValueError, match=message):
            ask()


def test_a_model_without_weights_runs():
    model = Sequential([Input((3, 2)), Masking(), Dropout(0.5), Activation("tanh")])
    assert model.count_params() == 0
    assert model.get_weights() == []
    np.testing.assert_allclose(model.predict(X), np.tanh(X), rtol=1e-6)
    model.compile("sgd", "mse")
    assert model.evaluate(X, np.tanh(X), verbose=0) == pytest.approx(0, abs=1e-12)
    model.fit(X, X, verbose=0)


# Adding and removing.


def test_pop_and_add_keep_the_weights_of_the_others():
    model = trained(make())
    kept = [w.copy() for w in model.get_weights()]
    last = model.pop()
    assert model.output_shape == (None, 2)
    assert model.built
    assert_one_vector(model)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept[:-2], strict=True))
    assert model.predict(X).shape == (6, 2)
    model.add(Dense(3))
    assert_one_vector(model)
    assert model.output_shape == (None, 3)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept[:-2], strict=False))
    assert np.array_equal(last.get_weights()[0], kept[-2])
    model.pop()
    model.add(last)
    assert_one_vector(model)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept, strict=True))


def test_a_changed_model_needs_a_new_optimizer_and_trains_with_it():
    model = trained(make())
    model.pop()
    model.add(Dense(1))
    with pytest.raises(ValueError, match="was built on other weights"):
        trained(model)
    model.compile("rmsprop", "mse")
    before = model.get_weights()
    trained(model)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_popping_everything():
    model = make()
    names = [model.pop().name for _ in range(3)]
    assert names[-1] == "memory"
    assert not model.built
    with pytest.raises(ValueError, match="has no layer to remove"):
        model.pop()
    model.add(Dense(5))
    assert model.output_shape == (None, 3, 5)  # the Input is still there


def test_a_popped_layer_can_go_into_another_model():
    model = make()
    last = model.pop()
    weights = last.get_weights()
    other = Sequential([Input((3, 2)), SimpleRNN(2), last])
    assert_one_vector(other)
    assert np.array_equal(other.layers[1].get_weights()[0], weights[0])
    before = model.vector.copy()
    trained(other)
    assert np.array_equal(model.vector, before)
    assert_one_vector(model)


def test_freezing_the_model_freezes_its_layers():
    model = make()
    assert model.trainable
    model.trainable = False
    assert not any(layer.trainable for layer in model.layers)
    assert model.trainable_weights == []
    before = model.vector.copy()
    trained(model)
    assert np.array_equal(model.vector, before)
    model.layers[1].trainable = True
    assert model.trainable
    trained(model)
    assert [np.array_equal(a, b) for a, b in zip(model.parts(before), model.parts(model.vector), strict=True)] == [
        True,
        False,
        True,
    ]
    model.trainable = True
    assert len(model.trainable_weights) == len(model.weights)


# Sharing layers.


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)])
def test_layers_next_to_each_other_are_shared_memory_and_all(first, last):
    whole = make()
    shape = whole.input_shape if first == 0 else (None, whole.layers[first].input_shape[-1])
    part = Sequential([Input(shape[1:]), *whole.layers[first:last]])
    assert np.shares_memory(part.vector, whole.vector)
    assert_one_vector(part)
    assert_one_vector(whole)
    before = whole.vector.copy()
    x = X if first == 0 else np.ones((6, shape[-1]), np.float32)
    part.compile("sgd", "mse")
    part.fit(x, np.ones((6, *part.output_shape[1:])), epochs=3, verbose=0)
    moved = whole.vector != before
    assert moved.any()
    inside = np.concatenate([np.full(layer.vector.size, first <= i < last) for i, layer in enumerate(whole.layers)])
    assert not moved[~inside].any()
    trained(whole)
    assert_one_vector(part)
    np.testing.assert_array_equal(part.vector, whole.vector[inside])


def test_layers_that_lie_apart_are_refused():
    whole = make()
    for layers in ([whole.layers[0], Dense(1)], [Dense(2), whole.layers[2]], [whole.layers[0], whole.layers[2]]):
        before = whole.vector.copy()
        with pytest.raises(ValueError, match=r"weights lie in one vector with the others of model|it was built for"):
            Sequential([Input((3, 2)), *layers])
        assert_one_vector(whole)
        assert np.array_equal(whole.vector, before)
    trained(whole)


def test_a_layer_outlives_its_model():
    model = make()
    layer, weights = model.layers[0], model.layers[0].get_weights()
    model = None
    gc.collect()
    other = Sequential([Input((3, 2)), layer, Dense(3)])
    assert_one_vector(other)
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), weights, strict=True))
    other.compile("sgd", "mse")
    other.fit(X, np.zeros((6, 3)), verbose=0)


def test_a_layer_used_by_itself_keeps_its_weights_in_a_model():
    layer = SimpleRNN(4)
    alone = layer(X)
    model = Sequential([Input((3, 2)), layer])
    assert np.array_equal(model.predict(X), alone)
    model.vector[...] = 0
    assert not layer(X).any()


def test_a_model_that_grows_takes_its_sharers_along():
    """The shared layers move to a new vector; a model that shares them must not train on the old one."""
    whole = make()
    part = Sequential([Input((3, 2)), *whole.layers[:2]])
    whole.add(Dense(2))
    assert_one_vector(whole)
    part.compile("sgd", "mse")
    before = part.get_weights()
    part.fit(X, np.ones((6, 2)), epochs=3, verbose=0)
    assert any((a != b).any() for a, b in zip(before, part.get_weights(), strict=True))
    assert_one_vector(part)
    assert np.array_equal(part.predict(X), whole.layers[1](whole.layers[0](X)))


# Copies.

COPIES = {"pickle": lambda m: pickle.loads(pickle.dumps(m)), "deepcopy": copy.deepcopy, "copy": copy.copy}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd"])
def test_a_copy_goes_on_like_the_original(way, optimizer):
    model = make()
    model.compile(optimizer, "mse", metrics=["mae"], weighted_metrics=["mse"])
    trained(model, sample_weight=np.ones(6))
    again = COPIES[way](model)
    assert_one_vector(again)
    assert not np.shares_memory(again.vector, model.vector)
    assert np.array_equal(again.vector, model.vector)
    assert again.get_config() == model.get_config()
    assert again.get_compile_config() == model.get_compile_config()
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    trained(model)
    assert not np.array_equal(again.vector, model.vector)
    trained(again)
    assert np.array_equal(again.vector, model.vector)
    assert again.optimizer.iterations == model.optimizer.iterations == 8
    for name, slot in model.optimizer.slots.items():
        assert np.array_equal(again.optimizer.slots[name], slot)


@pytest.mark.parametrize("way", COPIES)
def test_models_can_be_copied_in_any_state(way):
    unbuilt = COPIES[way](Sequential([SimpleRNN(2), Dense(1)]))
    assert not unbuilt.built
    assert trained(unbuilt).built
    uncompiled = COPIES[way](make())
    assert not uncompiled.compiled
    trained(uncompiled)
    empty = COPIES[way](Sequential(name="empty"))
    assert (empty.name, empty.layers) == ("empty", [])
    stateful = Sequential([Input(batch_shape=(6, 3, 2)), SimpleRNN(2, stateful=True), Dropout(0.5, seed=1)])
    stateful.predict(X)
    twin = COPIES[way](stateful)
    assert np.array_equal(twin.layers[0].state, stateful.layers[0].state)
    assert not np.shares_memory(twin.layers[0].state, stateful.layers[0].state)
    assert np.array_equal(twin(X, training=True), stateful(X, training=True))


def test_a_pickle_holds_each_weight_once():
    """And no records, gradients or callbacks: only the weights and the optimizer's averages."""
    model = Sequential([Input((64,)), Dense(256), Dense(64)])
    model.compile("rmsprop", "mse")
    x = np.zeros((2000, 64), np.float32)
    model.fit(x, x, verbose=0, callbacks=[rnn_core.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)])
    model.train_on_batch(x, x)
    model.predict(x)
    assert len(pickle.dumps(model)) < 2 * model.vector.nbytes + 20_000


def test_models_go_to_the_config_and_back():
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
    assert isinstance(model, Model)
    assert repr(model) == "<Sequential name=mine, built=True>"


def test_records_are_kept_for_a_few_shapes_only():
    """Batches of ever new lengths must not fill the memory."""
    model = Sequential([Input((None, 2)), SimpleRNN(4), Dense(1)])
    model.compile("sgd", "mse")
    for timesteps in range(1, 120):
        x = np.ones((2, timesteps, 2), np.float32)
        model.predict(x)
        model.train_on_batch(x, np.ones((2, 1), np.float32))
        model.test_on_batch(x, np.ones((2, 1), np.float32))
    assert len(model._free_passes) <= 16
    assert len(model._kept_steps.made) <= 16
    model.predict(x)
    assert model._free_passes[x.shape]  # and of the newest they are


def test_what_is_assigned_to_a_weight_is_what_the_model_computes_with():
    model = Sequential([Input((3, 2)), SimpleRNN(5), Dense(1)])
    x = np.ones((4, 3, 2))
    before, layer = model.predict(x), model.layers[0]
    layer.kernel = np.full((2, 5), 0.5)
    assert np.shares_memory(layer.kernel, model.vector)
    assert (model.predict(x) != before).all()
    layer.kernel *= 2
    np.testing.assert_array_equal(layer.get_weights()[0], np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"weight 'kernel' has shape \(2, 5\), got \(5,\)"):
        layer.kernel = np.ones(5)
    np.testing.assert_array_equal(layer.kernel, np.ones((2, 5)))


def test_a_keras_config_makes_a_model():
    theirs = keras.Sequential([keras.layers.Input((3, 2)), keras.layers.SimpleRNN(4), keras.layers.Dense(1)])
    config = theirs.get_config()
    model = Sequential.from_config(config)
    assert [weight.shape for weight in model.weights] == [(2, 4), (4, 4), (4,), (4, 1), (1,)]
    config["layers"][0]["config"]["sparse"] = True
    with pytest.raises(ValueError, match="sparse=True is not supported"):
        Sequential.from_config(config)
