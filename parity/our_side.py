"""A model of rnn_core asked the same questions as :class:`KerasSide`, with the same answers.

The loss and the step are those of ``rnn_core.training.Step``, which ``fit`` runs; only a mask and initial states are
handed in from here, and the gradient of the input is asked for, which training does not need.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from parity.compiled import _our_floatx
from parity.keras_side import DropoutMasks, Forward, Gradients, Options, dropout_masks
from parity.keras_side import Step as StepResult
from rnn_core import training
from rnn_core.models import Sequential
from rnn_core.passes import Pass

Array = NDArray[Any]


def cast(model: Sequential, dtype: str) -> Sequential:
    """Return a copy of a built model that computes in `dtype`: weights, states, optimizer and its state.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input
    >>> cast(Sequential([Input((3,)), Dense(2)]), "float64").get_weights()[0].dtype
    dtype('float64')
    """
    with _our_floatx("float64"):  # so that the learning rate is taken over as it is
        twin = copy.deepcopy(model)
        optimizer, twin.optimizer = twin.optimizer, None
        for layer in twin.layers:
            layer.dtype = dtype
            layer.bind(layer.vector.astype(dtype))
            state: Array | None = getattr(layer, "state", None)
            if state is not None:
                layer.state = state.astype(dtype)
        if twin._input is not None:
            twin._input.dtype = dtype
        twin.dtype = dtype
        twin._make_vector()
        twin._forget_records()
        if optimizer is not None:
            twin.optimizer = type(optimizer).from_config(optimizer.get_config())
            twin.prepare_training()
            if optimizer.built:
                twin.optimizer.set_state(optimizer.get_state())
    return twin


class OurSide:
    """A built ``rnn_core.Sequential`` that is asked with NumPy arrays; but for :meth:`step` nothing changes it.

    Parameters
    ----------
    model : rnn_core.Sequential
        Compiled, where a loss or a step is asked for.
    """

    def __init__(self, model: Sequential) -> None:
        self.model = model
        self.dtype = model.dtype

    def weights(self) -> dict[str, Array]:
        """Return copies of all weights."""
        return self._named(self.model.vector)

    def slots(self) -> dict[str, dict[str, Array]]:
        """Return copies of the optimizer's slots, for the weights that it trains."""
        trained = {layer.name for layer in self.model.layers if layer.trainable}
        return {
            slot: {name: value for name, value in self._named(vector).items() if name.rsplit("/", 1)[0] in trained}
            for slot, vector in self.model.optimizer.slots.items()
        }

    def forward(self, x: Any, **options: Unpack[Options]) -> Forward:
        """Return the output of every layer for one batch."""
        one = self.model.new_pass(np.shape(x))
        current = self._enter(one, x, options)
        mask, outputs, masks = self._mask(options), {}, {}
        with self._unchanged():
            for layer, record in ((step.layer, record) for step, record in zip(one.steps, one.records, strict=True)):
                record.mask = mask
                current = layer.forward(record, current, bool(options.get("training")))
                mask = record.output_mask
                outputs[layer.name], masks[layer.name] = np.array(current, order="C"), mask
            states = self._states()
        return Forward(outputs, masks, states, outputs[self.model.layers[-1].name])

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
        records = zip(self.model.layers, step.passes.records, strict=True)
        d_states = {layer.name: record.d_hidden.copy() for layer, record in records if layer.name in self._given}
        return Gradients(loss, self._named(self.model.d_vector), np.array(d_input, order="C"), d_states)

    def step(self, x: Any, y: Any, **options: Unpack[Options]) -> StepResult:
        """Take one training step, with ``training=True`` unless told otherwise."""
        options = {"training": True, **options}
        step, data = self._step(x, y, options)
        loss = step.train(*data)
        optimizer = self.model.optimizer
        return StepResult(loss, self.weights(), self.slots(), optimizer.iterations, optimizer.learning_rate)

    def gradients_and_step(self, x: Any, y: Any, **options: Unpack[Options]) -> tuple[Gradients, StepResult]:
        """Return what :meth:`gradients` returns, and then take the engine's own step, which computes them itself."""
        return self.gradients(x, y, **options), self.step(x, y, **options)

    # Within.

    def _step(self, x: Any, y: Any, options: Options) -> tuple[training.Step, tuple[Array, Array, Array | None]]:
        """Return the engine's own step for this batch, and the batch as the engine takes it."""
        model = self.model
        data = model._checked_data(x, y, options.get("sample_weight"))
        model.prepare_training()
        step = training.Step(model, data[0].shape, data[1].shape, training=True)
        step.training = bool(options.get("training"))
        if step.passes.records:
            step.passes.records[0].needs_d_input = True
        self._enter(step.passes, data[0], options)
        mask = self._mask(options)
        if mask is not None:
            step.passes.forward = partial(step.passes.forward, mask=mask)  # type: ignore[method-assign]
        return step, data

    def _enter(self, one: Pass, x: Any, options: Options) -> Array:
        """Hand the initial states to the records; return the inputs."""
        self._given = dict(options.get("initial_states") or {})
        for layer, record in ((step.layer, record) for step, record in zip(one.steps, one.records, strict=True)):
            if layer.name in self._given:
                record.initial_state = np.asarray(self._given[layer.name], self.dtype)
        return np.ascontiguousarray(x, self.dtype)

    def _mask(self, options: Options) -> Array | None:
        mask = options.get("mask")
        return None if mask is None else np.asarray(mask, bool)

    def _named(self, vector: Array) -> dict[str, Array]:
        """Cut a vector laid out like the weights into copies, by "layer/weight"."""
        parts = zip(self.model.layers, self.model.parts(vector), strict=True)
        return {f"{layer.name}/{name}": v.copy() for layer, part in parts for name, v in layer.views(part).items()}

    def _states(self) -> dict[str, Array]:
        found = {layer.name: getattr(layer, "state", None) for layer in self.model.layers}
        return {name: state.copy() for name, state in found.items() if state is not None}

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Give stateful layers their states back, and random streams their place."""
        before = self._states()
        streams = [getattr(layer, "dropout_stream", None) for layer in self.model.layers]
        places = [None if stream is None else stream.bit_generator.state for stream in streams]
        try:
            yield
        finally:
            for layer in self.model.layers:
                if layer.name in before:
                    layer.state[...] = before[layer.name]  # type: ignore[attr-defined]
            for stream, place in zip(streams, places, strict=True):
                if stream is not None:
                    stream.bit_generator.state = place
