"""What holds for every layer: configs make the same layer again, copies are independent, weights are views."""

from __future__ import annotations

import copy
import inspect
import json
import pickle

import numpy as np
import pytest

import rnn_core
from rnn_core import layers
from rnn_core.layers import Activation, Dense, Dropout, Layer, Masking, SimpleRNN, SimpleRNNCell
from rnn_core.layers.wrapper import Wrapper
from rnn_core.several import as_list

from .against_keras import keras


def random_array(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# --- every layer: configs -------------------------------------------------------------------------------------

BASE = {"name": "one", "dtype": "float64", "trainable": False, "activity_regularizer": "l1"}
WEIGHTS = {
    "kernel_initializer": {"class_name": "RandomNormal", "config": {"stddev": 0.1, "seed": 3}},
    "bias_initializer": "ones",
    "kernel_regularizer": "l1",
    "bias_regularizer": "l1l2",
    "kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 3}},
    "bias_constraint": "non_neg",
}
CELL = {
    "units": 3,
    "activation": {"class_name": "leaky_relu", "config": {"negative_slope": 0.1}},
    "use_bias": True,
    **WEIGHTS,
    "recurrent_initializer": "glorot_normal",
    "recurrent_regularizer": "l2",
    "recurrent_constraint": "unit_norm",
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "seed": 7,
}
FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
EVERY_ARGUMENT = {
    "Dense": (Dense, {"units": 3, "activation": "relu", "use_bias": False, **WEIGHTS}, (2, 4)),
    "SimpleRNN": (SimpleRNN, {**CELL, **dict.fromkeys(FLAGS, True)}, (2, 3, 4)),
    "SimpleRNNCell": (SimpleRNNCell, CELL, (2, 4)),
    "Dropout": (Dropout, {"rate": 0.5, "noise_shape": (None, 1), "seed": 2}, (2, 4)),
    "Activation": (Activation, {"activation": "softplus"}, (2, 4)),
    "Masking": (Masking, {"mask_value": -1.0}, (2, 3, 4)),
    "Embedding": (
        layers.Embedding,
        {
            "input_dim": 5,
            "output_dim": 3,
            "embeddings_initializer": "ones",
            "embeddings_regularizer": "l1",
            "embeddings_constraint": "non_neg",
            "mask_zero": True,
        },
        (2, 3),
    ),
    "Flatten": (layers.Flatten, {"data_format": "channels_first"}, (2, 3, 4)),
    "Reshape": (layers.Reshape, {"target_shape": (-1, 2)}, (2, 3, 4)),
    "RepeatVector": (layers.RepeatVector, {"n": 3}, (2, 4)),
    **{
        name: (getattr(layers, name), {"data_format": "channels_first", "keepdims": True}, (2, 3, 4))
        for name in ("GlobalAveragePooling1D", "GlobalMaxPooling1D")
    },
    **{
        name: (getattr(layers, name), {}, [(2, 3, 4), (2, 1, 4)])
        for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    },
    "Concatenate": (layers.Concatenate, {"axis": 1}, [(2, 3, 4), (2, 1, 4)]),
    # Layers inside are made anew for every wrapper, ours or Keras'.
    "TimeDistributed": (
        layers.TimeDistributed,
        {"layer": lambda module: module.layers.Dense(3, dtype="float64", name="inside")},
        (2, 3, 4),
    ),
    "Bidirectional": (
        layers.Bidirectional,
        {
            "layer": lambda module: module.layers.SimpleRNN(3, dtype="float64", name="inside", return_sequences=True),
            "merge_mode": None,
            "backward_layer": lambda module: module.layers.SimpleRNN(
                2, dtype="float64", name="back", return_sequences=True, go_backwards=True
            ),
        },
        (2, 3, 4),
    ),
}
every_layer = pytest.mark.parametrize("name", EVERY_ARGUMENT)


def arguments_of(name: str, module=rnn_core) -> dict:
    """Return the arguments of a layer, with layers of `module` inside."""
    arguments = EVERY_ARGUMENT[name][1]
    return {key: value(module) if callable(value) else value for key, value in arguments.items()}


def made(name: str) -> Layer:
    return EVERY_ARGUMENT[name][0](**arguments_of(name), **BASE)


def inputs_of(name: str) -> np.ndarray | list[np.ndarray]:
    """Return what the layer is called on: a list of arrays for those that merge several."""
    shape = EVERY_ARGUMENT[name][2]
    if isinstance(shape, list):
        return [random_array(one, seed) for seed, one in enumerate(shape)]
    if name == "Embedding":
        return np.random.default_rng(0).integers(0, 5, shape).astype("float64")
    return random_array(shape)


@every_layer
def test_the_config_names_every_argument(name):
    kind, arguments, _ = EVERY_ARGUMENT[name]
    own = inspect.signature(kind).parameters if kind.__init__ is not Layer.__init__ else ()
    named = {p for p in own if p != "kwargs"}
    # activity_regularizer comes by name in some constructors, by **kwargs in the others.
    assert named - {"activity_regularizer"} == set(arguments), "the test leaves an argument out"
    config = made(name).get_config()
    assert set(config) == set(arguments) | set(BASE)


@every_layer
@pytest.mark.parametrize("route", ["from_config", "json", "serialize"])
def test_a_layer_made_from_a_config_has_that_config(name, route):
    layer = made(name)
    config = layer.get_config()
    if route == "from_config":
        again = type(layer).from_config(config)
    elif route == "json":
        again = type(layer).from_config(json.loads(json.dumps(config)))
    else:
        again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert again.get_config() == config
    assert type(again) is type(layer)
    # And it can be used: with the same weights it gives the same.
    x = inputs_of(name)
    for one in (layer, again):
        outputs(one, x, training=False)
        if isinstance(one, SimpleRNN):
            one.reset_state()
    again.set_weights(layer.get_weights())
    for a, b in zip(outputs(layer, x, training=False), outputs(again, x, training=False), strict=True):
        np.testing.assert_array_equal(a, b)


@every_layer
def test_default_configs_are_as_small_as_their_arguments(name):
    kind, arguments = EVERY_ARGUMENT[name][0], arguments_of(name)
    required = {
        p.name: arguments[p.name]
        for p in inspect.signature(kind).parameters.values()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    layer = kind(**required)
    assert kind.from_config(layer.get_config()).get_config() == layer.get_config()


@every_layer
def test_keras_reads_our_configs_and_we_read_keras(name):
    kind = EVERY_ARGUMENT[name][0]
    elu = {"activation": "elu"}  # Keras has arguments of activations in layers of their own
    arguments, keras_arguments = (
        {**given, **(elu if "activation" in given else {})} for given in (arguments_of(name), arguments_of(name, keras))
    )
    base = {key: value for key, value in BASE.items() if key != "activity_regularizer"}
    if issubclass(kind, Wrapper):  # one made frozen freezes what is inside; Keras' goes on training it
        base["trainable"] = True
    ours = kind(**arguments, **base)
    theirs = getattr(keras.layers, name)(**keras_arguments, **base)
    ours_again = kind.from_config(theirs.get_config())
    theirs_again = type(theirs).from_config(ours.get_config())
    keys = set(ours.get_config()) & set(theirs.get_config())
    assert keys >= set(arguments) - {"seed"}  # Keras' SimpleRNN leaves its seed out
    for key in keys - {"dtype"}:
        assert close(ours.get_config()[key], theirs.get_config()[key]), key
        assert close(ours_again.get_config()[key], ours.get_config()[key]), key
        assert close(theirs_again.get_config()[key], theirs.get_config()[key]), key
    assert ours_again.dtype == theirs_again.compute_dtype == "float64"


def close(one, other) -> bool:
    """Whether two configs are equal, numbers up to float32: Keras rounds the factors of regularizers to it."""
    if isinstance(one, dict):
        names = {key for key in one.keys() & other.keys() if key not in ("module", "registered_name", "dtype")}
        return one.get("class_name") == other.get("class_name") and all(close(one[key], other[key]) for key in names)
    if isinstance(one, float):
        return one == pytest.approx(other, rel=1e-6)
    if isinstance(one, (list, tuple)):
        return list(one) == list(other)
    return one == other


# --- every layer: copies and views ----------------------------------------------------------------------------

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda x, n=n: pickle.loads(pickle.dumps(x, n)) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)},
}


def outputs(layer: Layer, x: np.ndarray, training: bool = True) -> list[np.ndarray]:
    """Return all that a call gives: training, so that dropout is in it."""
    if isinstance(layer, SimpleRNNCell):
        return [layer(x, random_array((len(x), layer.units), 9), training=training)[0]]
    returned = layer(x, training=training)
    return list(returned) if isinstance(returned, tuple) else [returned]


def assert_views_of_one_vector(layer: Layer) -> None:
    """Writing to the vector is writing to the weights, and the other way round."""
    names = [spec.name for spec in layer.specs]
    assert sum(weight.size for weight in layer.weights) == layer.vector.size
    layer.vector[...] = np.arange(layer.vector.size)
    seen = np.sort(np.concatenate([np.empty(0), *(getattr(layer, name).ravel() for name in names)]))
    np.testing.assert_array_equal(seen, np.arange(layer.vector.size))
    for name in names:
        getattr(layer, name).fill(-1)
    assert (layer.vector == -1).all()


@every_layer
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("built", [True, False])
def test_copies_give_the_same_and_are_independent(name, how, built):
    layer, x = made(name), inputs_of(name)
    if built:
        outputs(layer, x)  # also moves the stream of dropout and the state on
    copied = COPIES[how](layer)
    assert copied.get_config() == layer.get_config()
    assert copied.built is built
    if not built:
        outputs(layer, x)
        assert not copied.built
        return
    expected = outputs(copied, x), outputs(copied, x)
    # What the copy did has left no trace in the layer: it gives the same from the same starting point.
    for first, second in zip(expected, (outputs(layer, x), outputs(layer, x)), strict=True):
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
    kept = layer.get_weights()
    assert_views_of_one_vector(copied)
    for weight, before in zip(layer.weights, kept, strict=True):
        np.testing.assert_array_equal(weight, before)
    assert_views_of_one_vector(layer)


@every_layer
def test_weights_are_views_and_get_weights_are_copies(name):
    layer, x = made(name), inputs_of(name)
    outputs(layer, x)
    taken = layer.get_weights()
    assert not any(np.shares_memory(weight, layer.vector) for weight in taken)
    assert all(np.shares_memory(weight, layer.vector) for weight in layer.weights)
    assert_views_of_one_vector(layer)
    layer.set_weights(taken)
    for weight, expected in zip(layer.weights, taken, strict=True):
        np.testing.assert_array_equal(weight, expected)
    if taken:
        with pytest.raises(ValueError, match=f"weight '{layer.specs[0].name}' has shape"):
            layer.set_weights([np.ones((1, 1)), *taken[1:]])
        with pytest.raises(ValueError, match=f"expects {len(taken)} arrays"):
            layer.set_weights(taken[1:])
        with pytest.raises(TypeError, match="must be numeric"):
            layer.set_weights([taken[0].astype(str), *taken[1:]])


@every_layer
def test_a_call_outside_training_changes_nothing_in_the_layer(name):
    """So threads can share one. (A stateful layer keeps its state, of course.)"""
    kind, arguments = EVERY_ARGUMENT[name][0], arguments_of(name)
    layer = kind(**{key: value for key, value in arguments.items() if key != "stateful"}, dtype="float64")
    x = inputs_of(name)
    first = outputs(layer, x, training=False)
    before = {key: (value, pickle.dumps(value)) for key, value in layer.__getstate__().items()}
    again = outputs(layer, x, training=False)
    for key, value in layer.__getstate__().items():
        assert value is before[key][0] or pickle.dumps(value) == before[key][1], key
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


@every_layer
@pytest.mark.parametrize("training", [True, False])
def test_a_call_returns_new_contiguous_arrays_and_leaves_its_input_alone(name, training):
    layer, x = made(name), inputs_of(name)
    kept = copy.deepcopy(x)
    results = [array for _ in range(2) for array in outputs(layer, x, training)]
    for part, before in zip(as_list(x), as_list(kept), strict=True):
        np.testing.assert_array_equal(part, before)
    for number, array in enumerate(results):
        assert array.flags.c_contiguous
        assert array.dtype == np.float64
        assert not any(np.shares_memory(array, other) for other in (*as_list(x), layer.vector, *results[:number]))
