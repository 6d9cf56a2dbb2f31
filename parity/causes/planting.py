"""Where a fault may be, in the Keras model or in our own code, and how it is planted in the other side, which is right.

================  ==================================  ==========================
the fault is in   changes are made to                 until it computes what
================  ==================================  ==========================
the Keras model   a copy of our model                 the Keras model computes
our own code      Keras' model, made of ours anew     our model computes
================  ==================================  ==========================
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from parity.causes.agreement import FORWARD, Agreement
from parity.causes.candidates import candidates
from parity.causes.cause import Cause
from parity.causes.change import Change, said
from parity.checking.asking import Values, twin
from parity.checking.rules import Key
from parity.checking.run import check
from parity.conversion.models import to_keras
from parity.parts import part_of
from parity.sides.keras_side import KerasSide
from parity.sides.our_side import OurSide, cast
from parity.sides.questions import DropoutMasks
from rnn_core.models import Model

Fault = tuple[Change, ...]
"""One change, or the same one in several layers."""


class InKerasModel:
    """A fault of the Keras model: planted in ours.

    Parameters
    ----------
    ours, theirs : Model
        Our model, and the Keras model as one of ours; it draws `masks` next.
    target : dict
        What the Keras model computes.
    """

    def __init__(
        self, agreement: Agreement, ours: Model, theirs: Model, masks: DropoutMasks, target: Values, keras_model: Any
    ) -> None:
        self.agreement, self.ours, self.theirs, self.masks = agreement, ours, theirs, masks
        self.target, self.keras_model = target, keras_model
        self.dtypes = sorted({"float64", KerasSide(keras_model).dtype}, reverse=True)

    def faults(self, key: Key) -> Iterator[Fault]:
        """Yield what may be wrong with the quantity `key`."""
        for change in candidates(key, self.ours, self.theirs, self.masks):
            yield (change,)

    def pairs(self, faults: list[Fault]) -> Iterator[tuple[Fault, Fault]]:
        """Yield those that may come together, in the order in which they are planted."""
        for one, other in combinations([fault for fault in faults if not fault[0].rare], 2):
            yield one, other
            if one[0].replaces or other[0].replaces:
                yield other, one

    def planted(self, changes: Fault) -> OurSide:
        """Return our side with these changes."""
        return self.agreement.our_side(self._changed(changes))

    def _changed(self, changes: Fault) -> Model:
        model = cast(self.ours, self.agreement.dtype)
        for change in changes:
            change.apply(model)
        return model

    def whole_check(self, given: tuple[Any, ...], model: Model, changes: Fault, dtype: str) -> bool:
        """Whether a check says, too, that these changes are all that sets the two apart."""
        return check(self._changed(changes), *given, keras_model=self.keras_model, dtypes=[dtype], draws=5).holds

    def cause(self, fault: Fault) -> Cause:
        """Return a fault as it is named."""
        (change,) = fault
        return Cause(change.name, change.place, _detail(change.detail, change.values))


class InOurCode:
    """A fault of our own code: planted in Keras.

    Parameters
    ----------
    ours, theirs : Model
        Our model, which draws the masks of the agreement next, and the Keras model as one of ours.
    target, right : dict
        What our model computes, and what it should.
    """

    def __init__(self, agreement: Agreement, ours: Model, theirs: Model, target: Values, right: Values) -> None:
        self.agreement, self.ours, self.theirs, self.target, self.right = agreement, ours, theirs, target, right
        self.dtypes = ["float64"]  # our code is the same in both

    def _candidates(self, key: Key) -> Iterator[Change]:
        return candidates(key, self.theirs, self.ours, self.agreement.our_masks)

    def faults(self, key: Key) -> Iterator[Fault]:
        """Yield what may be wrong with the quantity `key`; in one layer, and in all layers of its class."""
        for change in self._candidates(key):
            yield (change,)
            elsewhere = tuple(self._in_other_layers(change))
            if elsewhere:
                yield (change, *elsewhere)

    def _in_other_layers(self, change: Change) -> Iterator[Change]:
        """Yield the same fault in other layers: one of our own code is in a class, and so in all layers of it."""
        function = getattr(change.in_keras, "func", None)
        if function is None:
            return
        found = {change.place}
        for layer in self.theirs.layers:
            for other in self._candidates(("output", layer.name, "output")):
                same = getattr(other.in_keras, "func", None) is function
                same = same and (other.name, other.variant) == (change.name, change.variant)
                if same and other.place not in found and self._alike(change, other):
                    found.add(other.place)
                    yield other

    def _alike(self, one: Change, other: Change) -> bool:
        """Whether two changes are to layers of one class."""
        return type(part_of(self.theirs, one.place)) is type(part_of(self.theirs, other.place))

    def pairs(self, faults: list[Fault]) -> Iterator[tuple[Fault, Fault]]:
        """Yield those that may come together: each touches the line that fails. Keras is slow to ask."""
        return combinations([fault for fault in faults if not fault[0].rare and self._touches(fault)], 2)

    def _touches(self, fault: Fault) -> bool:
        key = self.agreement.key
        try:
            values = self.agreement.values(self.planted(fault), key[0] in FORWARD)
            return not np.array_equal(values[key], self.right[key])
        except Exception:  # it cannot be planted here
            return False

    def planted(self, changes: Fault) -> KerasSide:
        """Return Keras' side with these changes."""
        dtype = self.agreement.dtype
        model = cast(self.theirs, dtype)
        for change in changes:
            if change.plain:
                change.apply(model)
        keras_model = to_keras(twin(model, dtype))
        for change in changes:
            if change.in_keras is not None:
                change.in_keras(keras_model)
        return KerasSide(keras_model)

    def whole_check(self, given: tuple[Any, ...], model: Model, changes: Fault, dtype: str) -> bool:
        """Whether a check says, too, that these changes are all that sets the two apart."""
        keras_model = self.planted(changes).model
        return check(model, *given, keras_model=keras_model, dtypes=[dtype], draws=5).holds

    def cause(self, fault: Fault) -> Cause:
        """Return a fault as it is named."""
        change = fault[0]
        detail = (
            _detail(change.detail, change.values[::-1])
            if change.values
            else ", ".join(part for part in (change.detail, "in rnn_core") if part)
        )
        return Cause(change.name, change.place, detail + (f", in {len(fault)} layers" if len(fault) > 1 else ""))


def _detail(what: str, values: tuple[Any, ...]) -> str:
    """Return what there is to say of a change: ``stateful True in rnn_core, False in Keras``."""
    if not values:
        return what
    here, there = map(said, values)
    return f"{what} {here} in rnn_core, {there} in Keras".lstrip()
