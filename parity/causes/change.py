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
    "mask_zero": "ignored mask",
    "learning_rate": "other learning rate",
}


class Change(NamedTuple):
    """A change to a model.

    Attributes
    ----------
    name, place : str
        As of the Cause that it stands for.
    apply : callable
        Changes the model that it is given.
    values : tuple of two
        What was there before the change, and what is there after it, where that can be said.
    detail : str
        What else there is to say.
    plain : bool
        Whether the model remains one that Keras has.
    rare : bool
        Left out where pairs are tried.
    replaces : bool
        Whether it puts a new layer in the old one's place, and undoes what was changed in that.
    in_keras : callable, optional
        Makes the same change in a Keras model, where it is not `plain`.
    variant : int
        Which one it is of several changes of this name.
    """

    name: str
    place: str
    apply: Apply
    values: tuple[Any, ...] = ()
    detail: str = ""
    plain: bool = False
    rare: bool = False
    replaces: bool = False
    in_keras: Callable[[Any], None] | None = None
    variant: int = 0


def said(value: Any) -> str:
    """Return a setting as it is read."""
    if isinstance(value, dict):
        given = value.get("config") or {}
        return f"{value.get('class_name')}({', '.join(f'{k}={v!r}' for k, v in given.items() if k != 'name')})"
    return str(value)
