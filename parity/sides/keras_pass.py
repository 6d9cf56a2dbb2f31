"""One forward pass through a Keras model's own graph, changing nothing: what it is handed, and what Keras computes.

::

    one = KerasPass(model)
    leaves, data = one.tensors(x, y, options)         what gradients are taken of, and the rest
    loss, (outputs, masks, states, output) = one.evaluate(leaves, data, training)

The graph is run call by call (keras_calls.py), Keras' own ``compute_loss`` does the rest. Weights and states are handed
over as values, in a ``keras.StatelessScope``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from parity.backend import masks_may_end, require_keras, to_numpy
from parity.keras_calls import Calls, all_layers, functional, keep_apart, mask_of, with_mask, within_a_call
from parity.parts import keras_states_of, walk, weight_names
from parity.sides.autodiff import values_are_known
from parity.sides.questions import Options
from rnn_core.several import as_list

Tensors = dict[str, Any]


class KerasPass:
    """A built Keras model, run forward on tensors.

    Attributes
    ----------
    layers : list of keras.layers.Layer
    calls : Calls
    variables : dict of str to keras.Variable
        The weights by name, "layer/weight".
    states : dict of str to list of keras.Variable
        Of each stateful layer.
    masks_handed : dict of str to str
        See :class:`parity.sides.keras_side.KerasSide`.
    """

    def __init__(self, model: Any) -> None:
        self.keras = require_keras()
        self.model = model
        self.layers = all_layers(model)
        computing = [layer for layer in self.layers if not isinstance(layer, self.keras.layers.InputLayer)]
        self.dtype: str = (computing or self.layers)[0].compute_dtype
        self.calls = Calls(model)
        self.masks_handed: dict[str, str] = {}
        self.variables = {
            f"{layer.name}/{name}": variable
            for layer in self.layers
            for name, variable in zip(weight_names(layer), layer.weights, strict=True)
        }
        self.states: dict[str, list[Any]] = {}
        for layer in self.layers:
            self.states |= keras_states_of(layer)

    # What it is handed.

    def tensors(self, x: Any, y: Any, options: Options) -> tuple[Tensors, Tensors]:
        """Return as tensors what gradients are taken of (the leaves) and the rest of the data."""
        sample_weight, mask = options.get("sample_weight"), options.get("mask")
        initial_states, dropout_masks = options.get("initial_states") or {}, options.get("dropout_masks") or {}
        parts = dict(self._parts())
        for name in initial_states:
            if not hasattr(parts.get(name), "cell"):
                known = [label for label, part in parts.items() if hasattr(part, "cell") and label in self.calls.labels]
                raise ValueError(
                    f"KerasSide: model {self.model.name!r} has no layer {name!r} that takes an initial state: {known}."
                )
        for name in dropout_masks:
            if name not in parts:
                raise ValueError(f"KerasSide: model {self.model.name!r} has no layer {name!r}: {list(parts)}.")
        if dropout_masks and not options.get("training"):
            raise ValueError("KerasSide: dropout_masks are for training=True; otherwise nothing is dropped.")
        convert, inputs = self.keras.ops.convert_to_tensor, functional(self.model)._inputs
        given = as_list(x) if len(inputs) > 1 else [x]
        masks = as_list(mask) if len(inputs) > 1 and mask is not None else [mask] * len(inputs)
        leaves = {
            "weights": {name: convert(v.value) for name, v in self.variables.items()},
            "x": [convert(np.ascontiguousarray(part, self.dtype)) for part in given],
            "initial_states": {name: self._floats(state) for name, state in initial_states.items()},
        }
        data = {
            "y": None if y is None else self._several(y),
            "sample_weight": None if sample_weight is None else self._several(sample_weight),
            "mask": [None if one is None else convert(np.asarray(one, bool)) for one in masks],
            "states": {name: [convert(v.value) for v in parts] for name, parts in self.states.items()},
            "dropout_masks": {
                name: tuple(None if m is None else self._floats(m) for m in pair)
                for name, pair in dropout_masks.items()
            },
        }
        return leaves, data

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Yield all calls, and the parts of their layers, by name."""
        by_name = {layer.name: layer for layer in self.layers}
        for label in self.calls.labels:
            name = label if label in by_name else label.rpartition(" #")[0]
            yield from walk(by_name[name], label)

    def _several(self, values: Any) -> list[Any]:
        """Return targets, or weights of samples, as a list of tensors with an entry for each output."""
        outputs = functional(self.model)._outputs
        entries = as_list(values) if len(outputs) > 1 else [values]
        return [None if entry is None else self._floats(entry) for entry in entries]

    def _floats(self, values: Any) -> Any:
        """Return an array as a tensor; floats in the model's dtype, whole numbers as they are."""
        array = np.asarray(values)
        array = np.ascontiguousarray(array, self.dtype if array.dtype.kind == "f" else None)
        return self.keras.ops.convert_to_tensor(array)

    # What Keras computes.

    def evaluate(self, leaves: Tensors, data: Tensors, training: bool) -> tuple[Any, Any]:
        """Return the loss (None without targets), and outputs, masks and states, changing nothing."""
        values = [(v, leaves["weights"][name]) for name, v in self.variables.items()]
        values += [
            pair for name, parts in self.states.items() for pair in zip(parts, data["states"][name], strict=True)
        ]
        with self.keras.StatelessScope(values, collect_losses=True) as scope:
            keep_apart(scope, [state for parts in self.states.values() for state in parts])
            self.model._clear_losses()
            outputs, masks, output = self._graph(leaves, data, training)
            states = {name: [scope.get_current_value(v) for v in parts] for name, parts in self.states.items()}
            loss = None
            if data["y"] is not None:
                pack = partial(self.keras.tree.pack_sequence_as, functional(self.model)._outputs_struct)
                weight = self._as_masks(data["sample_weight"], output)
                loss = self.model.compute_loss(
                    y=pack(data["y"]),
                    y_pred=pack(output),
                    sample_weight=None if weight is None else pack(weight),
                    training=training,
                )
        return loss, (outputs, masks, states, output)

    def _as_masks(self, weights: Any, outputs: list[Any]) -> Any:
        """Return weights of samples in the shape of their output's mask: Keras on torch multiplies the two in place.

        Classes that a loss ignores are a mask, too.
        """
        if weights is None or self.keras.backend.backend() != "torch":
            return weights
        losses, found = self.model.loss, []
        if isinstance(losses, dict):
            losses = [losses.get(name) for name in self.model.output_names]
        losses = losses if isinstance(losses, (list, tuple)) else [losses] * len(outputs)
        for weight, output, loss in zip(weights, outputs, losses, strict=True):
            ignores = getattr(loss, "ignore_class", None) is not None
            if weight is not None and (ignores or mask_of(output) is not None):
                shape = output.shape[:-1] if ignores else mask_of(output).shape
                weight = weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim)).expand(shape).clone()
            found.append(weight)
        return found

    def _graph(
        self, leaves: Tensors, data: Tensors, training: bool
    ) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
        """Run Keras' graph; return outputs and masks of all calls, and the model's outputs."""
        outputs, masks = {}, {}
        handed = any(mask is not None for mask in data["mask"])

        def run(layer: Any, label: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            x = args[0]
            state = leaves["initial_states"].get(label)
            if state is not None:
                kwargs["initial_state"] = [state]
            if kwargs.get("initial_state") is not None and kwargs.get("mask") is None and mask_of(x) is not None:
                kwargs["mask"] = mask_of(x)
                self.masks_handed[label] = "the call is given an initial state too"
            elif handed and kwargs.get("mask") is not None and mask_of(x) is not None:
                if _known_to_differ(kwargs["mask"], mask_of(x)):
                    self.masks_handed[label] = "Concatenate joins the masks that were there when the model was made"
                kwargs["mask"] = mask_of(x)
            product = self._use_dropout_masks(layer, label, leaves["x"][0].shape[0], data["dropout_masks"])
            if product is not None:
                y = with_mask(x * product, mask_of(x))
            else:
                y = layer(*args, **{**kwargs, "training": training})
            outputs[label], masks[label] = self.keras.tree.flatten(y), mask_of(y)
            return y

        symbols = functional(self.model)._inputs
        inputs = [
            with_mask(self.keras.ops.cast(x, symbol.dtype), mask)
            for x, symbol, mask in zip(leaves["x"], symbols, data["mask"], strict=True)
        ]
        with masks_may_end(), within_a_call(self.model):
            return outputs, masks, self.calls.run(inputs, run)

    def _use_dropout_masks(self, layer: Any, label: str, batch: int, masks: Mapping[str, Any]) -> Any:
        """Let a layer and those inside it use these masks, for one call; return that of a Dropout, to multiply with."""
        for path, part in walk(layer, label):
            if path not in masks:
                continue
            first, second = masks[path]
            if isinstance(part, self.keras.layers.Dropout) and part is layer:
                return first
            if isinstance(layer, self.keras.layers.TimeDistributed):
                if not isinstance(part, self.keras.layers.Dropout):
                    raise ValueError(
                        f"KerasSide: TimeDistributed {layer.name!r} draws dropout of {part.name!r} at every time step "
                        "anew, so that no masks can be handed over: compare it with dropout 0."
                    )
                ops = self.keras.ops  # (timesteps * batch, ...) as (batch, timesteps, ...)
                steps = ops.reshape(first, (-1, min(batch, first.shape[0]), *first.shape[1:]))
                return ops.swapaxes(steps, 0, 1)
            cell = getattr(part, "cell", part)  # used, and then forgotten, by this one call
            cell._dropout_mask, cell._recurrent_dropout_mask = first, second
        return None


def _known_to_differ(a: Any, b: Any) -> bool:
    """Whether two masks differ; False while they are traced, and have no values."""
    return values_are_known(a) and values_are_known(b) and bool((to_numpy(a) != to_numpy(b)).any())
