"""A chain of layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from rnn_core import layers as layers_module
from rnn_core.checks import positive_int
from rnn_core.graph import Graph, Symbol
from rnn_core.layers.base import InputShape, Layer
from rnn_core.layers.input import InputLayer
from rnn_core.models.model import Model


class Sequential(Model):
    """A chain of layers.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first entry may be an :func:`Input`; or the first layer says ``input_shape=...``.
    name : str, optional

    Raises
    ------
    ValueError, TypeError
        For entries that are not layers, repeated names, several inputs.

    Notes
    -----
    As ``keras.Sequential``. Without an input shape the weights are made when the first data arrives.

    Examples
    --------
    >>> import numpy as np
    >>> from rnn_core.layers import Dense, Input, SimpleRNN
    >>> model = Sequential([Input((1, 4)), SimpleRNN(32, activation="relu"), Dense(8, activation="relu"), Dense(1)])
    >>> model.count_params()
    1457
    >>> model.predict(np.zeros((2, 1, 4))).shape
    (2, 1)
    """

    def __init__(self, layers: Iterable[Any] | None = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self._input: InputLayer | None = None
        for layer in layers or ():
            self._append(layer)
        self._build_if_shape_known()

    def add(self, layer: Any) -> None:
        """Append a layer."""
        self._append(layer)
        self._build_if_shape_known()

    def pop(self) -> Layer:
        """Remove the last layer and return it."""
        if not self.layers:
            raise ValueError(f"Sequential {self.name!r} has no layer to remove.")
        layer = self._layers.pop()
        if layer.owner is not None and layer.owner() is self:
            layer.owner = None  # another model may have it now
        self.built = False
        if self.layers:
            self._build_if_shape_known()
        return layer

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Symbol):
            if layer.call.inputs:
                raise TypeError(
                    f"Sequential {self.name!r}: only layers can be added, got the output of one: {layer!r}."
                )
            layer = layer.call.layer
        if isinstance(layer, InputLayer):
            if self._input is not None or self.layers:
                raise ValueError(f"Sequential {self.name!r}: an Input can only be its first entry.")
            self._input = layer
            return
        if not isinstance(layer, Layer):
            inside = " A model goes into another by its layers, or by a call: Model(x, Dense(1)(model(x)))."
            raise TypeError(
                f"Sequential {self.name!r}: only layers can be added, got {type(layer).__name__}: {layer!r}."
                f"{inside if isinstance(layer, Model) else ''}"
            )
        if any(layer.name == other.name for other in self.layers):
            raise ValueError(f"Sequential {self.name!r} has a layer {layer.name!r} already: names must differ.")
        if not self.layers and self._input is None and layer.first_input_shape is not None:
            self._input = InputLayer(batch_shape=layer.first_input_shape, dtype=layer.dtype)
        self._layers.append(layer)
        self.built = False

    def build(self, input_shape: InputShape) -> None:
        """Build every layer for inputs of `input_shape` (batch, ...), and lay all weights out in one vector."""
        if not self.layers:
            raise ValueError(f"Model {self.name!r} has no layers: add some before building it.")
        if not isinstance(input_shape, (tuple, list)):
            raise TypeError(f"build: input_shape must be a tuple (batch, ...), got {input_shape!r}.")
        shape: Any = tuple(
            None if size is None else positive_int("build", "every size in input_shape", size, 0)
            for size in input_shape
        )
        given: InputShape = shape
        for layer in self.layers:
            layer.ensure_built(shape)
            shape = layer.output_shape
            if not all(size is None or isinstance(size, int) for size in shape):
                raise ValueError(
                    f"{type(layer).__name__} {layer.name!r} has several outputs (return_state=True): a chain of layers "
                    "hands on one. Use Model(inputs, outputs), or set return_state=False."
                )
        self.graph = Graph.chain(self.layers)
        self.graph.input_layers = [] if self._input is None else [self._input]
        self.dtype = self._common_dtype()
        self._make_vector()
        self.input_shape = given
        self.output_shape = shape
        self.built = True
        self._forget_records()

    @property
    def inputs(self) -> list[Symbol]:
        """The symbol where the chain begins, as a list."""
        self._require_built("inputs")
        if not self.graph.input_layers:
            self.graph.input_layers = [self._input or InputLayer(batch_shape=self.input_shape, dtype=self.dtype)]
        return super().inputs

    def _build_if_shape_known(self) -> None:
        if self.layers and self._input is not None:
            self.build(self._input.batch_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the layers' configs, as Keras writes them."""
        entries: list[Any] = [] if self._input is None else [self._input]
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype or None,
            "layers": [layers_module.serialize(layer) for layer in (*entries, *self.layers)],
        }
        if self.input_shape is not None:
            config["build_input_shape"] = self.input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a model, with fresh weights, from what :meth:`get_config` returned."""
        model = cls([layers_module.deserialize(entry) for entry in config["layers"]], name=config.get("name"))
        if not model.built and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        return model
