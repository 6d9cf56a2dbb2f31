"""Cross-entropies: y names classes, p holds their probabilities, or their logits x with ``from_logits=True``.

A logit x becomes a probability by the sigmoid (a class or not) or the softmax (one of several classes).
Starting from logits is exact. Probabilities are clipped to [eps, 1 - eps], eps = 1e-7; where the clip acts
the derivative is 0: an output that is saturated and wrong learns nothing. So training goes back from probabilities to
the logits that a model made them from, where it can: :mod:`rnn_core.engine.logits`.

Formulas, constants and clips are Keras', ``keras/src/losses/losses.py`` and ``keras/src/backend/*/nn.py``.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rnn_core import checks
from rnn_core.losses.base import EPSILON, BuiltInLoss, ElementwiseLoss
from rnn_core.losses.shapes import Array, Shape


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), written so that nothing overflows."""
    z = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, z, 1) / (1 + z))


def softmax(x: Array, axis: int = -1) -> Array:
    """Return exp(x) / sum exp(x), written so that nothing overflows: to the last digits, as exp(log_softmax) is not."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def log_softmax(x: Array, axis: int = -1) -> Array:
    """Return log(exp(x) / sum exp(x)), written so that nothing overflows."""
    x = x - x.max(axis=axis, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=axis, keepdims=True)))


def clip(p: Array) -> Array:
    """Return p clipped to [eps, 1 - eps]."""
    return np.clip(p, EPSILON, 1 - EPSILON)


class BinaryCrossentropy(ElementwiseLoss):
    """Probabilities: e = -y log p - (1 - y) log(1 - p),  e' = (p - y) / (p (1 - p)).

    Logits: e = log(1 + exp(x)) - x y,  e' = sigmoid(x) - y.

    Parameters
    ----------
    from_logits : bool
    label_smoothing : float
        From 0 to 1: s moves targets to y (1 - s) + s / 2.
    axis : int
        The axis of the mean.

    Raises
    ------
    ValueError
        If `label_smoothing` is outside 0 to 1.

    Examples
    --------
    >>> BinaryCrossentropy(reduction=None)([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).round(3)
    array([0.916, 0.714])
    >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4)
    0.6931
    """

    settings: tuple[str, ...] = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        owner = type(self).__name__
        self.from_logits = checks.boolean(owner, "from_logits", from_logits)
        self.label_smoothing = checks.real(owner, "label_smoothing", label_smoothing, 0, 1)
        self.axis = checks.integer(owner, "axis", axis)

    def smooth(self, y: Array) -> Any:
        """Return the targets, drawn towards 1/2."""
        return y * (1 - self.label_smoothing) + self.label_smoothing / 2 if self.label_smoothing else y

    def element(self, y: Array, p: Array) -> Any:
        """Return -log of the probability given to the target."""
        y = self.smooth(y)
        if self.from_logits:
            return np.logaddexp(0, p) - p * y
        p = clip(p)
        return -y * np.log(p) - (1 - y) * np.log(1 - p)

    def slope(self, y: Array, p: Array) -> Any:
        """Return p - y, over p (1 - p) unless p comes from logits."""
        y = self.smooth(y)
        if self.from_logits:
            return sigmoid(p) - y
        c = clip(p)
        return (c - y) / (c * (1 - c)) * (c == p)


class CategoricalCrossentropy(BuiltInLoss):
    """The cross-entropy of one-hot targets, or of targets that are themselves probabilities.

    Probabilities: l = -sum_i y_i log q_i with q = p / s, s = sum_i p_i

        dl / dp_j = (g_j - sum_i g_i q_i) / s,  g = dl / dq = -y / q

    Logits: l = -sum_i y_i log softmax(x)_i

        dl / dx_j = softmax(x)_j sum_i y_i - y_j

    Parameters
    ----------
    from_logits : bool
    label_smoothing : float
        From 0 to 1: s moves targets to y (1 - s) + s / C, with C the length of the LAST axis, as in Keras.
    axis : int
        The axis of the classes.

    Raises
    ------
    ValueError
        If `label_smoothing` is outside 0 to 1.

    Examples
    --------
    >>> y_true, y_pred = [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    >>> CategoricalCrossentropy(reduction=None)(y_true, y_pred).round(4)
    array([0.0513, 2.3026])
    """

    settings: tuple[str, ...] = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        owner = type(self).__name__
        self.from_logits = checks.boolean(owner, "from_logits", from_logits)
        self.label_smoothing = checks.real(owner, "label_smoothing", label_smoothing, 0, 1)
        self.axis = checks.integer(owner, "axis", axis)

    def check_shapes(self, y_true_shape: Shape, y_pred_shape: Shape) -> tuple[Shape, Shape]:
        """Return the shapes; warn, as Keras does, of a single class, whose probability is always 1."""
        if y_pred_shape[-1] == 1:
            warnings.warn(
                f"{self.name}: y_pred of shape {tuple(y_pred_shape)} holds one class, so the loss is "
                "always 0. For two classes in one output use binary_crossentropy.",
                SyntaxWarning,
                stacklevel=2,
            )
        return super().check_shapes(y_true_shape, y_pred_shape)

    def smooth(self, y: Array) -> Any:
        """Return the targets, drawn towards the uniform distribution."""
        s = self.label_smoothing
        return y * (1 - s) + s / y.shape[-1] if s else y

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return -sum y log q."""
        y = self.smooth(y_true)
        if self.from_logits:
            return np.asarray(-(y * log_softmax(y_pred, self.axis)).sum(axis=self.axis))
        q = y_pred / y_pred.sum(axis=self.axis, keepdims=True)
        return np.asarray(-(y * np.log(clip(q))).sum(axis=self.axis))

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return dl / dp, or dl / dx."""
        y = self.smooth(y_true)
        if self.from_logits:
            return np.asarray(softmax(y_pred, self.axis) * y.sum(axis=self.axis, keepdims=True) - y)
        s = y_pred.sum(axis=self.axis, keepdims=True)
        q = y_pred / s
        c = clip(q)
        g = -y / c * (c == q)
        return np.asarray((g - (g * q).sum(axis=self.axis, keepdims=True)) / s)


class SparseCategoricalCrossentropy(BuiltInLoss):
    """l = -log softmax(x)_k for the class k = y;  dl / dx_j = softmax(x)_j - (j = k).

    Probabilities: the same with x = log p, p clipped, so that dl / dp_j = dl / dx_j / p_j.

    Targets are integers of shape ``y_pred.shape[:-1]``, or with a last axis of length 1.

    Parameters
    ----------
    from_logits : bool
    ignore_class : int, optional
        Targets of this class are left out: the loss is the mean over the others.
    axis : int
        The axis of the classes. Only the last one, as with Keras on TensorFlow.

    Raises
    ------
    ValueError
        If a target is no class number from 0 to C - 1.

    Examples
    --------
    >>> y_pred = [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    >>> SparseCategoricalCrossentropy(reduction=None)([1, 2], y_pred).round(4)
    array([0.0513, 2.3026])
    """

    settings = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        owner = "SparseCategoricalCrossentropy"
        self.from_logits = checks.boolean(owner, "from_logits", from_logits)
        self.ignore_class = None if ignore_class is None else checks.integer(owner, "ignore_class", ignore_class)
        self.axis = checks.integer(owner, "axis", axis)

    def check_shapes(self, y_true_shape: Shape, y_pred_shape: Shape) -> tuple[Shape, Shape]:
        """Return the shape of the classes, ``y_pred_shape[:-1]``, and `y_pred_shape`."""
        y_true_shape, y_pred_shape = tuple(y_true_shape), tuple(y_pred_shape)
        if self.axis not in (-1, len(y_pred_shape) - 1):
            raise ValueError(f"{self.name}: axis must be the last one, -1, got {self.axis}.")
        if len(y_true_shape) == len(y_pred_shape) and y_true_shape[-1] == 1:
            y_true_shape = y_true_shape[:-1]
        if y_true_shape == y_pred_shape and y_true_shape[-1] > 1:
            raise ValueError(
                f"{self.name}: y_true of shape {y_true_shape} has the shape of y_pred. Expected one class "
                f"number a sample, shape {y_pred_shape[:-1]}; one-hot targets take categorical_crossentropy."
            )
        if y_true_shape != y_pred_shape[:-1]:
            raise ValueError(
                f"{self.name}: y_true of shape {y_true_shape} does not match y_pred of shape {y_pred_shape}. "
                f"Expected one class number a sample, shape {y_pred_shape[:-1]}."
            )
        return y_true_shape, y_pred_shape

    def check_values(self, y_true: Array, y_pred_shape: Shape) -> None:
        """Refuse classes that are no whole numbers, or outside the outputs."""
        if (y_true != np.floor(y_true)).any():
            raise ValueError(f"{self.name}: y_true must hold whole class numbers, got {y_true[y_true % 1 != 0][0]}.")
        self._classes(y_true, y_pred_shape[-1])

    def match(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the classes, without a last axis of length 1, and `y_pred`."""
        y_true_shape, _ = self.check_shapes(y_true.shape, y_pred.shape)
        return y_true.reshape(y_true_shape), y_pred

    def valid(self, y_true: Array) -> Array | None:
        """Return where the target is not `ignore_class`."""
        return None if self.ignore_class is None else np.asarray(y_true != self.ignore_class)

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return -log softmax(x) at the target, 0 where it is ignored."""
        classes, valid = self._classes(y_true, y_pred.shape[-1])
        x = y_pred if self.from_logits else np.log(clip(y_pred))
        loss = -np.take_along_axis(log_softmax(x), classes[..., None], axis=-1)[..., 0]
        return loss if valid is None else np.where(valid, loss, 0)

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return softmax(x), less 1 at the target; over p for probabilities."""
        classes, valid = self._classes(y_true, y_pred.shape[-1])
        c = y_pred if self.from_logits else clip(y_pred)
        d = softmax(c) if self.from_logits else c / c.sum(axis=-1, keepdims=True)
        target = classes[..., None]
        np.put_along_axis(d, target, np.take_along_axis(d, target, axis=-1) - 1, axis=-1)
        if not self.from_logits:
            d *= (c == y_pred) / c
        return d if valid is None else np.where(valid[..., None], d, 0)

    def _classes(self, y_true: Array, count: int) -> tuple[Array, Array | None]:
        """Return the targets as integers (ignored ones as 0), and which of them count."""
        valid = self.valid(y_true)
        classes = y_true.astype(np.int64) if valid is None else np.where(valid, y_true, 0).astype(np.int64)
        if classes.size and not (classes.min() >= 0 and classes.max() < count):
            raise ValueError(
                f"{self.name}: y_true must hold class numbers from 0 to {count - 1}, "
                f"got numbers from {classes.min()} to {classes.max()}."
            )
        return classes, valid
