"""Models as graphs: which layer was called on what, and the order in which the calls run.

Calling a layer on a :class:`Symbol` computes nothing. It notes a :class:`Call`, and returns symbols for what the layer
will put out::

    a = Input((4,))           Call(InputLayer, ())    -> a
    h = Dense(8)(a)           Call(Dense, (a,))       -> h
    y = Add()([h, b])         Call(Add, (h, b))       -> y

``Graph.between(inputs, outputs)`` follows the calls back from the outputs, and lays them out as a plain list in an
order in which they can run. There the places between calls are numbers, so that a pass is a loop over a list.
"""

from rnn_core.graph.graph import Graph, Step
from rnn_core.graph.symbols import Call, Symbol, as_symbols, is_symbolic, output_shapes

__all__ = ["Call", "Graph", "Step", "Symbol", "as_symbols", "is_symbolic", "output_shapes"]
