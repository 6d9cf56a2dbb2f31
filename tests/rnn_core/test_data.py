"""Data on its way in: whatever holds the same numbers trains the same model, and an epoch is every sample once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import data
from rnn_core.data import Batches, as_floats, as_input, as_numeric, as_sample_weight, as_target
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

draws = np.random.default_rng(1)
X = draws.normal(size=(10, 3, 2)).astype(np.float32)
Y = draws.normal(size=(10, 1)).astype(np.float32)
TABLE = X[:, :, 0]  # (10, 3)


def memmap(array, path):
    written = np.memmap(path, array.dtype, "w+", shape=array.shape)
    written[:] = array
    return np.memmap(path, array.dtype, "r", shape=array.shape)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def trained(layers, x, y, **given):
    """All weights after a fit, the losses, and predictions."""
    model = Sequential(layers())
    for i, weight in enumerate(model.weights):
        weight[...] = np.random.default_rng(i).normal(size=weight.shape)
    model.compile("rmsprop", "mse")
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, **given)
    return np.concatenate([model.vector, history.history["loss"], model.predict(x).ravel()])


def recurrent():
    return [Input((3, 2)), SimpleRNN(3), Dense(1)]


def table():
    return [Input((3,)), Dense(2, "tanh"), Dense(1)]


SEQUENCES = {
    "float64": lambda path: (X.astype(np.float64), Y.astype(np.float64)),
    "Fortran order": lambda path: (np.asfortranarray(X), np.asfortranarray(Y)),
    "time-major view": lambda path: (np.ascontiguousarray(X.transpose(1, 0, 2)).transpose(1, 0, 2), Y),
    "every other of twice as many": lambda path: (np.repeat(X, 2, axis=0)[::2], np.repeat(Y, 2, axis=0)[::2]),
    "reversed twice": lambda path: (X[::-1].copy()[::-1], Y[::-1].copy()[::-1]),
    "big-endian": lambda path: (X.astype(">f4"), Y.astype(">f8")),
    "long double": lambda path: (X.astype(np.longdouble), Y),
    "read-only": lambda path: (read_only(X), read_only(Y)),
    "memmap": lambda path: (memmap(X, path / "x"), memmap(Y, path / "y")),
    "masked, nothing masked": lambda path: (np.ma.masked_array(X), Y),
    "list of arrays": lambda path: (list(X), list(Y)),
    "tuple of arrays": lambda path: (tuple(X), tuple(Y)),
    "list of one array": lambda path: ([X], [Y]),
    "nested lists": lambda path: (X.tolist(), Y.tolist()),
    "targets as list": lambda path: (X, Y[:, 0].tolist()),
    "targets as Series": lambda path: (X, pd.Series(Y[:, 0], index=range(100, 90, -1))),
    "targets as DataFrame": lambda path: (X, pd.DataFrame(Y, columns=["y"])),
}


@pytest.mark.parametrize("form", SEQUENCES)
def test_any_form_of_the_same_sequences_trains_the_same(form, tmp_path):
    assert np.array_equal(trained(recurrent, *SEQUENCES[form](tmp_path)), trained(recurrent, X, Y))


FRAME = pd.DataFrame(TABLE, columns=list("abc"), index=[f"day {i}" for i in range(10)])
TABLES = {
    "DataFrame": FRAME,
    "columns of two floats": FRAME.astype({"a": "float64"}),
    "nullable columns": FRAME.astype({"a": "Float32", "b": "Float64"}),
    "list of Series": [FRAME.loc[day] for day in FRAME.index],
    "list of lists": TABLE.tolist(),
    "a view": X[..., 0],
}


@pytest.mark.parametrize("form", TABLES)
def test_any_form_of_the_same_table_trains_the_same(form):
    assert np.array_equal(trained(table, TABLES[form], Y), trained(table, TABLE.copy(), Y))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "uint64", "float16", "float64"])
def test_numbers_of_any_kind_are_what_they_are_as_floats(dtype):
    x, y = (TABLE > 0).astype(dtype), (Y > 0).astype(dtype)
    same = trained(table, (TABLE > 0).astype(np.float32), (Y > 0).astype(np.float32))
    assert np.array_equal(trained(table, x, y), same)
    assert np.array_equal(trained(table, pd.DataFrame(x), pd.Series(y[:, 0])), same)


def test_a_frame_of_numbers_flags_and_counts():
    frame = pd.DataFrame({"a": TABLE[:, 0], "flag": TABLE[:, 1] > 0, "count": pd.array([2] * 10, "Int64")})
    x = np.column_stack([TABLE[:, 0], TABLE[:, 1] > 0, np.full(10, 2)])
    assert np.array_equal(trained(table, frame, Y), trained(table, x, Y))


def test_a_series_is_one_feature():
    def one():
        return [Input((1,)), Dense(1)]

    x = TABLE[:, 0]
    for form in (x[:, None], x, pd.Series(x), x.tolist()):
        assert np.array_equal(trained(one, form, Y), trained(one, x[:, None], Y))


def test_validation_data_and_sample_weights_take_the_same_forms():
    w = np.arange(10) / 4
    expected = trained(table, TABLE, Y, sample_weight=w, validation_data=(TABLE, Y, w))
    for form in (pd.Series(w), w.tolist(), w.astype(np.float32), np.repeat(w, 2)[::2]):
        frame = pd.DataFrame(TABLE)
        got = trained(table, frame, pd.Series(Y[:, 0]), sample_weight=form, validation_data=[frame, Y.tolist(), form])
        assert np.array_equal(got, expected)


def test_data_is_not_changed():
    """Nor would it be if it were fitted to the model without a copy."""
    x, y = X.copy(), Y.copy()
    before = x.copy(), y.copy()
    model = Sequential([Input((3, 2)), SimpleRNN(3, return_sequences=True, dropout=0.5), SimpleRNN(2), Dense(1)])
    model.compile("rmsprop", "mse")
    model.fit(x, y, epochs=2, batch_size=4, verbose=0, validation_split=0.3)
    model.predict(x)
    model.evaluate(x, y, verbose=0)
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


def test_predictions_are_new_arrays():
    model = Sequential([Input((3, 2)), SimpleRNN(3, return_sequences=True)])
    for predict in (model.predict, model.predict_on_batch, model):
        first = predict(X)
        kept = first.copy()
        predict(-X)
        assert np.array_equal(first, kept)
        assert first.flags.c_contiguous
        first[...] = 7
        assert not (predict(X) == 7).any()


# Batches.


def rows(batches):
    """Every batch's arrays, copied: a shuffled batch is gone when the next block comes."""
    return [tuple(None if a is None else a.copy() for a in batch) for batch in batches]


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    block=st.integers(1, 2000),
    seed=st.integers(0, 2**31),
    weighted=st.booleans(),
    contiguous=st.booleans(),
)
def test_every_sample_comes_exactly_once(samples, batch_size, block, seed, weighted, contiguous):
    x = np.arange(samples * 4, dtype=np.float32).reshape(samples, 2, 2)
    if not contiguous:
        x = np.ascontiguousarray(x.transpose(1, 2, 0)).transpose(2, 0, 1)
    y, w = np.arange(samples, dtype=np.float32)[:, None], np.arange(samples) / 2 if weighted else None
    order = np.random.default_rng(seed).permutation(samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_BLOCK_BYTES", block)
        batches = Batches((x, y, w), batch_size)
        assert batches.block % batch_size == 0 or batches.block == samples
    assert batches.count == -(-samples // batch_size)
    for expected, made in (
        (np.arange(samples), rows(batches)),
        (order, rows(batches.shuffled(order))),
        (order[::-1], rows(batches.shuffled(order[::-1]))),  # the buffers are used again
    ):
        assert len(made) == batches.count
        assert [len(batch[0]) for batch in made[:-1]] == [batch_size] * (len(made) - 1)
        seen = np.concatenate([batch[1][:, 0] for batch in made]).astype(int)
        assert np.array_equal(seen, expected)
        assert np.array_equal(np.concatenate([batch[0] for batch in made]), x[seen])
        if w is None:
            assert all(batch[2] is None for batch in made)
        else:
            assert np.array_equal(np.concatenate([batch[2] for batch in made]), w[seen])


def test_batches_in_order_are_views_and_shuffled_ones_contiguous():
    x, y = np.zeros((10, 3, 2)), np.zeros((10, 1))
    for bx, by, _ in Batches((x, y, None), 4):
        assert np.shares_memory(bx, x)
        assert np.shares_memory(by, y)
    for bx, by, _ in Batches((x.transpose(2, 1, 0), y, None), 1):
        assert bx.flags.c_contiguous
        assert by.flags.c_contiguous
    batches = Batches((x, y, None), 4)
    first = [bx for bx, _, _ in batches.shuffled(np.arange(10))]
    again = [bx for bx, _, _ in batches.shuffled(np.arange(10))]
    for a, b in zip(first, again, strict=True):
        assert a is b  # made once
        assert a.flags.c_contiguous
        assert not np.shares_memory(a, x)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_shuffling_takes_memory_for_one_block_at_most(layout, monkeypatch):
    x = np.asarray(np.zeros((20_000, 25), np.float32), order=layout)
    monkeypatch.setattr(data, "_BLOCK_BYTES", 100_000)
    batches = Batches((x,), 100)
    order = np.arange(20_000)
    for _ in batches.shuffled(order):
        pass
    tracemalloc.start()
    for _ in batches.shuffled(order):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (10_000 if layout == "C" else 120_000)  # of 2 MB


def test_each_epoch_has_its_own_order(monkeypatch):
    seen = []
    take = Batches.shuffled

    def shuffled(self, order):
        seen.append(order.copy())
        return take(self, order)

    monkeypatch.setattr(Batches, "shuffled", shuffled)
    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(TABLE, Y, epochs=4, verbose=0)
    assert len({tuple(order) for order in seen}) == 4
    for order in seen:
        assert np.array_equal(np.sort(order), np.arange(10))


# The single steps.


def test_no_copy_where_none_is_needed():
    x = np.zeros((4, 3), np.float32)
    assert as_numeric("x", x) is x
    assert as_floats("x", x, "float32") is x
    assert as_input("x", x, (None, 3), "float32") is x
    assert as_target("y", x, "float32") is x
    assert as_sample_weight("w", x, 4, "float32") is x
    assert np.shares_memory(as_input("x", pd.DataFrame(x, copy=False), (None, 3), "float32"), x)


@pytest.mark.parametrize(
    ("given", "expected", "made"),
    [
        ((5, 3), (None, 3, 1), (5, 3, 1)),  # windows of one feature
        ((5, 3, 1), (None, 3), (5, 3)),
        ((5,), (None, 1), (5, 1)),
        ((5, 3), (None, None, 1), (5, 3, 1)),
        ((5, 3, 2), (None, 3, 2), (5, 3, 2)),
    ],
)
def test_a_last_axis_of_one_comes_and_goes_as_in_keras(given, expected, made):
    assert as_input("x", np.zeros(given), expected, "float32").shape == made


def test_a_list_of_one_array_is_that_array_or_one_sample():
    x = np.zeros((1, 3, 2))
    assert as_input("x", [x], (None, 3, 2), "float64").shape == (1, 3, 2)
    assert as_input("x", [x[0]], (None, 3, 2), "float64").shape == (1, 3, 2)
    assert as_input("x", [x], None, "float64").shape == (1, 3, 2)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["float32", "float64"]), st.integers(0, 5), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_finite_is_told_from_not_finite_whatever_the_size_of_numbers(dtype, place, bad):
    largest = np.finfo(dtype).max
    x = np.full((2, 3), largest, dtype)  # squares overflow
    assert data.all_finite(x)
    assert data.all_finite(x.T[::-1])
    x.flat[place] = bad
    assert not data.all_finite(x)
    assert not data.all_finite(x.T[::-1])
    assert data.all_finite(np.zeros((0, 3), dtype))
