"""The moving average of the weights: where it starts, and when it takes their place."""

from __future__ import annotations

import numpy as np

from rnn_core.optimizers import SGD

from .against_keras import STOPS, Ours


def test_the_average_starts_at_the_first_updated_weights_and_replaces_them_at_the_end() -> None:
    ours = Ours(SGD(use_ema=True))
    start = ours.weights.copy()
    ours.optimizer.finalize()
    assert (ours.weights == start).all()  # no step, no average
    average = ours.optimizer.model_variables_moving_average
    assert average is not None
    ours.step()
    np.testing.assert_array_equal(average[: STOPS[1]], ours.weights[: STOPS[1]])
    for _ in range(4):
        ours.step()
    assert (average[: STOPS[1]] != ours.weights[: STOPS[1]]).all()
    ours.optimizer.finalize()
    np.testing.assert_array_equal(average[: STOPS[1]], ours.weights[: STOPS[1]])


def test_weights_are_overwritten_every_n_steps() -> None:
    ours = Ours(SGD(use_ema=True, ema_overwrite_frequency=3))
    average = ours.optimizer.model_variables_moving_average
    assert average is not None
    same = []
    for _ in range(9):
        ours.step()
        same.append(bool((average == ours.weights)[: STOPS[1]].all()))
    assert same == [True, False, True, False, False, True, False, False, True]  # the first is the average's start
