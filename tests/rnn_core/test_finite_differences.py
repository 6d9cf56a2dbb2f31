"""The instrument that gradients are measured with: it sees errors of a few 1e-7, and kinks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from .finite_differences import SEEDS, check_gradients, examples


@examples(20)
@given(seed=SEEDS)
def test_central_differences_of_a_function_whose_gradient_is_known(seed):
    x = np.random.default_rng(seed).standard_normal((2, 3))
    check_gradients(
        lambda: np.sum(np.exp(x) * np.sin(3 * x)), {"x": (x, np.exp(x) * (np.sin(3 * x) + 3 * np.cos(3 * x)))}
    )


@pytest.mark.parametrize("wrong", [1 + 3e-7, 1 - 3e-7, np.nan, -1])
def test_a_gradient_wrong_by_a_few_1e_7_is_seen(wrong):
    x = np.array([0.3, -0.7])
    with pytest.raises(AssertionError, match="WRONG"):
        check_gradients(lambda: np.sum(np.sin(x)), {"x": (x, np.cos(x) * wrong)})


@pytest.mark.parametrize("near", [0.01, 0.0015, -0.0015, 1e-5, 0.0])
def test_a_kink_within_the_step_does_no_harm_and_does_not_hide_what_is_wrong(near):
    x = np.array([0.01, near])

    def relu() -> float:
        return float(np.maximum(x, 0).sum())

    check_gradients(relu, {"x": (x, np.array([1.0, float(near > 0)]))})
    assert x[1] == near
    for wrong in (np.array([1.0, 1.5]), np.array([1.0, -0.1]), np.array([1 + 3e-7, float(near > 0)])):
        with pytest.raises(AssertionError, match="WRONG"):
            check_gradients(relu, {"x": (x, wrong)})
