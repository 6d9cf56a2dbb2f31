"""A functional model as a config, in Keras' format, and back.

Every layer is listed with its calls. What a call reads is named by layer, number of the call, number of the output::

    {"class_name": "Dense", "config": {...}, "name": "head", "inbound_nodes": [{"kwargs": {}, "args": [
        {"class_name": "__keras_tensor__", "config": {"keras_history": ["memory", 0, 0], ...}}]}]}

Source: ``keras/src/models/functional.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rnn_core import layers as layers_module
from rnn_core.graph import Graph, Step, Symbol
from rnn_core.several import as_list, unpacked

Config = dict[str, Any]

_TENSOR = "__keras_tensor__"


def graph_config(graph: Graph, input_keys: list[str] | None = None, output_keys: list[str] | None = None) -> Config:
    """Return ``layers``, ``input_layers`` and ``output_layers`` of a graph, as Keras writes them."""

    def named(entries: list[Any], keys: list[str] | None) -> Any:
        return unpacked(entries) if keys is None else dict(zip(keys, entries, strict=True))

    history: dict[int, list[Any]] = {  # which call of which layer fills a place, as its output number ...
        place: [layer.name, 0, 0] for place, layer in zip(graph.inputs, graph.input_layers, strict=True)
    }
    calls: dict[Any, list[Step]] = {layer: [] for layer in graph.layers}
    for step in sorted(graph.steps, key=lambda step: step.number):
        history |= {place: [step.layer.name, len(calls[step.layer]), i] for i, place in enumerate(step.targets)}
        calls[step.layer].append(step)

    def tensor(place: int) -> Config:
        symbol = graph.symbols[place]
        config = {"shape": list(symbol.shape), "dtype": symbol.dtype, "keras_history": history[place]}
        return {"class_name": _TENSOR, "config": config}

    def node(step: Step) -> Config:
        as_list, states, training, _ = step.call
        read = [tensor(place) for place in step.sources]
        given, initial = read[: len(read) - states], read[len(read) - states :]
        kwargs: Config = {"initial_state": unpacked(initial)} if states else {}
        return {"args": [given if as_list else given[0]], "kwargs": kwargs | ({"training": True} if training else {})}

    return {
        "layers": [
            layers_module.serialize(layer) | {"name": layer.name, "inbound_nodes": [node(step) for step in steps]}
            for layer, steps in calls.items()
        ],
        "input_layers": named([history[place] for place in graph.inputs], input_keys),
        "output_layers": named([history[place] for place in graph.outputs], output_keys),
    }


def symbols_from_config(config: Config, make: Callable[[Config], Any] | None = None) -> tuple[Any, Any]:
    """Make the layers, call them as the config says; return the symbols of inputs and outputs: one, a list or a dict.

    Parameters
    ----------
    config : dict
        As :func:`graph_config` or Keras wrote it.
    make : callable, optional
        ``make(entry)`` returns the layer of an entry in ``config["layers"]``. Default: a new one, from its config.

    Raises
    ------
    ValueError
        Where layers wait for each other, for unknown layers, and for what this engine has no layer for.
    """
    made: dict[str, list[tuple[Symbol, ...]]] = {}  # what the calls of each layer put out, call by call
    waiting: list[tuple[str, Any, Config]] = []
    entries = {entry["name"]: entry for entry in config["layers"]}
    for name, entry in entries.items():
        if _is_operation(entry):
            continue  # of those there are none here; whoever needs more of it than a mask is refused
        layer = (make or _layer)(entry)
        made[name] = [layer.symbol.call.outputs] if entry["class_name"] == "InputLayer" else []
        waiting += [(name, layer, node) for node in entry.get("inbound_nodes", ())]
    while waiting:
        left = []
        blocked = set()  # the calls of one layer are made in their order
        for name, layer, node in waiting:
            if name in blocked or not _call(layer, made[name], node, made, entries):
                blocked.add(name)
                left.append((name, layer, node))
        if len(left) == len(waiting):
            names = ", ".join(sorted({name for name, _, _ in left}))
            raise ValueError(
                f"The graph is cyclic: layers {names} wait for each other's output, or for one that never comes."
            )
        waiting = left

    def symbols(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: symbols(place) for key, place in found.items()}
        if not isinstance(found[0], str):
            return [symbols(place) for place in found]
        name, call, index = found
        if name not in made:
            raise ValueError(f"The model's config has no layer {name!r}; it has {', '.join(made)}.")
        first = 1 if entries[name]["class_name"] == "Functional" else 0  # as Keras counts here, and only here
        return made[name][call - first][index]

    return symbols(config["input_layers"]), symbols(config["output_layers"])


def _layer(entry: Config) -> Any:
    """Make one layer, or a model that was called like one."""
    from rnn_core import models

    nested: Any = {"Functional": models.Model, "Sequential": models.Sequential}.get(entry["class_name"])
    return layers_module.deserialize(entry) if nested is None else nested.from_config(dict(entry["config"]))


def _is_operation(entry: Config) -> bool:
    """Whether it is none of Keras' layers but an operation on tensors, of which masks are made there."""
    return str(entry.get("module", "")).startswith("keras.src.ops")


def _call(
    layer: Any, calls: list[tuple[Symbol, ...]], node: Any, made: Mapping[str, Any], entries: Mapping[str, Config]
) -> bool:
    """Call a layer as a node says and add what it puts out; return False where an input is not there yet."""
    if not isinstance(node, dict) or len(node.get("args", ())) != 1:
        raise ValueError(f"Layer {layer.name!r}: a node must be a dict with one entry in 'args', got {node!r}.")
    kwargs = dict(node.get("kwargs") or {})
    mask = kwargs.pop("mask", None)
    for part in as_list(mask):
        if part is not None and not _is_operation(entries[part["config"]["keras_history"][0]]):
            raise ValueError(
                f"Layer {layer.name!r} was given a mask by hand: masks travel between symbols by themselves."
            )
    try:
        inputs = _symbols(layer, node["args"][0], made, entries)
        states = _symbols(layer, kwargs.pop("initial_state", None), made, entries)
    except LookupError:
        return False
    training = kwargs.pop("training", None)
    if any(value is not None for value in kwargs.values()):
        raise ValueError(f"Layer {layer.name!r} is called with {', '.join(kwargs)}, which is not supported.")
    more = {} if states is None else {"states": as_list(states)}
    out = layer.connect(inputs, training, **more) if hasattr(layer, "connect") else layer(inputs, training)
    calls.append(tuple(as_list(out)))
    return True


def _symbols(layer: Any, given: Any, made: Mapping[str, Any], entries: Mapping[str, Config]) -> Any:
    """Return the symbol that a node names, or a list of them; LookupError where it does not exist yet."""
    if given is None:
        return None
    if isinstance(given, (list, tuple)):
        return [_symbols(layer, part, made, entries) for part in given]
    if not isinstance(given, dict) or given.get("class_name") != _TENSOR:
        raise ValueError(f"Layer {layer.name!r} is called on {given!r}, which is no output of a layer.")
    name, call, index = given["config"]["keras_history"]
    if name not in entries:
        raise ValueError(f"Layer {layer.name!r} reads from a layer {name!r} that the config does not have.")
    if _is_operation(entries[name]):
        raise ValueError(
            f"Layer {layer.name!r} reads from the operation {entries[name]['class_name']}, which is no layer."
        )
    return made[name][call][index]
