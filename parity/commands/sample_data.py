"""The batch that a user's model is checked on: from a file, or random numbers that it can take; and targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.commands.terminal import UsageError
from parity.parts import all_parts
from rnn_core.layers import Embedding
from rnn_core.several import as_list, rows, unpacked

if TYPE_CHECKING:
    from rnn_core.models import Model

BATCH, TIMESTEPS = 8, 6  # of random data, where the model leaves them open
SAMPLES = 64  # at most, of a user's data: a check takes one batch, and more would only make rounding an average


def data_from_file(path: Path, model: Model) -> tuple[Any, str]:
    """Return samples from all over the arrays in a file, at most one batch, and a note of what was taken."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # only what is taken is read
        if several := not isinstance(found, np.ndarray):
            with found as archive:
                arrays = dict(archive)
        else:
            arrays = {"x": found}
    except (OSError, ValueError, EOFError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"argument --data: cannot read an array from {str(path)!r}: {said}") from error
    names = model.input_names if len(model.graph.inputs) > 1 else ["x"]
    if several and len(names) == 1:
        raise UsageError(f"argument --data: {str(path)!r} has several arrays; one is needed, as np.save writes it")
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
    rows = np.unique(np.linspace(0, count - 1, min(model._fixed_batch() or SAMPLES, count)).astype(int))
    spread = "" if len(rows) == count else ", spread evenly over the file"
    note = f"data: {len(rows):,} of the {count:,} samples in {path.name}{spread}"
    taken = [np.array(arrays[name][rows]) for name in names]
    return model.checked_input(taken if len(names) > 1 else taken[0]), note


def random_data(model: Model) -> tuple[Any, str]:
    """Return random numbers in the shapes that the model expects, indices where it looks them up, and a note."""
    if not model.built:
        raise UsageError("the model is not built: it says no input shape; give a batch of inputs with --data")
    shapes = model.input_shape if len(model.graph.inputs) > 1 else [model.input_shape]
    random, batch = np.random.default_rng(0), model._fixed_batch() or BATCH
    found: list[Any] = []
    said: list[str] = []
    for place, (_, *sizes) in zip(model.graph.inputs, shapes, strict=True):
        shape = (batch, *(size or TIMESTEPS for size in sizes))
        tables = [
            part
            for step in model.graph.steps
            if place in step.sources
            for part in all_parts([step.layer])
            if isinstance(part, Embedding)
        ]
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


def targets(model: Model, x: Any) -> Any:
    """Return random targets that any loss takes, for each output; None for a model without a loss."""
    if not model.compiled or model.loss is None:
        return None
    random = np.random.default_rng(1)
    outputs = model.predict(x, verbose=0, batch_size=rows(x))
    if isinstance(outputs, dict):
        outputs = [outputs[name] for name in model.output_names]
    losses = getattr(model.loss, "losses", [model.loss])
    return unpacked(
        [_target(loss, np.shape(output), random) for loss, output in zip(losses, as_list(outputs), strict=True)]
    )


def _target(loss: Any, shape: tuple[int, ...], random: np.random.Generator) -> Any:
    classes = random.integers(0, shape[-1], shape[:-1])
    if "sparse" in str(loss).lower() or "Sparse" in type(loss).__name__:
        return classes
    return np.eye(shape[-1])[classes] if shape[-1] > 1 else random.random(shape)
