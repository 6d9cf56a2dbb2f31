"""Checks return the value they checked, or name the owner, the argument, what was expected and what came."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import checks


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_positive_int_is_from_its_minimum(value, minimum):
    if value >= minimum:
        for given_value in (value, np.int64(value), np.int8(value)):
            checked = checks.positive_int("Dense", "units", given_value, minimum)
            assert type(checked) is int
            assert checked == value
    else:
        with pytest.raises(ValueError, match=f"Dense: units must be an integer of at least {minimum}, got {value}"):
            checks.positive_int("Dense", "units", value, minimum)


@pytest.mark.parametrize("value", [True, 2.0, np.float64(2), "2", None, [2], np.array([2])])
def test_positive_int_takes_integers_only(value):
    with pytest.raises(ValueError, match="Dense: units must be an integer of at least 1, got"):
        checks.positive_int("Dense", "units", value)


@given(st.floats(), st.floats(-10, 10), st.floats(0, 10), st.booleans())
def test_real_is_a_finite_number_within_its_bounds(value, low, width, above):
    high = low + width
    if math.isfinite(value) and (low < value if above else low <= value) and value <= high:
        checked = checks.real("SGD", "momentum", value, low, high, above=above)
        assert type(checked) is float
        assert checked == value
    else:
        with pytest.raises(ValueError, match=r"SGD: momentum must be a number (above|of at least) .* and at most"):
            checks.real("SGD", "momentum", value, low, high, above=above)


def test_real_takes_every_kind_of_number():
    for value in (2, 2.0, np.float32(2), np.float64(2), np.int16(2)):
        assert type(checks.real("SGD", "momentum", value)) is float
        assert checks.real("SGD", "momentum", value) == 2


@pytest.mark.parametrize("value", [True, "2", None, [2.0], np.array(2.0), 2j])
def test_real_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match="SGD: momentum must be a number, got"):
        checks.real("SGD", "momentum", value)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"low": 0}, "must be a number of at least 0, got nan"),
        ({"low": 0, "above": True}, "must be a number above 0, got nan"),
        ({"high": 1}, "must be a number of at most 1, got nan"),
        ({"low": 0, "high": 1}, "must be a number of at least 0 and at most 1, got nan"),
    ],
)
def test_real_says_its_bounds(bounds, message):
    with pytest.raises(ValueError, match=message):
        checks.real("SGD", "momentum", math.nan, **bounds)


def test_one_of():
    assert checks.one_of("Bidirectional", "merge_mode", "sum", ("sum", "ave")) == "sum"
    for value in ("SUM", "", None, 3, ["sum"]):
        with pytest.raises(ValueError, match="Bidirectional: merge_mode must be one of 'sum', 'ave', got"):
            checks.one_of("Bidirectional", "merge_mode", value, ("sum", "ave"))


@given(st.lists(st.integers(0, 9)))
def test_shape_is_a_tuple_of_ints(dims):
    for value in (dims, tuple(dims), [np.int64(n) for n in dims]):
        checked = checks.shape("Zeros", value)
        assert checked == tuple(dims)
        assert all(type(n) is int for n in checked)


@pytest.mark.parametrize("value", [3, None, "ab", (2, None), (2, -1), (2.0,), (True,), {1, 2}])
def test_what_is_no_shape_is_refused(value):
    with pytest.raises(ValueError, match="Zeros: shape must be a sequence of integers of at least 0, got"):
        checks.shape("Zeros", value)
