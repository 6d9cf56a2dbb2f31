"""Known causes in the loss, as changes to a model: another one, other settings, a mask or sample weights ignored."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

from parity.causes import faulty, faulty_keras
from parity.causes.change import Apply, Change
from rnn_core.losses.base import ElementwiseLoss
from rnn_core.losses.several import LossOfOutputs
from rnn_core.models import Model


def loss_changes(ours: Model, theirs: Model) -> Iterator[Change]:
    """Yield the changes of our loss, or of one output's, that may make it Keras'."""
    here, there = ours.loss, theirs.loss
    if not isinstance(here, LossOfOutputs) or not isinstance(there, LossOfOutputs):
        if here is not None and there is not None:
            yield from _one(here, there, None, "loss")
            yield from _faulty([here], None, "loss")
        return
    for i, (one, other) in enumerate(zip(here.losses, there.losses, strict=True)):
        if one is not None or other is not None:
            yield from _one(one, other, i, f"loss of {here.names[i]}")
        if one is not None:
            yield from _faulty([one], i, f"loss of {here.names[i]}")
    yield from _faulty([one for one in here.losses if one is not None], None, "loss")
    if here.coefficients != there.coefficients:
        values = (here.coefficients, there.coefficients)
        yield Change("other loss weights", "loss", _weighted(there.coefficients), values, plain=True)


def _weighted(coefficients: list[float]) -> Apply:
    def apply(model: Model) -> None:
        model.loss = LossOfOutputs(model.loss.losses, coefficients, model.loss.names)

    return apply


def _replaced(new: Any, output: int | None) -> Apply:
    """Return what gives a model another loss, or another one for the output of this number."""

    def apply(model: Model) -> None:
        given = copy.copy(new)  # which another change may give a fault
        if output is None:
            model.loss = given
            return
        losses = [given if i == output else loss for i, loss in enumerate(model.loss.losses)]
        model.loss = LossOfOutputs(losses, model.loss.coefficients, model.loss.names)

    return apply


def _one(here: Any, there: Any, output: int | None, place: str) -> Iterator[Change]:
    if type(here) is not type(there):
        values = (getattr(here, "name", None), getattr(there, "name", None))
        yield Change("other loss", place, _replaced(there, output), values, plain=True)
        return
    mine, other = here.get_config(), there.get_config()
    for reduction in dict.fromkeys((there.reduction, "sum", "sum_over_batch_size", "mean_with_sample_weight")):
        if reduction != here.reduction:
            name = "sum for mean loss" if "sum" in (reduction, here.reduction) else "other reduction"
            new = type(here).from_config({**mine, "reduction": reduction})
            yield Change(name, place, _replaced(new, output), (here.reduction, reduction), plain=True)
    for setting in mine:
        if setting not in ("name", "dtype", "reduction") and mine[setting] != other[setting]:
            new = type(here).from_config({**mine, setting: other[setting]})
            name = f"other {setting.replace('_', ' ')}"
            yield Change(name, place, _replaced(new, output), (mine[setting], other[setting]), plain=True)


def _faulty(found: list[Any], output: int | None, place: str) -> Iterator[Change]:
    """Yield what the loss of the output of this number may do otherwise, or those of all outputs: `found`."""
    for name, detail, fault, in_keras in (
        ("ignored mask", "", faulty.MaskNotCounted, faulty_keras.mask_not_counted),
        ("ignored sample weights", "", faulty.WeightsIgnored, faulty_keras.weights_ignored),
        ("sum for mean loss", "over all elements", faulty.Summed, faulty_keras.summed),
    ):
        if fault is faulty.Summed and not all(map(_is_mean_of_elements, found)):
            continue

        def apply(model: Model, fault: type = fault) -> None:
            losses = getattr(model.loss, "losses", [model.loss])
            for i, loss in enumerate(losses):
                if loss is not None and output in (None, i):
                    faulty.give(loss, fault)

        yield Change(name, place, apply, detail=detail, in_keras=partial(in_keras, output=output))


def _is_mean_of_elements(loss: Any) -> bool:
    return isinstance(loss, ElementwiseLoss) and loss.reduction in ("sum_over_batch_size", "mean")
