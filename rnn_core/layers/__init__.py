"""The layers, one file each."""

from __future__ import annotations

from typing import Any

from rnn_core.layers.activation import Activation
from rnn_core.layers.base import Layer
from rnn_core.layers.bidirectional import Bidirectional
from rnn_core.layers.cell import Cell
from rnn_core.layers.concatenate import Concatenate, concatenate
from rnn_core.layers.dense import Dense
from rnn_core.layers.dropout import Dropout
from rnn_core.layers.embedding import Embedding
from rnn_core.layers.input import Input, InputLayer
from rnn_core.layers.jordan_cell import JordanCell
from rnn_core.layers.jordan_rnn import JordanRNN
from rnn_core.layers.masking import Masking
from rnn_core.layers.merging import (
    Add,
    Average,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    maximum,
    minimum,
    multiply,
    subtract,
)
from rnn_core.layers.pooling import GlobalAveragePooling1D, GlobalMaxPooling1D
from rnn_core.layers.reshaping import Flatten, RepeatVector, Reshape
from rnn_core.layers.rnn import RNN
from rnn_core.layers.simple_rnn import SimpleRNN
from rnn_core.layers.simple_rnn_cell import SimpleRNNCell
from rnn_core.layers.stacked_cells import StackedRNNCells
from rnn_core.layers.time_distributed import TimeDistributed

GlobalAvgPool1D = GlobalAveragePooling1D  # Keras' other names for them
GlobalMaxPool1D = GlobalMaxPooling1D

__all__ = [
    "RNN",
    "Activation",
    "Add",
    "Average",
    "Bidirectional",
    "Cell",
    "Concatenate",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAvgPool1D",
    "GlobalMaxPool1D",
    "GlobalMaxPooling1D",
    "Input",
    "InputLayer",
    "JordanCell",
    "JordanRNN",
    "Layer",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "RepeatVector",
    "Reshape",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
    "Subtract",
    "TimeDistributed",
    "add",
    "average",
    "concatenate",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]

_BY_NAME: dict[str, Any] = {
    cls.__name__: cls
    for cls in (
        RNN,
        Activation,
        Add,
        Average,
        Bidirectional,
        Concatenate,
        Dense,
        Dropout,
        Embedding,
        Flatten,
        GlobalAveragePooling1D,
        GlobalMaxPooling1D,
        InputLayer,
        JordanCell,
        JordanRNN,
        Masking,
        Maximum,
        Minimum,
        Multiply,
        RepeatVector,
        Reshape,
        SimpleRNN,
        SimpleRNNCell,
        StackedRNNCells,
        Subtract,
        TimeDistributed,
    )
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
