"""What an error may be: rounding counted in eps of max|reference|, and the limit that it must keep.

================  =====================================  ==============================================================
dtype             error                                  limit, for the largest and the root mean square error
================  =====================================  ==============================================================
float32           ours against Keras in float64          twice Keras' own error against the same, at least 1 eps;
                                                         or 16 eps, or what one eps of noise costs
float64           ours against Keras                     16 eps, or 8 times what one eps of noise costs
================  =====================================  ==============================================================

Where two engines add in another order, one may well err more than twice as much as the luckier one: the gradient of a
kernel, over 32 sequences of 8 steps, by 3.2 eps here and by 0.5 in Keras. So in float32 what is within 16 eps holds,
and where terms cancel what is within the cost of noise.

Sums over the samples and their steps (the loss, gradients of weights and what is made of them) may be off by 2 sqrt(n)
eps in place of 16, where they have n > 64 terms: one after another these round like a random walk, and where many are
the same, as at masked steps, rather worse.

What noise costs is measured in our own engine in ``np.longdouble`` (reference.py), never taken from float32: a fault of
one precision cannot widen its own limit. One that is different each time would, so the reference is asked twice: a
value that is not the same fails. 8, because both engines err, and round more often than there is noise.

What is sure to be found: of 3,281 outputs, states, losses, gradients, new weights and slots of 100 random models, each
multiplied by 1 + fault on our side in one precision, the first look (``rnn-parity sharpness --seed 700``) caught

========  =======  ======      ========  =======  ======
float32   fault    caught      float64   fault    caught
========  =======  ======      ========  =======  ======
          1e-4     100.0%                1e-12    100.0%
          1e-5     99.9%                 1e-13    99.6%
          3e-6     92.0%                 3e-14    97.6%
          1e-6     0.5%                  1e-14    89.0%
========  =======  ======      ========  =======  ======

Quantities that vanish, below 1e-28 in float32 and 1e-289 in float64, must do so on both sides, and that is all: the
engine rounds them to a grid on their way, lest they become denormal numbers (rnn_core/denormals.py).

What escapes longest are gradients and slots that cancel or come from saturated units: with limits of hundreds of eps.

Limits are finite: where noise or Keras' float32 overflows, it is 16 eps. Values that are not finite agree only where
the reference has the same ones, or in float32 is beyond what that can hold; where it has NaN, such as infinity times 0,
an infinity will do: the engine has tiny numbers in the place of some zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from parity.checking.line import Line
from rnn_core.denormals import resolution

Key = tuple[str, str, str]
"""Kind, layer and name of a quantity."""
Place = tuple[str, str]
"""Engine and dtype: ("ours", "float32")."""

TWICE, ONE_EPS = 2.0, 1.0  # float32: ours against Keras' own error
SIXTEEN_EPS, OF_NOISE = 16.0, 8.0  # float64: ours against Keras; 16 eps do in float32 too
OF_ROOT = 2.0  # times the root of the number of terms of a sum: in place of 16 eps, where that is more
FLOAT32_IN_FLOAT64 = 2.0**29  # one eps of float32 in eps of float64
# float32: Keras' own error against ours, for a Keras model that was not made from ours. Its Adam takes 1 - beta_2**t of
# float32 numbers, and so errs in its first step by 57 eps of it; a weight that this makes small, by more of its own.
MUTUAL = 256.0


class Figures(NamedTuple):
    """The errors of one quantity in one draw, in eps of `scale`: (largest, root mean square)."""

    scale: float
    difference: tuple[float, float] = (0.0, 0.0)  # float64: ours and Keras
    noise: tuple[float, float] = (0.0, 0.0)  # float64: the reference with noise and without
    ours: tuple[float, float] = (0.0, 0.0)  # float32: ours against the reference
    keras: tuple[float, float] = (0.0, 0.0)  # float32: Keras against the reference
    problem: str = ""
    finite: bool = True  # whether the reference is, all of it
    terms: int = 1  # of a sum over samples and steps


def figures_of(values: dict[Place, Any], exact: Any = None, noisy: Sequence[Any] = (), terms: int = 1) -> Figures:
    """Return the errors of one quantity.

    Parameters
    ----------
    values : dict
        What each engine has in each dtype (None: it has none); without float32, where that is not asked for. What
        neither has in float32 is not judged there.
    exact, noisy
        What the reference has in ``np.longdouble``, and what it has each time that noise is put on it.
    terms : int
        How many samples and steps are summed up in it.
    """
    ours, reference = values["ours", "float64"], values["keras", "float64"]
    problem = _problem(values)
    if problem:
        return Figures(0.0, problem=problem)
    finite = np.isfinite(reference)
    scale = float(np.abs(np.asarray(reference, float)[finite]).max(initial=0.0))
    noise = [_errors(values, exact, scale, "float64", finite) for values in noisy]
    ours_single, keras_single = (
        (0.0, 0.0)
        if (value := values.get((engine, "float32"))) is None
        else _errors(value, reference, scale, "float32")
        for engine in ("ours", "keras")
    )
    return Figures(
        scale,
        difference=_errors(ours, reference, scale, "float64"),
        noise=(max((largest for largest, _ in noise), default=0.0), max((rms for _, rms in noise), default=0.0)),
        ours=ours_single,
        keras=keras_single,
        finite=bool(finite.all()),
        terms=terms,
    )


def unit(dtype: str, scale: float) -> float:
    """Return eps * max|reference|; but what vanishes is rounded to a grid here, lest it become denormal numbers."""
    return max(float(np.finfo(dtype).eps) * scale, resolution(dtype))


def _problem(values: dict[Place, Any]) -> str:
    """Return why values cannot be compared."""
    ours, theirs = values["ours", "float64"], values["keras", "float64"]
    for dtype in ("float64", "float32"):
        has = [values.get((engine, dtype)) is not None for engine in ("ours", "keras")]
        if has[0] != has[1]:
            return f"only {'here' if has[0] else 'in Keras'}" + (" in float32" if dtype == "float32" else "")
    if np.shape(ours) != np.shape(theirs):
        return f"shape {np.shape(ours)} here, {np.shape(theirs)} in Keras"
    for (engine, dtype), value in values.items():
        if engine == "ours" and isinstance(value, np.ndarray) and value.dtype != dtype:
            return f"dtype {value.dtype} in a {dtype} model"
    return ""


def _errors(values: Any, reference: Any, scale: float, dtype: str, where: Any = True) -> tuple[float, float]:
    """Return the largest and the root mean square error in eps of `scale`; for NaN all that is not finite is right."""
    long = np.longdouble
    a, b = np.asarray(values, long), np.asarray(reference, long)
    with np.errstate(all="ignore"):
        b = np.where(np.isinf(b.astype(dtype)), b.astype(dtype), b)  # what the dtype has no room for
        same = (a == b) | (np.isnan(b) & ~np.isfinite(a)) | ~np.asarray(where)
        error = np.where(same, 0.0, np.abs(a - b)).astype(float)
        error[np.isnan(error)] = np.inf
        error /= unit(dtype, scale)
        largest = float(error.max(initial=0.0))
        if not 0 < largest < np.inf:
            return largest, largest
        return largest, largest * float(np.sqrt(np.mean((error / largest) ** 2)))  # a square could overflow


def judge(key: Key, dtype: str, looks: list[Figures], mutual: bool) -> Line:
    """Judge one quantity in one precision by its errors, or by the medians of several draws of them."""

    def median(field: str, which: int) -> float:
        return float(np.median([getattr(figures, field)[which] for figures in looks]))

    def limits(field: str, factor: float, least: float) -> list[float]:
        found = [max(least, factor * median(field, which)) for which in (0, 1)]
        return [limit if np.isfinite(limit) else granted for limit in found]

    scale, problem, count, terms = looks[0].scale, looks[0].problem, len(looks), looks[0].terms
    granted = max(SIXTEEN_EPS, OF_ROOT * terms**0.5)
    granted_rule = f"{granted:.0f} eps" + (f" for {terms:,} terms" if granted > SIXTEEN_EPS else "")
    eps = float(np.finfo(dtype).eps)
    if 0 < eps * scale < resolution(dtype) and not problem:
        return _vanished(key, dtype, looks[0], 1 / eps)
    if dtype == "float64":
        limit, limit_rms = limits("noise", OF_NOISE, granted)
        rule = granted_rule if limit == granted else "8 x what 1 eps of noise costs"
        error, rms = (median("difference", which) for which in (0, 1))
        return Line(dtype, *key, scale, error, rms, None, None, limit, limit_rms, rule, count, problem)
    ours, keras = ([median(engine, which) for which in (0, 1)] for engine in ("ours", "keras"))
    limit, limit_rms = limits("keras", TWICE, ONE_EPS)
    rule = "twice Keras'" if limit == TWICE * keras[0] else f"{limit:.0f} eps"
    if ours[0] > limit or ours[1] > limit_rms:
        cost, cost_rms = limits("noise", 1.0, granted)
        if cost > limit:
            rule = granted_rule if cost == granted else "what 1 eps of noise costs"
        limit, limit_rms = max(limit, cost), max(limit_rms, cost_rms)
    keras_limit = MUTUAL * max(1.0, ours[0]) if mutual else np.inf
    errors = (ours[0], ours[1], keras[0], keras[1], limit, limit_rms)
    return Line(dtype, *key, scale, *errors, rule, count, problem, keras_limit)


def _vanished(key: Key, dtype: str, figures: Figures, limit: float) -> Line:
    """Judge what is so small that its last digits lie below the grid: it must have vanished here, too."""
    ours, ours_rms = figures.difference if dtype == "float64" else figures.ours
    keras, keras_rms = (None, None) if dtype == "float64" else figures.keras
    scale, problem = figures.scale, figures.problem
    return Line(dtype, *key, scale, ours, ours_rms, keras, keras_rms, limit, limit, "vanished", 1, problem)
