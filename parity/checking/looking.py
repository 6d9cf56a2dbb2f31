"""One look at all quantities: what both engines and the reference have of them, and with that their errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.checking.asking import Sides, Values, collected, restored
from parity.checking.rules import Figures, Key, Place, figures_of
from parity.sides.batch import sample_weights
from parity.sides.our_side import OurSide
from parity.sides.questions import Options
from parity.sides.reference import ReferenceSide, noisy_ones
from rnn_core.several import each

NOISES = 3


class Look:
    """All quantities of one batch.

    Parameters
    ----------
    sides : dict
        Ours come before Keras': they draw the dropout masks.
    reference : ReferenceSide
    batch : dict
    random : numpy.random.Generator
        Draws the noise.

    Attributes
    ----------
    keys : list of (kind, layer, name)
        In the order of computation.
    """

    def __init__(
        self, sides: Sides, reference: ReferenceSide, batch: dict[str, Any], random: np.random.Generator
    ) -> None:
        self._found: dict[Place, Values] = {}
        for place, side in sides.items():
            options: Options = {}
            if place[0] == "keras" and batch["y"] is not None:
                options["dropout_masks"] = our_side(sides).dropout_masks
            with restored(side), np.errstate(over="ignore", invalid="ignore"):
                self._found[place] = collected(side, batch, options)
        self._exact, *self._noisy = _with_noise(reference, batch, random)
        self.keys = list(dict.fromkeys(key for engine in ("ours", "keras") for key in self._found[engine, "float64"]))

    def figures(self, key: Key, fault: tuple[str, float] | None = None) -> Figures:
        """Return the errors of a quantity; with a `fault` (dtype, factor) on our side, those that it would have."""
        values = {place: found.get(key) for place, found in self._found.items()}
        if fault is not None:
            dtype, factor = fault
            value = values["ours", dtype]
            values["ours", dtype] = (value * np.dtype(dtype).type(factor)) if value is not None else None
        noisy = [found[key] for found in self._noisy if key in found]
        return figures_of(values, self._exact.get(key), noisy)

    def said(self) -> list[str]:
        """Return a note of the precisions in which our loss is not finite, and so makes no step to compare."""
        key = ("loss", "", "loss")
        lost = [
            dtype
            for (engine, dtype), found in self._found.items()
            if engine == "ours" and not np.isfinite(found.get(key, 0.0))
        ]
        where = " and ".join(lost)
        return [f"The loss is not finite in {where}: no gradients and no step were compared there."] if lost else []


def our_side(sides: Sides) -> OurSide:
    """Return our side in float64."""
    ours = sides["ours", "float64"]
    assert isinstance(ours, OurSide)
    return ours


def _with_noise(reference: ReferenceSide, batch: dict[str, Any], random: np.random.Generator) -> list[Values]:
    """Return what the reference has, without noise and then `NOISES` times with it."""
    ones = sample_weights(batch, reference.model)
    found = []
    with np.errstate(all="ignore"):
        with restored(reference):
            found.append(collected(reference, batch, {}))
        for _ in range(NOISES):
            weight = each(lambda part: None if part is None else part * noisy_ones(part.shape, random), ones)
            with restored(reference), reference.noise(random):
                found.append(collected(reference, {**batch, "sample_weight": weight}, {}))
    return found
