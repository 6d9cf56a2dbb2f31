"""A Keras model, asked with NumPy arrays: its outputs layer by layer, its loss, its gradients, one training step.

::

    side = KerasSide(to_keras(model))
    side.forward(x).outputs["simple_rnn"]             the output of every call of a layer: "shared", "shared #2"
    side.loss(x, y)                                   regularizers included
    side.gradients(x, y).weights["dense/kernel"]      and those of the input and of initial states
    side.step(x, y).slots["velocities"]               weights and slots after one step of the optimizer

Weights are named "layer/weight", or "bidirectional/forward_simple_rnn/kernel": see parts.py.
Keras itself does the work, on whichever backend ``KERAS_BACKEND`` names: its own graph and its ``compute_loss`` make a
forward pass (keras_pass.py), its optimizer a step. Only the derivative is asked of the backend (autodiff.py).

But for :meth:`KerasSide.step` nothing changes the model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, require_keras, slots_of, to_numpy
from parity.sides.autodiff import no_derivatives, traced, value_and_gradients
from parity.sides.keras_pass import KerasPass, Tensors
from parity.sides.questions import Forward, Gradients, Options, Step
from rnn_core.several import unpacked

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
    input_names : list of str
        What the gradients of the inputs are filed under: the input layers, or the first layer of a chain.
    settings_handed : list of str
        The settings that Keras itself would round to float32: see :func:`parity.sides.unrounded.unrounded`.

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
        self.backend: str = self.keras.backend.backend()
        self.compiled = compiled and self.backend != "torch"
        self._pass = KerasPass(model)
        self.layers, self.dtype, self.labels = self._pass.layers, self._pass.dtype, self._pass.calls.labels
        self.variables, self.states = self._pass.variables, self._pass.states
        self.masks_handed = self._pass.masks_handed
        self.settings_handed: list[str] = []
        if isinstance(model, self.keras.Sequential):
            self.input_names = [self.layers[0].name]
        else:
            self.input_names = [symbol._keras_history.operation.name for symbol in model.inputs]
        self._functions: dict[Any, Callable[..., Any]] = {}

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
        _, (outputs, masks, states, output) = self._ask(False, x, None, options)
        labels = self.labels  # in their order, which jit does not keep
        return Forward(
            {label: unpacked([to_numpy(part) for part in outputs[label]]) for label in labels},
            {label: None if masks[label] is None else to_numpy(masks[label]) for label in labels},
            {name: self._joined(parts) for name, parts in states.items()},
            unpacked([to_numpy(part) for part in output]),
        )

    def loss(self, x: Any, y: Any, **options: Unpack[Options]) -> float:
        """Return the loss of one batch, weighted and masked, with all penalties."""
        self._require_loss()
        loss, _ = self._ask(False, x, y, options)
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
        loss, gradients, (_, _, states, _) = self._ask(True, x, y, options)
        found = Gradients(
            float(to_numpy(loss)),
            {name: to_numpy(gradients["weights"][name]) for name in self.variables},
            unpacked([to_numpy(d) for d in gradients["x"]]),
            {name: to_numpy(gradients["initial_states"][name]) for name in gradients["initial_states"]},
        )
        return found, states

    def _require_loss(self) -> None:
        if not self.model.compiled or self.model.loss is None:
            raise ValueError(f"KerasSide: model {self.model.name!r} is not compiled with a loss.")

    def _joined(self, parts: list[Any]) -> Array:
        """Return the states of a layer side by side, as rnn_core has them."""
        return np.concatenate([to_numpy(part) for part in parts], axis=-1)

    def _ask(self, differentiate: bool, x: Any, y: Any, options: Options) -> Any:
        """Return the loss, its gradients if asked for, and all else of a pass; traced once for a set of shapes."""
        leaves, data = self._pass.tensors(x, y, options)
        training = bool(options.get("training"))

        def ask(leaves: Tensors, data: Tensors) -> Any:
            evaluate = partial(self._pass.evaluate, training=training)
            return value_and_gradients(evaluate, leaves, data) if differentiate else evaluate(leaves, data)

        with floatx(self.dtype):
            if not self.compiled:
                return ask(leaves, data)
            shapes = self.keras.tree.map_structure(
                lambda t: None if t is None else (*t.shape, str(t.dtype)), (leaves, data)
            )
            return self._traced((differentiate, training, repr(shapes)), ask)(leaves, data)

    def _apply(self, gradients: list[Any]) -> None:
        """Let the optimizer change the weights."""

        def apply(gradients: list[Any]) -> None:
            self.model.optimizer.apply(gradients, self.model.trainable_variables)

        if self.compiled and self.backend == "tensorflow":
            apply = self._traced("apply", apply)
        with no_derivatives():
            apply(gradients)

    def _traced(self, key: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function that was traced for `key`, at first `function`."""
        if key not in self._functions:
            self._functions[key] = traced(function)
        return self._functions[key]
