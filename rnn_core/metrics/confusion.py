"""Metrics that count: true and false positives and negatives, precision, recall, and the area under a curve.

Outputs p are probabilities; an output is a positive where p is above a threshold. With targets y of 0 and 1,
weights w, and for every threshold t

    TP = sum w [y = 1, p > t]      FP = sum w [y = 0, p > t]
    FN = sum w [y = 1, p <= t]     TN = sum w [y = 0, p <= t]

Source: ``keras/src/metrics/confusion_metrics.py``, ``metrics_utils.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.losses.base import EPSILON
from rnn_core.losses.classification import sigmoid
from rnn_core.losses.shapes import apply_mask, check_targets, fit_weights
from rnn_core.metrics.base import Array, Metric

Thresholds = float | Sequence[float] | None


class ConfusionMetric(Metric):
    """What these metrics share: the four counts, one for every threshold.

    Parameters
    ----------
    thresholds : list of float
        In any order; each is compared with the outputs.
    """

    def __init__(self, thresholds: Sequence[float], name: str | None, dtype: Any) -> None:
        super().__init__(dtype, name)
        self.limits = np.asarray(thresholds, "float64")
        self.reset_state()

    def reset_state(self) -> None:
        """Start counting anew."""
        self.true_positives = np.zeros(len(self.limits))
        self.false_positives = np.zeros(len(self.limits))
        self.false_negatives = np.zeros(len(self.limits))
        self.true_negatives = np.zeros(len(self.limits))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Add a batch; weights of shape (batch,), or with more of the axes of `y_pred`."""
        p = self.as_floats(y_pred)
        y = np.asarray(y_true)
        y_shape, p_shape = check_targets(self.name, y.shape, p.shape)
        weights = apply_mask(self.name, sample_weight, mask, p.dtype)
        if weights is not None and 0 < weights.ndim < len(p_shape):
            weights = weights.reshape(weights.shape + (1,) * (len(p_shape) - weights.ndim))
        self._count(y.reshape(y_shape) != 0, p.reshape(p_shape), weights)

    def _count(self, y: Array, p: Array, weights: Array | None) -> None:
        """Add the counts of targets y (bool) and outputs p."""
        w = np.ones(()) if weights is None else fit_weights(self.name, weights, p.shape)[0]
        w = np.broadcast_to(w, p.shape).ravel()
        limits = self.limits.astype(p.dtype)
        # An output is above the first `above` of the sorted limits; a sum from the right counts them for each.
        order = np.argsort(limits, kind="stable")
        above = np.searchsorted(limits[order], p.ravel(), side="left")
        positives, negatives = w * y.ravel(), w * ~y.ravel()
        for weight, over, under in (
            (positives, self.true_positives, self.false_negatives),
            (negatives, self.false_positives, self.true_negatives),
        ):
            bins = np.bincount(above, weight, len(limits) + 1)
            counts = bins[::-1].cumsum()[::-1][1:]
            over[order] += counts
            under[order] += bins.sum() - counts

    def _single(self, values: Array) -> Any:
        """Return a number for one threshold, else the array."""
        return float(values[0]) if len(values) == 1 else values


class _Counter(ConfusionMetric):
    """One of the four counts.

    Parameters
    ----------
    thresholds : float or list of float, optional
        From 0 to 1; default 0.5. With a list the result is an array.
    """

    def __init__(self, thresholds: Thresholds = None, name: str | None = None, dtype: Any = None) -> None:
        self.thresholds = thresholds
        super().__init__(_thresholds(type(self).__name__, thresholds), name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"thresholds": self.thresholds}


class TruePositives(_Counter):
    """sum w [y = 1, p > t].

    Examples
    --------
    >>> TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
    2.0
    """

    def result(self) -> Any:
        """Return the count."""
        return self._single(self.true_positives)


class FalsePositives(_Counter):
    """sum w [y = 0, p > t]."""

    def result(self) -> Any:
        """Return the count."""
        return self._single(self.false_positives)


class FalseNegatives(_Counter):
    """sum w [y = 1, p <= t]."""

    def result(self) -> Any:
        """Return the count."""
        return self._single(self.false_negatives)


class TrueNegatives(_Counter):
    """sum w [y = 0, p <= t]."""

    def result(self) -> Any:
        """Return the count."""
        return self._single(self.true_negatives)


class _Ratio(ConfusionMetric):
    """TP over a sum that contains it; :class:`Precision` lists the parameters."""

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        self.thresholds = thresholds
        self.top_k = None if top_k is None else checks.positive_int(owner, "top_k", top_k)
        self.class_id = None if class_id is None else checks.positive_int(owner, "class_id", class_id, 0)
        super().__init__(_thresholds(owner, thresholds, 0.5 if top_k is None else -1e10), name, dtype)

    def _count(self, y: Array, p: Array, weights: Array | None) -> None:
        if self.top_k is not None:
            rank = np.argsort(np.argsort(-p, axis=-1, kind="stable"), axis=-1)
            p = np.where(rank < self.top_k, p, -1e10)
        if self.class_id is not None:
            at = slice(self.class_id, self.class_id + 1)
            if p.ndim < 2 or self.class_id >= p.shape[-1]:
                raise ValueError(f"{self.name}: there is no class_id={self.class_id} in y_pred of shape {p.shape}.")
            y, p = y[..., at], p[..., at]
        super()._count(y, p, weights)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "thresholds": self.thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(_Ratio):
    """TP / (TP + FP): how many of the positives found are right; 0 if none was found.

    Parameters
    ----------
    thresholds : float or list of float, optional
        From 0 to 1; default 0.5, or none with `top_k`. With a list the result is an array.
    top_k : int, optional
        Only the k largest outputs of a sample can be positives.
    class_id : int, optional
        Look at this output only.

    Examples
    --------
    >>> round(Precision()([0, 1, 1, 1], [1, 0, 1, 1]), 4)
    0.6667
    """

    def result(self) -> Any:
        """Return the ratio."""
        return self._single(_divide(self.true_positives, self.true_positives + self.false_positives))


class Recall(_Ratio):
    """TP / (TP + FN): how many of the positives were found; 0 if there are none. Arguments as for `Precision`.

    Examples
    --------
    >>> round(Recall()([0, 1, 1, 1], [1, 0, 1, 1]), 4)
    0.6667
    """

    def result(self) -> Any:
        """Return the ratio."""
        return self._single(_divide(self.true_positives, self.true_positives + self.false_negatives))


class AUC(ConfusionMetric):
    """The area under the ROC curve (recall over FP / (FP + TN)) or under the PR curve (precision over recall).

    The curve is sampled at `num_thresholds` thresholds, evenly spaced from 0 to 1, or at those given.

    Parameters
    ----------
    num_thresholds : int
        At least 2.
    curve : {"ROC", "PR"}
    summation_method : {"interpolation", "minoring", "majoring"}
        The height of the curve between two thresholds: the mean, the smaller or the larger end. For PR,
        "interpolation" lets TP and FP grow in proportion instead (J. Davis and M. Goadrich, The relationship between
        precision-recall and ROC curves, 2006, section 4).
    thresholds : list of float, optional
        From 0 to 1, instead of `num_thresholds`.
    multi_label, num_labels, label_weights
        Not supported: all outputs are counted together.
    from_logits : bool
        Outputs are logits; thresholds are compared with their sigmoid.

    Raises
    ------
    ValueError
        For other values, and for what is not supported.

    Examples
    --------
    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        if multi_label or num_labels or label_weights is not None:
            raise ValueError("AUC: multi_label, num_labels and label_weights are not supported.")
        self.curve = checks.one_of("AUC", "curve", str(curve).upper(), ("ROC", "PR"))
        methods = ("interpolation", "minoring", "majoring")
        self.summation_method = checks.one_of("AUC", "summation_method", str(summation_method).lower(), methods)
        self.from_logits = checks.boolean("AUC", "from_logits", from_logits)
        self.thresholds = None if thresholds is None else sorted(_thresholds("AUC", thresholds))
        if self.thresholds is None:
            n = checks.positive_int("AUC", "num_thresholds", num_thresholds, 2)
            inner = [i / (n - 1) for i in range(1, n - 1)]
        else:
            inner = self.thresholds
        self.num_thresholds = len(inner) + 2
        # The ends lie just outside 0 and 1: everything is above the first, nothing above the last.
        super().__init__([-EPSILON, *inner, 1 + EPSILON], name, dtype)

    def _count(self, y: Array, p: Array, weights: Array | None) -> None:
        super()._count(y, np.clip(sigmoid(p) if self.from_logits else p, 0, 1), weights)

    def result(self) -> float:
        """Return the area."""
        recall = _divide(self.true_positives, self.true_positives + self.false_negatives)
        if self.curve == "ROC":
            x, height = _divide(self.false_positives, self.false_positives + self.true_negatives), recall
        elif self.summation_method == "interpolation":
            return self._interpolated_pr()
        else:
            x, height = recall, _divide(self.true_positives, self.true_positives + self.false_positives)
        left, right = height[:-1], height[1:]
        heights = {
            "interpolation": (left + right) / 2,
            "minoring": np.minimum(left, right),
            "majoring": np.maximum(left, right),
        }[self.summation_method]
        return float(((x[:-1] - x[1:]) * heights).sum())

    def _interpolated_pr(self) -> float:
        """Return the area under precision(recall) where, between thresholds, TP = slope * P + intercept.

        With P = TP + FP, precision is slope + intercept / P, and its integral over TP, between thresholds A and B,
        is slope (TP_A - TP_B + intercept log(P_A / P_B)); without a P_B the intercept is 0.
        """
        tp, p = self.true_positives, self.true_positives + self.false_positives
        d_tp, d_p = tp[:-1] - tp[1:], p[:-1] - p[1:]
        slope = _divide(d_tp, d_p)
        intercept = tp[1:] - slope * p[1:]
        both = (p[:-1] > 0) & (p[1:] > 0)
        log_ratio = np.log(np.where(both, _divide(p[:-1], p[1:]), 1))
        positives = tp[1:] + self.false_negatives[1:]
        return float(_divide(slope * (d_tp + intercept * log_ratio), positives).sum())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config() | {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "from_logits": self.from_logits,
        }
        return config if self.thresholds is None else config | {"thresholds": self.thresholds}


def _thresholds(owner: str, given: Thresholds, default: float = 0.5) -> list[float]:
    """Return thresholds as a list, each from 0 to 1."""
    if given is None:
        return [default]
    values = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    return [checks.real(owner, "thresholds", value, 0, 1) for value in values]


def _divide(a: Array, b: Array) -> Array:
    """Return a / b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)
