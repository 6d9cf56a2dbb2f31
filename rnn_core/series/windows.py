"""From a table of measurements to what a network trains on: windows of `step` rows, each with its targets.

    rows          r0 r1 r2 r3 r4 r5 ...
    window 0     [r0 r1 r2 r3] -> r4        ahead=1: the target stands one row after the window
    window 1        [r1 r2 r3 r4] -> r5
    window 0     [r0 r1 r2 r3]              ahead=0: the target stands in the window's last row, beside its inputs
                           `-> target

A row is all inputs at one time: measured columns, then earlier values of the targets (`lags`). A window's layout is
what a layer reads:

    "stepx1"   (step, features)        `step` time steps of one row each: the hidden state carries from row to row
    "1xstep"   (1, step * features)    ONE time step of `step` rows, as the tutorial has it: the recurrence never runs
    "flat"     (step * features,)      for Dense layers
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks
from rnn_core.lazy import Dataset
from rnn_core.serialization import suggestion
from rnn_core.series.scaling import Scaler
from rnn_core.series.table import Name, Table, as_names
from rnn_core.series.window_rows import WindowRows

Array = NDArray[Any]
Layout = Literal["1xstep", "stepx1", "flat"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)[:2]
"""The layouts that a recurrent layer reads."""


class Windows(Dataset):
    """Windows over a table, each with its targets; made when needed, never all at once.

    ``model.fit(windows)``, ``model.evaluate(windows)`` and ``model.predict(windows)`` take them as they are. A
    ``numpy.memmap`` is read in pieces and never in memory as a whole.

    Parameters
    ----------
    data : array_like, shape (rows,) or (rows, columns), Series or DataFrame
        Oldest row first.
    step : int
        Rows in a window.
    targets : name or list of names, optional
        Columns to predict: names of a DataFrame's, numbers of an array's. A single column is its own target.
    inputs : name or list of names, optional
        Columns that a window holds. By default all; with ``ahead=0`` all but the targets, which are not known yet.
    lags : int or list of int
        Earlier values of each target that stand beside the inputs in each row: 2 gives o(t-1) and o(t-2).
    horizon : int
        How many rows in succession are predicted at once.
    ahead : int
        How many rows after the window's last one the first target stands: 1 the next row, 0 the same row.
    stride : int
        Rows from one window to the next.
    layout : {"stepx1", "1xstep", "flat"}
    pad : bool
        Repeat the last row `step` times, as the tutorial does, so that a series of one column has as many windows
        as rows. The targets of the last `step` windows are then repeats: see `measured`.
    start : int
        The number of the first row, for `positions`.

    Attributes
    ----------
    input_shape : tuple of int
        The shape of a window, for ``Input(windows.input_shape)``.
    outputs : int
        horizon * targets, for the last ``Dense(windows.outputs)``.
    feature_names : list of str
        What stands in a row, in order.
    inputs : ndarray, shape (n, *input_shape)
        Made when asked for: leave it to ``fit`` if the series is long.
    targets : ndarray, shape (n, outputs)
        ``[row 1: target 1, target 2, ..., row 2: target 1, ...]``, made when asked for.
    positions : ndarray of int, shape (n, horizon)
        The rows where the targets stand, so that a prediction can be drawn where it belongs.
    measured : ndarray of bool, shape (n,)
        False where padding repeated the last row to have a target: there is nothing to predict there.

    Raises
    ------
    ValueError
        For columns that are not there, bad numbers, or too few rows for one window.
    TypeError
        If the data are not real numbers.

    Examples
    --------
    Of one series, 2 values and the next:

    >>> windows = Windows([2.0, 3.0, 5.0, 7.0], step=2)
    >>> windows.inputs[:, :, 0], windows.targets[:, 0]
    (array([[2., 3.],
            [3., 5.]]), array([5., 7.]))

    Of 40 inputs instead of one:

    >>> import pandas as pd
    >>> frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 41)), columns=[*range(1, 41), "y"])
    >>> Windows(frame, step=12, inputs=list(range(1, 41)), targets="y").inputs.shape
    (188, 12, 40)

    Earlier outputs o1, o2 beside x1, x2, x3:

    >>> table = pd.DataFrame({"x1": [1, 2, 3, 4], "x2": [5, 6, 7, 8], "x3": [9, 9, 9, 9], "o": [10, 20, 30, 40]})
    >>> narx = Windows(table, step=1, targets="o", lags=2, ahead=0)
    >>> narx.feature_names
    ['x1', 'x2', 'x3', 'o(t-1)', 'o(t-2)']
    >>> narx.inputs[:, 0], narx.targets[:, 0]
    (array([[ 3.,  7.,  9., 20., 10.],
            [ 4.,  8.,  9., 30., 20.]]), array([30., 40.]))

    Several outputs and steps: the next 3 rows of 2 columns.

    >>> Windows(table, step=1, targets=["x1", "o"], horizon=3).targets
    array([[ 2., 20.,  3., 30.,  4., 40.]])

    Models take them as they are:

    >>> from rnn_core.layers import Dense, Input, SimpleRNN
    >>> from rnn_core.models import Sequential
    >>> train, test = Windows(frame, step=12, targets=["y", 1], horizon=3).split(0.8)
    >>> model = Sequential([Input(train.input_shape), SimpleRNN(8), Dense(train.outputs)])
    >>> model.compile(loss="mse", optimizer="rmsprop")
    >>> history = model.fit(train, validation_data=test, epochs=2, verbose=0)
    >>> test, model.predict(test).shape
    (<38 Windows (12, 41) -> 6 (y, 1)>, (38, 6))
    """

    def __init__(
        self,
        data: Any,
        step: int,
        *,
        targets: Any = None,
        inputs: Any = None,
        lags: int | Sequence[int] = 0,
        horizon: int = 1,
        ahead: int = 1,
        stride: int = 1,
        layout: Layout = "stepx1",
        pad: bool = False,
        start: int = 0,
    ) -> None:
        if layout not in get_args(Layout):
            raise ValueError(f"Windows: unknown layout {layout!r}.{suggestion(str(layout), get_args(Layout))}")
        self.step = checks.positive_int("Windows", "step", step)
        self.horizon = checks.positive_int("Windows", "horizon", horizon)
        self.ahead = checks.positive_int("Windows", "ahead", ahead, 0)
        self.stride = checks.positive_int("Windows", "stride", stride)
        self.start = checks.integer("Windows", "start", start)
        self.layout: Layout = layout
        self.lags = _checked_lags(lags)
        self.pad = checks.boolean("Windows", "pad", pad)
        self.scaler: Scaler | None = None
        self.input_names, self.target_names, wanted = _choose(data, inputs, targets, self.ahead)
        self.table = Table("Windows", data, wanted)
        if not self.input_names and not self.lags:
            raise ValueError("Windows: nothing to predict from: give inputs or lags.")
        self._limits = (0, len(self.table) + (self.step if pad else 0))
        self._set_up()
        if not len(self):
            raise ValueError(
                f"Windows: step {self.step}, ahead {self.ahead}, horizon {self.horizon} and lags of up to {self.reach} "
                f"need at least {self.first_target + self.horizon} rows, got {len(self.table)}."
            )

    def _set_up(self) -> None:
        """Work out the pattern of a window, and which windows there are within the limits."""
        self.reach = max(self.lags, default=0)
        self.first_target = self.reach + self.step - 1 + self.ahead  # of window 0, in rows of the table
        low, high = self._limits  # where targets may stand
        first = max(0, -(-(low - self.first_target) // self.stride))
        stop = max(first, (high - self.horizon - self.first_target) // self.stride + 1)
        self._starts = range(self.reach + first * self.stride, self.reach + stop * self.stride, self.stride)
        inputs = self.table.columns("Windows: inputs", self.input_names)
        targets = self.table.columns("Windows: targets", self.target_names)
        # A row's features: each a column, and how many rows earlier.
        self.columns = np.concatenate([inputs, np.repeat(targets, len(self.lags))])  # (features,)
        delays = np.array([0] * len(inputs) + list(self.lags) * len(targets))
        self.offsets = np.arange(self.step)[:, None] - delays  # (step, features)
        self.target_columns = targets
        lagged = [f"{name}(t-{lag})" for name in self.target_names for lag in self.lags]
        self.feature_names = [str(name) for name in self.input_names] + lagged
        features = len(self.columns)
        self.input_shape: tuple[int, ...] = {
            "stepx1": (self.step, features),
            "1xstep": (1, self.step * features),
            "flat": (self.step * features,),
        }[self.layout]
        self.outputs = self.horizon * len(targets)

    def __len__(self) -> int:
        return len(self._starts)

    def __repr__(self) -> str:
        what = ", ".join(map(str, self.target_names))
        return f"<{len(self):,} Windows {self.input_shape} -> {self.outputs} ({what})>"

    # What stands in them.

    def arrays(self) -> tuple[WindowRows, WindowRows]:
        """Return inputs and targets, not yet made: what ``fit``, ``evaluate`` and ``predict`` read batch by batch."""
        scaling = None if self.scaler is None else self.scaler.of(self.table.names)
        after = np.arange(self.horizon)[:, None] + (self.step - 1 + self.ahead)  # (horizon, 1)
        offsets = np.repeat(after, len(self.target_columns), axis=1)
        return (
            WindowRows(self.table, self._starts, self.offsets, self.columns, self.input_shape, scaling),
            WindowRows(self.table, self._starts, offsets, self.target_columns, (self.outputs,), scaling),
        )

    @property
    def inputs(self) -> Array:
        """All windows, shape (n, *input_shape)."""
        return np.asarray(self.arrays()[0])

    @property
    def targets(self) -> Array:
        """All targets, shape (n, outputs)."""
        return np.asarray(self.arrays()[1])

    @property
    def target_rows(self) -> Array:
        """The rows of the table where the targets stand, shape (n, horizon); repeats stand behind its end."""
        return (np.array(self._starts) + self.step - 1 + self.ahead)[:, None] + np.arange(self.horizon)

    @property
    def end(self) -> int:
        """The first row after those in which targets may stand: where a forecast begins."""
        return min(self._limits[1], len(self.table))

    @property
    def positions(self) -> Array:
        """The rows where the targets stand, shape (n, horizon); a repeat stands where the last row does."""
        return np.minimum(self.target_rows, len(self.table) - 1) + self.start

    @property
    def measured(self) -> Array:
        """Whether no target of a window is a repeat, shape (n,)."""
        return np.asarray((self.target_rows < len(self.table)).all(axis=1))

    # The same windows otherwise.

    def _with(self, **changes: Any) -> Self:
        other = copy.copy(self)
        other.__dict__.update(changes)
        other._set_up()
        return other

    def replace(self, *, step: int | None = None, horizon: int | None = None) -> Self:
        """Return windows of another length or horizon, with targets within the same rows.

        Examples
        --------
        >>> Windows(np.arange(10.0), step=3).replace(horizon=2)
        <6 Windows (3, 1) -> 2 (0)>
        """
        return self._with(
            step=self.step if step is None else checks.positive_int("replace", "step", step),
            horizon=self.horizon if horizon is None else checks.positive_int("replace", "horizon", horizon),
        )

    def between(self, first: int, stop: int) -> Self:
        """Return the windows with all targets in rows `first` .. `stop` - 1."""
        low, high = self._limits
        return self._with(_limits=(max(low, first), min(high, stop)))

    def row_by_row(self) -> Self:
        """Return windows of one row, one for each row from the table's first on: what a stateful model reads."""
        return self._with(step=1, stride=1, _limits=(0, self.end))

    def without_padding(self) -> Self:
        """Return the windows whose targets were measured."""
        return self.between(0, len(self.table))

    def on(self, data: Any) -> Self:
        """Return the same windows, scaling included, over another table with the same columns.

        Examples
        --------
        >>> Windows(np.arange(10.0), step=3).on(np.arange(100.0))
        <97 Windows (3, 1) -> 1 (0)>
        """
        table = Table("Windows.on", data, self.table.names)
        return self._with(table=table, _limits=(0, len(table) + (self.step if self.pad else 0)))

    def split(self, *at: Any) -> list[Self]:
        """Cut into parts in time that share no target.

        Each part holds the windows whose targets all stand in its rows. Those whose targets stand on both sides of
        a cut are in neither part. The inputs of a later part's first windows reach back over the cut: by then they
        are the past. No input of an earlier part reaches forward over one.

        Parameters
        ----------
        *at : float, int or label
            Where each later part begins: a part of all rows (0.8), a row number, or with a pandas index the label
            of the part's first row (1921, "2024-01-01").

        Returns
        -------
        list of Windows
            One more than cuts.

        Examples
        --------
        >>> train, validation, test = Windows(np.arange(10.0), step=2).split(0.6, 0.8)
        >>> [part.positions[:, 0].tolist() for part in (train, validation, test)]
        [[2, 3, 4, 5], [6, 7], [8, 9]]
        """
        if not at:
            raise ValueError("split: where? Give at least one cut, such as 0.8.")
        low, high = self._limits
        rows = [low, *(self.row_of(cut) for cut in at), high]
        if sorted(rows) != rows:
            raise ValueError(f"split: cuts must come in order and within the rows {low} .. {high}, got {at}.")
        parts = []
        for first, stop in pairwise(rows):
            parts.append(self.between(first, stop))
            if not len(parts[-1]):
                raise ValueError(f"split: rows {first} .. {stop - 1} hold no whole window of {self!r}.")
        return parts

    def row_of(self, cut: Any) -> int:
        """Return the row of a cut, as `split` takes it."""
        if isinstance(cut, (float, np.floating)) and 0 < cut < 1:
            low, high = self._limits
            return low + round(float(cut) * (high - low))
        return self.table.row("split", cut)

    # Units.

    def scaled(self, scaler: Scaler) -> Self:
        """Return the same windows with every value scaled; the table stays as it is."""
        scaler.of(self.table.names)  # refuses what it does not know
        return self._with(scaler=scaler)

    def in_units(self, outputs: Array) -> Array:
        """Return outputs of a model, or targets, shape (n, outputs), in the units of the data."""
        outputs = np.asarray(outputs)
        if outputs.shape[1:] != (self.outputs,):
            raise ValueError(f"in_units: expected shape (n, {self.outputs}), got {outputs.shape}.")
        if self.scaler is None:
            return outputs
        shift, scale = self.scaler.of(self.target_names)
        return np.asarray(outputs * np.tile(scale, self.horizon) + np.tile(shift, self.horizon))

    def rows_seen(self) -> tuple[int, int]:
        """Return the first row that any of the windows holds, as input or target, and the one after the last."""
        last_target = self._starts[-1] + self.step - 2 + self.ahead + self.horizon
        return self._starts[0] - self.reach, min(len(self.table), last_target + 1)


def _checked_lags(lags: Any) -> tuple[int, ...]:
    if isinstance(lags, (int, np.integer)) and not isinstance(lags, bool):
        return tuple(range(1, checks.positive_int("Windows", "lags", lags, 0) + 1))
    if not isinstance(lags, (list, tuple, range)) or len(set(lags)) != len(lags):
        raise ValueError(f"Windows: lags must be a number or a list of different numbers, got {lags!r}.")
    return tuple(checks.positive_int("Windows", "every lag", lag) for lag in lags)


def _choose(data: Any, inputs: Any, targets: Any, ahead: int) -> tuple[list[Name], list[Name], list[Name] | None]:
    """Return the names of inputs and targets, and of a DataFrame's columns that are needed."""
    known: list[Name]
    if getattr(data, "ndim", None) == 2 and hasattr(data, "columns"):
        known = list(data.columns)
    elif hasattr(data, "to_numpy"):
        known = [0 if data.name is None else data.name]
    else:
        shape = np.shape(data)
        known = list(range(shape[1])) if len(shape) == 2 else [0]
    if targets is None:
        if len(known) > 1:
            raise ValueError(f"Windows: data has {len(known)} columns: say which are targets.")
        targets = known
    targets = as_names(targets)
    if not targets:
        raise ValueError("Windows: targets must name at least one column.")
    if inputs is None:
        inputs = [name for name in known if ahead > 0 or name not in targets]
    inputs = as_names(inputs)
    is_frame = getattr(data, "ndim", None) == 2 and hasattr(data, "columns")
    return inputs, targets, [*inputs, *targets] if is_frame else None
