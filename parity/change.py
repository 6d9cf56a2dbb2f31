"""One known cause, as a change to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rnn_core.models import Model

Apply = Callable[[Model], None]


class Change(NamedTuple):
    """A change to a model.

    Attributes
    ----------
    name, place, detail : str
        As of the Cause that it stands for.
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
