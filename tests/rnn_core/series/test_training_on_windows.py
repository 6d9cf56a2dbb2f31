"""A model takes windows as they are, and trains on a series that is longer than its memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import data
from rnn_core.data import Batches
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.lazy import release_pages
from rnn_core.models import Sequential
from rnn_core.series import Scaler, Windows
from rnn_core.utils import set_random_seed


def model_for(windows):
    set_random_seed(1)
    model = Sequential([Input(windows.input_shape), SimpleRNN(4), Dense(windows.outputs)])
    model.compile("rmsprop", "mse")
    return model


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_windows_train_what_their_arrays_train(monkeypatch, lazy, scaled):
    windows = Windows(np.random.default_rng(0).normal(size=(90, 3)), step=4, targets=[0, 2], horizon=2, lags=1)
    if scaled:
        windows = windows.scaled(Scaler().fit(windows))
    train, test = windows.split(0.8)
    one, two = model_for(train), model_for(train)
    set_random_seed(2)
    expected = one.fit(
        train.inputs, train.targets, epochs=3, validation_data=(test.inputs, test.targets), verbose=0
    ).history
    if lazy:
        monkeypatch.setattr(data, "_MADE_AT_ONCE", 0)
        assert not isinstance(data.as_input("x", windows, None, "float32"), np.ndarray)
    set_random_seed(2)
    found = two.fit(train, epochs=3, validation_data=test, verbose=0).history
    assert found == expected
    np.testing.assert_array_equal(one.vector, two.vector)
    assert two.evaluate(test, verbose=0) == one.evaluate(test.inputs, test.targets, verbose=0)
    np.testing.assert_array_equal(two.predict(test, verbose=0), one.predict(test.inputs, verbose=0))
    np.testing.assert_array_equal(two.predict(test, batch_size=5, verbose=0).shape, test.targets.shape)
    two.fit(train, validation_split=0.5, verbose=0)
    with pytest.raises(ValueError, match="y must be left out"):
        two.fit(train, train.targets)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_value_that_is_not_finite_is_named_with_column_and_row(monkeypatch, lazy):
    if lazy:
        monkeypatch.setattr(data, "_MADE_AT_ONCE", 0)
    table = pd.DataFrame({"x": np.arange(9.0), "y": np.arange(9.0)}, index=range(1900, 1909))
    table.loc[1900, "y"] = np.nan  # no window holds it: y is predicted, not read
    model = model_for(Windows(table, step=2, inputs="x", targets="y"))
    model.fit(Windows(table, step=2, inputs="x", targets="y"), verbose=0)
    table.loc[1904, "x"] = np.inf
    with pytest.raises(ValueError, match="column 'x' is inf in row 1904"):
        model.fit(Windows(table, step=2, inputs="x", targets="y"), verbose=0)
    with pytest.raises(ValueError, match="column 'y' is nan in row 1900"):
        model_for(Windows(table, step=1, inputs="y", targets="x")).predict(
            Windows(table, step=1, inputs="y", targets="x")
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 40), st.integers(4, 64), st.integers(0, 99))
def test_a_shuffle_in_pools_is_every_sample_once(samples, batch_size, pool, seed):
    y = np.arange(samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_POOL", pool)
        patch.setattr(data, "_CHUNKS", 4)
        batches = Batches((y,), batch_size)
        made = [batch.copy() for (batch,) in batches.reshuffled(np.random.default_rng(seed))]
    assert [len(batch) for batch in made[:-1]] == [batch_size] * (batches.count - 1)
    assert sorted(np.concatenate(made).tolist()) == y.tolist()
    if samples > 200:
        assert not np.array_equal(np.concatenate(made), y)


def test_a_batch_mixes_samples_from_all_over_the_data(monkeypatch):
    monkeypatch.setattr(data, "_POOL", 1 << 12)
    batches = Batches((np.arange(1 << 16),), 64)
    spread = [np.ptp(batch) / (1 << 16) for (batch,) in batches.reshuffled(np.random.default_rng(0))]
    assert np.median(spread) > 0.9


def test_releasing_a_memmap_loses_nothing(tmp_path):
    for number, mode in enumerate(("w+", "r+", "c")):
        values = np.memmap(tmp_path / "series.f4", "f4", mode, shape=(10_000,))
        values[7] = number + 1
        release_pages(np.asarray(values)[5:])
        assert values[7] == number + 1
    release_pages(np.zeros(3))


SCRIPT = """
import sys
import numpy as np
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.series import Scaler, Windows

def peak():  # of the process in all, pages of the file too
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

series = np.memmap(sys.argv[1], "f4", "r")
train, test = Windows(series, step=4).split(0.95)
scaler = Scaler().fit(train)
train, test = train.scaled(scaler), test.scaled(scaler)
model = Sequential([Input(train.input_shape), SimpleRNN(4), Dense(1)])
model.compile("rmsprop", "mse")
before = peak()
loss = model.fit(train, batch_size=4096, verbose=0).history["loss"][0]
print(peak() - before, loss, model.evaluate(test, batch_size=4096, verbose=0))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_long_memmap_trains_in_little_memory(tmp_path):
    """20 million values, 80 MB: its windows would be 320 MB, a permutation of them 160 MB."""
    path = tmp_path / "series.f4"
    np.sin(np.arange(20_000_000, dtype=np.float32) % 6283 / 50).astype(np.float32).tofile(path)
    done = subprocess.run([sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True, timeout=300)
    kilobytes, loss, test_loss = map(float, done.stdout.split())
    assert kilobytes < 220_000  # the same for a series of any length
    assert test_loss < 0.05 < loss + 0.1
