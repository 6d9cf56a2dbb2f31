"""The data of the workloads: shapes, seeds, and weights in Keras' order."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.engines.rnn_core import Runner
from benchmarks.workloads import W1, W2, WORKLOADS, windows


@pytest.mark.parametrize("workload", [w for w in WORKLOADS.values() if w.samples < 2000], ids=lambda w: w.name)
def test_data_and_weights_are_float32_fixed_by_the_seed_and_of_the_model_shapes(workload):
    x, y = workload.data()
    assert x.shape == (workload.samples, *workload.input_shape)
    assert y.shape == (workload.samples, 1)
    for first, second in zip((x, y, *workload.weights()), (*workload.data(), *workload.weights()), strict=True):
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, second)
    if workload.samples <= 64 or workload.timesteps < 10:
        model = Runner(workload).model
        assert [w.shape for w in model.get_weights()] == [w.shape for w in workload.weights()]


def test_every_fit_has_whole_batches():
    """Whole-fit jitted JAX cuts an epoch into equal batches, and so do the times of a step."""
    for workload in WORKLOADS.values():
        if workload.times != "predict":
            assert workload.samples % workload.batch_size == 0
            assert workload.steps * workload.batch_size == workload.samples * workload.epochs


def test_a_window_is_followed_by_its_target():
    x, y = windows(np.arange(20.0), 4)
    np.testing.assert_array_equal(x[3], [3, 4, 5, 6])
    assert y[3] == 7


def test_w2_is_w1_with_the_values_one_after_the_other():
    np.testing.assert_array_equal(W1.data()[0].swapaxes(1, 2), W2.data()[0])
