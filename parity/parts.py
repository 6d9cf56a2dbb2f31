"""What layers around layers are made of, and what all of it is called, the same on both sides.

::

    bidirectional                           weights  "forward_simple_rnn/kernel", ..., "backward_simple_rnn/bias"
        forward_simple_rnn                  states   "bidirectional/forward_simple_rnn", ...
        backward_simple_rnn
    rnn
        stacked_rnn_cells
            simple_rnn_cell, simple_rnn_cell_1

Names come from classes and places, as rnn_core has them; Keras' own names of weights repeat within such a layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnn_core.layers.stacked_cells import _labels
from rnn_core.serialization import snake_case

ARGUMENTS: dict[str, dict[str, str]] = {
    "Bidirectional": {"layer": "forward_layer", "backward_layer": "backward_layer"},
    "TimeDistributed": {"layer": "layer"},
    "RNN": {"cell": "cell"},
    "JordanRNN": {"cell": "cell"},
    "StackedRNNCells": {"cells": "cells"},
}
"""By class: the constructor's arguments that are layers, and the attributes that hold them."""


def inside(layer: Any) -> dict[str, Any]:
    """Return the layers inside a layer of rnn_core or of Keras, by their labels.

    Examples
    --------
    >>> from rnn_core.layers import Dense, TimeDistributed
    >>> list(inside(TimeDistributed(Dense(2, name="head"))))
    ['dense']
    """
    kind = type(layer).__name__
    if kind == "Bidirectional":
        both = {"forward": layer.forward_layer, "backward": layer.backward_layer}
        return {f"{way}_{snake_case(type(one).__name__)}": one for way, one in both.items()}
    if kind == "StackedRNNCells":
        return dict(zip(_labels(layer.cells), layer.cells, strict=True))
    found = [getattr(layer, attribute) for attribute in ARGUMENTS.get(kind, {}).values()]
    return {snake_case(type(one).__name__): one for one in found}


def walk(layer: Any, label: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a layer and all layers inside it, with their labels: "bidirectional/forward_simple_rnn"."""
    label = label or layer.name
    yield label, layer
    for name, one in inside(layer).items():
        yield from walk(one, f"{label}/{name}")


def part_of(model: Any, label: str) -> Any:
    """Return the layer of a model of rnn_core or of Keras, or the one inside a layer, that has this label.

    Examples
    --------
    >>> from rnn_core.layers import Dense, TimeDistributed
    >>> from rnn_core.models import Sequential
    >>> type(part_of(Sequential([TimeDistributed(Dense(2), name="all")]), "all/dense")).__name__
    'Dense'
    """
    return dict(walk(model.get_layer(label.partition("/")[0])))[label]


def all_parts(layers: Any) -> Iterator[Any]:
    """Yield layers and all layers inside them.

    Examples
    --------
    >>> from rnn_core.layers import RNN, SimpleRNNCell
    >>> [type(part).__name__ for part in all_parts([RNN(SimpleRNNCell(2))])]
    ['RNN', 'SimpleRNNCell']
    """
    for layer in layers:
        for _, part in walk(layer):
            yield part


def walk_records(layer: Any, record: Any, label: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield a layer of rnn_core, and those inside it but cells, with their labels and records."""
    yield label, layer, record
    for name, inner in getattr(record, "inner", {}).items():
        yield from walk_records(layer.inner[name], inner, f"{label}/{name}")


def weight_names(keras_layer: Any) -> list[str]:
    """Return the names that the weights of a Keras layer have in rnn_core, in Keras' order."""
    inner = inside(keras_layer)
    if not inner:
        return [variable.name for variable in keras_layer.weights]
    return [f"{label}/{name}" for label, one in inner.items() for name in weight_names(one)]


def states_of(layer: Any) -> dict[str, Any]:
    """Return the states that stateful layers of rnn_core carry, the layer's own and those of layers inside it."""
    found = {label: getattr(one, "state", None) for label, one in walk(layer)}
    return {label: state for label, state in found.items() if state is not None}


def keras_states_of(keras_layer: Any) -> dict[str, list[Any]]:
    """Return the same of a Keras layer: lists of variables, to be laid side by side along their last axis."""
    from parity.backend import require_keras

    flatten, found = require_keras().tree.flatten, {}
    for label, one in walk(keras_layer):
        if hasattr(one, "cell") and one.states is not None:
            found[label] = flatten(one.states)
    return found
