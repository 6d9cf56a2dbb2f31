"""The keyword arguments that every optimizer takes, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from rnn_core import checks

CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
AVERAGING = ("use_ema", "ema_momentum", "ema_overwrite_frequency")
UNSUPPORTED = ("loss_scale_factor", "gradient_accumulation_steps")
SETTINGS = ("weight_decay", *CLIPS, *AVERAGING, *UNSUPPORTED)  # in the order of Keras' config


class Options(TypedDict, total=False):
    """The keyword arguments that every optimizer takes; ``Optimizer`` says what they do."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: None
    gradient_accumulation_steps: None
    name: str | None


class DecayOptions(Options, total=False):
    """The same, with `weight_decay`."""

    weight_decay: float | None


def check(owner: str, settings: Mapping[str, Any]) -> None:
    """Raise a ValueError for the first of the SETTINGS that is out of its range or not supported.

    Examples
    --------
    >>> check("SGD", dict.fromkeys(SETTINGS) | {"use_ema": False, "ema_momentum": 2})
    Traceback (most recent call last):
        ...
    ValueError: SGD: ema_momentum must be a number of at least 0 and at most 1, got 2.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    for key in UNSUPPORTED:
        if key in given:
            raise ValueError(f"{owner}: {key} is not supported and must be None, got {given[key]!r}.")
    clips = {key: given[key] for key in CLIPS if key in given}
    if len(clips) > 1:
        raise ValueError(f"{owner}: only one of {', '.join(CLIPS)} can be set, got {clips}.")
    for key, value in clips.items():
        checks.real(owner, key, value, 0, above=True)
    if "weight_decay" in given:
        checks.real(owner, "weight_decay", given["weight_decay"], 0)
    checks.boolean(owner, "use_ema", settings["use_ema"])
    checks.real(owner, "ema_momentum", settings["ema_momentum"], 0, 1)
    if "ema_overwrite_frequency" in given:
        checks.positive_int(owner, "ema_overwrite_frequency", given["ema_overwrite_frequency"])
