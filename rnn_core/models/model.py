"""Models: a graph of layers with one vector of weights, and what is done with them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import saving
from rnn_core.engine.passes import Pass
from rnn_core.graph import Graph, Symbol, as_symbols, is_symbolic
from rnn_core.layers.base import InputShape, Layer, Shape, checked_mask
from rnn_core.layers.input import InputLayer
from rnn_core.models.graph_config import graph_config, symbols_from_config
from rnn_core.models.shared_vector import SharedVector
from rnn_core.naming import auto_name
from rnn_core.serialization import snake_case
from rnn_core.several import as_list, shape_of, unpacked
from rnn_core.tensors import Tensor
from rnn_core.unsupported import MODEL_STEPS, NamesWhatIsMissing, refuse_overriding

Array = NDArray[Any]


class Model(SharedVector, NamesWhatIsMissing, kind="model"):
    """A graph of layers on one vector of weights.

    Parameters
    ----------
    inputs, outputs : Symbol, or a list or dict of them
        Where the graph begins and ends; see :func:`rnn_core.Input`.
    name : str, optional

    Attributes
    ----------
    layers : list of Layer
        In topological order, far from the outputs first; of a functional model also its inputs.
    graph : Graph
        The calls of the layers, in the order in which they run.
    vector : ndarray, shape (count_params(),)
        All weights; ``layer.kernel`` and the others are views into it.
    d_vector : ndarray
        All gradients of the last training step, laid out like `vector`.
    built : bool

    Raises
    ------
    ValueError
        For outputs that can't be reached from the inputs, and for names that repeat.
    TypeError
        For inputs or outputs that are no symbols.

    Notes
    -----
    As ``keras.Model`` made from inputs and outputs (``keras/src/models/functional.py``). Called on symbols, a model
    hands on its layers: in the outer model they are listed one by one, where Keras has one row for the inner model.

    A mask counts for a recurrent layer that is also given an initial state. (In Keras it gets lost there.)

    Examples
    --------
    >>> from rnn_core.layers import Concatenate, Dense, Input, SimpleRNN
    >>> past, today = Input((7, 2)), Input((3,))
    >>> h = Concatenate()([SimpleRNN(8)(past), today])
    >>> model = Model(inputs=[past, today], outputs=Dense(1)(h))
    >>> model.predict([np.zeros((5, 7, 2)), np.zeros((5, 3))]).shape
    (5, 1)
    """

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__()
        functional = inputs is not None or outputs is not None
        self.name = name or auto_name("functional" if functional else snake_case(type(self).__name__))
        self.graph = Graph.chain([])
        self.input_keys: list[str] | None = None
        self.output_keys: list[str] | None = None
        self.input_shape: Any = None
        if functional:
            self._connect(inputs, outputs)
            if not trainable:
                self.trainable = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_overriding(
            cls, MODEL_STEPS, "make a model with Sequential or Model(inputs, outputs), and train it with fit"
        )

    # Building.

    def _connect(self, inputs: Any, outputs: Any) -> None:
        """Take the graph between symbols."""
        if inputs is None or outputs is None:
            raise ValueError("Model needs both inputs and outputs, or neither: see Sequential.")
        symbols: list[list[Symbol]] = []
        for argument, given in (("inputs", inputs), ("outputs", outputs)):
            entries = [given[key] for key in sorted(given)] if isinstance(given, dict) else as_list(given)
            for entry in entries:
                if not isinstance(entry, Symbol):
                    raise TypeError(f"Model: {argument} must be symbols, what Input and layers return; got {entry!r}.")
            if not entries:
                raise ValueError(f"Model: {argument} is empty.")
            symbols.append(entries)
        if len(set(symbols[0])) < len(symbols[0]):
            raise ValueError(f"Model: inputs must differ, got {[symbol.name for symbol in symbols[0]]}.")
        self.graph = Graph.between(symbols[0], symbols[1], _input_in_place_of)
        self.input_keys, self.output_keys = (
            sorted(given) if isinstance(given, dict) else None for given in (inputs, outputs)
        )
        self._layers = self.graph.layers
        self.dtype = self._common_dtype()
        self._make_vector()
        self.input_shape, self.output_shape = (unpacked([s.shape for s in entries]) for entries in symbols)
        self.built = True

    def build(self, input_shape: InputShape) -> None:
        """Do nothing: a functional model has its weights from the start, and a Sequential model its own way."""

    @property
    def inputs(self) -> list[Symbol]:
        """The symbols where the graph begins."""
        self._require_built("inputs")
        return [self.graph.symbols[place] for place in self.graph.inputs]

    @property
    def outputs(self) -> list[Symbol]:
        """The symbols that the graph ends in."""
        _ = self.inputs  # without them there are no symbols
        return [self.graph.symbols[place] for place in self.graph.outputs]

    @property
    def input(self) -> Any:
        """The symbol where the graph begins, or a list of them."""
        return unpacked(self.inputs)

    @property
    def output(self) -> Any:
        """The symbol that the graph ends in, or a list of them."""
        return unpacked(self.outputs)

    @property
    def input_names(self) -> list[str]:
        """The keys of inputs given as a dict: those that the model was made with, or the names of its input layers."""
        if self.input_keys is not None:
            return self.input_keys
        return [layer.name for layer in self.graph.input_layers]

    @property
    def output_names(self) -> list[str]:
        """The keys of targets, losses and metrics: those that the model was made with, or names of layers."""
        if self.output_keys is not None:
            return self.output_keys
        made_by = {place: step.layer.name for step in self.graph.steps for place in step.targets}
        made_by |= {p: layer.name for p, layer in zip(self.graph.inputs, self.graph.input_layers, strict=False)}
        return [made_by[place] for place in self.graph.outputs]

    def _common_dtype(self) -> str:
        dtypes = {layer.name: layer.dtype for layer in self.layers if not isinstance(layer, InputLayer)}
        if len(set(dtypes.values())) > 1:
            raise ValueError(f"All layers of a model need one dtype, got {dtypes}.")
        return next(iter(dtypes.values()), self.layers[0].dtype)

    def new_pass(self, shape: Shape | Sequence[Shape], training: bool = False, needs_d_input: bool = False) -> Pass:
        """Return fresh records for a forward and, if `training`, a backward pass of inputs of `shape`."""
        self._require_built("new_pass")
        d_parts = dict(zip(self.layers, self.parts(self.d_vector), strict=True)) if training else None
        return Pass(self.graph, shape, d_parts, needs_d_input=needs_d_input)

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return the model's output for `inputs` as one batch; for symbols, the symbols that its layers return."""
        if is_symbolic(inputs):
            if not self.built and isinstance(inputs, Symbol):
                self.build(inputs.shape)
            self._require_built("call")
            symbols = self.graph.called_on(as_symbols(f"Model {self.name!r}", inputs), training)
            return self.handed_out([symbols[place] for place in self.graph.outputs])
        x = self.checked_input(inputs)
        if isinstance(x, list):
            masks = [checked_mask(m, part.shape) for m, part in zip(mask or [None] * len(x), x, strict=True)]
            output = self.new_pass(shape_of(x)).forward(x, training, masks)
        else:
            output = self.new_pass(x.shape).forward(x, training, checked_mask(mask, x.shape))
        return self.handed_out([Tensor.copy_of(part) for part in as_list(output)])

    def handed_out(self, outputs: Sequence[Any]) -> Any:
        """Return outputs as users get them: one, a list, or a dict where the model was made with one."""
        if self.output_keys is not None:
            return dict(zip(self.output_keys, outputs, strict=True))
        return unpacked(outputs)

    # Files.

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write all weights to an .npz file; a crash leaves the old file or the new one."""
        self._require_built("save_weights")
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Read weights that :meth:`save_weights` wrote; nothing is changed unless all of them fit."""
        self._require_built("load_weights")
        saving.load_weights(self, filepath)

    # Description.

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its index."""
        if (name is None) == (index is None):
            raise ValueError("get_layer needs a name or an index, one of the two.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"Model {self.name!r} has {len(self.layers)} layers, none at index {index}.")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"Model {self.name!r} has no layer {name!r}: {[layer.name for layer in self.layers]}.")

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the table of layers, output shapes and parameters that Keras prints."""
        from rnn_core.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def get_config(self) -> dict[str, Any]:
        """Return the layers' configs and which is called on what, as Keras writes them."""
        self._require_built("get_config")
        return {
            "name": self.name,
            "trainable": self.trainable,
            **graph_config(self.graph, self.input_keys, self.output_keys),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a model, with fresh weights, from what :meth:`get_config` returned, or Keras'.

        Raises
        ------
        ValueError
            For layers that wait for each other, and for what this engine does not have.
        """
        inputs, outputs = symbols_from_config(config)
        return cls(inputs, outputs, config.get("name"), config.get("trainable") is not False)

    def __copy__(self) -> Self:
        """Copy deeply, as layers do: two models can't have one list of layers, or one optimizer."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is tied to this model's memory; the optimizer's state goes along as values."""
        state = {**vars(self), "_free_passes": {}, "_d_vector": None, "_prepared": (None, None, []), "history": None}
        state["vector"] = np.empty(0)  # each layer has its part
        state.pop("_kept_steps", None)
        if self.optimizer is not None:
            slots = self.optimizer.get_state() if self.optimizer.built else None
            state["optimizer"] = (type(self.optimizer), self.optimizer.get_config(), slots)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a copied or pickled state, and lay the weights out in one vector again."""
        optimizer = state["optimizer"]
        vars(self).update({**state, "optimizer": None})
        if self.built:
            self._make_vector()
        if optimizer is not None:
            cls, config, slots = optimizer
            self.optimizer = cls.from_config(config)
            if slots is not None:
                self.prepare_training()
                self.optimizer.set_state(slots)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _input_in_place_of(symbol: Symbol) -> InputLayer:
    """Return an input for a symbol that is cut out of a larger graph."""
    return InputLayer(batch_shape=symbol.shape, dtype=symbol.dtype, name=f"{symbol.name}_output")
