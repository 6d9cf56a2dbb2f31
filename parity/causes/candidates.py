"""The table of known causes, as changes to a model: what :mod:`parity.causes.search` tries.

=====================  ====================================================================
settings               every setting of a layer, the loss or the optimizer that differs
weights                kernels transposed, a bias left out or taken twice; or so in the forward pass alone
activations            one for another; leaky slopes; both gelus
data, layer by layer   time reversed, batch and time exchanged, mask ignored or not reversed,
                       initial state ignored, state left from the batch before, dropout left on
loss                   sum for mean, of the batch or of all elements, sample weights or mask ignored: losses.py
optimizer              epsilon outside the root, other rho, other learning rate, set or only used: optimizer.py
=====================  ====================================================================

A change that is more than a setting or a weight gives a layer, the loss or the optimizer a class of
:mod:`parity.causes.faulty`, derived from its own. The same for a Keras model is in :mod:`parity.causes.faulty_keras`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.causes import faulty, faulty_keras
from parity.causes.activations import activation_changes
from parity.causes.change import NAMES, Change
from parity.causes.losses import loss_changes
from parity.causes.optimizer import optimizer_changes
from parity.causes.settings import layer_settings
from parity.checking.rules import Key
from parity.parts import part_of, walk
from parity.sides.questions import DropoutMasks
from rnn_core.layers import Bidirectional, Dropout, Embedding, Layer, Masking, SimpleRNN
from rnn_core.layers.recurrent import Recurrent
from rnn_core.models import Model

Array = NDArray[Any]
MASKS = (NAMES["mask_zero"], "other mask value")


def candidates(key: Key, ours: Model, theirs: Model, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield the changes to `ours` that may mend the quantity `key`, the likely ones first.

    `their_masks` are the dropout masks that the other side draws next.
    """
    kind = key[0]
    names = [layer.name for layer in ours.layers if layer.name in {other.name for other in theirs.layers}]
    if kind in ("output", "state", "gradient"):
        name = key[1] if key[1] in names else key[1].rpartition(" #")[0]  # of a shared layer any call
        if name in names:
            yield from _where_masks_are_made(ours, theirs, names, name)
            yield from _in_layer(ours, theirs, name, their_masks)
        if kind == "gradient":
            yield from loss_changes(ours, theirs)
        return
    if kind == "loss":
        yield from loss_changes(ours, theirs)
    else:
        yield from optimizer_changes(ours, theirs)
        if kind == "new weight" and key[1] in names:  # of one that this batch does not use
            yield from (change._replace(rare=True) for change in _weights_in(ours, theirs, key[1]) if change.plain)
    for name in names:
        yield from layer_settings(ours, theirs, name)


def _where_masks_are_made(ours: Model, theirs: Model, names: list[str], name: str) -> Iterator[Change]:
    """Yield the settings by which masks are made in the layers before: what they put out may be the same."""
    for other in names:
        if other != name and isinstance(ours.get_layer(other), Embedding | Masking):
            yield from (change for change in layer_settings(ours, theirs, other) if change.name in MASKS)


def _in_layer(ours: Model, theirs: Model, name: str, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield the changes of a layer, and of the layers inside it."""
    yield from layer_settings(ours, theirs, name)
    yield from _weights_in(ours, theirs, name)
    there = dict(walk(theirs.get_layer(name)))
    parts = list(walk(ours.get_layer(name)))
    for label, here in parts:
        yield from _data(here, there.get(label), label)
        yield from _dropout(here, label, their_masks)
    for label, here in parts:
        yield from activation_changes(here, label)


# Weights.


def _weights_in(ours: Model, theirs: Model, name: str) -> Iterator[Change]:
    there = dict(walk(theirs.get_layer(name)))
    for label, here in walk(ours.get_layer(name)):
        yield from _weights(here, there.get(label), label)


def _weights(here: Any, there: Any, label: str) -> Iterator[Change]:
    for spec, w in zip(here.specs, here.weights, strict=True):
        if "/" in spec.name:
            continue  # of a layer inside
        if w.ndim == 2:
            name = f"transposed {spec.name.replace('_', ' ')}"
            ways = ((_transposed, _transposed_back), (_transposed_back, _transposed))
            for i, (change, back) in enumerate(ways if w.shape[0] != w.shape[1] else ways[:1]):
                yield _weight_change(name, label, spec.name, change)
                yield from _used(name, label, spec.name, change, back, i)
        elif spec.name == "bias":
            their_bias = getattr(there, "bias", None)
            if not w.any() and their_bias is not None and their_bias.any():
                yield _weight_change("missing bias", label, "bias", partial(_given, their_bias))
            for i, (name, factor) in enumerate((("missing bias", 0.0), ("doubled bias", 2.0), ("doubled bias", 0.5))):
                scaled = partial(_scaled, factor)
                yield _weight_change(name, label, "bias", scaled)
                yield from _used(name, label, "bias", scaled, scaled, i)


def _transposed(w: Any) -> Any:
    """Return w transposed; of a matrix that is not square its numbers, read in the other order of memory."""
    ops = faulty.numerics(w)
    return ops.reshape(ops.transpose(w), w.shape)


def _transposed_back(w: Any) -> Any:
    """Return what :func:`_transposed` makes w of; it is its adjoint, too."""
    ops = faulty.numerics(w)
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

    return Change(name, label, apply, plain=True)


def _used(
    name: str, label: str, weight: str, change: Callable[[Any], Any], adjoint: Callable[[Array], Array], variant: int
) -> Iterator[Change]:
    """Yield the changes of how a weight is used, in both passes or in one, its value being as it was."""
    changed = (weight, change, adjoint)
    in_keras = partial(faulty_keras.used_otherwise, label=label, weight=weight, change=change)
    yield _faulty(name, label, faulty.UsedOtherwise, in_keras, variant, changed=changed)
    in_keras = partial(faulty_keras.used_in_forward, label=label, weight=weight, change=change)
    one = _faulty(name, label, faulty.UsedInForward, in_keras, variant, changed=changed)
    yield one._replace(detail="in the forward pass", rare=True)


# Data, as a layer gets them.


def _data(layer: Layer, other: Any, label: str) -> Iterator[Change]:
    shape: Any = layer.input_shape
    if isinstance(shape, list) and isinstance(layer, Recurrent | Bidirectional):
        shape = shape[0]  # initial states come with it
    if isinstance(shape, tuple) and len(shape) == 3:
        for mask_too in (False, True):
            in_keras = partial(faulty_keras.time_reversed, label=label, mask_too=mask_too)
            yield _faulty("time-reversed input", label, faulty.TimeReversed, in_keras, mask_too, mask_too=mask_too)
        for i, reading in enumerate(faulty.READINGS):
            in_keras = partial(faulty_keras.other_layout, label=label, reading=reading)
            yield _faulty("batch-major for time-major", label, faulty.OtherLayout, in_keras, i, reading=reading)
        yield _faulty("ignored mask", label, faulty.MaskIgnored, partial(faulty_keras.mask_ignored, label=label))
    if isinstance(layer, SimpleRNN):
        their_state = getattr(other, "state", None)
        if layer.state is not None and their_state is not None and not np.array_equal(layer.state, their_state):

            def taken_over(model: Model) -> None:
                part_of(model, label).state[...] = their_state

            yield Change("stale state", label, taken_over, plain=True)
        for name, fault, planted in (
            ("unreversed mask", faulty.MaskUnreversed, faulty_keras.mask_unreversed),
            ("initial state ignored", faulty.InitialStateIgnored, faulty_keras.initial_state_ignored),
            ("stale state", faulty.StaleState, faulty_keras.stale_state),
        ):
            yield _faulty(name, label, fault, partial(planted, label=label))


def _dropout(layer: Layer, label: str, their_masks: DropoutMasks) -> Iterator[Change]:
    """Yield dropout that is on in inference, with the masks that the other side draws."""
    if label in their_masks:
        masks = their_masks[label]
        fault = faulty.DropoutLeftOn if isinstance(layer, Dropout) else faulty.RecurrentDropoutLeftOn
        in_keras = partial(faulty_keras.dropout_left_on, label=label, masks=masks)
        yield _faulty("dropout left on", label, fault, in_keras, left_on=masks)


def _faulty(
    name: str, label: str, fault: type, in_keras: Callable[[Any], None], variant: int = 0, **attributes: Any
) -> Change:
    def apply(model: Model) -> None:
        faulty.give(part_of(model, label), fault, **attributes)

    return Change(name, label, apply, in_keras=in_keras, variant=variant)
