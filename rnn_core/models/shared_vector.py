"""One vector for all weights of a model, which models that share layers share too."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.engine.trainer import Trainer
from rnn_core.layers.base import Layer
from rnn_core.weights import adjacent, checked_values, total_size

Array = NDArray[Any]


class SharedVector(Trainer):
    """The part of a model that holds the weights.

    Attributes
    ----------
    vector : ndarray, shape (count_params(),)
        All weights; ``layer.kernel`` and the others are views into it.
    d_vector : ndarray
        All gradients of the last training step, laid out like `vector`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._layers: list[Layer] = []
        self.dtype = ""
        self.built = False
        self.vector: Array = np.empty(0)
        self._d_vector: Array | None = None

    @property
    def layers(self) -> list[Layer]:
        """The layers, in a list of its own: to take the last one away there is ``Sequential.pop``."""
        return list(self._layers)

    def _make_vector(self) -> None:
        """Make one vector of the layers' weights, or find that they lie in one already."""
        weighted = [layer for layer in self.layers if layer.vector.size]
        shared = adjacent([layer.vector for layer in weighted])
        if shared is not None:
            self.vector = shared  # a part of another model: both go on sharing their weights
        else:
            followers = self._models_inside(weighted)
            vector = np.concatenate([np.empty(0), *(layer.vector for layer in self.layers)], dtype=self.dtype)
            for layer, part in zip(self.layers, self.parts(vector), strict=True):
                layer.bind(part)
                layer.owner = weakref.ref(self)
            self.vector = vector
            for model in followers:
                model.follow_layers()
        self._d_vector = None

    def _models_inside(self, weighted: list[Layer]) -> list[SharedVector]:
        """Return the other models whose layers this one takes over: all of a model's, as they stand there, or none."""
        found = (layer.owner() for layer in weighted if layer.owner is not None)
        owners: set[SharedVector] = {owner for owner in found if owner is not None and owner is not self}
        for owner in owners:
            theirs = [layer for layer in owner.layers if layer.vector.size]
            start = next((i for i, layer in enumerate(weighted) if layer in theirs), 0)
            if weighted[start : start + len(theirs)] != theirs:
                names = [layer.name for layer in weighted if layer in theirs]
                raise ValueError(
                    f"A model can't be made with layers {names} alone: their weights lie in one vector with the others "
                    f"of model {owner.name!r}. To train on from their present values, make a copy that stops where "
                    "they do, base = copy.copy(Model(inputs, outputs)), and go on from base.output; to go on sharing "
                    "them, make one model with all the outputs."
                )
        return list(owners)

    def follow_layers(self) -> None:
        """Find the weights again after a model that shares the layers grew, and so moved them to a new vector."""
        base = self.vector if self.vector.base is None else self.vector.base
        if any(layer.vector.base is not base for layer in self.layers if layer.vector.size):
            self._make_vector()
            self._forget_records()

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

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[Array]:
        """Return copies of all weights, layer by layer, in Keras' order."""
        self._require_built("get_weights")
        return [weight for layer in self.layers for weight in layer.get_weights()]

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

    def _require_built(self, action: str) -> None:
        if not self.built:
            raise ValueError(
                f"{action}: model {self.name!r} has no weights yet. State the input shape, with Input(shape=...) as "
                "its first entry or model.build((None, timesteps, features)), or fit it."
            )
