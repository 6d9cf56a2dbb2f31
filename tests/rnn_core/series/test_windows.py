"""Windows hold the table's own values, whatever it is given as; parts in time share no target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.series import Scaler, Windows

FRAME = pd.DataFrame({"x1": [2.0, 3, 2, 3, 4], "x2": [3.0, 4, 4, 5, 6], "y": [0.0, 0, 4, 5, 6]})


@st.composite
def cases(draw):
    step, horizon, ahead = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
    lags, stride, columns = draw(st.integers(0, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    targets = draw(st.lists(st.integers(0, columns - 1), min_size=1, max_size=columns, unique=True))
    inputs = draw(st.lists(st.integers(0, columns - 1), min_size=1, max_size=columns, unique=True))
    rows = lags + step + ahead + horizon + draw(st.integers(0, 20))
    table = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(rows, columns))
    return table, {
        "step": step, "horizon": horizon, "ahead": ahead, "lags": lags, "stride": stride,
        "targets": targets, "inputs": inputs, "layout": draw(st.sampled_from(["stepx1", "1xstep", "flat"])),
    }  # fmt: skip


def by_hand(table, step, horizon, ahead, lags, stride, targets, inputs, layout):
    x, y, at = [], [], []
    for first in range(lags, len(table), stride):
        last = first + step - 1
        if last + ahead + horizon > len(table):
            break
        x.append(
            [
                [table[t, i] for i in inputs] + [table[t - lag, j] for j in targets for lag in range(1, lags + 1)]
                for t in range(first, last + 1)
            ]
        )
        y.append([table[last + ahead + h, j] for h in range(horizon) for j in targets])
        at.append([last + ahead + h for h in range(horizon)])
    x = np.array(x)
    shape = {"stepx1": x.shape[1:], "1xstep": (1, x[0].size), "flat": (x[0].size,)}[layout]
    return x.reshape(len(x), *shape), np.array(y), np.array(at)


@settings(deadline=None)
@given(cases())
def test_windows_are_what_a_loop_over_the_table_gives(case):
    table, settings_ = case
    x, y, at = by_hand(table, **settings_)
    names = [f"c{i}" for i in range(table.shape[1])]
    named = {**settings_, **{key: [names[i] for i in settings_[key]] for key in ("inputs", "targets")}}
    for windows in (
        Windows(table, **settings_),
        Windows(np.asfortranarray(table), **settings_),
        Windows(pd.DataFrame(table, columns=names), **named),
    ):
        np.testing.assert_array_equal(windows.inputs, x)
        np.testing.assert_array_equal(windows.targets, y)
        np.testing.assert_array_equal(windows.positions, at)
        assert windows.inputs.shape[1:] == windows.input_shape
        assert windows.targets.shape == (len(windows), windows.outputs)
        assert len(windows.feature_names) * windows.step == windows.inputs[0].size


@pytest.mark.parametrize("targets", ["y", "x2"])
def test_the_two_feature_example(targets):
    windows = Windows(FRAME, step=3, inputs=["x1", "x2"], targets=targets, ahead=0)
    assert windows.inputs.tolist() == [[[2, 3], [3, 4], [2, 4]], [[3, 4], [2, 4], [3, 5]], [[2, 4], [3, 5], [4, 6]]]
    assert windows.targets.tolist() == [[4], [5], [6]]
    flat = Windows(FRAME, step=3, inputs=["x1", "x2"], targets=targets, ahead=0, layout="1xstep")
    assert flat.inputs.tolist() == [[[2, 3, 3, 4, 2, 4]], [[3, 4, 2, 4, 3, 5]], [[2, 4, 3, 5, 4, 6]]]
    later = Windows(FRAME, step=3, inputs=["x1", "x2"], targets=targets)  # a row later
    assert later.inputs.tolist() == windows.inputs[:2].tolist()
    assert later.targets.tolist() == [[5], [6]]


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 1000))
def test_padding_is_the_tutorials(step, more, start):
    values = np.random.default_rng(step).normal(size=step + more)
    padded = np.append(values, np.repeat(values[-1], step))
    windows = Windows(values, step, pad=True, start=start)
    assert len(windows) == len(values)
    np.testing.assert_array_equal(windows.inputs[:, :, 0], [padded[i : i + step] for i in range(len(values))])
    np.testing.assert_array_equal(windows.targets[:, 0], padded[step:])
    np.testing.assert_array_equal(values[windows.positions - start], windows.targets)
    assert (~windows.measured).sum() == step
    plain = Windows(values, step, start=start)
    np.testing.assert_array_equal(windows.without_padding().inputs, plain.inputs)
    np.testing.assert_array_equal(windows.without_padding().positions, plain.positions)


@settings(deadline=None)
@given(cases(), st.floats(0.2, 0.5), st.floats(0.55, 0.8))
def test_parts_share_no_target_and_look_only_back(case, first, second):
    table, settings_ = case
    windows = Windows(np.tile(table, (40, 1)), **settings_)  # long enough that no part is empty
    parts = windows.split(first, second)
    rows = [set(part.positions.ravel().tolist()) for part in parts]
    assert not rows[0] & rows[1]
    assert not rows[1] & rows[2]
    assert max(rows[0]) < min(rows[1]) <= max(rows[1]) < min(rows[2])
    if settings_["ahead"] > 0 or not set(settings_["inputs"]) & set(settings_["targets"]):
        assert parts[0].rows_seen()[1] <= min(rows[1])
    whole = set(map(tuple, windows.positions.tolist()))
    assert all(set(map(tuple, part.positions.tolist())) <= whole for part in parts)


def test_cuts_by_label_date_and_row():
    years = pd.Series(np.arange(20.0), index=pd.RangeIndex(1900, 1920))
    train, test = Windows(years, step=3).split(1910)
    assert train.targets[-1, 0] == 9
    assert test.targets[0, 0] == 10
    days = pd.Series(np.arange(20.0), index=pd.date_range("2024-01-01", periods=20))
    assert Windows(days, step=3).split("2024-01-11")[1].targets[0, 0] == 10
    assert Windows(np.arange(20.0), step=3).split(10)[1].targets[0, 0] == 10


@settings(deadline=None)
@given(st.sampled_from(["standard", "minmax"]), st.floats(-1e6, 1e6))
def test_no_test_value_influences_the_scaling(kind, changed):
    values = np.random.default_rng(0).normal(3, 2, size=(40, 2))
    other = values.copy()
    other[30:] = changed
    found = []
    for table in (values, other):
        train, test = Windows(table, step=4, targets=1).split(30)
        scaler = Scaler(kind).fit(train)
        found.append((scaler.shift.tolist(), scaler.scale.tolist()))
        np.testing.assert_allclose(test.scaled(scaler).in_units(test.scaled(scaler).targets), test.targets, atol=1e-6)
    assert found[0] == found[1]
    train = Windows(values, step=4, targets=1).split(30)[0]
    scaled = Scaler(kind).fit(train).transform(values[:30])
    low, high = (scaled.mean(0), scaled.std(0)) if kind == "standard" else (scaled.min(0), scaled.max(0))
    np.testing.assert_allclose([low, high], [[0, 0], [1, 1]], atol=1e-12)


def test_scalers_go_by_name():
    scaler = Scaler().fit(FRAME)
    swapped = FRAME[["y", "x1"]]
    back = scaler.inverse_transform(scaler.transform(swapped))
    pd.testing.assert_frame_equal(back, swapped)
    np.testing.assert_allclose(scaler.transform(FRAME["x2"]), (FRAME["x2"] - 4.4) / FRAME["x2"].std(ddof=0))
    with pytest.raises(ValueError, match="call fit before"):
        Scaler().transform(FRAME)
    with pytest.raises(ValueError, match="no column 'z'"):
        scaler.transform(FRAME.rename(columns={"y": "z"}))
    with pytest.raises(ValueError, match=r"columns \['y'\] hold NaN"):
        Scaler().fit(FRAME.assign(y=np.nan))
    assert Scaler().fit(np.ones(5)).scale == [1]


@pytest.mark.parametrize(
    ("given_", "error", "message"),
    [
        ({"data": np.zeros(4), "step": 4}, ValueError, "need at least 5 rows, got 4"),
        ({"data": np.zeros(4), "step": 0}, ValueError, "step must be an integer of at least 1, got 0"),
        ({"data": np.zeros((4, 2, 2)), "step": 1, "targets": 0}, ValueError, "data must have shape"),
        ({"data": ["a", "b"], "step": 1}, TypeError, "data must be numeric, got dtype <U1"),
        ({"data": FRAME, "step": 1}, ValueError, "data has 3 columns: say which are targets"),
        ({"data": FRAME, "step": 1, "targets": "y1"}, ValueError, "no column 'y1'. Did you mean"),
        ({"data": FRAME, "step": 1, "targets": ["y", "y"]}, ValueError, "named twice"),
        ({"data": FRAME, "step": 1, "targets": "y", "inputs": []}, ValueError, "give inputs or lags"),
        ({"data": FRAME, "step": 1, "targets": "y", "lags": -1}, ValueError, "lags must be an integer"),
        ({"data": FRAME, "step": 1, "targets": "y", "layout": "1xstp"}, ValueError, "Did you mean '1xstep'?"),
        ({"data": FRAME, "step": 1, "targets": "y", "ahead": -1}, ValueError, "ahead must be an integer of at least 0"),
    ],
)
def test_windows_refuse(given_, error, message):
    with pytest.raises(error, match=message):
        Windows(**given_)


def test_parts_refuse():
    windows = Windows(np.arange(20.0), step=4)
    for cuts, message in (
        ((), "at least one cut"),
        ((15, 10), "in order"),
        ((2,), "no whole window"),
        (("a",), "row number"),
    ):
        with pytest.raises(ValueError, match=message):
            windows.split(*cuts)
