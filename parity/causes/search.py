"""Why a check fails: known causes, each tried alone until both sides agree.

A cause is a small change to one side, such as "transpose the recurrent kernel of 'upper'". If our model with that
change, and nothing else, agrees with the Keras model in every line, the change is what sets the two apart::

    first failing line  ->  the changes that can touch it  ->  which of them mend it?    float64, one pass each
                                                                  |
              the cause  <-  report.holds  <-  a whole check  <---'    if it mends all the other lines too

Where our model agrees with its plain twin in Keras, the fault is in the Keras model, and changes are tried on our side;
where no single one will do, pairs are, and reported as "more than one". Where it does not agree, our own code is at
fault, and changes are tried in that twin: one on our side could agree because it bypasses the fault, such as a mask
ignored where nothing is masked. Where nothing fits, nothing is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.causes.candidates import candidates
from parity.causes.cause import MORE_THAN_ONE, Cause
from parity.causes.change import Change
from parity.causes.faulty_keras import masks_to_draw
from parity.checking.asking import Values, both_sides, collected, restored, twin
from parity.checking.line import Line
from parity.checking.report import Report
from parity.checking.rules import FLOAT32_IN_FLOAT64, MUTUAL, Key, rounded_constants, unit
from parity.checking.run import check
from parity.conversion.models import from_keras, to_keras
from parity.conversion.objects import ConversionError
from parity.parts import part_of
from parity.sides.batch import batch_of
from parity.sides.keras_side import KerasSide
from parity.sides.our_side import OurSide, cast
from parity.sides.questions import DropoutMasks, Options, dropout_masks
from rnn_core.models import Model
from rnn_core.several import each, rows

Array = NDArray[Any]

SLACK = 8.0  # times a line's limit: the search is coarse, the whole check at its end is not
STARTS = 4  # single changes that mend the first line only, and from which a second one is looked for
FORWARD = ("output", "state")


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
    report.cause = "" if cause is None else str(cause)
    return cause


class _Search:
    """The values of both sides, and what has been tried."""

    def __init__(self, model: Model, given: tuple[Any, ...], keras_model: Any, report: Report, stack: ExitStack):
        self.model, self.given, self.keras_model, self.report = model, given, keras_model, report
        assert report.first_bad is not None
        self.bad: Line = report.first_bad
        self.key: Key = (self.bad.kind, self.bad.layer, self.bad.name)
        self.dtype = self.bad.dtype
        self.batch = batch_of(model, *given)
        sides = both_sides(model, keras_model, [self.dtype], stack)
        ours, theirs = sides["ours", self.dtype], sides["keras", self.dtype]
        assert isinstance(ours, OurSide)
        assert isinstance(theirs, KerasSide)
        self.ours_model = ours.model
        self.their_model = twin(from_keras(keras_model), self.dtype)
        self.our_masks = self._masks_to_draw()
        self.their_masks = masks_to_draw(theirs.model, rows(self.batch["x"]))
        self.ours = self._values(ours)
        self.theirs = self._values(theirs)
        if self.batch["y"] is not None:  # a loss that was given by name is an object after its first batch
            self.their_model._checked_data(self.batch["x"], self.batch["y"], None)
        self.lines = {(n.kind, n.layer, n.name): n for n in report.lines if n.dtype == self.dtype}
        self.rounded = bool(rounded_constants(self.their_model))

    def cause(self) -> Cause | None:
        """Return the cause."""
        if self._first_wrong(self.ours, self.theirs) is None:
            return None  # too small a fault to tell changes that mend it from those that do nothing
        if self._ours_is_right():
            return self.on_our_side() or self.of_rounding()
        return self.on_keras_side() or self.undone() or self.of_rounding()

    def _ours_is_right(self) -> bool:
        """Whether our model agrees with its own twin in Keras, or has none that could tell."""
        try:
            twins = self._values(KerasSide(to_keras(self.ours_model)))
        except ConversionError:
            return True
        return self._first_wrong(self.ours, twins) is None

    # Agreement.

    def _masks_to_draw(self) -> DropoutMasks:
        """Return the dropout masks that our model draws next, in training."""
        x = each(lambda part: np.ascontiguousarray(part, self.dtype), self.batch["x"])
        with OurSide(self.ours_model)._unchanged(), np.errstate(all="ignore"):
            one = self.ours_model.new_pass(each(np.shape, x))
            one.forward(x, training=True)
        return dropout_masks(one)

    def _values(self, side: OurSide | KerasSide, forward_only: bool = False) -> Values:
        batch = {**self.batch, "y": None} if forward_only else self.batch
        options: Options = {}
        if isinstance(side, KerasSide) and batch["y"] is not None:
            options["dropout_masks"] = self.our_masks
        with restored(side), np.errstate(all="ignore"):
            return collected(side, batch, options)

    def _limit(self, key: Key) -> float:
        """Return what a difference may be, in eps of max|value|."""
        line = self.lines.get(key)
        if self.dtype == "float32":
            return MUTUAL * max(1.0, min(line.ours, 1024.0) if line else 1.0)
        limit = SLACK * max(16.0, line.limit if line else 0.0)
        if self.rounded:
            limit = max(limit, SLACK * FLOAT32_IN_FLOAT64)
        return min(limit, self.bad.ours / 2) if key == self.key and not self.bad.problem else limit

    def _first_wrong(self, ours: Values, theirs: Values) -> Key | None:
        """Return the first quantity in which two sides differ."""
        for key in dict.fromkeys((*ours, *theirs)):
            a, b = ours.get(key), theirs.get(key)
            if a is None or b is None or np.shape(a) != np.shape(b):
                return key
            a, b = np.asarray(a, float), np.asarray(b, float)
            scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
            size = unit(self.dtype, scale)
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            with np.errstate(all="ignore"):
                if not (same | (np.abs(a - b) <= self._limit(key) * size)).all():
                    return key
        return None

    # Changes on our side.

    def on_our_side(self) -> Cause | None:
        """Return the change here, or the two, that make our model the Keras model."""
        options = self._candidates(self.key)
        mending: list[tuple[list[Change], Key]] = []
        for change in options:
            cause = self._tried([change], self.key, mending)
            if cause is not None:
                return cause
        for changes, key in mending[:STARTS]:
            for change in self._candidates(key):
                cause = self._tried([*changes, change], key)
                if cause is not None:
                    return cause
        if mending:
            return None
        likely = [change for change in options if not change.rare]
        for pair in combinations(likely, 2):
            for changes in (list(pair), list(pair)[::-1]) if any(c.replaces for c in pair) else (list(pair),):
                cause = self._tried(changes, self.key)
                if cause is not None:
                    return cause
        return None

    def undone(self) -> Cause | None:
        """Return the change here that undoes a fault of our own code: one of how the data is read."""
        for change in self._candidates(self.key):
            cause = None if change.plain or change.there is not None else self._tried([change], self.key)
            if cause is not None:
                return cause
        return None

    def _candidates(self, key: Key) -> list[Change]:
        return list(candidates(key, self.ours_model, self.their_model, self.their_masks))

    def _tried(
        self, changes: list[Change], key: Key, mending: list[tuple[list[Change], Key]] | None = None
    ) -> Cause | None:
        """Return the cause if these changes make all lines agree; note them if they mend `key` at least."""
        changed = self._changed(self.ours_model, changes)
        if changed is None:
            return None
        try:
            if key[0] in FORWARD and not self._mends(key, self._values(OurSide(changed), forward_only=True)):
                return None
            values = self._values(OurSide(changed))
        except (ValueError, TypeError, ArithmeticError, AttributeError):
            return None  # such as a mask without a layer that takes one, or a list where an array was expected
        wrong = self._first_wrong(values, self.theirs)
        if wrong is None:
            return self._confirmed(changes, changed, self.keras_model)
        if mending is not None and self._mends(key, values):
            mending.append((changes, wrong))
        return None

    def _mends(self, key: Key, values: Values) -> bool:
        """Whether all agrees up to `key`, and there too."""
        pick = partial(_picked, self._upto(key))
        return self._first_wrong(pick(values), pick(self.theirs)) is None

    def _upto(self, key: Key) -> list[Key]:
        """Return the quantities up to `key`, in the order of the report: in graphs that of Keras is another."""
        keys = [*dict.fromkeys((*self.ours, *self.theirs, key))]
        upto = keys[: keys.index(key) + 1]
        return [k for k in upto if k[0] in FORWARD] if key[0] in FORWARD else upto  # a state may be on one side only

    def _changed(self, model: Model, changes: list[Change]) -> Model | None:
        changed = cast(model, self.dtype)
        try:
            for change in changes:
                change.apply(changed)
        except (ValueError, TypeError, AttributeError, IndexError):
            return None  # does not apply to this model
        return changed

    def _confirmed(self, changes: list[Change], changed: Model, keras_model: Any) -> Cause | None:
        """Return the cause, if a whole check says so too."""
        # What only the float32 model does is not in its float64 twin: there the search itself was the check.
        if self.dtype == "float64" and not self._whole_check(changed, keras_model):
            return None
        causes = tuple(Cause(change.name, change.place, change.said_with("here", "in Keras")) for change in changes)
        return causes[0] if len(causes) == 1 else Cause(MORE_THAN_ONE, parts=causes)

    def _whole_check(self, model: Model, keras_model: Any) -> bool:
        return check(model, *self.given, keras_model=keras_model, dtypes=["float64"], draws=5).holds

    # Changes on Keras' side.

    def on_keras_side(self) -> Cause | None:
        """Return the change in Keras that makes the Keras model ours: a fault of our own code."""
        for change in candidates(self.key, self.their_model, self.ours_model, self.our_masks):
            elsewhere = list(self._in_other_layers(change))
            for changes in ([change], [change, *elsewhere])[: 1 + bool(elsewhere)]:
                try:
                    keras_model = self._changed_in_keras(changes)
                    if keras_model is None:
                        break
                    side = KerasSide(keras_model)
                    if self.key[0] in FORWARD and not self._mends_theirs(self._values(side, forward_only=True)):
                        break
                    agree = self._first_wrong(self.ours, self._values(side)) is None
                except Exception:  # whatever Keras' backend raises for a change that does not fit
                    break
                if agree:
                    return self._confirmed([self._as_our_fault(change, len(changes))], self.model, side.model)
        return None

    def _as_our_fault(self, change: Change, places: int) -> Change:
        """Return the change in Keras with the words for what it says of our code."""
        said = change.said_with("in Keras", "in rnn_core")
        said += "" if said.endswith("in rnn_core") else ", in rnn_core"
        return change._replace(detail=(said + (f", in {places} layers" if places > 1 else "")).removeprefix(", "))

    def _in_other_layers(self, change: Change) -> Iterator[Change]:
        """Yield the same fault in other layers: one of our own code is in a class, and so in all layers of it."""
        if change.plain or not isinstance(change.there, partial):
            return
        found = {change.place}
        for layer in self.their_model.layers:
            key = ("output", layer.name, "output")
            for other in candidates(key, self.their_model, self.ours_model, self.our_masks):
                same = isinstance(other.there, partial) and other.there.func is change.there.func
                if same and other.name == change.name and other.place not in found and self._alike(change, other):
                    found.add(other.place)
                    yield other

    def _alike(self, one: Change, other: Change) -> bool:
        """Whether two changes are to layers of one class."""
        return type(part_of(self.their_model, one.place)) is type(part_of(self.their_model, other.place))

    def _changed_in_keras(self, changes: list[Change]) -> Any:
        """Return the Keras model with a change, or one in several layers; None where it cannot be made."""
        if changes[0].plain:
            changed = self._changed(self.their_model, changes) if len(changes) == 1 else None
            return None if changed is None else to_keras(twin(changed, self.dtype))
        keras_model = to_keras(twin(self.their_model, self.dtype))
        for change in changes:
            if change.there is None:
                return None
            change.there(keras_model)
        return keras_model

    def _mends_theirs(self, theirs: Values) -> bool:
        pick = partial(_picked, self._upto(self.key))
        return self._first_wrong(pick(self.ours), pick(theirs)) is None

    # Rounding.

    def of_rounding(self) -> Cause | None:
        """Return "float32 for float64" where a float64 layer puts out float32 numbers, and all errors are of that size.

        It is not a change of ours that is tried: two engines agree in float32 no better than they do here.
        """
        if self.dtype != "float64" or self.key[0] not in FORWARD:
            return None
        bad = [line for line in self.report.bad if line.dtype == "float64"]
        if any(line.problem or line.ours > FLOAT32_IN_FLOAT64 * max(64.0, SLACK * line.limit) for line in bad):
            return None
        for values, where in ((self.theirs, "in Keras"), (self.ours, "here")):
            value = np.asarray(values[self.key])
            if np.array_equal(value, value.astype(np.float32)) and value.any():
                return Cause("float32 for float64", self.key[1], where)
        return None


def _picked(keys: list[Key], values: Values) -> Values:
    return {key: values[key] for key in keys if key in values}
