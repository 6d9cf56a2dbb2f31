"""Checks of arguments: each returns the value it checked, or says what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def positive_int(owner: str, argument: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int of at least `minimum`.

    Examples
    --------
    >>> positive_int("Dense", "units", 2.5)
    Traceback (most recent call last):
        ...
    ValueError: Dense: units must be an integer of at least 1, got 2.5.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= minimum:
        return int(value)
    raise ValueError(f"{owner}: {argument} must be an integer of at least {minimum}, got {value!r}.")


def real(
    owner: str,
    argument: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
) -> float:
    """Return `value` as a finite float from `low` to `high`; `above` leaves `low` itself out.

    Examples
    --------
    >>> real("SGD", "learning_rate", 0, 0, above=True)
    Traceback (most recent call last):
        ...
    ValueError: SGD: learning_rate must be a number above 0, got 0.
    """
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and (number > low if above else number >= low) and number <= high:
            return number
    bound = ""
    if low > -math.inf:
        bound = f" above {low:g}" if above else f" of at least {low:g}"
    if high < math.inf:
        bound += f"{' and' if bound else ' of'} at most {high:g}"
    raise ValueError(f"{owner}: {argument} must be a number{bound}, got {value!r}.")


def one_of(owner: str, argument: str, value: Any, options: Sequence[str]) -> str:
    """Return `value` if it is one of `options`.

    Examples
    --------
    >>> one_of("VarianceScaling", "mode", "fan", ("fan_in", "fan_out"))
    Traceback (most recent call last):
        ...
    ValueError: VarianceScaling: mode must be one of 'fan_in', 'fan_out', got 'fan'.
    """
    if isinstance(value, str) and value in options:
        return value
    raise ValueError(f"{owner}: {argument} must be one of {', '.join(map(repr, options))}, got {value!r}.")


def shape(owner: str, value: Any) -> tuple[int, ...]:
    """Return `value` as the shape of an array: a tuple of ints of at least 0.

    Examples
    --------
    >>> shape("Zeros", (None, 3))
    Traceback (most recent call last):
        ...
    ValueError: Zeros: shape must be a sequence of integers of at least 0, got (None, 3).
    """
    if isinstance(value, Sequence) and all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in value
    ):
        return tuple(int(n) for n in value)
    raise ValueError(f"{owner}: shape must be a sequence of integers of at least 0, got {value!r}.")


def integer(owner: str, argument: str, value: Any) -> int:
    """Return `value` as an int of either sign.

    Examples
    --------
    >>> integer("CategoricalCrossentropy", "axis", "last")
    Traceback (most recent call last):
        ...
    ValueError: CategoricalCrossentropy: axis must be an integer, got 'last'.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise ValueError(f"{owner}: {argument} must be an integer, got {value!r}.")


def boolean(owner: str, argument: str, value: Any) -> bool:
    """Return `value` as a bool.

    Examples
    --------
    >>> boolean("BinaryCrossentropy", "from_logits", "yes")
    Traceback (most recent call last):
        ...
    ValueError: BinaryCrossentropy: from_logits must be True or False, got 'yes'.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ValueError(f"{owner}: {argument} must be True or False, got {value!r}.")
