"""Layers that make one array of several, value by value: sums, products, means and extremes.

Each states the value and, under it, the derivative of the loss with respect to each input, given that of the output;
what all have in common stands in :class:`Merge`. Axes of size 1 are stretched, as NumPy does it; where an input has
fewer axes than another, axes of size 1 are put in behind its batch axis::

    (batch, 3) + (batch, timesteps, 3)        is        (batch, 1, 3) + (batch, timesteps, 3)

and what was stretched on the way there is summed on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.data import as_numeric
from rnn_core.graph import is_symbolic
from rnn_core.layers.base import InputShape, Layer, Shape, checked_mask, shape_text
from rnn_core.records import Record, batch_array
from rnn_core.tensors import Tensor

Array = NDArray[Any]


class MergeRecord(Record):
    """Inputs and output of one batch.

    Attributes
    ----------
    shapes, aligned : list of tuple of int
        Of the inputs as they come, and with axes of size 1 so that all have one rank.
    xs : list of ndarray
        The inputs, aligned.
    step_masks : list of ndarray of bool or None
        Which of their values are real, (batch, timesteps, 1, ...); None where all are.
    output : ndarray
    """

    mask: Any = None

    def __init__(self, layer: Merge, shapes: list[Shape]) -> None:
        rank = max(map(len, shapes))
        self.shapes = shapes
        self.aligned = [(shape[0], *(1,) * (rank - len(shape)), *shape[1:]) for shape in shapes]
        self.xs: list[Array] = []
        self.step_masks: list[Array | None] = [None] * len(shapes)
        self.output = batch_array(layer.compute_output_shape(shapes), layer.dtype)

    def take(self, xs: Sequence[Array]) -> None:
        """Take the inputs of a batch, and the masks of those that have the full rank."""
        self.xs = [x.reshape(shape) for x, shape in zip(xs, self.aligned, strict=True)]
        masks = self.mask or [None] * len(xs)
        self.step_masks = [
            None if m is None or x.shape != shape else m.reshape(*m.shape, *(1,) * (len(shape) - 2))
            for m, x, shape in zip(masks, xs, self.aligned, strict=True)
        ]


class Merge(Layer):
    """The base of the layers that take a list of inputs.

    A subclass for values states :meth:`merge` and :meth:`derivatives`.

    Raises
    ------
    ValueError
        Where the inputs are no list, or their shapes do not fit together.
    """

    def check_input_shape(self, shape: Any) -> None:
        """Raise ValueError where `shape` is not a list of shapes of one batch size."""
        owner = f"{type(self).__name__} {self.name!r}"
        if not isinstance(shape, list) or not shape:
            raise ValueError(f"{owner} expects a list of inputs, got {shape_text(shape) if shape else 'an empty one'}.")
        if len({one[0] for one in shape} - {None}) > 1:
            raise ValueError(f"{owner}: all inputs need one batch size, got {_texts(shape)}.")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape that all inputs are stretched to."""
        self.check_input_shape(input_shape)
        rank = max(map(len, input_shape))
        batch = next((shape[0] for shape in input_shape if shape[0] is not None), None)
        merged: tuple[int | None, ...] = input_shape[0][1:]
        for shape in input_shape[1:]:
            one, other = ((1,) * (rank - 1 - len(sizes)) + sizes for sizes in (merged, tuple(shape[1:])))
            if any(m != n and None not in (m, n) and 1 not in (m, n) for m, n in zip(one, other, strict=True)):
                raise ValueError(
                    f"{type(self).__name__} {self.name!r}: inputs must have the same shape up to axes of size 1, got "
                    f"{_texts(input_shape)}."
                )
            merged = tuple(None if None in (m, n) else n if m == 1 else m for m, n in zip(one, other, strict=True))
        return (batch, *merged)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the output: a step is real where it is in any input; None where one has no mask."""
        if mask is None or any(one is None for one in mask):
            return None
        merged = mask[0]
        for one in mask[1:]:
            merged = merged | one
        return merged

    def new_record(self, shape: Any, d_vector: Array | None = None) -> Any:
        """Allocate the arrays for a list of shapes."""
        return MergeRecord(self, shape)

    def merge(self, r: Any) -> Array:
        """Return the output for the inputs ``r.xs``."""
        raise NotImplementedError

    def derivatives(self, r: Any, dy: Array) -> Sequence[Array]:
        """Return the gradients of the inputs, of the shape of the output."""
        raise NotImplementedError

    def forward(self, r: Any, x: Any, training: bool = False) -> Array:
        """y = merge(x_0, x_1, ...)"""
        r.output_mask = self.compute_mask(x, r.mask)
        r.take(x)
        return self.merge(r)

    def backward(self, r: Any, d_output: Array) -> Any:
        """dx_i = dy * dy/dx_i, summed over the axes that x_i was stretched along"""
        gradients = self.derivatives(r, d_output)
        return [
            _summed(d, aligned).reshape(shape) for d, aligned, shape in zip(gradients, r.aligned, r.shapes, strict=True)
        ]

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Merge a list of arrays into a new one; on symbols, note the call and return a symbol.

        Parameters
        ----------
        inputs : list of array_like or Symbol
        training : bool, optional
            Without effect.
        mask : list of array_like of bool, shape (batch, timesteps), or None, optional
            One for each array; between symbols masks travel by themselves.
        """
        if is_symbolic(inputs):
            return self.connect(inputs, training, mask)
        owner = f"{type(self).__name__} {self.name!r}"
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"{owner} expects a list of inputs, got {type(inputs).__name__}.")
        xs = [as_numeric(f"{owner}: inputs[{i}]", x).astype(self.dtype, copy=False) for i, x in enumerate(inputs)]
        shapes = [x.shape for x in xs]
        self.ensure_built(shapes)  # type: ignore[arg-type]  # a list of shapes, for layers that take a list
        record = self.new_record(shapes)
        if mask is not None:
            if not isinstance(mask, (list, tuple)) or len(mask) != len(xs):
                raise ValueError(f"{owner}: mask must be a list with an entry for each of the {len(xs)} inputs.")
            record.mask = [checked_mask(m, shape) for m, shape in zip(mask, shapes, strict=True)]
        return Tensor.copy_of(self.forward(record, xs))


class Add(Merge):
    """``y = x_0 + x_1 + ...``

    Notes
    -----
    As ``keras.layers.Add`` (``keras/src/layers/merging/add.py``).

    Examples
    --------
    >>> Add()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[11., 22.]], dtype=float32)
    """

    def merge(self, r: MergeRecord) -> Array:
        """y = x_0 + x_1 + ..."""
        return _total(r)

    def derivatives(self, r: MergeRecord, dy: Array) -> Sequence[Array]:
        """dx_i = dy"""
        return [dy] * len(r.xs)


class Average(Merge):
    """``y = (x_0 + x_1 + ...) / n``

    Notes
    -----
    As ``keras.layers.Average`` (``keras/src/layers/merging/average.py``).

    Examples
    --------
    >>> Average()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[ 5.5, 11. ]], dtype=float32)
    """

    def merge(self, r: MergeRecord) -> Array:
        """y = (x_0 + x_1 + ...) / n"""
        return np.divide(_total(r), len(r.xs), r.output)

    def derivatives(self, r: MergeRecord, dy: Array) -> Sequence[Array]:
        """dx_i = dy / n"""
        return [dy / len(r.xs)] * len(r.xs)


class Subtract(Merge):
    """``y = x_0 - x_1``, of exactly two inputs.

    Raises
    ------
    ValueError
        For another number of inputs.

    Notes
    -----
    As ``keras.layers.Subtract`` (``keras/src/layers/merging/subtract.py``).

    Examples
    --------
    >>> Subtract()([[[10.0, 20.0]], [[1.0, 2.0]]])
    array([[ 9., 18.]], dtype=float32)
    """

    def check_input_shape(self, shape: Any) -> None:
        """Raise ValueError for anything but two inputs."""
        super().check_input_shape(shape)
        if len(shape) != 2:
            raise ValueError(f"Subtract {self.name!r} expects exactly 2 inputs, got {len(shape)}.")

    def merge(self, r: MergeRecord) -> Array:
        """y = x_0 - x_1"""
        return np.subtract(r.xs[0], r.xs[1], r.output)

    def derivatives(self, r: MergeRecord, dy: Array) -> Sequence[Array]:
        """dx_0 = dy;  dx_1 = -dy"""
        return [dy, -dy]


class Multiply(Merge):
    """``y = x_0 * x_1 * ...``

    A value at a missing time step counts as 1; the output is 0 where all inputs have a mask and the step is missing
    in all of them.

    Notes
    -----
    As ``keras.layers.Multiply`` (``keras/src/layers/merging/multiply.py``).

    Examples
    --------
    >>> Multiply()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[10., 40.]], dtype=float32)
    """

    def merge(self, r: MergeRecord) -> Array:
        """y = x_0 * x_1 * ..."""
        r.xs = [x if m is None else np.where(m, x, 1) for x, m in zip(r.xs, r.step_masks, strict=True)]
        r.output[...] = r.xs[0]
        for x in r.xs[1:]:
            np.multiply(r.output, x, r.output)
        real = self.compute_mask(None, r.step_masks)
        return r.output if real is None else np.multiply(r.output, real, r.output)

    def derivatives(self, r: MergeRecord, dy: Array) -> Sequence[Array]:
        """dx_i = dy * product of all x_j but x_i, where x_i is real"""
        gradients = []
        for i, m in enumerate(r.step_masks):
            d = dy if m is None else dy * m
            for x in r.xs[:i] + r.xs[i + 1 :]:
                d = d * x
            gradients.append(d)
        return gradients


class Maximum(Merge):
    """``y = max(x_0, x_1, ...)``, value by value.

    A missing time step takes no part, where inputs have masks. The gradient goes to the input that was taken, the
    first of equals.

    Notes
    -----
    As ``keras.layers.Maximum`` (``keras/src/layers/merging/maximum.py``), on TensorFlow's rule for equals.

    Examples
    --------
    >>> Maximum()([[[1.0, 20.0]], [[10.0, 2.0]]])
    array([[10., 20.]], dtype=float32)
    """

    _beats = staticmethod(np.greater)

    def merge(self, r: Any) -> Array:
        """y = x_w,  w = the input that wins"""
        r.winner = np.zeros(r.output.shape, np.intp)
        r.output[...] = r.xs[0]
        real = r.step_masks[0]
        for i, (x, m) in enumerate(zip(r.xs[1:], r.step_masks[1:], strict=True), 1):
            takes = self._beats(x, r.output) | (x != x)  # NaN beats all: it must be seen
            if real is not None:
                takes = takes | ~real
            if m is not None:
                takes = takes & m
            np.copyto(r.output, x, where=takes)
            r.winner[np.broadcast_to(takes, r.winner.shape)] = i
            real = None if m is None or real is None else m | real
        return np.asarray(r.output)

    def derivatives(self, r: Any, dy: Array) -> Sequence[Array]:
        """dx_i = dy where w = i, else 0"""
        return [dy * (r.winner == i) for i in range(len(r.xs))]


class Minimum(Maximum):
    """``y = min(x_0, x_1, ...)``, value by value; otherwise as :class:`Maximum`.

    Notes
    -----
    As ``keras.layers.Minimum`` (``keras/src/layers/merging/minimum.py``).

    Examples
    --------
    >>> Minimum()([[[1.0, 20.0]], [[10.0, 2.0]]])
    array([[1., 2.]], dtype=float32)
    """

    _beats = staticmethod(np.less)


def _total(r: MergeRecord) -> Array:
    r.output[...] = r.xs[0]
    for x in r.xs[1:]:
        np.add(r.output, x, r.output)
    return r.output


def _summed(d: Array, shape: Shape) -> Array:
    """Return `d` summed over the axes along which an array of `shape` was stretched."""
    stretched = tuple(axis for axis, (m, n) in enumerate(zip(d.shape, shape, strict=True)) if m != n)
    return d.sum(axis=stretched, keepdims=True) if stretched else d


def _texts(shapes: Sequence[InputShape]) -> str:
    return ", ".join(map(shape_text, shapes))


def add(inputs: Any, **kwargs: Any) -> Any:
    """Return ``Add(**kwargs)(inputs)``."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """Return ``Subtract(**kwargs)(inputs)``."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """Return ``Multiply(**kwargs)(inputs)``."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """Return ``Average(**kwargs)(inputs)``."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """Return ``Maximum(**kwargs)(inputs)``."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """Return ``Minimum(**kwargs)(inputs)``."""
    return Minimum(**kwargs)(inputs)
