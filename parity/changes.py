"""The table of known causes, as changes to a model: what :mod:`parity.causes` tries.

=====================  ====================================================================
settings               every setting of a layer, the loss or the optimizer that differs
weights                kernels transposed, a bias left out or taken twice
activations            one for another; leaky slopes; both gelus
data, layer by layer   time reversed, batch and time exchanged, mask ignored or not reversed,
                       initial state ignored, state left from the batch before, dropout left on
loss                   sum for mean, sample weights or mask ignored: :mod:`parity.loss_changes`
optimizer              epsilon outside the root, other rho, other learning rate
=====================  ====================================================================

A change that is more than a setting or a weight gives a layer, the loss or the optimizer a class of
:mod:`parity.faulty`, derived from its own. The same for a Keras model is in :mod:`parity.faulty_keras`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce
from operator import getitem
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import faulty, faulty_keras
from parity.backend import require_keras
from parity.change import Change
from parity.keras_side import DropoutMasks
from parity.loss_changes import loss_changes
from parity.parts import ARGUMENTS, all_parts, part_of, walk
from parity.rules import Key
from rnn_core import activations
from rnn_core.layers import Dropout, Layer, SimpleRNN
from rnn_core.layers.input import InputLayer
from rnn_core.models import Model
from rnn_core.optimizers import RMSprop

Array = NDArray[Any]

LEAVES_ALONE = ("name", "dtype", "seed", "units", "batch_input_shape", "unroll", "quantization_config")
INNER = {argument for arguments in ARGUMENTS.values() for argument in arguments}  # settings that are layers
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


def candidates(key: Key, ours: Model, theirs: Model, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield the changes to `ours` that may mend the quantity `key`, the likely ones first.

    `their_masks` are the dropout masks that the other side draws next.
    """
    kind = key[0]
    names = [layer.name for layer in ours.layers if layer.name in {other.name for other in theirs.layers}]
    if kind in ("output", "state", "gradient"):
        name = key[1] if key[1] in names else key[1].rpartition(" #")[0]  # of a shared layer any call
        if name in names:
            yield from _in_layer(ours, theirs, name, their_masks)
        if kind == "gradient":
            yield from loss_changes(ours, theirs)
        return
    if kind == "loss":
        yield from loss_changes(ours, theirs)
    else:
        yield from _optimizer(ours, theirs)
    for name in names:
        yield from _settings(ours, theirs, name)


def _in_layer(ours: Model, theirs: Model, name: str, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield the changes of a layer, and of the layers inside it."""
    yield from _settings(ours, theirs, name)
    there = dict(walk(theirs.get_layer(name)))
    parts = list(walk(ours.get_layer(name)))
    for label, here in parts:
        yield from _weights(here, there.get(label), label)
        yield from _data(here, there.get(label), label)
        yield from _dropout(here, label, their_masks)
    for label, here in parts:
        yield from _activations(here, label)


# Settings.


def _settings(ours: Model, theirs: Model, name: str) -> Iterator[Change]:
    here, there = ours.get_layer(name), theirs.get_layer(name)
    if type(here) is not type(there) or isinstance(here, InputLayer):
        return
    paths: dict[str, list[Any]] = {}  # of one difference: in both directions of a Bidirectional there are two
    for *path, mine, other in _differences(here.get_config(), there.get_config()):
        paths.setdefault(repr((path[-1], mine, other)), []).append((path, mine, other))
    for found in paths.values():
        (*_, setting), mine, other = found[0]
        if setting == "activation":
            named = _activation_name(activations.get(mine), activations.get(other))
        else:
            named = NAMES.get(setting, f"other {setting.replace('_', ' ')}")

        def apply(model: Model, found: list[Any] = found, setting: str = setting) -> None:
            layer = model.get_layer(name)
            config = layer.get_config()
            for path, _, value in found:
                *outer, last = path
                reduce(getitem, outer, config)[last] = value
            new = type(layer).from_config(config)
            new.ensure_built(there.input_shape or ())
            kept = dict(zip([spec.name for spec in layer.specs], layer.weights, strict=True))
            given = dict(zip([spec.name for spec in there.specs], there.weights, strict=True))
            new.set_weights([kept.get(spec.name, given.get(spec.name)) for spec in new.specs])
            for part, old, their in zip(*(all_parts([one]) for one in (new, layer, there)), strict=True):
                _carry_over(part, old, their if setting == "stateful" else old)
            model.layers[model.layers.index(layer)] = new
            model.graph = model.graph.with_layer(layer, new)
            model._make_vector()
            model._forget_records()
            _set_optimizer(model)

        which = f"{setting} " if setting in NAMES else ""  # whose name is not the setting's
        detail = f"{which}{_said(mine)} here, {_said(other)} in Keras"
        yield Change(named, name, detail, apply, plain=True, replaces=True)


def _differences(mine: Any, other: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield where two configs of a layer differ: the keys that lead there, and what is there in each."""
    for setting in mine:
        here, there, keys = mine[setting], other.get(setting), (*path, setting)
        if setting in LEAVES_ALONE or setting.endswith("_initializer") or here == there:
            continue
        if setting == "cells" and len(here) == len(there):
            for i, pair in enumerate(zip(here, there, strict=True)):
                yield from _inside(*pair, *keys, i)
        elif setting in INNER:
            yield from _inside(here, there, *keys)
        else:
            yield (*keys, here, there)


def _inside(mine: Any, other: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield where the configs of two layers inside others differ; nothing where they are not of one class."""
    if mine["class_name"] == other["class_name"]:
        yield from _differences(mine["config"], other["config"], *path, "config")


def _carry_over(part: Any, old: Any, with_state: Any) -> None:
    """Give a layer made anew the state and the random stream that there are."""
    if getattr(part, "state", None) is not None and getattr(with_state, "state", None) is not None:
        part.state = with_state.state.copy()
    if getattr(part, "dropout_stream", None) is not None and getattr(old, "dropout_stream", None) is not None:
        part.dropout_stream = old.dropout_stream


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


def _weights(here: Any, there: Any, label: str) -> Iterator[Change]:
    for spec, w in zip(here.specs, here.weights, strict=True):
        if "/" in spec.name:
            continue  # of a layer inside
        if w.ndim == 2:
            name = f"transposed {spec.name.replace('_', ' ')}"
            ways = ((_transposed, _transposed_back), (_transposed_back, _transposed))
            for change, back in ways if w.shape[0] != w.shape[1] else ways[:1]:
                yield _weight_change(name, label, spec.name, change)
                yield _used(name, label, spec.name, change, back)
        elif spec.name == "bias":
            their_bias = getattr(there, "bias", None)
            if not w.any() and their_bias is not None and their_bias.any():
                yield _weight_change("missing bias", label, "bias", partial(_given, their_bias))
            for name, factor in (("missing bias", 0.0), ("doubled bias", 2.0), ("doubled bias", 0.5)):
                scaled = partial(_scaled, factor)
                yield _weight_change(name, label, "bias", scaled)
                yield _used(name, label, "bias", scaled, scaled)


def _transposed(w: Any) -> Any:
    """Return w transposed; of a matrix that is not square its numbers, read in the other order of memory."""
    ops = np if isinstance(w, np.ndarray) else require_keras().ops
    return ops.reshape(ops.transpose(w), w.shape)


def _transposed_back(w: Any) -> Any:
    """Return what :func:`_transposed` makes w of; it is its adjoint, too."""
    ops = np if isinstance(w, np.ndarray) else require_keras().ops
    return ops.transpose(ops.reshape(w, w.shape[::-1]))


def _scaled(factor: float, w: Any) -> Any:
    return factor * w


def _given(value: Array, _: Array) -> Array:
    return value


def _weight_change(name: str, label: str, weight: str, change: Callable[[Array], Array]) -> Change:
    """Return the change of a weight's value."""

    def apply(model: Model) -> None:
        view = getattr(part_of(model, label), weight)
        view[...] = change(view.copy())

    return Change(name, label, "", apply, plain=True)


def _used(
    name: str, label: str, weight: str, change: Callable[[Any], Any], adjoint: Callable[[Array], Array]
) -> Change:
    """Return the change of how a weight is used, its value being as it was."""
    there = partial(faulty_keras.used_otherwise, label=label, weight=weight, change=change)
    return _faulty(name, label, faulty.UsedOtherwise, there, changed=(weight, change, adjoint))


def _activations(layer: Any, label: str) -> Iterator[Change]:
    here = getattr(layer, "activation", None)
    for name, others in ACTIVATIONS.items() if here is not None else ():
        for other in others:
            if repr(other) == repr(here):
                continue

            def apply(model: Model, other: Any = other) -> None:
                part_of(model, label).activation = other

            known = name if name == "other activation" else _activation_name(here, other)
            yield Change(known, label, f"{other!r} for {here!r}", apply, plain=True, rare=True)


# Data, as a layer gets them.


def _data(layer: Layer, other: Any, label: str) -> Iterator[Change]:
    sequences = isinstance(layer.input_shape, tuple) and len(layer.input_shape) == 3
    if sequences:
        for mask_too in (False, True):
            yield _faulty("time-reversed input", label, faulty.TimeReversed, mask_too=mask_too)
        for reading in faulty.READINGS:
            yield _faulty("batch-major for time-major", label, faulty.OtherLayout, reading=reading)
        yield _faulty("ignored mask", label, faulty.MaskIgnored, partial(faulty_keras.mask_ignored, label=label))
    if isinstance(layer, SimpleRNN):
        for name, fault, there in (
            ("unreversed mask", faulty.MaskUnreversed, faulty_keras.mask_unreversed),
            ("initial state ignored", faulty.InitialStateIgnored, faulty_keras.initial_state_ignored),
            ("stale state", faulty.StaleState, faulty_keras.stale_state),
        ):
            yield _faulty(name, label, fault, partial(there, label=label))
        their_state = getattr(other, "state", None)
        if layer.state is not None and their_state is not None and not np.array_equal(layer.state, their_state):

            def taken_over(model: Model) -> None:
                part_of(model, label).state[...] = their_state

            yield Change("stale state", label, "", taken_over, plain=True)


def _dropout(layer: Layer, label: str, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield dropout that is on in inference, with the masks that the other side draws."""
    if label in their_masks:
        masks = their_masks[label]
        fault = faulty.DropoutLeftOn if isinstance(layer, Dropout) else faulty.RecurrentDropoutLeftOn
        there = partial(faulty_keras.dropout_left_on, label=label, masks=masks)
        yield _faulty("dropout left on", label, fault, there, left_on=masks)


def _faulty(
    name: str, label: str, fault: type, there: Callable[[Any], None] | None = None, **attributes: Any
) -> Change:
    def apply(model: Model) -> None:
        faulty.give(part_of(model, label), fault, **attributes)

    return Change(name, label, "", apply, there=there)


# The optimizer.


def _optimizer(ours: Model, theirs: Model) -> Iterator[Change]:
    here, there = ours.optimizer, theirs.optimizer
    if type(here) is not type(there):
        detail = f"{type(here).__name__} here, {type(there).__name__} in Keras"
        yield Change("other optimizer", "optimizer", detail, lambda model: _set_optimizer(model, there), plain=True)
        return
    mine, other = here.get_config(), there.get_config()

    def changed(setting: str, value: Any, rare: bool = False) -> Change:
        def apply(model: Model) -> None:
            settings = {**model.optimizer.get_config(), setting: value}
            _set_optimizer(model, type(model.optimizer).from_config(settings))

        name = NAMES.get(setting, f"other {setting.replace('_', ' ')}")
        there = "in Keras" if value == other[setting] else "on the other side"
        return Change(name, "optimizer", f"{_said(mine[setting])} here, {_said(value)} {there}", apply, True, rare)

    for setting in mine:
        if setting != "name" and mine[setting] != other[setting]:
            yield changed(setting, other[setting])
    if isinstance(here, RMSprop):

        def outside(model: Model) -> None:
            faulty.give(model.optimizer, faulty.EpsilonOutside)

        name = "epsilon outside the root"
        yield Change(name, "optimizer", "", outside, there=faulty_keras.epsilon_outside)
        for rho in RHOS:
            if rho != here.rho:
                yield changed("rho", rho, rare=True)
    if isinstance(mine["learning_rate"], float):
        for factor in FACTORS:
            yield changed("learning_rate", factor * mine["learning_rate"], rare=True)


def _set_optimizer(model: Model, like: Any = None) -> None:
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
