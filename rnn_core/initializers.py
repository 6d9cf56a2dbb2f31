"""What a weight starts from.

An initializer is called with a shape and returns an array::

    kernel = GlorotUniform(seed=1)((4, 32))         # (features, units), float32

Called twice with one shape it returns the same values, as in Keras 3; with `seed` None it takes a seed from
:func:`rnn_core.random.next_seed` once, when it is made.

Names, arguments and formulas are Keras' (keras/src/initializers/); the numbers drawn are NumPy's. Left out:
``STFT``, and a ``SeedGenerator`` as seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks, random, serialization
from rnn_core.blas import single_thread
from rnn_core.config import standardize_dtype

Array = NDArray[Any]
Shape = tuple[int, ...]
Axes = Sequence[int] | None
Names = tuple[str, ...]

# The standard deviation that is left of N(0, 1) when it is cut at -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base of all initializers. One of your own overrides ``__call__(shape, dtype=None)``.

    `arguments` names what the constructor takes and the object keeps: together its config.
    """

    arguments: ClassVar[Names] = ()

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Array:
        """Return a new array of that shape; a dtype of None is :func:`rnn_core.config.floatx`."""
        return self._values(checks.shape(type(self).__name__, shape), standardize_dtype(dtype))

    def _values(self, shape: Shape, dtype: str) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {name: getattr(self, name) for name in self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the initializer that `config` came from."""
        return cls(**config)

    def _real(self, argument: str, value: Any, low: float = -math.inf, *, above: bool = False) -> float:
        return checks.real(type(self).__name__, argument, value, low, above=above)


class Zeros(Initializer):
    """Every weight is 0."""

    def _values(self, shape: Shape, dtype: str) -> Array:
        return np.zeros(shape, dtype)


class Ones(Initializer):
    """Every weight is 1."""

    def _values(self, shape: Shape, dtype: str) -> Array:
        return np.ones(shape, dtype)


class Constant(Initializer):
    """Every weight is `value`, a number; or `value` is an array of all weights, such as word vectors.

    Examples
    --------
    >>> Constant([[1, 2], [3, 4]])((2, 2))
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """

    arguments = ("value",)

    def __init__(self, value: Any = 0.0) -> None:
        if isinstance(value, (list, tuple)) or np.ndim(value):
            array = np.array(value)
            if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
                raise ValueError(f"Constant: value must be a number or an array of finite numbers, got {value!r}.")
            value = array.tolist()  # as its config, which may be written as JSON
        self.value = value if isinstance(value, list) else self._real("value", value)

    def _values(self, shape: Shape, dtype: str) -> Array:
        try:
            return np.broadcast_to(np.array(self.value, dtype), shape).copy()
        except ValueError:
            given = np.shape(self.value)
            raise ValueError(f"Constant: value of shape {given} does not fit a weight of shape {shape}.") from None


class Identity(Initializer):
    """`gain` on the main diagonal of a matrix, 0 elsewhere. ValueError for a shape that is not of rank 2.

    As the recurrent kernel of a ReLU layer it copies the state from step to step, so that at the start the
    gradient neither grows nor vanishes.

    Source: Le, Jaitly & Hinton 2015, arXiv:1504.00941; keras/src/initializers/constant_initializers.py.

    Examples
    --------
    >>> Identity(gain=0.5)((2, 3))
    array([[0.5, 0. , 0. ],
           [0. , 0.5, 0. ]], dtype=float32)
    """

    arguments = ("gain",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = self._real("gain", gain)

    def _values(self, shape: Shape, dtype: str) -> Array:
        if len(shape) != 2:
            raise ValueError(f"Identity: shape must have rank 2, got {shape}.")
        return self.gain * np.eye(*shape, dtype=dtype)


class _Random(Initializer):
    """Base of the initializers that draw. `seed` stays None in the config where none was given."""

    arguments: ClassVar[Names] = ("seed",)

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else checks.positive_int(type(self).__name__, "seed", seed, 0)
        self._seed = random.next_seed() if self.seed is None else self.seed


class RandomUniform(_Random):
    """``w ~ U[minval, maxval)``."""

    arguments = ("seed", "minval", "maxval")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval = self._real("minval", minval)
        self.maxval = self._real("maxval", maxval, self.minval)
        super().__init__(seed)

    def _values(self, shape: Shape, dtype: str) -> Array:
        return random.uniform(shape, self.minval, self.maxval, dtype, self._seed)


class RandomNormal(_Random):
    """``w ~ N(mean, stddev²)``."""

    arguments = ("seed", "mean", "stddev")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = self._real("mean", mean)
        self.stddev = self._real("stddev", stddev, 0)
        super().__init__(seed)

    def _values(self, shape: Shape, dtype: str) -> Array:
        return random.normal(shape, self.mean, self.stddev, dtype, self._seed)


class TruncatedNormal(RandomNormal):
    """``w ~ N(mean, stddev²)``, drawn again where ``|w - mean| > 2 stddev``: 0.88 of the spread is left."""

    def _values(self, shape: Shape, dtype: str) -> Array:
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, self._seed)


class VarianceScaling(_Random):
    """Mean 0 and the variance that keeps signals at one size from layer to layer: ``Var[w] = scale / n``.

    `n` counts connections, at least 1: fan_in those into a unit, fan_out those out of an input, fan_avg their
    mean (see :func:`compute_fans`). The distributions::

        uniform             w ~ U[-limit, limit),  limit = sqrt(3 scale / n),  since Var U[-a, a) = a² / 3
        untruncated_normal  w ~ N(0, scale / n)
        truncated_normal    w ~ N(0, sigma²) cut at 2 sigma,  sigma = sqrt(scale / n) / 0.8796,
                            since the cut leaves 0.8796 of the standard deviation

    Source: He et al. 2015, arXiv:1502.01852; keras/src/initializers/random_initializers.py.

    Parameters
    ----------
    scale : float
        Above 0.
    mode : {"fan_in", "fan_out", "fan_avg"}
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        ``"normal"`` is the truncated one.
    seed : int or None
    input_axes, output_axes : sequence of int or None
        The axes whose lengths multiply to fan_in and to fan_out: both, or none.

    Raises
    ------
    ValueError
        For any other value; when called, for axes that the shape does not have.

    Examples
    --------
    >>> kernel = VarianceScaling(2.0, "fan_in", seed=1)((100, 200))
    >>> print(f"{kernel.var():.3f}")
    0.020
    """

    arguments: ClassVar[Names] = ("seed", "scale", "mode", "distribution", "input_axes", "output_axes")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ) -> None:
        owner = type(self).__name__
        if isinstance(distribution, str):
            distribution = {"normal": "truncated_normal"}.get(distribution.lower(), distribution.lower())
        distributions = ("truncated_normal", "untruncated_normal", "uniform")
        self.scale = self._real("scale", scale, 0, above=True)
        self.mode = checks.one_of(owner, "mode", mode, ("fan_in", "fan_out", "fan_avg"))
        self.distribution = checks.one_of(owner, "distribution", distribution, distributions)
        if (input_axes is None) != (output_axes is None):
            raise ValueError(
                f"{owner}: input_axes and output_axes go together, got {input_axes!r} and {output_axes!r}."
            )
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed)

    def _values(self, shape: Shape, dtype: str) -> Array:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, n))
        if self.distribution == "uniform":
            limit = math.sqrt(3) * stddev
            return random.uniform(shape, -limit, limit, dtype, self._seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, stddev, dtype, self._seed)
        return random.truncated_normal(shape, 0.0, stddev / TRUNCATED_STDDEV, dtype, self._seed)


def compute_fans(shape: Sequence[int], input_axes: Axes = None, output_axes: Axes = None) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight of that shape.

    A matrix (features, units) has just these; a vector of n has (n, n); further axes in front multiply both.

    Examples
    --------
    >>> compute_fans((4, 32)), compute_fans((3, 3, 4, 32)), compute_fans((4, 2, 8), (0,), (1, 2))
    ((4, 32), (36, 288), (4, 16))
    """
    if input_axes is not None and output_axes is not None:
        try:
            return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
        except (IndexError, TypeError):
            got = f"got {input_axes!r} and {output_axes!r} for a weight of shape {tuple(shape)}"
            raise ValueError(f"input_axes and output_axes must be lists of the weight's axes, {got}.") from None
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


class _Preset(VarianceScaling):
    """A variance scaling with a name of its own."""

    arguments: ClassVar[Names] = ("seed", "input_axes", "output_axes")
    preset: ClassVar[tuple[float, str, str]]  # scale, mode, distribution

    def __init__(self, seed: int | None = None, input_axes: Axes = None, output_axes: Axes = None) -> None:
        super().__init__(*self.preset, seed, input_axes, output_axes)


class GlorotUniform(_Preset):
    """``w ~ U[-a, a)``, ``a = sqrt(6 / (fan_in + fan_out))``. Source: Glorot & Bengio 2010, AISTATS."""

    preset = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Preset):
    """Truncated normal, ``Var[w] = 2 / (fan_in + fan_out)``. Source: Glorot & Bengio 2010, AISTATS."""

    preset = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Preset):
    """``w ~ U[-a, a)``, ``a = sqrt(6 / fan_in)``, for ReLU. Source: He et al. 2015, arXiv:1502.01852."""

    preset = (2.0, "fan_in", "uniform")


class HeNormal(_Preset):
    """Truncated normal, ``Var[w] = 2 / fan_in``, for ReLU. Source: He et al. 2015, arXiv:1502.01852."""

    preset = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Preset):
    """``w ~ U[-a, a)``, ``a = sqrt(3 / fan_in)``. Source: LeCun et al. 1998, Efficient BackProp."""

    preset = (1.0, "fan_in", "uniform")


class LecunNormal(_Preset):
    """Truncated normal, ``Var[w] = 1 / fan_in``. Source: LeCun et al. 1998; for SELU, arXiv:1706.02515."""

    preset = (1.0, "fan_in", "truncated_normal")


class Orthogonal(_Random):
    """`gain` times a random orthogonal matrix, which keeps lengths: as a recurrent kernel, that of the state.

    ``WᵀW = gain² I``; with fewer rows than columns ``WWᵀ = gain² I``. It is made as::

        A = QR,  A normal of shape (larger side, smaller side)
        W = gain * Q * sign(diag R)         the sign makes W uniform over the orthogonal matrices

    A shape of more than two axes is taken as the matrix (all axes but the last, last). ValueError for fewer.

    Source: Saxe et al. 2014, arXiv:1312.6120; keras/src/initializers/random_initializers.py.

    Examples
    --------
    >>> W = Orthogonal(gain=2.0, seed=1)((5, 3), "float64")
    >>> np.allclose(W.T @ W, 4 * np.eye(3))
    True
    """

    arguments = ("seed", "gain")

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = self._real("gain", gain)
        super().__init__(seed)

    def _values(self, shape: Shape, dtype: str) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: shape must have rank 2 or more, got {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        a = random.normal((max(rows, columns), min(rows, columns)), 0.0, 1.0, "float64", self._seed)
        with single_thread:  # or a busy neighbour makes it 100 times slower
            q, r = np.linalg.qr(a)  # (larger, smaller), (smaller, smaller)
        q *= self.gain * np.copysign(1.0, np.diagonal(r))
        w = q.T if rows < columns else q  # (rows, columns)
        return w.reshape(shape).astype(dtype, order="C")


# Keras' other names.
zeros, ones, constant, identity = Zeros, Ones, Constant, Identity
random_uniform, random_normal, truncated_normal = RandomUniform, RandomNormal, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_uniform, he_uniform, lecun_uniform = GlorotUniform, HeUniform, LecunUniform
glorot_normal, he_normal, lecun_normal = GlorotNormal, HeNormal, LecunNormal
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal

_public = {name: value for name, value in globals().items() if isinstance(value, type) and name[0] != "_"}
_TABLE = {name: value for name, value in _public.items() if issubclass(value, Initializer)}
_TABLE |= {"zero": Zeros, "one": Ones, "uniform": RandomUniform, "normal": RandomNormal}
del _TABLE["Initializer"]


def get(identifier: Any) -> Any:
    """Return the initializer that `identifier` stands for.

    A name of Keras (``"glorot_uniform"``, ``"GlorotUniform"``), a config or a class makes a new one. None, an
    object and any other callable ``init(shape, dtype=None)`` are returned as they are; an array becomes a
    callable that returns its values. ValueError for an unknown name, TypeError for anything else.

    Examples
    --------
    >>> get("he_normal").get_config()
    {'seed': None, 'input_axes': None, 'output_axes': None}
    """
    if isinstance(identifier, np.ndarray):
        return _given(identifier)
    if identifier is None or (callable(identifier) and not isinstance(identifier, type)):
        return identifier
    return serialization.resolve("initializer", identifier, _TABLE, Initializer)


deserialize = get


def _given(values: Array) -> Callable[..., Array]:
    def given_values(shape: Sequence[int], dtype: Any = None) -> Array:
        if tuple(shape) != values.shape:
            raise ValueError(f"A weight of shape {tuple(shape)} got an array of {values.shape} as initializer.")
        return values.astype(standardize_dtype(dtype), order="C")

    return given_values


def serialize(initializer: Any) -> dict[str, Any] | None:
    """Return the config that Keras writes: of a bare function only its name, which cannot be read back."""
    if initializer is None:
        return None
    if isinstance(initializer, Initializer):
        return serialization.serialize(initializer, "keras.initializers")
    return serialization.serialize_function(initializer)
