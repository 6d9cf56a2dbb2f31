"""All time steps to one: their mean or their maximum."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.layers.base import InputShape, Layer, Shape
from rnn_core.layers.reshaping import checked_data_format
from rnn_core.records import Record

Array = NDArray[Any]


class PoolingRecord(Record):
    """What the way back needs of one batch.

    Attributes
    ----------
    shape : tuple of int
        Of the input.
    x, output : ndarray
        For the maximum; the output with an axis of size 1 in place of the time steps.
    share : ndarray
        How much of dy goes to each time step.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.x = self.output = self.share = np.empty(0)


class GlobalPooling1D(Layer):
    """The base of both: (batch, timesteps, features) to (batch, features).

    Parameters
    ----------
    data_format : {"channels_last", "channels_first"}, optional
        ``"channels_first"``: inputs are (batch, features, timesteps).
    keepdims : bool
        Keep the axis of time steps, with size 1.
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        For another `data_format`, and for inputs that are not of 3 dimensions.
    """

    ranks: ClassVar[tuple[int, ...]] = (3,)
    input_layout: ClassVar[str] = "(batch, timesteps, features)"

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = checked_data_format(type(self).__name__, data_format)
        self.keepdims = bool(keepdims)
        self.axis = 1 if self.data_format == "channels_last" else 2

    def compute_output_shape(self, input_shape: InputShape) -> InputShape:
        """Return (batch, features), with `keepdims` (batch, 1, features)."""
        before, after = input_shape[: self.axis], input_shape[self.axis + 1 :]
        return (*before, 1, *after) if self.keepdims else (*before, *after)

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> PoolingRecord:
        """Note the shape."""
        return PoolingRecord(shape)

    def pooled(self, output: Array) -> Array:
        """Return the output (batch, 1, features) as it is handed on."""
        return output if self.keepdims else output.squeeze(self.axis)

    def backward(self, r: PoolingRecord, d_output: Array) -> Array | None:
        """dx_t = dy * the share that step t has in y"""
        return (d_output if self.keepdims else np.expand_dims(d_output, self.axis)) * r.share

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalAveragePooling1D(GlobalPooling1D):
    """The mean over all time steps, or over those that are real.

    ::

        y = sum over t of m_t x_t / sum of m_t        dx_t = dy m_t / sum of m_t

    Parameters are those of :class:`GlobalPooling1D`.

    Notes
    -----
    As ``keras.layers.GlobalAveragePooling1D`` (``keras/src/layers/pooling/global_average_pooling1d.py``): a sample
    without any real step has the mean NaN.

    Examples
    --------
    >>> GlobalAveragePooling1D()([[[1.0, 2.0], [3.0, 6.0]]])
    array([[2., 4.]], dtype=float32)
    """

    def forward(self, r: PoolingRecord, x: Array, training: bool = False) -> Array:
        """y = sum of m_t x_t / sum of m_t"""
        if r.mask is None:
            r.share = np.broadcast_to(np.asarray(1 / x.shape[self.axis], self.dtype), r.shape)
            return self.pooled(x.mean(axis=self.axis, keepdims=True))
        m = np.expand_dims(r.mask, 3 - self.axis)
        steps = m.sum(axis=self.axis, keepdims=True, dtype=self.dtype)
        with np.errstate(invalid="ignore", divide="ignore"):
            r.share = np.broadcast_to(m / steps, r.shape)
            return self.pooled(np.where(m, x, 0).sum(axis=self.axis, keepdims=True) / steps)


class GlobalMaxPooling1D(GlobalPooling1D):
    """The maximum over all time steps, feature by feature.

    ::

        y = max over t of x_t        dx_t = dy where x_t = y, in equal parts where several are

    Parameters are those of :class:`GlobalPooling1D`.

    Notes
    -----
    As ``keras.layers.GlobalMaxPooling1D`` (``keras/src/layers/pooling/global_max_pooling1d.py``), which knows no masks.

    Examples
    --------
    >>> GlobalMaxPooling1D()([[[1.0, 6.0], [3.0, 2.0]]])
    array([[3., 6.]], dtype=float32)
    """

    def forward(self, r: PoolingRecord, x: Array, training: bool = False) -> Array:
        """y = max over t of x_t"""
        r.x, r.output = x, x.max(axis=self.axis, keepdims=True)
        return self.pooled(r.output)

    def backward(self, r: PoolingRecord, d_output: Array) -> Array | None:
        """dx_t = dy where x_t = y, in equal parts"""
        largest = r.x == r.output
        r.share = largest / largest.sum(axis=self.axis, keepdims=True, dtype=self.dtype)
        return super().backward(r, d_output)
