"""A pass through layers that follow one another, without a model around them."""

from __future__ import annotations

from rnn_core.engine.passes import Pass
from rnn_core.graph import Graph


def chain_pass(layers, shape, d_vector=None, *, needs_d_input=False) -> Pass:
    """Return records for `layers` in a row, their gradients side by side in `d_vector`."""
    parts = None
    if d_vector is not None:
        parts, start = {}, 0
        for layer in layers:
            parts[layer] = d_vector[start : start + layer.vector.size]
            start += layer.vector.size
    return Pass(Graph.chain(layers), shape, parts, needs_d_input=needs_d_input)
