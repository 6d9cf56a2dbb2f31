"""Whether two sides agree on one batch: what each has of every quantity, and how far apart these may be."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.checking.asking import Values, collected, restored
from parity.checking.report import Report
from parity.checking.rules import MUTUAL, Key, unit
from parity.sides.keras_constants import take_keras_constants
from parity.sides.keras_side import KerasSide
from parity.sides.our_side import OurSide
from parity.sides.questions import DropoutMasks, Options, dropout_masks
from rnn_core.models import Model
from rnn_core.several import each

SLACK = 8.0  # times a line's limit: the search is coarse, the whole check at its end is not
FORWARD = ("output", "state")


class Agreement:
    """What is asked of sides, and when their answers agree.

    Parameters
    ----------
    model : Model
        Ours, in the precision of the first line that fails: it draws the dropout masks.
    batch : dict
    report : Report
        Of a check that does not hold.
    backend : str
        Keras' backend.

    Attributes
    ----------
    key : tuple
        The first quantity that fails.
    dtype : str
    our_masks : dict
        The dropout masks that our model draws next, in training.
    """

    def __init__(self, model: Model, batch: dict[str, Any], report: Report, backend: str) -> None:
        assert report.first_bad is not None
        self.batch, self.bad, self.backend = batch, report.first_bad, backend
        self.key: Key = (self.bad.kind, self.bad.layer, self.bad.name)
        self.dtype = self.bad.dtype
        self.lines = {(n.kind, n.layer, n.name): n for n in report.lines if n.dtype == self.dtype}
        self.our_masks = self._masks_to_draw(model)

    def _masks_to_draw(self, model: Model) -> DropoutMasks:
        x = each(lambda part: np.ascontiguousarray(part, self.dtype), self.batch["x"])
        with OurSide(model)._unchanged(), np.errstate(all="ignore"):
            one = model.new_pass(each(np.shape, x))
            one.forward(x, training=True)
        return dropout_masks(one)

    def our_side(self, model: Model) -> OurSide:
        """Return a model of ours as a side; it is given the constants that Keras has, as in the check."""
        if self.dtype == "float64" and self.backend == "tensorflow":
            take_keras_constants(model)
        return OurSide(model)

    def values(self, side: OurSide | KerasSide, forward_only: bool = False) -> Values:
        """Return every quantity that a side has."""
        batch = {**self.batch, "y": None} if forward_only else self.batch
        options: Options = {}
        if isinstance(side, KerasSide) and batch["y"] is not None:
            options["dropout_masks"] = self.our_masks
        with restored(side), np.errstate(all="ignore"):
            return collected(side, batch, options)

    def limit(self, key: Key) -> float:
        """Return what a difference may be, in eps of max|value|."""
        line = self.lines.get(key)
        if self.dtype == "float32":  # what the side that is right has of rounding
            return MUTUAL * max(1.0, min(line.ours, line.keras or 0.0, 1024.0) if line else 1.0)
        limit = SLACK * max(16.0, line.limit if line else 0.0)
        return min(limit, self.bad.ours / 2) if key == self.key and not self.bad.problem else limit

    def first_wrong(self, some: Values, others: Values) -> Key | None:
        """Return the first quantity in which two sides differ."""
        for key in dict.fromkeys((*some, *others)):
            a, b = some.get(key), others.get(key)
            if a is None or b is None or np.shape(a) != np.shape(b):
                return key
            a, b = np.asarray(a, float), np.asarray(b, float)
            scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
            size = unit(self.dtype, scale)
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            with np.errstate(all="ignore"):
                if not (same | (np.abs(a - b) <= self.limit(key) * size)).all():
                    return key
        return None

    def agree(self, some: Values, others: Values) -> bool:
        """Whether two sides differ in nothing."""
        return self.first_wrong(some, others) is None

    def agree_up_to(self, key: Key, some: Values, others: Values) -> bool:
        """Whether they do up to `key`, and there too, in the order of `others`: in graphs that of Keras is another.

        What fails on a way beside that of `key` is left out: it may have a fault of its own.
        """
        keys = list(dict.fromkeys((*others, *some, key)))
        upto = [k for k in keys[: keys.index(key) + 1] if k == key or k not in self.lines or self.lines[k].holds]
        if key[0] in FORWARD:
            upto = [k for k in upto if k[0] in FORWARD]  # a state may be on one side only
        a, b = ({k: values[k] for k in upto if k in values} for values in (some, others))
        return self.agree(a, b)
