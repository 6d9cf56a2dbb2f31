"""Inputs, targets and sample weights on their way into training: arrays that fit the model, its loss and each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_core.data import Data, all_finite, as_sample_weight, as_target
from rnn_core.engine.compiling import Compiled
from rnn_core.engine.predictor import for_names
from rnn_core.lazy import Dataset
from rnn_core.several import rows, shape_of


class Supervised(Compiled):
    """The part of a model that is shown data with targets."""

    def _checked_data(self, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> Data:
        """Return inputs, targets and weights as arrays of equal length."""
        if isinstance(x, Dataset):
            if y is not None:
                raise ValueError(f"{prefix}y must be left out: x is {type(x).__name__}, which holds the targets.")
            x, y = x.arrays()
        x = self.checked_input(x, prefix + "x")
        if y is None:
            raise ValueError(f"{prefix}y is missing: a loss needs targets.")
        if len(self.graph.outputs) > 1:
            return self._checked_several(x, y, sample_weight, prefix)
        y = as_target(prefix + "y", y, self.dtype)
        if len(y) != rows(x):
            raise ValueError(f"{prefix}x and {prefix}y must have as many samples, got {rows(x)} and {len(y)}.")
        output_shape = self._output_shape_for(shape_of(x))
        if isinstance(self.loss, str):
            from rnn_core import losses

            self.loss = losses.get_for_shapes(self.loss, y.shape, output_shape)
        try:
            _, compared = self.loss.check_shapes(y.shape, output_shape)
            self.loss.check_values(y, output_shape)
        except ValueError as error:
            raise ValueError(f"{prefix}y: {error}") from None
        self.compiled_metrics.build(y.shape, output_shape)
        if sample_weight is not None:
            from rnn_core.losses.shapes import fit_weights

            sample_weight = as_sample_weight(prefix + "sample_weight", sample_weight, len(y), self.dtype)
            fit_weights(prefix + self.loss.name, sample_weight, tuple(np.delete(compared, self.loss.axis).tolist()))
        return x, y, sample_weight

    def _checked_several(self, x: Any, y: Any, sample_weight: Any, prefix: str) -> Data:
        """Return the data of a model with several outputs: lists of targets, and of sample weights if there are any."""
        from rnn_core.losses.several import for_outputs

        names = [f"{prefix}y[{name!r}]" for name in self.output_names]
        targets = for_names(y, f"{prefix}y", self.output_names)
        y = [as_target(name, target, self.dtype) for name, target in zip(names, targets, strict=True)]
        for name, target in zip(names, y, strict=True):
            if len(target) != rows(x):
                raise ValueError(f"{prefix}x and {name} must have as many samples, got {rows(x)} and {len(target)}.")
        output_shapes = self._output_shape_for(shape_of(x))
        try:
            self.loss.check_shapes(shape_of(y), output_shapes)
            self.loss.check_values(y, output_shapes)
        except ValueError as error:
            raise ValueError(f"{prefix}y: {error}") from None
        self.compiled_metrics.build(shape_of(y), output_shapes)
        if sample_weight is not None:
            given = for_outputs(sample_weight, f"{prefix}sample_weight", self.output_names, all_alike=True)
            sample_weight = [
                None if w is None else as_sample_weight(f"{prefix}sample_weight[{name!r}]", w, rows(x), self.dtype)
                for name, w in zip(self.output_names, given, strict=True)
            ]
            self.loss.check_weights(sample_weight, shape_of(y), output_shapes, f"{prefix}sample_weight")
        return x, y, sample_weight

    def _check_weights(self) -> None:
        """Refuse to train on from weights that are not finite: the loss would only say so later."""
        if not all_finite(self.vector):
            for layer in self.layers:
                for spec, weight in zip(layer.specs, layer.weights, strict=True):
                    if not all_finite(weight):
                        raise ValueError(f"fit: weight {spec.name!r} of layer {layer.name!r} holds NaN or infinity.")
