"""Settings in which two layers of one name differ, those of layers inside them too: as changes to a model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any

from parity.causes.activations import activation_name
from parity.causes.change import NAMES, Change
from parity.causes.optimizer import set_optimizer
from parity.parts import ARGUMENTS, all_parts
from rnn_core import activations
from rnn_core.layers.input import InputLayer
from rnn_core.models import Model

LEAVES_ALONE = ("name", "dtype", "seed", "units", "batch_input_shape", "unroll", "quantization_config")
INNER = {argument for arguments in ARGUMENTS.values() for argument in arguments}  # settings that are layers


def layer_settings(ours: Model, theirs: Model, name: str) -> Iterator[Change]:
    """Yield the settings of the layer of this name that differ, each made like theirs."""
    here, there = ours.get_layer(name), theirs.get_layer(name)
    if type(here) is not type(there) or isinstance(here, InputLayer):
        return
    paths: dict[str, list[Any]] = {}  # of one difference: in both directions of a Bidirectional there are two
    for *path, mine, other in _differences(here.get_config(), there.get_config()):
        paths.setdefault(repr((path[-1], mine, other)), []).append((path, mine, other))
    for found in paths.values():
        (*_, setting), mine, other = found[0]
        if setting == "activation":
            named = activation_name(activations.get(mine), activations.get(other))
        else:
            named = NAMES.get(setting, f"other {setting.replace('_', ' ')}")

        def apply(model: Model, found: list[Any] = found, setting: str = setting) -> None:
            layer = model.get_layer(name)
            config = layer.get_config()
            for path, _, value in found:
                *outer, last = path
                reduce(getitem, outer, config)[last] = value
            new = type(layer).from_config(config)
            new.ensure_built(there.input_shape or ())
            kept = dict(zip([spec.name for spec in layer.specs], layer.weights, strict=True))
            given = dict(zip([spec.name for spec in there.specs], there.weights, strict=True))
            new.set_weights([kept.get(spec.name, given.get(spec.name)) for spec in new.specs])
            for part, old, their in zip(*(all_parts([one]) for one in (new, layer, there)), strict=True):
                _carry_over(part, old, their if setting == "stateful" else old)
            model._layers[model.layers.index(layer)] = new
            model.graph = model.graph.with_layer(layer, new)
            model._make_vector()
            model._forget_records()
            set_optimizer(model)

        which = setting if setting in NAMES else ""  # whose name is not the setting's
        yield Change(named, name, apply, (mine, other), which, plain=True, replaces=True)


def _differences(mine: Any, other: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield where two configs of a layer differ: the keys that lead there, and what is there in each."""
    for setting in mine:
        here, there, keys = mine[setting], other.get(setting), (*path, setting)
        if setting in LEAVES_ALONE or setting.endswith("_initializer") or here == there:
            continue
        if setting == "cells" and len(here) == len(there):
            for i, pair in enumerate(zip(here, there, strict=True)):
                yield from _inside(*pair, *keys, i)
        elif setting in INNER:
            yield from _inside(here, there, *keys)
        else:
            yield (*keys, here, there)


def _inside(mine: Any, other: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield where the configs of two layers inside others differ; nothing where they are not of one class."""
    if mine["class_name"] == other["class_name"]:
        yield from _differences(mine["config"], other["config"], *path, "config")


def _carry_over(part: Any, old: Any, with_state: Any) -> None:
    """Give a layer made anew the state and the random stream that there are."""
    if getattr(part, "state", None) is not None and getattr(with_state, "state", None) is not None:
        part.state = with_state.state.copy()
    if getattr(part, "dropout_stream", None) is not None and getattr(old, "dropout_stream", None) is not None:
        part.dropout_stream = old.dropout_stream
