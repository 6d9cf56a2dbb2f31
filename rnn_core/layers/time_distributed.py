"""A layer applied to every time step."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.graph import output_shapes
from rnn_core.layers.base import Layer, Shape, shape_text
from rnn_core.layers.input import InputLayer
from rnn_core.layers.merging import Merge
from rnn_core.layers.wrapper import Wrapper, WrapperRecord
from rnn_core.serialization import snake_case

Array = NDArray[Any]


class TimeDistributedRecord(WrapperRecord):
    """The record of the layer inside, for timesteps * batch samples."""

    def __init__(self, layer: TimeDistributed, shape: Shape, d_vector: Array | None) -> None:
        self.batch, self.timesteps = shape[:2]
        self.inner = layer.inner_records(shape, d_vector)
        (self.record,) = self.inner.values()


class TimeDistributed(Wrapper):
    """Apply a layer to every time step by itself: all steps together are one larger batch.

    ::

        y[:, t] = layer(x[:, t])        (batch, timesteps, ...) as (timesteps * batch, ...)

    Parameters
    ----------
    layer : Layer
        It takes (batch, ...), without time steps.
    **kwargs
        As for every layer.

    Raises
    ------
    TypeError
        Where `layer` is none, or takes no time steps at all: an input layer, or one that merges a list of inputs.
    ValueError
        For a stateful layer or one with several outputs, for one that is used elsewhere, and for inputs of fewer than
        3 dimensions.

    Notes
    -----
    As ``keras.layers.TimeDistributed`` (``keras/src/layers/rnn/time_distributed.py``). Its mask goes on to the layers
    after it; the layer inside computes all steps. Dense does by itself what TimeDistributed(Dense) does.

    Examples
    --------
    >>> from rnn_core.layers import Flatten
    >>> TimeDistributed(Flatten())(np.zeros((2, 5, 3, 4))).shape
    (2, 5, 12)
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"TimeDistributed: layer must be a layer, got {layer!r}.")
        if isinstance(layer, (InputLayer, Merge)):
            raise TypeError(f"TimeDistributed: layer must take one array with time steps, got {layer!r}.")
        if getattr(layer, "stateful", False) or getattr(layer, "return_state", False):
            raise ValueError(f"TimeDistributed: layer {layer.name!r} must not be stateful or return its state.")
        super().__init__({snake_case(type(layer).__name__): layer}, **kwargs)

    @property
    def layer(self) -> Any:
        """The layer inside."""
        (layer,) = self.inner.values()
        return layer

    def check_input_shape(self, shape: Any) -> None:
        """Raise ValueError for fewer than 3 dimensions, and where the layer can't take one time step."""
        if isinstance(shape, list) or len(shape) < 3:
            got = "a list of inputs" if isinstance(shape, list) else shape_text(shape)
            raise ValueError(f"TimeDistributed {self.name!r} expects (batch, timesteps, features, ...), got {got}.")
        super().check_input_shape(shape)
        if len(output_shapes(self.layer.compute_output_shape(*self.inner_shapes(shape)))) > 1:
            raise ValueError(f"TimeDistributed {self.name!r}: layer {self.layer.name!r} must have one output.")

    def inner_shapes(self, input_shape: Any) -> list[Any]:
        """Return (timesteps * batch, ...), or (None, ...) where one of them is not known."""
        batch, timesteps, *rest = input_shape
        return [(None if None in (batch, timesteps) else batch * timesteps, *rest)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return (batch, timesteps, ...), the rest being what the layer puts out."""
        _, *rest = self.layer.compute_output_shape(*self.inner_shapes(input_shape))
        return (*input_shape[:2], *rest)

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> TimeDistributedRecord:
        """Allocate the arrays for inputs of `shape`."""
        return TimeDistributedRecord(self, shape, d_vector)

    def forward(self, r: TimeDistributedRecord, x: Array, training: bool = False) -> Array:
        """y[:, t] = layer(x[:, t])"""
        r.output_mask = r.mask
        return _unfolded(r, self.layer.forward(r.record, _folded(x), training))

    def backward(self, r: TimeDistributedRecord, d_output: Array) -> Array | None:
        """dx[:, t] from dy[:, t]"""
        r.record.needs_d_input = r.needs_d_input
        d_input = self.layer.backward(r.record, _folded(d_output))
        return None if d_input is None else _unfolded(r, d_input)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        from rnn_core.layers import serialize

        return {**super().get_config(), "layer": serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer, and the one inside it, from a config of this engine or of Keras."""
        from rnn_core.layers import deserialize

        return cls(**{**config, "layer": deserialize(config["layer"])})


def _folded(x: Array) -> Array:
    """Return (batch, timesteps, ...) as (timesteps * batch, ...); sequences lie like that in memory."""
    steps = x.swapaxes(0, 1)
    return steps.reshape(-1, *steps.shape[2:])


def _unfolded(r: TimeDistributedRecord, rows: Array) -> Array:
    """Return (timesteps * batch, ...) as (batch, timesteps, ...)."""
    return np.asarray(rows.reshape(r.timesteps, r.batch, *rows.shape[1:]).swapaxes(0, 1))
