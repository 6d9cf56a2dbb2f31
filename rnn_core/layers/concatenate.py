"""Arrays side by side in one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import integer
from rnn_core.layers.base import shape_text
from rnn_core.layers.merging import Merge
from rnn_core.records import Record, batch_array

Array = NDArray[Any]


class ConcatenateRecord(Record):
    """The output of one batch, and where in it each input begins."""

    mask: Any = None

    def __init__(self, layer: Concatenate, shapes: list[Any]) -> None:
        self.output = batch_array(layer.compute_output_shape(shapes), layer.dtype)
        self.axis = layer.axis % self.output.ndim
        self.starts = np.cumsum([shape[self.axis] for shape in shapes])[:-1]


class Concatenate(Merge):
    """Put arrays side by side along one axis.

    ::

        y = [x_0, x_1, ...]        dx_0, dx_1, ... = the parts of dy

    Parameters
    ----------
    axis : int
        -1: features side by side; 1: one sequence after the other. Not 0, the batch.
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        For inputs that differ in another axis, and for an axis that they do not have.

    Notes
    -----
    As ``keras.layers.Concatenate`` (``keras/src/layers/merging/concatenate.py``). Features side by side are real at a
    time step where those of any input are; an input without a mask is real everywhere. Sequences one after the other
    keep their masks.

    Examples
    --------
    >>> Concatenate()([[[1.0, 2.0]], [[3.0]]])
    array([[1., 2., 3.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = integer("Concatenate", "axis", axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the inputs, their sizes along the axis added up."""
        self.check_input_shape(input_shape)
        owner = f"Concatenate {self.name!r}"
        texts = ", ".join(map(shape_text, input_shape))
        rank = len(input_shape[0])
        if not -rank <= self.axis < rank or self.axis % rank == 0:
            raise ValueError(f"{owner}: axis must be one of the inputs' but the batch's, got {self.axis} for {texts}.")
        axis = self.axis % rank
        if any(len(shape) != rank for shape in input_shape):
            raise ValueError(f"{owner}: inputs must have one number of dimensions, got {texts}.")
        output = []
        for i, sizes in enumerate(zip(*input_shape, strict=True)):
            known = {size for size in sizes if size is not None}
            if i == axis:
                output.append(None if None in sizes else sum(sizes))
            elif len(known) > 1:
                raise ValueError(f"{owner}: inputs must have the same sizes but along axis {self.axis}, got {texts}.")
            else:
                output.append(sizes[0] if sizes[0] is not None or i else next(iter(known), None))
        return tuple(output)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the output, (batch, timesteps); None where no input has one."""
        if mask is None or all(one is None for one in mask):
            return None
        masks = [np.ones(x.shape[:2], bool) if m is None else m for m, x in zip(mask, inputs, strict=True)]
        if self.axis % np.ndim(inputs[0]) == 1:
            return np.concatenate(masks, axis=1)
        return np.logical_or.reduce(masks)

    def new_record(self, shape: Any, d_vector: Array | None = None) -> ConcatenateRecord:
        """Allocate the arrays for a list of shapes."""
        return ConcatenateRecord(self, shape)

    def forward(self, r: ConcatenateRecord, x: Any, training: bool = False) -> Array:
        """y = [x_0, x_1, ...]"""
        r.output_mask = self.compute_mask(x, r.mask)
        return np.concatenate(x, axis=r.axis, out=r.output)

    def backward(self, r: ConcatenateRecord, d_output: Array) -> Any:
        """dx_i = the part of dy that x_i went to"""
        return np.split(d_output, r.starts, axis=r.axis)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "axis": self.axis}


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Return ``Concatenate(axis, **kwargs)(inputs)``."""
    return Concatenate(axis=axis, **kwargs)(inputs)
