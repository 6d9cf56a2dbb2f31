"""Flushing: no denormal is left, and nothing that matters moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnn_core import denormals
from rnn_core.denormals import flush

DTYPES = ["float32", "float64"]


def scales(dtype):
    """The smallest normal number, the rounding unit, and the spacing of the grid."""
    info = np.finfo(dtype)
    return float(info.tiny), float(info.eps), denormals._GRID * float(info.tiny)


def flushed(x):
    y = x.copy()
    flush(y)
    return y


def moved(x):
    """How far each value moves, exactly."""
    return np.abs(flushed(x) - x)


def everywhere(dtype, seed):
    """Values of every size from the smallest denormal to the largest number, and dense ones where rounding turns."""
    tiny, eps, grid = scales(dtype)
    draws = np.random.default_rng(seed)
    lowest, highest = np.log2(np.finfo(dtype).smallest_subnormal), np.log2(np.finfo(dtype).max) - 1
    sizes = [2.0 ** draws.uniform(lowest, highest, 3000)]
    for place in (tiny, grid / 2, grid, 0.5 * grid / eps, 1.5 * grid / eps, 4 * grid / eps**2):
        sizes.append(place * (1 + eps * draws.integers(-40, 40, 300)))
        sizes.append(place * draws.uniform(0.5, 2, 300))
    x = np.concatenate(sizes)
    return (x * draws.choice([-1, 1], x.size)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_what_is_left_is_zero_or_on_the_grid_or_above_it(dtype, seed):
    tiny, _, grid = scales(dtype)
    x = everywhere(dtype, seed)
    y = np.abs(flushed(x))
    assert not ((y > 0) & (y < tiny)).any()
    assert ((y == 0) | (y >= grid)).all()
    small = y[y < grid / np.finfo(dtype).eps / 4]
    assert (np.fmod(small, np.asarray(grid, dtype)) == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_no_value_moves_further_than_half_the_grid_or_two_roundings(dtype, seed):
    _, eps, grid = scales(dtype)
    x = everywhere(dtype, seed)
    assert (moved(x) <= np.maximum(grid / 2, 2 * eps * np.abs(x))).all()
    untouched = np.abs(x) > 4 * grid / eps**2
    assert np.array_equal(flushed(x)[untouched], x[untouched])


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_flushing_keeps_the_order_and_is_done_once(dtype, seed):
    x = np.sort(everywhere(dtype, seed))
    y = flushed(x)
    assert (np.diff(y) >= 0).all()
    small = np.abs(y) < 0.5 * scales(dtype)[2] / np.finfo(dtype).eps
    assert np.array_equal(flushed(y)[small], y[small])


@pytest.mark.parametrize("dtype", DTYPES)
def test_ordinary_numbers_and_special_values_stay_bit_for_bit(dtype):
    x = np.array([0.0, 1.0, -1e-15, 1e-10, 3e30, np.inf, -np.inf, np.nan], dtype)
    assert np.array_equal(flushed(x), x, equal_nan=True)


@given(decay=st.floats(0.5, 0.99), every=st.integers(1, 60))
@example(decay=0.9, every=60)
@settings(max_examples=25, deadline=None)
def test_a_decay_that_is_flushed_now_and_then_never_meets_a_denormal(decay, every):
    """Between two flushes a value on the grid's first line may fall by a factor of 2**10."""
    every = min(every, int(np.log(2.0**-10) / np.log(decay)))
    x = np.array([1.0, 1e-20, 1e-30], np.float32)
    for step in range(3000):
        x *= np.float32(decay)
        if step % every == every - 1:
            flush(x)
        assert not ((x > 0) & (x < np.finfo(np.float32).tiny)).any()


def test_without_flushing_a_decay_ends_among_the_denormals():
    x = np.float32(1.0)
    for _ in range(3000):
        x *= np.float32(0.9)
    assert 0 < x < np.finfo(np.float32).tiny


def test_in_place_also_in_a_view():
    x = np.full((4, 4), 1e-42, np.float32)
    flush(x[1:3, ::2])
    assert (x == 0).sum() == 4
    assert (x[0] == np.float32(1e-42)).all()
