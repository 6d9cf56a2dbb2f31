"""What Keras has and this engine has not, refused by name: ``from rnn_core.layers import LSTM`` says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

_KERAS_PARTS = (
    "applications",
    "backend",
    "datasets",
    "distribution",
    "dtype_policies",
    "export",
    "legacy",
    "ops",
    "preprocessing",
    "quantizers",
    "saving",
    "tree",
    "visualization",
    "wrappers",
)
_INSTEAD = {
    "load_model": "model.load_weights(...) reads weights that save_weights wrote; a .keras file is read by Keras and "
    "taken over with parity.from_keras(keras.models.load_model(...))",
    "save_model": "model.save_weights(...) writes the weights; parity.to_keras(model).save(...) a .keras file",
    "model_from_json": "Sequential.from_config(json.loads(...)) makes a model from its config",
    "clone_model": "type(model).from_config(model.get_config()) makes a model with new weights",
    "timeseries_dataset_from_array": "rnn_core.series.Windows cuts a series into windows",
    "text_dataset_from_directory": "rnn_core.text encodes text",
    "image_dataset_from_directory": "the engine is made for sequences",
    "normalize": "rnn_core.series.Scaler brings inputs to one scale",
}
"""What people look for that has another name here."""


def refuse_import(module: str, name: str, supported: Sequence[str]) -> NoReturn:
    """Raise for a name that a module does not have.

    Parameters
    ----------
    module : str
        Under ``rnn_core``; empty for the package itself.
    name : str
    supported : sequence of str
        What the module has.

    Raises
    ------
    ImportError
        For a class (a capital first), a part of Keras, and functions that have another name here: ``from ... import``
        would replace the message of an AttributeError by one of its own.
    AttributeError
        For anything else, so that ``hasattr`` works.
    """
    path = f"rnn_core.{module}" if module else "rnn_core"
    if name in _INSTEAD:
        raise ImportError(f"{path} has no {name}: {_INSTEAD[name]}.")
    if not name[:1].isupper() and name not in _KERAS_PARTS:
        raise AttributeError(f"module {path!r} has no attribute {name!r}")
    raise ImportError(
        f"{path} has no {name}: the engine is made for simple recurrent networks and supports here "
        f"{', '.join(sorted(supported))}."
    )
