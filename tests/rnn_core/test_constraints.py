"""Constraints: Keras' values, the norms they promise, and a direction that stays."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

from rnn_core import constraints

CASES = [
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}),
    ("UnitNorm", {"axis": None}),
    ("UnitNorm", {"axis": [0, 1]}),
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": -1}),
    ("MaxNorm", {"max_value": 0.0}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.0, "max_value": 2.0, "rate": 0.25, "axis": 1}),
    ("MinMaxNorm", {"min_value": 3.0, "max_value": 3.0, "rate": 0.0, "axis": [0, 1]}),
]
SEEDS = st.integers(0, 2**31)
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))
BOUNDS = st.tuples(st.floats(0, 4), st.floats(0, 4)).map(sorted)


def weights(shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(0, 2, shape).astype(dtype)


def norms(w, axis=0):
    return np.sqrt((w**2).sum(axis))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_values_are_keras_values(name, arguments, dtype):
    ours, theirs = getattr(constraints, name)(**arguments), getattr(keras.constraints, name)(**arguments)
    for shape in [(4, 3), (1, 5), (0, 3), (2, 3, 4)]:
        w = weights(shape, dtype=dtype)
        w[..., :1] = 0  # a norm of 0 as well
        before, out = w.copy(), ours(w)
        assert type(out) is np.ndarray
        assert (out.shape, out.dtype) == (shape, dtype)
        np.testing.assert_allclose(out, np.array(theirs(w)), rtol=8 * np.finfo(dtype).eps, atol=1e-30)
        assert np.array_equal(w, before)
        assert not np.shares_memory(out, w)


def test_a_bias_is_one_vector():
    w = weights((6,))
    np.testing.assert_allclose(constraints.MaxNorm(1)(w), np.array(keras.constraints.MaxNorm(1)(w)), rtol=1e-14)
    assert norms(constraints.UnitNorm()(w)) == pytest.approx(1, abs=1e-6)


@given(shape=SHAPES, seed=SEEDS)
@settings(max_examples=30)
def test_non_neg_keeps_what_is_allowed(shape, seed):
    w = weights(shape, seed)
    out = constraints.NonNeg()(w)
    assert (out >= 0).all()
    assert np.array_equal(out[w >= 0], w[w >= 0])
    assert not out[w < 0].any()


@given(shape=SHAPES, seed=SEEDS, bounds=BOUNDS)
@settings(max_examples=60)
def test_norms_end_where_they_should(shape, seed, bounds):
    """Up to the 1e-7 that every norm loses."""
    low, high = bounds
    w = weights(shape, seed)
    long = norms(w)
    if (long < 0.01).any():
        return
    tolerance = {"rtol": 0, "atol": 1e-5 * (1 + high)}
    np.testing.assert_allclose(norms(constraints.UnitNorm()(w)), 1, **tolerance)
    np.testing.assert_allclose(norms(constraints.MaxNorm(high)(w)), np.minimum(long, high), **tolerance)
    allowed = np.clip(long, low, high)
    np.testing.assert_allclose(norms(constraints.MinMaxNorm(low, high)(w)), allowed, **tolerance)
    half = norms(constraints.MinMaxNorm(low, high, rate=0.5)(w))
    np.testing.assert_allclose(half, (long + allowed) / 2, **tolerance)


@pytest.mark.parametrize(("name", "arguments"), [case for case in CASES if case[0] != "NonNeg"])
@given(seed=SEEDS)
@settings(max_examples=20)
def test_directions_stay(name, arguments, seed):
    """Each vector is multiplied by one number, which is not negative."""
    w = weights((3, 4), seed)
    constraint = getattr(constraints, name)(**arguments)
    factor = constraint(w) / w
    axis = tuple(constraint.axis) if isinstance(constraint.axis, list) else constraint.axis
    np.testing.assert_allclose(factor, np.broadcast_to(factor.mean(axis, keepdims=True), w.shape), rtol=1e-12)
    assert (factor >= 0).all()


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_twice_is_once(name, arguments):
    """A projection, up to the 1e-7; MinMaxNorm goes only `rate` of the way."""
    if arguments.get("rate", 1) < 1:
        return
    constraint, w = getattr(constraints, name)(**arguments), weights((3, 4))
    np.testing.assert_allclose(constraint(constraint(w)), constraint(w), rtol=1e-6, atol=1e-12)


def test_an_allowed_weight_still_loses_epsilon():
    """In Keras too: a norm of 1 under MaxNorm(2) comes out 1e-7 shorter, each time."""
    w = np.array([[1.0], [0.0]])
    assert constraints.MaxNorm(2)(w)[0, 0] == float(keras.constraints.MaxNorm(2)(w)[0, 0]) == 1 / (1 + 1e-7)


# Names and configs.


def test_every_name_of_keras():
    exported = {name for name in dir(keras.constraints) if not name.startswith("_")}
    assert exported <= set(dir(constraints))
    for name in exported - {"get", "serialize", "deserialize", "Constraint"}:
        ours, theirs = constraints.get(name), keras.constraints.get(name)
        assert type(ours).__name__ == type(theirs).__name__
        assert ours.get_config() == theirs.get_config()
        assert getattr(constraints, name).__name__ == getattr(keras.constraints, name).__name__


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_configs_travel_to_keras_and_back(name, arguments):
    ours, theirs = getattr(constraints, name)(**arguments), getattr(keras.constraints, name)(**arguments)
    config = json.loads(json.dumps(constraints.serialize(ours)))
    assert config == keras.constraints.serialize(theirs)
    assert keras.constraints.deserialize(config).get_config() == theirs.get_config()
    back = constraints.deserialize(config)
    assert type(back) is type(ours)
    assert back.get_config() == ours.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()


def test_get_returns_objects_as_they_are_and_makes_classes():
    constraint = constraints.MaxNorm(3)
    assert constraints.get(constraint) is constraint
    assert isinstance(constraints.get(constraints.MaxNorm), constraints.MaxNorm)
    assert constraints.get(None) is None
    assert constraints.serialize(None) is None


def test_any_callable_is_a_constraint():
    def halves(w):
        return w / 2

    assert constraints.get(halves) is halves
    assert constraints.serialize(halves) == keras.constraints.serialize(halves)


def test_one_of_your_own():
    class Clip(constraints.Constraint):
        def __call__(self, w):
            return np.clip(w, -1, 1)

    assert constraints.get(Clip)(np.array([-2.0])).tolist() == [-1]
    assert Clip().get_config() == {}
    with pytest.raises(NotImplementedError, match=r"Constraint must define __call__\(w\)"):
        constraints.Constraint()(np.ones(1))


# Bad input.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constraints.MaxNorm(-1), "MaxNorm: max_value must be a number of at least 0, got -1"),
        (lambda: constraints.MaxNorm(math.inf), "MaxNorm: max_value must be a number of at least 0, got inf"),
        (lambda: constraints.MaxNorm("2"), "MaxNorm: max_value must be a number of at least 0, got '2'"),
        (
            lambda: constraints.MinMaxNorm(-1, 1),
            "MinMaxNorm: min_value must be a number of at least 0, got -1",
        ),
        (lambda: constraints.MinMaxNorm(2, 1), "MinMaxNorm: max_value must be a number of at least 2, got 1"),
        (
            lambda: constraints.MinMaxNorm(rate=1.5),
            "MinMaxNorm: rate must be a number of at least 0 and at most 1",
        ),
        (
            lambda: constraints.MinMaxNorm(rate=-0.5),
            "MinMaxNorm: rate must be a number of at least 0 and at most 1",
        ),
        (
            lambda: constraints.UnitNorm(axis=0.5),
            "UnitNorm: axis must be an integer or a list of them, got 0.5",
        ),
        (
            lambda: constraints.UnitNorm(axis=[0, "1"]),
            "UnitNorm: axis must be an integer or a list of them, got",
        ),
        (
            lambda: constraints.UnitNorm(axis=True),
            "UnitNorm: axis must be an integer or a list of them, got True",
        ),
        (
            lambda: constraints.UnitNorm(1)(np.ones(3)),
            r"UnitNorm: axis 1 is no axis of a weight of shape \(3,\)",
        ),
        (
            lambda: constraints.MaxNorm(axis=[0, 2])(np.ones((2, 2))),
            r"axis \[0, 2\] is no axis of a weight of shape",
        ),
        (lambda: constraints.get("maxnorm"), "Unknown constraint 'maxnorm'. Did you mean 'max_norm'"),
        (lambda: constraints.get({"config": {}}), "constraint given as a dict needs the keys 'class_name'"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_constraint_is_refused():
    with pytest.raises(TypeError, match=r"constraint must be a name, a config or a .*Constraint, got int: 3"):
        constraints.get(3)
