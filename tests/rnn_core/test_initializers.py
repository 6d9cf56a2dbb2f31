"""Initializers: with Keras' own draws they give Keras' weights, with theirs Keras' distribution."""

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
from keras.src.initializers import ALL_OBJECTS_DICT as KERAS_TABLE

from rnn_core import initializers, random
from rnn_core.config import set_floatx

DTYPES = st.sampled_from(["float32", "float64"])
SHAPES = st.lists(st.integers(0, 6), max_size=4).map(tuple)
MATRICES = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)
STFT = {"STFT", "STFTInitializer", "stft"}  # for convolutions on spectrograms, left out

# A name and other arguments than the defaults, so that each argument is seen to count.
RANDOM = [
    ("RandomUniform", {}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("RandomNormal", {}),
    ("RandomNormal", {"mean": 2.0, "stddev": 0.5}),
    ("TruncatedNormal", {}),
    ("TruncatedNormal", {"mean": 2.0, "stddev": 0.5}),
    *[(name, {}) for name in ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal")],
    *[(name, {}) for name in ("LecunUniform", "LecunNormal", "VarianceScaling")],
    ("GlorotNormal", {"input_axes": [0], "output_axes": [1, 2]}),
    *[
        ("VarianceScaling", {"scale": 0.3, "mode": mode, "distribution": distribution})
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("uniform", "truncated_normal", "untruncated_normal", "NORMAL")
    ],
    ("VarianceScaling", {"mode": "fan_out", "input_axes": [0, 2], "output_axes": [1]}),
    ("Orthogonal", {}),
    ("Orthogonal", {"gain": -1.5}),
]
FIXED = [
    ("Zeros", {}),
    ("Ones", {}),
    ("Constant", {}),
    ("Constant", {"value": -2.5}),
    ("Identity", {}),
    ("Identity", {"gain": 0.3}),
]


def both(name, arguments):
    return getattr(initializers, name)(**arguments), getattr(keras.initializers, name)(**arguments)


@pytest.fixture
def keras_draws(monkeypatch):
    """The engine's three distributions, drawn by Keras."""
    for name in ("uniform", "normal", "truncated_normal"):
        draw = getattr(keras.random, name)
        monkeypatch.setattr(random, name, lambda *arguments, draw=draw: np.array(draw(*arguments)))


@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_with_keras_draws_the_weights_are_keras_weights(name, arguments, keras_draws):
    ours, theirs = both(name, {**arguments, "seed": 7})
    shapes = [(4, 3, 5)]
    if "input_axes" not in arguments:
        shapes += [(3, 4), (4, 3), (2, 3, 4, 5)]
        if name != "Orthogonal":
            shapes += [(6,), (), (0, 3)]
    for shape in shapes:
        weights = ours(shape, "float64")
        assert weights.shape == shape
        np.testing.assert_allclose(weights, np.array(theirs(shape, "float64")), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "arguments"), FIXED)
def test_fixed_weights_are_keras_weights(name, arguments, dtype):
    ours, theirs = both(name, arguments)
    for shape in [(3, 4), (4, 4), (4, 2)] + [(), (5,), (2, 3, 4)] * (name != "Identity"):
        weights = ours(shape, dtype)
        assert weights.dtype == dtype
        assert np.array_equal(weights, np.array(theirs(shape, dtype)))


@pytest.mark.parametrize(("name", "arguments"), [case for case in RANDOM if "input_axes" not in case[1]])
def test_own_draws_have_keras_distribution(name, arguments):
    """Kolmogorov and Smirnov: two distribution functions are within 1.95 sqrt(2 / n), p = 0.001."""
    ours, theirs = both(name, {**arguments, "seed": 3})
    shape = (100, 200)
    a, b = np.sort(ours(shape).ravel()), np.sort(np.array(theirs(shape)).ravel())
    everywhere = np.concatenate([a, b])
    distance = np.abs(np.searchsorted(a, everywhere, "right") - np.searchsorted(b, everywhere, "right")).max()
    assert distance / a.size < 1.95 * math.sqrt(2 / a.size)
    assert a.std() == pytest.approx(b.std(), rel=0.03)


@pytest.mark.parametrize("distribution", ["uniform", "truncated_normal", "untruncated_normal"])
@pytest.mark.parametrize(("mode", "n"), [("fan_in", 100), ("fan_out", 300), ("fan_avg", 200)])
def test_variance_scaling_has_the_variance_it_promises(distribution, mode, n):
    kernel = initializers.VarianceScaling(2.0, mode, distribution, seed=0)((100, 300), "float64")
    assert kernel.var() == pytest.approx(2.0 / n, rel=0.03)
    assert abs(kernel.mean()) < 4 * math.sqrt(2.0 / n / kernel.size)


def test_truncated_stddev_is_that_of_the_cut_normal():
    """Var = 1 - 2 c phi(c) / (2 Phi(c) - 1) for a standard normal cut at -c and c."""
    phi = math.exp(-2) / math.sqrt(2 * math.pi)
    stddev = math.sqrt(1 - 4 * phi / math.erf(2 / math.sqrt(2)))
    assert stddev == pytest.approx(initializers.TRUNCATED_STDDEV, rel=1e-14)


@given(shape=MATRICES, gain=st.floats(-3, 3), seed=st.integers(0, 2**31), dtype=DTYPES)
@settings(max_examples=60, deadline=None)
def test_orthogonal_is_orthogonal(shape, gain, seed, dtype):
    w = initializers.Orthogonal(gain, seed)(shape, dtype).reshape(-1, shape[-1])
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(product, gain**2 * np.eye(len(product)), atol=40 * np.finfo(dtype).eps)


def test_orthogonal_prefers_no_direction():
    """Over many seeds the mean is 0; without the sign correction, QR leaves the diagonal negative."""
    draws = np.array([initializers.Orthogonal(seed=seed)((3, 3), "float64") for seed in range(600)])
    assert np.abs(draws.mean(0)).max() < 4 * math.sqrt(1 / 3 / 600)


@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_a_call_is_a_pure_function(name, arguments):
    """Twice the same, float32 the rounded float64, a new array each time; another seed, another array."""
    make, shape = getattr(initializers, name), (4, 3, 5)
    init = make(**arguments)
    first = init(shape)
    again = init(list(shape), np.float32)
    assert first.dtype == np.float32
    assert first is not again
    assert first.flags.writeable
    assert first.flags.c_contiguous
    assert np.array_equal(first, again)
    np.testing.assert_allclose(first, init(shape, "float64"), rtol=1e-7)
    assert not np.array_equal(first, make(**arguments)(shape))  # no seed: each object takes its own
    assert np.array_equal(make(**arguments, seed=np.int64(5))(shape), make(**arguments, seed=5)(shape))
    assert not np.array_equal(make(**arguments, seed=5)(shape), make(**arguments, seed=6)(shape))


def test_objects_without_seed_follow_set_random_seed():
    def draw():
        random.set_random_seed(3)
        return [initializers.get(name)((3, 3)) for name in ("glorot_uniform", "orthogonal", "he_normal")]

    for first, second in zip(draw(), draw(), strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("name", sorted(set(initializers._TABLE) - {"Identity", "IdentityInitializer", "identity"}))
@given(shape=SHAPES, dtype=DTYPES)
@settings(max_examples=10, deadline=None)
def test_shape_and_dtype_are_the_asked_ones(name, shape, dtype):
    init = initializers.get(name)
    if name in ("Orthogonal", "OrthogonalInitializer", "orthogonal") and len(shape) < 2:
        with pytest.raises(ValueError, match=r"Orthogonal: shape must have rank 2 or more, got \("):
            init(shape, dtype)
        return
    weights = init(shape, dtype)
    assert type(weights) is np.ndarray
    assert (weights.shape, weights.dtype) == (shape, dtype)
    assert np.isfinite(weights).all()


def test_the_default_dtype_is_floatx():
    set_floatx("float64")
    try:
        assert initializers.Zeros()((2,)).dtype == initializers.Orthogonal()((2, 2)).dtype == np.float64
    finally:
        set_floatx("float32")


# Names and configs.


def test_every_name_of_keras_gives_the_same_class():
    for name in set(KERAS_TABLE) - STFT - {"Initializer", "initializer"}:
        assert type(initializers.get(name)).__name__ == KERAS_TABLE[name].__name__
    exported = {name for name in dir(keras.initializers) if not name.startswith("_")} - STFT
    assert exported <= set(dir(initializers))
    for name in exported - {"get", "serialize", "deserialize"}:
        assert getattr(initializers, name).__name__ == getattr(keras.initializers, name).__name__


@pytest.mark.parametrize(("name", "arguments"), [case for case in RANDOM + FIXED if case[0] != "Identity"])
def test_configs_travel_to_keras_and_back(name, arguments):
    ours, theirs = both(name, arguments)
    assert ours.get_config() == theirs.get_config()
    assert initializers.serialize(ours) == keras.initializers.serialize(theirs)
    config = json.loads(json.dumps(initializers.serialize(ours)))
    assert keras.initializers.deserialize(config).get_config() == theirs.get_config()
    back = initializers.deserialize(config)
    assert type(back) is type(ours)
    assert back.get_config() == ours.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()


def test_identity_keeps_its_gain_in_the_config():
    """Keras' Identity leaves it out, and comes back with gain 1; what we write, it reads."""
    config = initializers.serialize(initializers.Identity(0.3))
    assert initializers.get(config).gain == 0.3
    assert keras.initializers.deserialize(config).gain == 0.3
    assert keras.initializers.Identity(0.3).get_config() == {}


def test_a_seed_survives_the_config():
    first = initializers.HeNormal(seed=4)
    assert np.array_equal(first((3, 3)), initializers.get(initializers.serialize(first))((3, 3)))
    assert initializers.HeNormal().get_config()["seed"] is None


def test_get_returns_objects_as_they_are_and_makes_classes():
    init = initializers.HeNormal()
    assert initializers.get(init) is init
    assert isinstance(initializers.get(initializers.HeNormal), initializers.HeNormal)
    assert initializers.get(None) is None
    assert initializers.serialize(None) is None


def test_any_callable_is_an_initializer():
    def twos(shape, dtype=None):
        return np.full(shape, 2, dtype)

    assert initializers.get(twos) is twos
    assert initializers.serialize(twos) == keras.initializers.serialize(twos)
    with pytest.raises(ValueError, match="Unknown initializer 'twos'"):
        initializers.get(initializers.serialize(twos))


def test_a_class_of_your_own():
    class Twos(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 2, dtype)

    assert initializers.get(Twos)((2,), "float32").tolist() == [2, 2]
    with pytest.raises(NotImplementedError, match="Initializer must define __call__"):
        initializers.Initializer()((2,))


def test_an_array_stands_for_its_values():
    values = np.arange(6).reshape(2, 3)
    init = initializers.get(values)
    weights = init((2, 3))
    assert weights.dtype == np.float32
    assert np.array_equal(weights, values)
    assert np.array_equal(weights, np.array(keras.initializers.get(values)((2, 3))))
    weights[...] = 0
    assert np.array_equal(init([2, 3], "float64"), values)  # a copy each time
    with pytest.raises(ValueError, match=r"A weight of shape \(3, 2\) got an array of \(2, 3\) as initializer"):
        init((3, 2))


# Bad input.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: initializers.RandomNormal(stddev=-1),
            "RandomNormal: stddev must be a number of at least 0, got -1",
        ),
        (
            lambda: initializers.TruncatedNormal(stddev=-0.1),
            "TruncatedNormal: stddev must be a number of at least 0",
        ),
        (lambda: initializers.RandomNormal(mean=math.nan), "RandomNormal: mean must be a number, got nan"),
        (
            lambda: initializers.RandomUniform(1, -1),
            "RandomUniform: maxval must be a number of at least 1, got -1",
        ),
        (lambda: initializers.Constant("1"), "Constant: value must be a number, got '1'"),
        (lambda: initializers.Constant([float("nan")]), "Constant: value must be a number"),
        (lambda: initializers.Identity(None), "Identity: gain must be a number, got None"),
        (lambda: initializers.Orthogonal(math.inf), "Orthogonal: gain must be a number, got inf"),
        (lambda: initializers.VarianceScaling(0), "VarianceScaling: scale must be a number above 0, got 0"),
        (
            lambda: initializers.VarianceScaling(mode="fan"),
            "VarianceScaling: mode must be one of 'fan_in', 'fan_out', 'fan_avg', got 'fan'",
        ),
        (
            lambda: initializers.VarianceScaling(distribution="gauss"),
            "distribution must be one of 'truncated_normal', 'untruncated_normal', 'uniform', got 'gauss'",
        ),
        (lambda: initializers.VarianceScaling(distribution=3), "distribution must be one of .*, got 3"),
        (
            lambda: initializers.GlorotUniform(input_axes=[0]),
            "GlorotUniform: input_axes and output_axes go together",
        ),
        (
            lambda: initializers.HeNormal(input_axes=[0], output_axes=[2])((3, 4)),
            r"must be lists of the weight's axes, got \[0\] and \[2\] for a weight of shape \(3, 4\)",
        ),
        (
            lambda: initializers.HeNormal(input_axes=0, output_axes=1)((3, 4)),
            "must be lists of the weight's axes",
        ),
        (
            lambda: initializers.GlorotUniform(seed=-1),
            "GlorotUniform: seed must be an integer of at least 0, got -1",
        ),
        (
            lambda: initializers.GlorotUniform(seed=1.5),
            "GlorotUniform: seed must be an integer of at least 0",
        ),
        (
            lambda: initializers.Zeros()((2, None)),
            r"Zeros: shape must be a sequence of integers .* got \(2, None\)",
        ),
        (lambda: initializers.Zeros()(3), "Zeros: shape must be a sequence of integers of at least 0, got 3"),
        (
            lambda: initializers.HeNormal()((2, -1)),
            "HeNormal: shape must be a sequence of integers of at least 0",
        ),
        (lambda: initializers.Zeros()("ab"), "Zeros: shape must be a sequence of integers of at least 0"),
        (lambda: initializers.Ones()((2,), "int32"), "dtype must be 'float32' or 'float64', got 'int32'"),
        (lambda: initializers.Identity()((2,)), r"Identity: shape must have rank 2, got \(2,\)"),
        (lambda: initializers.Identity()((2, 2, 2)), r"Identity: shape must have rank 2, got \(2, 2, 2\)"),
        (lambda: initializers.get("glorot"), "Unknown initializer 'glorot'. Did you mean 'glorot_"),
        (lambda: initializers.get("stft"), "Unknown initializer 'stft'"),
        (
            lambda: initializers.get({}),
            "initializer given as a dict needs the keys 'class_name' and 'config'",
        ),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("identifier", [3, [1.0, 2.0], dict])
def test_what_is_no_initializer_is_refused(identifier):
    with pytest.raises(TypeError, match=r"initializer must be a name, a config or a rnn_core.initializers.Initializer"):
        initializers.get(identifier)
