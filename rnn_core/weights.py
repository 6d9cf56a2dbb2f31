"""One vector for all weights, and named views into it.

A model's weights are ONE contiguous 1-D array; so are its gradients and each slot of its optimizer::

    vector  [ recurrent_kernel | kernel | bias | kernel | bias | kernel | bias ]
              `---- simple_rnn --------------'  `-- dense ----'  `- dense_1 --'

``layer.kernel`` is a reshaped view of its part. So an optimizer step is a handful of ufuncs on one array, however
many layers there are, and to save, compare or restore a model is to copy a vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rnn_core.constraints import Constraint
    from rnn_core.initializers import Initializer
    from rnn_core.regularizers import Regularizer

Array = NDArray[Any]
Shape = tuple[int, ...]


class WeightSpec:
    """What a layer states about one of its weights: name, shape, and how it starts, is penalised and confined."""

    __slots__ = ("constraint", "initializer", "name", "regularizer", "shape", "size")

    def __init__(
        self,
        name: str,
        shape: Shape,
        initializer: Initializer,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.size = math.prod(shape)
        self.initializer = initializer
        self.regularizer = regularizer
        self.constraint = constraint


class _Weight:
    """A weight of a layer that has it not yet, or not at all: a view of that name in the layer takes its place."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, cls: type) -> NoReturn:
        why = "" if layer is None or layer.built else "; it is not built yet, so it has no weights"
        raise AttributeError(f"{cls.__name__!r} object has no attribute {self.name!r}{why}.", name=self.name, obj=layer)


def weight() -> Any:
    """Declare a weight in a layer's class, ``kernel: Array = weight()``, so that it is known by name before it is made.

    Examples
    --------
    >>> from rnn_core.layers import Dense
    >>> Dense(2).kernel
    Traceback (most recent call last):
        ...
    AttributeError: 'Dense' object has no attribute 'kernel'; it is not built yet, so it has no weights.
    """
    return _Weight()


def total_size(specs: Sequence[WeightSpec]) -> int:
    """Return the number of parameters that `specs` describe."""
    return sum(spec.size for spec in specs)


def views(specs: Sequence[WeightSpec], vector: Array) -> dict[str, Array]:
    """Cut `vector` into one reshaped view for each weight, in the order of `specs`.

    Examples
    --------
    >>> from rnn_core.initializers import Zeros
    >>> specs = [WeightSpec("kernel", (2, 3), Zeros()), WeightSpec("bias", (3,), Zeros())]
    >>> vector = np.arange(9.0)
    >>> cut = views(specs, vector)
    >>> cut["bias"]
    array([6., 7., 8.])
    >>> cut["kernel"][0, 0] = 42; vector[0]
    np.float64(42.0)
    """
    cut, start = {}, 0
    for spec in specs:
        cut[spec.name] = vector[start : start + spec.size].reshape(spec.shape)
        start += spec.size
    return cut


def initial_vector(specs: Sequence[WeightSpec], memory_order: Sequence[WeightSpec], dtype: str) -> Array:
    """Return a new vector laid out by `memory_order`, its weights drawn in the order of `specs`."""
    vector = np.empty(total_size(specs), dtype)
    cut = views(memory_order, vector)
    for spec in specs:
        cut[spec.name][...] = spec.initializer(spec.shape, dtype=dtype)
    return vector


def checked_values(owner: str, specs: Sequence[WeightSpec], values: Iterable[Any]) -> list[Array]:
    """Return `values` as arrays, after comparing their number and shapes with `specs`."""
    expected = f"{len(specs)} arrays ({', '.join(spec.name for spec in specs)})"
    if not isinstance(values, Iterable):
        raise TypeError(f"{owner}: set_weights expects a list of {expected}, got {values!r}.")
    values = list(values)
    if len(values) != len(specs):
        raise ValueError(f"{owner}: set_weights expects {expected}, got {len(values)}.")
    try:
        arrays = [np.asarray(value) for value in values]
    except ValueError as error:
        raise ValueError(f"{owner}: set_weights expects {expected}: {error}") from error
    for spec, array in zip(specs, arrays, strict=True):
        if array.shape != spec.shape:
            raise ValueError(f"{owner}: weight {spec.name!r} has shape {spec.shape}, got {array.shape}.")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{owner}: weight {spec.name!r} must be numeric, got dtype {array.dtype}.")
    return arrays


def adjacent(vectors: Sequence[Array]) -> Array | None:
    """Return the stretch of memory that `vectors` fill one after another in one array, or None if they do not."""
    base = vectors[0].base if vectors else None
    if base is None or any(vector.base is not base for vector in vectors):
        return None
    start = (vectors[0].ctypes.data - base.ctypes.data) // base.itemsize
    end = start
    for vector in vectors:
        if (vector.ctypes.data - base.ctypes.data) // base.itemsize != end:
            return None
        end += vector.size
    return np.asarray(base[start:end])
