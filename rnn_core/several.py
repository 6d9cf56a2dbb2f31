"""One array, or several: models with one input or output take and return arrays, others lists of them.

Inside the engine several are a list, an entry for each input or output. What stands here works on one and on several
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def as_list(value: Any) -> list[Any]:
    """Return the entries of a list or tuple, or the value itself as the only entry.

    Examples
    --------
    >>> as_list(3), as_list((3, 4))
    ([3], [3, 4])
    """
    return list(value) if isinstance(value, (list, tuple)) else [value]


def unpacked(entries: Sequence[Any]) -> Any:
    """Return the only entry, or a list of several."""
    return entries[0] if len(entries) == 1 else list(entries)


def each(apply: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to one value, or to each of several, which become a list."""
    return [apply(entry) for entry in value] if isinstance(value, (list, tuple)) else apply(value)


def shape_of(value: Any) -> Any:
    """Return an array's shape, or a tuple of the shapes of several; None stays None."""
    if isinstance(value, (list, tuple)):
        return tuple(None if entry is None else entry.shape for entry in value)
    return value.shape


def rows(value: Any) -> int:
    """Return the number of samples in one array, or in the first of several."""
    return len(value[0]) if isinstance(value, (list, tuple)) else len(value)


def flat(parts: Sequence[Any]) -> list[Any]:
    """Return the entries of all parts in one list; a part that is no list is one entry.

    Examples
    --------
    >>> flat([[1, 2], 3, None])
    [1, 2, 3, None]
    """
    return [entry for part in parts for entry in as_list(part)]


def nested_like(parts: Sequence[Any]) -> Callable[[Sequence[Any]], tuple[Any, ...]] | None:
    """Return the function that undoes :func:`flat` for parts of this form; None where no part is a list.

    Examples
    --------
    >>> nest = nested_like([[1, 2], 3])
    >>> nest([4, 5, 6])
    ([4, 5], 6)
    """
    if not any(isinstance(part, (list, tuple)) for part in parts):
        return None
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + len(as_list(part)))
    is_list = [isinstance(part, (list, tuple)) for part in parts]

    def nest(entries: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            list(entries[start:end]) if several else entries[start]
            for start, end, several in zip(ends, ends[1:], is_list, strict=False)
        )

    return nest
