"""Metrics beside live Keras for shapes, batches and weights that Hypothesis draws, and over any axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import metrics

from .test_metrics import CASES, COUNTS, FLAT_CASES, assert_equal_results, ids, keras, make_data

MORE = [
    ("CosineSimilarity", {"axis": 1}, "real"),
    ("CategoricalCrossentropy", {"axis": 1}, "one-hot"),
    ("SparseCategoricalCrossentropy", {"axis": 2}, "sparse"),  # the last one: any other is refused
]
ALL = CASES + FLAT_CASES + COUNTS


@pytest.mark.parametrize(("name", "options", "kind"), ALL, ids=ids(ALL))
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_any_batches_and_weights_are_keras(name, options, kind, data):
    outputs = 3 if {"class_id", "top_k", "k", "num_regressors"} & set(options) else data.draw(st.integers(2, 5))
    sequences = (name, options, kind) in CASES and kind != "sorted ids" and data.draw(st.booleans())
    inner = (data.draw(st.integers(1, 4)), outputs) if sequences else (outputs,)
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    draws = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    for size in data.draw(st.lists(st.integers(2, 7), min_size=1, max_size=3)):
        batch = (size + 5 if name == "R2Score" else size, *inner)
        weights = [None, batch[:1], (batch[0], 1), *([batch[:2]] if sequences else [])]
        shape = data.draw(st.sampled_from(weights))
        y, p = make_data(kind, batch, int(draws.integers(10**6)))
        weight = None if shape is None else draws.uniform(0.1, 2, shape)
        ours.update_state(y, p, weight)
        theirs.update_state(y, p, weight)
        assert_equal_results(ours, theirs, 5e-5)


@pytest.mark.parametrize(("name", "options", "kind"), MORE, ids=ids(MORE))
def test_any_axis_is_keras(name, options, kind):
    y, p = make_data(kind, (4, 5, 3), 7)
    if kind == "one-hot":  # the classes lie along the axis
        y, p = (np.ascontiguousarray(np.moveaxis(a, -1, options["axis"])) for a in (y, p))
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    ours.update_state(y, p)
    theirs.update_state(y, p)
    assert_equal_results(ours, theirs)
