"""One line of a report: a quantity, how far both sides are off, and the rule that it must meet."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One quantity in one precision.

    Attributes
    ----------
    dtype : {"float64", "float32"}
    kind : {"output", "state", "loss", "gradient", "new weight", "new slot", "optimizer"}
    layer : str
        The layer that it belongs to, "" for the loss and the optimizer.
    name : str
        Which of the layer's: ``"kernel"``, ``"initial state"``, ``"input"``; for a slot ``"velocities of kernel"``.
    scale : float
        max|reference|.
    ours, ours_rms : float
        Largest and root mean square error of ours, in units; in float64 the difference of the two engines.
    keras, keras_rms : float or None
        The same of Keras; None in float64, where Keras is the reference.
    limit, limit_rms : float
        What `ours` and `ours_rms` may be, in units.
    rule : str
        Where the limits come from.
    draws : int
        Over how many draws of rounding errors the figures are medians.
    problem : str
        Why there is nothing to compare: "shape (2, 3) here, (3, 2) in Keras"; "" for most.
    keras_limit : float
        What `keras` may be, in units; without bound where the Keras model is made from ours.
    """

    dtype: str
    kind: str
    layer: str
    name: str
    scale: float
    ours: float
    ours_rms: float
    keras: float | None
    keras_rms: float | None
    limit: float
    limit_rms: float
    rule: str
    draws: int = 1
    problem: str = ""
    keras_limit: float = math.inf

    @property
    def holds(self) -> bool:
        """Whether the line meets its rule."""
        within = self.ours <= self.limit and self.ours_rms <= self.limit_rms
        return not self.problem and within and (self.keras is None or self.keras <= self.keras_limit)

    @property
    def part(self) -> str:
        """Layer and name: "simple_rnn/recurrent_kernel"."""
        if not self.layer:
            return self.name
        return self.layer + (f"/{self.name}" if self.name != "output" else "")

    @property
    def used(self) -> tuple[float, float]:
        """How much of their limits the largest and the root mean square error take; above 1 is bad."""
        return self.ours / self.limit, self.ours_rms / self.limit_rms

    @property
    def relative(self) -> float:
        """The largest error of ours as a part of max|reference|."""
        return self.ours * 2.0 ** (-52 if self.dtype == "float64" else -23)

    @property
    def label(self) -> str:
        """Kind, layer and name: "gradient of simple_rnn/recurrent_kernel"."""
        if not self.layer:
            return self.kind if self.kind == self.name else f"{self.kind}: {self.name}"
        return f"{self.kind} of {self.part}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, `holds` and `label`, as JSON takes them: None for what is not finite."""
        fields = {**self._asdict(), "label": self.label, "holds": self.holds}
        finite = {k: v for k, v in fields.items() if not isinstance(v, float) or math.isfinite(v)}
        return {name: finite.get(name) for name in fields}
