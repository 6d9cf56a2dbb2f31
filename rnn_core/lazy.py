"""Data that is made when a batch needs it: what ``fit``, ``evaluate`` and ``predict`` take in place of arrays."""

from __future__ import annotations

import math
import mmap
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ROWS_AT_ONCE = 1 << 16


class LazyArray:
    """An array of which only the rows that are asked for are made, such as windows over a series.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        Of the rows that are made.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes all rows together would take."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Self:
        """Return these rows, not yet made."""
        raise NotImplementedError

    def take(self, rows: Array) -> Array:
        """Make the rows of these numbers, shape (len(rows), ...)."""
        raise NotImplementedError

    def as_floats(self, name: str, dtype: str) -> Self:
        """Return the same rows as `dtype`; raise ValueError if one holds what is not finite in it."""
        raise NotImplementedError

    def release(self) -> None:
        """Give back the memory that reading took, where the rows come from a file."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("A LazyArray can't become an array without a copy: its rows are not there yet.")
        made = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for first in range(0, len(self), _ROWS_AT_ONCE):
            part = made[first : first + _ROWS_AT_ONCE]
            part[...] = self.take(np.arange(first, first + len(part)))
            self.release()
        return made


class Dataset:
    """Inputs with their targets in one object, so that ``model.fit(dataset)`` needs no y."""

    def arrays(self) -> tuple[LazyArray, LazyArray]:
        """Return inputs and targets, rows not yet made."""
        raise NotImplementedError


def release_pages(array: Array) -> None:
    """Give back the memory that reading a ``numpy.memmap`` took; do nothing for other arrays.

    Pages of a mapped file stay in the process until it runs short. They are only dropped from this process: what
    was written is kept, and another read finds them again.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.mode == "c":
            return  # copy-on-write: what was written exists nowhere else
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)
