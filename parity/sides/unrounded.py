"""Keras' settings as they are set: on TensorFlow those that are Python floats are rounded to float32 on their way.

A float64 model with ``momentum=0.3`` then takes 0.30000001192: ``ops.cast(0.3, "float64")`` makes a float32 tensor of
the number first. :func:`parity.to_keras` gives ``np.float64``, which stays as it is; so is a model of the user's own
given them, for as long as it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from parity.backend import require_keras
from parity.conversion.objects import ParametrisedActivation


@contextmanager
def unrounded(keras_model: Any) -> Iterator[list[str]]:
    """Let settings that float32 does not hold be ``np.float64`` within; yield their names.

    Parameters
    ----------
    keras_model : keras.Model
        Its layers and those inside them, their penalties, constraints and activations, its losses and its optimizer.

    Examples
    --------
    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_regularizer="l2")])
    >>> with unrounded(model) as names:
    ...     names, type(model.layers[0].kernel_regularizer.l2)
    (['l2'], <class 'numpy.float64'>)
    >>> type(model.layers[0].kernel_regularizer.l2)
    <class 'float'>
    """
    places = list(_places(keras_model))
    try:
        for settings, name, value in places:
            settings[name] = np.float64(value)
        yield sorted({name.lstrip("_") for _, name, _ in places})
    finally:
        for settings, name, value in places:
            settings[name] = value


def _places(keras_model: Any) -> Iterator[tuple[dict[str, Any], str, float]]:
    """Yield where there is a Python float that float32 does not hold: a dict, the key, the number."""
    keras = require_keras()
    with_settings = (
        keras.Layer,
        keras.losses.Loss,
        keras.Optimizer,
        keras.regularizers.Regularizer,
        keras.constraints.Constraint,
        keras.optimizers.schedules.LearningRateSchedule,
        ParametrisedActivation,
    )
    todo, seen = [keras_model], set()
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (list, tuple)):
            todo += thing
        elif isinstance(thing, (dict, *with_settings)):
            settings = thing if isinstance(thing, dict) else vars(thing)
            for name, value in settings.items():
                used = name != "ema_momentum" or getattr(thing, "use_ema", True)
                if used and type(value) is float and value != float(np.float32(value)):
                    yield settings, name, value
            todo += settings.values()
