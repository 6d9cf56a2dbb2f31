"""How sharp the check is: faults of known size are put into every quantity of random models, and counted when found.

A rule that nothing fails is worth what it would have found. Here each quantity on our side, in one precision, is
multiplied by 1 + fault, and judged as :func:`parity.check` judges at its first look.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from parity.backend import require_keras
from parity.checking.asking import both_sides
from parity.checking.looking import Look, our_side
from parity.checking.rules import judge
from parity.checking.run import same_constants
from parity.fuzzing.drawing import draw
from parity.sides.batch import batch_of
from parity.sides.reference import ReferenceSide
from rnn_core.denormals import resolution

FAULTS: dict[str, tuple[float, ...]] = {"float64": (1e-12, 1e-13, 3e-14, 1e-14), "float32": (1e-4, 1e-5, 3e-6, 1e-6)}
"""Relative errors, for each precision."""


class Sharpness:
    """What was found of the faults.

    Attributes
    ----------
    cases, seed : int
    quantities : int
        Outputs, states, losses, gradients, new weights and slots that faults were put into.
    caught : dict of str to dict of float to int
        By precision and size of the fault, of how many quantities it was found.
    """

    def __init__(self, cases: int, seed: int, quantities: int, caught: Mapping[str, Mapping[float, int]]) -> None:
        self.cases, self.seed, self.quantities = cases, seed, quantities
        self.caught = {dtype: dict(found) for dtype, found in caught.items()}

    def share(self, dtype: str, fault: float) -> float:
        """Return the share of the quantities in which a fault was found."""
        return self.caught[dtype][fault] / self.quantities if self.quantities else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON takes it."""
        caught = {dtype: {f"{fault:g}": n for fault, n in found.items()} for dtype, found in self.caught.items()}
        return {"cases": self.cases, "seed": self.seed, "quantities": self.quantities, "caught": caught}

    def __str__(self) -> str:
        lines = [
            f"{self.quantities:,} quantities of {self.cases:,} random models (seeds {self.seed} to "
            f"{self.seed + self.cases - 1}),",
            "each multiplied by 1 + fault on our side in one precision. Found at first look:",
            "",
            "precision    fault     found",
        ]
        lines += [
            f"{dtype}    {fault:7.0e}  {self.share(dtype, fault):7.1%}"
            for dtype, found in self.caught.items()
            for fault in found
        ]
        return "\n".join(lines)


def sharpness(
    cases: int = 100,
    seed: int = 0,
    faults: Mapping[str, Sequence[float]] | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> Sharpness:
    """Put faults into every quantity of random models, and count what the check finds.

    Quantities that vanish, and have no digits to be wrong in, are left out.

    Parameters
    ----------
    cases, seed : int
        Case k is ``draw(seed + k)``, as in :func:`parity.fuzzing.run.fuzz`.
    faults : dict, optional
        Relative errors for "float64" and "float32"; default :data:`FAULTS`.
    progress : callable, optional
        ``progress(cases done, cases in all, 0)``.

    Raises
    ------
    ImportError
        Without Keras.
    ValueError
        If `cases` or `seed` is out of range.
    """
    if cases < 1 or seed < 0:
        raise ValueError(f"sharpness: cases must be at least 1 and seed at least 0, got {cases} and {seed}.")
    keras, faults, quantities = require_keras(), FAULTS if faults is None else faults, 0
    caught = {dtype: dict.fromkeys(sizes, 0) for dtype, sizes in faults.items()}
    for done in range(cases):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*destroy the mask information")
            look = _look_at(seed + done, keras.backend.backend())
        for key in look.keys:
            scale = look.figures(key).scale
            if key[0] == "optimizer" or any(np.finfo(dtype).eps * scale < resolution(dtype) for dtype in faults):
                continue
            quantities += 1
            for dtype, found in caught.items():
                for fault in found:
                    found[fault] += not judge(key, dtype, [look.figures(key, (dtype, 1 + fault))], False).holds
        keras.utils.clear_session()
        if progress is not None:
            progress(done + 1, cases, 0)
    return Sharpness(cases, seed, quantities, caught)


def _look_at(seed: int, backend: str) -> Look:
    """Return what all sides have for a case."""
    model, data = draw(seed, backend).build()
    batch = batch_of(model, *(data[name] for name in ("x", "y", "sample_weight", "mask", "initial_state")))
    with ExitStack() as stack:
        sides = both_sides(model, None, ("float64", "float32"), stack)
        if backend == "tensorflow":
            same_constants(sides)
        return Look(sides, ReferenceSide(our_side(sides).model), batch, np.random.default_rng(0))
