"""Models: graphs of layers with one vector of weights. A Sequential is one whose graph is a chain."""

from __future__ import annotations

from typing import Any

from rnn_core.models.cloning import clone_model
from rnn_core.models.model import Model
from rnn_core.models.sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model"]


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("models", name, __all__)
