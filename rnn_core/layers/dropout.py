"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int, real
from rnn_core.layers.base import Layer, Shape
from rnn_core.random import stream
from rnn_core.records import Record, batch_array

Array = NDArray[Any]


def draw_dropout_mask(draws: np.random.Generator, shape: Shape, rate: float, dtype: str) -> Array:
    """Return an array that is 0 with probability `rate` and 1 / (1 - rate) otherwise.

    Examples
    --------
    >>> mask = draw_dropout_mask(np.random.default_rng(0), (1000,), 0.2, "float64")
    >>> sorted({float(value) for value in mask})
    [0.0, 1.25]
    """
    if rate >= 1:
        return np.zeros(shape, dtype)
    return np.multiply(draws.random(shape) >= rate, 1 / (1 - rate), dtype=dtype)


class DropoutRecord(Record):
    """The mask of one batch, the output and the gradient on its way back."""

    def __init__(self, layer: Dropout, shape: Shape) -> None:
        self.dropout_mask: Array | None = None
        self.output = batch_array(shape, layer.dtype)
        self.d_input = batch_array(shape, layer.dtype)


class Dropout(Layer):
    """Set a random part of the inputs to zero while training, and scale the rest by 1 / (1 - rate).

    ::

        y = x * m      dx = dy * m      m = 0 with probability rate, else 1 / (1 - rate)

    Parameters
    ----------
    rate : float, from 0 to 1
    noise_shape : tuple of int or None, optional
        The shape of the mask; a size of 1 shares one draw along that axis, None stands for the input's size.
    seed : int, optional
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        If `rate` is outside [0, 1].

    Notes
    -----
    As ``keras.layers.Dropout``; N. Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 15 (2014), 1929-1958.

    Examples
    --------
    >>> x = np.ones((2, 3), np.float32)
    >>> bool((Dropout(0.5)(x) == x).all())
    True
    """

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate = real("Dropout", "rate", rate, 0, 1)
        self.noise_shape = _checked_noise_shape(noise_shape)
        self.seed = None if seed is None else positive_int("Dropout", "seed", seed, 0)
        self.dropout_stream = stream(self.seed)

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> DropoutRecord:
        """Allocate the arrays for inputs of `shape`."""
        return DropoutRecord(self, shape)

    def mask_shape(self, shape: Shape) -> Shape:
        """Return the shape of the mask for inputs of `shape`."""
        if self.noise_shape is None:
            return shape
        fits = len(self.noise_shape) == len(shape)
        if not fits or any(m not in (None, 1, n) for m, n in zip(self.noise_shape, shape, strict=True)):
            raise ValueError(
                f"Dropout {self.name!r}: noise_shape {self.noise_shape} does not fit inputs of shape {shape}: every "
                "size must be 1, None or the input's."
            )
        return tuple(n if m is None else m for m, n in zip(self.noise_shape, shape, strict=True))

    def forward(self, r: DropoutRecord, x: Array, training: bool = False) -> Array:
        """y = x * m"""
        r.output_mask = r.mask
        r.dropout_mask = None
        if not training or self.rate == 0:
            return x
        r.dropout_mask = draw_dropout_mask(self.dropout_stream, self.mask_shape(x.shape), self.rate, self.dtype)
        return np.multiply(x, r.dropout_mask, r.output)

    def backward(self, r: DropoutRecord, d_output: Array) -> Array | None:
        """dx = dy * m"""
        if r.dropout_mask is None:
            return d_output
        return np.multiply(d_output, r.dropout_mask, r.d_input)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}


def _checked_noise_shape(noise_shape: Any) -> tuple[int | None, ...] | None:
    if noise_shape is None:
        return None
    if not isinstance(noise_shape, (tuple, list)):
        raise ValueError(f"Dropout: noise_shape must be a tuple of sizes, got {noise_shape!r}.")
    return tuple(None if n is None else positive_int("Dropout", "every size in noise_shape", n) for n in noise_shape)
