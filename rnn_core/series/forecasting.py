"""From one step to many: a model that is run on its own predictions.

    open loop     x(t), o(t-1), o(t-2) -> o'(t)     the true past outputs: how a model is trained, `model.predict`
    closed loop   x(t), o'(t-1), o'(t-2) -> o'(t)   its own, from the first step on: `predict_ahead`, `forecast`

A model with a horizon of H predicts H rows at once; the closed loop then goes on H rows later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks
from rnn_core.data import all_finite
from rnn_core.models import Sequential
from rnn_core.series.baselines import Baseline
from rnn_core.series.table import Table
from rnn_core.series.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_ORIGINS_AT_ONCE = 1024


class Predicts(Protocol):
    """A model, a :class:`LinearAutoregression`, or whatever else predicts outputs (n, outputs) from inputs."""

    def predict(self, x: Any) -> Any:
        """Return the outputs."""
        ...


def predict_ahead(model: Predicts, windows: Windows, steps: int) -> Array:
    """Predict `steps` rows from every window on, the model fed with its own outputs.

    From each window on everything is known up to the row before its first target. What the model needs of later
    targets are its own predictions; other columns are read from the table, as measured.

    Parameters
    ----------
    model : Model, LinearAutoregression or Baseline
    windows : Windows
        As those that it was trained on, scaling included. Only windows with `steps` rows of targets within their
        part are used: those of ``windows.replace(horizon=steps)``, whose targets are what this predicts.
    steps : int

    Returns
    -------
    ndarray, shape (n, steps, targets)
        In the units of the data.

    Raises
    ------
    ValueError
        Where a window holds its own target (`ahead` 0 and the target among the inputs), or a model whose target
        stands further than one row ahead would have to skip rows; for stateful models, which go one way only.

    Examples
    --------
    >>> from rnn_core.series import LinearAutoregression
    >>> doubling = Windows([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], step=1)
    >>> line = LinearAutoregression().fit(doubling)
    >>> predict_ahead(line, doubling, steps=3)[:, :, 0].round(6)
    array([[ 2.,  4.,  8.],
           [ 4.,  8., 16.],
           [ 8., 16., 32.]])
    """
    steps = checks.positive_int("predict_ahead", "steps", steps)
    _check_predicts("predict_ahead", model)
    windows = windows.without_padding()
    wide = windows.replace(horizon=steps)
    if not len(wide):
        raise ValueError(f"predict_ahead: none of {windows!r} has {steps} rows of targets in its part.")
    targets = len(windows.target_names)
    if isinstance(model, Baseline):
        return wide.in_units(model.predict(wide)).reshape(len(wide), steps, targets)
    if is_stateful(model):
        raise ValueError("predict_ahead: a stateful model goes one way through time: use forecast, origin by origin.")
    _check_loop("predict_ahead", windows, steps)
    predicted = np.empty((len(wide), steps, targets))
    for i in range(0, len(wide), _ORIGINS_AT_ONCE):
        first = wide.target_rows[i : i + _ORIGINS_AT_ONCE, 0] - windows.first_target  # (n,)
        values = windows.table.values[first[:, None] + np.arange(windows.first_target + steps)]  # (n, rows, columns)
        predicted[i : i + len(first)] = _closed_loop(model, windows, values, steps)
    return predicted


def forecast(model: Predicts, history: Windows, steps: int, future_inputs: Any = None) -> pd.DataFrame:
    """Predict the `steps` rows after a history, the model fed with its own outputs.

    Parameters
    ----------
    model : Model or LinearAutoregression
        A stateful model is first run over the whole history, row by row from a zero state, with the true outputs;
        the state after it is where the forecast starts. Its windows have one row: see :func:`stateful_twin`.
    history : Windows
        As those that the model was trained on, scaling included; ``trained_on.on(newer_table)`` for newer data. The
        forecast starts in the row after the last that their targets may stand in.
    steps : int
    future_inputs : DataFrame or array_like, shape (steps, inputs that are no targets), optional
        What will be measured in these rows. With ``ahead=1`` the last row is not needed.

    Returns
    -------
    pandas.DataFrame, shape (steps, targets)
        In the units of the data; labels continue those of the history.

    Examples
    --------
    A series goes on:

    >>> from rnn_core.series import LinearAutoregression
    >>> doubling = Windows([1.0, 2.0, 4.0, 8.0], step=1)
    >>> forecast(LinearAutoregression().fit(doubling), doubling, steps=3).round(6)
          0
    4  16.0
    5  32.0
    6  64.0

    Outputs o1, o2 fed back beside a measured x, here o(t) = x(t) + o(t-1) - o(t-2):

    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [0.0, 1, 0, 2, 0, 1, 1, 0], "o": [1.0, 2, 1, 1, 0, 0, 1, 1]})
    >>> narx = Windows(table, step=1, targets="o", lags=2, ahead=0)
    >>> forecast(LinearAutoregression().fit(narx), narx, steps=3, future_inputs=[2, 0, 0]).round(6)
          o
    8   2.0
    9   1.0
    10 -1.0
    """
    import pandas as pd

    steps = checks.positive_int("forecast", "steps", steps)
    _check_predicts("forecast", model)
    if isinstance(model, Baseline):
        raise TypeError(f"forecast: {type(model).__name__} predicts windows: use predict_ahead.")
    state_carries = is_stateful(model)
    if state_carries:
        _check_single_step(model)
        history = history.row_by_row()
    _check_loop("forecast", history, steps)
    end = history.end
    begin = end - history.first_target
    if begin < 0:
        raise ValueError(f"forecast: {history!r} needs {history.first_target} rows of history, got {end}.")
    names = history.table.names
    known = history.table.values[begin:end]
    values = np.full((1, len(known) + steps, len(names)), np.nan)
    values[0, : len(known)] = known
    exogenous = [name for name in history.input_names if name not in history.target_names]
    if exogenous:
        measured = _future(exogenous, future_inputs, steps, needed=steps - history.ahead)
        values[0, len(known) : len(known) + len(measured), history.table.columns("forecast", exogenous)] = measured.T
    elif future_inputs is not None:
        raise ValueError("forecast: future_inputs are given, but the windows have no inputs besides their targets.")
    if state_carries:
        _warm_up(model, history)
    predicted = _closed_loop(model, history, values, steps)[0]
    return pd.DataFrame(predicted, history.table.labels_after(end, steps), history.target_names)


def stateful_twin(model: Sequential) -> Sequential:
    """Return a model with the same weights that carries its state from row to row: batches of one window of one row.

    Train on windows, where the whole batch is computed together; forecast with the twin, which takes in each row of
    the history once, however long it is, and then each of its own predictions.

    Parameters
    ----------
    model : Sequential
        Built, with inputs (batch, timesteps, features). Its last recurrent layer hands on the last step alone.

    Raises
    ------
    TypeError
        If the model is no Sequential.
    ValueError
        If it is not built so, or a layer reads a window from its end: that needs rows which have not come yet.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input, SimpleRNN
    >>> model = Sequential([Input((12, 3)), SimpleRNN(8), Dense(1)])
    >>> twin = stateful_twin(model)
    >>> twin.input_shape, twin.layers[0].stateful
    ((1, 1, 3), True)
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"stateful_twin: model must be a Sequential, got {type(model).__name__}.")
    if not model.built or model.input_shape is None or len(model.input_shape) != 3:
        raise ValueError("stateful_twin: the model must be built for inputs (batch, timesteps, features).")
    from rnn_core.layers import Bidirectional, Input

    recurrent: list[Any] = [layer for layer in model.layers if hasattr(layer, "stateful")]
    if not recurrent or recurrent[-1].return_sequences:
        raise ValueError("stateful_twin: the model needs a recurrent layer, the last with return_sequences=False.")
    for layer in recurrent:
        if isinstance(layer, Bidirectional) or layer.go_backwards:
            raise ValueError(f"stateful_twin: layer {layer.name!r} reads a window from its end, so it cannot go on.")
    layers: list[Any] = [Input(batch_shape=(1, 1, model.input_shape[2]), dtype=model.dtype)]
    for layer in model.layers:
        config = layer.get_config()
        layers.append(type(layer).from_config({**config, "stateful": True} if layer in recurrent else config))
    twin = Sequential(layers)
    twin.set_weights(model.get_weights())
    return twin


def is_stateful(model: Any) -> bool:
    """Whether a layer of the model carries its state from batch to batch."""
    return any(getattr(layer, "stateful", False) for layer in getattr(model, "layers", ()))


def _closed_loop(model: Predicts, windows: Windows, values: Array, steps: int) -> Array:
    """Return predictions (n, steps, targets), in the units of the data.

    `values` (n, rows, columns) are n stretches of the table in its units; all targets from row `first_target` on
    are to be predicted.
    """
    first, horizon, columns = windows.first_target, windows.horizon, windows.target_columns
    shift, scale = (0.0, 1.0) if windows.scaler is None else windows.scaler.of(windows.table.names)
    values = (values - shift) / scale
    values[:, first:, columns] = np.nan  # not known: nothing may be computed from it
    for step in range(0, steps, horizon):
        x = values[:, windows.reach + windows.offsets + step, windows.columns]  # (n, step, features)
        y = np.asarray(model.predict(x.reshape(len(x), *windows.input_shape)))
        if y.shape != (len(x), windows.outputs):
            raise ValueError(f"The model must predict shape {(len(x), windows.outputs)}, got {y.shape}.")
        known = min(horizon, steps - step)
        values[:, first + step : first + step + known, columns] = y.reshape(len(x), horizon, -1)[:, :known]
    target_shift, target_scale = (0.0, 1.0) if windows.scaler is None else windows.scaler.of(windows.target_names)
    predicted: Array = values[:, first : first + steps, columns] * target_scale + target_shift
    return predicted


def _check_predicts(owner: str, model: Any) -> None:
    if not callable(getattr(model, "predict", None)):
        raise TypeError(f"{owner}: model must have a method predict, got {type(model).__name__}.")


def _check_loop(owner: str, windows: Windows, steps: int) -> None:
    if windows.ahead == 0 and set(windows.input_names) & set(windows.target_names):
        raise ValueError(
            f"{owner}: with ahead=0 the windows of inputs {windows.input_names} hold what is to be predicted; "
            "leave the targets out of the inputs and give lags."
        )
    if windows.ahead > 1 and steps > windows.horizon:
        raise ValueError(
            f"{owner}: with ahead={windows.ahead} the rows between are never predicted, so only {windows.horizon} "
            f"steps are possible, got {steps}; cut windows with ahead=1."
        )


def _check_single_step(model: Any) -> None:
    if model.input_shape is None or model.input_shape[:2] != (1, 1):
        raise ValueError(
            f"forecast: a stateful model must take one row at a time, shape (1, 1, features), got {model.input_shape}: "
            "see stateful_twin."
        )


def _warm_up(model: Any, history: Windows) -> None:
    """Run a stateful model over the history, from a zero state."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()
    if len(history):
        model.predict(history, batch_size=1, verbose=0)


def _future(names: list[Any], future_inputs: Any, steps: int, needed: int) -> Array:
    """Return the future inputs, shape (at least `needed`, len(names))."""
    what = f"{needed} to {steps}" if needed < steps else f"{steps}"
    if future_inputs is None:
        if needed == 0:
            return np.empty((0, len(names)))
        raise ValueError(f"forecast: future_inputs are missing: {what} rows of {names}.")
    table = Table("forecast: future_inputs", future_inputs)
    if hasattr(future_inputs, "columns"):
        values = table.values[:, table.columns("forecast: future_inputs", names)]
    else:
        values = table.values
    if values.shape[1] != len(names) or not needed <= len(values) <= steps:
        raise ValueError(f"forecast: future_inputs must be {what} rows of {names}, got shape {values.shape}.")
    if not all_finite(values):
        raise ValueError(f"forecast: future_inputs {names} hold NaN or infinity.")
    return values
