"""A model of rnn_core asked the same questions as :class:`KerasSide`, with the same answers.

The loss and the step are those of ``rnn_core.engine.loop.Step``, which ``fit`` runs; only a mask and initial states are
handed in from here, and the gradients of the inputs are asked for, which training does not need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from parity.keras_calls import call_labels
from parity.parts import all_parts, states_of, walk_records
from parity.sides.questions import DropoutMasks, Forward, Gradients, Options, dropout_masks
from parity.sides.questions import Step as StepResult
from rnn_core.engine import loop
from rnn_core.engine.passes import Pass
from rnn_core.inspection.run import cast
from rnn_core.models import Model, Sequential
from rnn_core.several import as_list, each, shape_of, unpacked

__all__ = ["OurSide", "cast"]

Array = NDArray[Any]


class OurSide:
    """A built model of rnn_core that is asked with NumPy arrays; but for :meth:`step` nothing changes it.

    Parameters
    ----------
    model : rnn_core.Sequential or rnn_core.Model
        Compiled, where a loss or a step is asked for.

    Attributes
    ----------
    dropout_masks : dict
        Those of the last gradients.
    records : dict of str to (Layer, Record)
        Of the last forward pass, by the names of the calls and of the layers inside them.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.dtype = model.dtype
        if model.compiled:
            model.prepare_training()

    @property
    def input_names(self) -> list[str]:
        """What the gradients of the inputs are filed under: the input layers, or the first layer of a chain."""
        if isinstance(self.model, Sequential):
            return [self.model.layers[0].name]
        return [layer.name for layer in self.model.graph.input_layers]

    @property
    def trained(self) -> set[str]:
        """The names of the layers that training changes."""
        return {layer.name for layer in self.model.layers if layer.trainable and layer.specs}

    def weights(self) -> dict[str, Array]:
        """Return copies of all weights."""
        return self._named(self.model.vector)

    def slots(self) -> dict[str, dict[str, Array]]:
        """Return copies of the optimizer's slots, for the weights that it trains."""
        trained = self.trained
        return {
            slot: {name: value for name, value in self._named(vector).items() if name.split("/", 1)[0] in trained}
            for slot, vector in self.model.optimizer.slots.items()
        }

    def forward(self, x: Any, **options: Unpack[Options]) -> Forward:
        """Return the output of every call for one batch."""
        one = self.model.new_pass(each(np.shape, x) if isinstance(x, (list, tuple)) else np.shape(x))
        x = self._enter(one, x, options)
        outputs, masks = {}, {}
        with self._unchanged():
            output = one._forward_graph(x, bool(options.get("training")), self._mask(options))
            for label, step in zip(call_labels(one.graph), one.steps, strict=True):
                outputs[label] = unpacked([np.array(one._values[place], order="C") for place in step.targets])
                masks[label] = one._masks[step.targets[0]]
            states = self._states()
        self.records = {
            name: (part, inner)
            for label, step, record in zip(call_labels(one.graph), one.steps, one.records, strict=True)
            for name, part, inner in walk_records(step.layer, record, label)
        }
        return Forward(outputs, masks, states, each(partial(np.array, order="C"), output))

    def loss(self, x: Any, y: Any, **options: Unpack[Options]) -> float:
        """Return the loss of one batch, weighted and masked, with all penalties."""
        return self.gradients(x, y, **options).loss

    def gradients(self, x: Any, y: Any, **options: Unpack[Options]) -> Gradients:
        """Return the loss of one batch and its gradients; draws the dropout masks that :meth:`step` would draw."""
        step, (x, y, weight) = self._step(x, y, options)
        with self._unchanged():
            loss = step.loss(x, y, weight)
            assert step.d_output is not None
            d_input = step.passes.backward(step.d_output)
        for regularizer, w, d_w in step.regularized:
            regularizer.add_gradient(w, d_w)
        self.dropout_masks: DropoutMasks = dropout_masks(step.passes)
        d_inputs = [
            np.zeros_like(part) if d is None else np.array(d, order="C")
            for part, d in zip(as_list(x), as_list(d_input), strict=True)
        ]
        records = dict(zip(call_labels(step.passes.graph), step.passes.records, strict=True))
        d_states = {name: _d_state(records[name]) for name in self._given}
        return Gradients(loss, self._named(self.model.d_vector), unpacked(d_inputs), d_states)

    def step(self, x: Any, y: Any, **options: Unpack[Options]) -> StepResult:
        """Take one training step, with ``training=True`` unless told otherwise."""
        options = {"training": True, **options}
        step, data = self._step(x, y, options)
        loss = step.train(*data)
        optimizer = self.model.optimizer
        return StepResult(loss, self.weights(), self.slots(), optimizer.iterations, optimizer.learning_rate)

    def gradients_and_step(self, x: Any, y: Any, **options: Unpack[Options]) -> tuple[Gradients, StepResult | None]:
        """Return what :meth:`gradients` returns, and then take the engine's own step, which computes them itself.

        With a loss that is not finite the engine takes no step.
        """
        gradients = self.gradients(x, y, **options)
        return gradients, self.step(x, y, **options) if np.isfinite(gradients.loss) else None

    # Within.

    def _step(self, x: Any, y: Any, options: Options) -> tuple[loop.Step, tuple[Any, Any, Any]]:
        """Return the engine's own step for this batch, and the batch as the engine takes it."""
        model = self.model
        data = model._checked_data(x, y, options.get("sample_weight"))
        model.prepare_training()
        step = loop.Step(model, shape_of(data[0]), shape_of(data[1]), training=True)
        step.training = bool(options.get("training"))
        for record in step.passes.records:
            record.needs_d_input = True
        self._enter(step.passes, data[0], options)
        mask = self._mask(options)
        if mask is not None:
            step.passes.forward = partial(step.passes.forward, mask=mask)  # type: ignore[method-assign]
        return step, data

    def _enter(self, one: Pass, x: Any, options: Options) -> Any:
        """Hand the initial states to the records; return the inputs."""
        self._given = dict(options.get("initial_states") or {})
        for label, record in zip(call_labels(one.graph), one.records, strict=True):
            if label in self._given:
                state = np.asarray(self._given[label], self.dtype)
                if hasattr(record, "given_states"):
                    record.given_states = [state]
                else:
                    record.initial_state = state
        return each(lambda part: np.ascontiguousarray(part, self.dtype), x)

    def _mask(self, options: Options) -> Any:
        mask = options.get("mask")
        if mask is None or len(self.model.graph.inputs) == 1:
            return None if mask is None else np.asarray(mask, bool)
        return [None if one is None else np.asarray(one, bool) for one in mask]

    def _named(self, vector: Array) -> dict[str, Array]:
        """Cut a vector laid out like the weights into copies, by "layer/weight"."""
        parts = zip(self.model.layers, self.model.parts(vector), strict=True)
        return {f"{layer.name}/{name}": v.copy() for layer, part in parts for name, v in layer.views(part).items()}

    def _states(self) -> dict[str, Array]:
        return {label: state.copy() for layer in self.model.layers for label, state in states_of(layer).items()}

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Give stateful layers their states back, and random streams their place."""
        states = [state for layer in self.model.layers for state in states_of(layer).values()]
        found = [getattr(part, "dropout_stream", None) for part in all_parts(self.model.layers)]
        streams = [stream for stream in found if stream is not None]
        before, places = [state.copy() for state in states], [stream.bit_generator.state for stream in streams]
        try:
            yield
        finally:
            for state, kept in zip(states, before, strict=True):
                state[...] = kept
            for stream, place in zip(streams, places, strict=True):
                stream.bit_generator.state = place


def _d_state(record: Any) -> Array:
    """Return the gradient of the initial state that a record was handed."""
    return np.array(record.d_states[0] if hasattr(record, "given_states") else record.d_hidden)
