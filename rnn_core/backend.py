"""What scripts take from ``keras.backend`` besides arithmetic, for which there is NumPy."""

from __future__ import annotations

from typing import Any

from rnn_core.config import backend, epsilon, floatx, set_floatx
from rnn_core.naming import clear_session

__all__ = ["backend", "clear_session", "epsilon", "floatx", "set_floatx"]


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("backend", name, __all__)
