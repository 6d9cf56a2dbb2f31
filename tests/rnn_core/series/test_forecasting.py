"""A closed loop is a loop by hand, and exact where the system is linear; the state is handed over from the history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rnn_core.layers import RNN, Bidirectional, Dense, Input, JordanRNN, SimpleRNN, SimpleRNNCell
from rnn_core.models import Model, Sequential
from rnn_core.series import (
    LinearAutoregression,
    Persistence,
    Scaler,
    Windows,
    forecast,
    predict_ahead,
    stateful_twin,
)

ROWS = 60


def readers_table(rows=ROWS):
    """x1..x3 measured; o(t) = 0.5 o(t-1) - 0.3 o(t-2) + x1(t) - 2 x2(t) + 0.1 x3(t) + 1."""
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 3)), columns=["x1", "x2", "x3"])
    o = [0.2, -0.4]
    for t in range(2, rows):
        o.append(0.5 * o[-1] - 0.3 * o[-2] + table.x1[t] - 2 * table.x2[t] + 0.1 * table.x3[t] + 1)
    return table.assign(o=o)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_linear_system_is_predicted_exactly_however_far(scaled):
    table = readers_table()
    windows = Windows(table[:40], step=1, targets="o", lags=2, ahead=0)
    assert windows.feature_names == ["x1", "x2", "x3", "o(t-1)", "o(t-2)"]
    if scaled:
        windows = windows.scaled(Scaler().fit(windows))
    line = LinearAutoregression().fit(windows)
    future = forecast(line, windows, steps=20, future_inputs=table[["x3", "x1", "x2"]][40:])
    np.testing.assert_allclose(future["o"], table["o"][40:], atol=1e-9)
    assert list(future.index) == list(range(40, 60))
    everything = windows.on(table)
    ahead = predict_ahead(line, everything, steps=7)
    np.testing.assert_allclose(ahead[:, :, 0], everything.in_units(everything.targets)[:, 0][
        np.arange(len(ahead))[:, None] + np.arange(7)], atol=1e-9)  # fmt: skip


def network(windows):
    model = Sequential([Input(windows.input_shape), SimpleRNN(5), Dense(windows.outputs)])
    draws = np.random.default_rng(3)
    model.set_weights([draws.normal(0, 0.5, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("step", [1, 4])
def test_the_closed_loop_is_the_loop_by_hand(step):
    """x1..x3 as measured, o1 and o2 the model's own outputs; two outputs at once would go the same way."""
    table = readers_table()
    windows = Windows(table[:50], step=step, targets="o", lags=2, ahead=0)
    model = network(windows)
    o = list(table["o"][:50])
    x = table[["x1", "x2", "x3"]].to_numpy()
    for t in range(50, 60):
        window = [[*x[row], o[row - 1], o[row - 2]] for row in range(t - step + 1, t + 1)]
        o.append(float(model.predict(np.array([window]), verbose=0)[0, 0]))
    found = forecast(model, windows, steps=10, future_inputs=x[50:])
    np.testing.assert_allclose(found["o"], o[50:], rtol=1e-6)


def test_several_outputs_and_steps_in_blocks():
    table = readers_table()[["x1", "o"]]
    windows = Windows(table, step=3, targets=["x1", "o"], horizon=2)
    model = network(windows)
    known = table.to_numpy().tolist()
    for _ in range(3):
        both = model.predict(np.array([known[-3:]]), verbose=0)[0]
        known += both.reshape(2, 2).tolist()
    found = forecast(model, windows, steps=5)
    assert list(found.columns) == ["x1", "o"]
    np.testing.assert_allclose(found, known[ROWS : ROWS + 5], rtol=1e-5)


def test_every_origin_is_a_forecast_of_its_own():
    table = readers_table()
    windows = Windows(table, step=2, targets="o", lags=1, ahead=0)
    model = network(windows)
    _, test = windows.split(40)
    ahead = predict_ahead(model, test, steps=5)
    assert ahead.shape == (16, 5, 1)
    for i in (0, 7, 15):
        end = 40 + i
        one = forecast(model, windows.on(table[:end]), 5, table[["x1", "x2", "x3"]][end : end + 5])
        np.testing.assert_allclose(ahead[i], one, rtol=1e-5)
    np.testing.assert_allclose(predict_ahead(model, test, 1)[:, :, 0], model.predict(test, verbose=0), rtol=1e-6)
    last = predict_ahead(Persistence(), test, 3)[:, :, 0]
    np.testing.assert_array_equal(last, np.repeat(table["o"].to_numpy()[39:57, None], 3, axis=1))


def test_nothing_of_the_future_enters_a_forecast():
    table = readers_table()
    other = table.copy()
    other.loc[40:, "o"] = 1e6
    found = []
    for version in (table, other):
        windows = Windows(version, step=2, targets="o", lags=2, ahead=0)
        found.append(predict_ahead(network(windows), windows.between(40, 60), 20)[0])
    np.testing.assert_array_equal(*found)
    assert np.isfinite(found[0]).all()


@pytest.mark.parametrize("scaled", [False, True])
def test_the_state_is_handed_over_from_the_history(scaled):
    """The twin reads each row of the history once, then its own outputs: by hand, h = tanh(x K + h U + b)."""
    series = np.sin(np.arange(9) / 3)  # so short that the state before it would show
    windows = Windows(series, step=6)
    shift, scale = 0.0, 1.0
    if scaled:
        windows = windows.scaled(Scaler().fit(windows))
        shift, scale = float(series.mean()), float(series.std())
    model = network(windows)
    kernel, recurrent_kernel, bias, out, out_bias = model.get_weights()
    h, expected = np.zeros(5), []
    inputs = list((series - shift) / scale)
    for t in range(15):
        h = np.tanh(inputs[t] * kernel[0] + h @ recurrent_kernel + bias)
        if t >= 8:
            expected.append(float(h @ out[:, 0] + out_bias[0]))
            inputs.append(expected[-1])
    twin = stateful_twin(model)
    for _ in range(2):  # a second forecast starts from the same state
        found = forecast(twin, windows, steps=7)[0]
        np.testing.assert_allclose(found, np.array(expected) * scale + shift, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="a stateful model goes one way"):
        predict_ahead(twin, windows, 2)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [JordanRNN(4, 1, "tanh", decay=0.6)],
        lambda: [SimpleRNN(3, return_sequences=True), SimpleRNN(4), Dense(1)],
        lambda: [RNN(SimpleRNNCell(3)), Dense(1)],
    ],
)
def test_the_state_of_every_recurrent_layer_is_handed_over(layers):
    """A window as long as history and forecast together gives what the twin gives from its state."""
    series = np.sin(np.arange(12) / 3)
    windows = Windows(series, step=6)
    model = Sequential([Input(windows.input_shape), *layers()])
    draws = np.random.default_rng(3)
    model.set_weights([draws.normal(0, 0.5, w.shape) for w in model.get_weights()])
    rows = list(series)
    for _ in range(5):
        twin_of_any_length = Sequential([Input((len(rows), 1)), *layers()])
        twin_of_any_length.set_weights(model.get_weights())
        rows.append(float(twin_of_any_length.predict(np.reshape(rows, (1, -1, 1)), verbose=0)[0, 0]))
    found = forecast(stateful_twin(model), windows, steps=5)[0]
    np.testing.assert_allclose(found, rows[12:], rtol=1e-4, atol=1e-5)


def test_what_cannot_carry_its_state_has_no_twin():
    symbol = Input((6, 1))
    graph = Model(symbol, Dense(1)(SimpleRNN(2)(symbol)))
    with pytest.raises(TypeError, match="must be a Sequential, got Model"):
        stateful_twin(graph)
    for layer, message in (
        (Bidirectional(SimpleRNN(2), name="both"), "'both' reads a window from its end"),
        (SimpleRNN(2, go_backwards=True, name="back"), "'back' reads a window from its end"),
        (SimpleRNN(2, return_sequences=True), "the last with return_sequences=False"),
        (Dense(2), "needs a recurrent layer"),
    ):
        with pytest.raises(ValueError, match=message):
            stateful_twin(Sequential([Input((6, 1)), layer, Dense(1)]))


def test_labels_go_on():
    for index, expected in (
        (pd.date_range("2024-01-30", periods=6), pd.date_range("2024-02-05", periods=2)),
        (pd.date_range("2024-01-31", periods=6, freq="ME"), pd.date_range("2024-07-31", periods=2, freq="ME")),
        (pd.Index([1990, 1992, 1994, 1996, 1998, 2000]), pd.Index([2002, 2004])),
    ):
        windows = Windows(pd.Series(np.arange(6.0), index, name="v"), step=1)
        found = forecast(LinearAutoregression().fit(windows), windows, 2)
        assert list(found.index) == list(expected)
        np.testing.assert_allclose(found["v"], [6, 7])


def test_forecasts_refuse():
    table = readers_table()
    windows = Windows(table, step=1, targets="o", lags=2, ahead=0)
    line = LinearAutoregression().fit(windows)
    with pytest.raises(ValueError, match=r"future_inputs are missing: 3 rows of \['x1', 'x2', 'x3'\]"):
        forecast(line, windows, 3)
    with pytest.raises(ValueError, match=r"must be 3 rows of .* got shape \(2, 3\)"):
        forecast(line, windows, 3, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="hold what is to be predicted"):
        forecast(line, Windows(table, step=1, inputs=["x1", "o"], targets="o", ahead=0), 3, np.zeros((3, 1)))
    with pytest.raises(ValueError, match="never predicted"):
        predict_ahead(line, Windows(table, step=1, targets="o", ahead=2), 3)
    with pytest.raises(ValueError, match="no inputs besides"):
        forecast(line, Windows(table["o"], step=1), 3, np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"future_inputs \['x1', 'x2', 'x3'\] hold NaN or infinity"):
        forecast(line, windows, 3, np.full((3, 3), np.nan))
    for call in (forecast, predict_ahead):
        with pytest.raises(TypeError, match="must have a method predict, got function"):
            call(lambda x: x, windows, 3)
    stateful = Sequential([Input(batch_shape=(1, 2, 1)), SimpleRNN(2, stateful=True), Dense(1)])
    with pytest.raises(ValueError, match="one row at a time"):
        forecast(stateful, Windows(table["o"], step=2), 3)
