"""Parts of a case, made smaller: fewer options, fewer units, what a layer holds in place of the layer."""

from __future__ import annotations

from collections.abc import Iterator

from parity.fuzzing.case_layers import Config, Named, fewest_units

_NEEDED = (
    *("name", "units", "rate", "seed", "mask_value"),
    *("layer", "cell", "input_dim", "output_dim", "target_shape", "n"),
)


def simpler(layer: Named) -> Iterator[Named]:
    """Yield what stands in for a layer that holds others: what it holds; fewer cells; these with fewer options.

    Examples
    --------
    >>> list(simpler(("TimeDistributed", {"name": "a", "layer": ("Dense", {"units": 2})})))
    [('Dense', {'units': 2, 'name': 'a'})]
    """
    name, given = layer
    own = {option: given[option] for option in ("name", "return_sequences") if option in given}
    if "layer" in given:
        kind, inner = given["layer"]
        yield kind, {**inner, **own}
        for option in sorted(set(inner) - {"name", "units", "activation", "return_sequences"}):
            yield name, {**given, "layer": (kind, without(inner, option))}
    if "cell" in given:
        (kind, first), *others = given["cell"]
        yield "SimpleRNN", {**first, **own}
        if others:
            yield name, {**given, "cell": others}
        for option in sorted(set(first) - {"name", "units"}):
            yield name, {**given, "cell": [(kind, without(cell, option)) for _, cell in given["cell"]]}


def with_less(layer: Named, is_last: bool, loss: str = "", targets: str = "") -> Iterator[Named]:
    """Yield a layer with one option less, then with fewer units; a last one as its loss and its targets need it.

    Examples
    --------
    >>> list(with_less(("Dense", {"name": "a", "units": 2, "activation": "relu"}), is_last=False))
    [('Dense', {'name': 'a', 'units': 2}), ('Dense', {'name': 'a', 'units': 1, 'activation': 'relu'})]
    """
    name, given = layer
    activation = given.get("activation")
    needed = (*_NEEDED, *(["activation"] if is_last or name == "Activation" else []))
    yield from ((name, without(given, option)) for option in given if option not in needed)
    fewest = fewest_units(activation, loss, targets) if is_last else fewest_units(activation)
    yield from ((name, {**given, "units": n}) for n in fewer(given.get("units", 1), fewest))


def less_of(named: Named) -> Iterator[Named]:
    """Yield an optimizer or a loss with one option less; what a loss is taken of stays as it is."""
    name, given = named
    yield from ((name, without(given, option)) for option in given if option != "from_logits")


def without(given: Config, option: str) -> Config:
    """Return arguments without one of them."""
    return {name: value for name, value in given.items() if name != option}


def fewer(number: int, fewest: int = 1) -> list[int]:
    """Return smaller numbers to try, the smallest first.

    Examples
    --------
    >>> fewer(8), fewer(1), fewer(3, fewest=2)
    ([1, 4, 7], [], [2])
    """
    return sorted({fewest, number // 2, number - 1} & set(range(fewest, number)))
