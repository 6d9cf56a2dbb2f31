"""ReLUs that are open on one side and shut on the other: from there two float32 engines part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Flip(NamedTuple):
    """A ReLU that is open on one side and shut on the other.

    Attributes
    ----------
    step : int
        Counted from 1: found in the forward pass of this training step.
    layer : str
    time_step : int or None
        Counted from 0, in the order of processing; None in a layer without time.
    sample, unit : int
        Counted from 0; the sample's place in its batch.
    ours, keras : float
        The outputs, one of them 0.
    relative : float
        The other, as a part of the layer's largest output in this batch.
    """

    step: int
    layer: str
    time_step: int | None
    sample: int
    unit: int
    ours: float
    keras: float
    relative: float

    def __str__(self) -> str:
        time = "" if self.time_step is None else f"time step {self.time_step}, "
        return (
            f"step {self.step:,}: {self.layer}, {time}sample {self.sample}, unit {self.unit}: "
            f"{self.ours:.1e} here, {self.keras:.1e} in Keras"
        )


def first_flip(step: int, ours: Mapping[str, Array], keras: Mapping[str, Array]) -> Flip | None:
    """Return the first ReLU that is open on one side only: first layer, then time step, sample, unit.

    Parameters
    ----------
    step : int
        To be noted in the result.
    ours, keras : mapping of layer to ndarray, shape (batch, [timesteps,] units)
        Outputs of the ReLU layers.

    Examples
    --------
    >>> flip = first_flip(7, {"dense": np.array([[0.0, 1e-8], [2.0, 0.0]])}, {"dense": np.array([[0.0, 0], [2, 0]])})
    >>> print(flip)
    step 7: dense, sample 0, unit 1: 1.0e-08 here, 0.0e+00 in Keras
    """
    for layer, a in ours.items():
        b = keras[layer]
        flipped = (a > 0) != (b > 0)
        if flipped.any():
            # Time first: an early flip makes later ones.
            at = np.argwhere(flipped.transpose(1, 0, 2) if a.ndim == 3 else flipped)[0]
            *time, sample, unit = (int(i) for i in at)
            place = (sample, *time, unit)
            value = float(max(a[place], b[place]))
            relative = value / float(max(a.max(), b.max()))
            return Flip(
                step, layer, time[0] if time else None, sample, unit, float(a[place]), float(b[place]), relative
            )
    return None
