"""A Keras model's own graph, run call by call, so that each can be seen and told what to use.

Keras runs a functional model, and a Sequential one too, as a list of nodes: a layer, or an operation of which masks are
made, with what it is called on. A layer that is called several times has a node for each::

    shared(a), shared(b)    ->   "shared", "shared #2"          in the order in which the calls were made

A model that was called like a layer is run in the same way: its layers are what counts.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from parity.backend import require_keras
from rnn_core.graph import Graph

Runner = Callable[[Any, str, tuple[Any, ...], dict[str, Any]], Any]
"""``run(layer, label, args, kwargs)`` returns what the call puts out."""
Path = tuple[int, ...]


def call_label(name: str, number: int) -> str:
    """Return the name of a layer's call, of which `number` came before.

    Examples
    --------
    >>> call_label("memory", 0), call_label("memory", 1)
    ('memory', 'memory #2')
    """
    return name if number == 0 else f"{name} #{number + 1}"


def call_labels(graph: Graph) -> list[str]:
    """Return the names of the calls in a graph of rnn_core, one for each step.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input
    >>> from rnn_core.models import Model
    >>> a, shared = Input((2,)), Dense(2, name="shared")
    >>> call_labels(Model(a, shared(shared(a))).graph)
    ['shared', 'shared #2']
    """
    counts: Counter[Any] = Counter()
    labels = {}
    for step in sorted(graph.steps, key=lambda step: step.number):
        labels[step] = call_label(step.layer.name, counts[step.layer])
        counts[step.layer] += 1
    return [labels[step] for step in graph.steps]


def all_layers(keras_model: Any) -> list[Any]:
    """Return the layers of a Keras model, those of models in it in their place, each once."""
    found: dict[int, Any] = {}
    for layer in keras_model.layers:
        for one in all_layers(layer) if hasattr(layer, "layers") else [layer]:
            found.setdefault(id(one), one)
    return list(found.values())


def functional(keras_model: Any) -> Any:
    """Return what holds the nodes of a built model."""
    if not isinstance(keras_model, require_keras().Sequential):
        return keras_model
    if keras_model._functional is None:
        raise ValueError(f"Keras made no graph of model {keras_model.name!r}, which it can't call on symbols.")
    return keras_model._functional


class Calls:
    """The calls of a built Keras model.

    Parameters
    ----------
    keras_model : keras.Sequential or functional keras.Model

    Attributes
    ----------
    labels : list of str
        Of all calls of layers; those of a layer follow one another.
    """

    def __init__(self, keras_model: Any) -> None:
        self.model = keras_model
        found = list(_paths(keras_model, (), ()))
        counts: Counter[int] = Counter()
        self._labels: dict[Path, str] = {}
        for layer, _, nodes in sorted(found, key=lambda entry: entry[1]):
            self._labels[nodes] = call_label(layer.name, counts[id(layer)])
            counts[id(layer)] += 1
        self.labels = list(self._labels.values())

    def run(self, inputs: list[Any], call: Runner) -> list[Any]:
        """Return the outputs for `inputs`; `call` makes each call of a layer."""
        return self._run(self.model, inputs, call, ())

    def _run(self, model: Any, inputs: list[Any], call: Runner, path: Path) -> list[Any]:
        graph, tree = functional(model), require_keras().tree
        tensors = {id(symbol): x for symbol, x in zip(graph._inputs, inputs, strict=True)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                layer = node.operation
                if not layer or node.is_input:
                    continue
                args, kwargs = node.arguments.fill_in(tensors)
                if hasattr(layer, "layers"):
                    outputs = self._run(layer, tree.flatten(args[0]), call, (*path, id(node)))
                elif isinstance(layer, require_keras().layers.Layer):
                    outputs = call(layer, self._labels[(*path, id(node))], args, dict(kwargs))
                else:  # an operation, of which a mask is made
                    outputs = layer(*args, **kwargs)
                for symbol, y in zip(node.outputs, tree.flatten(outputs), strict=True):
                    tensors[id(symbol)] = y
        return [tensors[id(symbol)] for symbol in graph._outputs]


def _paths(model: Any, order: Path, nodes: Path) -> Iterator[tuple[Any, Path, Path]]:
    """Yield the layer of each call, a key that sorts its calls, and the nodes that lead to it."""
    graph, layer_class = functional(model), require_keras().layers.Layer
    here = {id(node) for part in graph._nodes_by_depth.values() for node in part}
    for operation in graph._operations:
        own = [node for node in operation._inbound_nodes if id(node) in here and not node.is_input]
        for i, node in enumerate(own):
            if hasattr(operation, "layers"):
                yield from _paths(operation, (*order, i), (*nodes, id(node)))
            elif isinstance(operation, layer_class):
                yield operation, (*order, i), (*nodes, id(node))


def mask_of(tensor: Any) -> Any:
    """Return the mask that a tensor carries, None without one; of a list, that of the first."""
    first = tensor[0] if isinstance(tensor, (list, tuple)) else tensor
    return importlib.import_module("keras.src.backend").get_keras_mask(first)


def foreign_masks(keras_model: Any) -> Iterator[Any]:
    """Yield the layers of a functional model that are called with another mask than their input carries."""
    for nodes in keras_model._nodes_by_depth.values():
        for node in nodes:
            mask = node.arguments.kwargs.get("mask")
            if mask is not None and not _same_mask(mask, mask_of(node.arguments.args[0])):
                yield node.operation


def without_their_masks(keras_model: Any) -> Iterator[str]:
    """Yield the names of recurrent layers that a graph gives an initial state, and whose mask Keras loses with it."""
    graph = getattr(keras_model, "_functional", keras_model)
    for node in (node for nodes in getattr(graph, "_nodes_by_depth", {}).values() for node in nodes):
        layer, args, kwargs = node.operation, node.arguments.args, node.arguments.kwargs
        if hasattr(layer, "layers"):
            yield from without_their_masks(layer)
            continue
        has_state = hasattr(layer, "stateful") and (kwargs.get("initial_state") is not None or len(args) > 1)
        if has_state and kwargs.get("mask") is None and len(args) < 3 and mask_of(args[0]) is not None:
            yield layer.name


def operations_between(keras_model: Any) -> Iterator[Any]:
    """Yield the operations, such as keras.ops.tanh, whose results a layer or an output of a functional model is."""
    keras = require_keras()
    given = [keras_model._outputs]
    for node in (node for nodes in keras_model._nodes_by_depth.values() for node in nodes):
        if isinstance(node.operation, keras.layers.Layer):
            named = {name: value for name, value in node.arguments.kwargs.items() if name != "mask"}
            given.append((node.arguments.args, named))
    for tensor in keras.tree.flatten(given):
        if isinstance(tensor, keras.KerasTensor) and not isinstance(tensor._keras_history[0], keras.layers.Layer):
            yield tensor._keras_history[0]


def _same_mask(a: Any, b: Any) -> bool:
    """Whether two symbols are made in the same way of the same: in a loaded model by operations of their own."""
    if a is None or b is None:
        return a is b
    keras = require_keras()
    (op, node, place), (other, other_node, other_place) = a._keras_history, b._keras_history
    if op is other or isinstance(op, keras.layers.Layer) or type(op) is not type(other):
        return op is other and (node, place) == (other_node, other_place)
    if {**op.get_config(), "name": ""} != {**other.get_config(), "name": ""}:
        return False
    given, others = (
        keras.tree.flatten((made.arguments.args, made.arguments.kwargs))
        for made in (op._inbound_nodes[node], other._inbound_nodes[other_node])
    )
    return len(given) == len(others) and all(
        _same_mask(x, y) if isinstance(x, keras.KerasTensor) and isinstance(y, keras.KerasTensor) else bool(x == y)
        for x, y in zip(given, others, strict=True)
    )


def with_mask(tensor: Any, mask: Any) -> Any:
    """Let a tensor carry a mask; return it."""
    if mask is not None:
        importlib.import_module("keras.src.backend").set_keras_mask(tensor, mask)
    return tensor


@contextmanager
def within_a_call(model: Any) -> Iterator[None]:
    """Let Keras take the calls of layers within for parts of one call of the model.

    A call that stands alone begins with the layer's losses cleared: of a layer that is called twice only the activity
    of the last call would count.
    """
    model._get_call_context()
    try:
        yield
    finally:
        model._maybe_reset_call_context()


def keep_apart(scope: Any, states: list[Any]) -> None:
    """Let no gradient pass from one call of a stateful layer to the next through its `states`, as in ``fit``.

    There they go through variables, which end a gradient. On JAX ``fit`` itself hands on their values, as the scope.
    """
    keras = require_keras()
    if keras.backend.backend() == "jax":
        return
    add_update, ids = scope.add_update, {id(variable) for variable in states}

    def update(pair: tuple[Any, Any]) -> None:
        variable, value = pair
        add_update((variable, keras.ops.stop_gradient(value) if id(variable) in ids else value))

    scope.add_update = update
