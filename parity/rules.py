"""What an error may be: rounding counted in eps of max|reference|, and the limit that it must keep.

================  =====================================  ==============================================================
dtype             error                                  limit, for the largest and the root mean square error
================  =====================================  ==============================================================
float32           ours against Keras in float64          twice Keras' own error against the same; at least 1 eps
float64           ours against Keras                     16 eps, or 4 times the eps that float32 costs in our engine
float64, where Keras has constants in float32            1 eps of float32, or 4 times what float32 costs
================  =====================================  ==============================================================
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from parity.report import Line
from rnn_core.models import Sequential

Key = tuple[str, str, str]
"""Kind, layer and name of a quantity."""
Place = tuple[str, str]
"""Engine and dtype: ("ours", "float32")."""

TWICE, ONE_EPS = 2.0, 1.0  # float32: ours against Keras' own error
SIXTEEN_EPS, AMPLIFIED = 16.0, 4.0  # float64: without an own error of Keras
FLOAT32_IN_FLOAT64 = 2.0**29  # one eps of float32 in eps of float64
MUTUAL = 64.0  # float32: Keras' own error against ours, for a Keras model that was not made from ours

ROUNDED: dict[str, tuple[str, ...]] = {"activation": ("gelu", "leaky_relu"), "loss": ("LogCosh",)}
"""What has constants in Keras (on TensorFlow) that are float32 numbers, also in a float64 model: measured."""


def rounded_constants(model: Sequential) -> str:
    """Return the name of an activation or the loss of which Keras rounds constants to float32; "" if there is none."""
    names = [getattr(getattr(layer, "activation", None), "name", "") for layer in model.layers]
    found = [name for name in names if name in ROUNDED["activation"]]
    loss = type(model.loss).__name__
    return next(iter([*found, *([loss] if loss in ROUNDED["loss"] else [])]), "")


class Figures(NamedTuple):
    """The errors of one quantity in one draw, in eps of `scale`: (largest, root mean square)."""

    scale: float
    difference: tuple[float, float] = (0.0, 0.0)  # float64: ours and Keras
    amplified: tuple[float, float] = (0.0, 0.0)  # float32: ours against our float64
    ours: tuple[float, float] = (0.0, 0.0)  # float32: ours against the reference
    keras: tuple[float, float] = (0.0, 0.0)
    problem: str = ""


def figures_of(values: dict[Place, Any]) -> Figures:
    """Return the errors of one quantity, given what each engine has in each dtype (None: it has none)."""
    ours, reference = values["ours", "float64"], values["keras", "float64"]
    problem = _problem(values)
    if problem:
        return Figures(0.0, problem=problem)
    finite = np.abs(np.asarray(reference)[np.isfinite(reference)], dtype=float)
    scale = float(finite.max(initial=0.0))
    theirs = values.get(("keras", "float32"), values["ours", "float32"])
    return Figures(
        scale,
        _errors(ours, reference, scale, "float64"),
        _errors(values["ours", "float32"], ours, scale, "float32"),
        _errors(values["ours", "float32"], reference, scale, "float32"),
        _errors(theirs, reference, scale, "float32"),
    )


def _problem(values: dict[Place, Any]) -> str:
    """Return why values cannot be compared."""
    ours, theirs = values["ours", "float64"], values["keras", "float64"]
    if ours is None or theirs is None:
        return f"only {'here' if theirs is None else 'in Keras'}"
    if np.shape(ours) != np.shape(theirs):
        return f"shape {np.shape(ours)} here, {np.shape(theirs)} in Keras"
    for (engine, dtype), value in values.items():
        if engine == "ours" and isinstance(value, np.ndarray) and value.dtype != dtype:
            return f"dtype {value.dtype} in a {dtype} model"
    return ""


def _errors(values: Any, reference: Any, scale: float, dtype: str) -> tuple[float, float]:
    """Return the largest and the root mean square error in eps of `scale`; not finite on both sides is no error."""
    a, b = np.asarray(values, float), np.asarray(reference, float)
    with np.errstate(all="ignore"):
        error = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        error[np.isnan(error)] = np.inf
        # Below the smallest normal number the next one is no longer an eps away.
        error /= max(float(np.finfo(dtype).eps) * scale, float(np.finfo(dtype).tiny))
        return float(error.max(initial=0.0)), float(np.sqrt(np.mean(error**2))) if error.size else 0.0


def judge(key: Key, dtype: str, looks: list[Figures], mutual: bool, rounded: str = "") -> Line:
    """Judge one quantity in one precision by its errors, or by the medians of several draws of them."""

    def median(field: str, which: int) -> float:
        return float(np.median([getattr(figures, field)[which] for figures in looks]))

    scale, problem, count = looks[0].scale, looks[0].problem, len(looks)
    if dtype == "float64":
        amplified = [AMPLIFIED * median("amplified", which) for which in (0, 1)]
        if rounded:
            limits = [max(ONE_EPS, a) * FLOAT32_IN_FLOAT64 for a in amplified]
            rule = f"as float32: Keras' constants of {rounded}"
        else:
            limits = [max(SIXTEEN_EPS, a) for a in amplified]
            rule = "16 eps" if amplified[0] <= SIXTEEN_EPS else "4 x the eps that float32 costs"
        error, rms = (median("difference", which) for which in (0, 1))
        return Line(dtype, *key, scale, error, rms, None, None, limits[0], limits[1], rule, count, problem)
    ours, keras = ([median(engine, which) for which in (0, 1)] for engine in ("ours", "keras"))
    limits = [max(ONE_EPS, TWICE * k) for k in keras]
    rule = "1 eps" if limits[0] == ONE_EPS else "twice Keras'"
    keras_limit = MUTUAL * max(1.0, ours[0]) if mutual else np.inf
    errors = (ours[0], ours[1], keras[0], keras[1], limits[0], limits[1])
    return Line(dtype, *key, scale, *errors, rule, count, problem, keras_limit)
