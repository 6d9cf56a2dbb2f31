"""Graphs that are one step smaller than another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity.fuzzing.case_layers import Config, Named, fewest_units
from parity.fuzzing.graph_cases import GraphCase
from parity.fuzzing.smaller_parts import fewer, less_of, simpler, with_less, without

_PLAIN: Named = ("losses.MeanSquaredError", {})


def smaller_graphs(case: GraphCase) -> Iterator[GraphCase]:
    """Yield cases that are one step smaller, the largest steps first; some do not fit together and can't be built.

    Fewer outputs, less before a call (an input in its place, or what it was called on), fewer branches and states,
    then what a chain's case drops: options and sizes.
    """
    for smaller in (*_fewer_calls(case), *_plainer(case), *_smaller_sizes(case), *_smaller_layers(case)):
        if (pruned := smaller.pruned()) != case:
            yield pruned


def _fewer_calls(case: GraphCase) -> Iterator[GraphCase]:
    """Yield cases with fewer outputs, calls, branches, initial states and inputs."""
    outputs = [one["of"] for one in case.outputs]
    for i in range(len(outputs)):
        rest = case.outputs[:i] + case.outputs[i + 1 :]
        if any(one["loss"] for one in rest):
            yield case._replace(outputs=rest)
    shapes = _shapes(case)
    words = {one["name"] for one in case.inputs if one["kind"] == "words"}
    for i in range(len(case.calls) - 1, -1, -1):
        call, made = case.calls[i], case.calls[i]["made"]
        yield from (_cut(case, name, shapes[name]) for name in made if name in shapes and name not in outputs)
        if not words & set(call["of"]) and _ends(case).get(call["layer"], _PLAIN)[0] == _PLAIN[0]:
            yield from (_renamed(case, made[0], source) for source in call["of"])
        if len(call["of"]) > 1:
            for k in range(len(call["of"])):
                yield _with_entry(case, "calls", i, {**call, "of": call["of"][:k] + call["of"][k + 1 :]})
        if call["states"]:
            yield _with_entry(case, "calls", i, {**call, "states": []})
    yield from _without_states(case)
    for i, one in enumerate(case.inputs):
        for other in case.inputs[:i]:
            if other["kind"] == one["kind"]:
                yield _renamed(case, one["name"], other["name"])


def _without_states(case: GraphCase) -> Iterator[GraphCase]:
    """Yield cases in which a recurrent layer no longer puts out its states, of which nothing makes use."""
    read = {name for call in case.calls for name in (*call["of"], *call["states"])}
    read |= {one["of"] for one in case.outputs}
    for i, layer in enumerate(case.layers):
        own = [call["layer"] == layer[1]["name"] for call in case.calls]
        if any(is_own and read & set(call["made"][1:]) for call, is_own in zip(case.calls, own, strict=True)):
            continue
        for less in _stateless(layer):
            calls = [
                {**call, "made": call["made"][:1]} if is_own else call
                for call, is_own in zip(case.calls, own, strict=True)
            ]
            yield _with_entry(case._replace(calls=calls), "layers", i, less)


def _stateless(layer: Named) -> Iterator[Named]:
    """Yield a recurrent layer that no longer puts out its states, if it does."""
    name, given = layer
    if given.get("return_state"):
        yield name, without(given, "return_state")
    if name == "Bidirectional":
        yield from ((name, {**given, "layer": inner}) for inner in _stateless(given["layer"]))


def _shapes(case: GraphCase) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what calls put out; without any where the case can't be built."""
    try:
        return case.shapes()
    except Exception:  # which may be what it fails by
        return {}


def _cut(case: GraphCase, name: str, shape: tuple[int, ...]) -> GraphCase:
    """Return a case in which what calls put out is an input."""
    kind = "row" if len(shape) == 2 else "sequence"
    new: Config = {"name": f"in_{name}", "kind": kind, "features": shape[-1], "missing": None, "mask": False}
    return _renamed(case._replace(inputs=[*case.inputs, new]), name, new["name"])


def _renamed(case: GraphCase, name: str, other: str) -> GraphCase:
    """Return a case in which everything is called on `other` in place of `name`."""

    def renamed(names: list[str]) -> list[str]:
        return [other if one == name else one for one in names]

    calls = [{**call, "of": renamed(call["of"]), "states": renamed(call["states"])} for call in case.calls]
    outputs = [{**one, "of": other if one["of"] == name else one["of"]} for one in case.outputs]
    return case._replace(calls=calls, outputs=outputs)


def _plainer(case: GraphCase) -> Iterator[GraphCase]:
    """Yield cases with a plainer optimizer, plainer losses, without masks, weights and training."""
    plain: Config = {"steps": 0, "dtype": "float64"}
    for field, value in plain.items():
        if getattr(case, field) != value:
            yield _with(case, field, value)
    for i, one in enumerate(case.inputs):
        for field, value in (("mask", False), ("missing", None)):
            if one[field] != value:
                yield _with_entry(case, "inputs", i, {**one, field: value})
    if case.optimizer[0] != "optimizers.SGD":
        yield case._replace(optimizer=("optimizers.SGD", {}))
    for less in less_of(case.optimizer):
        yield case._replace(optimizer=less)
    for i, one in enumerate(case.outputs):
        if one["sample_weight"]:
            yield _with_entry(case, "outputs", i, {**one, "sample_weight": ""})
        if one["loss_weight"] != 1:
            yield _with_entry(case, "outputs", i, {**one, "loss_weight": 1.0})
        if one["loss"] and one["loss"][0] != _PLAIN[0]:
            yield _with_entry(case, "outputs", i, {**one, "loss": _PLAIN, "targets": "real"})
        for less in less_of(one["loss"] or _PLAIN):
            yield _with_entry(case, "outputs", i, {**one, "loss": less})


def _smaller_sizes(case: GraphCase) -> Iterator[GraphCase]:
    """Yield cases with fewer samples, steps and features, and fewer units in all layers at once."""
    for size in ("batch", "timesteps"):
        for n in fewer(getattr(case, size)):
            yield _with(case, size, n)
    ends = _ends(case)
    for n in fewer(max(_sizes(case), default=1)):
        yield case._replace(
            inputs=[
                one if one["kind"] == "words" else {**one, "features": min(one["features"], n)} for one in case.inputs
            ],
            layers=[_with_units(layer, n, ends.get(layer[1]["name"])) for layer in case.layers],
        )
    for i, one in enumerate(case.inputs):
        for n in [] if one["kind"] == "words" else fewer(one["features"]):
            yield _with_entry(case, "inputs", i, {**one, "features": n})


def _smaller_layers(case: GraphCase) -> Iterator[GraphCase]:
    """Yield cases with simpler layers, and with layers that have fewer options."""
    ends = _ends(case)
    for i, layer in enumerate(case.layers):
        end = ends.get(layer[1]["name"])
        is_last = end is not None and end[0] != _PLAIN[0]
        for other in (*simpler(layer), *with_less(layer, is_last, *(end or ()))):
            yield _with_entry(case, "layers", i, other)


def _with_entry(case: GraphCase, field: str, i: int, entry: Any) -> GraphCase:
    entries = getattr(case, field)
    return _with(case, field, [*entries[:i], entry, *entries[i + 1 :]])


def _with(case: GraphCase, field: str, value: Any) -> GraphCase:
    return GraphCase(**{**case.to_dict(), field: value})


def _sizes(case: GraphCase) -> list[int]:
    return [one["features"] for one in case.inputs if one["kind"] != "words"] + [
        size for layer in case.layers for size in _units_of(layer)
    ]


def _units_of(layer: Named) -> list[int]:
    _, given = layer
    inner = [given["layer"]] if "layer" in given else given.get("cell", [])
    own = [given[size] for size in ("units", "output_dim") if size in given]
    return own + [units for part in inner for units in _units_of(part)]


def _ends(case: GraphCase) -> dict[str, tuple[str, str]]:
    """Return the loss and the targets of the layers whose outputs have a loss."""
    losses = {one["of"]: (one["loss"][0], one["targets"]) for one in case.outputs if one["loss"]}
    return {call["layer"]: losses[call["made"][0]] for call in case.calls if call["made"][0] in losses}


def _with_units(layer: Named, n: int, end: tuple[str, str] | None) -> Named:
    """Return a layer of which, and of what it holds, nothing has more than `n` units, or the fewest it must have."""
    name, given = layer
    n = max(n, fewest_units(given.get("activation"), *(end or ())))
    made = {**given, **{size: min(given[size], n) for size in ("units", "output_dim") if size in given}}
    if "layer" in given:
        made["layer"] = _with_units(given["layer"], n, end)
    if "cell" in given:
        made["cell"] = [_with_units(cell, n, end) for cell in given["cell"]]
    return name, made
