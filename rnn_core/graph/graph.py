"""Calls in an order in which they can run: what a pass loops over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rnn_core.graph.order import in_order
from rnn_core.graph.symbols import Call, Symbol, output_shapes

if TYPE_CHECKING:
    from rnn_core.layers.base import Layer


class Step:
    """A call as it runs in a pass: the layer, and the numbers of the places that it reads and fills.

    Attributes
    ----------
    layer : Layer
    sources, targets : tuple of int
    in_list : bool
        Whether the layer takes its inputs, and hands back their gradients, as a list.
    call : tuple
        ``(as_list, states, training, number)`` of the :class:`Call`.
    """

    __slots__ = ("call", "in_list", "layer", "sources", "targets")

    def __init__(
        self,
        layer: Layer,
        sources: tuple[int, ...],
        targets: tuple[int, ...],
        call: tuple[bool, int, bool, int] = (False, 0, False, 0),
    ) -> None:
        self.layer, self.sources, self.targets, self.call = layer, sources, targets, call
        self.in_list = call[0] or call[1] > 0

    @property
    def training(self) -> bool:
        """Whether the call itself asks for dropout, where nobody else says."""
        return self.call[2]

    @property
    def number(self) -> int:
        """How many calls of the layer came before."""
        return self.call[3]


class Graph:
    """Calls of layers in an order in which they can run.

    Attributes
    ----------
    steps : list of Step
    inputs, outputs : list of int
        The places that are given from outside, and those that are handed out.
    size : int
        The number of places.
    input_layers : list of InputLayer
        One for each input; none where a chain was made from layers alone.
    layers : list of Layer
        Each once, the inputs among them, in Keras' order: far from the outputs first.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        inputs: Sequence[int],
        outputs: Sequence[int],
        size: int,
        layers: Sequence[Layer] = (),
        input_layers: Sequence[Any] = (),
        symbols: Sequence[Symbol] | None = None,
    ) -> None:
        self.steps, self.inputs, self.outputs, self.size = list(steps), list(inputs), list(outputs), size
        self.layers, self.input_layers = list(layers), list(input_layers)
        self._symbols = None if symbols is None else list(symbols)

    @classmethod
    def chain(cls, layers: Iterable[Layer]) -> Graph:
        """Return the graph of layers that follow one another.

        Examples
        --------
        >>> from rnn_core.layers import Dense
        >>> graph = Graph.chain([Dense(2), Dense(1)])
        >>> [(step.sources, step.targets) for step in graph.steps]
        [((0,), (1,)), ((1,), (2,))]
        """
        layers = list(layers)
        steps = [Step(layer, (i,), (i + 1,)) for i, layer in enumerate(layers)]
        return cls(steps, [0], [len(layers)], len(layers) + 1, layers)

    @classmethod
    def between(
        cls, inputs: Sequence[Symbol], outputs: Sequence[Symbol], new_input: Callable[[Symbol], Layer] | None = None
    ) -> Graph:
        """Return the graph of all calls that lead from `inputs` to `outputs`.

        Where an input is no :func:`Input` but was cut out of a larger graph, ``new_input(symbol)`` is asked for one.

        Raises
        ------
        ValueError
            Where an output needs an input that is not among `inputs`, and where names repeat.
        """
        calls, layers = in_order(inputs, outputs)
        input_layers = [
            new_input(symbol) if new_input is not None and symbol.call.inputs else symbol.call.layer
            for symbol in inputs
        ]
        known = set(layers)
        layers = [layer for layer in input_layers if layer not in known] + layers
        places: dict[Symbol, int] = {symbol: i for i, symbol in enumerate(inputs)}
        steps = []
        for call in calls:
            for symbol in call.inputs:
                if symbol not in places:
                    raise _disconnected(call, symbol, inputs)
            targets = []
            for symbol in call.outputs:
                targets.append(places.setdefault(symbol, len(places)))
            sources = tuple(places[symbol] for symbol in call.inputs)
            how = (call.as_list, call.states, call.training, call.number)
            steps.append(Step(call.layer, sources, tuple(targets), how))
        for name, count in Counter(layer.name for layer in layers).items():
            if count > 1:
                raise ValueError(f"The name {name!r} is used {count} times in one model: names must differ.")
        return cls(
            steps,
            [places[symbol] for symbol in inputs],
            [places[symbol] for symbol in outputs],
            len(places),
            layers,
            input_layers,
            list(places),
        )

    def with_layer(self, old: Layer, new: Layer) -> Graph:
        """Return the same graph with the calls of one layer being those of another, which puts out the same shapes."""

        def now(layers: Iterable[Layer]) -> list[Layer]:
            return [new if layer is old else layer for layer in layers]

        calls = zip(now(step.layer for step in self.steps), self.steps, strict=True)
        steps = [Step(layer, step.sources, step.targets, step.call) for layer, step in calls]
        return Graph(steps, self.inputs, self.outputs, self.size, now(self.layers), now(self.input_layers))

    @property
    def is_chain(self) -> bool:
        """Whether every step reads what the step before put out, and nothing else does."""
        return (
            self.inputs == [0]
            and self.outputs == [len(self.steps)]
            and all(
                step.sources == (i,) and step.targets == (i + 1,) and not step.in_list and not step.training
                for i, step in enumerate(self.steps)
            )
            and len({id(step.layer) for step in self.steps}) == len(self.steps)
        )

    def shapes(self, given: Sequence[Any], shape_of: Callable[[Layer, Any], Any]) -> list[Any]:
        """Return the shape at every place, from those of the inputs; ``shape_of(layer, shapes)`` is asked."""
        shapes: list[Any] = [None] * self.size
        for place, shape in zip(self.inputs, given, strict=True):
            shapes[place] = shape
        for step in self.steps:
            incoming = [shapes[place] for place in step.sources]
            outgoing = output_shapes(shape_of(step.layer, incoming if step.in_list else incoming[0]))
            for place, shape in zip(step.targets, outgoing, strict=True):
                shapes[place] = shape
        return shapes

    @property
    def symbols(self) -> list[Symbol]:
        """The symbols of all places: those it was made from, or new ones, from its input layers on."""
        if self._symbols is None:
            self._symbols = self.called_on([layer.symbol for layer in self.input_layers])
        return self._symbols

    def __getstate__(self) -> dict[str, Any]:
        """Leave the symbols out: those of a copy are made by calls of its own layers."""
        return {**vars(self), "_symbols": None}

    def called_on(self, given: Sequence[Symbol], training: bool | None = None) -> list[Symbol]:
        """Call the layers anew, on `given`, and return the symbols of all places."""
        symbols: list[Any] = [None] * self.size
        for place, symbol in zip(self.inputs, given, strict=True):
            symbols[place] = symbol
        for step in self.steps:
            as_list, states, own, _ = step.call
            sources = tuple(symbols[place] for place in step.sources)
            call = Call(step.layer, sources, as_list, states, own if training is None else training)
            for place, symbol in zip(step.targets, call.outputs, strict=True):
                symbols[place] = symbol
        return symbols


def _disconnected(call: Call, symbol: Symbol, inputs: Sequence[Symbol]) -> ValueError:
    names = ", ".join(repr(given.name) for given in inputs) or "none"
    return ValueError(
        f"The graph is disconnected: layer {call.layer.name!r} needs the output of {symbol.name!r}, which can't be "
        f"reached from the inputs given ({names})."
    )
