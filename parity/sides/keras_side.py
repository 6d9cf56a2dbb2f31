"""A Keras model, asked with NumPy arrays: its outputs layer by layer, its loss, its gradients, one training step.

::

    side = KerasSide(to_keras(model))
    side.forward(x).outputs["simple_rnn"]             the output of every call of a layer: "shared", "shared #2"
    side.loss(x, y)                                   regularizers included
    side.gradients(x, y).weights["dense/kernel"]      and those of the input and of initial states
    side.step(x, y).slots["velocities"]               weights and slots after one step of the optimizer

Weights are named "layer/weight", or "bidirectional/forward_simple_rnn/kernel": see parts.py.
Keras itself does the work, on whichever backend ``KERAS_BACKEND`` names: its own graph is run call by call
(keras_calls.py), its ``compute_loss`` and its optimizer do the rest. Only the derivative is asked of the backend.

But for :meth:`KerasSide.step` nothing changes the model: weights and states are handed to Keras as values, in a
``keras.StatelessScope``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, masks_may_end, require_keras, slots_of, to_numpy
from parity.keras_calls import Calls, all_layers, functional, keep_apart, mask_of, with_mask, within_a_call
from parity.parts import keras_states_of, walk, weight_names
from parity.sides.questions import Forward, Gradients, Options, Step
from rnn_core.several import as_list, unpacked

Array = NDArray[Any]


class KerasSide:
    """A built Keras model that is asked with NumPy arrays.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
        As :func:`parity.to_keras` makes it; compiled, where a loss or a step is asked for.
    compiled : bool
        False: eager, about 7 ms for the gradients of the tutorial's model on TensorFlow, nothing to warm up.
        True: traced once for each shape and kind of question (``tf.function``, ``jax.jit``), which takes about
        0.4 s, then ten times as fast. Change no setting of the model after that. On torch it is always eager.

    Attributes
    ----------
    masks_handed : dict of str to str
        Of the calls so far, those that were handed a mask that Keras itself loses, and why it does: see below.

    Notes
    -----
    `training` puts dropout on. Keras then draws its own masks, the same ones each time, for its seeds are not moved
    on; or `dropout_masks` hands over those of rnn_core: recurrent layers and cells use them in the place of their own,
    and for a Dropout layer the product is taken here.

    Several inputs, outputs, targets, masks and sample weights are lists, in the order of ``model.inputs`` and
    ``model.outputs``.

    Keras loses the mask of a recurrent layer that is also given an initial state, unless the call names both; and one
    that is handed to an input, where Concatenate joins it to masks that layers make: these it joins when the model is
    made. Here the layer gets it. On TensorFlow the gradient of a table of embeddings is a list of rows, of which some
    optimizers make another step where an index repeats; here they get the sum.

    A stateful layer starts from the state that it has; only `step` moves it on. For models under a
    ``tf.distribute`` strategy use Keras' own methods.

    On JAX and torch Keras rounds float64 to float32 in ``tanh``, ``matmul`` and others, and on JAX a SimpleRNN with
    tanh then fails. All questions are therefore asked within :func:`parity.floatx`, where float64 is float64.
    """

    def __init__(self, model: Any, compiled: bool = False) -> None:
        self.keras = require_keras()
        if not getattr(model, "built", False):
            raise ValueError(f"KerasSide: model {getattr(model, 'name', model)!r} is not built, it has no weights.")
        self.model = model
        self.layers = all_layers(model)
        computing = [layer for layer in self.layers if not isinstance(layer, self.keras.layers.InputLayer)]
        self.dtype: str = (computing or self.layers)[0].compute_dtype
        self.backend: str = self.keras.backend.backend()
        self.compiled = compiled
        self.calls = Calls(model)
        self.masks_handed: dict[str, str] = {}
        self.settings_handed: list[str] = []
        self.variables = {
            f"{layer.name}/{name}": variable
            for layer in self.layers
            for name, variable in zip(weight_names(layer), layer.weights, strict=True)
        }
        self.states: dict[str, list[Any]] = {}
        for layer in self.layers:
            self.states |= keras_states_of(layer)
        self._functions: dict[Any, Callable[..., Any]] = {}

    @property
    def input_names(self) -> list[str]:
        """What the gradients of the inputs are filed under: the input layers, or the first layer of a chain."""
        if isinstance(self.model, self.keras.Sequential):
            return [all_layers(self.model)[0].name]
        return [symbol._keras_history.operation.name for symbol in self.model.inputs]

    @property
    def trained(self) -> set[str]:
        """The names of the layers that training changes."""
        return {layer.name for layer in self.layers if layer.trainable_weights}

    def weights(self) -> dict[str, Array]:
        """Return copies of all weights."""
        return {name: to_numpy(v) for name, v in self.variables.items()}

    def slots(self) -> dict[str, dict[str, Array]]:
        """Return copies of the optimizer's slots, for the weights that it was built on."""
        names = {id(v): name for name, v in self.variables.items()}
        optimizer = self.model.optimizer
        return {
            slot: {
                names[id(v)]: to_numpy(value) for v, value in zip(optimizer._trainable_variables, values, strict=True)
            }
            for slot, values in slots_of(optimizer).items()
        }

    def forward(self, x: Any, **options: Unpack[Options]) -> Forward:
        """Return the output of every call for one batch (without `sample_weight`)."""
        leaves, data, training = self._tensors(x, None, options)
        with floatx(self.dtype):
            _, (outputs, masks, states, output) = self._ask(self._evaluate, leaves, data, training)
        labels = self.calls.labels  # in their order, which jit does not keep
        return Forward(
            {label: unpacked([to_numpy(part) for part in outputs[label]]) for label in labels},
            {label: None if masks[label] is None else to_numpy(masks[label]) for label in labels},
            {name: self._joined(parts) for name, parts in states.items()},
            unpacked([to_numpy(part) for part in output]),
        )

    def loss(self, x: Any, y: Any, **options: Unpack[Options]) -> float:
        """Return the loss of one batch, weighted and masked, with all penalties."""
        self._require_loss()
        leaves, data, training = self._tensors(x, y, options)
        with floatx(self.dtype):
            loss, _ = self._ask(self._evaluate, leaves, data, training)
        return float(to_numpy(loss))

    def gradients(self, x: Any, y: Any, **options: Unpack[Options]) -> Gradients:
        """Return the loss of one batch and its gradients."""
        return self._gradients_and_states(x, y, options)[0]

    def step(self, x: Any, y: Any, **options: Unpack[Options]) -> Step:
        """Take one training step, with ``training=True`` unless told otherwise.

        It is a step within ``fit``: averaged weights (use_ema) replace the weights only at the end of that.
        """
        options = {"training": True, **options}
        return self.gradients_and_step(x, y, **options)[1]

    def gradients_and_step(self, x: Any, y: Any, **options: Unpack[Options]) -> tuple[Gradients, Step]:
        """Return what :meth:`gradients` returns, and take the step that these gradients make."""
        model = self.model
        gradients, states = self._gradients_and_states(x, y, options)
        with floatx(self.dtype):
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            names = {id(v): name for name, v in self.variables.items()}
            convert = self.keras.ops.convert_to_tensor
            self._apply([convert(gradients.weights[names[id(v)]]) for v in model.trainable_variables])
            for name, parts in states.items():
                for variable, state in zip(self.states[name], parts, strict=True):
                    variable.assign(state)
            rate = float(to_numpy(model.optimizer.learning_rate))
        iterations = int(to_numpy(model.optimizer.iterations))
        return gradients, Step(gradients.loss, self.weights(), self.slots(), iterations, rate)

    def _gradients_and_states(self, x: Any, y: Any, options: Options) -> tuple[Gradients, dict[str, Any]]:
        """Return loss and gradients, and the states after the batch."""
        self._require_loss()
        leaves, data, training = self._tensors(x, y, options)
        with floatx(self.dtype):
            loss, gradients, (_, _, states, _) = self._ask(self._differentiate, leaves, data, training)
        found = Gradients(
            float(to_numpy(loss)),
            {name: to_numpy(gradients["weights"][name]) for name in self.variables},
            unpacked([to_numpy(d) for d in gradients["x"]]),
            {name: to_numpy(gradients["initial_states"][name]) for name in leaves["initial_states"]},
        )
        return found, states

    # On its way in.

    def _require_loss(self) -> None:
        if not self.model.compiled or self.model.loss is None:
            raise ValueError(f"KerasSide: model {self.model.name!r} is not compiled with a loss.")

    def _tensors(self, x: Any, y: Any, options: Options) -> tuple[dict[str, Any], dict[str, Any], bool]:
        """Return as tensors what gradients are taken of (the leaves) and the rest of the data; and `training`."""
        sample_weight, mask = options.get("sample_weight"), options.get("mask")
        initial_states, dropout_masks = options.get("initial_states") or {}, options.get("dropout_masks") or {}
        training = bool(options.get("training"))
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
        if dropout_masks and not training:
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
        return leaves, data, training

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

    def _joined(self, parts: list[Any]) -> Array:
        """Return the states of a layer side by side, as rnn_core has them."""
        return np.concatenate([to_numpy(part) for part in parts], axis=-1)

    # What Keras computes.

    def _evaluate(self, leaves: dict[str, Any], data: dict[str, Any], training: bool) -> tuple[Any, Any]:
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
        if weights is None or self.backend != "torch":
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
        self, leaves: dict[str, Any], data: dict[str, Any], training: bool
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
                if self._known_to_differ([kwargs["mask"], mask_of(x)]):
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

    def _known_to_differ(self, masks: list[Any]) -> bool:
        """Whether two masks differ; False while they are traced, and have no values."""
        if self.compiled or any(mask is None for mask in masks):
            return False
        if self.backend == "jax" and any(isinstance(m, importlib.import_module("jax").core.Tracer) for m in masks):
            return False
        return bool((to_numpy(masks[0]) != to_numpy(masks[1])).any())

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

    def _differentiate(self, leaves: dict[str, Any], data: dict[str, Any], training: bool) -> tuple[Any, Any, Any]:
        """Return the loss, its gradients in the structure of `leaves`, and what :meth:`_evaluate` returns beside it."""
        backend = importlib.import_module(self.backend)
        if self.backend == "tensorflow":
            with backend.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(leaves)
                loss, others = self._evaluate(leaves, data, training)
            gradients = tape.gradient(loss, leaves, unconnected_gradients="zero")
            dense = partial(self.keras.tree.map_structure, backend.convert_to_tensor)  # rows of a table, added up
            return loss, dense(gradients), others
        if self.backend == "jax":
            evaluate = backend.value_and_grad(self._evaluate, has_aux=True)
            (loss, others), gradients = evaluate(leaves, data, training)
            return loss, gradients, others
        tree = self.keras.tree
        leaves = tree.map_structure(lambda leaf: leaf.detach().clone().requires_grad_(), leaves)
        loss, others = self._evaluate(leaves, data, training)
        flat = backend.autograd.grad(loss, tree.flatten(leaves), allow_unused=True, materialize_grads=True)
        return loss, tree.pack_sequence_as(leaves, flat), others

    def _ask(self, function: Callable[..., Any], leaves: dict[str, Any], data: dict[str, Any], training: bool) -> Any:
        """Call `function`, traced once for each set of shapes if that was asked for."""
        if not self.compiled or self.backend == "torch":
            return function(leaves, data, training)
        shapes = self.keras.tree.map_structure(
            lambda t: None if t is None else (*t.shape, str(t.dtype)), (leaves, data)
        )
        key = (function.__name__, training, repr(shapes))
        if key not in self._functions:

            def traced(leaves: dict[str, Any], data: dict[str, Any]) -> Any:
                return function(leaves, data, training)

            self._functions[key] = self._trace(traced)
        return self._functions[key](leaves, data)

    def _apply(self, gradients: list[Any]) -> None:
        """Let the optimizer change the weights."""

        def apply(gradients: list[Any]) -> None:
            self.model.optimizer.apply(gradients, self.model.trainable_variables)

        if self.compiled and self.backend == "tensorflow":
            apply = self._functions.setdefault("apply", self._trace(apply))
        if self.backend == "torch":
            with importlib.import_module("torch").no_grad():
                return apply(gradients)
        return apply(gradients)

    def _trace(self, function: Callable[..., Any]) -> Callable[..., Any]:
        backend = importlib.import_module(self.backend)
        traced = backend.jit if self.backend == "jax" else partial(backend.function, autograph=False)
        return traced(function)  # type: ignore[no-any-return]
