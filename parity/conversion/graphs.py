"""Functional models from rnn_core to Keras and back.

The layers are converted one by one, as those of a chain are (layers.py), and then called on each other::

    rnn_core.Model  --to_keras-->  keras.Model  --from_keras-->  rnn_core.Model, the same bit for bit

A Keras model that was called like a layer comes over as its layers. Where masks travel, Keras lists operations among a
model's layers (``not_equal``, ``any``), by which they are made; here masks need none.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from parity.backend import floatx, masks_may_end, require_keras
from parity.conversion import compiled
from parity.conversion.layers import check_input_dtype, fill_keras_layer, fill_layer, new_keras_layer, new_layer
from parity.conversion.objects import ConversionError, from_keras_object, name_of, to_keras_object
from parity.keras_calls import all_layers, foreign_masks, mask_of
from rnn_core import config, layers
from rnn_core.graph import Graph
from rnn_core.losses.several import LossOfOutputs, for_outputs
from rnn_core.models import Model
from rnn_core.models.graph_config import symbols_from_config
from rnn_core.several import as_list, each, unpacked


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
            _compile_keras(keras_model, model)
    return keras_model


def graph_from_keras(keras_model: Any) -> Model:
    """Return an ``rnn_core.Model`` that is the same as a functional Keras model; see :func:`parity.from_keras`."""
    keras, twins = require_keras(), {}

    def make(entry: dict[str, Any]) -> Any:
        theirs = keras_model.get_layer(entry["name"])
        if isinstance(theirs, keras.Model):
            from parity.conversion.models import from_keras

            return from_keras(theirs)
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
        _compile_ours(model, keras_model)
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


# What a model was compiled with.


def _compile_keras(keras_model: Any, model: Any) -> None:
    if len(model.graph.outputs) == 1:
        matched = _matched(keras_model, model)

        def compile_and_match(*args: Any, **kwargs: Any) -> None:
            keras_model.compile(*args, **kwargs)
            matched.optimizer = keras_model.optimizer

        matched.compile = compile_and_match
        compiled.compile_keras(matched, model, model.dtype)
        return
    dtype, loss, names = model.dtype, model.loss, model.output_names
    given: dict[str, Any] = {}
    if isinstance(loss, LossOfOutputs):
        given["loss"] = [one and to_keras_object("compile", "loss", one, dtype) for one in loss.losses]
        if any(factor != 1 for factor in loss.coefficients):
            given["loss_weights"] = loss.coefficients
    for argument, metrics in zip(("metrics", "weighted_metrics"), model.compiled_metrics._given, strict=True):
        if metrics is not None:
            entries = for_outputs(metrics, argument, names)
            given[argument] = [each(lambda m: m and compiled._metric_to_keras(m, dtype), entry) for entry in entries]
    if model.output_keys is not None:
        given = {name: dict(zip(names, entries, strict=True)) for name, entries in given.items()}
    keras_model.compile(compiled._new_keras_optimizer(model.optimizer, dtype), **given)
    if model.optimizer.built:
        compiled._fill_keras_optimizer(_matched(keras_model, model), model)


def _compile_ours(model: Any, keras_model: Any) -> None:
    matched = _matched(keras_model, model)
    if len(model.graph.outputs) == 1:
        compiled.compile_ours(model, matched, model.dtype)
        return
    keras, dtype = require_keras(), model.dtype

    def loss_of(theirs: Any) -> Any:
        if theirs is None or isinstance(theirs, str):
            return theirs
        return name_of(theirs, keras.losses) or from_keras_object("compile", "loss", theirs)

    metrics, loss = keras_model._compile_metrics, keras_model._compile_loss
    user = (None, None) if metrics is None else (metrics._user_metrics, metrics._user_weighted_metrics)
    plain, weighted = (_mapped(lambda m: compiled._metric_from_keras(m, dtype), given) for given in user)
    with compiled._our_floatx("float64"):  # so that the learning rate is taken over as it is
        try:
            model.compile(
                compiled._new_optimizer(keras_model.optimizer),
                _mapped(loss_of, keras_model.loss),
                None if loss is None else loss._user_loss_weights,
                plain,
                weighted,
            )
        except ConversionError:
            raise
        except (TypeError, ValueError) as error:
            raise ConversionError(f"compile: {error}") from error
    if keras_model.optimizer.built:
        compiled._fill_optimizer(model, matched)


def _mapped(apply: Callable[[Any], Any], given: Any) -> Any:
    """Apply a function to what is in lists and dicts, and leave None as it is."""
    if isinstance(given, dict):
        return {name: _mapped(apply, entry) for name, entry in given.items()}
    if isinstance(given, (list, tuple)):
        return [_mapped(apply, entry) for entry in given]
    return None if given is None else apply(given)


def _matched(keras_model: Any, model: Model) -> SimpleNamespace:
    """Return what compiled.py asks of a Keras model, with the layers in our order: masks change that of Keras."""
    found = {layer.name: layer for layer in all_layers(keras_model)}
    names = ("optimizer", "loss", "_compile_loss", "_compile_metrics")
    asked = {name: getattr(keras_model, name, None) for name in names}
    return SimpleNamespace(layers=[found[layer.name] for layer in model.layers], **asked)
