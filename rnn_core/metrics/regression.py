"""Metrics for numbers that are no mean of a loss: root mean squared error, cosine similarity, R squared.

Source: ``keras/src/metrics/regression_metrics.py``.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from rnn_core import checks, losses
from rnn_core.losses.shapes import apply_mask, check_targets, fit_weights
from rnn_core.metrics.base import Array, MeanMetricWrapper, Metric, RunningMean


class RootMeanSquaredError(RunningMean):
    """sqrt(mean((p - y)^2)): the mean is taken over all samples of all batches, then the root.

    Examples
    --------
    >>> RootMeanSquaredError()([[0.0], [0.0]], [[1.0], [7.0]])
    5.0
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Add a batch; places where `mask` is False weigh nothing (Keras does not look at the mask here)."""
        y, p = _matched(self, y_true, y_pred)
        self.add(np.square(p - y), apply_mask(self.name, sample_weight, mask, p.dtype))

    def result(self) -> float:
        """Return the root of the mean."""
        return math.sqrt(super().result())


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between y and p, 1 for the same direction; the LOSS of this name is its negative.

    Parameters
    ----------
    axis : int
        The axis of the vectors.

    Examples
    --------
    >>> round(CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]), 4)
    0.5
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(_cosine, name, dtype, axis=checks.integer("CosineSimilarity", "axis", axis))


class R2Score(Metric):
    """R^2 = 1 - sum w (y - p)^2 / sum w (y - m)^2 with m the weighted mean of y: the share of variance explained.

    1 for a perfect prediction, 0 for one as good as the mean. One R^2 for each output, combined as
    `class_aggregation` says. The sums that give m and the variance are added up batch by batch.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        None returns one value for each output.
    num_regressors : int
        p > 0 gives the adjusted R^2 = 1 - (1 - R^2) (n - 1) / (n - p - 1), with n the number of targets.

    Raises
    ------
    ValueError
        For an unknown aggregation, a negative number of regressors, or data that is not (batch, outputs).

    Notes
    -----
    n counts every output of a sample, as in Keras, so it is the number of samples for a single output only.

    Examples
    --------
    >>> round(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]), 4)
    0.5714
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if class_aggregation is not None:
            known = ("uniform_average", "variance_weighted_average")
            checks.one_of("R2Score", "class_aggregation", class_aggregation, known)
        self.class_aggregation = class_aggregation
        self.num_regressors = checks.positive_int("R2Score", "num_regressors", num_regressors, 0)
        self.reset_state()

    def reset_state(self) -> None:
        """Start anew."""
        self.squared_sum = self.sum = self.residual = self.count = np.zeros(())  # one number for each output
        self.num_samples = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Add a batch of shape (batch, outputs); weights of shape (batch,) or (batch, outputs)."""
        y, p = _matched(self, y_true, y_pred)
        if y.ndim != 2:
            raise ValueError(f"R2Score expects (batch, outputs), got y_pred of shape {p.shape}.")
        weights = apply_mask(self.name, sample_weight, mask, p.dtype)
        w = np.ones(()) if weights is None else weights
        w, _ = fit_weights(self.name, w[:, None] if w.ndim == 1 else w, y.shape)
        y, p, w = (np.broadcast_to(a, y.shape).astype("float64") for a in (y, p, w))
        self.squared_sum = self.squared_sum + (w * y * y).sum(axis=0)
        self.sum = self.sum + (w * y).sum(axis=0)
        self.residual = self.residual + (w * (y - p) ** 2).sum(axis=0)
        self.count = self.count + w.sum(axis=0)
        self.num_samples += y.size

    def result(self) -> Any:
        """Return R^2; 0 for an output whose target never changes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.squared_sum - self.sum * (self.sum / self.count)
            scores = np.asarray(1 - self.residual / total)
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = (total * scores).sum() / total.sum()
        scores = self._adjusted(scores)
        return scores if np.ndim(scores) else float(scores)

    def _adjusted(self, score: Any) -> Any:
        """Return the adjusted R^2 if there are regressors, and samples enough."""
        n, p = self.num_samples, self.num_regressors
        if p == 0:
            return score
        if p >= n - 1:
            warnings.warn(
                f"R2Score: {p} regressors need more than {p + 1} targets to adjust the score, got {n}; "
                "it is not adjusted.",
                stacklevel=3,
            )
            return score
        return 1 - (1 - score) * (n - 1) / (n - p - 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }


def _cosine(y_true: Any, y_pred: Any, axis: int) -> Array:
    return -losses.cosine_similarity(y_true, y_pred, axis)


def _matched(metric: Metric, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return targets and outputs as floats in the same shape."""
    p = metric.as_floats(y_pred)
    y = np.asarray(y_true, p.dtype)
    y_shape, p_shape = check_targets(metric.name, y.shape, p.shape)
    return y.reshape(y_shape), p.reshape(p_shape)
