"""What a model was compiled with, from one side to the other: loss, metrics, and the optimizer with its state.

The slots of an optimizer are vectors laid out like the weights here, and lists of variables in Keras, one for each
weight that the optimizer was built on::

    velocities  [ .......... | .... | .. | ........ | .. ]   <->   _velocities = [kernel's, recurrent kernel's, ...]

Keras keeps the learning rate in floatx; the optimizer is made in the model's dtype, or in float64 for a rate that
float32 would round.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from rnn_core import config, losses, metrics, optimizers
from rnn_core.models import Sequential

Array = NDArray[Any]

_OPTIMIZERS = (optimizers.RMSprop, optimizers.SGD, optimizers.Adam, optimizers.AdamW)


def compile_keras(keras_model: Any, model: Sequential, dtype: str) -> None:
    """Compile a Keras model as `model` is compiled."""
    plain, weighted = model.compiled_metrics._given
    loss = model.loss
    keras_model.compile(
        _new_keras_optimizer(model.optimizer, dtype),
        to_keras_object("compile", "loss", loss, dtype) if isinstance(loss, losses.Loss) else loss,
        metrics=[_metric_to_keras(metric, dtype) for metric in plain] or None,
        weighted_metrics=[_metric_to_keras(metric, dtype) for metric in weighted] or None,
    )
    if model.optimizer.built:
        _fill_keras_optimizer(keras_model, model)


def compile_ours(model: Sequential, keras_model: Any, dtype: str) -> None:
    """Compile `model` as a Keras model is compiled."""
    keras, loss, given = require_keras(), keras_model.loss, keras_model._compile_metrics
    if keras_model._compile_loss is not None and keras_model._compile_loss._user_loss_weights is not None:
        raise ConversionError("compile: rnn_core has no loss_weights, a model has one output.")
    if isinstance(loss, (dict, list, tuple)):
        raise ConversionError(f"compile: rnn_core takes one loss, for one output, got {loss!r}.")
    if loss is not None and not isinstance(loss, str):
        loss = name_of(loss, keras.losses) or from_keras_object("compile", "loss", loss)
    with _our_floatx("float64"):  # so that the learning rate is taken over as it is
        try:
            model.compile(
                _new_optimizer(keras_model.optimizer),
                loss,
                metrics=None if given is None else _metrics_from_keras("metrics", given._user_metrics, dtype),
                weighted_metrics=None
                if given is None
                else _metrics_from_keras("weighted_metrics", given._user_weighted_metrics, dtype),
            )
        except ConversionError:
            raise
        except (TypeError, ValueError) as error:
            raise ConversionError(f"compile: {error}") from error
    if keras_model.optimizer.built:
        _fill_optimizer(model, keras_model)


# Metrics.


def _metric_to_keras(metric: Any, dtype: str) -> Any:
    if isinstance(metric, str):
        return metric
    name = name_of(metric, metrics)
    if name:
        return getattr(require_keras().metrics, name)
    return to_keras_object("compile", "metric", metrics.get(metric), dtype)


def _metrics_from_keras(argument: str, given: Any, dtype: str) -> list[Any] | None:
    if given is None:
        return None
    if not isinstance(given, (list, tuple)) or any(isinstance(metric, (list, tuple, dict)) for metric in given):
        raise ConversionError(f"compile: {argument} must be a flat list, for one output, got {given!r}.")
    return [_metric_from_keras(metric, dtype) for metric in given]


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


def _fill_keras_optimizer(keras_model: Any, model: Sequential) -> None:
    """Build Keras' optimizer, and copy iterations and slots to it."""
    ours, theirs = model.optimizer, keras_model.optimizer
    slots = {name: _in_keras_order(model, vector) for name, vector in ours.slots.items()}
    frozen = [not layer.trainable for layer in model.layers for _ in layer.weights]
    # A weight that was frozen after training keeps its slots here; in Keras too, if the optimizer is built on it.
    owned = [not still or any(slot[i].any() for slot in slots.values()) for i, still in enumerate(frozen)]
    if ours.use_ema and any(still and own for still, own in zip(frozen, owned, strict=True)):
        raise ConversionError("compile: Keras cannot average weights (use_ema) that were frozen after training.")
    variables = [v for layer in keras_model.layers for v in layer.weights]
    theirs.build([v for v, own in zip(variables, owned, strict=True) if own])
    theirs.iterations.assign(ours.iterations)
    for name, slot_variables in slots_of(theirs).items():
        values = [value for value, own in zip(slots[name], owned, strict=True) if own]
        for variable, value in zip(slot_variables, values, strict=True):
            variable.assign(value.copy())  # JAX keeps the very array that it is given


def _fill_optimizer(model: Sequential, keras_model: Any) -> None:
    """Tie our optimizer to the weights, and copy iterations and slots to it."""
    model.prepare_training()
    ours, theirs = model.optimizer, keras_model.optimizer
    places = {id(v): i for i, v in enumerate(v for layer in keras_model.layers for v in layer.weights)}
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


def _in_keras_order(model: Sequential, vector: Array) -> list[Array]:
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
