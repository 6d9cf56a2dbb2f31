"""``keras.preprocessing.sequence``: the same as in :mod:`rnn_core.utils`."""

from __future__ import annotations

from typing import Any

from rnn_core.utils import pad_sequences

__all__ = ["pad_sequences"]


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("preprocessing.sequence", name, __all__)
