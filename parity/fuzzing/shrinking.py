"""A case that fails, made as small as it can be and still fails in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from parity.fuzzing.case_layers import Config
from parity.fuzzing.cases import ChainCase
from parity.fuzzing.drawing import Case
from parity.fuzzing.graph_cases import GraphCase
from parity.fuzzing.graph_shrinking import smaller_graphs
from parity.fuzzing.smaller_parts import fewer, less_of, simpler, with_less

TRIES = 300  # at most so many smaller cases are tried


def shrink(case: Case, what: str, fault: Callable[[Case], str]) -> tuple[Case, str]:
    """Return the smallest case found that still fails as `case` does, and how it fails.

    Tried one after the other, and again from the start after each success: fewer layers, no weights, masks and states,
    a plain optimizer and loss, a shorter batch, fewer options.

    Parameters
    ----------
    case : Case
    what : str
        ``fault(case)``.
    fault : callable
        Returns how a case fails, "" if it holds.

    Examples
    --------
    >>> from parity.fuzzing.cases import draw_chain
    >>> small, _ = shrink(draw_chain(5), "bad", lambda case: "bad" if len(case.layers) > 1 else "")
    >>> len(small.layers), small.batch, small.timesteps, small.features, small.steps
    (2, 1, 1, 1, 0)
    """
    tries, found = 0, True
    while found and tries < TRIES:
        found = False
        for smaller in smaller_graphs(case) if isinstance(case, GraphCase) else _smaller_chains(case):
            tries += 1
            now = fault(smaller)
            if now and _kind(now) == _kind(what):
                case, what, found = smaller, now, True
                break
            if tries >= TRIES:
                break
    return case, what


def _kind(what: str) -> str:
    """Return what failures have in common that are one and the same: the error without its numbers and names."""
    if re.match(r"\w+: ", what):
        return re.sub(r"\d+|'[^']*'|\([^)]*\)", "", what)[:80]
    return "lines do not hold"


def _smaller_chains(case: ChainCase) -> Iterator[ChainCase]:
    """Yield cases that are one step smaller, the largest steps first."""
    stack = case.layers
    for i in range(len(stack) - 1):  # not the last, which the loss is made for
        yield case._replace(layers=stack[:i] + stack[i + 1 :])
    for i, layer in enumerate(stack):
        for other in simpler(layer):
            yield case._replace(layers=[*stack[:i], other, *stack[i + 1 :]])
    plain: Config = {"steps": 0, "mask": False, "sample_weight": "", "states": [], "dtype": "float64"}
    for field, value in plain.items():
        if getattr(case, field) != value:
            yield _with(case, field, value)
    for size in ("batch", "timesteps", "features"):
        for n in fewer(getattr(case, size)):
            yield _with(case, size, n)
    if case.optimizer[0] != "optimizers.SGD":
        yield _with(case, "optimizer", ("optimizers.SGD", {}))
    if case.loss[0] != "losses.MeanSquaredError":
        yield _with(_with(case, "loss", ("losses.MeanSquaredError", {})), "targets", "real")
    for field in ("optimizer", "loss"):
        for less in less_of(getattr(case, field)):
            yield _with(case, field, less)
    for i, layer in enumerate(stack):
        for less in with_less(layer, i == len(stack) - 1, case.loss[0], case.targets):
            yield _with(case, "layers", [*stack[:i], less, *stack[i + 1 :]])


def _with(case: ChainCase, field: str, value: Any) -> ChainCase:
    return ChainCase(**{**case.to_dict(), field: value})
