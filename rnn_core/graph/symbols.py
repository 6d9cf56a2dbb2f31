"""What a user's calls of layers on symbols note down: the places between layers, before there is data."""

from __future__ import annotations

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

    def _refuse(self, *_: Any) -> Any:
        raise TypeError(
            f"{self!r} is a place in a graph: operators and slices can't be applied to it. Use layers: Add()([a, b]), "
            "Subtract, Concatenate, Reshape; without return_sequences a recurrent layer puts out its last step."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __matmul__ = __rmatmul__ = __pow__ = __rpow__ = __neg__ = __abs__ = _refuse
    __getitem__ = __iter__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse

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
