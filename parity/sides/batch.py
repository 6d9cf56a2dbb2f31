"""One batch as all sides of a check take it: float32 numbers; several inputs and outputs are lists in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.engine.predictor import for_names
from rnn_core.layers import RNN, SimpleRNN
from rnn_core.losses.several import for_outputs
from rnn_core.models import Model
from rnn_core.several import as_list, each, rows, unpacked

Array = NDArray[Any]


def batch_of(model: Model, x: Any, y: Any, sample_weight: Any, mask: Any, initial_state: Any) -> dict[str, Any]:
    """Return one batch as all sides take it: float32 numbers, lists in the order of the model's inputs and outputs."""
    x, outputs = model.checked_input(x), model.output_names if len(model.graph.outputs) > 1 else []
    judged = y is not None and model.compiled and model.loss is not None
    if judged and outputs:
        y = for_names(y, "y", outputs)
        if sample_weight is not None:
            sample_weight = for_outputs(sample_weight, "sample_weight", outputs, all_alike=True)
    return {
        "x": each(_single, x),
        "y": each(_single, y if outputs else np.asarray(y)) if judged else None,
        "sample_weight": each(
            _single, sample_weight if outputs or sample_weight is None else np.asarray(sample_weight)
        ),
        "mask": _checked_mask(mask, x),
        # Inputs of whole numbers: there is no gradient with respect to them.
        "whole": [layer.dtype.startswith(("int", "uint")) for layer in model.graph.input_layers],
        "initial_states": _initial_states(model, initial_state, rows(x)),
    }


def _checked_mask(mask: Any, x: Any) -> Any:
    """Return the mask of each input as booleans (batch, timesteps)."""
    if mask is None:
        return None
    inputs, several = as_list(x), isinstance(x, list)
    masks = list(mask) if several and isinstance(mask, (list, tuple)) else [mask]
    if len(masks) != len(inputs):
        raise ValueError(
            f"check: mask must be a list of {len(inputs)}, one for each input or None, got {len(masks)} of them."
        )
    found = []
    for one, part in zip(masks, inputs, strict=True):
        array = None if one is None else np.asarray(one)
        if array is not None and (array.shape != part.shape[:2] or array.dtype.kind not in "biuf"):
            raise ValueError(
                f"check: mask must be booleans of shape (batch, timesteps) = {part.shape[:2]}, got {array.dtype} of "
                f"shape {array.shape}."
            )
        if array is not None and not np.isin(array, (0, 1)).all():
            raise ValueError("check: mask must be booleans, got numbers other than 0 and 1.")
        found.append(None if array is None else array.astype(bool))
    return found if several else found[0]


def _single(values: Any) -> Any:
    """Return floats rounded to float32, and whole numbers as they are."""
    if values is None:
        return None
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _initial_states(model: Model, initial_state: Any, batch: int) -> dict[str, Array]:
    if initial_state is None:
        return {}
    if not isinstance(initial_state, Mapping):
        name = next((layer.name for layer in model.layers if isinstance(layer, SimpleRNN)), None)
        if name is None:
            raise ValueError(f"check: initial_state was given, and model {model.name!r} has no SimpleRNN.")
        initial_state = {name: initial_state}
    wired = {step.layer.name for step in model.graph.steps if step.call[1]}
    states = {}
    for name, state in initial_state.items():
        layer = model.get_layer(name)
        if name in wired:
            raise ValueError(f"check: initial_state of {name!r} is part of the graph: give the inputs it comes from.")
        if isinstance(layer, SimpleRNN):
            states[name] = _single(layer.checked_state("initial_state", state, batch))
        elif isinstance(layer, RNN) and len(layer.state_size) == 1:
            (states[name],) = map(_single, layer.cell.checked_states("check: initial_state", state, batch))
        else:
            raise ValueError(
                f"check: initial_state is for a SimpleRNN or an RNN with one state, {name!r} is a "
                f"{type(layer).__name__}."
            )
    return states


def sample_weights(batch: dict[str, Any], model: Model) -> Any:
    """Return the weights of samples, for several outputs a list of them.

    Where none were given they are ones, one for each value of the loss: fewer would be divided by with the reduction
    "mean_with_sample_weight", and change the loss.
    """
    if batch["y"] is None:
        return None
    losses = getattr(model.loss, "losses", [model.loss])
    shapes = model.output_shape if isinstance(model.output_shape, list) else [model.output_shape]
    given = batch["sample_weight"]
    entries = given if isinstance(given, list) else [given] * len(shapes)
    found: list[Array | None] = []
    for entry, loss, shape, y in zip(entries, losses, shapes, as_list(batch["y"]), strict=True):
        if entry is not None or loss is None:
            found.append(None if entry is None else np.asarray(entry))
            continue
        output = tuple(y.shape[axis] if size is None else size for axis, size in enumerate(shape))
        sizes = list(loss.check_shapes(y.shape, output)[1])  # as the loss takes it: perhaps without a last axis of 1
        del sizes[loss.axis]
        found.append(np.ones(sizes, np.float32))
    return unpacked(found)
