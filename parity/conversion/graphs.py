"""Functional models from rnn_core to Keras and back.

The layers are converted one by one, as those of a chain are (layers.py), and then called on each other::

    rnn_core.Model  --to_keras-->  keras.Model  --from_keras-->  rnn_core.Model, the same bit for bit

A Keras model that was called like a layer comes over as its layers. Where masks travel, Keras lists operations among a
model's layers (``not_equal``, ``any``), by which they are made; here masks need none.
"""

from __future__ import annotations

from typing import Any

from parity.backend import floatx, masks_may_end, require_keras
from parity.conversion.compiled import compile_keras, compile_ours
from parity.conversion.layers import check_input_dtype, fill_keras_layer, fill_layer, new_keras_layer, new_layer
from parity.conversion.objects import ConversionError
from parity.keras_calls import foreign_masks, mask_of, operations_between
from rnn_core import config, layers
from rnn_core.graph import Graph
from rnn_core.models import Model
from rnn_core.models.graph_config import symbols_from_config
from rnn_core.several import as_list, unpacked


def graph_to_keras(model: Model) -> Any:
    """Return a ``keras.Model`` that is the same model, with weights of its own; see :func:`parity.to_keras`."""
    keras = require_keras()
    with floatx(model.dtype if model.dtype.startswith("float") else config.floatx()), masks_may_end():
        twins = {layer: _new_keras_layer(layer, model.dtype) for layer in model.layers}
        symbols: list[Any] = [None] * model.graph.size
        for place, layer in zip(model.graph.inputs, model.graph.input_layers, strict=True):
            symbols[place] = twins[layer].output
        _call(model.graph, twins, symbols)
        made = [
            places if keys is None else dict(zip(keys, places, strict=True))
            for keys, places in (
                (model.input_keys, [symbols[place] for place in model.graph.inputs]),
                (model.output_keys, [symbols[place] for place in model.graph.outputs]),
            )
        ]
        keras_model = keras.Model(
            *(part if isinstance(part, dict) else unpacked(part) for part in made), name=model.name
        )
        for layer, keras_layer in twins.items():
            fill_keras_layer(keras_layer, layer)
        if model.compiled:
            compile_keras(keras_model, model, model.dtype)
    return keras_model


def graph_from_keras(keras_model: Any) -> Model:
    """Return an ``rnn_core.Model`` that is the same as a functional Keras model; see :func:`parity.from_keras`."""
    keras, twins = require_keras(), {}

    def make(entry: dict[str, Any]) -> Any:
        theirs = keras_model.get_layer(entry["name"])
        if isinstance(theirs, keras.Model):
            from parity.conversion.models import converted

            return converted(theirs)
        ours = new_layer(theirs)
        if isinstance(ours, layers.InputLayer):
            ours.dtype = getattr(theirs, "_rnn_core_dtype", ours.dtype)
            stated.append((ours, theirs))
        else:
            twins[ours] = theirs
        return ours

    stated: list[tuple[layers.InputLayer, Any]] = []
    for layer in foreign_masks(keras_model):
        raise ConversionError(
            f"{type(layer).__name__} {layer.name!r} is called with mask=, and with another than its input carries; in "
            "rnn_core masks travel with what they belong to."
        )
    for operation in operations_between(keras_model):
        raise ConversionError(
            f"{type(operation).__name__} {operation.name!r} is an operation and no layer; rnn_core has layers only: "
            "write it as one, such as layers.Add or layers.Activation."
        )
    try:
        inputs, outputs = symbols_from_config(keras_model.get_config(), make)
        model = Model(inputs, outputs, name=keras_model.name)
    except ConversionError:
        raise
    except (TypeError, ValueError) as error:
        raise ConversionError(str(error)) from error
    if twins:
        for ours, theirs in stated:
            check_input_dtype(ours.name, theirs.dtype, model.dtype)
    for layer, keras_layer in twins.items():
        layer.trainable = layer.trainable and keras_model.trainable
        fill_layer(layer, keras_layer)
    if keras_model.compiled:
        compile_ours(model, keras_model, model.dtype)
    return model


def _new_keras_layer(layer: Any, dtype: str) -> Any:
    """Return the Keras layer; an Input of floats has the dtype of the layers there, and remembers its own."""
    keras_layer = new_keras_layer(layer)
    if isinstance(layer, layers.InputLayer) and layer.dtype.startswith("float") and layer.dtype != dtype:
        keras_layer = require_keras().layers.InputLayer(**{**layer.get_config(), "dtype": dtype})
        keras_layer._rnn_core_dtype = layer.dtype
    return keras_layer


def _call(graph: Graph, twins: dict[Any, Any], symbols: list[Any]) -> None:
    """Call the Keras layers as ours were, the calls of each layer in the order in which they were made.

    Where a call is given an initial state Keras loses the mask, unless it is given that too.
    """
    left = sorted(graph.steps, key=lambda step: step.number)
    while left:
        waiting, blocked = [], set()
        for step in left:
            if step.layer in blocked or any(symbols[place] is None for place in step.sources):
                waiting.append(step)
                blocked.add(step.layer)
                continue
            in_list, states, training, _ = step.call
            read = [symbols[place] for place in step.sources]
            given, initial = read[: len(read) - states], read[len(read) - states :]
            more: dict[str, Any] = {"training": True} if training else {}
            if initial:
                more["initial_state"] = initial if type(step.layer) is layers.Bidirectional else unpacked(initial)
                if mask_of(given) is not None:
                    more["mask"] = mask_of(given)
            out = twins[step.layer](given if in_list else given[0], **more)
            for place, symbol in zip(step.targets, as_list(out), strict=True):
                symbols[place] = symbol
        left = waiting
