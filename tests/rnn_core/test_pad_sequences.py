"""Sequences of several lengths become one array, as in Keras."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.layers import Dense, Input, Masking, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.utils import pad_sequences
from tests.rnn_core.finite_differences import SEEDS, examples


@examples(200)
@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    features=st.sampled_from([(), (2,)]),
    maxlen=st.none() | st.integers(1, 6),
    dtype=st.sampled_from(["int32", "float32", "float64"]),
    padding=st.sampled_from(["pre", "post"]),
    truncating=st.sampled_from(["pre", "post"]),
    value=st.sampled_from([0.0, -1.0]),
    seed=SEEDS,
)
def test_it_is_what_keras_does(lengths, features, maxlen, dtype, padding, truncating, value, seed):
    draws = np.random.default_rng(seed)
    sequences = [draws.integers(-9, 9, (length, *features)) / (1 if dtype == "int32" else 4) for length in lengths]
    arguments = (sequences, maxlen, dtype, padding, truncating, value)
    ours, theirs = pad_sequences(*arguments), keras.utils.pad_sequences(*arguments)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_lists_are_taken_and_a_mask_leaves_the_padding_out():
    series = [[[1.0], [2.0]], [[3.0], [4.0], [5.0]]]
    x = pad_sequences(series, dtype="float32", value=-1)
    model = Sequential([Input((None, 1)), Masking(-1), SimpleRNN(4), Dense(1)])
    alone = [model.predict(np.array([one]), verbose=0)[0] for one in series]
    np.testing.assert_allclose(model.predict(x, verbose=0), alone, 1e-6)


@pytest.mark.parametrize(
    ("sequences", "options", "error", "message"),
    [
        (3, {}, TypeError, "sequences must be a list of sequences, got int"),
        ("abc", {}, TypeError, "got str"),
        ([1, 2], {}, ValueError, r"sequence 0 must have shape \(timesteps\), got \(\)"),
        ([[1], ["a"]], {}, TypeError, "sequence 1 must be numeric"),
        ([[[1, 2]], [[1, 2, 3]]], {}, ValueError, r"sequence 1 must have shape \(timesteps, 2\), got \(1, 3\)"),
        ([[1.5]], {}, ValueError, "sequence 0 holds numbers that int32 cannot hold"),
        ([[1], [2**40]], {}, ValueError, "sequence 1 holds numbers that int32 cannot hold"),
        ([[1]], {"value": 0.5}, ValueError, "value 0.5 is no int32"),
        ([[1]], {"value": "a"}, (ValueError, TypeError), "value must be"),
        ([[1]], {"maxlen": 0}, ValueError, "maxlen must be"),
        ([[1]], {"padding": "left"}, ValueError, "padding must be"),
        ([[1]], {"truncating": "left"}, ValueError, "truncating must be"),
    ],
)
def test_what_would_lose_something_is_refused(sequences, options, error, message):
    with pytest.raises(error, match=message):
        pad_sequences(sequences, **options)
