"""Why a check fails: known causes, each tried alone until both sides agree.

A cause is a small fault, such as "the recurrent kernel of 'upper' is transposed". First it is found out which side has
it, by Keras' model made of ours anew; then known faults are planted in the other side, which is right. The one that,
and nothing else, makes both agree in every line is what sets the two apart::

    first failing line  ->  the faults that can touch it  ->  with which of them do both agree there?
                                                                  |
              the cause  <-  report.holds  <-  a whole check  <---'    if they do in all the other lines too

Where no single fault will do, pairs are tried, and reported as "more than one". Where nothing fits, nothing is named;
nor is anything where both sides are wrong, for what is planted in a side may hide a fault that it has itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any

import numpy as np

from parity.causes.agreement import FORWARD, SLACK, Agreement
from parity.causes.cause import MORE_THAN_ONE, Cause
from parity.causes.faulty_keras import masks_to_draw
from parity.causes.planting import Fault, InKerasModel, InOurCode
from parity.checking.asking import both_sides, twin
from parity.checking.report import Report
from parity.checking.rules import FLOAT32_IN_FLOAT64, Key
from parity.checking.run import check
from parity.conversion.models import converted, to_keras
from parity.conversion.objects import ConversionError
from parity.sides.batch import batch_of
from parity.sides.keras_side import KerasSide
from parity.sides.our_side import OurSide, cast
from rnn_core.models import Model
from rnn_core.several import rows

STARTS = 4  # single faults that explain the first line only, and from which a second one is looked for
Place = InKerasModel | InOurCode


def find_cause(
    model: Model,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    mask: Any = None,
    initial_state: Any = None,
    *,
    keras_model: Any = None,
    report: Report | None = None,
) -> Cause | None:
    """Return the known cause that alone explains why a check fails; neither model is changed.

    Parameters
    ----------
    model, x, y, sample_weight, mask, initial_state, keras_model
        As for :func:`parity.check`.
    report : Report, optional
        What the check returned, if there was one; its ``cause`` is set.

    Returns
    -------
    Cause or None
        None where all holds, and where no known cause fits. ``str(cause)`` is for people, ``cause.name`` for programs.

    Raises
    ------
    ConversionError, ImportError, ValueError, TypeError
        As :func:`parity.check`.
    """
    given = (x, y, sample_weight, mask, initial_state)
    if report is None:
        report = check(model, *given, keras_model=keras_model)
    if report.first_bad is None:
        return None
    keras_model = to_keras(model) if keras_model is None else keras_model
    with ExitStack() as stack:
        search = _Search(model, given, keras_model, report, stack)
        cause = search.cause()
    if cause is None and search.twin_alone:
        lines = [line for line in report.lines if line.dtype == "float32"]
        with ExitStack() as stack:
            cause = _Search(model, given, keras_model, Report(lines, backend=report.backend), stack).cause()
    report.cause = "" if cause is None else str(cause)
    return cause


class _Search:
    """The values of both sides, and what has been tried.

    Attributes
    ----------
    twin_alone : bool
        Whether a cause was found for the float64 twin of a float32 Keras model which is not all that this has: its own
        code has a fault too.
    """

    def __init__(self, model: Model, given: tuple[Any, ...], keras_model: Any, report: Report, stack: ExitStack):
        assert report.first_bad is not None
        self.model, self.given, self.keras_model, self.report = model, given, keras_model, report
        self.dtype = report.first_bad.dtype
        self.twin_alone = False
        batch = batch_of(model, *given)
        sides = both_sides(model, keras_model, [self.dtype], stack)
        ours, theirs = sides["ours", self.dtype], sides["keras", self.dtype]
        assert isinstance(ours, OurSide)
        assert isinstance(theirs, KerasSide)
        self.ours_model = ours.model
        self.their_model = twin(converted(keras_model), self.dtype)
        self.agreement = Agreement(self.ours_model, batch, report, theirs.backend)
        self.key: Key = self.agreement.key
        self.their_masks = masks_to_draw(theirs.model, rows(batch["x"]))
        self.ours = self.agreement.values(self.agreement.our_side(cast(self.ours_model, self.dtype)))
        self.theirs = self.agreement.values(theirs)
        if batch["y"] is not None:  # a loss that was given by name is an object after its first batch
            for each_model in (self.ours_model, self.their_model):
                each_model._checked_data(batch["x"], batch["y"], None)

    def cause(self) -> Cause | None:
        """Return the cause."""
        agreement = self.agreement
        if agreement.agree(self.ours, self.theirs):
            return None  # too small a fault to tell changes that mend it from those that do nothing
        place = self._where()
        return (None if place is None else self._found(place)) or self._of_rounding()

    def _where(self) -> Place | None:
        """Return on which side the fault is; None where both are wrong, so that a change might hide either's fault.

        The judge is Keras' model made of ours anew: it is right.
        """
        try:
            right = self.agreement.values(KerasSide(to_keras(self.ours_model)))
        except ConversionError:
            return None
        if self.agreement.agree(right, self.theirs):
            return InOurCode(self.agreement, self.ours_model, self.their_model, self.ours, right)
        # Where values cancel on our side alone, the report's limits are too narrow for these: a check has its own.
        ours_holds = self.agreement.agree(self.ours, right) or check(self.model, *self.given, dtypes=[self.dtype]).holds
        if ours_holds:
            drawn, computed = self.their_masks, self.theirs
            return InKerasModel(self.agreement, self.ours_model, self.their_model, drawn, computed, self.keras_model)
        return None

    def _found(self, place: Place) -> Cause | None:
        """Return the fault, or the two, with which the side that is right computes what the other does."""
        mending: list[tuple[Fault, Key]] = []
        faults = list(place.faults(self.key))
        for fault in faults:
            if self._fits(place, [fault], self.key, mending):
                return place.cause(fault)
        for first, key in mending[:STARTS]:
            for fault in place.faults(key):
                if self._fits(place, [first, fault], key):
                    return _both(place, first, fault)
        if mending:
            return None
        for pair in place.pairs(faults):
            if self._fits(place, pair, self.key):
                return _both(place, *pair)
        return None

    def _fits(
        self,
        place: Place,
        faults: Sequence[Fault],
        key: Key,
        mending: list[tuple[Fault, Key]] | None = None,
    ) -> bool:
        """Whether all lines agree with these faults; note the first of them if those up to `key` do at least."""
        changes, agreement, target = tuple(chain(*faults)), self.agreement, place.target
        try:
            side = place.planted(changes)
            if key[0] in (*FORWARD, "gradient"):  # what it does to outputs is quickly seen
                last = key if key[0] in FORWARD else [k for k in target if k[0] in FORWARD][-1]
                if not agreement.agree_up_to(last, agreement.values(side, True), target):
                    return False
            values = agreement.values(side)
            wrong = agreement.first_wrong(values, target)
            if wrong is None:
                # What only the float32 model does is not in its float64 twin: there the search itself was the check.
                if self.dtype == "float32":
                    return True
                holds = [place.whole_check(self.given, self.model, changes, dtype) for dtype in place.dtypes]
                self.twin_alone |= holds[0] and not all(holds)
                return all(holds)
        except Exception:  # such as a mask without a layer that takes one; each backend raises errors of its own
            return False
        if mending is not None and agreement.agree_up_to(key, values, target):
            mending.append((faults[0], wrong))
        return False

    # Rounding.

    def _of_rounding(self) -> Cause | None:
        """Return "float32 for float64" where a layer or the loss has float32 numbers, and all errors are of that size.

        It is not a change of ours that is tried: two engines agree in float32 no better than they do here.
        """
        if self.dtype != "float64" or self.key[0] not in (*FORWARD, "loss"):
            return None
        bad = [line for line in self.report.bad if line.dtype == "float64"]
        if any(line.problem or line.ours > FLOAT32_IN_FLOAT64 * max(64.0, SLACK * line.limit) for line in bad):
            return None
        for values, where in ((self.theirs, "in Keras"), (self.ours, "in rnn_core")):
            value = np.asarray(values[self.key])
            if np.array_equal(value, value.astype(np.float32)) and value.any():
                return Cause("float32 for float64", self.key[1] or "loss", where)
        return None


def _both(place: Place, *faults: Fault) -> Cause:
    return Cause(MORE_THAN_ONE, parts=tuple(map(place.cause, faults)))
