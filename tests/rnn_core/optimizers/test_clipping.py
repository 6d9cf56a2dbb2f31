"""Clipping bounds the step and leaves the gradients as they are."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.optimizers import SGD

from .against_keras import STOPS, TENSORS, Ours, Theirs


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_clipping_leaves_the_gradients_as_they_are(clip: str) -> None:
    ours = Ours(SGD(**{clip: 0.01}))  # type: ignore[arg-type]
    gradients = ours.draws.standard_normal(STOPS[-1])
    ours.step(gradients)
    assert (ours.gradients == gradients).all()


def test_clipping_bounds_what_it_says() -> None:
    def update(**clip: float) -> list[np.ndarray]:
        ours = Ours(SGD(learning_rate=1.0, **clip))  # type: ignore[arg-type]
        before = ours.weights.copy()
        ours.step(100 * np.ones(STOPS[-1]))
        return [(ours.weights - before)[t] for t in TENSORS]

    np.testing.assert_allclose([np.linalg.norm(u) for u in update(clipnorm=0.5)], [0.5, 0.5, 0])
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(update(global_clipnorm=0.5))), 0.5)
    np.testing.assert_allclose(update(clipvalue=0.5)[0], -0.5)


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_small_and_zero_gradients_are_not_clipped(clip: str) -> None:
    ours, plain = Ours(SGD(**{clip: 1.0})), Ours(SGD())  # type: ignore[arg-type]
    for gradients in (np.zeros(STOPS[-1]), np.full(STOPS[-1], 1e-3)):
        ours.step(gradients)
        plain.step(gradients)
        assert (ours.weights == plain.weights).all()


def test_global_clipping_of_an_infinite_gradient_gives_nan_everywhere_as_in_keras() -> None:
    ours = Ours(SGD(global_clipnorm=1.0))
    theirs = Theirs(SGD, {}, ours)
    gradients = np.ones(STOPS[-1])
    gradients[0] = np.inf
    with np.errstate(invalid="ignore"):
        ours.step(gradients)
    theirs.step(gradients)
    for w in (*ours.trained(), *theirs.trained()):
        assert np.isnan(w).all()
