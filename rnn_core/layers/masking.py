"""Masking: which time steps are real."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import real
from rnn_core.layers.base import Layer, Shape
from rnn_core.records import Record, batch_array

Array = NDArray[Any]


class MaskingRecord(Record):
    """The output, its gradient and the mask of one batch."""

    def __init__(self, layer: Masking, shape: Shape) -> None:
        self.output = batch_array(shape, layer.dtype)
        self.d_input = batch_array(shape, layer.dtype)


class Masking(Layer):
    """Mark time steps whose features all equal `mask_value` as missing.

    ::

        m[b, t] = any(x[b, t] != mask_value)      y = x * m      dx = dy * m

    The layers after it are told m: a recurrent layer carries its state over missing steps, and the loss is the mean
    over the steps that remain.

    Parameters
    ----------
    mask_value : float
    **kwargs
        As for every layer.

    Notes
    -----
    As ``keras.layers.Masking``. Called on a plain array it returns a plain array, which cannot carry the mask
    along: ask :meth:`compute_mask` for it and pass it on as ``mask=``. Inside a model it travels by itself.

    Examples
    --------
    >>> x = np.array([[[1.0, 0.0], [0.0, 0.0]]])
    >>> Masking().compute_mask(x)
    array([[ True, False]])
    """

    ranks: ClassVar[tuple[int, ...]] = (3,)
    input_layout: ClassVar[str] = "(batch, timesteps, features)"
    makes_mask: ClassVar[bool] = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = real("Masking", "mask_value", mask_value)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Array:
        """Return m, shape (batch, timesteps), for inputs (batch, timesteps, features)."""
        x = np.asarray(inputs)
        return np.asarray((x != np.asarray(self.mask_value, x.dtype)).any(axis=-1))

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> MaskingRecord:
        """Allocate the arrays for inputs of `shape`."""
        return MaskingRecord(self, shape)

    def forward(self, r: MaskingRecord, x: Array, training: bool = False) -> Array:
        """y = x * m"""
        r.output_mask = self.compute_mask(x)
        return np.multiply(x, r.output_mask[:, :, None], r.output)

    def backward(self, r: MaskingRecord, d_output: Array) -> Array | None:
        """dx = dy * m"""
        assert r.output_mask is not None
        return np.multiply(d_output, r.output_mask[:, :, None], r.d_input)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "mask_value": self.mask_value}
