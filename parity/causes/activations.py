"""One activation for another: what a layer may have used in place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity.causes.change import Change
from parity.parts import part_of
from rnn_core import activations
from rnn_core.models import Model

ACTIVATIONS: dict[str, tuple[Any, ...]] = {
    "other leaky slope": tuple(activations.LeakyRelu(slope) for slope in (0.2, 0.3, 0.01, 0.1)),
    "other gelu": (activations.Gelu(), activations.Gelu(approximate=True)),
    "other activation": tuple(
        activations.get(name)
        for name in ("linear", "relu", "tanh", "sigmoid", "elu", "selu", "softplus", "silu", "hard_sigmoid", "softsign")
    ),
}


def activation_changes(layer: Any, label: str) -> Iterator[Change]:
    """Yield the activations that a layer may have in place of its own, if it has one."""
    here = getattr(layer, "activation", None)
    for name, others in ACTIVATIONS.items() if here is not None else ():
        for other in others:
            if repr(other) == repr(here):
                continue

            def apply(model: Model, other: Any = other) -> None:
                part_of(model, label).activation = other

            known = name if name == "other activation" else activation_name(here, other)
            yield Change(known, label, apply, (here, other), plain=True, rare=True)


def activation_name(one: Any, other: Any) -> str:
    """Return what the exchange of one activation for another is called."""
    if type(one) is type(other) and isinstance(one, (activations.Gelu, activations.LeakyRelu)):
        return "other gelu" if isinstance(one, activations.Gelu) else "other leaky slope"
    return "other activation"
