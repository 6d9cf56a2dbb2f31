"""``evaluate``, ``predict`` and the methods for single batches give Keras' numbers."""

from __future__ import annotations

import numpy as np
import pytest

from . import small_models as small
from .twins import LABELS, ONCE, SPARSE, TOLERANCE, W, X, Y, assert_same, assert_same_weights, rmsprop, twins

pytestmark = pytest.mark.usefixtures("float64_everywhere")


@pytest.mark.parametrize("with_metrics", [False, True])
def test_evaluate_and_predict_are_keras(with_metrics):
    theirs, ours = twins(small.penalised, rmsprop(**(ONCE if with_metrics else {})))
    for more in ({}, {"batch_size": 4}, {"sample_weight": W, "batch_size": 5}):
        expected = theirs.evaluate(X, Y, verbose=0, **more)
        result = ours.evaluate(X, Y, verbose=0, **more)
        assert isinstance(result, list) == isinstance(expected, list) == with_metrics
        np.testing.assert_allclose(result, expected, **TOLERANCE)
        assert_same(
            ours.evaluate(X, Y, verbose=0, return_dict=True, **more),
            theirs.evaluate(X, Y, verbose=0, return_dict=True, **more),
        )
        assert ours.metrics_names == list(theirs.evaluate(X, Y, verbose=0, return_dict=True))
    expected = theirs.predict(X, verbose=0)
    for batch_size in (None, 1, 4, 100):
        np.testing.assert_allclose(ours.predict(X, batch_size=batch_size), expected, **TOLERANCE)
    np.testing.assert_allclose(ours(X), expected, **TOLERANCE)


def test_single_batches_are_keras():
    theirs, ours = twins(small.penalised, rmsprop(**ONCE))
    for _ in range(2):
        for more in ({}, {"sample_weight": W}):
            np.testing.assert_allclose(
                ours.train_on_batch(X, Y, **more), theirs.train_on_batch(X, Y, **more), **TOLERANCE
            )
            np.testing.assert_allclose(
                ours.test_on_batch(X, Y, **more), theirs.test_on_batch(X, Y, **more), **TOLERANCE
            )
    assert_same(ours.train_on_batch(X, Y, return_dict=True), theirs.train_on_batch(X, Y, return_dict=True))
    assert_same(
        ours.test_on_batch(X[:3], Y[:3], return_dict=True), theirs.test_on_batch(X[:3], Y[:3], return_dict=True)
    )
    np.testing.assert_allclose(ours.predict_on_batch(X), theirs.predict_on_batch(X), **TOLERANCE)
    assert_same_weights(ours, theirs)


def test_single_batches_with_class_weights_are_keras():
    theirs, ours = twins(small.classes, SPARSE)
    weights = {0: 0.25, 1: 5.0}
    for _ in range(2):
        expected = theirs.train_on_batch(X, LABELS, class_weight=weights)
        np.testing.assert_allclose(ours.train_on_batch(X, LABELS, class_weight=weights), expected, **TOLERANCE)
    assert_same_weights(ours, theirs)
