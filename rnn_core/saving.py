"""Weights in a file: NumPy's .npz, never pickle, and never half-written.

Entries are named as Keras names the groups of its weight files, ``simple_rnn/kernel``, ``dense/kernel``,
``dense_1/kernel``: the class with a running number, so that the names given to layers do not matter.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.serialization import snake_case

if TYPE_CHECKING:
    from rnn_core.models import Model


def weight_paths(model: Model) -> dict[str, NDArray[Any]]:
    """Return views of all weights by their name in the file."""
    counts: Counter[str] = Counter()
    paths = {}
    for layer in model.layers:
        group = snake_case(type(layer).__name__)
        number = counts[group]
        counts[group] += 1
        for name, view in layer.views(layer.vector).items():
            paths[f"{group}_{number}/{name}" if number else f"{group}/{name}"] = view
    return paths


def checked_path(filepath: Any) -> Path:
    """Return `filepath`, which must end in .npz."""
    path = Path(filepath)
    if path.suffix != ".npz":
        raise ValueError(f"Weights are kept in NumPy's format: filepath must end in .npz, got {str(path)!r}.")
    return path


def save_weights(model: Model, filepath: Any, overwrite: bool = True) -> None:
    """Write the weights; after a crash at any moment the file is the old one or the new one, whole."""
    path = checked_path(filepath)
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} exists, and overwrite is False.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} can't be written: there is no folder {str(path.parent)!r}.")
    with written_whole(path) as file:
        entries: dict[str, Any] = dict(weight_paths(model))
        np.savez(file, **entries)  # arrays of floats: nothing that would be pickled


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to, which is put in the place of `path` in one step when all is written.

    It is written beside `path` and forced to disk first; after an error, or a crash at any moment, `path` is as before.
    """
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else _new_file_mode())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_weights(model: Model, filepath: Any) -> None:
    """Read weights that :func:`save_weights` wrote; every name and shape is checked before any is changed."""
    path = checked_path(filepath)
    with path.open("rb") as stream:
        found = _arrays(stream, path)
    expected = weight_paths(model)
    if found.keys() != expected.keys():
        missing, extra = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
        raise ValueError(f"{path} holds weights of another model: missing {missing}, not known {extra}.")
    for name, view in expected.items():
        if found[name].dtype.kind != "f":
            raise ValueError(f"{path}: {name} must hold floats, got dtype {found[name].dtype}.")
        if found[name].shape != view.shape:
            raise ValueError(f"{path}: {name} has shape {found[name].shape}, the model's has {view.shape}.")
    for name, view in expected.items():
        view[...] = found[name]


def _arrays(stream: IO[bytes], path: Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of an .npz file."""
    try:
        with np.load(stream, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # a damaged file makes zipfile, zlib and NumPy raise almost anything
        raise ValueError(f"{path} is not a whole .npz file of weights: {error}") from error


def _new_file_mode() -> int:
    """Return what open() gives a new file; mkstemp's is for the owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("saving", name, ["load_weights", "save_weights"])
