"""Objects by name, by config or as they are: how every ``activation="relu"`` in the API is read.

A table maps the names that Keras knows to classes (or ready objects). :func:`resolve` turns what the user gave
into an object: ``"glorot_uniform"``, ``{"class_name": "GlorotUniform", "config": {"seed": 1}}`` or an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Configurable(Protocol):
    """What can be written as a config and made again from it."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        ...


def snake_case(name: str) -> str:
    """Return Keras' snake case of a class name.

    Examples
    --------
    >>> snake_case("SimpleRNN"), snake_case("L1L2"), snake_case("GlorotUniform")
    ('simple_rnn', 'l1l2', 'glorot_uniform')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'relu'?"`` for the nearest known name, with all names where none is near."""
    import difflib  # only an error needs it

    known = sorted(set(known))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5) or difflib.get_close_matches(
        name.lower(), known, n=1, cutoff=0.5
    )
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Known: {', '.join(known)}."


def resolve(kind: str, identifier: Any, table: Mapping[str, Any], base: type) -> Any:
    """Return the object that `identifier` stands for.

    Parameters
    ----------
    kind : str
        What it is, for the error message: ``"activation"``.
    identifier : str, dict, class or object
        A name in `table`, a config ``{"class_name": ..., "config": {...}}``, a subclass of `base`, or an object
        of type `base`, returned as it is.
    table : mapping of str to class or object
    base : type

    Raises
    ------
    ValueError
        For a name that is not in `table`; the nearest known name is suggested.
    TypeError
        For anything else.
    """
    if isinstance(identifier, base):
        return identifier
    config: dict[str, Any] = {}
    if isinstance(identifier, dict):
        if "class_name" not in identifier:
            raise ValueError(
                f"{kind} given as a dict needs the keys 'class_name' and 'config', got {sorted(identifier)}."
            )
        if identifier["class_name"] == "function":  # so Keras writes a bare function, its name as the config
            identifier = identifier["config"]
        else:
            config = identifier.get("config") or {}
            identifier = identifier["class_name"]
        if not isinstance(config, dict):
            raise TypeError(f"{kind}: 'config' of {identifier!r} must be a dict, got {config!r}.")
    if isinstance(identifier, str):
        found = table.get(identifier, table.get(snake_case(identifier)))
        if found is None:
            raise ValueError(f"Unknown {kind} {identifier!r}.{suggestion(identifier, table)}")
        if isinstance(found, type):
            return found(**config)
        if config:
            raise ValueError(f"{kind} {identifier!r} takes no arguments, got {config!r}.")
        return found
    if isinstance(identifier, type) and issubclass(identifier, base):
        return identifier()
    raise TypeError(
        f"{kind} must be a name, a config or a {base.__module__}.{base.__name__}, "
        f"got {type(identifier).__name__}: {identifier!r}."
    )


def serialize(obj: Any, module: str) -> dict[str, Any]:
    """Return `obj` as the nested config that Keras writes."""
    return {
        "module": module,
        "class_name": type(obj).__name__,
        "config": obj.get_config(),
        "registered_name": None,
    }


def serialize_function(function: Any) -> dict[str, Any]:
    """Return what Keras writes of a bare function: its name alone, which cannot be read back."""
    name = getattr(function, "__name__", type(function).__name__)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
