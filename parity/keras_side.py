"""A Keras model, asked with NumPy arrays: its outputs layer by layer, its loss, its gradients, one training step.

::

    side = KerasSide(to_keras(model))
    side.forward(x).outputs["simple_rnn"]             every layer's output
    side.loss(x, y)                                   regularizers included
    side.gradients(x, y).weights["dense/kernel"]      and those of the input and of initial states
    side.step(x, y).slots["velocities"]               weights and slots after one step of the optimizer

Weights are named "layer/weight" and come in the order of ``model.weights``, which is the same on both sides.
Keras itself does the work, on whichever backend ``KERAS_BACKEND`` names: its layers are called one after the
other, its ``compute_loss`` and its optimizer do the rest. Only the derivative is asked of the backend.

But for :meth:`KerasSide.step` nothing changes the model: weights and states are handed to Keras as values, in a
``keras.StatelessScope``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, require_keras, slots_of, to_numpy
from rnn_core.layers import Dropout, SimpleRNN
from rnn_core.passes import Pass

Array = NDArray[Any]
DropoutMasks = Mapping[str, tuple[Array | None, Array | None]]
"""By layer name: of a SimpleRNN the masks of inputs and of the hidden state, of a Dropout its mask and None."""


def dropout_masks(one: Pass) -> dict[str, tuple[Array | None, Array | None]]:
    """Return the dropout masks that a pass of rnn_core drew, for :class:`KerasSide` to use the same.

    Parameters
    ----------
    one : Pass
        After ``one.forward(x, training=True)``.
    """
    masks: dict[str, tuple[Array | None, Array | None]] = {}
    for layer, record in ((step.layer, record) for step, record in zip(one.steps, one.records, strict=True)):
        if isinstance(layer, SimpleRNN):
            masks[layer.name] = (record.input_dropout, record.recurrent_dropout)
        elif isinstance(layer, Dropout):
            masks[layer.name] = (record.dropout_mask, None)
    return {name: pair for name, pair in masks.items() if any(mask is not None for mask in pair)}


class Options(TypedDict, total=False):
    """The keyword arguments that every question to :class:`KerasSide` takes.

    Attributes
    ----------
    training : bool
        Whether dropout is on.
    sample_weight : array_like, shape (batch,) or (batch, timesteps), optional
    mask : array_like of bool, shape (batch, timesteps), optional
        Which time steps of the input are real.
    initial_states : dict of str to array_like (batch, units), optional
        By the name of the recurrent layer.
    dropout_masks : dict, optional
        See :func:`dropout_masks`.
    """

    training: bool
    sample_weight: Any
    mask: Any
    initial_states: Mapping[str, Any] | None
    dropout_masks: DropoutMasks | None


class Forward(NamedTuple):
    """What a forward pass computes.

    Attributes
    ----------
    outputs : dict of str to ndarray
        The output of each layer, batch first.
    masks : dict of str to ndarray or None
        The mask that each layer hands on.
    states : dict of str to ndarray
        Of each stateful layer the state it ends in.
    output : ndarray
        The output of the last layer.
    """

    outputs: dict[str, Array]
    masks: dict[str, Array | None]
    states: dict[str, Array]
    output: Array


class Gradients(NamedTuple):
    """The loss of a batch and its gradients.

    Attributes
    ----------
    loss : float
    weights : dict of str to ndarray
        With respect to every weight, frozen ones too.
    input : ndarray, shape of x
    initial_states : dict of str to ndarray
        With respect to each initial state that was given.
    """

    loss: float
    weights: dict[str, Array]
    input: Array
    initial_states: dict[str, Array]


class Step(NamedTuple):
    """What one training step leaves behind.

    Attributes
    ----------
    loss : float
        Before the step.
    weights : dict of str to ndarray
    slots : dict of str to dict of str to ndarray
        By slot, then by weight: ``slots["velocities"]["dense/kernel"]``.
    iterations : int
    learning_rate : float
        Of the next step.
    """

    loss: float
    weights: dict[str, Array]
    slots: dict[str, dict[str, Array]]
    iterations: int
    learning_rate: float


class KerasSide:
    """A built ``keras.Sequential`` that is asked with NumPy arrays.

    Parameters
    ----------
    model : keras.Sequential
        As :func:`parity.to_keras` makes it; compiled, where a loss or a step is asked for.
    compiled : bool
        False: eager, about 7 ms for the gradients of the tutorial's model on TensorFlow, nothing to warm up.
        True: traced once for each shape and kind of question (``tf.function``, ``jax.jit``), which takes about
        0.4 s, then ten times as fast. Change no setting of the model after that. On torch it is always eager.

    Notes
    -----
    `training` puts dropout on. Keras then draws its own masks, the same ones each time, for its seeds are not moved
    on; or `dropout_masks` hands over those of rnn_core: a SimpleRNN uses them in the place of its own, and for a
    Dropout layer the product is taken here.

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
        self.dtype: str = model.layers[0].compute_dtype
        self.backend: str = self.keras.backend.backend()
        self.compiled = compiled
        self.variables = {f"{layer.name}/{v.name}": v for layer in model.layers for v in layer.weights}
        self._stateful = {layer.name: layer.states[0] for layer in model.layers if getattr(layer, "states", None)}
        self._functions: dict[Any, Callable[..., Any]] = {}

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
        """Return the output of every layer for one batch (without `sample_weight`)."""
        leaves, data, training = self._tensors(x, None, options)
        with floatx(self.dtype):
            _, (outputs, masks, states) = self._ask(self._evaluate, leaves, data, training)
        names = [layer.name for layer in self.model.layers]  # in their order, which jit does not keep
        arrays = {name: to_numpy(outputs[name]) for name in names}
        return Forward(
            arrays,
            {name: None if masks[name] is None else to_numpy(masks[name]) for name in names},
            {name: to_numpy(states[name]) for name in self._stateful},
            arrays[names[-1]],
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
            for name, state in states.items():
                self._stateful[name].assign(state)
            rate = float(to_numpy(model.optimizer.learning_rate))
        iterations = int(to_numpy(model.optimizer.iterations))
        return gradients, Step(gradients.loss, self.weights(), self.slots(), iterations, rate)

    def _gradients_and_states(self, x: Any, y: Any, options: Options) -> tuple[Gradients, dict[str, Any]]:
        """Return loss and gradients, and the states after the batch."""
        self._require_loss()
        leaves, data, training = self._tensors(x, y, options)
        with floatx(self.dtype):
            loss, gradients, (_, _, states) = self._ask(self._differentiate, leaves, data, training)
        found = Gradients(
            float(to_numpy(loss)),
            {name: to_numpy(gradients["weights"][name]) for name in self.variables},
            to_numpy(gradients["x"]),
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
        known = [layer.name for layer in self.model.layers]
        for name in (*initial_states, *dropout_masks):
            if name not in known:
                raise ValueError(f"KerasSide: model {self.model.name!r} has no layer {name!r}: {known}.")
        if dropout_masks and not training:
            raise ValueError("KerasSide: dropout_masks are for training=True; otherwise nothing is dropped.")
        convert = self.keras.ops.convert_to_tensor
        leaves = {
            "weights": {name: convert(v.value) for name, v in self.variables.items()},
            "x": self._floats(x),
            "initial_states": {name: self._floats(state) for name, state in initial_states.items()},
        }
        data = {
            "y": None if y is None else self._floats(y),
            "sample_weight": None if sample_weight is None else self._floats(sample_weight),
            "mask": None if mask is None else convert(np.asarray(mask, bool)),
            "states": {name: convert(v.value) for name, v in self._stateful.items()},
            "dropout_masks": {
                name: tuple(None if m is None else self._floats(m) for m in pair)
                for name, pair in dropout_masks.items()
            },
        }
        return leaves, data, training

    def _floats(self, values: Any) -> Any:
        """Return an array as a tensor; floats in the model's dtype, whole numbers as they are."""
        array = np.asarray(values)
        array = np.ascontiguousarray(array, self.dtype if array.dtype.kind == "f" else None)
        return self.keras.ops.convert_to_tensor(array)

    # What Keras computes.

    def _evaluate(self, leaves: dict[str, Any], data: dict[str, Any], training: bool) -> tuple[Any, Any]:
        """Return the loss (None without targets), and outputs, masks and states, changing nothing."""
        values = [(v, leaves["weights"][name]) for name, v in self.variables.items()]
        values += [(v, data["states"][name]) for name, v in self._stateful.items()]
        with self.keras.StatelessScope(values, collect_losses=True) as scope:
            self.model._clear_losses()
            outputs, masks = self._chain(leaves, data, training)
            states = {name: scope.get_current_value(v) for name, v in self._stateful.items()}
            loss = None
            if data["y"] is not None:
                y_pred = outputs[self.model.layers[-1].name]
                loss = self.model.compute_loss(
                    y=data["y"], y_pred=y_pred, sample_weight=data["sample_weight"], training=training
                )
        return loss, (outputs, masks, states)

    def _chain(
        self, leaves: dict[str, Any], data: dict[str, Any], training: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Call the layers one after the other; a mask travels with its tensor, as Keras has it."""
        masking = importlib.import_module("keras.src.backend")
        x, outputs, masks = leaves["x"], {}, {}
        masking.set_keras_mask(x, data["mask"])
        for layer in self.model.layers:
            mask, dropped = masking.get_keras_mask(x), data["dropout_masks"].get(layer.name)
            if isinstance(layer, self.keras.layers.SimpleRNN):
                if dropped is not None:  # used, and then forgotten, by this one call
                    layer.cell._dropout_mask, layer.cell._recurrent_dropout_mask = dropped
                state = leaves["initial_states"].get(layer.name)
                start = {} if state is None else {"initial_state": [state]}
                x = layer(x, mask=mask, training=training, **start)
            elif dropped is not None:
                x = x * dropped[0]
                masking.set_keras_mask(x, mask)
            else:
                x = layer(x, training=training) if "training" in layer.call_signature_parameters else layer(x)
            outputs[layer.name], masks[layer.name] = x, masking.get_keras_mask(x)
        return outputs, masks

    def _differentiate(self, leaves: dict[str, Any], data: dict[str, Any], training: bool) -> tuple[Any, Any, Any]:
        """Return the loss, its gradients in the structure of `leaves`, and what :meth:`_evaluate` returns beside it."""
        backend = importlib.import_module(self.backend)
        if self.backend == "tensorflow":
            with backend.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(leaves)
                loss, others = self._evaluate(leaves, data, training)
            return loss, tape.gradient(loss, leaves, unconnected_gradients="zero"), others
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
