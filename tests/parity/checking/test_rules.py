"""Limits come from what rounding costs, never from what is judged, and are always finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import check, from_keras, require_keras
from parity.checking.rules import ONE_EPS, SIXTEEN_EPS, Figures, figures_of, judge

from ..samples import BACKEND

keras = require_keras()
KEY = ("output", "dense", "output")
EPS, EPS32 = 2.0**-52, 2.0**-23
REFERENCE = np.array([1.0, -2.0, 4.0])


def values(ours: Any = REFERENCE, keras: Any = REFERENCE, ours32: Any = None, keras32: Any = None) -> dict[Any, Any]:
    """What both engines have; without float32 unless it is given."""
    found = {("ours", "float64"): ours, ("keras", "float64"): keras}
    if ours32 is not None:
        found["ours", "float32"] = np.asarray(ours32, np.float32)
        found["keras", "float32"] = np.asarray(keras32, np.float32)
    return found


def line(dtype: str = "float64", exact: Any = REFERENCE, noisy: Any = (REFERENCE,), **given: Any) -> Any:
    return judge(KEY, dtype, [figures_of(values(**given), exact, noisy)], mutual=False)


def off(eps: float, unit: float = EPS) -> np.ndarray:
    """The reference with so many eps of its largest number on it."""
    return REFERENCE + np.array([0, 0, 4.0 * unit * eps])


# --- float64 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("eps", "holds"), [(16, True), (18, False), (-18, False)])
def test_16_eps_are_granted_where_noise_costs_little(eps, holds):
    found = line(ours=off(eps), noisy=[off(1), off(-1)])
    assert (found.ours, found.limit, found.rule) == (abs(eps), SIXTEEN_EPS, "16 eps")
    assert found.holds is holds


@pytest.mark.parametrize(("eps", "holds"), [(80, True), (84, False)])
def test_8_times_what_the_worst_noise_costs(eps, holds):
    found = line(ours=off(eps), noisy=[off(1), off(10), off(-3)])
    assert (found.limit, found.rule) == (80, "8 x what 1 eps of noise costs")
    assert found.limit_rms == pytest.approx(80 / np.sqrt(3))
    assert found.holds is holds


def test_noise_counts_from_what_is_exact_not_from_keras():
    assert line(keras=off(1000), exact=REFERENCE, noisy=[off(1)]).limit == SIXTEEN_EPS


def test_a_fault_of_ours_in_float32_does_not_widen_the_limit_of_float64():
    right = line(ours=off(100), ours32=REFERENCE, keras32=REFERENCE)
    wrong = line(ours=off(100), ours32=2 * REFERENCE, keras32=REFERENCE)
    assert right == wrong
    assert not wrong.holds


@pytest.mark.parametrize("noise", [np.inf, np.nan])
def test_noise_that_overflows_leaves_16_eps(noise):
    found = line(ours=off(100), noisy=[np.array([1.0, -2.0, noise])])
    assert found.limit == found.limit_rms == SIXTEEN_EPS
    assert not found.holds


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("terms", "limit"), [(1, 16), (64, 16), (400, 40), (10_000, 200)])
def test_long_sums_are_granted_the_root_of_their_terms(dtype, terms, limit):
    for error, held in ((limit, True), (limit + 1, False)):
        given = {"ours": off(error)} if dtype == "float64" else {"ours32": off(error, EPS32), "keras32": REFERENCE}
        found = judge(KEY, dtype, [figures_of(values(**given), terms=terms)], mutual=False)
        assert found.holds is held
        assert found.limit == limit
        assert found.rule == (f"{limit} eps" if terms <= 64 else f"{limit} eps for {terms:,} terms")


# --- float32 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "keras", "noise", "limit", "rule"),
    [
        (1, 0, 0, ONE_EPS, "1 eps"),
        (4, 2, 0, 4, "twice Keras'"),
        (1, 0, 100, ONE_EPS, "1 eps"),
        (50, 2, 100, 100, "what 1 eps of noise costs"),
        (50, 40, 70, 80, "twice Keras'"),
        (5, 2, 0, SIXTEEN_EPS, "16 eps"),
        (2, 0, 0, SIXTEEN_EPS, "16 eps"),
        (16, 7, 0, SIXTEEN_EPS, "16 eps"),
        (40, 20, 0, 40, "twice Keras'"),
    ],
)
def test_ours_at_most_twice_keras_error_or_16_eps_or_the_cost_of_noise(ours, keras, noise, limit, rule):
    given = {"keras32": off(keras, EPS32), "noisy": [off(noise)]}
    found = line("float32", ours32=off(ours, EPS32), **given)
    assert (found.ours, found.keras, found.limit, found.rule) == (ours, keras, limit, rule)
    assert found.holds
    assert not line("float32", ours32=off(max(limit, SIXTEEN_EPS, noise) + 1, EPS32), **given).holds


def test_where_keras_float32_overflows_16_eps_are_left():
    overflown = [1.0, -2.0, np.inf]
    assert not line("float32", ours32=overflown, keras32=overflown).holds
    assert line("float32", ours32=off(16, EPS32), keras32=overflown).holds
    assert not line("float32", ours32=off(17, EPS32), keras32=overflown).holds


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e-30), ("float64", 1e-295)])
def test_what_vanishes_must_vanish_here_too(dtype, size):
    """On its way it was rounded to a grid, so its digits are not compared."""
    there = {"keras": REFERENCE * size, "keras32": REFERENCE * size, "exact": REFERENCE * size, "noisy": []}
    for here, held in ((0.0, True), (2.0, True), (1e10, False)):
        ours = {"ours": REFERENCE * size, "ours32": REFERENCE * size}
        ours["ours32" if dtype == "float32" else "ours"] = REFERENCE * size * here
        found = line(dtype, **there, **ours)
        assert found.rule == "vanished"
        assert found.holds is held
    assert line(dtype, **there, ours=there["keras"], ours32=there["keras"]).holds


# --- values that are not finite -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_agrees_only_with_the_same_in_the_reference(value):
    broken = np.array([1.0, -2.0, value])
    assert line(ours=broken, keras=broken, exact=broken, noisy=[broken]).holds
    assert not figures_of(values(ours=broken, keras=broken)).finite
    for ours, keras in ((broken, REFERENCE), (REFERENCE, broken), (broken, -broken[::-1])):
        assert not line(ours=ours, keras=keras).holds
    assert not line("float32", ours32=broken, keras32=broken).holds  # NaN on both sides is no agreement


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_infinity_will_do_where_the_reference_has_nan(dtype):
    """Infinity times 0 there is infinity times a tiny number here; what is infinite there must be the same here."""
    parts = {value: np.array([1.0, -2.0, value]) for value in (np.nan, np.inf, -np.inf, 0.0)}
    for keras, ours, held in (
        (np.nan, np.inf, True), (np.nan, -np.inf, True), (np.nan, 0.0, False), (np.inf, np.nan, False)
    ):  # fmt: skip
        there, here = parts[keras], parts[ours]
        given = {"ours": there, "keras": there, "keras32": there, "exact": there, "noisy": [there]}
        given["ours" if dtype == "float64" else "ours32"] = here
        assert line(dtype, **{"ours32": there, **given}).holds is held


def test_what_float32_cannot_hold_is_infinite_there():
    far = np.array([1.0, -1e40, 4.0])
    given = {"ours": far, "keras": far, "exact": far, "noisy": [far]}
    infinite = np.array([1.0, -np.inf, 4.0])
    assert line("float32", ours32=infinite, keras32=infinite, **given).holds
    for ours in (-infinite, np.array([1.0, -3e38, 4.0]), np.array([1.0, -np.inf, np.inf])):
        assert not line("float32", ours32=ours, keras32=infinite, **given).holds


def test_other_values_count_beside_those_that_are_not_finite():
    broken = np.array([np.inf, -2.0, 4.0])
    assert not line(ours=broken + np.array([0, 0, 1e-9]), keras=broken, exact=broken, noisy=[broken]).holds


# --- nothing to compare ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"keras": None}, "only here"),
        ({"ours": None}, "only in Keras"),
        ({"ours": REFERENCE[:2]}, "shape (2,) here, (3,) in Keras"),
        ({"ours": REFERENCE.astype(np.float32)}, "dtype float32 in a float64 model"),
    ],
)
def test_a_problem_is_named(given, problem):
    found = line(**given)
    assert found.problem == problem
    assert not found.holds


def test_several_draws_are_judged_by_their_medians():
    looks = [Figures(1.0, difference=(d, d), noise=(n, n)) for d, n in ((1, 1), (900, 1), (30, 4), (40, 5), (20, 50))]
    found = judge(KEY, "float64", looks, mutual=False)
    assert (found.ours, found.limit, found.draws) == (30, 32, 5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="measured there")
def test_the_first_step_of_keras_own_adam_is_near_enough():
    """Its 1 - beta_2**t of float32 numbers is off by 1e-5; beside a weight that the step makes small that is much."""
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile("adam", "mse")
    made.layers[0].bias.assign([-0.0015])
    x, y = np.ones((4, 2), np.float32), np.full((4, 1), 9, np.float32)
    report = check(from_keras(made), x, y, keras_model=made)
    (bias,) = (
        line
        for line in report.lines
        if line.dtype == "float32" and line.part.endswith("/bias") and line.kind == "new weight"
    )
    assert report.holds
    assert bias.ours < 2 < 64 < bias.keras
