"""A CSV file as a table fit to forecast: the columns that are asked for, rows labelled by time, no gaps.

What cannot be used is refused with its place, never repaired in silence: a missing value is the user's to fill.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnn_core.series.table import check_columns

if TYPE_CHECKING:
    import pandas as pd

COUNTED = "none"
"""As an index column: rows are just counted."""


def read_table(path: Path, target: str, inputs: Sequence[str] = (), index: str | None = None) -> pd.DataFrame:
    r"""Return the target and the inputs of a CSV file, rows labelled by its index column.

    Parameters
    ----------
    path : Path
        Columns separated by commas, semicolons or tabs; the first line names them.
    target : str
    inputs : sequence of str
    index : str, optional
        The column that labels the rows, or "none". By default the first column, if it is none of the others and
        holds dates or numbers in equal steps.

    Raises
    ------
    ValueError
        For unknown columns (with the nearest name), values that are missing or no numbers (with their line), a
        target that never changes, and rows that are not evenly spaced in time.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tank.csv"
    ...     _ = path.write_text("day,level\n2024-01-01,3.5\n2024-01-02,3.7\n2024-01-03,3.6\n")
    ...     table = read_table(path, "level")
    >>> table.shape, str(table.index[0].date())
    ((3, 1), '2024-01-01')
    """
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    separator = max(",;\t", key=header.count)
    try:
        raw = pd.read_csv(path, sep=separator, encoding="utf-8-sig", skipinitialspace=True, index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{path} is no table: {error}") from error
    raw.columns = raw.columns.astype(str)
    names = [target, *(name for name in inputs if name != target)]
    check_columns(str(path), names, list(raw.columns))
    numbers = pd.DataFrame({name: _numbers(raw[name], str(path)) for name in names})
    if not len(numbers):
        raise ValueError(f"{path} holds no rows.")
    if (numbers[target] == numbers[target].iloc[0]).all():
        raise ValueError(f"{path}: column {target!r} is {numbers[target].iloc[0]:g} in every row: nothing to forecast.")
    labels = _index(raw, names, index, str(path))
    return numbers if labels is None else numbers.set_axis(labels, axis="index")


def _numbers(column: pd.Series[Any], path: str) -> Any:
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = int(bad[0])
        what = "is empty" if pd.isna(column.iloc[row]) else f"holds {str(column.iloc[row])!r}, no finite number,"
        more = f" and in {len(bad) - 1} more" if len(bad) > 1 else ""
        raise ValueError(f"{path}: column {column.name!r} {what} in line {row + 2}{more}: fill or leave out such rows.")
    return values


def _index(raw: pd.DataFrame, names: Sequence[str], index: str | None, path: str) -> Any:
    """Return the labels of the rows, checked for gaps; None if they are just counted."""
    import pandas as pd

    if index == COUNTED:
        return None
    name = raw.columns[0] if index is None else index
    check_columns(path, [name], list(raw.columns))
    if index is None and name in names:
        return None
    column = raw[name]
    if column.isna().any():
        if index is None:
            return None
        raise ValueError(f"{path}: index column {name!r} is empty in line {int(np.flatnonzero(column.isna())[0]) + 2}.")
    if pd.api.types.is_numeric_dtype(column):
        steps = np.diff(column.to_numpy(np.float64))
        if index is None and len(steps) and not (steps > 0).all():
            return None  # a measurement, not a time
        usual = float(np.median(steps)) if len(steps) else 1.0
        _check_spacing(column, steps, usual, 1e-6 * abs(usual), path)
        return pd.Index(column, name=name)
    dates = _dates(column)
    if dates is None:
        if index is None:
            return None
        raise ValueError(f"{path}: index column {name!r} holds neither numbers nor dates such as 2024-01-31.")
    if len(dates) > 2 and dates.is_monotonic_increasing and dates.is_unique:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it returns is to change; both kinds will do
            dates.freq = pd.infer_freq(dates)
        if dates.freq is not None:  # days, months, working days, ...: no gap
            return dates
    steps = np.diff(dates.to_numpy()) / np.timedelta64(1, "s")
    usual = float(np.median(steps)) if len(steps) else 1.0
    _check_spacing(column, steps, usual, 0.5 * abs(usual), path)
    return dates


def _dates(column: pd.Series[Any]) -> Any:
    """Return ISO dates as an index, or None."""
    import pandas as pd

    try:
        return pd.DatetimeIndex(pd.to_datetime(column, format="ISO8601"), name=column.name)
    except (ValueError, TypeError):
        return None


def _check_spacing(column: pd.Series[Any], steps: Any, usual: float, tolerance: float, path: str) -> None:
    bad = np.flatnonzero((np.abs(steps - usual) > tolerance) | (steps <= 0))
    if len(bad):
        row = int(bad[0])
        what = "a gap" if steps[row] > usual else "too early"
        raise ValueError(
            f"{path}: {column.iloc[row + 1]} follows {column.iloc[row]} in line {row + 3}: {what}, where rows come at "
            f"equal steps otherwise. Fill it in, or count rows with --index {COUNTED}."
        )


def span_rows(table: pd.DataFrame, text: str) -> tuple[int, int]:
    """Return the first row of a span and the row after its last; both ends belong to it.

    Parameters
    ----------
    table : DataFrame
    text : str
        "1921-1955", or "2024-01-01..2024-03-31" of labels; a fraction such as "0.2" is the last part of all rows.

    Examples
    --------
    >>> from rnn_core.series import sunspots
    >>> span_rows(sunspots().to_frame(), "1921-1955"), span_rows(sunspots().to_frame(), "0.1")
    ((221, 256), (278, 309))
    """
    rows = len(table)
    first, separator, last = text.partition("..") if ".." in text else text.partition("-")
    if not separator:
        try:
            fraction = float(text)
        except ValueError:
            fraction = 0.0
        if not 0 < fraction < 1:
            raise ValueError(f"expected a fraction such as 0.2, or a span such as 1921-1955, got {text!r}")
        return rows - max(1, round(fraction * rows)), rows
    start, stop = row_at(table, first), row_at(table, last, side="right")
    if not start < stop:
        raise ValueError(f"no row stands in {text!r}: the rows go from {table.index[0]} to {table.index[-1]}")
    return start, stop


def row_at(table: pd.DataFrame, label: str, side: Literal["left", "right"] = "left") -> int:
    """Return the first row at or after a label; with side "right", the one after it ("2024-03": after all of March)."""
    import pandas as pd

    value: Any = label
    try:
        if pd.api.types.is_numeric_dtype(table.index):
            value = float(label)
        return int(table.index.get_slice_bound(value, side))
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{label!r} is no label of the rows, which go from {table.index[0]} on") from None
