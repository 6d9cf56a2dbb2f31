"""The faults of :mod:`parity.causes.faulty`, given to a Keras model: what it computes then is what our code does if it
has the fault.

Each function changes one Keras model, which is made for that and thrown away: a layer's ``call``, ``compute_loss`` or
the optimizer's ``update_step`` is replaced. The layer is named, or one inside it by its label: see parts.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.backend import require_keras, to_numpy
from parity.keras_calls import mask_of
from parity.parts import part_of
from parity.sides.questions import DropoutMasks

Array = NDArray[Any]


def masks_to_draw(keras_model: Any, batch: int) -> DropoutMasks:
    """Return the masks that the layers of a Keras model draw next; no random stream is moved on.

    Parameters
    ----------
    keras_model : keras.Model
        Built.
    batch : int

    Returns
    -------
    dict
        As :func:`parity.dropout_masks` returns them for a pass of ours.
    """
    keras = require_keras()
    masks: dict[str, tuple[Array | None, Array | None]] = {}
    with keras.StatelessScope():
        for layer in keras_model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                ones = keras.ops.ones((batch, *_first_input(layer).shape[1:]), layer.compute_dtype)
                masks[layer.name] = (to_numpy(type(layer).call(layer, ones, training=True)), None)
            elif isinstance(layer, keras.layers.SimpleRNN) and (layer.dropout or layer.recurrent_dropout):
                cell, dtype = layer.cell, layer.compute_dtype
                drawn = (
                    cell.get_dropout_mask(keras.ops.ones((batch, _first_input(layer).shape[-1]), dtype)),
                    cell.get_recurrent_dropout_mask(keras.ops.ones((batch, layer.units), dtype)),
                )
                cell.reset_dropout_mask()
                cell.reset_recurrent_dropout_mask()
                input_mask, recurrent_mask = (None if mask is None else to_numpy(mask) for mask in drawn)
                masks[layer.name] = (input_mask, recurrent_mask)
    return masks


def _first_input(layer: Any) -> Any:
    """Return what a layer was first called on, without states: ``layer.input`` is only for layers of one call."""
    return layer._inbound_nodes[0].input_tensors[0]


# Layers.


def _recall(keras_model: Any, label: str, change: Callable[..., Any]) -> None:
    """Replace ``layer.call(x, **given)`` by ``change(call, x, **given)``."""
    layer = part_of(keras_model, label)
    call = layer.call
    layer.call = lambda x, **given: change(call, x, **given)


def mask_ignored(keras_model: Any, label: str) -> None:
    """Let a recurrent layer count every step."""
    _recall(keras_model, label, lambda call, x, **given: call(x, **{**given, "mask": None}))


def time_reversed(keras_model: Any, label: str, mask_too: bool) -> None:
    """Let a layer go through the sequence from its end; through its mask too, or not."""
    ops = require_keras().ops

    def change(call: Any, x: Any, **given: Any) -> Any:
        if mask_too and given.get("mask") is not None:
            given["mask"] = ops.flip(given["mask"], 1)
        return call(ops.flip(x, 1), **given)

    _recall(keras_model, label, change)


def other_layout(keras_model: Any, label: str, reading: tuple[Callable[[Any], Any], Any]) -> None:
    """Let a layer take batch and time for each other."""
    _recall(keras_model, label, lambda call, x, **given: call(reading[0](x), **given))


def mask_unreversed(keras_model: Any, label: str) -> None:
    """Let a layer with go_backwards reverse the sequence, and not its mask."""
    ops = require_keras().ops

    def change(call: Any, x: Any, mask: Any = None, **given: Any) -> Any:
        return call(x, mask=None if mask is None else ops.flip(mask, 1), **given)

    if part_of(keras_model, label).go_backwards:
        _recall(keras_model, label, change)


def initial_state_ignored(keras_model: Any, label: str) -> None:
    """Let a recurrent layer start from zero, whatever it was told."""
    units, ops = part_of(keras_model, label).units, require_keras().ops

    def change(call: Any, x: Any, initial_state: Any = None, **given: Any) -> Any:
        return call(x, initial_state=[ops.zeros((x.shape[0], units), x.dtype)], **given)

    _recall(keras_model, label, change)


def stale_state(keras_model: Any, label: str) -> None:
    """Let a recurrent layer start from the state in which it ends when the batch goes through before."""
    layer, ops = part_of(keras_model, label), require_keras().ops

    def change(call: Any, x: Any, initial_state: Any = None, training: Any = None, **given: Any) -> Any:
        layer.return_state = True
        state = call(x, training=False, **given)[-1]
        layer.return_state = False
        return call(x, initial_state=[ops.stop_gradient(state)], training=training, **given)

    if not layer.stateful:
        _recall(keras_model, label, change)


def dropout_left_on(keras_model: Any, label: str, masks: tuple[Array | None, Array | None]) -> None:
    """Let a Dropout or a recurrent layer drop out in inference, too, with these masks."""
    keras, layer = require_keras(), part_of(keras_model, label)
    first, second = (None if m is None else keras.ops.convert_to_tensor(m, layer.compute_dtype) for m in masks)

    def change(call: Any, x: Any, training: Any = None, **given: Any) -> Any:
        if training:
            return call(x, training=training, **given)
        if isinstance(layer, keras.layers.Dropout):
            return x * first
        layer.cell._dropout_mask, layer.cell._recurrent_dropout_mask = first, second  # used, and forgotten, by this
        return call(x, training=True, **given)

    _recall(keras_model, label, change)


def used_otherwise(keras_model: Any, label: str, weight: str, change: Callable[[Any], Any]) -> None:
    """Let a layer use the weight w as change(w); for calls within a ``keras.StatelessScope``."""
    variable = next(v for v in part_of(keras_model, label).weights if v.name == weight)

    def changed(call: Any, x: Any, **given: Any) -> Any:
        kept = variable.value
        variable.assign(change(kept))
        output = call(x, **given)
        variable.assign(kept)
        return output

    _recall(keras_model, label, changed)


def used_in_forward(keras_model: Any, label: str, weight: str, change: Callable[[Any], Any]) -> None:
    """Let a layer use the weight w as change(w) in the forward pass, and as it is in the backward pass."""
    ops, layer = require_keras().ops, part_of(keras_model, label)
    variable = next(v for v in layer.weights if v.name == weight)
    cell = getattr(layer, "cell", layer)
    call, activation = cell.call, cell.activation

    def changed(x: Any, *states: Any, **given: Any) -> Any:
        more = change(variable.value) - variable.value
        if weight != "bias":
            more = ops.matmul(x if weight == "kernel" else states[0][0], more)
        cell.activation = lambda a: activation(a + ops.stop_gradient(more))
        output = call(x, *states, **given)
        cell.activation = activation
        return output

    cell.call = changed


# Loss and optimizer.


def mask_not_counted(keras_model: Any, output: int | None) -> None:
    """Let the loss count masked steps; of several outputs all, or the one of this number."""

    def unmasked(part: Any) -> Any:
        if mask_of(part) is None:
            raise ValueError("no mask to ignore")
        return part + 0  # a new tensor has no mask

    _relosses(keras_model, lambda tree, y, w: (_each_of(tree, y, output, unmasked), w))


def weights_ignored(keras_model: Any, output: int | None) -> None:
    """Let the loss count every sample once; of several outputs all, or the one of this number."""

    def change(tree: Any, y: Any, w: Any) -> tuple[Any, Any]:
        if w is None:
            raise ValueError("no weights to ignore")
        return y, _each_of(tree, w, output, lambda part: None)

    _relosses(keras_model, change)


def summed(keras_model: Any, output: int | None) -> None:
    """Let the loss be a sum over all elements; of several outputs all, or the one of this number."""
    ops = require_keras().ops

    def change(tree: Any, y: Any, w: Any) -> tuple[Any, Any]:
        parts = tree.flatten(y)
        weights = [None] * len(parts) if w is None else tree.flatten(w)
        for i, part in enumerate(parts):
            if output in (None, i):
                ones = ops.ones(part.shape[:-1], part.dtype) if weights[i] is None else weights[i]
                weights[i] = ones * math.prod(part.shape)  # the weighted mean, as many times
        return y, tree.pack_sequence_as(y, weights)

    _relosses(keras_model, change)


def _relosses(keras_model: Any, change: Callable[..., Any]) -> None:
    """Let the loss get other predictions and sample weights: ``change(tree, y_pred, sample_weight)``."""
    compute_loss, tree = keras_model.compute_loss, require_keras().tree

    def changed(y_pred: Any, sample_weight: Any = None, **given: Any) -> Any:
        y_pred, sample_weight = change(tree, y_pred, sample_weight)
        return compute_loss(y_pred=y_pred, sample_weight=sample_weight, **given)

    keras_model.compute_loss = changed


def _each_of(tree: Any, parts: Any, output: int | None, change: Callable[[Any], Any]) -> Any:
    """Return one tensor or several changed: all, or the one of this number."""
    entries = [change(part) if output in (None, i) else part for i, part in enumerate(tree.flatten(parts))]
    return tree.pack_sequence_as(parts, entries)


def epsilon_outside(keras_model: Any) -> None:
    """Let RMSprop take u = learning_rate * g / (sqrt(v) + epsilon)."""
    optimizer, ops = keras_model.optimizer, require_keras().ops

    def update_step(g: Any, variable: Any, learning_rate: Any) -> None:
        i = optimizer._get_variable_index(variable)
        v = optimizer._velocities[i]
        g = ops.cast(g, v.dtype)
        rho, rest = (np.dtype(v.dtype).type(part) for part in (optimizer.rho, 1 - optimizer.rho))
        v.assign(v * rho + g**2 * rest)
        variance = v
        if optimizer.centered:
            a = optimizer._average_gradients[i]
            a.assign(a * rho + g * rest)
            variance = ops.maximum(v - a**2, 0)
        u = g * ops.cast(learning_rate, variable.dtype) / (ops.sqrt(variance) + optimizer.epsilon)
        if optimizer.momentum > 0:
            m = optimizer._momentums[i]
            m.assign(m * optimizer.momentum + u)
            u = m
        variable.assign(variable - u)

    replace_update_step(optimizer, update_step)


def rate_scaled(keras_model: Any, factor: float) -> None:
    """Let an optimizer make its step with another learning rate than it says."""
    optimizer = keras_model.optimizer
    update_step = optimizer.update_step
    replace_update_step(optimizer, lambda g, variable, rate: update_step(g, variable, rate * factor))


def replace_update_step(optimizer: Any, update_step: Callable[..., None]) -> None:
    """Let a Keras optimizer update each variable by ``update_step(gradient, variable, learning_rate)``."""
    optimizer.update_step = update_step
    if hasattr(optimizer, "_parallel_update_step"):  # on torch Keras updates all variables at once

        def one_by_one(gradients: Any, variables: Any, learning_rate: Any) -> None:
            for gradient, variable in zip(gradients, variables, strict=True):
                update_step(gradient, variable, learning_rate)

        optimizer._backend_update_step = one_by_one
