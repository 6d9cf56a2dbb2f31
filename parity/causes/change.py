"""One known cause, as a change to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rnn_core.models import Model

Apply = Callable[[Model], None]

NAMES = {  # of settings; others are called "other <setting>"
    "use_bias": "missing bias",
    "go_backwards": "time-reversed input",
    "stateful": "stale state",
    "learning_rate": "other learning rate",
}


class Change(NamedTuple):
    """A change to a model.

    Attributes
    ----------
    name, place, detail : str
        As of the Cause that it stands for; in the detail ``{here}`` and ``{there}`` stand for the two sides.
    apply : callable
        Changes the model that it is given.
    plain : bool
        Whether the model remains one that Keras has.
    rare : bool
        Left out where pairs are tried.
    replaces : bool
        Whether it puts a new layer in the old one's place, and undoes what was changed in that.
    there : callable, optional
        Makes the same change in a Keras model, where it is not `plain`.
    """

    name: str
    place: str
    detail: str
    apply: Apply
    plain: bool = False
    rare: bool = False
    replaces: bool = False
    there: Callable[[Any], None] | None = None

    def said_with(self, here: str, there: str) -> str:
        """Return the detail with words for the side that is changed and for the other one."""
        return self.detail.replace("{here}", here).replace("{there}", there)


def said(value: Any) -> str:
    """Return a setting as it is read."""
    if isinstance(value, dict):
        given = value.get("config") or {}
        return f"{value.get('class_name')}({', '.join(f'{k}={v!r}' for k, v in given.items() if k != 'name')})"
    return str(value)
