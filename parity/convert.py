"""Models from rnn_core to Keras and back: weights, settings, what they were compiled with, the optimizer's state.

::

    rnn_core.Sequential  --to_keras-->  keras.Sequential  --from_keras-->  rnn_core.Sequential, the same bit for bit

    objects.py   activations, initializers, losses, ...: what a layer or a model is made with
    compiled.py  loss, metrics, optimizer and its state

What the other side does not have is refused by name, with a :class:`ConversionError`. Not a part of a model, and so
not taken over: how Keras runs it (``run_eagerly``, ``steps_per_execution``, ``jit_compile``), what metrics have
counted, and the state of random streams (seeds are).

Keras' SimpleRNN drops an ``activity_regularizer`` that its constructor is given, and leaves `seed` out of its config.
Here the penalty is set afterwards, where Keras honours it, and the seed is read from the cell. See :func:`notes`.

Losses, metrics, penalties and the data for ``fit`` are rounded by Keras to ``keras.config.floatx()``. Conversion
leaves that as it was; to train a float64 model in Keras use ``with parity.floatx("float64")``.
"""

from __future__ import annotations

from typing import Any

from parity.backend import floatx, require_keras, to_numpy
from parity.compiled import compile_keras, compile_ours
from parity.objects import ConversionError, as_numbers, described, from_keras_object, to_keras_object, twin
from rnn_core import activations, config, layers
from rnn_core.models import Model, Sequential

_LAYERS = (
    layers.Activation,
    layers.Add,
    layers.Average,
    layers.Concatenate,
    layers.Dense,
    layers.Dropout,
    layers.Embedding,
    layers.Flatten,
    layers.GlobalAveragePooling1D,
    layers.GlobalMaxPooling1D,
    layers.Masking,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.RepeatVector,
    layers.Reshape,
    layers.SimpleRNN,
    layers.SimpleRNNCell,
    layers.Subtract,
)
_OBJECTS = (  # the arguments of layers that are objects
    "activation",
    "activity_regularizer",
    *(
        f"{w}_{kind}"
        for kind in ("initializer", "regularizer", "constraint")
        for w in ("kernel", "recurrent", "bias", "embeddings")
    ),
)


def to_keras(model: Model) -> Any:
    """Return a ``keras.Sequential`` that is the same model, with weights of its own.

    Parameters
    ----------
    model : rnn_core.Sequential
        Built or not, compiled or not, trained or not. It is not changed.

    Returns
    -------
    keras.Sequential
        To train it under a ``tf.distribute`` strategy, call this within ``strategy.scope()``. The devices must be
        able to share out every batch evenly, the last one too: on others Keras fails.

    Raises
    ------
    ConversionError
        For what Keras does not have: layers, losses, activations, ... of your own.
    ImportError
        Without Keras.
    """
    if type(model) is Model:
        from parity.graphs import graph_to_keras

        return graph_to_keras(model)
    if type(model) is not Sequential:
        raise ConversionError(f"to_keras converts rnn_core.Sequential models, got {described(model)}.")
    keras, stated = require_keras(), model._input
    dtype = _common_dtype(model.layers) or (stated.dtype if stated is not None else config.floatx())
    with floatx(dtype):
        entries = [_new_keras_layer(layer) for layer in model.layers]
        if stated is not None:
            shape, name = stated.batch_shape, stated.name
            entries.insert(0, keras.layers.InputLayer(batch_shape=shape, dtype=dtype, name=name))
        keras_model = keras.Sequential(entries, name=model.name)
        if model.built and not keras_model.built:
            keras_model.build(model.input_shape)
        # Keras gives every built model an Input; this one remembers whether ours had one, and what it said.
        keras_model._rnn_core_input = stated
        for layer, keras_layer in zip(model.layers, keras_model.layers, strict=True):
            _fill_keras_layer(keras_layer, layer)
        if model.compiled:
            compile_keras(keras_model, model, dtype)
    return keras_model


def from_keras(keras_model: Any) -> Any:
    """Return an ``rnn_core.Sequential`` that is the same model as a ``keras.Sequential``, with weights of its own.

    Losses and optimizers that were given by name come back as objects. A model that is frozen as a whole
    (``model.trainable = False``) becomes one with every layer frozen.

    Parameters
    ----------
    keras_model : keras.Sequential
        Built or not, compiled or not, trained or not. It is not changed.

    Raises
    ------
    ConversionError
        For what rnn_core does not have: functional or subclassed models, other layers, mixed precision, an Input that
        rounds what the layers get, functions of your own, ...
    ImportError
        Without Keras.
    """
    keras = require_keras()
    if type(keras_model).__name__ == "Functional":
        from parity.graphs import graph_from_keras

        return graph_from_keras(keras_model)
    if type(keras_model) is not keras.Sequential:
        raise ConversionError(
            f"from_keras converts keras.Sequential models, got {described(keras_model)}; graphs of layers (functional "
            "models) and models of your own have no twin in rnn_core."
        )
    entries = [_new_layer(keras_layer) for keras_layer in keras_model.layers]
    dtype = _common_dtype(entries)
    first = keras_model._layers[0] if keras_model._layers else None
    if isinstance(first, keras.layers.InputLayer):
        if dtype and first.dtype != dtype:
            raise ConversionError(
                f"Input {first.name!r} has dtype {first.dtype!r}, to which Keras rounds what its {dtype} layers get; "
                f"rnn_core does not round. Make it with Input(..., dtype={dtype!r})."
            )
        stated = getattr(keras_model, "_rnn_core_input", first)
        if stated is not None:
            entries.insert(0, _new_input(first) if stated is first else stated)
    try:
        model = Sequential(entries, name=keras_model.name)
        if keras_model.built and not model.built:
            model.build(keras_model.input_shape)
    except (TypeError, ValueError) as error:
        raise ConversionError(str(error)) from error
    for layer, keras_layer in zip(model.layers, keras_model.layers, strict=True):
        layer.trainable = layer.trainable and keras_model.trainable
        _fill_layer(layer, keras_layer)
    if keras_model.compiled:
        compile_ours(model, keras_model, dtype)
    return model


def notes(model: Sequential) -> list[str]:
    """Return what to know about the Keras twin of `model`, a sentence each; for most models nothing."""
    said, stated, backend = [], model._input, require_keras().backend.backend()
    if backend != "tensorflow" and any(layer.dtype == "float64" for layer in model.layers):
        said.append(f"On {backend} Keras computes a float64 model in float64 only within parity.floatx('float64').")
    if stated is not None and model.layers and stated.dtype != model.layers[0].dtype:
        said.append(
            f"Input {stated.name!r} has dtype {stated.dtype}, to which Keras would round and rnn_core does not: in "
            f"Keras it has the layers' dtype, {model.layers[0].dtype}."
        )
    for layer in model.layers:
        label = f"{type(layer).__name__} {layer.name!r}"
        if isinstance(layer, layers.SimpleRNN) and layer.activity_regularizer is not None:
            said.append(
                f"{label}: Keras drops activity_regularizer when it makes the layer. It was set afterwards, and holds "
                "until Keras saves and loads the model."
            )
        activation = getattr(layer, "activation", None)
        if isinstance(activation, activations.Activation) and not isinstance(activations.serialize(activation), str):
            said.append(
                f"{label}: to load a model with {activation!r}, Keras needs "
                "custom_objects={'ParametrisedActivation': parity.ParametrisedActivation}."
            )
    return said


# Layers.


def layer_to_keras(layer: Any) -> Any:
    """Return a Keras layer that is the same as a layer of rnn_core (or its Input), with weights and state."""
    with floatx(layer.dtype):
        if isinstance(layer, layers.InputLayer):
            return require_keras().layers.InputLayer(**layer.get_config())
        keras_layer = _new_keras_layer(layer)
        _fill_keras_layer(keras_layer, layer)
        return keras_layer


def layer_from_keras(keras_layer: Any) -> Any:
    """Return a layer of rnn_core that is the same as a Keras layer (or its InputLayer), with weights and state."""
    if type(keras_layer) is require_keras().layers.InputLayer:
        return _new_input(keras_layer)
    layer = _new_layer(keras_layer)
    _fill_layer(layer, keras_layer)
    return layer


def _new_keras_layer(layer: Any) -> Any:
    """Return a Keras layer with the same settings, without weights."""
    label = f"{type(layer).__name__} {layer.name!r}"
    if type(layer) not in _LAYERS:
        raise ConversionError(f"{label}: Keras has no such layer.")
    arguments = as_numbers(layer.get_config(), layer.dtype)
    for name in _OBJECTS:
        if name in arguments:
            kind = name.split("_")[-1]
            arguments[name] = to_keras_object(f"{label}: {name}", kind, getattr(layer, name), layer.dtype)
    try:
        keras_layer = getattr(require_keras().layers, type(layer).__name__)(**arguments)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{label}: {error}") from error
    keras_layer.activity_regularizer = arguments.get("activity_regularizer")  # SimpleRNN's constructor drops it
    return keras_layer


def _fill_keras_layer(keras_layer: Any, layer: Any) -> None:
    """Copy weights and state to Keras."""
    if not layer.weights:
        return
    if not keras_layer.built:
        keras_layer.build(layer.input_shape)
    keras_layer.set_weights(layer.get_weights())
    if getattr(layer, "state", None) is not None:
        keras_layer.states[0].assign(layer.state.copy())  # JAX keeps the very array that it is given


def _new_layer(keras_layer: Any) -> Any:
    """Return a layer of rnn_core with the same settings, without weights."""
    label = f"{type(keras_layer).__name__} {keras_layer.name!r}"
    cls = twin(label, "layer", keras_layer, _LAYERS, require_keras().layers)
    cell = getattr(keras_layer, "cell", keras_layer)
    policy = keras_layer.dtype_policy.name
    if policy not in ("float32", "float64"):
        raise ConversionError(f"{label}: its dtype policy is {policy!r}; rnn_core has float32 and float64.")
    objects = {
        name: from_keras_object(f"{label}: {name}", name.split("_")[-1], getattr(keras_layer, name))
        for name in _OBJECTS
        if hasattr(keras_layer, name)
    }
    arguments = {**as_numbers(keras_layer.get_config()), **objects, "dtype": policy}
    arguments["trainable"] = keras_layer.trainable and cell.trainable
    if cls is layers.SimpleRNN:
        arguments["seed"] = cell.seed
    if arguments.get("quantization_config") is None:
        arguments.pop("quantization_config", None)
    try:
        layer = cls(**arguments)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{label}: {error}") from error
    if layer.trainable and len(keras_layer.trainable_weights) < len(keras_layer.weights):
        raise ConversionError(f"{label}: some of its weights are frozen and some not; rnn_core freezes whole layers.")
    return layer


def _new_input(keras_input: Any) -> layers.InputLayer:
    label = f"Input {keras_input.name!r}"
    if keras_input.sparse or keras_input.ragged or keras_input.optional:
        raise ConversionError(f"{label} is sparse, ragged or optional; rnn_core takes arrays.")
    if keras_input.dtype not in ("float32", "float64"):
        raise ConversionError(f"{label} has dtype {keras_input.dtype!r}; rnn_core has float32 and float64.")
    return layers.InputLayer(batch_shape=keras_input.batch_shape, dtype=keras_input.dtype, name=keras_input.name)


def _fill_layer(layer: Any, keras_layer: Any) -> None:
    """Copy weights and state from Keras."""
    if not keras_layer.weights:
        return
    if not layer.built:
        layer.ensure_built(tuple(keras_layer.get_build_config()["input_shape"]))
    layer.set_weights([to_numpy(variable) for variable in keras_layer.weights])
    if getattr(layer, "state", None) is not None:
        layer.state[...] = to_numpy(keras_layer.states[0])


def _common_dtype(ours: list[Any]) -> str:
    """Return the one dtype of all layers, "" where there are none."""
    dtypes = {layer.name: layer.dtype for layer in ours}
    if len(set(dtypes.values())) > 1:
        raise ConversionError(f"All layers of a model need one dtype, got {dtypes}.")
    return next(iter(dtypes.values()), "")
