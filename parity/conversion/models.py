"""Models from rnn_core to Keras and back: weights, settings, what they were compiled with, the optimizer's state.

::

    rnn_core.Sequential  --to_keras-->  keras.Sequential  --from_keras-->  rnn_core.Sequential, the same bit for bit
    rnn_core.Model       --to_keras-->  keras.Model       --from_keras-->  rnn_core.Model, likewise

    layers.py           layers, and what is inside them
    graphs.py           which layer is called on what
    objects.py          activations, initializers, losses, ...: what a layer or a model is made with
    compiled.py         loss, metrics, optimizer and its state

What the other side does not have is refused by name, with a :class:`ConversionError`. Not a part of a model, and so
not taken over: how Keras runs it (``run_eagerly``, ``steps_per_execution``, ``jit_compile``), what metrics have
counted, and the state of random streams (seeds are).

Keras' SimpleRNN drops an ``activity_regularizer`` that its constructor is given, and leaves `seed` out of its config.
Here the penalty is set afterwards, where Keras honours it, and the seed is read from the cell. See :func:`notes`.

Losses, metrics, penalties and the data for ``fit`` are rounded by Keras to ``keras.config.floatx()``. Conversion
leaves that as it was; to train a float64 model in Keras use ``with parity.floatx("float64")``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from parity.backend import floatx, masks_may_end, require_keras
from parity.conversion.compiled import compile_keras, compile_ours
from parity.conversion.graphs import graph_from_keras, graph_to_keras
from parity.conversion.layers import (
    check_input_dtype,
    fill_keras_layer,
    fill_layer,
    layer_from_keras,
    layer_to_keras,
    new_input,
    new_keras_layer,
    new_layer,
)
from parity.conversion.objects import ConversionError, described
from parity.keras_calls import without_their_masks
from parity.parts import all_parts
from rnn_core import activations, config, layers
from rnn_core.models import Model, Sequential
from rnn_core.optimizers import SGD

__all__ = ["from_keras", "layer_from_keras", "layer_to_keras", "notes", "to_keras"]


def to_keras(model: Model) -> Any:
    """Return a Keras model that is the same model, with weights of its own.

    Parameters
    ----------
    model : rnn_core.Sequential or rnn_core.Model
        Built or not, compiled or not, trained or not. It is not changed.

    Returns
    -------
    keras.Sequential or keras.Model
        To train it under a ``tf.distribute`` strategy, call this within ``strategy.scope()``. The devices must be
        able to share out every batch evenly, the last one too: on others Keras fails. There each device clips
        gradients, and takes the mean of a masked loss, over its own part of the batch.

    Raises
    ------
    ConversionError
        For what Keras does not have: layers, cells, losses, activations, ... of your own.
    ImportError
        Without Keras.
    """
    if type(model) is Model:
        return graph_to_keras(model)
    if type(model) is not Sequential:
        raise ConversionError(f"to_keras converts rnn_core.Sequential and rnn_core.Model, got {described(model)}.")
    keras, stated = require_keras(), model._input
    dtype = _common_dtype(model.layers)
    if not dtype:
        dtype = stated.dtype if stated is not None and stated.dtype.startswith("float") else config.floatx()
    with floatx(dtype), masks_may_end():
        entries = [new_keras_layer(layer) for layer in model.layers]
        if stated is not None:
            whole = not stated.dtype.startswith("float")
            made = {**stated.get_config(), "dtype": stated.dtype if whole else dtype}
            entries.insert(0, keras.layers.InputLayer(**made))
        keras_model = keras.Sequential(entries, name=model.name)
        if model.built and not keras_model.built:
            keras_model.build(model.input_shape)
        # Keras gives every built model an Input; this one remembers whether ours had one, and what it said.
        keras_model._rnn_core_input = stated
        for layer, keras_layer in zip(model.layers, keras_model.layers, strict=True):
            fill_keras_layer(keras_layer, layer)
        if model.compiled:
            compile_keras(keras_model, model, dtype)
    return keras_model


def from_keras(keras_model: Any) -> Any:
    """Return a model of rnn_core that is the same as a Keras model, with weights of its own.

    One thing is not the same, and warned of: where a graph gives a recurrent layer an initial state and no ``mask=``,
    Keras loses the mask of its input, and rnn_core uses it.

    Losses and optimizers that were given by name come back as objects. A model that is frozen as a whole
    (``model.trainable = False``) becomes one with every layer frozen.

    On TensorFlow a float64 model that Keras made takes settings that are Python floats, such as a momentum of 0.9,
    rounded to float32; ours takes them as set. ``to_keras(from_keras(keras_model))`` is one in Keras that does, too.

    Parameters
    ----------
    keras_model : keras.Sequential or keras.Model
        Built or not, compiled or not, trained or not. It is not changed. A model within it that was called like a
        layer comes over as its layers.

    Returns
    -------
    rnn_core.Sequential or rnn_core.Model

    Raises
    ------
    ConversionError
        For what rnn_core does not have: subclassed models, other layers and cells, mixed precision, an Input that
        rounds what the layers get, functions of your own, ...
    ImportError
        Without Keras.

    Warns
    -----
    UserWarning
        For each layer whose mask Keras loses.
    """
    model = converted(keras_model)
    for name in without_their_masks(keras_model):
        warnings.warn(
            f"from_keras: Keras loses the mask of {name!r}, whose call is given an initial state; rnn_core uses it. "
            f"Call it with mask= in Keras to have the same there; to_keras does so.",
            stacklevel=2,
        )
    return model


def converted(keras_model: Any) -> Any:
    """Return what :func:`from_keras` returns, and warn of nothing."""
    keras = require_keras()
    if type(keras_model).__name__ == "Functional" and isinstance(keras_model, keras.Model):
        return graph_from_keras(keras_model)
    if type(keras_model) is not keras.Sequential:
        raise ConversionError(
            f"from_keras converts keras.Sequential and functional keras.Model, got {described(keras_model)}; models of "
            "your own have no twin in rnn_core."
        )
    keras_layers = list(_in_chain(keras_model))
    entries = [new_layer(keras_layer) for keras_layer in keras_layers]
    dtype = _common_dtype(entries)
    first = keras_model._layers[0] if keras_model._layers else None
    if isinstance(first, keras.layers.InputLayer):
        check_input_dtype(first.name, first.dtype, dtype)
        stated = getattr(keras_model, "_rnn_core_input", first)
        if stated is not None:
            entries.insert(0, new_input(first) if stated is first else stated)
    try:
        model = Sequential(entries, name=keras_model.name)
        if keras_model.built and not model.built:
            model.build(keras_model.input_shape)
    except (TypeError, ValueError) as error:
        raise ConversionError(str(error)) from error
    for layer, keras_layer in zip(model.layers, keras_layers, strict=True):
        layer.trainable = layer.trainable and keras_model.trainable
        fill_layer(layer, keras_layer)
    if keras_model.compiled:
        compile_ours(model, keras_model, dtype)
    return model


def _in_chain(keras_model: Any) -> Iterator[Any]:
    """Yield the layers of a keras.Sequential, those of chains in it in their place."""
    for layer in keras_model.layers:
        yield from _in_chain(layer) if type(layer) is type(keras_model) else [layer]


def notes(model: Model) -> list[str]:
    """Return what to know about the Keras twin of `model`, a sentence each; for most models nothing."""
    said, backend = [], require_keras().backend.backend()
    computing = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    if backend != "tensorflow" and any(layer.dtype == "float64" for layer in computing):
        said.append(f"On {backend} Keras computes a float64 model in float64 only within parity.floatx('float64').")
    own = model._input if isinstance(model, Sequential) else None
    for stated in model.graph.input_layers if own is None else [own]:
        if computing and stated.dtype.startswith("float") and stated.dtype != computing[0].dtype:
            said.append(
                f"Input {stated.name!r} has dtype {stated.dtype}, to which Keras would round and rnn_core does not: in "
                f"Keras it has the layers' dtype, {computing[0].dtype}."
            )
    tables = [part.name for part in all_parts(computing) if isinstance(part, layers.Embedding) and part.trainable]
    if tables and backend == "tensorflow" and model.compiled and type(model.optimizer) is not SGD:
        said.append(
            f"On TensorFlow Keras' own fit takes the gradient of {', '.join(map(repr, tables))} row by row, and where "
            "an index repeats its optimizer makes another step than on other backends, and than rnn_core. A check "
            "gives it the sum of the rows."
        )
    for layer in all_parts(computing):
        label = f"{type(layer).__name__} {layer.name!r}"
        if isinstance(layer, layers.SimpleRNN) and layer.activity_regularizer is not None:
            said.append(
                f"{label}: Keras drops activity_regularizer when it makes the layer. It was set afterwards, and holds "
                "until Keras saves and loads the model."
            )
        for activation in (getattr(layer, name, None) for name in ("activation", "output_activation")):
            known = not isinstance(activation, activations.Activation)
            if not known and not isinstance(activations.serialize(activation), str):
                said.append(
                    f"{label}: to load a model with {activation!r}, Keras needs "
                    "custom_objects={'ParametrisedActivation': parity.ParametrisedActivation}."
                )
        if isinstance(layer, layers.JordanCell):
            said.append(f"{label}: Keras has no such cell; to load a model with it, import parity.jordan before.")
    return said


def _common_dtype(ours: list[Any]) -> str:
    """Return the one dtype of all layers, "" where there are none."""
    dtypes = {layer.name: layer.dtype for layer in ours}
    if len(set(dtypes.values())) > 1:
        raise ConversionError(f"All layers of a model need one dtype, got {dtypes}.")
    return next(iter(dtypes.values()), "")
