"""What can be predicted without a network, and how well: the rows that count, and simple answers for them.

Every target that counts is a row: a sample, or one real time step of a sample where there is a target for each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_core import losses
from rnn_core.losses.base import EPSILON

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

CLASSIFICATION = losses.BinaryCrossentropy, losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy
"""Losses that, of all constant answers, the shares of the classes make smallest."""

SAMPLES_FOR_EACH_COEFFICIENT = 10
"""A line through fewer samples than these for each of its coefficients fits their noise, and would look too good."""


class Measured(NamedTuple):
    """An input that holds measurements.

    Attributes
    ----------
    name : str
    values : ndarray, shape (samples, ..., features)
    real : ndarray of bool, shape (samples, timesteps), or None
        Which time steps are real, where the model masks some.
    """

    name: str
    values: Array
    real: Array | None = None

    @property
    def rows(self) -> Array:
        """The values that are real, (rows, features)."""
        x = self.values if self.real is None else self.values[self.real]
        return x.reshape(-1, x.shape[-1]).astype(np.float64)


class Task:
    """One output with its targets, as far as they count.

    Attributes
    ----------
    y, predicted : ndarray, shape (rows, outputs); y (rows,) where it is the number of a class
    last : list of ndarray, each (rows, 1)
        What repeating the last value predicts, for each feature that may be the one to predict.
    """

    def __init__(self, loss: Any, inputs: Sequence[Measured], y: Array, predicted: Array, mask: Array | None) -> None:
        places = predicted.shape[:-1]
        sparse = isinstance(loss, losses.SparseCategoricalCrossentropy)
        y = y.reshape(places if sparse else predicted.shape)
        real = np.ones(places, bool) if mask is None or mask.shape != places else mask
        if sparse and loss.ignore_class is not None:
            real = real & (y != loss.ignore_class)
        self.loss, self.real, self.per_step = loss, real, len(places) == 2
        self.y, self.predicted = y[real].astype(np.float64), predicted[real].astype(np.float64)
        self.inputs = [one for one in inputs if len(places) == 1 or one.values.shape[:-1] == places]
        self._targets = y
        self.last = [] if type(loss) in CLASSIFICATION else [v for one in self.inputs for v in self._last(one)]

    def score(self, values: Array) -> float:
        """Return the loss of an answer, (rows, outputs) or what broadcasts to it."""
        return float(np.mean(self.loss.call(self.y, np.broadcast_to(values, self.predicted.shape))))

    def simple(self) -> dict[str, float]:
        """Return the losses of answers that take no fitting, by name."""
        if type(self.loss) in CLASSIFICATION:
            return {"the shares of the classes": self.score(self._shares())}
        answers = {
            "the mean of the targets": [self._mean()],
            "the last value": self.last,
            "the mean of the window": [v for one in self.inputs for v in self._means(one)],
        }
        return {name: min(map(self.score, values)) for name, values in answers.items() if values}

    def line(self) -> float | None:
        """Return the loss of c + W x by least squares; None for classes, and where there are too few samples for it."""
        if type(self.loss) in CLASSIFICATION or not self.inputs:
            return None
        design = np.column_stack([np.ones(len(self.y)), *map(self._as_rows, self.inputs)])
        if len(self.y) < SAMPLES_FOR_EACH_COEFFICIENT * design.shape[1]:
            return None
        return self.score(design @ np.linalg.lstsq(design, self.y)[0])

    def _as_rows(self, one: Measured) -> Array:
        """What a row may be computed from: that step's inputs, or all of the sample's, 0 where they are not real."""
        x = one.values.astype(np.float64)
        if self.per_step:
            return np.asarray(x[self.real])
        return (x if one.real is None else x * one.real[:, :, None]).reshape(len(x), -1)

    def _mean(self) -> Array:
        """The mean of the targets, of each step by itself."""
        y = self._targets.astype(np.float64)
        count = np.maximum(self.real.sum(axis=0), 1)[..., None]
        mean = np.where(self.real[..., None], y, 0).sum(axis=0) / count
        return np.asarray(np.broadcast_to(mean, y.shape)[self.real])

    def _last(self, one: Measured) -> list[Array]:
        if self.per_step:
            return [column[:, None] for column in one.values[self.real].T]
        rows = np.arange(len(self.y))
        return [window[rows, last][:, None] for window, real in _windows(one) for last in [_last_real(real)]]

    def _means(self, one: Measured) -> list[Array]:
        if self.per_step:
            return []
        return [
            np.where(real, window, 0).sum(axis=1, keepdims=True) / np.maximum(real.sum(axis=1, keepdims=True), 1)
            for window, real in _windows(one)
        ]

    def _shares(self) -> Array:
        """The shares of the classes, as the model would put them out."""
        if isinstance(self.loss, losses.SparseCategoricalCrossentropy):
            shares = np.bincount(self.y.astype(int), minlength=self.predicted.shape[-1]) / len(self.y)
        else:
            shares = self.loss.smooth(self.y).mean(axis=0)
        if not self.loss.from_logits:
            return np.asarray(shares)
        shares = np.clip(shares, EPSILON, 1 - EPSILON)
        binary = isinstance(self.loss, losses.BinaryCrossentropy)
        return np.log(shares / (1 - shares)) if binary else np.log(shares)


def _windows(one: Measured) -> list[tuple[Array, Array]]:
    """Return the series that the inputs may be windows of, and what is real: (samples, timesteps) each."""
    x = one.values
    if x.ndim > 3:
        return []
    found = [x] if x.ndim == 2 else [x[:, 0]] if x.shape[1] == 1 else [x[:, :, i] for i in range(x.shape[2])]
    real = np.ones(found[0].shape, bool) if one.real is None or x.shape[1] == 1 else one.real
    return [(window, real) for window in found]


def _last_real(real: Array) -> Array:
    """Return the last real step of each sample, (samples,); the last one where none is."""
    return np.asarray(real.shape[1] - 1 - real[:, ::-1].argmax(axis=1))
