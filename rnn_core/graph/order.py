"""The order in which calls can run, and in which Keras names their layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnn_core.graph.symbols import Call, Symbol

if TYPE_CHECKING:
    from rnn_core.layers.base import Layer


def in_order(inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> tuple[list[Call], list[Layer]]:
    """Return the calls between inputs and outputs in the order in which they run, and the layers in Keras' order.

    The depth of a call is the length of the longest way from it to an output; all calls of one layer count as
    its deepest. Deeper calls run first, so a call runs after everything that it reads. Among equals the order is that
    of a walk back from the outputs (``keras/src/ops/function.py``).
    """
    finished, order = _walk_back(inputs, outputs)
    depths: dict[Call, int] = {}
    layer_depths: dict[Layer, int] = {}
    for call in reversed(finished):  # consumers first
        depth = max(depths.get(call, 0), layer_depths.get(call.layer, 0))
        depths[call] = layer_depths[call.layer] = depth
        for symbol in call.inputs:
            depths[symbol.call] = max(depths.get(symbol.call, 0), depth + 1)
    for symbol in inputs:  # those that no output needs, and those that were cut out of a larger graph
        if symbol.call.layer not in layer_depths and not symbol.call.inputs:
            layer_depths[symbol.call.layer] = 0
            order[symbol.call.layer] = -1
    layers = sorted(layer_depths, key=lambda layer: (-layer_depths[layer], order[layer]))
    positions = {call: i for i, call in enumerate(depths)}
    calls = [call for call in finished if call.inputs]
    return sorted(calls, key=lambda call: (-depths[call], positions[call])), layers


def _walk_back(inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> tuple[list[Call], dict[Layer, int]]:
    """Return all calls that `outputs` need, each after those it reads, and the layers by when they were first met.

    Written as a loop, so that a chain may be longer than Python's stack.
    """
    given = set(inputs)
    order: dict[Layer, int] = {}
    finished: dict[Call, None] = {}
    for output in outputs:
        ahead: list[tuple[Call, bool]] = [] if output in given and output.call.inputs else [(output.call, False)]
        while ahead:
            call, done = ahead.pop()
            if done:
                finished[call] = None
            elif call not in finished:
                order.setdefault(call.layer, len(order))
                ahead.append((call, True))
                before = [s.call for s in call.inputs if s not in given or not s.call.inputs]
                ahead += [(earlier, False) for earlier in reversed(before)]
    return list(finished), order
