"""An optimizer goes on from a saved state as if it had never stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.optimizers import Adam, Optimizer

from .against_keras import STOPS, Ours, every_variant
from .any_settings import CLIPS


@every_variant
@settings(max_examples=5, deadline=None)
@given(before=st.integers(0, 70), after=st.integers(1, 70), clip=CLIPS)
def test_a_saved_state_goes_on_bit_by_bit(
    cls: type[Optimizer], options: dict[str, Any], before: int, after: int, clip: dict[str, float]
) -> None:
    first = Ours(cls(**options, **clip), "float32")
    for _ in range(before):
        first.step()
    first.optimizer.learning_rate = 0.01
    state = {key: np.asarray(value) for key, value in first.optimizer.get_state().items()}  # as a file holds it
    second = Ours(cls(**options, **clip), "float32", seed=99)
    second.weights[:] = first.weights
    second.optimizer.set_state(state)
    for gradients in np.random.default_rng(5).standard_normal((after, STOPS[-1])):
        first.step(gradients)
        second.step(gradients)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert second.optimizer.learning_rate == first.optimizer.learning_rate
    assert second.optimizer.iterations == before + after


def test_a_state_is_a_copy() -> None:
    ours = Ours(Adam())
    ours.step()
    state = ours.optimizer.get_state()
    copy = {key: np.copy(value) for key, value in state.items()}
    ours.step()
    for key, value in state.items():
        np.testing.assert_array_equal(value, copy[key])
    ours.optimizer.set_state(state)
    ours.step()
    np.testing.assert_array_equal(state["velocities"], copy["velocities"])


def test_a_state_that_does_not_fit_is_refused() -> None:
    ours = Ours(Adam())
    ours.step()
    state = ours.optimizer.get_state()
    with pytest.raises(ValueError, match=r"state must have the entries .*'velocities'.*got"):
        ours.optimizer.set_state({key: state[key] for key in ("iterations", "learning_rate", "momentums")})
    with pytest.raises(ValueError, match=r"velocities in the state must have shape \(13,\), got \(2,\)"):
        ours.optimizer.set_state({**state, "iterations": 50, "velocities": np.zeros(2)})
    assert ours.optimizer.iterations == 1
    with pytest.raises(ValueError, match="not built"):
        Adam().set_state(state)
