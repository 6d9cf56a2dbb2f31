"""The batch that a user's model is checked on: from a file, or random numbers that it can take; and targets."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.commands.terminal import UsageError
from parity.parts import all_parts
from rnn_core.layers import Embedding
from rnn_core.several import shape_of, unpacked

if TYPE_CHECKING:
    from rnn_core.models import Model

BATCH, TIMESTEPS = 8, 6  # of random data, where the model leaves them open
WHOLE = 10  # of whole numbers that are not looked up
SAMPLES = 64  # at most, of a user's data: a check takes one batch, and more would only make rounding an average


def data_from_file(path: Path, model: Model) -> tuple[Any, str]:
    """Return samples from all over the arrays in a file, at most one batch, and a note of what was taken."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # only what is taken is read
        if isinstance(found, np.ndarray):
            arrays = {"x": found}
        else:
            with found as archive:
                arrays = dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"argument --data: cannot read an array from {str(path)!r}: {said}") from error
    names = model.input_names if len(model.graph.inputs) > 1 else ["x"]
    if len(names) == 1 and len(arrays) != 1:
        raise UsageError(
            f"argument --data: expected one array in {str(path)!r}, as np.save writes it, got {len(arrays)}"
        )
    if len(names) == 1:
        arrays = dict(zip(names, arrays.values(), strict=True))
    if set(arrays) != set(names):
        raise UsageError(
            f"argument --data: the model has the inputs {', '.join(names)}; give an .npz file with an array for each, "
            "as np.savez writes it"
        )
    counts = {len(x) if x.ndim else 0 for x in arrays.values()}
    if 0 in counts:
        shapes = ", ".join(str(x.shape) for x in arrays.values())
        raise UsageError(f"argument --data: {str(path)!r} has no samples, its shape is {shapes}")
    if len(counts) > 1:
        raise UsageError(f"argument --data: {str(path)!r} has arrays of {sorted(counts)} samples; all need as many")
    (count,) = counts
    chosen = np.unique(np.linspace(0, count - 1, min(model._fixed_batch() or SAMPLES, count)).astype(int))
    spread = "" if len(chosen) == count else ", spread evenly over the file"
    note = f"data: {len(chosen):,} of the {count:,} samples in {path.name}{spread}"
    taken = [np.array(arrays[name][chosen]) for name in names]
    for name, x in zip(names, taken, strict=True):
        for sample, *place in np.argwhere(~np.isfinite(x)).tolist() if x.dtype.kind == "f" else ():
            index = (int(chosen[sample]), *place)
            raise UsageError(f"argument --data: {name} holds {x[sample, *place]} at index {index}")
    return model.checked_input(taken if len(names) > 1 else taken[0]), note


def random_data(model: Model) -> tuple[Any, str]:
    """Return random numbers in the shapes that the model expects, indices where it looks them up, and a note."""
    if not model.built:
        raise UsageError("the model is not built: it says no input shape; give a batch of inputs with --data")
    shapes = model.input_shape if len(model.graph.inputs) > 1 else [model.input_shape]
    random, batch = np.random.default_rng(0), model._fixed_batch() or BATCH
    found: list[Any] = []
    said: list[str] = []
    for place, layer, (_, *sizes) in zip(model.graph.inputs, model.graph.input_layers, shapes, strict=True):
        shape = (batch, *(size or TIMESTEPS for size in sizes))
        tables = _tables(model, place)
        if not tables and layer.dtype.startswith(("int", "uint")):
            found.append(random.integers(0, WHOLE, shape))
            said.append(f"random whole numbers below {WHOLE}, shape {shape}")
            continue
        if not tables:
            found.append(random.standard_normal(shape))
            said.append(f"standard normal random numbers, shape {shape}")
            continue
        count = min(part.input_dim for part in tables)
        x = random.integers(min(1, count - 1), count, shape)
        if sizes and any(part.mask_zero for part in tables):
            x[1::2, -1] = 0  # a mask, and not of a first step: there Keras on TensorFlow forgets an initial state
        found.append(x)
        said.append(f"indices below {count}, shape {shape}")
    return unpacked(found), f"data: {'; '.join(said)}"


def _tables(model: Model, place: int) -> list[Embedding]:
    """Return the embeddings that look up what comes in at an input, by whatever way it gets there."""
    reached, tables = {place}, []
    for step in model.graph.steps:
        if reached.isdisjoint(step.sources):
            continue
        found = [part for part in all_parts([step.layer]) if isinstance(part, Embedding)]
        tables += found
        if not found:
            reached.update(step.targets)
    return tables


def targets(model: Model, x: Any) -> Any:
    """Return random targets that any loss takes, for each output; None for a model without a loss."""
    if not model.compiled or model.loss is None:
        return None
    random = np.random.default_rng(1)
    shapes = model.new_pass(
        shape_of(x), training=False
    ).output_shape  # a prediction would move a stateful model's state
    losses = getattr(model.loss, "losses", [model.loss])
    shapes = shapes if isinstance(shapes, list) else [shapes]
    return unpacked([_target(loss, shape, random) for loss, shape in zip(losses, shapes, strict=True)])


def _target(loss: Any, shape: tuple[int, ...], random: np.random.Generator) -> Any:
    classes = random.integers(0, shape[-1], shape[:-1])
    if "sparse" in str(loss).lower() or "Sparse" in type(loss).__name__:
        return classes
    return np.eye(shape[-1])[classes] if shape[-1] > 1 else random.random(shape)
