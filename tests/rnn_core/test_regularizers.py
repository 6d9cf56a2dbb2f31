"""Regularizers: every derivative against central differences, every value and gradient against live Keras."""

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
import tensorflow as tf

from rnn_core import regularizers

# Factors that float32 holds exactly: Keras rounds some of them to it.
CASES = [
    ("L1", {"l1": 0.25}),
    ("L2", {"l2": 0.75}),
    ("L1L2", {"l1": 0.25, "l2": 0.75}),
    ("L1L2", {"l2": 0.75}),
    ("L1L2", {}),
    ("OrthogonalRegularizer", {"factor": 0.5}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))


def weights(shape, seed, dtype="float64"):
    """Numbers of size 0.1 to 2: away from 0, the kink of |w|."""
    draws = np.random.default_rng(seed)
    return (draws.uniform(0.1, 2, shape) * draws.choice([-1, 1], shape)).astype(dtype)


def near_a_kink(regularizer, w):
    """Whether two rows (or columns) of `w` are so close to orthogonal that |cos| is not smooth around it."""
    if not isinstance(regularizer, regularizers.OrthogonalRegularizer):
        return False
    return (np.abs(regularizer._angles(w)[2] + np.eye(len(regularizer._angles(w)[2]))) < 1e-3).any()


def gradient(regularizer, w):
    d_w = np.zeros_like(w)
    regularizer.add_gradient(w, d_w)
    return d_w


def keras_value_and_gradient(theirs, w):
    if isinstance(theirs, keras.regularizers.OrthogonalRegularizer):
        theirs.factor = tf.cast(theirs.factor, w.dtype)  # Keras keeps it in float32 and then refuses float64
    x = tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = theirs(x)
    d = tape.gradient(value, x)
    return float(value), np.zeros_like(w) if d is None else d.numpy()


@pytest.mark.parametrize(("name", "arguments"), CASES)
@given(shape=SHAPES, seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_gradient_against_central_differences(name, arguments, shape, seed):
    regularizer, w = getattr(regularizers, name)(**arguments), weights(shape, seed)
    if near_a_kink(regularizer, w):
        return
    numeric, step = np.zeros_like(w), 1e-5
    for index in np.ndindex(shape):
        up, down = w.copy(), w.copy()
        up[index] += step
        down[index] -= step
        numeric[index] = (regularizer(up) - regularizer(down)) / (2 * step)
    np.testing.assert_allclose(gradient(regularizer, w), numeric, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_value_and_gradient_are_keras(name, arguments, dtype):
    ours, theirs = getattr(regularizers, name)(**arguments), getattr(keras.regularizers, name)(**arguments)
    tolerance = {"float32": 2e-6, "float64": 1e-13}[dtype]
    for shape in [(2, 2), (3, 5), (5, 3), (32, 32)]:
        w = weights(shape, 1, dtype)
        value, d_w = keras_value_and_gradient(theirs, w)
        assert type(ours(w)) is float
        assert ours(w) == pytest.approx(value, rel=tolerance)
        assert gradient(ours, w).dtype == dtype
        np.testing.assert_allclose(gradient(ours, w), d_w, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["L1", "L2", "L1L2"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4), (0, 3)])
def test_any_rank(name, shape):
    regularizer, w = getattr(regularizers, name)(0.5), weights(shape, 2)
    assert regularizer(w) == pytest.approx(float(getattr(keras.regularizers, name)(0.5)(tf.constant(w))), rel=1e-13)
    assert gradient(regularizer, w).shape == shape


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_the_gradient_is_added_in_place(name, arguments):
    """Also to a view, also in another memory order; the weights stay as they are."""
    regularizer, w = getattr(regularizers, name)(**arguments), weights((3, 4), 3)
    before, alone = w.copy(), gradient(regularizer, w)
    vector = np.ones(14)
    regularizer.add_gradient(w, vector[1:13].reshape(3, 4))
    np.testing.assert_allclose(vector, [1, *(1 + alone.ravel()), 1], rtol=1e-15)
    transposed = np.ones((4, 3)).T
    regularizer.add_gradient(np.asfortranarray(w), transposed)
    np.testing.assert_allclose(transposed, 1 + alone, rtol=1e-13)
    assert np.array_equal(w, before)


@given(seed=st.integers(0, 2**31), scale=st.floats(0.1, 10))
@settings(max_examples=30)
def test_the_angle_penalty_knows_no_length(seed, scale):
    """It is between 0 and `factor`, the same for longer rows, and its gradient is orthogonal to each row."""
    w, regularizer = weights((4, 3), seed), regularizers.OrthogonalRegularizer(0.5)
    assert 0 <= regularizer(w) <= 0.5
    assert regularizer(w * scale) == pytest.approx(regularizer(w), rel=1e-12)
    np.testing.assert_allclose((gradient(regularizer, w) * w).sum(1), 0, atol=1e-14)
    assert regularizers.OrthogonalRegularizer(0.5, "columns")(w.T) == regularizer(w)


def test_the_angle_penalty_at_its_ends():
    q = np.linalg.qr(weights((4, 4), 0))[0]
    assert regularizers.OrthogonalRegularizer(0.5)(q) == pytest.approx(0, abs=1e-15)
    assert regularizers.OrthogonalRegularizer(0.5)(np.ones((3, 4))) == pytest.approx(0.5)


def test_a_row_shorter_than_epsilon_is_scaled_by_epsilon():
    """As in Keras: the value is linear in that row, and so differentiable there; a row of 0 gives no nan."""
    w = np.array([[3e-8, 1e-8], [1.0, 2.0], [-2.0, 0.5]])
    ours, theirs = regularizers.OrthogonalRegularizer(0.5), keras.regularizers.OrthogonalRegularizer(0.5)
    value, d_w = keras_value_and_gradient(theirs, w)
    assert ours(w) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(gradient(ours, w), d_w, rtol=1e-10, atol=1e-12)
    w[0] = 0
    assert np.isfinite(gradient(ours, w)).all()


def test_a_single_row_has_no_angle():
    """Keras divides 0 pairs by 0."""
    w = np.array([[1.0, 2.0]])
    assert regularizers.OrthogonalRegularizer(0.5)(w) == 0
    assert not gradient(regularizers.OrthogonalRegularizer(0.5), w).any()
    assert math.isnan(keras.regularizers.OrthogonalRegularizer(0.5)(tf.constant(w, tf.float32)))


def test_at_zero_the_derivative_of_l1_is_zero():
    w = np.array([0.0, -0.0, 2.0])
    assert gradient(regularizers.L1(0.5), w).tolist() == [0, 0, 0.5]
    assert keras_value_and_gradient(keras.regularizers.L1(0.5), w)[1].tolist() == [0, 0, 0.5]


# Names and configs.


def test_every_name_of_keras():
    exported = {name for name in dir(keras.regularizers) if not name.startswith("_")}
    assert exported <= set(dir(regularizers))
    for name in exported - {"get", "serialize", "deserialize", "Regularizer", "l1_l2"}:
        ours, theirs = regularizers.get(name), keras.regularizers.get(name)
        assert type(ours).__name__ == type(theirs).__name__
        for argument, value in theirs.get_config().items():
            assert ours.get_config()[argument] == (value if argument == "mode" else pytest.approx(value, rel=1e-7))
        assert getattr(regularizers, name).__name__ == getattr(keras.regularizers, name).__name__


def test_l1_l2_as_a_name_is_what_keras_documents():
    """Keras 3 documents 0.01 and 0.01 for "l1_l2", then refuses the name; its "l1l2" is no penalty at all."""
    assert regularizers.get("l1_l2").get_config() == {"l1": 0.01, "l2": 0.01}
    with pytest.raises(ValueError, match="Could not interpret regularizer identifier: l1_l2"):
        keras.regularizers.get("l1_l2")
    for make in (regularizers, keras.regularizers):
        assert make.get("l1l2").get_config() == make.l1_l2().get_config() == {"l1": 0.0, "l2": 0.0}
    config = {"class_name": "l1_l2", "config": {"l1": 0.5}}
    assert regularizers.get(config).get_config() == {"l1": 0.5, "l2": 0.0}


def test_factors_are_kept_as_they_are():
    """Keras rounds the factor of L1 to float32, also for float64 weights, and writes the rounded one."""
    assert regularizers.L1(0.01).get_config() == {"l1": 0.01}
    assert keras.regularizers.L1(0.01).get_config() == {"l1": float(np.float32(0.01))}
    theirs = regularizers.get(keras.regularizers.serialize(keras.regularizers.L1(0.01)))
    w = weights((3, 3), 0)
    assert theirs(w) == pytest.approx(float(keras.regularizers.L1(0.01)(tf.constant(w))), rel=1e-14)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_configs_travel_to_keras_and_back(name, arguments):
    ours, theirs = getattr(regularizers, name)(**arguments), getattr(keras.regularizers, name)(**arguments)
    config = json.loads(json.dumps(regularizers.serialize(ours)))
    assert config == keras.regularizers.serialize(theirs)
    assert keras.regularizers.deserialize(config).get_config() == ours.get_config()
    back = regularizers.deserialize(config)
    assert type(back) is type(ours)
    assert back.get_config() == ours.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()


def test_none_stands_for_the_default():
    assert regularizers.L1(None).l1 == regularizers.L2(None).l2 == 0.01
    assert regularizers.L1L2(None, None).get_config() == {"l1": 0, "l2": 0}
    assert regularizers.get(None) is None
    assert regularizers.serialize(None) is None


def test_get_returns_objects_as_they_are_and_makes_classes():
    regularizer = regularizers.L2(0.5)
    assert regularizers.get(regularizer) is regularizer
    assert isinstance(regularizers.get(regularizers.L2), regularizers.L2)


def test_one_of_your_own():
    class Cubes(regularizers.Regularizer):
        def __call__(self, w):
            return float((np.abs(w) ** 3).sum())

    assert regularizers.get(Cubes)(np.array([-2.0])) == 8
    with pytest.raises(NotImplementedError, match=r"Cubes must define add_gradient\(w, d_w\)"):
        Cubes().add_gradient(np.ones(1), np.ones(1))
    with pytest.raises(NotImplementedError, match=r"Cubes must define get_config\(\)"):
        Cubes().get_config()
    with pytest.raises(NotImplementedError, match=r"Regularizer must define __call__\(w\)"):
        regularizers.Regularizer()(np.ones(1))


# Bad input.


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "0.1", True, [0.1]])
@pytest.mark.parametrize(
    ("name", "argument"),
    [("L1", "l1"), ("L2", "l2"), ("L1L2", "l1"), ("L1L2", "l2"), ("OrthogonalRegularizer", "factor")],
)
def test_factors_are_numbers_from_0(name, argument, value):
    with pytest.raises(ValueError, match=f"{name}: {argument} must be a number of at least 0, got"):
        getattr(regularizers, name)(**{argument: value})


def test_unknown_modes_ranks_and_names_are_refused():
    with pytest.raises(ValueError, match="mode must be one of 'rows', 'columns', got 'diagonals'"):
        regularizers.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ValueError, match=r"OrthogonalRegularizer expects a matrix, got an array of shape \(3,\)"):
        regularizers.OrthogonalRegularizer()(np.ones(3))
    with pytest.raises(ValueError, match=r"Unknown regularizer 'l3'\. Did you mean 'l"):
        regularizers.get("l3")
    with pytest.raises(TypeError, match=r"regularizer must be a name, a config or a .*Regularizer, got float: 0.01"):
        regularizers.get(0.01)


def test_a_bare_function_is_refused_for_want_of_a_derivative():
    with pytest.raises(TypeError, match="has no derivative: make it a subclass of"):
        regularizers.get(lambda w: (w**2).sum())
