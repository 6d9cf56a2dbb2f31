"""One pass through a chain of layers: the records of one batch shape, and the way there and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.layers.base import Layer, Shape
from rnn_core.records import Record

Array = NDArray[Any]


class Pass:
    """A forward and, with `d_vector`, a backward pass of batches of one shape through `layers`.

    ::

        x -> layer 0 -> layer 1 -> ... -> output          every layer writes into its record
        d_vector <- layer 0 <- layer 1 <- ... <- d_output

    Parameters
    ----------
    layers : sequence of Layer
    shape : tuple of int
        Of the inputs, batch first.
    d_vector : ndarray, optional
        Where the gradients of all weights go.
    needs_d_input : bool
        Whether ``backward`` returns the gradient with respect to the input.

    Attributes
    ----------
    records : list of Record
        One for each layer.
    output : ndarray
        What the last forward pass returned.
    """

    def __init__(
        self, layers: Sequence[Layer], shape: Shape, d_vector: Array | None = None, *, needs_d_input: bool = False
    ) -> None:
        self.layers = list(layers)
        self.shape = shape
        self.records: list[Any] = []
        self.shapes: list[Shape] = [shape]
        start = 0
        for index, layer in enumerate(self.layers):
            d_part = None
            if d_vector is not None:
                d_part = d_vector[start : start + layer.vector.size]
                start += layer.vector.size
            record: Record = layer.new_record(shape, d_part)
            record.needs_d_input = index > 0 or needs_d_input
            self.records.append(record)
            shape = layer.compute_output_shape(shape)
            self.shapes.append(shape)
        self.output_shape = shape
        self.output: Array = np.empty(0)
        self.output_mask: Array | None = None
        chain = list(zip(self.layers, self.records, strict=True))
        self._forward = [(layer.forward, record) for layer, record in chain]
        self._backward = [(layer.backward, record) for layer, record in reversed(chain)]
        self.penalised = [i for i, layer in enumerate(self.layers) if layer.activity_regularizer is not None]
        self._keeps_track = bool(self.penalised) or any(layer.makes_mask for layer in self.layers)
        self._outputs: list[Array] = []

    def forward(self, x: Array, training: bool = False, mask: Array | None = None) -> Array:
        """Return the output of the last layer for inputs `x`, of which `mask` says which time steps are real."""
        if self._keeps_track or mask is not None:
            self._keeps_track = True  # from now on: the next batch must not be given this one's mask
            return self._forward_with_masks(x, training, mask)
        for forward, record in self._forward:
            x = forward(record, x, training)
        self.output = x
        return x

    def _forward_with_masks(self, x: Array, training: bool, mask: Array | None) -> Array:
        self._outputs = []
        for forward, record in self._forward:
            record.mask = mask
            x = forward(record, x, training)
            mask = record.output_mask
            self._outputs.append(x)
        self.output, self.output_mask = x, mask
        return x

    def backward(self, d_output: Any) -> Array | None:
        """Fill the gradients of all weights; return that of the input where it is needed.

        Parameters
        ----------
        d_output : array_like, shape of the output
            The gradient of the loss with respect to the output of the last forward pass.

        Raises
        ------
        ValueError
            For another shape.
        """
        d = np.asarray(d_output, self.output.dtype)
        if d.shape != self.output.shape:
            raise ValueError(f"d_output must have the shape of the output, {self.output.shape}, got {d.shape}.")
        return self.backpropagate(d)

    def backpropagate(self, d_output: Array) -> Array | None:
        """Do what :meth:`backward` does, without its checks: for the training loop."""
        d: Any = d_output
        if self.penalised:
            return self._backward_with_penalties(d)
        for backward, record in self._backward:
            d = backward(record, d)
        return d  # type: ignore[no-any-return]

    def _backward_with_penalties(self, d: Any) -> Array | None:
        for i, (backward, record) in zip(range(len(self.layers) - 1, -1, -1), self._backward, strict=True):
            if i in self.penalised:
                d = d + self._activity_gradient(i)
            d = backward(record, d)
        return d  # type: ignore[no-any-return]

    def activity_penalty(self) -> float:
        """Return the sum of the activity regularizers of the last forward pass, each divided by the batch size."""
        total = 0.0
        for i in self.penalised:
            regularizer = self.layers[i].activity_regularizer
            assert regularizer is not None
            total += float(regularizer(self._outputs[i])) / self.shape[0]
        return total

    def _activity_gradient(self, index: int) -> Array:
        """Return d penalty / d output of one layer."""
        regularizer, output = self.layers[index].activity_regularizer, self._outputs[index]
        assert regularizer is not None
        gradient = np.zeros_like(output)
        regularizer.add_gradient(output, gradient)
        gradient /= self.shape[0]
        return gradient
