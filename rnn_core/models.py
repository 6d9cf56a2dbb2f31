"""Models: layers in order, with one vector of weights, and what is done with them."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import layers as layers_module
from rnn_core import saving
from rnn_core.checks import positive_int
from rnn_core.layers.base import InputShape, Layer, Shape, checked_mask
from rnn_core.layers.input import InputLayer
from rnn_core.naming import auto_name
from rnn_core.passes import Pass
from rnn_core.serialization import snake_case
from rnn_core.trainer import Trainer
from rnn_core.weights import checked_values, total_size

Array = NDArray[Any]


class Model(Trainer):
    """Layers in topological order on one vector of weights.

    Attributes
    ----------
    layers : list of Layer
    vector : ndarray, shape (count_params(),)
        All weights; ``layer.kernel`` and the others are views into it.
    d_vector : ndarray
        All gradients of the last training step, laid out like `vector`.
    built : bool
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.name = name or auto_name(snake_case(type(self).__name__))
        self.layers: list[Layer] = []
        self.input_shape: InputShape | None = None
        self.dtype = ""
        self.built = False
        self.vector: Array = np.empty(0)
        self._d_vector: Array | None = None

    # Building.

    def build(self, input_shape: InputShape) -> None:
        """Build every layer for inputs of `input_shape` (batch, ...), and lay all weights out in one vector."""
        if not self.layers:
            raise ValueError(f"Model {self.name!r} has no layers: add some before building it.")
        if not isinstance(input_shape, (tuple, list)):
            raise TypeError(f"build: input_shape must be a tuple (batch, ...), got {input_shape!r}.")
        shape: Any = tuple(
            None if size is None else positive_int("build", "every size in input_shape", size, 0)
            for size in input_shape
        )
        given: InputShape = shape
        for layer in self.layers:
            layer.ensure_built(shape)
            shape = layer.output_shape
            if not all(size is None or isinstance(size, int) for size in shape):
                raise ValueError(
                    f"{type(layer).__name__} {layer.name!r} has several outputs (return_state=True): a chain of layers "
                    "hands on one. Call the layer itself, or set return_state=False."
                )
        self.dtype = self._common_dtype()
        self._make_vector()
        self.input_shape = given
        self.output_shape = shape
        self.built = True
        self._forget_records()

    def _common_dtype(self) -> str:
        dtypes = {layer.name: layer.dtype for layer in self.layers}
        if len(set(dtypes.values())) > 1:
            raise ValueError(f"All layers of a model need one dtype, got {dtypes}.")
        return self.layers[0].dtype

    def _make_vector(self) -> None:
        """Make one vector of the layers' weights, or find that they lie in one already."""
        shared = _adjacent([layer.vector for layer in self.layers if layer.vector.size])
        if shared is not None:
            self.vector = shared  # a part of another model: both go on sharing their weights
        else:
            for layer in self.layers:
                owner = layer.owner() if layer.owner is not None else None
                if owner is not None and owner is not self and layer.vector.size:
                    raise ValueError(
                        f"Layer {layer.name!r} belongs to model {owner.name!r}, whose weights lie in one vector. "
                        "Models can share layers that stand next to each other there; for others, copy the weights "
                        "with get_weights and set_weights."
                    )
            vector = np.concatenate([layer.vector for layer in self.layers], dtype=self.dtype)
            for layer, part in zip(self.layers, self.parts(vector), strict=True):
                layer.bind(part)
                layer.owner = weakref.ref(self)
            self.vector = vector
        self._d_vector = None

    def follow_layers(self) -> None:
        """Find the weights again after a model that shares the layers grew, and so moved them to a new vector."""
        base = self.vector if self.vector.base is None else self.vector.base
        if any(layer.vector.base is not base for layer in self.layers if layer.vector.size):
            self._make_vector()

    def parts(self, vector: Array) -> list[Array]:
        """Cut a vector laid out like the weights into one part for each layer."""
        ends = np.cumsum([total_size(layer.specs) for layer in self.layers])
        return np.split(vector, ends[:-1])

    @property
    def d_vector(self) -> Array:
        """The gradients of all weights, laid out like `vector`."""
        if self._d_vector is None:
            self._d_vector = np.zeros_like(self.vector)
        return self._d_vector

    def constrain(self) -> None:
        """Apply the layers' constraints to their weights."""
        for layer in self.layers:
            for spec, weight in zip(layer.specs, layer.weights, strict=True):
                if spec.constraint is not None and layer.trainable:
                    weight[...] = spec.constraint(weight)

    def new_pass(self, shape: Shape, training: bool = False, needs_d_input: bool = False) -> Pass:
        """Return fresh records for a forward and, if `training`, a backward pass of inputs of `shape`."""
        self._require_built("new_pass")
        return Pass(self.layers, shape, self.d_vector if training else None, needs_d_input=needs_d_input)

    def __call__(self, inputs: Any, training: bool = False, mask: Any = None) -> Array:
        """Return the model's output for `inputs` as one batch."""
        x = self.checked_input(inputs)
        one = self.new_pass(x.shape)
        return np.array(one.forward(x, training, checked_mask(mask, x.shape)), order="C")

    # Weights.

    @property
    def weights(self) -> list[Array]:
        """Views of all weights, layer by layer, in Keras' order."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable(self) -> bool:
        """Whether training changes any layer; setting it sets all layers."""
        return not self.layers or any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = bool(value)

    @property
    def trainable_weights(self) -> list[Array]:
        """Views of the weights that training changes."""
        return [weight for layer in self.layers for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Array]:
        """Views of the weights that training leaves as they are."""
        return [weight for layer in self.layers for weight in layer.non_trainable_weights]

    def get_weights(self) -> list[Array]:
        """Return copies of all weights, layer by layer, in Keras' order."""
        self._require_built("get_weights")
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy `weights` in, as :meth:`get_weights` returned them; all shapes are checked before any is written."""
        self._require_built("set_weights")
        specs = [spec for layer in self.layers for spec in layer.specs]
        arrays = checked_values(f"Model {self.name!r}", specs, weights)
        for view, array in zip(self.weights, arrays, strict=True):
            view[...] = array

    def count_params(self) -> int:
        """Return the number of parameters."""
        self._require_built("count_params")
        return int(self.vector.size)

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

    def _require_built(self, action: str) -> None:
        if not self.built:
            raise ValueError(
                f"{action}: model {self.name!r} has no weights yet. State the input shape, with Input(shape=...) as "
                "its first entry or model.build((None, timesteps, features)), or fit it."
            )


class Sequential(Model):
    """A chain of layers.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first entry may be an :func:`Input`; or the first layer says ``input_shape=...``.
    name : str, optional

    Raises
    ------
    ValueError, TypeError
        For entries that are not layers, repeated names, several inputs.

    Notes
    -----
    As ``keras.Sequential``. Without an input shape the weights are made when the first data arrives.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input, SimpleRNN
    >>> model = Sequential([Input((1, 4)), SimpleRNN(32, activation="relu"), Dense(8, activation="relu"), Dense(1)])
    >>> model.count_params()
    1457
    >>> model.predict(np.zeros((2, 1, 4))).shape
    (2, 1)
    """

    def __init__(self, layers: Iterable[Any] | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self._input: InputLayer | None = None
        for layer in layers or ():
            self._append(layer)
        self._build_if_shape_known()

    def add(self, layer: Any) -> None:
        """Append a layer."""
        self._append(layer)
        self._build_if_shape_known()

    def pop(self) -> Layer:
        """Remove the last layer and return it."""
        if not self.layers:
            raise ValueError(f"Sequential {self.name!r} has no layer to remove.")
        layer = self.layers.pop()
        if layer.owner is not None and layer.owner() is self:
            layer.owner = None  # another model may have it now
        self.built = False
        if self.layers:
            self._build_if_shape_known()
        return layer

    def _append(self, layer: Any) -> None:
        if isinstance(layer, InputLayer):
            if self._input is not None or self.layers:
                raise ValueError(f"Sequential {self.name!r}: an Input can only be its first entry.")
            self._input = layer
            return
        if not isinstance(layer, Layer):
            raise TypeError(
                f"Sequential {self.name!r}: only layers can be added, got {type(layer).__name__}: {layer!r}."
            )
        if any(layer.name == other.name for other in self.layers):
            raise ValueError(f"Sequential {self.name!r} has a layer {layer.name!r} already: names must differ.")
        if not self.layers and self._input is None and layer.first_input_shape is not None:
            self._input = InputLayer(batch_shape=layer.first_input_shape, dtype=layer.dtype)
        self.layers.append(layer)
        self.built = False

    def _build_if_shape_known(self) -> None:
        if self.layers and self._input is not None:
            self.build(self._input.batch_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the layers' configs, as Keras writes them."""
        entries: list[Any] = [] if self._input is None else [self._input]
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype or None,
            "layers": [layers_module.serialize(layer) for layer in (*entries, *self.layers)],
        }
        if self.input_shape is not None:
            config["build_input_shape"] = self.input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a model, with fresh weights, from what :meth:`get_config` returned."""
        model = cls([layers_module.deserialize(entry) for entry in config["layers"]], name=config.get("name"))
        if not model.built and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        return model


def _adjacent(vectors: Sequence[Array]) -> Array | None:
    """Return the stretch of memory that `vectors` fill one after another in one array, or None if they do not."""
    base = vectors[0].base if vectors else None
    if base is None or any(vector.base is not base for vector in vectors):
        return None
    start = (vectors[0].ctypes.data - base.ctypes.data) // base.itemsize
    end = start
    for vector in vectors:
        if (vector.ctypes.data - base.ctypes.data) // base.itemsize != end:
            return None
        end += vector.size
    return np.asarray(base[start:end])
