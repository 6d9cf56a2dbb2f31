"""Slots that die away are set to zero before they slow every step down, and nothing else changes by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnn_core.optimizers import SGD, Adam, Optimizer, RMSprop, base

from .against_keras import STOPS, Ours, Theirs, assert_same


def has_denormals(x: np.ndarray) -> bool:
    return bool(((x != 0) & (abs(x) < np.finfo(x.dtype).tiny)).any())


DYING: list[tuple[type[Optimizer], dict[str, Any]]] = [
    *((RMSprop, {"rho": rho, "momentum": 0.99, "centered": True}) for rho in (0.6, 0.9, 0.99, 0.999)),
    (RMSprop, {"momentum": 0.6}),
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.99}),
    (Adam, {}),
    (Adam, {"beta_1": 0.99, "beta_2": 0.99, "amsgrad": True}),
    (SGD, {"weight_decay": 0.5, "learning_rate": 0.2, "use_ema": True}),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "options"), DYING, ids=[f"{c.__name__}-{o}" for c, o in DYING])
def test_no_slot_stays_among_the_denormal_numbers(
    cls: type[Optimizer], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slots start at every order of magnitude, so that every length of the decay is met."""

    def run(flush_every: int) -> set[str]:
        monkeypatch.setattr(base, "FLUSH_EVERY", flush_every)
        optimizer = cls(**options)
        size = 600
        weights = np.logspace(-45, 0, size).astype(np.float32)
        optimizer.build(weights, np.zeros(size, np.float32), [slice(0, size)], [slice(0, size)])
        for slot in optimizer.slots.values():
            slot[:] = np.logspace(-45, 0, size)
        for _ in range(3000):
            optimizer.step()
        found = set()
        watched = dict(optimizer.slots) | ({"weights": weights} if optimizer.weight_decay else {})
        for _ in range(2 * base.FLUSH_EVERY if flush_every < 1000 else 1):
            optimizer.step()
            found |= {name for name, array in watched.items() if has_denormals(array)}
        return found

    assert run(10**9)  # the hazard is real
    assert run(64) == set()


def test_flushing_changes_the_weights_by_no_more_than_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(7)
    size = (200, STOPS[-1])
    sequence = (10.0 ** draws.uniform(-25, 0, size) * draws.choice([-1, 1], size)).astype("f4")
    sequence[50:150, :4] = 0
    flushed = Ours(RMSprop(), "float32")
    plain = Ours(RMSprop(), "float32")
    theirs = Theirs(RMSprop, {}, plain)
    for gradients in sequence:
        monkeypatch.setattr(base, "FLUSH_EVERY", 64)
        flushed.step(gradients)
        monkeypatch.setattr(base, "FLUSH_EVERY", 10**9)
        plain.step(gradients)
        theirs.step(gradients)
    np.testing.assert_allclose(flushed.weights, plain.weights, rtol=2e-7)
    assert_same(flushed.trained(), theirs.trained(), rtol=2e-6)
