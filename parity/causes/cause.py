"""What sets two models apart, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

MORE_THAN_ONE = "more than one"


class Cause(NamedTuple):
    """What sets two models apart.

    Attributes
    ----------
    name : str
        From a fixed list: "transposed kernel", "missing bias", "other rho", ..., or "more than one".
    place : str
        The layer that it is in, "loss", "loss of <output>" or "optimizer"; "" for more than one. A weight, or what is
        done to the data, may be that of a layer inside another: "bidirectional/forward_simple_rnn".
    detail : str
        What each engine has, where it can be said; or which engine has the fault.
    parts : tuple of Cause
        The two, where it is more than one.

    Examples
    --------
    >>> str(Cause("other rho", "optimizer", "0.9 in rnn_core, 0.8 in Keras"))
    "other rho in 'optimizer' (0.9 in rnn_core, 0.8 in Keras)"
    """

    name: str
    place: str = ""
    detail: str = ""
    parts: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.parts:
            return f"{self.name}: {' and '.join(map(str, self.parts))}"
        return f"{self.name} in {self.place!r}" + (f" ({self.detail})" if self.detail else "")


def names(cause: Cause | None) -> Iterator[str]:
    """Yield the names of a cause, or of the two that are more than one."""
    for part in (cause.parts or (cause,)) if cause is not None else ():
        yield part.name
