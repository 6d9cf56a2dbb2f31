"""One look at all quantities: what both engines and the reference have of them, and with that their errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.checking.asking import Sides, Values, collected, restored
from parity.checking.rules import Figures, Key, Place, figures_of
from parity.sides.batch import sample_weights
from parity.sides.our_side import OurSide
from parity.sides.questions import Options
from parity.sides.reference import ReferenceSide, noisy_ones
from rnn_core.several import as_list, each

Array = NDArray[Any]

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
    again : bool
        Whether the reference is asked a second time, for values that are not the same then.

    Attributes
    ----------
    keys : list of (kind, layer, name)
        In the order of computation.
    """

    def __init__(
        self,
        sides: Sides,
        reference: ReferenceSide,
        batch: dict[str, Any],
        random: np.random.Generator,
        again: bool = False,
    ) -> None:
        self._found: dict[Place, Values] = {}
        for place, side in sides.items():
            options: Options = {}
            if place[0] == "keras" and batch["y"] is not None:
                options["dropout_masks"] = our_side(sides).dropout_masks
            with restored(side), np.errstate(over="ignore", invalid="ignore"):
                self._found[place] = collected(side, batch, options)
        self._exact = _asked(reference, batch)
        self._unsteady = _that_differ(self._exact, _asked(reference, batch)) if again else set()
        self._noisy = _with_noise(reference, batch, random)
        self._terms = _rows([*as_list(batch["x"]), *_outputs(self._found["ours", "float64"])])
        self.keys = list(dict.fromkeys(key for engine in ("ours", "keras") for key in self._found[engine, "float64"]))

    def figures(self, key: Key, fault: tuple[str, float] | None = None) -> Figures:
        """Return the errors of a quantity; with a `fault` (dtype, factor) on our side, those that it would have."""
        if key in self._unsteady:
            return Figures(0.0, problem="not the same when asked again, here")
        values = {place: found.get(key) for place, found in self._found.items()}
        if fault is not None:
            dtype, factor = fault
            value = values["ours", dtype]
            values["ours", dtype] = (value * np.dtype(dtype).type(factor)) if value is not None else None
        noisy = [found[key] for found in self._noisy if key in found]
        return figures_of(values, self._exact.get(key), noisy, self._terms if _is_a_sum(key) else 1)

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


def _outputs(values: Values) -> list[Array]:
    return [value for (kind, _, _), value in values.items() if kind == "output"]


def _rows(arrays: list[Array]) -> int:
    """Return the most samples and steps that one of the arrays has."""
    shapes = [array.shape if array.dtype.kind in "iu" else array.shape[:-1] for array in arrays]
    return max(math.prod(shape) for shape in shapes)


def _is_a_sum(key: Key) -> bool:
    """Whether a quantity is a sum over the samples, or made of one."""
    kind, _, name = key
    return kind in ("loss", "gradient", "new weight", "new slot") and name not in ("input", "initial state")


def _asked(reference: ReferenceSide, batch: dict[str, Any]) -> Values:
    """Return what the reference has."""
    with restored(reference), np.errstate(all="ignore"):
        return collected(reference, batch, {})


def _that_differ(values: Values, again: Values) -> set[Key]:
    """Return the quantities that are not the same to the last bit."""
    return {key for key, value in values.items() if not np.array_equal(value, again[key], equal_nan=True)}


def _with_noise(reference: ReferenceSide, batch: dict[str, Any], random: np.random.Generator) -> list[Values]:
    """Return what the reference has with noise, `NOISES` times."""
    ones = sample_weights(batch, reference.model)
    found = []
    for _ in range(NOISES):
        weight = each(lambda part: None if part is None else part * noisy_ones(part.shape, random), ones)
        with reference.noise(random):
            found.append(_asked(reference, {**batch, "sample_weight": weight}))
    return found
