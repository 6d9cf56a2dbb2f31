"""What all losses share: weights, masks, the reduction to one number, and the gradient of that number.

A loss compares targets y with outputs p. Two methods define it, and stand side by side in every class:

    per_sample   l          one number for each sample (and time step): the last axis is averaged or summed
    derivative   dl / dp    one number for each output

The base class does the rest. With weights w (1 where none are given, 0 where a mask is False)

    L = sum(w l) / N        dL / dp = (w / N) dl / dp

where N follows from the reduction (Keras' rules, ``keras/src/losses/loss.py``):

    ========================  ==================================================================
    sum_over_batch_size       the count of l; with a mask, the count of its valid places
    mean                      the same
    mean_with_sample_weight   sum(w)
    sum                       1
    none, None                l is returned as it is: no number to train on
    ========================  ==================================================================
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from rnn_core.config import floatx, standardize_dtype
from rnn_core.losses.shapes import Array, Shape, apply_mask, check_targets, fit_weights
from rnn_core.serialization import snake_case
from rnn_core.unsupported import refuse_overriding

EPSILON = 1e-7  # keras.config.epsilon(): keeps logarithms and divisions finite

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)
_AVERAGES = ("sum_over_batch_size", "mean")


class Loss:
    """The base of all losses, and of your own: define :meth:`per_sample` and :meth:`derivative`.

    Parameters
    ----------
    name : str, optional
        By default the class' name in snake case.
    reduction : {"sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None}
    dtype : {"float32", "float64"}, optional
        What a call computes in; by default what `y_pred` has.

    Raises
    ------
    ValueError
        For an unknown reduction or dtype.

    Examples
    --------
    >>> class Squared(Loss):
    ...     def per_sample(self, y_true, y_pred):
    ...         return ((y_pred - y_true) ** 2).sum(axis=-1)
    ...     def derivative(self, y_true, y_pred):
    ...         return 2 * (y_pred - y_true)
    >>> float(Squared()([[1.0], [2.0]], [[1.0], [5.0]]))
    4.5
    """

    axis = -1  # the axis of the outputs that per_sample takes away
    settings: tuple[str, ...] = ()  # names of the constructor's arguments that belong to the config

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"{type(self).__name__}: reduction must be one of {', '.join(map(repr, REDUCTIONS))}, "
                f"got {reduction!r}."
            )
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction
        self.dtype = None if dtype is None else standardize_dtype(dtype)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_overriding(
            cls, ("call",), "a loss here defines per_sample(y_true, y_pred) and, by hand, derivative(y_true, y_pred)"
        )

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return l, shape ``y_pred.shape`` without the loss's axis; arguments as from :meth:`match`."""
        raise NotImplementedError(f"{type(self).__name__} must define per_sample(y_true, y_pred).")

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return dl / d y_pred, shape ``y_pred.shape``."""
        raise NotImplementedError(f"{type(self).__name__} must define derivative(y_true, y_pred), written by hand.")

    def valid(self, y_true: Array) -> Array | None:
        """Return the loss's own mask, shape of :meth:`per_sample`, if it leaves some targets out."""
        return None

    def check_shapes(self, y_true_shape: Shape, y_pred_shape: Shape) -> tuple[Shape, Shape]:
        """Return the shapes that targets and outputs are compared in; training asks once for a batch shape.

        Raises
        ------
        ValueError
            If there is not one target for each output. Broadcasting does not count.
        """
        return check_targets(self.name, y_true_shape, y_pred_shape)

    def check_values(self, y_true: Array, y_pred_shape: Shape) -> None:
        """Raise ValueError for targets that the loss has no meaning for; asked once, before training."""

    def match(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return targets and outputs in the shapes of :meth:`check_shapes`; whole numbers become floats."""
        y_true_shape, y_pred_shape = self.check_shapes(y_true.shape, y_pred.shape)
        return y_true.reshape(y_true_shape).astype(y_pred.dtype, copy=False), y_pred.reshape(y_pred_shape)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Return l for anything array-like: the loss before its reduction."""
        return self.per_sample(*self._arrays(y_true, y_pred))

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Any:
        """Return the reduced loss.

        Parameters
        ----------
        y_true, y_pred : array_like
            Of the same shape; a last axis of length 1 may be missing.
        sample_weight : array_like, optional
            One number, or shape ``y_pred.shape[:-1]``, with axes of length 1 where a weight serves them all.
        mask : array_like of bool, optional
            The same shapes; True where a value counts. (In Keras it travels with `y_pred`.)

        Returns
        -------
        numpy scalar, or ndarray without a reduction
        """
        y_true, y_pred = self._arrays(y_true, y_pred)
        values, _, divisor = self._weigh(y_true, self.per_sample(y_true, y_pred), sample_weight, mask)
        if self.reduction in ("none", None):
            return values
        # A sum over nothing is 0, and stays it: Keras divides without NaN.
        return values.sum() / divisor if divisor else values.dtype.type(0)

    def value_and_gradient(
        self,
        y_true: Array,
        y_pred: Array,
        d_pred: Array,
        sample_weight: Array | None = None,
        mask: Array | None = None,
    ) -> float:
        """Return the reduced loss L, and write dL / d y_pred into `d_pred`.

        Parameters
        ----------
        y_true, y_pred : ndarray
            `y_pred` may be any view, such as time-major memory seen batch first.
        d_pred : ndarray, shape of y_pred
            Overwritten.
        sample_weight, mask : ndarray, optional
            As for a call.

        Raises
        ------
        ValueError
            If shapes do not fit, or the loss has no reduction: there is no single number to differentiate.
        """
        if self.reduction in ("none", None):
            raise ValueError(f"{self.name}: training needs one number, got reduction={self.reduction!r}.")
        y_true, y_pred = self.match(y_true, y_pred)
        values, weights, divisor = self._weigh(y_true, self.per_sample(y_true, y_pred), sample_weight, mask)
        scale = 1 / divisor if divisor else 0.0
        factor = scale if weights is None else np.expand_dims(weights * scale, self.axis)
        np.multiply(self.derivative(y_true, y_pred), factor, out=d_pred.reshape(y_pred.shape))
        return float(values.sum()) * scale

    def _arrays(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        """Return targets and outputs as arrays of one float dtype, in matching shapes."""
        y_pred = np.asarray(y_pred)
        dtype = self.dtype or (y_pred.dtype if y_pred.dtype in ("float32", "float64") else floatx())
        return self.match(np.asarray(y_true), np.asarray(y_pred, dtype))

    def _weigh(self, y_true: Array, values: Array, sample_weight: Any, mask: Any) -> tuple[Array, Array | None, float]:
        """Return the values times their weights, the weights in the shape of `values`, and the divisor N."""
        own = self.valid(y_true)
        if own is not None:
            mask = own if mask is None else np.asarray(mask, bool) & own
        averages = self.reduction in _AVERAGES
        weights = apply_mask(self.name, sample_weight, mask, values.dtype, rescale=averages)
        divisor: float = values.size if self.reduction != "sum" else 1
        if weights is None:
            return values, None, divisor
        weights, shape = fit_weights(self.name, weights, values.shape)
        if self.reduction == "mean_with_sample_weight" and values.ndim:
            divisor = float(weights.sum())  # as given, before they are broadcast: Keras does so
        weights = np.broadcast_to(weights, shape)
        return values.reshape(shape) * weights, weights.reshape(values.shape), divisor

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with Keras' keys."""
        config = {"name": self.name, "reduction": self.reduction}
        return config | {setting: getattr(self, setting) for setting in self.settings}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the loss again from its config."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class BuiltInLoss(Loss):
    """A loss of Keras' own: these take `reduction` first."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class ElementwiseLoss(BuiltInLoss):
    """A mean over the last axis, of length D: l = sum_j e(y_j, p_j) / D, so dl / dp_j = e'(y_j, p_j) / D."""

    def element(self, y: Array, p: Array) -> Any:
        """Return e(y, p), element by element."""
        raise NotImplementedError

    def slope(self, y: Array, p: Array) -> Any:
        """Return de / dp, element by element."""
        raise NotImplementedError

    def per_sample(self, y_true: Array, y_pred: Array) -> Array:
        """Return the mean of :meth:`element` over the axis."""
        return np.asarray(self.element(y_true, y_pred).mean(axis=self.axis))

    def derivative(self, y_true: Array, y_pred: Array) -> Array:
        """Return :meth:`slope` over the axis' length."""
        return np.asarray(self.slope(y_true, y_pred) / y_pred.shape[self.axis])
