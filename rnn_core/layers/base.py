"""What every layer is: settings, weights that are views into a vector, and a forward and a backward pass.

To write a layer, state its weights in ``build`` and its maths in ``forward`` and ``backward``; both work on a
record (see ``rnn_core.records``) that ``new_record`` allocates. The base class does the rest: building on first
use, initial values, checks, calls on plain arrays, ``get_weights`` and ``get_config``.
"""

from __future__ import annotations

import copy
import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import constraints, initializers, regularizers
from rnn_core.config import standardize_dtype
from rnn_core.data import as_numeric
from rnn_core.graph import Call, as_symbols, is_symbolic
from rnn_core.naming import auto_name
from rnn_core.records import Record
from rnn_core.serialization import snake_case
from rnn_core.tensors import Tensor, Variable
from rnn_core.unsupported import NamesWhatIsMissing, refuse_arguments, refuse_overriding
from rnn_core.weights import WeightSpec, checked_values, initial_vector, total_size, views

Array = NDArray[Any]
Shape = tuple[int, ...]
InputShape = tuple[int | None, ...]


def _building_all(build: Callable[..., None]) -> Callable[..., None]:
    """Let ``layer.build(shape)`` from outside build all of the layer; a subclass' ``build`` only states its weights."""

    @functools.wraps(build)
    def wrapped(self: Layer, input_shape: Any) -> None:
        if vars(self).get("_stating"):
            build(self, input_shape)
        else:
            several = any(isinstance(size, (tuple, list)) for size in input_shape)
            self.ensure_built(input_shape if several else tuple(input_shape))

    return wrapped


class Layer(NamesWhatIsMissing, kind="layer"):
    """The base of all layers.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake case with a running number, as Keras has it.
    dtype : {"float32", "float64"}, optional
        Default: ``rnn_core.config.floatx()``.
    trainable : bool
        Whether an optimizer may change the weights.
    activity_regularizer : str, dict or Regularizer, optional
        Penalty on the layer's output, divided by the batch size.
    input_shape : tuple of int, optional
        The shape of one sample, for the first layer of a Sequential model.
    input_dim : int, optional
        Short for ``input_shape=(input_dim,)``.

    Attributes
    ----------
    built : bool
    vector : ndarray, shape (count_params(),)
        All weights, contiguous; a part of the model's vector once the layer is in a built model.
    weights : list of ndarray
        Views into `vector`, in Keras' order.
    """

    memory_order: ClassVar[tuple[str, ...]] = ()
    """Names of the weights as they lie in memory, where that differs from Keras' order."""

    ranks: ClassVar[tuple[int, ...]] = ()
    """Numbers of input dimensions, batch included, that the layer takes; empty: any."""

    input_layout: ClassVar[str] = "(batch, ...)"

    makes_mask: ClassVar[bool] = False
    """Whether the layer tells those after it which time steps are real."""

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        activity_regularizer: Any = None,
        input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
        **unknown: Any,
    ) -> None:
        refuse_arguments(type(self).__name__, unknown)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: name must be a str, got {name!r}.")
        self.name = name or auto_name(snake_case(type(self).__name__))
        self.dtype = standardize_dtype(dtype)
        self.trainable = bool(trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        if input_dim is not None:
            input_shape = (input_dim,)
        if input_shape is not None and not isinstance(input_shape, (tuple, list)):
            raise TypeError(f"{type(self).__name__}: input_shape must be a tuple of sizes, got {input_shape!r}.")
        self.first_input_shape: InputShape | None = None if input_shape is None else (None, *input_shape)
        self.built = False
        self.specs: list[WeightSpec] = []
        self.input_shape: InputShape | None = None
        self.output_shape: Any = None
        self.vector: Array = np.empty(0, self.dtype)
        self.owner: weakref.ref[Any] | None = None  # the model whose vector the weights lie in
        self.calls: list[Call] = []  # on symbols, in functional models
        self.wrapper: str | None = None  # the name of the layer around this one, whose vector has the weights

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_overriding(
            cls, ("call",), "a layer here defines forward(r, x, training) and, by hand, backward(r, d_output)"
        )
        if "build" in vars(cls):
            cls.build = _building_all(cls.build)  # type: ignore[method-assign]

    # What a layer states.

    @_building_all
    def build(self, input_shape: InputShape) -> None:
        """State the weights for inputs of this shape, with :meth:`add_weight`."""

    def compute_output_shape(self, input_shape: InputShape) -> Any:
        """Return the shape of the output, batch first; None stands for any size."""
        return input_shape

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> Any:
        """Allocate the record for inputs of `shape`; with `d_vector`, the weights' gradients, also for backward."""
        return Record()

    def forward(self, r: Any, x: Array, training: bool = False) -> Array:
        """Compute the output of `x`, writing into the record `r`."""
        raise NotImplementedError

    def backward(self, r: Any, d_output: Array) -> Array | None:
        """Compute the gradients of the weights and of the input from that of the output."""
        raise NotImplementedError

    # Weights.

    def add_weight(
        self,
        name: str,
        shape: Shape,
        initializer: Any = "glorot_uniform",
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        """State a weight; it becomes the attribute `name`, a view into the vector."""
        self.specs.append(
            WeightSpec(
                name,
                shape,
                initializers.get(initializer),
                regularizers.get(regularizer),
                constraints.get(constraint),
            )
        )

    @property
    def memory_specs(self) -> list[WeightSpec]:
        """The weights in the order in which they lie in the vector."""
        if not self.memory_order:
            return self.specs
        return sorted(self.specs, key=lambda spec: self.memory_order.index(spec.name))

    def views(self, vector: Array) -> dict[str, Array]:
        """Cut a vector that is laid out as this layer's (weights, gradients, a slot) into named views."""
        cut = views(self.memory_specs, vector)
        return {spec.name: cut[spec.name] for spec in self.specs}

    def features_of(self, input_shape: InputShape) -> int:
        """Return the last size of `input_shape`, which a layer with a kernel has to know."""
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                f"{type(self).__name__} {self.name!r} has to know the number of features, the last size of its "
                f"input, got {shape_text(input_shape)}."
            )
        return features

    def ensure_built(self, input_shape: InputShape) -> None:
        """Check `input_shape`, and on first use state the weights and draw their initial values."""
        self.check_input_shape(input_shape)
        if not self.built:
            self._stating = True
            try:
                self.build(input_shape)
            finally:
                del self._stating
            self.input_shape = input_shape
            self.bind(initial_vector(self.specs, self.memory_specs, self.dtype))
            self.built = True
        self.output_shape = self.compute_output_shape(input_shape)

    def bind(self, vector: Array) -> None:
        """Make `vector` the home of the weights: every weight attribute becomes a view into it."""
        self.vector = vector
        vars(self).update(self.views(vector))

    def __setattr__(self, name: str, value: Any) -> None:
        """Copy what is assigned to a weight into its place in the vector, where the engine will see it."""
        if any(name == spec.name for spec in vars(self).get("specs", ())) and name in vars(self):
            (spec,) = (spec for spec in self.specs if spec.name == name)
            (array,) = checked_values(f"{type(self).__name__} {self.name!r}", [spec], [value])
            vars(self)[name][...] = array
        else:
            super().__setattr__(name, value)

    @property
    def weights(self) -> list[Array]:
        """Views of all weights, in Keras' order; each knows its name (:class:`rnn_core.tensors.Variable`)."""
        return [Variable.of(view, f"{self.name}/{name}") for name, view in self.views(self.vector).items()]

    @property
    def trainable_weights(self) -> list[Array]:
        """Views of the weights that an optimizer may change."""
        return self.weights if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Array]:
        """Views of the weights that stay as they are."""
        return [] if self.trainable else self.weights

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[Array]:
        """Return copies of the weights, in Keras' order."""
        return [view.copy() for view in self.views(self.vector).values()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy `weights` in; all shapes are checked before any is written."""
        arrays = checked_values(f"{type(self).__name__} {self.name!r}", self.specs, weights)
        for view, array in zip(self.weights, arrays, strict=True):
            view[...] = array

    def count_params(self) -> int:
        """Return the number of parameters."""
        if not self.built:
            raise ValueError(f"{type(self).__name__} {self.name!r} has no weights yet: it is not built.")
        return total_size(self.specs)

    # Calls.

    def check_input_shape(self, shape: InputShape) -> None:
        """Raise ValueError where the layer can't take inputs of `shape` (batch, ...)."""
        expected = self.input_layout
        if self.input_shape is not None and self.specs:
            expected = f"{expected.rsplit(',', 1)[0]}, {self.input_shape[-1]})"
        label = f"{type(self).__name__} {self.name!r} expects {expected}, got {shape_text(shape)}"
        if self.ranks and len(shape) not in self.ranks:
            raise ValueError(f"{label}: {len(shape)} dimensions where {' or '.join(map(str, self.ranks))} are needed.")
        if any(size == 0 for size in shape[1:]):
            raise ValueError(f"{label}: no dimension may be empty.")
        if self.specs and self.input_shape is not None and shape[-1] != self.input_shape[-1]:
            raise ValueError(f"{label}: it was built for {self.input_shape[-1]} features.")

    def convert(self, inputs: Any) -> Array:
        """Return `inputs` as an array of the layer's dtype, checked and with the layer built for it."""
        x = as_numeric(f"{type(self).__name__} {self.name!r}: inputs", inputs).astype(self.dtype, copy=False)
        self.ensure_built(x.shape)
        return x

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Apply the layer to an array and return a new array; on a :class:`Symbol`, note the call and return a symbol.

        Parameters
        ----------
        inputs : array_like, shape (batch, ...), or Symbol
            A list of them for layers that merge several.
        training : bool, optional
            Whether dropout is applied. For a symbol None leaves that to the model.
        mask : array_like of bool, shape (batch, timesteps), optional
            Which time steps are real, for layers that know masks. Between symbols masks travel by themselves.
        """
        if is_symbolic(inputs):
            return self.connect(inputs, training, mask)
        x = self.convert(inputs)
        record = self.new_record(x.shape)
        record.mask = checked_mask(mask, x.shape)
        return Tensor.copy_of(self.forward(record, x, bool(training)))

    def connect(self, inputs: Any, training: bool | None = None, mask: Any = None, states: Sequence[Any] = ()) -> Any:
        """Note a call on symbols, with `states` after the inputs where a recurrent layer is given some."""
        owner = f"{type(self).__name__} {self.name!r}"
        if self.wrapper is not None:
            raise ValueError(f"{owner} is the inside of {self.wrapper!r} and can't be called on symbols by itself.")
        if mask is not None:
            raise ValueError(f"{owner}: masks travel between symbols by themselves; mask= goes with arrays.")
        symbols = as_symbols(owner, inputs) + as_symbols(owner, list(states))
        call = Call(self, symbols, isinstance(inputs, (list, tuple)), len(states), training)
        return call.outputs[0] if len(call.outputs) == 1 else call.outputs

    @property
    def output(self) -> Any:
        """What the layer's first call put out, a symbol or a list of them; in a Sequential, at its place there."""
        self._require_calls("output")
        outputs = self.calls[0].outputs
        return outputs[0] if len(outputs) == 1 else list(outputs)

    @property
    def input(self) -> Any:
        """The symbol that the layer was first called on, or a list of them."""
        self._require_calls("input")
        inputs = self.calls[0].inputs
        return list(inputs) if self.calls[0].as_list else inputs[0]

    def _require_calls(self, asked: str) -> None:
        model = None if self.owner is None else self.owner()
        if not self.calls and model is not None:
            _ = model.outputs  # symbols, made now and noted by the layers
        if not self.calls:
            raise AttributeError(f"{type(self).__name__} {self.name!r} is part of no model yet and has no {asked}.")

    # Configuration.

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as Keras names them."""
        config = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from what :meth:`get_config` returned."""
        return cls(**config)

    def __copy__(self) -> Self:
        """Copy deeply: two layers that draw from one stream, or write to one state, would not be two."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the views out: a copy gets its own vector, and views of that."""
        state = {name: value for name, value in vars(self).items() if not _is_view(value, self.vector)}
        return {**state, "vector": self.vector.copy(), "owner": None, "calls": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a copied or pickled state, and cut its vector into views."""
        vars(self).update(state)
        if self.built:
            self.bind(self.vector)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _is_view(value: Any, vector: Array) -> bool:
    return isinstance(value, np.ndarray) and value.size > 0 and np.may_share_memory(value, vector)


def shape_text(shape: InputShape) -> str:
    """Return a shape as text, with 'batch' for an unknown first size.

    Examples
    --------
    >>> shape_text((None, 1, 4))
    '(batch, 1, 4)'
    """
    sizes = ["batch" if i == 0 and n is None else str(n) for i, n in enumerate(shape)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def checked_mask(mask: Any, shape: Shape) -> Array | None:
    """Return `mask` as a bool array of shape (batch, timesteps)."""
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.shape != shape[:2] or array.dtype.kind not in "biuf":
        raise ValueError(f"mask must be a bool array of shape (batch, timesteps) = {shape[:2]}, got {array.shape}.")
    return array.astype(bool)
