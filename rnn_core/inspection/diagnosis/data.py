"""Findings about the data, and about the forecast beside predictors that need no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core import losses
from rnn_core.inspection.diagnosis.baselines import CLASSIFICATION, REGRESSION, Measured, Task
from rnn_core.inspection.diagnosis.findings import Finding, percent

Array = NDArray[Any]

ENOUGH_SAMPLES = 30
"""Fewer samples are no test: a mean error of 30 is uncertain by a quarter already (sqrt(2 / 30))."""

SAME = 0.05
"""Losses within 5 % of each other count as equal: retraining with another seed makes as much difference."""

COPIED = 0.1
"""A forecast copies the last value where it strays from it, squared, by less than a tenth of what the truth does, and
of what the last value itself varies: beside small inputs every forecast near 0 would be a copy."""

SCALES_APART = 100.0
"""Two orders of magnitude: the larger input then dominates every sum, and its weights' gradients are as much larger."""

LARGE_INPUT = 100.0
"""Weights start for inputs near 1: at 100 times that, tanh is saturated and relu's outputs are as much too large."""


def scale_findings(x: Measured) -> Iterator[Finding]:
    """Yield what is worth knowing about an input."""
    rows, where = x.rows, x.name
    counts = np.maximum((rows != 0).sum(axis=0), 1)
    sizes = np.sqrt((rows**2).sum(axis=0) / counts)  # of values that are not 0: rare events are not small ones
    used = np.flatnonzero(sizes)
    if not len(used):
        return
    small, large = used[np.argmin(sizes[used])], used[np.argmax(sizes[used])]
    numbers = {"largest": float(sizes[large]), "smallest": float(sizes[small])}
    if sizes[large] > SCALES_APART * sizes[small]:
        yield Finding(
            "warning",
            "input scales",
            where,
            f"The inputs lie on scales that differ by {np.log10(sizes[large] / sizes[small]):.1f} orders of magnitude: "
            f"typical values of feature {large} are {sizes[large]:.3g}, those of feature {small} are "
            f"{sizes[small]:.3g}. Bring each to mean 0 and standard deviation 1.",
            numbers,
        )
    elif sizes[large] > LARGE_INPUT:
        yield Finding(
            "warning",
            "large inputs",
            where,
            f"Typical inputs are as large as {sizes[large]:.3g} (feature {large}). Bring them to mean 0 and standard "
            "deviation 1.",
            numbers,
        )


def forecast_findings(
    loss: losses.Loss | None,
    inputs: Sequence[Measured],
    y: Array,
    predicted: Array,
    mask: Array | None = None,
    where: str = "",
) -> Iterator[Finding]:
    """Yield how one output compares with baselines on the same samples, judged by the model's own loss.

    Parameters
    ----------
    loss : Loss or None
    inputs : sequence of Measured
        Those that a baseline may read.
    y, predicted : ndarray
    mask : ndarray of bool, shape (samples, timesteps), optional
        Which outputs count.
    where : str
        Which output it is, where there are several.
    """
    judged = isinstance(loss, REGRESSION) or type(loss) in CLASSIFICATION
    targets = predicted[..., 0] if isinstance(loss, losses.SparseCategoricalCrossentropy) else predicted
    if not judged or len(y) < ENOUGH_SAMPLES or y.size != targets.size:
        return
    task = Task(loss, inputs, y, predicted, mask)
    if not len(task.y):
        return
    copied = [value for value in task.last if _copies(task, value)]
    for value in copied[:1]:
        ours, theirs = task.score(task.predicted), task.score(value)
        yield Finding(
            "warning",
            "copies the last value",
            f"forecast{where}",
            f"The forecast is the last value of the input, again: it strays from it by "
            f"{_rms(task.predicted - value):.3g} where the truth does by {_rms(task.y - value):.3g} (root mean "
            f"square). Its loss is {ours:.4g}, that of repeating the last value {theirs:.4g}. In a picture it lags one "
            "step behind.",
            {"loss": ours, "loss of the last value": theirs},
        )
    yield from _beside_baselines(task, bool(copied), f"loss{where}")


def _beside_baselines(task: Task, copied: bool, where: str) -> Iterator[Finding]:
    scores, line = task.simple(), task.line()
    best_simple = min(scores.values())
    if line is not None:
        scores["the best straight line through the inputs"] = line
    best = min(scores, key=scores.__getitem__)
    ours, theirs = task.score(task.predicted), scores[best]
    numbers = {"loss": ours, **scores}
    if ours > (1 + SAME) * theirs:
        beaten = "warning" if ours > (1 + SAME) * best_simple else "note"
        yield Finding(
            beaten,  # type: ignore[arg-type]
            "worse than a baseline",
            where,
            f"The loss on this data is {ours:.4g}; {best} {_reach(best)} {theirs:.4g} without a network. Train longer, "
            "or look at the other findings.",
            numbers,
        )
    elif ours > (1 - SAME) * theirs and not copied:
        yield Finding(
            "note",
            "noise floor of a baseline",
            where,
            f"The loss on this data, {ours:.4g}, is that of {best}, {theirs:.4g}, to within {percent(SAME)}: so far "
            "the network has found nothing that this does not know. If longer training does not change that, what is "
            "left may be noise, and more of it only learns the noise.",
            numbers,
        )


def _reach(baseline: str) -> str:
    return "reach" if baseline.endswith("classes") else "reaches"


def _copies(task: Task, last: Array) -> bool:
    strays = _rms(task.predicted - last) ** 2
    return strays < COPIED * min(_rms(task.y - last) ** 2, float(last.var()))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
