"""Where scripts for Keras look for ``sequence.pad_sequences``."""

from __future__ import annotations

from typing import Any

from rnn_core.preprocessing import sequence

__all__ = ["sequence"]


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("preprocessing", name, __all__)
