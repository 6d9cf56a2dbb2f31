"""Layers from rnn_core to Keras and back: settings, weights, states, and the layers and cells inside them.

A layer is made anew from its config, with its objects (activation, initializers, ...) converted one by one, and the
layers inside it first. Jordan's cell and layer, which Keras has not, are those of jordan.py there.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from parity.backend import floatx, require_keras, to_numpy
from parity.conversion.objects import ConversionError, as_numbers, described, from_keras_object, to_keras_object, twin
from parity.parts import ARGUMENTS, keras_states_of, states_of
from rnn_core import layers

_LAYERS: tuple[Any, ...] = (
    layers.Activation,
    layers.Add,
    layers.Average,
    layers.Bidirectional,
    layers.Concatenate,
    layers.Dense,
    layers.Dropout,
    layers.Embedding,
    layers.Flatten,
    layers.GlobalAveragePooling1D,
    layers.GlobalMaxPooling1D,
    layers.JordanCell,
    layers.JordanRNN,
    layers.Masking,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.RNN,
    layers.RepeatVector,
    layers.Reshape,
    layers.SimpleRNN,
    layers.SimpleRNNCell,
    layers.StackedRNNCells,
    layers.Subtract,
    layers.TimeDistributed,
)
_JORDAN = ("JordanCell", "JordanRNN")
_OBJECTS = (  # the arguments of layers that are objects
    "activation",
    "output_activation",
    "activity_regularizer",
    *(
        f"{w}_{kind}"
        for kind in ("initializer", "regularizer", "constraint")
        for w in ("kernel", "recurrent", "output", "bias", "embeddings")
    ),
)


def layer_to_keras(layer: Any) -> Any:
    """Return a Keras layer that is the same as a layer of rnn_core (or its InputLayer), with weights and state."""
    with floatx(layer.dtype if layer.dtype.startswith("float") else "float32"):
        keras_layer = new_keras_layer(layer)
        fill_keras_layer(keras_layer, layer)
        return keras_layer


def layer_from_keras(keras_layer: Any) -> Any:
    """Return a layer of rnn_core that is the same as a Keras layer (or its InputLayer), with weights and state."""
    layer = new_layer(keras_layer)
    fill_layer(layer, keras_layer)
    return layer


# To Keras.


def new_keras_layer(layer: Any) -> Any:
    """Return a Keras layer with the same settings, without weights."""
    if isinstance(layer, layers.InputLayer):
        return require_keras().layers.InputLayer(**layer.get_config())
    label, kind = f"{type(layer).__name__} {layer.name!r}", type(layer).__name__
    if type(layer) not in _LAYERS:
        raise ConversionError(f"{label}: Keras has no such {'cell' if isinstance(layer, layers.Cell) else 'layer'}.")
    # Of JordanRNN, too, only the flags: its own config has the settings of its cell among them.
    settings = layers.RNN.get_config(layer) if isinstance(layer, layers.RNN) else layer.get_config()
    inner = {argument: getattr(layer, attribute) for argument, attribute in ARGUMENTS.get(kind, {}).items()}
    arguments = as_numbers({name: value for name, value in settings.items() if name not in inner}, layer.dtype)
    for name in _OBJECTS:
        if name in arguments:
            what = name.split("_")[-1]
            arguments[name] = to_keras_object(f"{label}: {name}", what, getattr(layer, name), layer.dtype)
    _reserve(layer.name)
    for name, part in inner.items():
        arguments[name] = [new_keras_layer(p) for p in part] if isinstance(part, list) else new_keras_layer(part)
    try:
        keras_layer = _bidirectional(arguments) if kind == "Bidirectional" else _keras_class(kind)(**arguments)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{label}: {error}") from error
    keras_layer.activity_regularizer = arguments.get("activity_regularizer")  # SimpleRNN's constructor drops it
    if inner and not layer.trainable:
        keras_layer.trainable = False  # its constructor would not freeze the layers inside
    return keras_layer


def _reserve(name: str) -> None:
    """Let Keras give this name to no operation of its own, of which masks are made, such as "concatenate"."""
    keras, (base, _, number) = require_keras(), name.rpartition("_")
    base, least = (base, int(number)) if number.isdecimal() else (name, 0)
    while hasattr(keras.ops, base) and keras.backend.get_uid(base) <= least:
        pass


def _keras_class(kind: str) -> Any:
    home: Any = importlib.import_module("parity.jordan") if kind in _JORDAN else require_keras().layers
    return getattr(home, kind)


def _bidirectional(arguments: dict[str, Any]) -> Any:
    """Return Keras' Bidirectional with these very layers: it would make its own from a config, which rounds and drops.

    So it is made with others of the same flags, which are then replaced.
    """
    keras, both = require_keras(), {"forward_layer": arguments["layer"], "backward_layer": arguments["backward_layer"]}
    stand_ins = [
        keras.layers.SimpleRNN(
            1,
            name=f"stand_in_{name}",
            **{flag: getattr(one, flag) for flag in ("return_sequences", "return_state", "stateful", "go_backwards")},
        )
        for name, one in both.items()
    ]
    others = {name: value for name, value in arguments.items() if name not in ("layer", "backward_layer")}
    made = keras.layers.Bidirectional(stand_ins[0], backward_layer=stand_ins[1], **others)
    made._layers.clear()  # where Keras keeps track of them
    for name, one in both.items():
        setattr(made, name, one)
    return made


def fill_keras_layer(keras_layer: Any, layer: Any) -> None:
    """Copy weights and states to Keras."""
    if not layer.weights:
        return
    if not keras_layer.built:
        keras_layer.build(layer.input_shape)
        keras_layer.built = True  # Keras' own wrappers and cells leave that to their callers
    keras_layer.set_weights(layer.get_weights())
    theirs = keras_states_of(keras_layer)
    for label, state in states_of(layer).items():
        ends = np.cumsum([variable.shape[-1] for variable in theirs[label]])[:-1]
        for variable, part in zip(theirs[label], np.split(state, ends, axis=1), strict=True):
            variable.assign(part.copy())  # JAX keeps the very array that it is given


# From Keras.


def new_layer(keras_layer: Any) -> Any:
    """Return a layer of rnn_core with the same settings, without weights."""
    if type(keras_layer) is require_keras().layers.InputLayer:
        return new_input(keras_layer)
    label = f"{type(keras_layer).__name__} {keras_layer.name!r}"
    cls = _our_class(label, keras_layer)
    policy = keras_layer.dtype_policy.name
    if policy not in ("float32", "float64"):
        raise ConversionError(f"{label}: its dtype policy is {policy!r}; rnn_core has float32 and float64.")
    inner = {argument: getattr(keras_layer, name) for argument, name in ARGUMENTS.get(cls.__name__, {}).items()}
    objects = {
        name: from_keras_object(f"{label}: {name}", name.split("_")[-1], getattr(keras_layer, name))
        for name in _OBJECTS
        if hasattr(keras_layer, name)
    }
    settings = {name: value for name, value in keras_layer.get_config().items() if name not in inner}
    arguments = {**as_numbers(settings), **objects}
    for name, part in inner.items():
        arguments[name] = [new_layer(p) for p in part] if isinstance(part, (list, tuple)) else new_layer(part)
    arguments |= {"dtype": policy, "trainable": keras_layer.trainable}
    if cls is layers.SimpleRNN:
        arguments |= {"seed": keras_layer.cell.seed, "trainable": keras_layer.trainable and keras_layer.cell.trainable}
    if cls is layers.JordanRNN:  # whose cell is made of the layer's own arguments
        cell = arguments.pop("cell")
        own = {name for name in cell.get_config() if name not in ("name", "trainable", "dtype")}
        arguments |= {name: getattr(cell, name) for name in own}
        arguments["trainable"] = keras_layer.trainable and cell.trainable
    for name in ("quantization_config", "shared_object_id"):
        if arguments.get(name) is None:
            arguments.pop(name, None)
    try:
        layer = cls(**arguments)
        trainable = layer.trainable
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{label}: {error}") from error
    if trainable and len(keras_layer.trainable_weights) < len(keras_layer.weights):
        raise ConversionError(f"{label}: some of its weights are frozen and some not; rnn_core freezes whole layers.")
    return layer


def _our_class(label: str, keras_layer: Any) -> Any:
    """Return the class that stands for that of a Keras layer."""
    kind = type(keras_layer).__name__
    if kind in _JORDAN and type(keras_layer) is _keras_class(kind):
        return getattr(layers, kind)
    known = [cls for cls in _LAYERS if cls.__name__ not in _JORDAN]
    try:
        return twin(label, "layer", keras_layer, known, require_keras().layers)
    except ConversionError:
        if not hasattr(keras_layer, "state_size") or hasattr(keras_layer, "cell"):
            raise
        raise ConversionError(f"{label}: rnn_core has no cell {described(keras_layer)}.") from None


def new_input(keras_input: Any) -> layers.InputLayer:
    """Return the InputLayer that stands for one of Keras'; an integer one stays one."""
    label = f"Input {keras_input.name!r}"
    if keras_input.sparse or keras_input.ragged or keras_input.optional:
        raise ConversionError(f"{label} is sparse, ragged or optional; rnn_core takes arrays.")
    dtype = keras_input.dtype
    if dtype not in ("float32", "float64") and not dtype.startswith(("int", "uint")):
        raise ConversionError(f"{label} has dtype {dtype!r}; rnn_core has float32, float64 and integers.")
    return layers.InputLayer(batch_shape=keras_input.batch_shape, dtype=dtype, name=keras_input.name)


def check_input_dtype(name: str, input_dtype: str, dtype: str) -> None:
    """Raise ConversionError where Keras rounds inputs to a float dtype that is narrower than the layers'."""
    if (input_dtype, dtype) == ("float32", "float64"):
        raise ConversionError(
            f"Input {name!r} has dtype {input_dtype!r}, to which Keras rounds what its {dtype} layers get; rnn_core "
            f"does not round. Make it with Input(..., dtype={dtype!r})."
        )


def fill_layer(layer: Any, keras_layer: Any) -> None:
    """Copy weights and states from Keras."""
    if not keras_layer.weights:
        return
    if not layer.built:
        build = keras_layer.get_build_config()
        shape = build["input_shape"] if "input_shape" in build else next(iter(build["shapes_dict"].values()))
        layer.ensure_built(tuple(shape))
    layer.set_weights([to_numpy(variable) for variable in keras_layer.weights])
    theirs = keras_states_of(keras_layer)
    for label, state in states_of(layer).items():
        state[...] = np.concatenate([to_numpy(variable) for variable in theirs[label]], axis=1)
