"""A case that fails, made as small as it can be and still fails in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from parity.fuzzing.case_layers import Config, Named, fewest_units
from parity.fuzzing.cases import Case

TRIES = 200  # at most so many smaller cases are tried


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
    >>> from parity.fuzzing.cases import draw
    >>> small, _ = shrink(draw(5), "bad", lambda case: "bad" if len(case.layers) > 1 else "")
    >>> len(small.layers), small.batch, small.timesteps, small.features, small.steps
    (2, 1, 1, 1, 0)
    """
    tries, found = 0, True
    while found and tries < TRIES:
        found = False
        for smaller in _smaller(case):
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


def _smaller(case: Case) -> Iterator[Case]:
    """Yield cases that are one step smaller, the largest steps first."""
    stack = case.layers
    for i in range(len(stack) - 1):  # not the last, which the loss is made for
        yield case._replace(layers=stack[:i] + stack[i + 1 :])
    for i, layer in enumerate(stack):
        for simpler in _simpler(layer):
            yield case._replace(layers=[*stack[:i], simpler, *stack[i + 1 :]])
    plain: Config = {"steps": 0, "mask": False, "sample_weight": "", "states": [], "dtype": "float64"}
    for field, value in plain.items():
        if getattr(case, field) != value:
            yield _with(case, field, value)
    for size in ("batch", "timesteps", "features"):
        for n in _fewer(getattr(case, size)):
            yield _with(case, size, n)
    if case.optimizer[0] != "optimizers.SGD":
        yield _with(case, "optimizer", ("optimizers.SGD", {}))
    if case.loss[0] != "losses.MeanSquaredError":
        yield _with(_with(case, "loss", ("losses.MeanSquaredError", {})), "targets", "real")
    for field in ("optimizer", "loss"):
        name, given = getattr(case, field)
        for option in given:
            yield _with(case, field, (name, _without(given, option)))
    for i, (name, given) in enumerate(stack):
        last, activation = i == len(stack) - 1, given.get("activation")
        needed = (
            *("name", "units", "rate", "seed", "mask_value"),
            *("layer", "cell", "input_dim", "output_dim", "target_shape", "n"),
            *(["activation"] if last or name == "Activation" else []),
        )
        changed = [_without(given, option) for option in given if option not in needed]
        fewest = fewest_units(activation, case.loss[0], case.targets) if last else fewest_units(activation)
        changed += [{**given, "units": n} for n in _fewer(given.get("units", 1), fewest)]
        for arguments in changed:
            layers: list[Named] = [*stack[:i], (name, arguments), *stack[i + 1 :]]
            yield _with(case, "layers", layers)


def _simpler(layer: Named) -> Iterator[Named]:
    """Yield what stands in for a layer that holds others: what it holds; fewer cells; these with fewer options.

    Examples
    --------
    >>> list(_simpler(("TimeDistributed", {"name": "a", "layer": ("Dense", {"units": 2})})))
    [('Dense', {'units': 2, 'name': 'a'})]
    """
    name, given = layer
    own = {option: given[option] for option in ("name", "return_sequences") if option in given}
    if "layer" in given:
        kind, inner = given["layer"]
        yield kind, {**inner, **own}
        for option in sorted(set(inner) - {"name", "units", "activation", "return_sequences"}):
            yield name, {**given, "layer": (kind, _without(inner, option))}
    if "cell" in given:
        (kind, first), *others = given["cell"]
        yield "SimpleRNN", {**first, **own}
        if others:
            yield name, {**given, "cell": others}
        for option in sorted(set(first) - {"name", "units"}):
            yield name, {**given, "cell": [(kind, _without(cell, option)) for _, cell in given["cell"]]}


def _with(case: Case, field: str, value: Any) -> Case:
    return Case(**{**case.to_dict(), field: value})


def _without(given: Config, option: str) -> Config:
    return {name: value for name, value in given.items() if name != option}


def _fewer(number: int, fewest: int = 1) -> list[int]:
    """Return smaller numbers to try, the smallest first.

    Examples
    --------
    >>> _fewer(8), _fewer(1), _fewer(3, fewest=2)
    ([1, 4, 7], [], [2])
    """
    return sorted({fewest, number // 2, number - 1} & set(range(fewest, number)))
