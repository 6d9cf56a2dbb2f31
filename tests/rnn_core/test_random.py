"""Random numbers: one seed fixes all, in every process; the distributions are the ones they say."""

from __future__ import annotations

import math
import random as python_random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import random
from rnn_core.config import floatx, set_floatx

DISTRIBUTIONS = [random.uniform, random.normal, random.truncated_normal]
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
SEEDS = st.integers(0, 2**40)

DRAW_ALL = """
import random as python_random
import numpy as np
from rnn_core import random
random.set_random_seed(11)
shuffle = random.stream()
draws = [random.uniform((3,)), random.normal((3,)), random.truncated_normal((3,)), shuffle.permutation(5)]
print([d.tobytes().hex() for d in draws], random.next_seed(), np.random.rand(), python_random.random())
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_same_seed_same_bits_in_two_processes():
    assert run(DRAW_ALL) == run(DRAW_ALL)


def test_importing_does_not_load_numpy_random():
    """`numpy.random` alone is a sixth of NumPy's import time."""
    assert run("import sys, rnn_core.random; print('numpy.random' in sys.modules)").strip() == "False"


def test_without_a_seed_two_processes_differ():
    code = "from rnn_core import random; print(random.next_seed())"
    assert run(code) != run(code)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_set_random_seed_fixes_all_three_sources(seed):
    def draw():
        random.set_random_seed(seed)
        fresh = [random.next_seed() for _ in range(4)]
        legacy = np.random.random()  # noqa: NPY002  (scripts draw their data with it)
        return fresh, random.stream().permutation(9).tolist(), legacy, python_random.random()

    first = draw()
    assert draw() == first
    assert len(set(first[0])) == 4


def test_other_seeds_draw_other_numbers():
    def after(seed):
        random.set_random_seed(seed)
        return random.next_seed()

    assert len({after(seed) for seed in range(100)}) == 100


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "1", None])
def test_set_random_seed_refuses(seed):
    with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 2\*\*32 - 1, got"):
        random.set_random_seed(seed)


def test_a_refused_seed_changes_nothing():
    random.set_random_seed(5)
    expected = random.next_seed()
    random.set_random_seed(5)
    with pytest.raises(ValueError, match="seed"):
        random.set_random_seed(-1)
    assert random.next_seed() == expected


def test_threads_share_one_sequence_of_seeds():
    """No seed is handed out twice, and together the threads get what one thread gets."""
    random.set_random_seed(1)
    expected = [random.next_seed() for _ in range(400)]
    random.set_random_seed(1)
    with ThreadPoolExecutor(8) as threads:
        drawn = [f.result() for f in [threads.submit(random.next_seed) for _ in range(400)]]
    assert sorted(drawn) == sorted(expected)


def test_a_stream_goes_on_and_two_of_one_seed_agree():
    a, b = random.stream(3), random.stream(3)
    first = a.random(4)
    assert np.array_equal(first, b.random(4))
    assert not np.array_equal(first, a.random(4))


@pytest.mark.parametrize("draw", DISTRIBUTIONS)
@given(shape=SHAPES, seed=SEEDS)
@settings(max_examples=30)
def test_a_draw_is_a_pure_function_of_its_seed(draw, shape, seed):
    single, double = draw(shape, dtype="float32", seed=seed), draw(shape, dtype="float64", seed=seed)
    assert type(single) is type(double) is np.ndarray
    assert single.shape == double.shape == shape
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert single.flags.writeable
    assert single.flags.c_contiguous
    assert np.array_equal(single, draw(shape, dtype="float32", seed=seed))
    np.testing.assert_allclose(single, double, rtol=6e-8)  # one rounding


@pytest.mark.parametrize("draw", DISTRIBUTIONS)
def test_without_arguments_a_draw_is_fresh_and_of_the_default_type(draw):
    before = floatx()
    try:
        set_floatx("float64")
        first, second = draw((50,)), draw((50,))
    finally:
        set_floatx(before)
    assert first.dtype == np.float64
    assert not np.array_equal(first, second)


@given(
    minval=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e6),
    seed=SEEDS,
    dtype=st.sampled_from(["float32", "float64"]),
)
@settings(max_examples=50)
def test_uniform_stays_inside_its_bounds(minval, width, seed, dtype):
    low, high = np.dtype(dtype).type(minval), np.dtype(dtype).type(minval + width)
    values = random.uniform((100,), minval, minval + width, dtype, seed)
    assert (values >= low).all()
    assert (values < high).all() or low == high


def test_uniform_never_rounds_up_to_its_upper_bound(monkeypatch):
    class Almost:
        def uniform(self, low, high, size):
            return np.full(size, np.nextafter(high, low))  # in float32 this is `high`

    monkeypatch.setattr(random, "stream", lambda seed: Almost())
    values = random.uniform((2,), 0.0, 1.0, "float32", 0)
    assert values[0] == np.nextafter(np.float32(1), np.float32(0))


def normal_cdf(x):
    return np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])


@pytest.mark.parametrize(
    ("draw", "arguments", "cdf"),
    [
        (random.uniform, (-2.0, 3.0), lambda x: (x + 2) / 5),
        (random.normal, (1.0, 2.0), lambda x: normal_cdf((x - 1) / 2)),
        (
            random.truncated_normal,
            (1.0, 2.0),
            lambda x: (normal_cdf((x - 1) / 2) - normal_cdf([-2.0])) / (1 - 2 * normal_cdf([-2.0])),
        ),
    ],
)
def test_distribution(draw, arguments, cdf):
    """Kolmogorov and Smirnov: the empirical distribution function is within 1.95 / sqrt(n), p = 0.001."""
    n = 20_000
    x = np.sort(draw((n,), *arguments, dtype="float64", seed=1))
    steps = np.arange(n + 1) / n
    distance = max(np.abs(cdf(x) - steps[1:]).max(), np.abs(cdf(x) - steps[:-1]).max())
    assert distance < 1.95 / math.sqrt(n)


@given(mean=st.floats(-10, 10), stddev=st.floats(0, 10), seed=SEEDS)
@settings(max_examples=30)
def test_truncated_normal_is_cut_at_two_deviations(mean, stddev, seed):
    values = random.truncated_normal((200,), mean, stddev, "float64", seed)
    assert (np.abs(values - mean) <= 2 * stddev * (1 + 1e-12) + 1e-12).all()


def test_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64', got 'float16'"):
        random.normal((2,), dtype="float16")
