"""The table of known causes, as changes to a model: what :mod:`parity.causes` tries.

=====================  ====================================================================
settings               every setting of a layer, the loss or the optimizer that differs
weights                kernels transposed, a bias left out or taken twice
activations            one for another; leaky slopes; both gelus
data, layer by layer   time reversed, batch and time exchanged, mask ignored or not reversed,
                       initial state ignored, state left from the batch before, dropout left on
loss                   sum for mean, sample weights or mask ignored
optimizer              epsilon outside the root, other rho, other learning rate
=====================  ====================================================================

A change that is more than a setting or a weight gives a layer, the loss or the optimizer a class of
:mod:`parity.faulty`, derived from its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity import faulty
from parity.rules import Key
from rnn_core import activations
from rnn_core.layers import Dropout, Layer, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.optimizers import RMSprop

Array = NDArray[Any]
Values = Mapping[Key, Any]
Apply = Callable[[Sequential], None]

LEAVES_ALONE = ("name", "dtype", "seed", "units", "batch_input_shape", "unroll", "quantization_config")
NAMES = {  # of settings; others are called "other <setting>"
    "use_bias": "missing bias",
    "go_backwards": "time-reversed input",
    "stateful": "stale state",
    "learning_rate": "other learning rate",
}
RHOS = (0.5, 0.8, 0.95, 0.99, 0.999, 0.9)
FACTORS = (0.1, 10.0, 0.5, 2.0, 0.01, 100.0)  # of the learning rate
ACTIVATIONS: dict[str, tuple[Any, ...]] = {
    "other leaky slope": tuple(activations.LeakyRelu(slope) for slope in (0.2, 0.3, 0.01, 0.1)),
    "other gelu": (activations.Gelu(), activations.Gelu(approximate=True)),
    "other activation": tuple(
        activations.get(name)
        for name in ("linear", "relu", "tanh", "sigmoid", "elu", "selu", "softplus", "silu", "hard_sigmoid", "softsign")
    ),
}


class Change(NamedTuple):
    """A change to a model.

    Attributes
    ----------
    name, place, detail : str
        As of the Cause that it stands for.
    apply : callable
        Changes the model that it is given.
    plain : bool
        Whether the model remains one that Keras has.
    rare : bool
        Left out where pairs are tried.
    replaces : bool
        Whether it puts a new layer in the old one's place, and undoes what was changed in that.
    """

    name: str
    place: str
    detail: str
    apply: Apply
    plain: bool = False
    rare: bool = False
    replaces: bool = False


def candidates(key: Key, ours: Sequential, theirs: Sequential, their_values: Values) -> Iterator[Change]:
    """Yield the changes that may mend the quantity `key`, the likely ones first."""
    kind, name = key[:2]
    if len(ours.layers) != len(theirs.layers):
        return
    places = [i for i, layer in enumerate(ours.layers) if layer.name == name]
    if kind in ("output", "state", "gradient"):
        for i in places:
            yield from _settings(ours, theirs, i)
            yield from _weights(ours, theirs, i)
            yield from _data(ours, theirs, i)
            yield from _dropout(ours, i, their_values)
            yield from _activations(ours, i)
        if kind == "gradient":
            yield from _loss(ours, theirs)
        return
    if kind == "loss":
        yield from _loss(ours, theirs)
    else:
        yield from _optimizer(ours, theirs)
    for i in range(len(ours.layers)):
        yield from _settings(ours, theirs, i)


# Settings.


def _settings(ours: Sequential, theirs: Sequential, i: int) -> Iterator[Change]:
    here, there = ours.layers[i], theirs.layers[i]
    if type(here) is not type(there):
        return
    mine, other = here.get_config(), there.get_config()
    for setting in mine:
        theirs_is = other.get(setting)
        if setting in LEAVES_ALONE or setting.endswith("_initializer") or mine[setting] == theirs_is:
            continue
        if setting == "activation":
            name = _activation_name(here.activation, there.activation)  # type: ignore[attr-defined]
        else:
            name = NAMES.get(setting, f"other {setting.replace('_', ' ')}")

        def apply(model: Sequential, setting: str = setting, value: Any = theirs_is) -> None:
            layer = model.layers[i]
            new = type(layer).from_config({**layer.get_config(), setting: value})
            new.ensure_built(there.input_shape or ())
            kept = dict(zip([spec.name for spec in layer.specs], layer.weights, strict=True))
            given = dict(zip([spec.name for spec in there.specs], there.weights, strict=True))
            new.set_weights([kept.get(spec.name, given.get(spec.name)) for spec in new.specs])
            for attribute in ("state", "dropout_stream"):
                value = getattr(there if setting == "stateful" else layer, attribute, None)
                if value is not None and getattr(new, attribute, None) is not None:
                    setattr(new, attribute, value.copy() if attribute == "state" else value)
            model.layers[i] = new
            model._make_vector()
            model._forget_records()
            _set_optimizer(model)

        detail = f"{_said(mine[setting])} here, {_said(theirs_is)} in Keras"
        yield Change(name, here.name, detail, apply, plain=True, replaces=True)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        given = value.get("config") or {}
        return f"{value.get('class_name')}({', '.join(f'{k}={v!r}' for k, v in given.items() if k != 'name')})"
    return str(value)


def _activation_name(one: Any, other: Any) -> str:
    if type(one) is type(other) and isinstance(one, (activations.Gelu, activations.LeakyRelu)):
        return "other gelu" if isinstance(one, activations.Gelu) else "other leaky slope"
    return "other activation"


# Weights.


def _weights(ours: Sequential, theirs: Sequential, i: int) -> Iterator[Change]:
    here, there = ours.layers[i], theirs.layers[i]
    for spec, w in zip(here.specs, here.weights, strict=True):
        if w.ndim == 2:
            name = f"transposed {spec.name.replace('_', ' ')}"
            yield _weight_change(name, here, i, spec.name, _transposed, plain=True)
            yield _used(name, here, i, spec.name, _transposed, _transposed)
        elif spec.name == "bias":
            their_bias = getattr(there, "bias", None)
            if not w.any() and their_bias is not None and their_bias.any():
                yield _weight_change("missing bias", here, i, "bias", partial(_given, their_bias), plain=True)
            yield _weight_change("missing bias", here, i, "bias", np.zeros_like, plain=True)
            yield _used("missing bias", here, i, "bias", np.zeros_like, np.zeros_like)
            yield _weight_change("doubled bias", here, i, "bias", lambda w: 2 * w, plain=True)
            yield _used("doubled bias", here, i, "bias", lambda w: 2 * w, lambda g: 2 * g)
            yield _weight_change("doubled bias", here, i, "bias", lambda w: w / 2, plain=True)
            yield _used("doubled bias", here, i, "bias", lambda w: w / 2, lambda g: g / 2)


def _transposed(w: Array) -> Array:
    """Return w transposed; of a matrix that is not square its numbers, read in the other order of memory."""
    return np.ascontiguousarray(w.T).reshape(w.shape)


def _given(value: Array, _: Array) -> Array:
    return value


def _weight_change(
    name: str, layer: Layer, i: int, weight: str, change: Callable[[Array], Array], plain: bool
) -> Change:
    """Return the change of a weight's value."""

    def apply(model: Sequential) -> None:
        view = getattr(model.layers[i], weight)
        view[...] = change(view.copy())

    return Change(name, layer.name, "", apply, plain)


def _used(
    name: str,
    layer: Layer,
    i: int,
    weight: str,
    change: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
) -> Change:
    """Return the change of how a weight is used, its value being as it was."""
    return _faulty(name, layer, i, faulty.UsedOtherwise, changed=(weight, change, adjoint))


def _activations(ours: Sequential, i: int) -> Iterator[Change]:
    here = getattr(ours.layers[i], "activation", None)
    for name, others in ACTIVATIONS.items() if here is not None else ():
        for other in others:
            if repr(other) == repr(here):
                continue

            def apply(model: Sequential, other: Any = other) -> None:
                layer: Any = model.layers[i]
                layer.activation = other

            known = name if name == "other activation" else _activation_name(here, other)
            yield Change(known, ours.layers[i].name, f"{other!r} for {here!r}", apply, plain=True, rare=True)


# Data, as a layer gets them.


def _data(ours: Sequential, theirs: Sequential, i: int) -> Iterator[Change]:
    layer = ours.layers[i]
    sequences = layer.input_shape is not None and len(layer.input_shape) == 3
    if sequences:
        for mask_too in (False, True):
            yield _faulty("time-reversed input", layer, i, faulty.TimeReversed, mask_too=mask_too)
        for reading in faulty.READINGS:
            yield _faulty("batch-major for time-major", layer, i, faulty.OtherLayout, reading=reading)
        yield _faulty("ignored mask", layer, i, faulty.MaskIgnored)
    if isinstance(layer, SimpleRNN):
        yield _faulty("unreversed mask", layer, i, faulty.MaskUnreversed)
        yield _faulty("initial state ignored", layer, i, faulty.InitialStateIgnored)
        yield _faulty("stale state", layer, i, faulty.StaleState)
        their_state = getattr(theirs.layers[i], "state", None)
        if layer.state is not None and their_state is not None and not np.array_equal(layer.state, their_state):

            def taken_over(model: Sequential) -> None:
                changed: Any = model.layers[i]
                changed.state[...] = their_state

            yield Change("stale state", layer.name, "", taken_over, plain=True)


def _dropout(ours: Sequential, i: int, their_values: Values) -> Iterator[Change]:
    """Yield dropout that is on in inference, with the mask that the other side's output shows."""
    layer, key = ours.layers[i], ("output", ours.layers[i].name, "output")
    if isinstance(layer, Dropout) and layer.rate < 1 and key in their_values:
        there = np.asarray(their_values[key])
        mask = np.where(there == 0, 0.0, 1 / (1 - layer.rate)).astype(there.dtype)
        yield _faulty("dropout left on", layer, i, faulty.DropoutLeftOn, left_on=mask)


def _faulty(name: str, layer: Layer, i: int, fault: type, **attributes: Any) -> Change:
    def apply(model: Sequential) -> None:
        faulty.give(model.layers[i], fault, **attributes)

    return Change(name, layer.name, "", apply)


# Loss and optimizer.


def _loss(ours: Sequential, theirs: Sequential) -> Iterator[Change]:
    here, there = ours.loss, theirs.loss
    if here is None or there is None:
        return

    def replaced(new: Any) -> Apply:
        return lambda model: setattr(model, "loss", new)

    if type(here) is not type(there):
        yield Change("other loss", "loss", f"{here.name} here, {there.name} in Keras", replaced(there), plain=True)
        return
    mine, other = here.get_config(), there.get_config()
    for reduction in dict.fromkeys((there.reduction, "sum", "sum_over_batch_size", "mean_with_sample_weight")):
        if reduction != here.reduction:
            name = "sum for mean loss" if "sum" in (reduction, here.reduction) else "other reduction"
            new = type(here).from_config({**mine, "reduction": reduction})
            yield Change(name, "loss", f"{reduction} for {here.reduction}", replaced(new), plain=True)
    for setting in mine:
        if setting not in ("name", "dtype", "reduction") and mine[setting] != other[setting]:
            new = type(here).from_config({**mine, setting: other[setting]})
            detail = f"{mine[setting]} here, {other[setting]} in Keras"
            yield Change(f"other {setting.replace('_', ' ')}", "loss", detail, replaced(new), plain=True)
    for name, fault in (("ignored mask", faulty.MaskNotCounted), ("ignored sample weights", faulty.WeightsIgnored)):

        def apply(model: Sequential, fault: type = fault) -> None:
            faulty.give(model.loss, fault)

        yield Change(name, "loss", "", apply)


def _optimizer(ours: Sequential, theirs: Sequential) -> Iterator[Change]:
    here, there = ours.optimizer, theirs.optimizer
    if type(here) is not type(there):
        detail = f"{type(here).__name__} here, {type(there).__name__} in Keras"
        yield Change("other optimizer", "optimizer", detail, lambda model: _set_optimizer(model, there), plain=True)
        return
    mine, other = here.get_config(), there.get_config()

    def changed(setting: str, value: Any, rare: bool = False) -> Change:
        def apply(model: Sequential) -> None:
            settings = {**model.optimizer.get_config(), setting: value}
            _set_optimizer(model, type(model.optimizer).from_config(settings))

        name = NAMES.get(setting, f"other {setting.replace('_', ' ')}")
        there = "in Keras" if value == other[setting] else "on the other side"
        return Change(name, "optimizer", f"{_said(mine[setting])} here, {_said(value)} {there}", apply, True, rare)

    for setting in mine:
        if setting != "name" and mine[setting] != other[setting]:
            yield changed(setting, other[setting])
    if isinstance(here, RMSprop):
        outside = faulty.EpsilonOutside
        yield Change("epsilon outside the root", "optimizer", "", lambda model: faulty.give(model.optimizer, outside))
        for rho in RHOS:
            if rho != here.rho:
                yield changed("rho", rho, rare=True)
    if isinstance(mine["learning_rate"], float):
        for factor in FACTORS:
            yield changed("learning_rate", factor * mine["learning_rate"], rare=True)


def _set_optimizer(model: Sequential, like: Any = None) -> None:
    """Give the model a new optimizer with the settings of `like` (or of its own), and what it has of the old state."""
    if model.optimizer is None:
        return
    old, like = model.optimizer, like or model.optimizer
    settings = like.get_config()
    new = type(like).from_config(settings)
    if new._schedule is None:
        new._store_rate(like.learning_rate)  # unrounded
    model.optimizer = new
    model.prepare_training()
    new.iterations = old.iterations
    for name, vector in old.slots.items():
        if name in new.slots and new.slots[name].shape == vector.shape:
            new.slots[name][...] = vector
