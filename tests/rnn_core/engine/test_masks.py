"""Masked time steps count in losses and metrics as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

import rnn_core

from . import small_models as small
from .twins import GAPS, TOLERANCE, Y_SEQUENCE, X, Y, assert_same, assert_same_weights, rmsprop, started, twins

pytestmark = pytest.mark.usefixtures("float64_everywhere")

MASKS = {
    "mse": (small.masked, rmsprop(metrics=["mae"]), Y, {}),
    "sequences": (small.masked_sequence, rmsprop(loss="mae"), Y_SEQUENCE, {}),
    "sequences, mse": (small.masked_sequence, rmsprop(metrics=["mae"], weighted_metrics=["mae"]), Y_SEQUENCE, {}),
    "weights (N, T)": (
        small.masked_sequence,
        rmsprop(weighted_metrics=["mae"]),
        Y_SEQUENCE,
        {"sample_weight": np.abs(X[..., 0])},
    ),
}


@pytest.mark.parametrize("case", MASKS)
def test_masked_steps_count_as_in_keras(case):
    layers, compiled, y, given = MASKS[case]
    theirs, ours = twins(layers, compiled)
    arguments = {"x": GAPS, "y": y, "batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0, **given}
    assert_same(ours.fit(**arguments).history, theirs.fit(**arguments).history)
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.predict(GAPS), theirs.predict(GAPS, verbose=0), **TOLERANCE)


def test_the_mask_matters():
    """The tests above would not see a mask that is dropped, were there nothing to mask."""
    ours, unmasked = (started(rnn_core, layers, rmsprop()) for layers in (small.masked_sequence, small.sequence))
    assert abs(ours.evaluate(GAPS, Y_SEQUENCE, verbose=0) - unmasked.evaluate(GAPS, Y_SEQUENCE, verbose=0)) > 1e-3
