"""A table of measurements as one array with named columns: what Series, DataFrames and arrays all become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.data import as_numeric
from rnn_core.serialization import suggestion

Array = NDArray[Any]
Name = Any
"""A column's name: of a DataFrame as it is there, of an array its number."""


class Table:
    """Measurements in rows, oldest first, one column a quantity.

    Attributes
    ----------
    values : ndarray, shape (rows, columns)
        A view of an array that was given; of a DataFrame, the columns that were asked for.
    names : list
        The columns' names.
    index : pandas.Index or None
        The rows' labels; None if they are just counted.

    Examples
    --------
    >>> table = Table("example", [[2.0, 3.0], [3.0, 4.0]])
    >>> table.values.shape, table.names
    ((2, 2), [0, 1])
    """

    def __init__(self, owner: str, data: Any, columns: Sequence[Name] | None = None) -> None:
        self.index: Any = None
        if hasattr(data, "to_numpy"):
            self.index = data.index
            if data.ndim == 2:
                known = list(data.columns)
                self.names = known if columns is None else list(dict.fromkeys(columns))
                check_columns(owner, self.names, known)
                data = data[self.names]
            else:
                self.names = [0 if data.name is None else data.name]
        values = as_numeric(f"{owner}: data", data)
        if values.ndim not in (1, 2):
            raise ValueError(f"{owner}: data must have shape (rows,) or (rows, columns), got {values.shape}.")
        if values.dtype.kind == "b":
            raise TypeError(f"{owner}: data must be real numbers, got {values.dtype}.")
        self.values: Array = values[:, None] if values.ndim == 1 else values
        if not hasattr(self, "names"):
            self.names = list(range(self.values.shape[1]))
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"{owner}: data has columns of the same name: {self.names}.")

    def __len__(self) -> int:
        return len(self.values)

    def columns(self, owner: str, names: Sequence[Name]) -> Array:
        """Return where these columns stand, shape (len(names),)."""
        check_columns(owner, names, self.names)
        return np.array([self.names.index(name) for name in names], np.intp)

    def labels(self, rows: Array) -> Any:
        """Return the labels of these rows: of the index, or the row numbers themselves."""
        return rows if self.index is None else self.index.take(rows.ravel()).to_numpy().reshape(rows.shape)

    def row(self, owner: str, label: Any) -> int:
        """Return the row of a label, or of the first one after it; without an index, a row number."""
        if self.index is None:
            if not isinstance(label, (int, np.integer)) or isinstance(label, bool):
                raise ValueError(f"{owner}: a row number is needed where data has no index, got {label!r}.")
            return int(label)
        if not self.index.is_monotonic_increasing:
            raise ValueError(f"{owner}: the index of data must increase: sort the rows by time first.")
        try:
            return int(self.index.searchsorted(label))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{owner}: {label!r} is no label of the index, which is {self.index.dtype}.") from error

    def labels_after(self, row: int, steps: int) -> Any:
        """Return the labels of `steps` rows from `row` on, which may lie behind the table's end."""
        if self.index is None:
            return np.arange(row, row + steps)
        known = self.index[row : row + steps]
        missing = steps - len(known)
        if not missing:
            return known
        last, interval = self.index[-1], self.index[-1] - self.index[-2] if len(self) > 1 else 1
        if getattr(self.index, "freq", None) is not None:
            interval = self.index.freq
        after = [last + interval * (i + 1) for i in range(missing)]
        return known.append(type(self.index)(after)) if len(known) else _index(after)


def _index(labels: list[Any]) -> Any:
    import pandas as pd

    return pd.Index(labels)


def as_names(argument: Any) -> list[Name]:
    """Return one name, or a sequence of them, as a list."""
    if isinstance(argument, (list, range, np.ndarray)) or hasattr(argument, "to_list"):
        return list(argument)
    return [argument]


def check_columns(owner: str, names: Sequence[Name], known: Sequence[Name]) -> None:
    """Refuse names that are none of the columns, and names given twice."""
    for name in names:
        if name not in known:
            hint = suggestion(str(name), map(str, known))
            raise ValueError(f"{owner}: data has no column {name!r}.{hint}")
    if len(set(names)) != len(names):
        raise ValueError(f"{owner}: a column is named twice in {list(names)}.")
