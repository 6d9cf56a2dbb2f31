"""What a model was compiled with, from one side to the other: loss, metrics, and the optimizer with its state.

The slots of an optimizer are vectors laid out like the weights here, and lists of variables in Keras, one for each
weight that the optimizer was built on::

    velocities  [ .......... | .... | .. | ........ | .. ]   <->   _velocities = [kernel's, recurrent kernel's, ...]

Keras keeps the learning rate in floatx; the optimizer is made in the model's dtype, or in float64 for a rate that
float32 would round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, require_keras, slots_of, to_numpy
from parity.conversion.objects import (
    ConversionError,
    as_numbers,
    described,
    from_keras_object,
    name_of,
    to_keras_object,
    twin,
)
from parity.keras_calls import all_layers
from rnn_core import config, losses, metrics, optimizers
from rnn_core.losses.several import LossOfOutputs, for_outputs
from rnn_core.models import Model
from rnn_core.several import each

Array = NDArray[Any]

_OPTIMIZERS = (optimizers.RMSprop, optimizers.SGD, optimizers.Adam, optimizers.AdamW)


def compile_keras(keras_model: Any, model: Model, dtype: str) -> None:
    """Compile a Keras model as `model` is compiled."""
    loss, one = model.loss, len(model.graph.outputs) == 1
    given: dict[str, Any] = {}
    if isinstance(loss, LossOfOutputs):
        given["loss"] = [part and to_keras_object("compile", "loss", part, dtype) for part in loss.losses]
        if any(factor != 1 for factor in loss.coefficients):
            given["loss_weights"] = loss.coefficients
    elif loss is not None:
        given["loss"] = to_keras_object("compile", "loss", loss, dtype) if isinstance(loss, losses.Loss) else loss
    for argument, user in zip(("metrics", "weighted_metrics"), model.compiled_metrics._given, strict=True):
        if user:
            entries = user if one else for_outputs(user, argument, model.output_names)
            given[argument] = [each(lambda m: m and _metric_to_keras(m, dtype), entry) for entry in entries]
    if model.output_keys is not None and not one:
        given = {name: dict(zip(model.output_names, entries, strict=True)) for name, entries in given.items()}
    keras_model.compile(_new_keras_optimizer(model.optimizer, dtype), **given)
    if model.optimizer.built:
        _fill_keras_optimizer(keras_model, model)


def compile_ours(model: Model, keras_model: Any, dtype: str) -> None:
    """Compile `model` as a Keras model is compiled."""
    keras, loss, user = require_keras(), keras_model._compile_loss, keras_model._compile_metrics

    def loss_from_keras(theirs: Any) -> Any:
        if isinstance(theirs, str):
            return theirs
        return name_of(theirs, keras.losses) or from_keras_object("compile", "loss", theirs)

    def metric_from_keras(theirs: Any) -> Any:
        return _metric_from_keras(theirs, dtype)

    with _our_floatx("float64"):  # so that the learning rate is taken over as it is
        try:
            model.compile(
                _new_optimizer(keras_model.optimizer),
                _mapped(loss_from_keras, keras_model.loss),
                None if loss is None else loss._user_loss_weights,
                None if user is None else _mapped(metric_from_keras, user._user_metrics),
                None if user is None else _mapped(metric_from_keras, user._user_weighted_metrics),
            )
        except ConversionError:
            raise
        except (TypeError, ValueError) as error:
            raise ConversionError(f"compile: {str(error).removeprefix('compile: ')}") from error
    if keras_model.optimizer.built:
        _fill_optimizer(model, keras_model)


def _mapped(apply: Callable[[Any], Any], given: Any) -> Any:
    """Apply a function to what is in lists and dicts, and leave None as it is."""
    if isinstance(given, dict):
        return {name: _mapped(apply, entry) for name, entry in given.items()}
    if isinstance(given, (list, tuple)):
        return [_mapped(apply, entry) for entry in given]
    return None if given is None else apply(given)


# Metrics.


def _metric_to_keras(metric: Any, dtype: str) -> Any:
    if isinstance(metric, str):
        return metric
    name = name_of(metric, metrics)
    if name:
        return getattr(require_keras().metrics, name)
    return to_keras_object("compile", "metric", metrics.get(metric), dtype)


def _metric_from_keras(theirs: Any, dtype: str) -> Any:
    if isinstance(theirs, str):
        return theirs
    name = name_of(theirs, require_keras().metrics)
    if hasattr(metrics, name):
        return getattr(metrics, name)
    metric = from_keras_object("compile", "metric", theirs)
    if metric.dtype == dtype:
        metric.dtype = None  # Keras states the dtype that it took where none was given
    return metric


# Optimizers.


def _new_keras_optimizer(optimizer: Any, dtype: str) -> Any:
    if type(optimizer) not in _OPTIMIZERS:
        raise ConversionError(f"compile: Keras has no {described(optimizer)}.")
    settings, schedule = as_numbers(optimizer.get_config(), dtype), optimizer._schedule
    if schedule is not None:
        settings["learning_rate"] = to_keras_object("compile", "learning rate schedule", schedule, dtype)
    elif float(np.float32(optimizer.learning_rate)) != optimizer.learning_rate:
        dtype = "float64"
    with floatx(dtype):
        return getattr(require_keras().optimizers, type(optimizer).__name__)(**settings)


def _new_optimizer(theirs: Any) -> Any:
    keras = require_keras()
    cls = twin("compile", "optimizer", theirs, _OPTIMIZERS, keras.optimizers)
    rate, is_schedule = theirs._learning_rate, keras.optimizers.schedules.LearningRateSchedule
    if not isinstance(rate, (keras.Variable, is_schedule)):
        raise ConversionError(f"compile: the learning rate is a function, {rate!r}; rnn_core takes schedules.")
    settings = as_numbers(theirs.get_config())
    if isinstance(rate, is_schedule):
        settings["learning_rate"] = from_keras_object("compile", "learning rate schedule", rate)
    excluded = "_exclude_from_weight_decay"
    if getattr(theirs, excluded, None) or getattr(theirs, f"{excluded}_pattern", None):
        raise ConversionError("compile: exclude_from_weight_decay; rnn_core's weight decay is for all weights.")
    return cls(**settings)


def _fill_keras_optimizer(keras_model: Any, model: Model) -> None:
    """Build Keras' optimizer, and copy iterations and slots to it."""
    ours, theirs = model.optimizer, keras_model.optimizer
    slots = {name: _in_keras_order(model, vector) for name, vector in ours.slots.items()}
    frozen = [not layer.trainable for layer in model.layers for _ in layer.weights]
    # A weight that was frozen after training keeps its slots here; in Keras too, if the optimizer is built on it.
    owned = [not still or any(slot[i].any() for slot in slots.values()) for i, still in enumerate(frozen)]
    if ours.use_ema and any(still and own for still, own in zip(frozen, owned, strict=True)):
        raise ConversionError("compile: Keras cannot average weights (use_ema) that were frozen after training.")
    variables = _variables(keras_model, model)
    theirs.build([v for v, own in zip(variables, owned, strict=True) if own])
    theirs.iterations.assign(ours.iterations)
    for name, slot_variables in slots_of(theirs).items():
        values = [value for value, own in zip(slots[name], owned, strict=True) if own]
        for variable, value in zip(slot_variables, values, strict=True):
            variable.assign(value.copy())  # JAX keeps the very array that it is given


def _fill_optimizer(model: Model, keras_model: Any) -> None:
    """Tie our optimizer to the weights, and copy iterations and slots to it."""
    model.prepare_training()
    ours, theirs = model.optimizer, keras_model.optimizer
    places = {id(v): i for i, v in enumerate(_variables(keras_model, model))}
    variables = theirs._trainable_variables
    if any(id(v) not in places for v in variables):
        raise ConversionError("compile: the optimizer was built on weights that the model does not have.")
    state = ours.get_state()
    state["iterations"] = int(to_numpy(theirs.iterations))
    for name, slot_variables in slots_of(theirs).items():
        views = _in_keras_order(model, state[name])
        for variable, slot in zip(variables, slot_variables, strict=True):
            views[places[id(variable)]][...] = to_numpy(slot)
    ours.set_state(state)


def _variables(keras_model: Any, model: Model) -> list[Any]:
    """Return Keras' weights in the order of our layers: where masks travel that of Keras is another."""
    found = {layer.name: layer for layer in all_layers(keras_model)}
    return [variable for layer in model.layers for variable in found[layer.name].weights]


def _in_keras_order(model: Model, vector: Array) -> list[Array]:
    """Cut a vector laid out like the weights into views, one for each of ``model.weights``."""
    parts = zip(model.layers, model.parts(vector), strict=True)
    return [view for layer, part in parts for view in layer.views(part).values()]


@contextmanager
def _our_floatx(dtype: str) -> Iterator[None]:
    before = config.floatx()
    config.set_floatx(dtype)
    try:
        yield
    finally:
        config.set_floatx(before)
