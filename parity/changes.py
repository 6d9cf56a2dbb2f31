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
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import faulty, faulty_keras
from parity.backend import require_keras
from parity.change import Change
from parity.keras_side import DropoutMasks
from parity.loss_changes import loss_changes
from parity.rules import Key
from rnn_core import activations
from rnn_core.layers import Dropout, Layer, SimpleRNN
from rnn_core.layers.input import InputLayer
from rnn_core.models import Model
from rnn_core.optimizers import RMSprop

Array = NDArray[Any]

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


def candidates(key: Key, ours: Model, theirs: Model, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield the changes to `ours` that may mend the quantity `key`, the likely ones first.

    `their_masks` are the dropout masks that the other side draws next.
    """
    kind, name = key[0], key[1].partition(" #")[0]  # of a shared layer any call
    if len(ours.layers) != len(theirs.layers):
        return
    places = [i for i, layer in enumerate(ours.layers) if layer.name == name]
    if kind in ("output", "state", "gradient"):
        for i in places:
            yield from _settings(ours, theirs, i)
            yield from _weights(ours, theirs, i)
            yield from _data(ours, theirs, i)
            yield from _dropout(ours, i, their_masks)
            yield from _activations(ours, i)
        if kind == "gradient":
            yield from loss_changes(ours, theirs)
        return
    if kind == "loss":
        yield from loss_changes(ours, theirs)
    else:
        yield from _optimizer(ours, theirs)
    for i in range(len(ours.layers)):
        yield from _settings(ours, theirs, i)


# Settings.


def _settings(ours: Model, theirs: Model, i: int) -> Iterator[Change]:
    here, there = ours.layers[i], theirs.layers[i]
    if type(here) is not type(there) or isinstance(here, InputLayer):
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

        def apply(model: Model, setting: str = setting, value: Any = theirs_is) -> None:
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
            model.graph = model.graph.with_layer(layer, new)
            model._make_vector()
            model._forget_records()
            _set_optimizer(model)

        which = f"{setting} " if setting in NAMES else ""  # whose name is not the setting's
        detail = f"{which}{_said(mine[setting])} here, {_said(theirs_is)} in Keras"
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


def _weights(ours: Model, theirs: Model, i: int) -> Iterator[Change]:
    here, there = ours.layers[i], theirs.layers[i]
    for spec, w in zip(here.specs, here.weights, strict=True):
        if w.ndim == 2:
            name = f"transposed {spec.name.replace('_', ' ')}"
            ways = ((_transposed, _transposed_back), (_transposed_back, _transposed))
            for change, back in ways if w.shape[0] != w.shape[1] else ways[:1]:
                yield _weight_change(name, here, i, spec.name, change)
                yield _used(name, here, i, spec.name, change, back)
        elif spec.name == "bias":
            their_bias = getattr(there, "bias", None)
            if not w.any() and their_bias is not None and their_bias.any():
                yield _weight_change("missing bias", here, i, "bias", partial(_given, their_bias))
            for name, factor in (("missing bias", 0.0), ("doubled bias", 2.0), ("doubled bias", 0.5)):
                scaled = partial(_scaled, factor)
                yield _weight_change(name, here, i, "bias", scaled)
                yield _used(name, here, i, "bias", scaled, scaled)


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


def _weight_change(name: str, layer: Layer, i: int, weight: str, change: Callable[[Array], Array]) -> Change:
    """Return the change of a weight's value."""

    def apply(model: Model) -> None:
        view = getattr(model.layers[i], weight)
        view[...] = change(view.copy())

    return Change(name, layer.name, "", apply, plain=True)


def _used(
    name: str,
    layer: Layer,
    i: int,
    weight: str,
    change: Callable[[Any], Any],
    adjoint: Callable[[Array], Array],
) -> Change:
    """Return the change of how a weight is used, its value being as it was."""
    there = partial(faulty_keras.used_otherwise, i=i, weight=weight, change=change)
    return _faulty(name, layer, i, faulty.UsedOtherwise, there, changed=(weight, change, adjoint))


def _activations(ours: Model, i: int) -> Iterator[Change]:
    here = getattr(ours.layers[i], "activation", None)
    for name, others in ACTIVATIONS.items() if here is not None else ():
        for other in others:
            if repr(other) == repr(here):
                continue

            def apply(model: Model, other: Any = other) -> None:
                layer: Any = model.layers[i]
                layer.activation = other

            known = name if name == "other activation" else _activation_name(here, other)
            yield Change(known, ours.layers[i].name, f"{other!r} for {here!r}", apply, plain=True, rare=True)


# Data, as a layer gets them.


def _data(ours: Model, theirs: Model, i: int) -> Iterator[Change]:
    layer = ours.layers[i]
    sequences = isinstance(layer.input_shape, tuple) and len(layer.input_shape) == 3
    if sequences:
        for mask_too in (False, True):
            yield _faulty("time-reversed input", layer, i, faulty.TimeReversed, mask_too=mask_too)
        for reading in faulty.READINGS:
            yield _faulty("batch-major for time-major", layer, i, faulty.OtherLayout, reading=reading)
        yield _faulty("ignored mask", layer, i, faulty.MaskIgnored, partial(faulty_keras.mask_ignored, i=i))
    if isinstance(layer, SimpleRNN):
        for name, fault, there in (
            ("unreversed mask", faulty.MaskUnreversed, faulty_keras.mask_unreversed),
            ("initial state ignored", faulty.InitialStateIgnored, faulty_keras.initial_state_ignored),
            ("stale state", faulty.StaleState, faulty_keras.stale_state),
        ):
            yield _faulty(name, layer, i, fault, partial(there, i=i))
        their_state = getattr(theirs.layers[i], "state", None)
        if layer.state is not None and their_state is not None and not np.array_equal(layer.state, their_state):

            def taken_over(model: Model) -> None:
                changed: Any = model.layers[i]
                changed.state[...] = their_state

            yield Change("stale state", layer.name, "", taken_over, plain=True)


def _dropout(ours: Model, i: int, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield dropout that is on in inference, with the masks that the other side draws."""
    layer = ours.layers[i]
    if layer.name in their_masks:
        masks = their_masks[layer.name]
        fault = faulty.DropoutLeftOn if isinstance(layer, Dropout) else faulty.RecurrentDropoutLeftOn
        there = partial(faulty_keras.dropout_left_on, i=i, masks=masks)
        yield _faulty("dropout left on", layer, i, fault, there, left_on=masks)


def _faulty(
    name: str, layer: Layer, i: int, fault: type, there: Callable[[Any], None] | None = None, **attributes: Any
) -> Change:
    def apply(model: Model) -> None:
        faulty.give(model.layers[i], fault, **attributes)

    return Change(name, layer.name, "", apply, there=there)


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
