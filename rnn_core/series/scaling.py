"""Scaling to a range near 1 and back, column by column, from what was seen in training only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks
from rnn_core.lazy import release_pages
from rnn_core.series.table import Name, Table, check_columns

if TYPE_CHECKING:
    from rnn_core.series.windows import Windows

Array = NDArray[Any]

_BLOCK_ROWS = 1 << 16


class Scaler:
    """``(value - shift) / scale`` for each column, and back.

        "standard"   shift = mean, scale = standard deviation
        "minmax"     shift = smallest, scale = largest - smallest: from 0 to 1

    A column that never changes is only shifted.

    Parameters
    ----------
    kind : {"standard", "minmax"}

    Attributes
    ----------
    names : list
        Columns that were there when it was fitted.
    shift, scale : ndarray, shape (len(names),)

    Examples
    --------
    Fit it on the training windows; it sees the rows that they hold and no other:

    >>> from rnn_core.series import Windows
    >>> train, test = Windows([1.0, 3.0, 1.0, 3.0, 99.0, 98.0], step=1).split(4)
    >>> scaler = Scaler().fit(train)
    >>> scaler.shift, scaler.scale
    (array([2.]), array([1.]))
    >>> train.scaled(scaler).targets[:, 0], test.scaled(scaler).targets[:, 0]
    (array([ 1., -1., 1.]), array([97., 96.]))
    >>> test.scaled(scaler).in_units([[97.0]])
    array([[99.]])
    """

    names: list[Name]
    shift: Array
    scale: Array

    def __init__(self, kind: Literal["standard", "minmax"] = "standard") -> None:
        self.kind = checks.one_of("Scaler", "kind", kind, ("standard", "minmax"))

    def fit(self, data: Windows | Any) -> Self:
        """Learn shift and scale from windows (the rows that they hold), a DataFrame, a Series or an array."""
        if hasattr(data, "rows_seen"):
            first, stop = data.rows_seen()
            names, values = list(data.table.names), data.table.values[first:stop]
        else:
            table = Table("Scaler.fit", data)
            names, values = table.names, table.values
        if not len(values):
            raise ValueError("Scaler.fit: data holds no rows.")
        if self.kind == "minmax":
            low, high = _low_and_high(values)
            self.shift, self.scale = low, high - low
        else:
            self.shift, self.scale = _mean_and_deviation(values)
        if not np.isfinite(self.scale).all():
            bad = [names[i] for i in np.flatnonzero(~np.isfinite(self.scale))]
            raise ValueError(f"Scaler.fit: columns {bad} hold NaN or infinity.")
        self.names = names
        self.scale[self.scale == 0] = 1
        return self

    def of(self, names: Sequence[Name]) -> tuple[Array, Array]:
        """Return shift and scale of these columns."""
        if not hasattr(self, "names"):
            raise ValueError("Scaler: call fit before it is used.")
        check_columns("Scaler", names, self.names)
        at = [self.names.index(name) for name in names]
        return self.shift[at], self.scale[at]

    def transform(self, data: Any) -> Any:
        """Return a DataFrame, a Series or an array, scaled; columns by name."""
        table = Table("Scaler.transform", data)
        shift, scale = self.of(table.names)
        return _like(data, (table.values - shift) / scale)

    def inverse_transform(self, data: Any) -> Any:
        """Return what was scaled in its own units again; columns by name."""
        table = Table("Scaler.inverse_transform", data)
        shift, scale = self.of(table.names)
        return _like(data, table.values * scale + shift)


def _mean_and_deviation(values: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of each column, in float64, block by block."""
    mean = sum(block.sum(axis=0) for block in _blocks(values)) / len(values)
    variance = sum(np.square(block - mean).sum(axis=0) for block in _blocks(values)) / len(values)
    return np.asarray(mean), np.sqrt(variance)


def _low_and_high(values: Array) -> tuple[Array, Array]:
    lows, highs = zip(*((block.min(axis=0), block.max(axis=0)) for block in _blocks(values)), strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _blocks(values: Array) -> Any:
    for first in range(0, len(values), _BLOCK_ROWS):
        yield values[first : first + _BLOCK_ROWS].astype(np.float64)
        release_pages(values)


def _like(data: Any, values: Array) -> Any:
    """Return `values` (rows, columns) in the form of `data`."""
    if not hasattr(data, "to_numpy"):
        return values.reshape(np.shape(data))
    import pandas as pd

    if data.ndim == 1:
        return pd.Series(values[:, 0], data.index, name=data.name)
    return pd.DataFrame(values, data.index, data.columns)
