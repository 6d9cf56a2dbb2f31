"""One pass through a graph of layers: the records of one batch shape, and the way there and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.graph import Graph
from rnn_core.layers.base import Layer, Shape

Array = NDArray[Any]


class Pass:
    """A forward and, with `d_parts`, a backward pass of batches of one shape through a graph.

    ::

        x -> layer 0 -> layer 1 -> ... -> output          every call of a layer writes into its record
        d_vector <- layer 0 <- layer 1 <- ... <- d_output

    Where an array goes to several layers, its gradient is the sum of what they hand back. Where a layer is called
    several times, each call has a record, and the gradient of the weights is the sum over the calls.

    Parameters
    ----------
    graph : Graph
    shape : tuple of int, or a list of them
        Of each input, batch first.
    d_parts : mapping of Layer to ndarray, optional
        Where the gradients of each layer's weights go.
    needs_d_input : bool
        Whether ``backward`` returns the gradient with respect to the inputs.

    Attributes
    ----------
    steps : list of Step
        The calls in the order in which they run.
    records : list of Record
        One for each step.
    d_parts : list of ndarray or None
        Where each step's record writes the gradients of its layer's weights.
    output : ndarray, or a list of them
        What the last forward pass returned.
    """

    def __init__(
        self,
        graph: Graph,
        shape: Shape | Sequence[Shape],
        d_parts: Mapping[Layer, Array] | None = None,
        *,
        needs_d_input: bool = False,
    ) -> None:
        self.graph, self.steps, self.shape = graph, graph.steps, shape
        shapes: Any = [shape] if len(graph.inputs) == 1 else list(shape)
        self.shapes: list[Shape] = graph.shapes(shapes, lambda layer, given: layer.compute_output_shape(given))
        self.batch = self.shapes[graph.inputs[0]][0]
        calls = Counter(step.layer for step in self.steps)
        self._added: list[tuple[Array, list[Array]]] = []  # gradients of layers that are called several times
        parts: dict[Layer, list[Array]] = {}
        if d_parts is not None:
            for layer, number in calls.items():
                part = d_parts[layer]
                parts[layer] = [part] if number == 1 else [np.zeros_like(part) for _ in range(number)]
                if number > 1 and part.size:
                    self._added.append((part, list(parts[layer])))
        self.records: list[Any] = []
        self.d_parts: list[Array | None] = []
        for step in self.steps:
            given: Any = [self.shapes[place] for place in step.sources]
            d_part = parts[step.layer].pop(0) if parts else None
            record = step.layer.new_record(given if step.in_list else given[0], d_part)
            record.needs_d_input = needs_d_input or any(place not in graph.inputs for place in step.sources)
            self.records.append(record)
            self.d_parts.append(d_part)
        outputs = [self.shapes[place] for place in graph.outputs]
        self.output_shape: Any = outputs[0] if len(outputs) == 1 else outputs
        self.output: Any = np.empty(0)
        self.output_mask: Any = None
        self._values: list[Any] = [None] * graph.size
        self._masks: list[Array | None] = [None] * graph.size
        chain = list(zip(self.steps, self.records, strict=True))
        self._forward = [(step.layer.forward, record) for step, record in chain]
        self._backward = [(step.layer.backward, record) for step, record in reversed(chain)]
        self.of_logits: set[int] = set()  # outputs of whose logits the loss is taken: see logits.py
        self.penalised = [i for i, step in enumerate(self.steps) if step.layer.activity_regularizer is not None]
        # Most models are chains in which nothing but arrays is handed on: a short loop does.
        self._plain = graph.is_chain and not self.penalised and not any(step.layer.makes_mask for step in self.steps)

    def record_of(self, layer: Layer, call: int = 0) -> Any:
        """Return the record of a layer's first call in the graph, or of a later one."""
        return [r for step, r in zip(self.steps, self.records, strict=True) if step.layer is layer][call]

    def forward(self, x: Any, training: bool | None = False, mask: Any = None) -> Any:
        """Return the output for inputs `x`, of which `mask` says which time steps are real.

        Parameters
        ----------
        x : ndarray, or a list of one for each input
        training : bool, optional
            Whether dropout is applied; None leaves it to calls that say so themselves.
        mask : ndarray of bool, shape (batch, timesteps), or a list, optional
        """
        if not self._plain or mask is not None:
            self._plain = False  # from now on: the next batch must not be given this one's mask
            return self._forward_graph(x, training, mask)
        training = training or False
        for forward, record in self._forward:
            x = forward(record, x, training)
        self.output = x
        return x

    def _forward_graph(self, x: Any, training: bool | None, mask: Any) -> Any:
        graph, values, masks = self.graph, self._values, self._masks
        several = len(graph.inputs) > 1
        for i, place in enumerate(graph.inputs):
            values[place] = x[i] if several else x
            masks[place] = mask if mask is None or not several else mask[i]
        for step, record in zip(self.steps, self.records, strict=True):
            given: Any = [values[place] for place in step.sources]
            known = [masks[place] for place in step.sources]
            record.mask = known if step.in_list else known[0]
            train = step.training if training is None else training
            out = step.layer.forward(record, given if step.in_list else given[0], train)
            for place, value in zip(step.targets, out if len(step.targets) > 1 else (out,), strict=True):
                values[place] = value
            made = record.output_mask if isinstance(record.output_mask, tuple) else (record.output_mask,)
            for place, known_steps in zip(step.targets, made, strict=False):  # states have none
                masks[place] = known_steps
        outputs, output_masks = ([found[place] for place in graph.outputs] for found in (values, masks))
        self.output, self.output_mask = outputs, output_masks
        if len(outputs) == 1:
            self.output, self.output_mask = outputs[0], output_masks[0]
        return self.output

    def backward(self, d_output: Any) -> Any:
        """Fill the gradients of all weights; return that of the inputs where it is needed.

        Parameters
        ----------
        d_output : array_like, shape of the output, or a list of one for each output
            The gradient of the loss with respect to the output of the last forward pass; None for an output that the
            loss does not see.

        Raises
        ------
        ValueError
            For another shape.
        """
        if len(self.graph.outputs) == 1:
            return self.backpropagate(_checked_d_output("d_output", d_output, self.output))
        if not isinstance(d_output, (list, tuple)) or len(d_output) != len(self.output):
            raise ValueError(f"d_output must be a list with an entry for each of the {len(self.output)} outputs.")
        return self.backpropagate(
            [
                _checked_d_output(f"d_output[{i}]", d, y)
                for i, (d, y) in enumerate(zip(d_output, self.output, strict=True))
            ]
        )

    def backpropagate(self, d_output: Any) -> Any:
        """Do what :meth:`backward` does, without its checks: for the training loop."""
        if not self._plain:
            return self._backward_graph(d_output)
        d: Any = d_output
        for backward, record in self._backward:
            d = backward(record, d)
        return d

    def _backward_graph(self, d_output: Any) -> Any:
        graph = self.graph
        several = len(graph.outputs) > 1
        d: list[Any] = [None] * graph.size
        d_logits: list[Any] = [None] * graph.size
        for i, place in enumerate(graph.outputs):
            part = d_logits if i in self.of_logits else d
            part[place] = _sum(part[place], d_output[i] if several else d_output)
        for i in range(len(self.steps) - 1, -1, -1):
            step, record = self.steps[i], self.records[i]
            if i in self.penalised:
                d[step.targets[0]] = _sum(d[step.targets[0]], self._activity_gradient(i))
            d_targets: Any = [d[place] for place in step.targets]
            da = d_logits[step.targets[0]]
            if da is not None:  # from the loss; what comes from elsewhere goes through the activation
                last: Any = step.layer  # a Dense or an Activation
                d_targets[0] = da if d_targets[0] is None else da + last.through_activation(record, d_targets[0])
            if all(part is None for part in d_targets):
                d_targets[0] = np.zeros_like(self._values[step.targets[0]])  # the loss does not see it: all zero
            d_sources: Any = step.layer.backward(record, d_targets if len(d_targets) > 1 else d_targets[0])
            for place, part in zip(step.sources, d_sources if step.in_list else (d_sources,), strict=True):
                d[place] = _sum(d[place], part)
        for total, parts in self._added:
            np.sum(parts, axis=0, out=total)
        d_inputs = [d[place] for place in graph.inputs]
        return d_inputs if len(d_inputs) > 1 else d_inputs[0]

    def activity_penalty(self) -> float:
        """Return the sum of the activity regularizers of the last forward pass, each divided by the batch size."""
        total = 0.0
        for i in self.penalised:
            regularizer = self.steps[i].layer.activity_regularizer
            assert regularizer is not None
            total += float(regularizer(self._values[self.steps[i].targets[0]])) / self.batch
        return total

    def _activity_gradient(self, index: int) -> Array:
        """Return d penalty / d output of one step."""
        regularizer = self.steps[index].layer.activity_regularizer
        output = self._values[self.steps[index].targets[0]]
        assert regularizer is not None
        gradient: Array = np.zeros_like(output)
        regularizer.add_gradient(output, gradient)
        gradient /= self.batch
        return gradient


def _sum(d: Array | None, more: Array | None) -> Array | None:
    """Add two gradients into a new array; None is no gradient."""
    if d is None or more is None:
        return more if d is None else d
    return d + more


def _checked_d_output(name: str, d_output: Any, output: Array) -> Array | None:
    if d_output is None:
        return None
    d = np.asarray(d_output, output.dtype)
    if d.shape != output.shape:
        raise ValueError(f"{name} must have the shape of the output, {output.shape}, got {d.shape}.")
    return d
