"""Layers around layers: the weights of those inside are parts of the wrapper's one vector."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.layers.base import Layer
from rnn_core.records import Record
from rnn_core.weights import WeightSpec

Array = NDArray[Any]


class WrapperRecord(Record):
    """The records of the layers inside, by their labels."""

    mask: Any = None
    output_mask: Any = None
    inner: dict[str, Any]

    def named_arrays(self) -> dict[str, Array]:
        """Return the arrays of the layers inside, then those of the wrapper."""
        named = {f"{label}/{name}": a for label, r in self.inner.items() for name, a in r.named_arrays().items()}
        return {**named, **super().named_arrays()}


class Wrapper(Layer):
    """The base of layers that run other layers.

    ::

        vector  [ the weights of the first layer inside | those of the next | ... ]

    Parameters
    ----------
    inner : dict of str to Layer
        The layers inside, by labels that the names of their weights begin with: ``"dense/kernel"``.
    dtype : {"float32", "float64"}, optional
        Default: that of the layers inside, which it has to be.
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        For a layer that is used elsewhere already, one of another dtype, and one with an activity regularizer, which
        Keras would drop.
    """

    def __init__(self, inner: dict[str, Any], *, dtype: Any = None, **kwargs: Any) -> None:
        first = next(iter(inner.values()))
        super().__init__(dtype=first.dtype if dtype is None else dtype, **kwargs)
        owner = f"{type(self).__name__} {self.name!r}"
        for layer in inner.values():
            if layer.wrapper is not None or layer.calls or layer.owner is not None:
                where = "another model" if layer.wrapper is None else repr(layer.wrapper)
                raise ValueError(f"{owner}: layer {layer.name!r} is part of {where} already; make a new one.")
            if layer.dtype != self.dtype:
                raise ValueError(
                    f"{owner} of dtype {self.dtype} needs layers of that dtype, but {layer.name!r} is {layer.dtype}."
                )
            if layer.activity_regularizer is not None:
                raise ValueError(f"{owner}: give it the activity_regularizer, not layer {layer.name!r} inside.")
        for layer in inner.values():
            layer.wrapper = self.name
        self.inner = inner
        if not self._trainable:
            self.trainable = False  # the layers inside too, as when it is set later

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; setting it sets the layers inside too."""
        inner = {layer.trainable for layer in vars(self).get("inner", {}).values()}
        if self._trainable and len(inner) > 1:
            raise ValueError(f"{type(self).__name__} {self.name!r}: freeze all of the layers inside, or none.")
        return self._trainable and inner != {False}

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in vars(self).get("inner", {}).values():
            layer.trainable = value

    def inner_shapes(self, input_shape: Any) -> list[Any]:
        """Return what each of the layers inside gets as its input shape."""
        raise NotImplementedError

    def ensure_built(self, input_shape: Any) -> None:
        """Build the layers inside, or let them check the shape, and take their weights together."""
        self.check_input_shape(input_shape)
        for layer, shape in zip(self.inner.values(), self.inner_shapes(input_shape), strict=True):
            layer.ensure_built(shape)
        if not self.built:
            self.specs = self._labelled("specs")
            self.input_shape = input_shape
            self.bind(np.concatenate([layer.vector for layer in self.inner.values()]))
            self.built = True
        self.output_shape = self.compute_output_shape(input_shape)

    def check_input_shape(self, shape: Any) -> None:
        """Raise ValueError where a layer inside can't take its part of inputs of `shape`."""
        for layer, given in zip(self.inner.values(), self.inner_shapes(shape), strict=True):
            layer.check_input_shape(given[0] if isinstance(given, list) else given)

    @property
    def memory_specs(self) -> list[WeightSpec]:
        """The weights in the order in which they lie in the vector."""
        return self._labelled("memory_specs")

    def _labelled(self, which: str) -> list[WeightSpec]:
        return [
            WeightSpec(f"{label}/{spec.name}", spec.shape, spec.initializer, spec.regularizer, spec.constraint)
            for label, layer in self.inner.items()
            for spec in getattr(layer, which)
        ]

    def bind(self, vector: Array) -> None:
        """Make `vector` the home of the weights, those of the layers inside too."""
        super().bind(vector)
        for layer, part in zip(self.inner.values(), self.parts(vector), strict=True):
            layer.dtype = self.dtype
            layer.bind(part)

    def parts(self, vector: Array) -> list[Array]:
        """Cut a vector that is laid out as the weights into a part for each of the layers inside."""
        ends = np.cumsum([layer.vector.size for layer in self.inner.values()])
        return np.split(vector, ends[:-1])

    def inner_records(self, shape: Any, d_vector: Array | None) -> dict[str, Any]:
        """Return records of the layers inside, for inputs of `shape` of the wrapper."""
        d_parts = [None] * len(self.inner) if d_vector is None else self.parts(d_vector)
        layers = zip(self.inner.items(), self.inner_shapes(shape), d_parts, strict=True)
        return {label: layer.new_record(given, d_part) for (label, layer), given, d_part in layers}
