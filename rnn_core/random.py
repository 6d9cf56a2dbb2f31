"""Where every random number comes from.

Initializers, shuffles and dropout draw through this file and nowhere else, so that one call of
:func:`set_random_seed` fixes all of them, and so that another way of drawing can be put in here.

Seeds are plain integers. What is drawn once (an initial weight) is a pure function of its seed; what is drawn
again and again (a shuffle, a dropout mask) comes from a stream, a ``numpy.random.Generator``.

The three distributions take the arguments of ``keras.random``. All draw in float64 and round at the end: one
seed gives the same numbers in float32 and float64, up to that rounding.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.config import standardize_dtype

_lock = threading.Lock()
_seeds: np.random.Generator | None = None  # made when first asked: numpy.random is a sixth of NumPy's import
_own = threading.local()  # a thread's own seeds, within `seeded`

Shape = Sequence[int]


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and this engine's random numbers.

    Everything drawn afterwards (weights, shuffles, dropout) is the same, bit for bit, in every process on the
    same machine. As ``keras.utils.set_random_seed``.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.

    Raises
    ------
    ValueError
        If `seed` is not an integer in that range.

    Examples
    --------
    >>> set_random_seed(7); first = next_seed()
    >>> set_random_seed(7); first == next_seed()
    True
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 2**32 - 1, got {seed!r}.")
    import random as python_random  # a millisecond that not every process needs

    global _seeds
    python_random.seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002  (scripts that draw their data with np.random expect it, as in Keras)
    with _lock:
        _seeds = np.random.default_rng(int(seed))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a seed of one's own within this block and thread; all else draws on as if it had not been.

    Examples
    --------
    >>> set_random_seed(7); first, second = next_seed(), next_seed()
    >>> set_random_seed(7); first == next_seed()
    True
    >>> with seeded(7):
    ...     next_seed() == first
    True
    >>> next_seed() == second
    True
    """
    outside = getattr(_own, "seeds", None)
    _own.seeds = np.random.default_rng(seed)
    try:
        yield
    finally:
        _own.seeds = outside


def next_seed() -> int:
    """Draw a fresh seed, for an object that was given none."""
    global _seeds
    own: np.random.Generator | None = getattr(_own, "seeds", None)
    if own is not None:
        return int(own.integers(2**31))
    with _lock:
        if _seeds is None:
            _seeds = np.random.default_rng()
        return int(_seeds.integers(2**31))


def stream(seed: int | None = None) -> np.random.Generator:
    """Return a generator for what is drawn again and again, from `seed` or from a fresh one."""
    return np.random.default_rng(next_seed() if seed is None else seed)


def uniform(
    shape: Shape, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: int | None = None
) -> NDArray[Any]:
    """Draw from the uniform distribution on [minval, maxval).

    Examples
    --------
    >>> uniform((2, 3), -1.0, 1.0, seed=0).round(2)
    array([[ 0.27, -0.46, -0.92],
           [-0.97,  0.63,  0.83]], dtype=float32)
    """
    real = np.dtype(standardize_dtype(dtype)).type
    values = np.asarray(stream(seed).uniform(minval, maxval, tuple(shape)), real)
    # Rounding can reach maxval itself; the largest number below it takes its place.
    np.minimum(values, np.nextafter(real(maxval), real(minval)), out=values)
    return values


def normal(
    shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None
) -> NDArray[Any]:
    """Draw from the normal distribution: ``mean + stddev * z`` with z of mean 0 and variance 1."""
    z = stream(seed).standard_normal(tuple(shape))
    return np.asarray(mean + stddev * z, standardize_dtype(dtype))


def truncated_normal(
    shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None
) -> NDArray[Any]:
    """Draw from the normal distribution, again for every value further than two `stddev` from `mean`.

    The cut leaves 0.88 of the standard deviation: see :class:`rnn_core.initializers.VarianceScaling`.
    """
    draws = stream(seed)
    z = np.asarray(draws.standard_normal(tuple(shape)))
    outside = np.abs(z) > 2
    while outside.any():
        z[outside] = draws.standard_normal(int(outside.sum()))
        outside = np.abs(z) > 2
    return np.asarray(mean + stddev * z, standardize_dtype(dtype))


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("random", name, ["normal", "set_random_seed", "truncated_normal", "uniform"])
