"""Windows that are made when they are needed: which value of the table stands where, as one pattern of offsets."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.data import all_finite
from rnn_core.lazy import LazyArray, release_pages
from rnn_core.series.table import Table

Array = NDArray[Any]

_BLOCK_BYTES = 4 << 20


class WindowRows(LazyArray):
    """``rows[i, k, f] = table[starts[i] + offsets[k, f], columns[f]]``, reshaped and, if so wished, scaled.

    One pattern, moved over the table, gives inputs, lagged values and targets alike. Beyond the last row of the
    table its last row is repeated.

    Parameters
    ----------
    table : Table
    starts : range
        The row where each window begins.
    offsets : ndarray of int, shape (k, f)
    columns : ndarray of int, shape (f,)
    shape : tuple of int
        Of one row: k * f values.
    shift, scale : ndarray, shape (columns of the table,), optional
        Values enter as ``(value - shift) / scale``.
    """

    def __init__(
        self,
        table: Table,
        starts: range,
        offsets: Array,
        columns: Array,
        shape: tuple[int, ...],
        scaling: tuple[Array, Array] | None = None,
    ) -> None:
        self.table, self.starts, self.offsets, self.columns = table, starts, offsets, columns
        self.row_shape = shape
        self.scaling = scaling
        self.dtype = np.dtype(np.float64 if scaling or table.values.dtype.kind != "f" else table.values.dtype)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """(windows, ...)"""
        return (len(self.starts), *self.row_shape)

    def __getitem__(self, rows: slice) -> Self:
        some = copy.copy(self)
        some.starts = self.starts[rows]
        return some

    def take(self, rows: Array) -> Array:
        """Make the rows of these numbers."""
        starts = self.starts.start + self.starts.step * rows  # (n,)
        at = starts[:, None, None] + self.offsets  # (n, k, f)
        if self._last_row() >= len(self.table):
            np.minimum(at, len(self.table) - 1, out=at)
        table = self.table.values
        if table.flags.c_contiguous:  # the same, three times as fast
            at *= table.shape[1]
            at += self.columns
            values = table.reshape(-1).take(at)
        else:
            values = table[at, self.columns]  # (n, k, f)
        if self.scaling:
            shift, scale = self.scaling
            values = (values - shift[self.columns]) / scale[self.columns]
        return np.asarray(values.astype(self.dtype, copy=False).reshape(len(rows), *self.row_shape))

    def as_floats(self, name: str, dtype: str) -> Self:
        """Return the same rows as `dtype`, after a look at every value of the table that they hold."""
        floats = copy.copy(self)
        floats.dtype = np.dtype(dtype)
        values = self.table.values
        first, stop = self.starts[0] + int(self.offsets.min()), min(len(self.table), self._last_row() + 1)
        rows_in_block = max(1, _BLOCK_BYTES // max(1, values[:1].nbytes))
        with np.errstate(over="ignore"):
            for row in range(first, stop, rows_in_block):
                block = values[row : min(row + rows_in_block, stop)]
                if not all_finite(self._used(block).astype(dtype, copy=False)):
                    self._refuse(name, dtype, row, block)
                self.release()
        return floats

    def _used(self, block: Array) -> Array:
        used = np.unique(self.columns)
        return block if len(used) == block.shape[1] else block[:, used]

    def _refuse(self, name: str, dtype: str, row: int, block: Array) -> None:
        """Raise for a value that is not finite, if a window holds it: lags and targets take other rows than inputs."""
        begin, end = self.starts[0] + self.offsets.min(axis=0), self.starts[-1] + self.offsets.max(axis=0)
        for i, column in np.argwhere(~np.isfinite(block.astype(dtype, copy=False))):
            for f in np.flatnonzero(self.columns == column):
                if begin[f] <= row + i <= end[f]:
                    label = self.table.labels(np.array([row + i]))[0]
                    raise ValueError(
                        f"{name}: column {self.table.names[column]!r} is {block[i, column]} in row {label}, NaN, "
                        f"infinite or too large for {dtype}. Fill such rows, or leave them out, first."
                    )

    def _last_row(self) -> int:
        return self.starts[-1] + int(self.offsets.max())

    def release(self) -> None:
        """Give back the pages of a memmap that were read."""
        release_pages(self.table.values)
