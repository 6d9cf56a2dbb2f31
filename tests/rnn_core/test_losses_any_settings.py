"""Losses beside live Keras for shapes, reductions, weights and masks that Hypothesis draws, over any axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import losses

from .test_losses import CASES, IDS, REDUCTIONS, assert_close, keras, keras_value_and_gradient, make_data, tolerance

AXES = [
    ("CosineSimilarity", {"axis": 1}, "real"),
    ("BinaryCrossentropy", {"axis": 1}, "binary"),
    ("BinaryCrossentropy", {"axis": 0, "from_logits": True, "label_smoothing": 0.1}, "binary logits"),
    ("BinaryFocalCrossentropy", {"axis": 1}, "binary"),
    ("CategoricalCrossentropy", {"axis": 1}, "one-hot"),
    ("CategoricalCrossentropy", {"axis": 1, "from_logits": True}, "one-hot logits"),
    ("CategoricalFocalCrossentropy", {"axis": 1}, "one-hot"),
    ("SparseCategoricalCrossentropy", {"axis": 2}, "sparse"),  # the last one: any other is refused
]


def assert_agrees(name, options, y, p, weight=None, mask=None):
    """Compare value and gradient."""
    theirs = getattr(keras.losses, name)(**options, dtype="float64")
    value, gradient = keras_value_and_gradient(theirs, y, p, weight, mask)
    d_pred = np.full_like(p, np.nan)
    ours = getattr(losses, name)(**options)
    assert_close(ours.value_and_gradient(y, p, d_pred, weight, mask), value, tolerance(name))
    assert_close(d_pred, gradient)


@pytest.mark.parametrize(("name", "options", "kind"), CASES, ids=IDS)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_any_shape_reduction_weights_and_mask_are_keras(name, options, kind, data):
    classes = 3 if np.ndim(options.get("alpha")) else data.draw(st.integers(2, 4))
    shape = (*data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=2)), classes)
    y, p = make_data(kind, shape, data.draw(st.integers(0, 10**6)))
    places = shape[1:] if options.get("axis") == 0 else shape[:-1]
    draws = np.random.default_rng(1)
    weights = [None, places, *([(places[0], 1)] if len(places) == 2 else [])]
    weight_shape = data.draw(st.sampled_from(weights))
    weight = None if weight_shape is None else draws.uniform(0, 2, weight_shape)
    mask = draws.random(places) < 0.7 if data.draw(st.booleans()) else None
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    assert_agrees(name, {**options, "reduction": reduction}, y, p, weight, mask)


@pytest.mark.parametrize(("name", "options", "kind"), AXES, ids=[f"{name}{options}" for name, options, _ in AXES])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_any_axis_is_keras(name, options, kind, reduction):
    axis = options["axis"]
    y, p = make_data(kind, (4, 5, 3), 7)
    if kind.startswith("one-hot"):  # the classes lie along the axis
        y, p = (np.ascontiguousarray(np.moveaxis(a, -1, axis)) for a in (y, p))
    places = tuple(np.delete(p.shape, axis))
    assert_agrees(name, {**options, "reduction": reduction}, y, p, np.random.default_rng(0).uniform(0, 2, places))
