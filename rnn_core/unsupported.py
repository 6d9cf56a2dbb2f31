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
        For a class (a capital first) or a part of Keras: ``from ... import`` would replace the message of an
        AttributeError by one of its own.
    AttributeError
        For anything else, so that ``hasattr`` works.
    """
    path = f"rnn_core.{module}" if module else "rnn_core"
    if not name[:1].isupper() and name not in _KERAS_PARTS:
        raise AttributeError(f"module {path!r} has no attribute {name!r}")
    raise ImportError(
        f"{path} has no {name}: the engine is made for simple recurrent networks and supports here "
        f"{', '.join(sorted(supported))}."
    )
