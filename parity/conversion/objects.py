"""Small objects from one side to the other: activations, initializers, penalties, losses, metrics, schedules, ...

An object is made again from its class's name and its config. Where Keras' config is not all of it, or not exact:

- ``get_config`` leaves out the gain of Identity, the delta of Huber, the axis of CosineSimilarity and others: they are
  read from the object.
- Keras on TensorFlow rounds settings that are Python floats to float32, also for float64 weights. A float64 model
  gets them as ``np.float64``, which stays as it is.
- L1 and OrthogonalRegularizer make float32 tensors of their factors: these are set again.
- An activation is a function in Keras; one with other arguments becomes a :class:`ParametrisedActivation`.

Only what is of the other side's own class is converted; a class derived from it may compute anything.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from parity.backend import require_keras
from rnn_core import activations, constraints, initializers, losses, metrics, regularizers
from rnn_core.optimizers import schedules

_MODULES: dict[str, tuple[Any, str]] = {
    "initializer": (initializers, "keras.initializers"),
    "regularizer": (regularizers, "keras.regularizers"),
    "constraint": (constraints, "keras.constraints"),
    "loss": (losses, "keras.losses"),
    "metric": (metrics, "keras.metrics"),
    "learning rate schedule": (schedules, "keras.optimizers.schedules"),
}
_ACTIVATION_LAYERS = {  # Keras' layers that can be given as an activation, and their settings
    "ReLU": ("relu", ("negative_slope", "max_value", "threshold")),
    "LeakyReLU": ("leaky_relu", ("negative_slope",)),
    "ELU": ("elu", ("alpha",)),
    "Softmax": ("softmax", ("axis",)),
}


class ConversionError(ValueError):
    """Something that the other side does not have; the message says what."""


class ParametrisedActivation:
    """A function of ``keras.activations`` with other arguments than its defaults: how Keras gets such an activation.

    A model that has one can be saved by Keras, and loaded by
    ``keras.models.load_model(path, custom_objects={"ParametrisedActivation": parity.ParametrisedActivation})``.

    Parameters
    ----------
    function : str
        Its name in ``keras.activations``.
    **arguments
    """

    def __init__(self, function: str, **arguments: Any) -> None:
        self.function = function
        self.arguments = arguments

    @property
    def __name__(self) -> str:
        return self.function

    def __call__(self, x: Any) -> Any:
        """Return ``function(x, **arguments)``."""
        return getattr(require_keras().activations, self.function)(x, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"function": self.function, **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ParametrisedActivation:
        """Make the activation again."""
        return cls(**config)


def to_keras_object(owner: str, kind: str, ours: Any, dtype: str) -> Any:
    """Return the Keras twin of an object of rnn_core.

    Parameters
    ----------
    owner : str
        Who has it, for the error message: ``"Dense 'dense'"``.
    kind : {"activation", "initializer", "regularizer", "constraint", "loss", "metric", "learning rate schedule"}
    ours : object or None
    dtype : {"float32", "float64"}
        What the model computes in.

    Raises
    ------
    ConversionError
        For a class of your own.
    """
    if kind == "activation":
        return _activation_to_keras(owner, ours, dtype)
    if ours is None or (kind == "initializer" and not isinstance(ours, initializers.Initializer)):
        return ours  # both sides call a function as initializer(shape, dtype=dtype)
    module, keras_module = _MODULES[kind]
    cls = getattr(importlib.import_module(keras_module), type(ours).__name__, None)
    if cls is None or vars(module).get(type(ours).__name__) is not type(ours) or _wraps_a_function(ours):
        raise ConversionError(f"{owner}: Keras has no {kind} {described(ours)}.")
    settings = as_numbers(ours.get_config(), dtype)
    theirs = cls(**settings)
    if kind == "regularizer":
        vars(theirs).update(settings)  # the factors, unrounded
    return theirs


def from_keras_object(owner: str, kind: str, theirs: Any) -> Any:
    """Return our twin of an object of Keras; arguments as for :func:`to_keras_object`.

    Raises
    ------
    ConversionError
        For a class or function that rnn_core does not have.
    """
    if kind == "activation":
        return _activation_from_keras(owner, theirs)
    module, keras_module = _MODULES[kind]
    if theirs is None:
        return None
    if kind == "initializer" and not isinstance(theirs, require_keras().initializers.Initializer):
        return theirs
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    cls = twin(owner, kind, theirs, classes, importlib.import_module(keras_module))
    settings = as_numbers({**theirs.get_config(), **getattr(theirs, "_fn_kwargs", {})})
    if cls is initializers.Identity:
        settings["gain"] = theirs.gain
    if isinstance(settings.get("seed"), dict):
        raise ConversionError(f"{owner}: {cls.__name__} draws from a SeedGenerator; rnn_core takes a number as seed.")
    try:
        return cls(**settings)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{owner}: {error}") from error


def _activation_to_keras(owner: str, ours: Any, dtype: str) -> Any:
    if type(ours) not in activations.CLASSES.values():
        raise ConversionError(f"{owner}: Keras has no activation {described(ours)}.")
    plain = activations.serialize(ours)
    if isinstance(plain, str):
        return plain
    return ParametrisedActivation(ours.name, **as_numbers(ours.get_config(), dtype))


def _activation_from_keras(owner: str, theirs: Any) -> Any:
    keras = require_keras()
    if isinstance(theirs, ParametrisedActivation):
        return activations.CLASSES[theirs.function](**as_numbers(theirs.arguments))
    for layer, (name, settings) in _ACTIVATION_LAYERS.items():
        if type(theirs) is getattr(keras.layers, layer):
            return activations.CLASSES[name](**as_numbers({key: getattr(theirs, key) for key in settings}))
    name = name_of(theirs, keras.activations)
    if name not in activations.OBJECTS:
        raise ConversionError(f"{owner}: rnn_core does not know the derivative of the function {name or theirs!r}.")
    return activations.get(name)


def twin(owner: str, kind: str, theirs: Any, classes: Iterable[type], module: Any) -> type:
    """Return that of our `classes` which stands for the class of a Keras object from `module`."""
    cls, name = type(theirs), type(theirs).__name__
    original = getattr(module, name, None)
    # On torch Keras has versions of its own optimizers, with their names.
    is_keras_own = cls is original or (cls.__module__.startswith("keras.src.backend.") and original in cls.__mro__)
    for ours in classes:
        if ours.__name__ == name and is_keras_own and not _wraps_a_function(theirs):
            return ours
    raise ConversionError(f"{owner}: rnn_core has no {kind} {described(theirs)}.")


def name_of(function: Any, module: Any) -> str:
    """Return the name of one of Keras' own functions, and "" for anything else."""
    name = getattr(function, "__name__", "")
    return name if name and getattr(module, name, None) is function and not isinstance(function, type) else ""


def as_numbers(config: Any, dtype: str = "") -> Any:
    """Return a config with its floats as Keras wants them for `dtype`; without one, as Python floats.

    Examples
    --------
    >>> as_numbers({"rho": 0.9, "centered": False}, "float64")
    {'rho': np.float64(0.9), 'centered': False}
    >>> as_numbers(np.float64(0.9))
    0.9
    """
    if isinstance(config, dict):
        return {name: as_numbers(value, dtype) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(as_numbers(value, dtype) for value in config)
    if isinstance(config, float):
        return np.float64(config) if dtype == "float64" else float(config)
    return config


def described(thing: Any) -> str:
    """Return package and class of something, and its name if it has one.

    Examples
    --------
    >>> described(losses.Huber())
    "rnn_core.Huber 'huber_loss'"
    """
    name = getattr(thing, "name", None)
    package = type(thing).__module__.split(".")[0]
    return f"{package}.{type(thing).__name__}" + (f" {name!r}" if isinstance(name, str) else "")


def _wraps_a_function(thing: Any) -> bool:
    return type(thing).__name__ == "MeanMetricWrapper"
