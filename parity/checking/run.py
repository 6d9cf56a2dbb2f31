"""One batch through both engines in both precisions: every output, the loss, every gradient, one optimizer step.

All four sides get the same numbers (weights and data rounded to float32, which float64 holds exactly)::

                 float32                                        float64
    ours         error against the reference ------.       difference from the reference
    Keras        Keras' own error against it -------`----> reference: Keras in float64

Errors are counted in eps of max|reference|, both the largest and the root mean square error. What they must meet:

- float32: ours at most twice Keras' own error, or 16 eps, or as many as one eps of noise costs. Both round in other
  places, so neither is exact, and the ratio of two such errors is near 1; but Keras may be exact by luck of its order.
- float64: the difference is at most 16 eps, or 8 times as many eps as one eps of noise costs the same quantity:
  measured in ``np.longdouble``, with noise on the weights and on what activations put out (reference.py).

In place of 16 eps, long sums are granted 2 sqrt(terms) of them (rules.py).

The reference is Keras' float64 and not ours: a fault of ours that is in both precisions then shows in both. Where Keras
has constants in float32 in a float64 model (gelu's, for one), our side gets the same (keras_constants.py); a model of
Keras' own gets its settings unrounded (unrounded.py).

A single number, such as the loss, can be exact by luck on one side. So a line that fails narrowly is looked at again:
its figures become medians over 5 draws, if need be 17 or 65, each with all weights, those of samples too, and all
targets that are no whole numbers changed at random by up to a 256th.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.backend import to_numpy
from parity.checking.asking import Sides, both_sides, restored
from parity.checking.known_differences import told, unseen
from parity.checking.line import Line
from parity.checking.looking import Look, our_side
from parity.checking.report import Report
from parity.checking.rules import Figures, Key, judge
from parity.conversion.models import converted, notes
from parity.conversion.objects import described
from parity.sides.batch import batch_of, sample_weights
from parity.sides.keras_constants import take_keras_constants
from parity.sides.keras_side import KerasSide
from parity.sides.our_side import OurSide
from parity.sides.reference import ReferenceSide
from rnn_core.models import Model
from rnn_core.several import each

Array = NDArray[Any]

GROSS = 2.0**20  # times the limit: what no second look explains
STAGES, JITTER = (5, 17, 65), 2.0**-8


def check(
    model: Model,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    mask: Any = None,
    initial_state: Any = None,
    *,
    keras_model: Any = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    draws: int = STAGES[-1],
) -> Report:
    """Compare a model with Keras on one batch.

    Outputs are those of inference, of every call of a layer: "shared", "shared #2". Loss, gradients and the step are
    those of training, with the same dropout masks on both sides. Neither model is changed.

    Parameters
    ----------
    model : rnn_core.Sequential or rnn_core.Model
        It is built for `x` if it is not.
    x : array_like, shape (batch, ...)
        For several inputs a list, or a dict by their names; so are targets, weights and masks for several.
    y : array_like, optional
        Without targets, or without a loss, only outputs are compared.
    sample_weight : array_like, shape (batch,) or (batch, timesteps), optional
    mask : array_like of bool, shape (batch, timesteps), optional
    initial_state : array_like, shape (batch, units), or dict of them by layer name, optional
        An array is for the first SimpleRNN. Those that the graph itself gives are not stated here.
    keras_model : keras.Sequential or keras.Model, optional
        What to hold the model against; default ``to_keras(model)``. In its own dtype this very model is asked.
    dtypes : sequence of {"float64", "float32"}
        Which lines to report. "float64" alone takes half the time and finds any fault but one of float32.
    draws : int
        At most so many for the second look; 0 takes none.

    Returns
    -------
    Report
        ``report.holds``, ``report.first_bad``, ``print(report)``.

    Raises
    ------
    ConversionError
        For a model that the other side does not have.
    ImportError
        Without Keras.
    ValueError, TypeError
        For data that does not fit.
    """
    if not isinstance(model, Model):
        raise TypeError(
            f"check: model must be one of rnn_core, got {described(model)}; give a Keras model as keras_model=, beside "
            "its twin, parity.from_keras(keras_model)."
        )
    if isinstance(dtypes, str) or not dtypes or set(dtypes) - {"float64", "float32"}:
        raise ValueError(f"check: dtypes must be a list of 'float64', 'float32' or both, got {dtypes!r}.")
    batch = batch_of(model, x, y, sample_weight, mask, initial_state)
    mutual = keras_model is not None
    with ExitStack() as stack:
        sides = both_sides(model, keras_model, dtypes, stack)
        backend = next(side.backend for side in sides.values() if isinstance(side, KerasSide))
        said = same_constants(sides) if backend == "tensorflow" else []
        reference = ReferenceSide(our_side(sides).model)
        look = Look(sides, reference, batch, np.random.default_rng(0), again=True)
        first = {key: look.figures(key) for key in look.keys}
        places = [(key, dtype) for dtype in ("float64", "float32") if dtype in dtypes for key in look.keys]
        lines = [judge(key, dtype, [first[key]], mutual) for key, dtype in places]
        if draws and not any(line.problem or line.ours > GROSS * line.limit for line in lines):
            _look_again(sides, reference, batch, places, lines, draws, mutual)
        theirs = [side for side in sides.values() if isinstance(side, KerasSide)]
        if mutual and all(side.model is not keras_model for side in theirs):
            theirs.append(KerasSide(keras_model))  # in neither dtype: to see what it does otherwise than its twins
            theirs[-1].forward(batch["x"], mask=batch["mask"])
        said += told(our_side(sides), theirs, batch)
        said += unseen(model, converted(keras_model)) if mutual else []
        said += [*look.said(), *_other_names(our_side(sides), theirs[-1])]
    return Report(lines, model.name, backend, [*notes(model), *said, *_not_finite(first)])


def same_constants(sides: Sides) -> list[str]:
    """Give our side in float64 the constants that Keras has in float32; return a note of which they are."""
    found = take_keras_constants(our_side(sides).model)
    if not found:
        return []
    which = "a constant" if len(found) == 1 else "constants"
    return [
        f"Keras on TensorFlow has {which} of {' and '.join(found)} in float32 only: in float64 ours was given the same."
    ]


def _other_names(ours: OurSide, theirs: KerasSide) -> list[str]:
    """Return a note of the layers that have no namesake: quantities are matched by these names."""
    here, there = ({name.partition("/")[0] for name in side.weights()} for side in (ours, theirs))
    only = [", ".join(sorted(names)) for names in (here - there, there - here)]
    return [f"Layers are compared by name: {only[0]} only here, {only[1]} only in Keras."] if all(only) else []


def _not_finite(found: dict[Key, Figures]) -> list[str]:
    """Return a note of the quantities that overflow in Keras' float64."""
    count = sum(not figures.finite for figures in found.values())
    some = f"{count:,} of {len(found):,} quantities have values in Keras' float64 that are not finite"
    return [f"{some}: ours must have the same ones."] if count else []


# The second look.


def _scale_weights(side: OurSide | KerasSide, factors: Mapping[str, Array]) -> None:
    """Multiply weights by `factors`, those that there are, and round them to float32."""
    if isinstance(side, KerasSide):
        for name, variable in side.variables.items():
            variable.assign(_scaled(to_numpy(variable), factors.get(name)).astype(side.dtype))
        return
    names, views = side.weights(), side.model.weights
    for name, view in zip(names, views, strict=True):
        view[...] = _scaled(view, factors.get(name))


def _scaled(weights: Array, factors: Array | None) -> Array:
    """Return float32 numbers, the same ones from weights of any dtype."""
    return (weights.astype(np.float64) * (1.0 if factors is None else factors)).astype(np.float32)


def _look_again(
    sides: Sides,
    reference: ReferenceSide,
    batch: dict[str, Any],
    places: list[tuple[Key, str]],
    lines: list[Line],
    draws: int,
    mutual: bool,
) -> None:
    """Judge lines that fail by many draws of weights nearby, in place; by few where those suffice."""
    random, noises = np.random.default_rng(0), np.random.default_rng(1)  # other noise in every draw
    every = (*sides.values(), reference)
    shapes = {name: w.shape for side in every for name, w in side.weights().items()}
    weight = sample_weights(batch, reference.model)
    seen: list[dict[Key, Figures]] = []
    for enough in sorted({min(stage, draws) for stage in STAGES}):
        failed = [i for i, line in enumerate(lines) if not line.holds]
        if not failed:
            return
        while len(seen) < enough:
            near = {**batch, "sample_weight": weight, "y": each(lambda y: _targets_nearby(y, random), batch["y"])}
            if weight is not None:  # only this redraws the rounding of gradients such as ±1/N
                near["sample_weight"] = each(lambda part: _nearby(part, random), weight)
            factors = {name: _factors(shape, random) for name, shape in shapes.items()}
            with ExitStack() as stack:
                for side in every:
                    stack.enter_context(restored(side))
                    _scale_weights(side, factors)
                look = Look(sides, reference, near, noises)
            seen.append({key: look.figures(key) for key in look.keys})
        for i in failed:
            key, dtype = places[i]
            looks = [figures[key] for figures in seen if key in figures]  # it is in none whose loss is not finite
            lines[i] = judge(key, dtype, looks, mutual) if looks else lines[i]


def _factors(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    return 1 + JITTER * random.uniform(-1, 1, shape)


def _nearby(values: Array | None, random: np.random.Generator) -> Array | None:
    return None if values is None else _scaled(values, _factors(values.shape, random))


def _targets_nearby(y: Array | None, random: np.random.Generator) -> Array | None:
    """Return targets with all numbers changed a little that are not whole, as classes are."""
    if y is None or y.dtype.kind != "f":
        return y
    return np.where(y == np.floor(y), y, _scaled(y, _factors(y.shape, random)))
