"""Whether an engine computes what the others compute: nothing that disagrees is timed.

The reference is rnn_core in float64. For a workload that trains, one step on the first batch is compared: the loss
before it, and the change of every weight, whose scale is the largest change of all. RMSprop divides by the root of
its mean, so that a wrong epsilon, a missing factor or a lost gradient shows there at once. For a workload that
predicts, all outputs are compared. And where the whole `fit` is timed, the loss at its end must be that of ours, within
what another order of the samples explains.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.engines.rnn_core import Runner
from benchmarks.workloads import Array, Workload

# float32 in another order of summation was measured to differ by up to 1e-6 (loss, outputs) and 5e-4 (change).
LOSS, OUTPUT, CHANGE = 1e-4, 1e-4, 5e-3
FINAL_LOSS = 0.25  # the last epoch's loss of W1 differs by up to 5% from one order of the samples to another


def reference(workload: Workload) -> Any:
    """Return what :meth:`Desk.result` should find: rnn_core's result in float64."""
    runner = Runner(workload, dtype="float64")
    return runner.predict() if workload.times == "predict" else runner.step()


def disagreement(workload: Workload, expected: Any, found: Any) -> str | None:
    """Return in what a result disagrees with the reference; None if they agree.

    Parameters
    ----------
    workload : Workload
    expected, found : ndarray, or (loss, weights)
        Of the reference and of the engine.
    """
    if workload.times == "predict":
        return _outputs_differ(expected, np.asarray(found))
    expected_loss, expected_weights = expected
    loss, weights = found
    if not abs(loss - expected_loss) <= LOSS * abs(expected_loss):
        return f"the loss is {loss:.6g}, not {expected_loss:.6g}"
    return _weights_differ(workload, expected_weights, weights)


def _outputs_differ(expected: Array, found: Array) -> str | None:
    if found.shape != expected.shape:
        return f"the outputs have the shape {found.shape}, not {expected.shape}"
    scale = float(np.max(np.abs(expected))) or 1.0
    error = float(np.max(np.abs(found - expected))) / scale
    return None if error <= OUTPUT else f"the outputs differ by {error:.1e} of the largest"


def _weights_differ(workload: Workload, expected: list[Array], found: list[Array]) -> str | None:
    shapes = [weight.shape for weight in found]
    if shapes != [weight.shape for weight in expected]:
        return f"the weights have the shapes {shapes}, not {[weight.shape for weight in expected]}"
    start = workload.weights()
    largest = max(float(np.max(np.abs(after - before))) for after, before in zip(expected, start, strict=True))
    errors = [float(np.max(np.abs(mine - theirs))) / largest for mine, theirs in zip(expected, found, strict=True)]
    worst = int(np.argmax(errors))  # a NaN comes first
    if errors[worst] <= CHANGE:
        return None
    return f"weight {worst} {shapes[worst]} differs by {errors[worst]:.1e} of the largest change in one step"


def final_losses_differ(ours: float, theirs: float) -> str | None:
    """Return in what the losses at the end of a whole fit disagree; None if they agree."""
    if abs(theirs / ours - 1) <= FINAL_LOSS:
        return None
    return f"the loss at the end of the fit is {theirs:.4g}, not about {ours:.4g}"
