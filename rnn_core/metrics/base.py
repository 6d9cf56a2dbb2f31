"""What all metrics share: a state that batches are added to, and the (weighted) mean over samples.

A metric adds up over the batches of an epoch, so its result is that of all samples together:

    result = sum(w m) / sum(w)        m: one value for each sample,  w: its weight, 1 where none is given

Here weights are divided by their sum; a loss divides by the count (``rnn_core/losses/base.py``). Sums are kept in
double precision. Source: ``keras/src/metrics/reduction_metrics.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.config import floatx, standardize_dtype
from rnn_core.losses.shapes import apply_mask, squeeze_or_expand
from rnn_core.serialization import snake_case
from rnn_core.unsupported import NamesWhatIsMissing

Array = NDArray[Any]


class Metric(NamesWhatIsMissing, kind="metric"):
    """The base of all metrics, and of your own: define the three methods below.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        What values are computed in; by default what `y_pred` has.
    name : str, optional
        The key in ``history``; by default the class' name in snake case.
    """

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = None if dtype is None else standardize_dtype(dtype)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch: ``update_state(y_true, y_pred, sample_weight=None, mask=None)`` for most."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state(y_true, y_pred, ...).")

    def result(self) -> Any:
        """Return the value for everything added so far."""
        raise NotImplementedError(f"{type(self).__name__} must define result().")

    def reset_state(self) -> None:
        """Forget everything added so far."""
        raise NotImplementedError(f"{type(self).__name__} must define reset_state().")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and return the value so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with Keras' keys."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the metric again from its config."""
        return cls(**config)

    def as_floats(self, values: Any) -> Array:
        """Return `values` as an array of the metric's dtype, or their own if that is a float type."""
        array = np.asarray(values)
        own = array.dtype if array.dtype in ("float32", "float64") else floatx()
        return array.astype(self.dtype or own, copy=False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Sum(Metric):
    """The weighted sum of all values.

    Examples
    --------
    >>> total = Sum()
    >>> total.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0]); total.result()
    4.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values of any shape; weights as for :class:`Mean`."""
        values, _ = samplewise(self.name, self.as_floats(values), sample_weight, np.sum)
        self.total += float(values.sum())

    def result(self) -> float:
        """Return the sum."""
        return self.total

    def reset_state(self) -> None:
        """Start at 0."""
        self.total = 0.0


class RunningMean(Metric):
    """sum(w v) / sum(w) over all values added so far; 0 as long as there are none."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = 0.0
        self.count = 0.0

    def add(self, values: Array, sample_weight: Any) -> None:
        """Add values, shape (batch, ...): each sample counts once, with the mean of its values."""
        values, weights = samplewise(self.name, values, sample_weight, np.mean)
        self.total += float(values.sum())
        self.count += float(weights.sum()) if weights is not None else values.size

    def result(self) -> float:
        """Return the mean."""
        return self.total / self.count if self.count else 0.0

    def reset_state(self) -> None:
        """Start anew."""
        self.total = self.count = 0.0


class Mean(RunningMean):
    """The weighted mean of all values.

    Examples
    --------
    >>> mean = Mean()
    >>> mean.update_state([1, 3]); mean.update_state([5, 8], sample_weight=[0, 1]); mean.result()
    4.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values.

        Parameters
        ----------
        values : array_like, shape (batch, ...)
        sample_weight : array_like, optional
            Shape (batch,), or with more of the axes of `values`; 1 where a weight serves an axis.
        """
        self.add(self.as_floats(values), sample_weight)


class MeanMetricWrapper(RunningMean):
    """The mean of a function of targets and outputs.

    Parameters
    ----------
    fn : callable
        ``fn(y_true, y_pred, **kwargs)`` returns values of shape (batch, ...).
    name : str, optional
        By default the function's name.
    dtype : {"float32", "float64"}, optional
    **kwargs
        Passed on to `fn`.

    Examples
    --------
    >>> largest_error = MeanMetricWrapper(lambda y, p: np.abs(y - p).max(axis=-1), name="largest_error")
    >>> largest_error(np.array([[1.0, 2.0]]), np.array([[1.5, 4.0]]))
    2.0
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name or snake_case(getattr(fn, "__name__", type(fn).__name__)), dtype)
        self.fn = fn
        self.kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Add a batch; places where `mask` is False weigh nothing."""
        self._update(y_true, y_pred, sample_weight, mask, self.kwargs)

    def update_from_logits(self, y_true: Any, logits: Any, sample_weight: Any = None) -> None:
        """Add a batch of which the logits are known: a cross-entropy is exact then (:mod:`rnn_core.engine.logits`)."""
        self._update(y_true, logits, sample_weight, None, {**self.kwargs, "from_logits": True})

    def _update(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any, kwargs: dict[str, Any]) -> None:
        y_pred = self.as_floats(y_pred)
        weights = apply_mask(self.name, sample_weight, mask, y_pred.dtype)
        self.add(self.as_floats(self.fn(y_true, y_pred, **kwargs)), weights)

    def get_config(self) -> dict[str, Any]:
        """Return name, dtype and the function's arguments; for a wrapper made by hand the function's name, too."""
        config = super().get_config() | self.kwargs
        if type(self) is MeanMetricWrapper:
            name = getattr(self.fn, "__name__", type(self.fn).__name__)
            config["fn"] = {"class_name": "function", "config": name}
        return config


def samplewise(owner: str, values: Array, sample_weight: Any, reduce: Callable[..., Any]) -> tuple[Array, Array | None]:
    """Return one weighted value for each sample, and its weight.

    Axes of `values` that the weights do not have are reduced before weighing, all others but the first after it.

    Raises
    ------
    ValueError
        If the weights do not fit the first axes of the values.

    Examples
    --------
    >>> samplewise("mean", np.array([[1.0, 3.0], [5.0, 7.0]]), [1, 10], np.mean)
    (array([ 2., 60.]), array([ 1., 10.]))
    """
    weights = None
    if sample_weight is not None:
        weights = np.asarray(sample_weight, values.dtype)
        shape, weight_shape = squeeze_or_expand(values.shape, weights.shape)
        values, weights = values.reshape(shape), weights.reshape(weight_shape)
        if values.ndim > weights.ndim:
            values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
        if weights.ndim > values.ndim or any(w not in (1, n) for w, n in zip(weights.shape, values.shape, strict=True)):
            raise ValueError(
                f"{owner}: sample_weight or mask of shape {np.shape(sample_weight)} does not fit values of shape "
                f"{shape}."
            )
        weights = np.broadcast_to(weights, values.shape)
        values = values * weights
        if weights.ndim > 1:
            weights = reduce(weights, axis=tuple(range(1, weights.ndim)))
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return np.asarray(values), weights
