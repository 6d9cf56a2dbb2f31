"""The layers, one file each."""

from __future__ import annotations

from typing import Any

from rnn_core.layers.activation import Activation
from rnn_core.layers.base import Layer
from rnn_core.layers.dense import Dense
from rnn_core.layers.dropout import Dropout
from rnn_core.layers.input import Input, InputLayer
from rnn_core.layers.masking import Masking
from rnn_core.layers.simple_rnn import SimpleRNN
from rnn_core.layers.simple_rnn_cell import SimpleRNNCell

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "Input",
    "InputLayer",
    "Layer",
    "Masking",
    "SimpleRNN",
    "SimpleRNNCell",
]

_BY_NAME: dict[str, Any] = {
    cls.__name__: cls for cls in (Activation, Dense, Dropout, InputLayer, Masking, SimpleRNN, SimpleRNNCell)
}


def serialize(layer: Any) -> dict[str, Any]:
    """Return a layer as the nested config that Keras writes."""
    from rnn_core import serialization

    return serialization.serialize(layer, "keras.layers")


def deserialize(config: dict[str, Any]) -> Any:
    """Make a layer from its nested config.

    Raises
    ------
    ValueError
        For a class that this engine does not have.
    """
    name = config.get("class_name")
    if name not in _BY_NAME:
        raise ValueError(f"rnn_core has no layer {name!r}. It has: {', '.join(sorted(_BY_NAME))}.")
    return _BY_NAME[name].from_config(dict(config["config"]))


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("layers", name, __all__)
