"""Data on its way in: any of the forms that users have, checked and turned into arrays and batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import real
from rnn_core.lazy import Dataset, LazyArray
from rnn_core.several import each, rows

Array = NDArray[Any]
Data = tuple[Any, Any, Any]
"""Inputs, targets and sample weights or None: arrays, or lists of one for each input or output of the model."""

_BLOCK_BYTES = 4 << 20
"""About how much of shuffled data is copied together at once: 4 MB, so that data of any size can be trained on."""

_POOL, _CHUNKS = 1 << 20, 64
"""Up to a million samples are shuffled as one; more, a million at a time, from 64 places in the data."""

_POOL_BYTES = 32 << 20
"""Lazy rows are shuffled together up to this size: what is read of a file at random is mapped into memory whole."""

_MADE_AT_ONCE = 64 << 20
"""Lazy rows that take no more than these 64 MB together are made once, instead of anew in every epoch."""


def as_numeric(name: str, data: Any) -> Array:
    """Return `data` (array, nested list, pandas Series or DataFrame) as a numeric array, without a copy if possible.

    Raises
    ------
    TypeError
        For text, objects, complex numbers or dates, and for anything that is no array at all.
    ValueError
        For nested lists of unequal lengths, and for masked arrays, whose masked values would count.

    Examples
    --------
    >>> as_numeric("x", ["a", "b"])
    Traceback (most recent call last):
        ...
    TypeError: x must be numeric, got dtype <U1.
    """
    if hasattr(data, "to_numpy"):
        data = _from_pandas(name, data)
    if hasattr(data, "filled") and np.ma.is_masked(data):
        raise ValueError(
            f"{name} is a masked array with {int(data.mask.sum())} values masked: fill or drop them first."
        )
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name} can't be made one array: {error}") from error
    if array.dtype.kind == "O" and array.ndim == 0:
        raise TypeError(f"{name} must be an array, a list of numbers or a pandas object, got {type(data).__name__}.")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be numeric, got dtype {array.dtype}.")
    return array


def _from_pandas(name: str, data: Any) -> Any:
    """Return a Series' or a DataFrame's values; columns of several numeric kinds become float64."""
    array = data.to_numpy()
    if array.dtype.kind != "O" or array.ndim != 2:
        return array
    other = [column for column, dtype in zip(data.columns, data.dtypes, strict=True) if dtype.kind not in "fiub"]
    if other:
        raise TypeError(f"{name} must be numeric, got {', '.join(f'column {c!r} of {data[c].dtype}' for c in other)}.")
    return data.to_numpy("float64", na_value=math.nan)


def all_finite(array: Array) -> bool:
    """Whether `array` holds no NaN and no infinity.

    The sum of squares, one fast product, is finite only if every value is; where it overflows, values are looked at
    one by one.
    """
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if math.isfinite(flat.dot(flat)):
                return True
    return bool(np.isfinite(array).all())


def as_floats(name: str, array: Array, dtype: str) -> Array:
    """Return `array` as `dtype`, without a copy if possible.

    Raises
    ------
    ValueError
        Where it holds NaN or infinity, or a number too large for `dtype`; with the place of the first.
    """
    with np.errstate(over="ignore"):
        floats = array.astype(dtype, copy=False)
    if all_finite(floats):
        return floats
    bad = ~np.isfinite(floats)
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    raise ValueError(
        f"{name} holds {int(bad.sum())} values that are NaN, infinite or too large for {dtype}, the first at index "
        f"{place if len(place) > 1 else place[0]}: {array[place]}. Clean or mask the data first."
    )


def lazy_floats(name: str, rows: LazyArray, dtype: str) -> Any:
    """Return lazy rows as `dtype`, checked to be finite; as an array if all of them are small enough to be made."""
    rows = rows.as_floats(name, dtype)
    return rows if rows.nbytes > _MADE_AT_ONCE else np.asarray(rows)


def as_input(name: str, data: Any, shape: Sequence[int | None] | None, dtype: str) -> Any:
    """Return model inputs as a finite array of `dtype` that fits `shape` (batch, ...), where that is known.

    Windows over a long series stay a :class:`rnn_core.lazy.LazyArray`.

    As Keras does, a missing or superfluous last axis of size 1 is added or dropped, and a list that holds one array
    stands for that array.
    """
    if isinstance(data, Dataset):
        data, _ = data.arrays()
    if isinstance(data, LazyArray):
        data = lazy_floats(name, data, dtype)
        if isinstance(data, LazyArray):
            return data  # it has what is asked of an array on its way to a batch
    if isinstance(data, (list, tuple)) and len(data) == 1 and hasattr(data[0], "shape"):
        inner = data[0]
        if shape is None or len(inner.shape) + 1 != len(shape):
            data = inner
    array = as_numeric(name, data)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold samples along its first axis, got a single number.")
    if shape is not None:
        if array.ndim == len(shape) - 1 and shape[-1] == 1:
            array = array[..., None]
        elif array.ndim == len(shape) + 1 and array.shape[-1] == 1:
            array = array[..., 0]
    if len(array) == 0:
        raise ValueError(f"{name} holds no samples: its shape is {array.shape}.")
    return as_floats(name, array, dtype)


def as_target(name: str, data: Any, dtype: str) -> Any:
    """Return targets as a finite array of `dtype`, 1-D as (N, 1). Class labels are whole numbers in it."""
    if isinstance(data, LazyArray):
        return lazy_floats(name, data, dtype)
    if isinstance(data, (list, tuple)) and len(data) == 1 and hasattr(data[0], "shape"):
        data = data[0]
    array = as_floats(name, as_numeric(name, data), dtype)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold a target for each sample, got a single number.")
    return array[:, None] if array.ndim == 1 else array


def as_sample_weight(name: str, data: Any, samples: int, dtype: str) -> Array:
    """Return sample weights (N,) or (N, timesteps) as a finite array of `dtype`."""
    array = as_floats(name, as_numeric(name, data), dtype)
    if array.ndim == 0 or len(array) != samples:
        raise ValueError(f"{name} must hold one weight for each of the {samples} samples, got shape {array.shape}.")
    return array


def split_off(data: Data, fraction: float) -> tuple[Data, Data]:
    """Cut the last part off for validation: rows floor(N * (1 - fraction)) and on."""
    samples = rows(data[0])
    at = math.floor(samples * (1 - fraction))
    if at in (0, samples):
        raise ValueError(
            f"fit: validation_split={fraction} of {samples} samples leaves nothing for "
            f"{'training' if at == 0 else 'validation'}."
        )

    def cut(places: slice) -> Data:
        x, y, w = (each(lambda part: None if part is None else part[places], part) for part in data)
        return x, y, w

    return cut(slice(at)), cut(slice(at, None))


def weighted_by_class(data: Data, class_weight: Mapping[int, float] | None) -> Data:
    """Return `data` with each sample's weight by its class: the label itself, or the place of the largest entry."""
    x, y, weight = data
    if class_weight is None:
        return data
    if weight is not None:
        raise ValueError("class_weight and sample_weight can't be given together.")
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight must be a dict of class to weight, got {class_weight!r}.")
    if isinstance(y, list):
        raise ValueError("class_weight is for models with one output; give sample_weight, a list of one for each.")
    y = np.asarray(y)
    labels = y.argmax(axis=-1) if y.shape[-1] > 1 else y[..., 0].round()
    if labels.ndim != 1:
        raise ValueError(f"class_weight needs one label a sample, got y of shape {y.shape}.")
    weights = {label: real("class_weight", f"the weight of {label!r}", w) for label, w in class_weight.items()}
    return x, y, np.array([weights.get(int(label), 1.0) for label in labels], y.dtype)


class Batches:
    """Arrays cut into batches, in order or shuffled; every batch is a contiguous view.

    Shuffled data is copied together block by block (about 4 MB each, a whole number of batches) into buffers that
    are allocated once, and the batches are views into them: faster than gathering batch by batch, and data larger
    than memory (a memmap, windows that are made when needed) streams through.

    Parameters
    ----------
    arrays : sequence of ndarray or LazyArray
        All of the same length N. Entries may be None and stay None in the batches.
    batch_size : int
    """

    def __init__(self, arrays: Sequence[Array | LazyArray | None], batch_size: int) -> None:
        self.arrays = arrays
        first = next(a for a in arrays if a is not None)
        self.samples = len(first)
        self.batch_size = batch_size
        self.count = -(-self.samples // batch_size)
        row_bytes = sum(a[:1].nbytes for a in arrays if a is not None)
        per_block = max(1, _BLOCK_BYTES // max(1, row_bytes * batch_size)) * batch_size
        self.block = min(per_block, self.samples)
        lazy = any(isinstance(a, LazyArray) for a in arrays)
        self.pool = min(_POOL, max(_CHUNKS, _POOL_BYTES // max(1, row_bytes))) if lazy else _POOL
        self._buffers: list[Array | None] | None = None
        self._made: dict[int, list[tuple[Array | None, ...]]] = {}

    def __iter__(self) -> Iterator[tuple[Array | None, ...]]:
        """Yield the batches in order."""
        for first in range(0, self.samples, self.block):
            # A view of an array; of lazy rows, a block of them.
            parts = [None if a is None else np.asarray(a[first : first + self.block]) for a in self.arrays]
            for start in range(0, min(self.block, self.samples - first), self.batch_size):
                stop = start + self.batch_size
                yield tuple(None if part is None else np.ascontiguousarray(part[start:stop]) for part in parts)
            self._release()

    def reshuffled(self, draws: np.random.Generator) -> Iterator[tuple[Array | None, ...]]:
        """Yield the batches in a new random order.

        Up to 2**20 samples, every order is equally likely. Of more, a permutation alone would fill the memory: the
        data is cut into chunks of 16,384 consecutive samples, and 64 chunks, drawn at random, are shuffled together
        at a time. A batch then mixes samples from 64 places, and a file is read in pieces, not at random. Lazy rows
        of more than 32 bytes are pooled in smaller chunks: 32 MB at a time.
        """
        if self.samples <= self.pool:
            yield from self.shuffled(draws.permutation(self.samples))
            return
        size = self.pool // _CHUNKS
        chunks = draws.permutation(-(-self.samples // size))
        rest = np.empty(0, np.int64)
        for i in range(0, len(chunks), _CHUNKS):
            starts = chunks[i : i + _CHUNKS] * size
            pool = (starts[:, None] + np.arange(size)).ravel()
            pool = np.concatenate([rest, pool[pool < self.samples]])  # the last chunk may be short
            draws.shuffle(pool)
            whole = len(pool) if i + _CHUNKS >= len(chunks) else len(pool) // self.batch_size * self.batch_size
            yield from self.shuffled(pool[:whole])
            rest = pool[whole:]  # no whole batch: it goes into the next pool

    def shuffled(self, order: Array) -> Iterator[tuple[Array | None, ...]]:
        """Yield the batches of the samples in this order, a permutation of range(N) or a part of one."""
        if self._buffers is None:
            self._buffers = [None if a is None else np.empty((self.block, *a.shape[1:]), a.dtype) for a in self.arrays]
        for start in range(0, len(order), self.block):
            rows = order[start : start + self.block]
            for array, buffer in zip(self.arrays, self._buffers, strict=True):
                if array is None or buffer is None:
                    continue
                if isinstance(array, LazyArray):
                    buffer[: len(rows)] = array.take(rows)
                elif array.flags.c_contiguous:
                    # mode="clip" lets take write straight into out; the indices are a permutation, so never clipped.
                    array.take(rows, 0, buffer[: len(rows)], mode="clip")
                else:  # windows that overlap in memory, say: take would copy all of them first
                    buffer[: len(rows)] = array[rows]
            yield from self._views(len(rows))
            self._release()

    def _release(self) -> None:
        for array in self.arrays:
            if isinstance(array, LazyArray):
                array.release()

    def _views(self, rows: int) -> list[tuple[Array | None, ...]]:
        """Return the batches in the first `rows` rows of the buffers, as views made once."""
        if rows not in self._made:
            self._made[rows] = [
                tuple(None if b is None else b[i : min(i + self.batch_size, rows)] for b in self._buffers or ())
                for i in range(0, rows, self.batch_size)
            ]
        return self._made[rows]
