"""The same values in another shape: Flatten, Reshape and RepeatVector.

None of them hands a mask on, as in Keras: the axis of time steps is no longer where it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import one_of, positive_int
from rnn_core.layers.base import InputShape, Layer, Shape, shape_text
from rnn_core.records import Record

Array = NDArray[Any]


class ShapeRecord(Record):
    """The shape of the input, which the gradient goes back to, and that of the output."""

    def __init__(self, layer: Layer, shape: Shape) -> None:
        self.shape = shape
        self.output_shape: Shape = layer.compute_output_shape(shape)


class Flatten(Layer):
    """Make one axis of all but the batch: (batch, timesteps, features) to (batch, timesteps * features).

    ::

        y = x, reshaped        dx = dy, reshaped

    Parameters
    ----------
    data_format : {"channels_last", "channels_first"}, optional
        With ``"channels_first"`` axis 1 is taken for the last one.
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        For another `data_format`.

    Notes
    -----
    As ``keras.layers.Flatten`` (``keras/src/layers/reshaping/flatten.py``).

    Examples
    --------
    >>> Flatten()([[[1.0, 2.0], [3.0, 4.0]]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = checked_data_format("Flatten", data_format)

    def compute_output_shape(self, input_shape: InputShape) -> InputShape:
        """Return (batch, the product of all other sizes)."""
        batch, *sizes = input_shape
        return (batch, None if None in sizes else math.prod(sizes))  # type: ignore[arg-type]  # no None among them

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> ShapeRecord:
        """Note the shapes."""
        return ShapeRecord(self, shape)

    def forward(self, r: ShapeRecord, x: Array, training: bool = False) -> Array:
        """y = x, reshaped"""
        if self.data_format == "channels_first" and x.ndim > 1:
            x = np.moveaxis(x, 1, -1)
        return x.reshape(r.output_shape)

    def backward(self, r: ShapeRecord, d_output: Array) -> Array | None:
        """dx = dy, reshaped"""
        if self.data_format == "channels_first" and len(r.shape) > 1:
            batch, channels, *rest = r.shape
            return np.moveaxis(d_output.reshape(batch, *rest, channels), -1, 1)
        return d_output.reshape(r.shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Give each sample another shape.

    ::

        y = x, reshaped        dx = dy, reshaped

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch; one size may be -1, and is then computed from the others.
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        For sizes that are not whole numbers, for several -1, and where the number of values does not fit.

    Notes
    -----
    As ``keras.layers.Reshape`` (``keras/src/layers/reshaping/reshape.py``).

    Examples
    --------
    >>> Reshape((2, -1))([[1.0, 2.0, 3.0, 4.0]])
    array([[[1., 2.],
            [3., 4.]]], dtype=float32)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(target_shape, (tuple, list)):
            raise TypeError(f"Reshape: target_shape must be a tuple of sizes without the batch, got {target_shape!r}.")
        sizes = [-1 if n == -1 else positive_int("Reshape", "every size in target_shape", n) for n in target_shape]
        if sizes.count(-1) > 1:
            raise ValueError(f"Reshape: only one size in target_shape can be -1, got {tuple(target_shape)}.")
        self.target_shape = tuple(sizes)

    def compute_output_shape(self, input_shape: InputShape) -> InputShape:
        """Return (batch, target_shape), with -1 computed where all sizes of the input are known."""
        batch, *sizes = input_shape
        if None in sizes:
            return (batch, *(None if n == -1 else n for n in self.target_shape))
        values = math.prod(sizes)  # type: ignore[arg-type]  # no None among them
        others = math.prod(n for n in self.target_shape if n != -1)
        if values % others or (-1 not in self.target_shape and values != others):
            raise ValueError(
                f"Reshape {self.name!r}: {values} values of each sample, {shape_text(input_shape)}, don't fit into "
                f"target_shape {self.target_shape}."
            )
        return (batch, *(values // others if n == -1 else n for n in self.target_shape))

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> ShapeRecord:
        """Note the shapes."""
        return ShapeRecord(self, shape)

    def forward(self, r: ShapeRecord, x: Array, training: bool = False) -> Array:
        """y = x, reshaped"""
        return x.reshape(r.output_shape)

    def backward(self, r: ShapeRecord, d_output: Array) -> Array | None:
        """dx = dy, reshaped"""
        return d_output.reshape(r.shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "target_shape": self.target_shape}


class RepeatVector(Layer):
    """Repeat a vector at every one of n time steps: between an encoder and a decoder.

    ::

        y[b, t] = x[b]        dx[b] = sum over t of dy[b, t]

    Parameters
    ----------
    n : int
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        For n that is not a whole number above 0, and for inputs that are not (batch, features).

    Notes
    -----
    As ``keras.layers.RepeatVector`` (``keras/src/layers/reshaping/repeat_vector.py``).

    Examples
    --------
    >>> RepeatVector(2)([[1.0, 2.0]])
    array([[[1., 2.],
            [1., 2.]]], dtype=float32)
    """

    ranks: ClassVar[tuple[int, ...]] = (2,)
    input_layout: ClassVar[str] = "(batch, features)"

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int("RepeatVector", "n", n)

    def compute_output_shape(self, input_shape: InputShape) -> InputShape:
        """Return (batch, n, features)."""
        return (input_shape[0], self.n, input_shape[1])

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> ShapeRecord:
        """Note the shapes."""
        return ShapeRecord(self, shape)

    def forward(self, r: ShapeRecord, x: Array, training: bool = False) -> Array:
        """y[b, t] = x[b], without a copy"""
        return np.broadcast_to(x[:, None], r.output_shape)

    def backward(self, r: ShapeRecord, d_output: Array) -> Array | None:
        """dx[b] = sum over t of dy[b, t]"""
        return np.asarray(d_output.sum(axis=1))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "n": self.n}


def checked_data_format(owner: str, data_format: Any) -> str:
    """Return `data_format`; None is "channels_last"."""
    if data_format is None:
        return "channels_last"
    return one_of(owner, "data_format", data_format, ("channels_last", "channels_first"))
