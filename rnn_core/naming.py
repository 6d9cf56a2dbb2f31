"""Names for layers and models that were given none: ``dense``, ``dense_1``, ... as Keras counts them."""

from __future__ import annotations

from collections import Counter

_counts: Counter[str] = Counter()


def auto_name(prefix: str) -> str:
    """Return the next free name: the prefix itself first, then with ``_1``, ``_2``, ...

    Examples
    --------
    >>> clear_session(); auto_name("dense"), auto_name("dense")
    ('dense', 'dense_1')
    """
    number = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{number}" if number else prefix


def clear_session(free_memory: bool = True) -> None:
    """Start counting names anew. There is nothing else to clear: the engine keeps no global graph."""
    _counts.clear()
