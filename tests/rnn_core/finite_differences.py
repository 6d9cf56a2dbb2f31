"""What every gradient that was written by hand is measured against: ``rnn_core.inspection.gradient_check``.

Its rule, for each array of weights, inputs or states by itself, in float64::

    max |gradient - numeric|  <=  1e-7 * max |numeric|  +  32 eps max(1, |f|) / h        h = 1e-3, or less at a kink

Users check whole models with it; here it checks single layers and functions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from rnn_core.inspection.gradient_check import GradientReport, central_differences, compare

__all__ = ["SEEDS", "central_differences", "check_gradients", "examples"]

SEEDS = st.integers(0, 2**32 - 1)


def examples(count: int):
    return settings(max_examples=count, deadline=None)


def check_gradients(f: Callable[[], float], gradients: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Compare gradients with central differences of `f`, by the rule above.

    Parameters
    ----------
    f : callable
        Returns the loss, from the arrays as they are at that moment.
    gradients : dict of str to (array, gradient)
        Arrays of float64 that `f` reads, and what is claimed to be its gradient with respect to them.
    """
    report = GradientReport()
    for name, (x, gradient) in gradients.items():
        assert x.dtype == gradient.dtype == np.float64, f"{name} is {x.dtype}, its gradient {gradient.dtype}"
        assert x.shape == gradient.shape, f"{name} has shape {x.shape}, its gradient {gradient.shape}"
        compare(report, name, f, x, gradient)
    assert report, str(report)
