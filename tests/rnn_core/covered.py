"""What a list of cases leaves out: classes without a case, and arguments that no case sets."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any


def public_classes(module: ModuleType, base: type) -> list[type]:
    """Return the classes that a module offers: those derived from `base`, and not `base` itself."""
    found = {value for name, value in vars(module).items() if inspect.isclass(value) and not name.startswith("_")}
    return sorted((c for c in found if issubclass(c, base) and c is not base), key=lambda c: c.__name__)


def left_out(classes: Iterable[type], cases: Iterable[tuple[str, dict[str, Any]]], aside: set[str]) -> set[str]:
    """Return "Class" for each without a case, and "Class.argument" for each argument that no case sets.

    Parameters
    ----------
    classes : iterable of type
    cases : iterable of (class name, arguments)
    aside : set of str
        Arguments, or "Class.argument", that are held elsewhere.
    """
    cases, missing = list(cases), set()
    for cls in classes:
        given = [set(options) for name, options in cases if name == cls.__name__]
        if not given:
            missing.add(cls.__name__)
        for argument, parameter in inspect.signature(cls).parameters.items():
            named = {argument, f"{cls.__name__}.{argument}"}
            if (
                parameter.kind is not parameter.VAR_KEYWORD
                and not named & aside
                and argument not in set().union(*given)
            ):
                missing.add(f"{cls.__name__}.{argument}")
    return missing
