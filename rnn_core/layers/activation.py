"""An activation as a layer of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core import activations
from rnn_core.layers.base import InputShape, Layer, Shape
from rnn_core.records import Record, batch_array

Array = NDArray[Any]


class ActivationRecord(Record):
    """Input, output and gradient of one batch."""

    def __init__(self, layer: Activation, shape: Shape) -> None:
        self.x = batch_array(shape, layer.dtype)
        self.output = batch_array(layer.compute_output_shape(shape), layer.dtype)
        self.scratch = batch_array(shape, layer.dtype)
        self.d_input = batch_array(shape, layer.dtype)
        self.is_handed_da = False

    def keep_logits(self) -> Array:
        """Return the array of inputs: the loss is taken of them, and so ``backward`` is handed dx, not dy."""
        self.is_handed_da = True
        return self.x


class Activation(Layer):
    """Apply an activation to every value: ``y = act(x)``, ``dx = dy * act'(x)``.

    Parameters
    ----------
    activation : str, dict or activations.Activation
    **kwargs
        As for every layer.

    Notes
    -----
    As ``keras.layers.Activation``.

    Examples
    --------
    >>> Activation("relu")(np.array([[-1.0, 2.0]]))
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def compute_output_shape(self, input_shape: InputShape) -> Any:
        """Return the shape of the input; glu halves its last size."""
        return self.activation.output_shape(input_shape)  # type: ignore[arg-type]  # None stays None

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> ActivationRecord:
        """Allocate the arrays for inputs of `shape`."""
        return ActivationRecord(self, shape)

    def forward(self, r: ActivationRecord, x: Array, training: bool = False) -> Array:
        """y = act(x)"""
        r.output_mask = r.mask
        np.copyto(r.x, x)
        self.activation.forward(r.x, r.output)
        return r.output

    def backward(self, r: ActivationRecord, d_output: Array) -> Array | None:
        """dx = dy * act'(x)"""
        if r.is_handed_da:
            np.copyto(r.d_input, d_output)
            return r.d_input
        return self.through_activation(r, d_output)

    def through_activation(self, r: ActivationRecord, d_output: Array) -> Array:
        """dx = dy * act'(x)"""
        saved = r.output if self.activation.needs == "output" else r.x
        self.activation.backward(saved, d_output, r.d_input, r.scratch)
        return r.d_input

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}
