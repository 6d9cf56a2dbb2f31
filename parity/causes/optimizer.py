"""What an optimizer may do otherwise: another one, another setting, epsilon outside the root."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity.causes import faulty, faulty_keras
from parity.causes.change import NAMES, Change, said
from rnn_core.models import Model
from rnn_core.optimizers import RMSprop

RHOS = (0.5, 0.8, 0.95, 0.99, 0.999, 0.9)
FACTORS = (0.1, 10.0, 0.5, 2.0, 0.01, 100.0)  # of the learning rate


def optimizer_changes(ours: Model, theirs: Model) -> Iterator[Change]:
    """Yield the changes that make an optimizer do what another does, or may do."""
    here, there = ours.optimizer, theirs.optimizer
    if type(here) is not type(there):
        detail = f"{type(here).__name__} {{here}}, {type(there).__name__} {{there}}"
        yield Change("other optimizer", "optimizer", detail, lambda model: set_optimizer(model, there), plain=True)
        return
    mine, other = here.get_config(), there.get_config()

    def changed(setting: str, value: Any, rare: bool = False) -> Change:
        def apply(model: Model) -> None:
            settings = {**model.optimizer.get_config(), setting: value}
            set_optimizer(model, type(model.optimizer).from_config(settings))

        name = NAMES.get(setting, f"other {setting.replace('_', ' ')}")
        detail = f"{said(mine[setting])} {{here}}, {said(value)} {{there}}"
        return Change(name, "optimizer", detail, apply, True, rare)

    for setting in mine:
        if setting != "name" and mine[setting] != other[setting]:
            yield changed(setting, other[setting])
    if isinstance(here, RMSprop):

        def outside(model: Model) -> None:
            faulty.give(model.optimizer, faulty.EpsilonOutside)

        name = "epsilon outside the root"
        yield Change(name, "optimizer", "", outside, there=faulty_keras.epsilon_outside)
        for rho in RHOS:
            if rho != here.rho:
                yield changed("rho", rho, rare=True)
    if isinstance(mine["learning_rate"], float):
        for factor in FACTORS:
            yield changed("learning_rate", factor * mine["learning_rate"], rare=True)


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
