"""Where Keras' own ``fit`` and ``predict`` do something else than rnn_core: known, and said in a check's report.

What can be avoided by handing both sides the same is avoided, and said; what can't be is said, so that a line that
fails for it is no riddle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.parts import all_parts
from parity.sides.keras_side import KerasSide
from parity.sides.our_side import OurSide
from rnn_core.layers import Add, Average, JordanCell, Reshape, StackedRNNCells
from rnn_core.losses import BinaryCrossentropy
from rnn_core.losses.base import EPSILON
from rnn_core.models import Model
from rnn_core.several import as_list

RATES = ("rate", "dropout", "recurrent_dropout")
LATER = ("momentum", "ema_momentum", "ema_overwrite_frequency")


def told(ours: OurSide, theirs: Sequence[KerasSide], batch: dict[str, Any]) -> list[str]:
    """Return a sentence for what Keras' own ``fit`` and ``predict`` do otherwise than both sides did here."""
    handed = {label: why for side in theirs for label, why in side.masks_handed.items()}
    said = [
        f"Keras loses the mask of {label!r}, for {why}; rnn_core uses it. Here Keras was handed it. In Keras, call the "
        "layer with mask= to have the same there."
        for label, why in sorted(handed.items())
        if label not in batch["initial_states"]
    ]
    settings = sorted({name for side in theirs for name in side.settings_handed})
    if settings:
        said.append(
            "Keras on TensorFlow rounds settings that are Python floats to float32, also in a float64 model; here it "
            f"got {_listed(settings)} as set. A model made by parity.to_keras keeps them."
        )
    for label, (layer, record) in ours.records.items() if theirs[0].backend == "tensorflow" else ():
        if isinstance(layer, (Add, Average)) and adds_as_bias(record.aligned):
            said.append(
                f"Keras on TensorFlow takes an input of {label!r}, one number for each of as many samples as there are "
                "time steps, for a bias of the time steps, as the batch size is known; rnn_core adds it to its sample, "
                "as Keras does for every other batch size. Put that input first to have the same."
            )
        if getattr(record, "step_mask", None) is None:
            continue
        if layer.unroll and layer.go_backwards and layer.zero_output_for_mask:
            said.append(
                f"Keras on TensorFlow takes the mask of {label!r} in the wrong order: make it with unroll=False."
            )
        elif _starts_masked(layer, record):
            said.append(
                f"Keras on TensorFlow puts out 0 for {label!r} until its first step that is not masked; rnn_core, as "
                "Keras on JAX, puts out the state that it started from."
            )
    model = ours.model
    if theirs[0].backend == "jax":
        said += _masks_through_reshape_on_jax(ours) + _masked_steps_on_jax(ours)
    if batch["y"] is not None and theirs[0].backend == "jax":
        said += _called_twice_on_jax(model)
    if batch["y"] is not None:
        said += _clipped(ours, theirs[0].backend, batch)
    return said


def unseen(ours: Model, theirs: Model) -> list[str]:
    """Say which settings differ that a check does not show: rates of dropout, and what only later steps use.

    Dropout masks are the same on both sides, and momentum begins with the second step.
    """
    said, parts = [], {part.name: part for part in all_parts(theirs.layers)}
    pairs = [(f" of {part.name!r}", part, parts.get(part.name), RATES) for part in all_parts(ours.layers)]
    if ours.compiled and theirs.compiled and type(ours.optimizer) is type(theirs.optimizer):
        pairs.append((" of the optimizer", ours.optimizer, theirs.optimizer, LATER))
    for of, one, other, names in pairs:
        for name in names if type(one) is type(other) else ():
            here, there = getattr(one, name, None), getattr(other, name, None)
            if here != there:
                said.append(
                    f"{name}{of} is {here} in rnn_core and {there} in Keras: they train differently, which no line of "
                    "a check shows."
                )
    return said


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def adds_as_bias(shapes: Sequence[Sequence[int]]) -> bool:
    """Whether ``keras.ops.add`` on TensorFlow, from left to right, takes an operand for a bias of another axis.

    It does so with (batch, 1, 1) beside (batch, timesteps, 1) where there are as many samples as time steps.
    """
    total = tuple(shapes[0])
    for shape in shapes[1:]:
        long = [axis for axis, size in enumerate(shape) if size > 1]
        if len(long) == 1 and shape[long[0]] in (total[1], total[-1]):
            axis = len(total) - 1 if shape[long[0]] == total[-1] else 1
            if axis != long[0]:
                return True
        total = np.broadcast_shapes(total, tuple(shape))
    return False


def _masks_through_reshape_on_jax(ours: OurSide) -> list[str]:
    """Say where Keras on JAX gets the very array back from a Reshape, with the mask that it carries."""
    return [
        f"Keras on JAX hands the mask on through {label!r}, which leaves the shape as it is; in rnn_core, as on "
        "TensorFlow and torch, it ends there. Leave the layer out to have the same."
        for label, (layer, record) in ours.records.items()
        if isinstance(layer, Reshape) and record.mask is not None and record.shape == record.output_shape
    ]


def _masked_steps_on_jax(ours: OurSide) -> list[str]:
    """Say where a layer puts out something else at masked steps, for Keras on JAX has ways of its own there."""
    said = []
    for label, (layer, record) in ours.records.items():
        if getattr(record, "step_mask", None) is None or record.step_mask.all():
            continue
        if layer.unroll and layer.zero_output_for_mask:
            said.append(
                f"Keras on JAX ignores zero_output_for_mask of {label!r} where unroll is set; with unroll=False both "
                "put out 0 at masked steps."
            )
        elif not layer.unroll and not layer.zero_output_for_mask and _feeds_back_more_than_its_output(layer, record):
            said.append(
                f"Keras on JAX puts out the state of {label!r} at masked steps; rnn_core, as Keras on TensorFlow and "
                "torch, puts out its last output. With zero_output_for_mask=True or unroll=True both do the same."
            )
    return said


def _feeds_back_more_than_its_output(layer: Any, record: Any) -> bool:
    """Whether a layer ends in a Jordan cell whose state is not its output: it decays, or is the true output."""
    cell = getattr(layer, "cell", None)
    cell = cell.cells[-1] if isinstance(cell, StackedRNNCells) else cell
    return isinstance(cell, JordanCell) and (cell.decay != 0 or getattr(record, "has_targets", False))


def _called_twice_on_jax(model: Model) -> list[str]:
    """Say what Keras on JAX alone makes of layers that are called several times."""
    said, counts = [], Counter(step.layer for step in model.graph.steps)
    for layer in (layer for layer, count in counts.items() if count > 1):
        if layer.activity_regularizer is not None:
            said.append(
                f"Keras' own fit on JAX counts the activity penalty of {layer.name!r} for its first call alone; "
                "rnn_core, as Keras on TensorFlow and torch, for every call. Here Keras did so too."
            )
        if any(getattr(part, "stateful", False) for part in all_parts([layer])):
            said.append(
                f"Keras on JAX takes the gradient of {layer.name!r} from one call back into the one before, through "
                "the state; in rnn_core, as in Keras on TensorFlow and torch, it ends at the state."
            )
    return said


def _clipped(ours: OurSide, backend: str, batch: dict[str, Any]) -> list[str]:
    """Say where a cross-entropy meets probabilities that it clips on one side only."""
    step, _ = ours._step(batch["x"], batch["y"], {})
    if not step.is_of_logits:
        return []
    said = []
    outputs = as_list(ours.forward(batch["x"], mask=batch["mask"], initial_states=batch["initial_states"]).output)
    losses = getattr(ours.model.loss, "losses", [ours.model.loss])
    for loss, logits, y, p in zip(losses, step.logits, as_list(batch["y"]), outputs, strict=True):
        # Keras on TensorFlow squeezes (batch, timesteps, 1), and with that loses its way back.
        squeezed = isinstance(loss, BinaryCrossentropy) and np.ndim(y) == 2 < p.ndim
        clipped = (p < EPSILON) | (p > 1 - EPSILON)
        if logits is not None and (backend != "tensorflow" or squeezed) and clipped.any():
            where = ", where the targets have one axis less," if squeezed else ""
            said.append(
                f"{clipped.sum():,} of {p.size:,} probabilities are nearer to 0 or 1 than {EPSILON:g}. Keras on "
                f"{backend}{where} clips them in its loss, and they get no gradient; rnn_core goes back to logits. "
                "Give the model no last activation and the loss from_logits=True to have the same."
            )
    return said


def _starts_masked(layer: Any, record: Any) -> bool:
    """Whether a recurrent layer started from a state that is an output too, and at a masked step."""
    states = getattr(record, "initial_states", None)
    if states is None:  # of a SimpleRNN
        start = record.hidden[0]
    elif layer.cell.output_state is None:
        return False
    else:
        start = states[layer.cell.output_state]
    return bool((~record.step_mask[0] & (start != 0)).any())
