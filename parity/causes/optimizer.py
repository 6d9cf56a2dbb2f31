"""What an optimizer may do otherwise: another one, another setting, epsilon outside the root."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from parity.causes import faulty, faulty_keras
from parity.causes.change import NAMES, Change
from rnn_core.models import Model
from rnn_core.optimizers import RMSprop

RHOS = (0.5, 0.8, 0.95, 0.99, 0.999, 0.9)
FACTORS = (0.1, 10.0, 0.5, 2.0, 0.01, 100.0)  # of the learning rate


def optimizer_changes(ours: Model, theirs: Model) -> Iterator[Change]:
    """Yield the changes that make an optimizer do what another does, or may do."""
    here, there = ours.optimizer, theirs.optimizer
    if type(here) is not type(there):
        classes = (type(here).__name__, type(there).__name__)
        yield Change("other optimizer", "optimizer", lambda model: set_optimizer(model, there), classes, plain=True)
        return
    mine, other = here.get_config(), there.get_config()
    for setting in mine:
        if setting != "name" and mine[setting] != other[setting]:
            yield _setting(setting, mine[setting], other[setting])
    if isinstance(here, RMSprop):
        yield _faulty("epsilon outside the root", faulty.EpsilonOutside, faulty_keras.epsilon_outside)
        for rho in RHOS:
            if rho != here.rho:
                yield _setting("rho", here.rho, rho)
    for factor in FACTORS:
        if isinstance(mine["learning_rate"], float):
            rate = mine["learning_rate"]
            yield _setting("learning_rate", rate, factor * rate, rare=True)
        in_keras = partial(faulty_keras.rate_scaled, factor=factor)
        values = ("as set", f"{factor:g} times as set")
        yield _faulty(NAMES["learning_rate"], faulty.RateScaled, in_keras, values, factor=factor)


def _setting(setting: str, before: Any, after: Any, rare: bool = False) -> Change:
    """Return the change of one setting."""

    def apply(model: Model) -> None:
        settings = {**model.optimizer.get_config(), setting: after}
        like = type(model.optimizer).from_config(settings)
        if like._schedule is None:
            like._store_rate(after if setting == "learning_rate" else model.optimizer.learning_rate)  # unrounded
        set_optimizer(model, like)

    name = NAMES.get(setting, f"other {setting.replace('_', ' ')}")
    return Change(name, "optimizer", apply, (before, after), plain=True, rare=rare)


def _faulty(name: str, fault: type, in_keras: Any, values: tuple[Any, ...] = (), **attributes: Any) -> Change:
    """Return the change of what a step computes, all settings being as they were."""

    def apply(model: Model) -> None:
        faulty.give(model.optimizer, fault, **attributes)

    return Change(name, "optimizer", apply, values, in_keras=in_keras)


def set_optimizer(model: Model, like: Any = None) -> None:
    """Give the model a new optimizer with the settings of `like` (or of its own), and what it has of the old state."""
    if model.optimizer is None:
        return
    old, like = model.optimizer, like or model.optimizer
    settings = like.get_config()
    new = type(like).from_config(settings)
    if new._schedule is None:
        new._store_rate(like.learning_rate)  # unrounded
    model.optimizer = new
    model.prepare_training()
    new.iterations = old.iterations
    for name, vector in old.slots.items():
        if name in new.slots and new.slots[name].shape == vector.shape:
            new.slots[name][...] = vector
