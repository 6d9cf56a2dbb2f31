"""Findings about the data, and about the forecast beside predictors that need no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core import losses
from rnn_core.inspection.diagnosis.findings import Finding, percent

Array = NDArray[Any]

REGRESSION = (
    losses.MeanSquaredError,
    losses.MeanAbsoluteError,
    losses.MeanAbsolutePercentageError,
    losses.MeanSquaredLogarithmicError,
    losses.Huber,
    losses.LogCosh,
)
"""Losses whose targets are values that a baseline can predict."""

ENOUGH_SAMPLES = 30
"""Fewer samples are no test: a mean error of 30 is uncertain by a quarter already (sqrt(2 / 30))."""

SAMPLES_FOR_EACH_COEFFICIENT = 10
"""A line through fewer samples than these for each of its coefficients fits their noise, and would look too good."""

SAME = 0.05
"""Losses within 5 % of each other count as equal: retraining with another seed makes as much difference."""

COPIED = 0.1
"""A forecast copies the last value where it strays from it, squared, by less than a tenth of what the truth does."""

SCALES_APART = 100.0
"""Two orders of magnitude: the larger input then dominates every sum, and its weights' gradients are as much larger."""

LARGE_INPUT = 100.0
"""Weights start for inputs near 1: at 100 times that, tanh is saturated and relu's outputs are as much too large."""


def scale_findings(x: Array, where: str = "x") -> Iterator[Finding]:
    """Yield what is worth knowing about the inputs, (samples, ..., features)."""
    rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
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
    loss: losses.Loss | None, inputs: Sequence[Array], y: Array, predicted: Array, where: str = ""
) -> Iterator[Finding]:
    """Yield how one output compares with baselines on the same samples, judged by the model's own loss.

    Parameters
    ----------
    loss : Loss or None
    inputs : sequence of ndarray
        Those that a baseline may read.
    y, predicted : ndarray
    where : str
        Which output it is, where there are several.
    """
    if not isinstance(loss, REGRESSION) or len(y) < ENOUGH_SAMPLES or y.size != predicted.size:
        return
    y, predicted = y.reshape(predicted.shape), predicted.astype(np.float64)

    def score(values: Array) -> float:
        return float(np.mean(loss.call(y, np.broadcast_to(values, y.shape))))

    y = y.astype(np.float64)
    last = [value for x in inputs for value in _last_values(x, y)]
    copied = [value for value in last if _copies(y, predicted, value)]
    for value in copied[:1]:
        ours, theirs = score(predicted), score(value)
        yield Finding(
            "warning",
            "copies the last value",
            f"forecast{where}",
            f"The forecast is the last value of the input, again: it strays from it by {_rms(predicted - value):.3g} "
            f"where the truth does by {_rms(y - value):.3g} (root mean square). Its loss is {ours:.4g}, that of "
            f"repeating the last value {theirs:.4g}. In a picture it lags one step behind.",
            {"loss": ours, "loss of the last value": theirs},
        )
    yield from _beside_baselines(score, inputs, y, predicted, last, bool(copied), f"loss{where}")


def _beside_baselines(
    score: Any, inputs: Sequence[Array], y: Array, predicted: Array, last: list[Array], copied: bool, where: str
) -> Iterator[Finding]:
    line = _line(inputs, y)
    simple = {
        "the mean of the targets": [y.mean(axis=0)],
        "the last value": last,
        "the mean of the window": [mean for x in inputs for mean in _means(x, y)],
    }
    scores = {name: min(map(score, values)) for name, values in simple.items() if values}
    best_simple = min(scores.values())
    if line is not None:
        scores["the best straight line through the inputs"] = score(line)
    best = min(scores, key=scores.__getitem__)
    ours, theirs = score(predicted), scores[best]
    numbers = {"loss": ours, **scores}
    if ours > (1 + SAME) * theirs:
        beaten = "warning" if ours > (1 + SAME) * best_simple else "note"
        yield Finding(
            beaten,  # type: ignore[arg-type]
            "worse than a baseline",
            where,
            f"The loss on this data is {ours:.4g}; {best} reaches {theirs:.4g} without a network. Train longer, or "
            "look at the other findings.",
            numbers,
        )
    elif ours > (1 - SAME) * theirs and not (copied and best == "the last value"):
        yield Finding(
            "note",
            "noise floor of a baseline",
            where,
            f"The loss on this data, {ours:.4g}, is that of {best}, {theirs:.4g}, to within {percent(SAME)}: the "
            "network has found nothing that this does not know. What is left may be noise, and more training then "
            "only learns the noise.",
            numbers,
        )


def _windows(x: Array) -> list[Array]:
    """Return the series that the inputs may be windows of, each (samples, timesteps): see ``series.Windows``."""
    if x.ndim == 2:
        return [x]
    return [x[:, 0]] if x.shape[1] == 1 else [x[:, :, feature] for feature in range(x.shape[2])]


def _last_values(x: Array, y: Array) -> list[Array]:
    """Return what repeating the last value predicts, for each feature that may be the one to predict."""
    if y.ndim == 3:  # a target for each time step: the value of that step
        return [x[..., [feature]] for feature in range(x.shape[-1])] if x.shape[:2] == y.shape[:2] else []
    return [window[:, -1:] for window in _windows(x)] if y.ndim == 2 and x.ndim < 4 else []


def _means(x: Array, y: Array) -> list[Array]:
    return [window.mean(axis=1, keepdims=True) for window in _windows(x)] if y.ndim == 2 and x.ndim < 4 else []


def _line(inputs: Sequence[Array], y: Array) -> Array | None:
    """Return c + W x by least squares, or None where there are too few samples for it."""
    if not inputs:
        return None
    design = np.column_stack([np.ones(len(y)), *(x.reshape(len(y), -1) for x in inputs)]).astype(np.float64)
    if y.ndim != 2 or len(y) < SAMPLES_FOR_EACH_COEFFICIENT * design.shape[1]:
        return None
    return np.asarray(design @ np.linalg.lstsq(design, y)[0])


def _copies(y: Array, predicted: Array, last: Array) -> bool:
    moved = np.broadcast_to(y - last, y.shape)
    return _rms(predicted - last) ** 2 < COPIED * _rms(moved) ** 2


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
