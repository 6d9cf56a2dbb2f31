"""Models as graphs: which layer was called on what, and the order in which the calls run.

Calling a layer on a :class:`Symbol` computes nothing. It notes a :class:`Call`, and returns symbols for what the layer
will put out::

    a = Input((4,))           Call(InputLayer, ())    -> a
    h = Dense(8)(a)           Call(Dense, (a,))       -> h
    y = Add()([h, b])         Call(Add, (h, b))       -> y

``Graph.between(inputs, outputs)`` follows the calls back from the outputs, and lays them out as a plain list in an
order in which they can run. There the places between calls are numbers, so that a pass is a loop over a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_core.layers.base import InputShape, Layer


class Symbol:
    """What a call of a layer will put out: a place in a graph, with a shape, before there is data.

    Attributes
    ----------
    shape : tuple of int or None
        Batch first; None stands for any size.
    dtype : str
    call : Call
        Which puts it out, as its output number `index`.
    """

    __slots__ = ("call", "dtype", "index", "shape")

    def __init__(self, call: Call, index: int, shape: InputShape, dtype: str) -> None:
        self.call, self.index, self.shape, self.dtype = call, index, shape, dtype

    @property
    def name(self) -> str:
        """The name of the layer that puts it out."""
        return self.call.layer.name

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self!r} is a place in a graph and holds no numbers: use it as the input of a layer.")

    def __repr__(self) -> str:
        return f"<Symbol shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Call:
    """One call of a layer on symbols.

    Attributes
    ----------
    layer : Layer
    inputs, outputs : tuple of Symbol
    as_list : bool
        Whether the layer was called on a list.
    states : int
        How many of the inputs, at their end, are the initial state of a recurrent layer.
    training : bool
        Whether the call itself asks for dropout. As in Keras this counts where the model is called without
        saying so, not in ``fit``, ``evaluate`` and ``predict``.
    number : int
        How many calls of the layer came before.
    """

    __slots__ = ("as_list", "inputs", "layer", "number", "outputs", "states", "training")

    def __init__(
        self,
        layer: Layer,
        inputs: tuple[Symbol, ...],
        as_list: bool = False,
        states: int = 0,
        training: bool | None = None,
    ) -> None:
        self.layer, self.inputs, self.as_list, self.states = layer, inputs, as_list, states
        self.training = bool(training)
        shapes = [symbol.shape for symbol in inputs]
        given: Any = shapes if as_list or states else shapes[0] if shapes else layer.output_shape
        if inputs:
            layer.ensure_built(given)
        shape = layer.compute_output_shape(given)
        self.outputs = tuple(Symbol(self, i, s, layer.dtype) for i, s in enumerate(output_shapes(shape)))
        self.number = len(layer.calls)
        layer.calls.append(self)


def output_shapes(shape: Any) -> tuple[Any, ...]:
    """Return the shapes of all outputs of a layer, of which ``compute_output_shape`` returned one, or a tuple.

    Examples
    --------
    >>> output_shapes((None, 3)), output_shapes(((None, 3), (None, 2)))
    (((None, 3),), ((None, 3), (None, 2)))
    """
    several = all(isinstance(part, (tuple, list)) for part in shape)
    return tuple(shape) if several else (shape,)


def is_symbolic(inputs: Any) -> bool:
    """Whether `inputs` is a symbol, or a list that holds one."""
    if isinstance(inputs, (list, tuple)):
        return any(isinstance(entry, Symbol) for entry in inputs)
    return isinstance(inputs, Symbol)


def as_symbols(owner: str, inputs: Any) -> tuple[Symbol, ...]:
    """Return one symbol or a list of them as a tuple.

    Raises
    ------
    TypeError
        Where an entry is something else, arrays included: constants can't be mixed in.
    """
    entries = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
    for entry in entries:
        if not isinstance(entry, Symbol):
            raise TypeError(f"{owner} can be called on symbols or on arrays, not on a mixture; got {entry!r}.")
    return entries


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
        calls, layers = _sorted(inputs, outputs)
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


def _sorted(inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> tuple[list[Call], list[Layer]]:
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
                ahead += [(earlier, False) for earlier in reversed(before) if earlier not in finished]
    return list(finished), order


def _disconnected(call: Call, symbol: Symbol, inputs: Sequence[Symbol]) -> ValueError:
    names = ", ".join(repr(given.name) for given in inputs) or "none"
    return ValueError(
        f"The graph is disconnected: layer {call.layer.name!r} needs the output of {symbol.name!r}, which can't be "
        f"reached from the inputs given ({names})."
    )
