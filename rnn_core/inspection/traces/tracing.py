"""``trace``: one forward and one backward pass, and every array that they computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection.run import Call, Run
from rnn_core.inspection.traces.cells import rnn_traces
from rnn_core.inspection.traces.layers import ActivationTrace, DenseTrace, LayerTrace, Vectors
from rnn_core.inspection.traces.recurrent import RecurrentTrace, SimpleRNNTrace
from rnn_core.layers import RNN, Activation, Dense, Layer, SimpleRNN
from rnn_core.losses.several import LossOfOutputs
from rnn_core.models import Model
from rnn_core.several import as_list, rows

Array = NDArray[Any]


class Trace:
    """What one training step computes for a batch, before the weights change.

    Attributes
    ----------
    model : Model
        The copy that was run.
    x, y : ndarray, or a list of them where the model has several
        As the model saw them.
    loss : float
        As training reports it: weights, masks and penalties included.
    sample_losses : ndarray, shape (batch,) or (batch, timesteps)
        The loss of each sample by itself, unweighted. For several outputs a list, with None for one without a loss.
    sample_shares : ndarray, the same shape
        What each counts: ``loss = sum(sample_losses * sample_shares) + penalty``, over all outputs.
    penalty : float
        What regularizers add to the loss.
    output, d_output : ndarray, or a list of them
        The model's prediction and the gradient of the loss with respect to it; to its logits, where the loss goes back
        to them (:mod:`rnn_core.engine.logits`), as to its last layer's ``preactivation``.
    layers : dict of str to LayerTrace
        In the order of the forward pass. ``trace["simple_rnn"]`` and ``trace[0]`` are short for its entries. The second
        call of a layer is ``"simple_rnn #2"``; layers inside others follow them, as ``"td/dense"``.
    d_vector : ndarray, shape (parameters,)
        The gradients of all weights, laid out as ``model.vector``.
    """

    def __init__(self, run: Run) -> None:
        self.model, self.x, self.y = run.model, run.x, run.y
        self.loss = run.forward()
        passes = run.step.passes
        self.output = passes.output
        self.d_vector = run.backward()
        self.d_output: Any = run.step.d_output
        self.sample_losses, self.sample_shares = _sample_losses(run)
        self.penalty = float(passes.activity_penalty()) + sum(
            float(regularizer(weight)) for regularizer, weight, _ in run.step.regularized
        )
        self.layers: dict[str, LayerTrace] = {}
        parts = zip(self.model.layers, *map(self.model.parts, (self.d_vector, run.d_data)), strict=True)
        gradients = {layer: (d, d_data) for layer, d, d_data in parts}
        calls: Counter[Layer] = Counter()
        for step, record, d_call in zip(passes.steps, passes.records, run.d_parts, strict=True):
            calls[step.layer] += 1
            name = call_name(step.layer.name, calls[step.layer])
            vectors = Vectors(*gradients[step.layer], d_call)
            for found in _traces(name, run.calls[id(record)], run.calls, vectors):
                self.layers[found.name] = found

    def __getitem__(self, key: str | int) -> LayerTrace:
        """Return a layer's trace by its name or number."""
        if isinstance(key, str):
            if key not in self.layers:
                raise KeyError(f"The model has no layer {key!r}, but {list(self.layers)}.")
            return self.layers[key]
        return list(self.layers.values())[key]

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.layers.values())

    def recurrent(self, layer: str | None = None) -> Any:
        """Return the :class:`RecurrentTrace` of this name, or the only one.

        Raises
        ------
        ValueError
            If `layer` hands no state from step to step, or is None and there is not exactly one that does.
        """
        found = {trace.name: trace for trace in self if isinstance(trace, RecurrentTrace)}
        if layer is None and len(found) == 1:
            return next(iter(found.values()))
        if layer in found:
            return found[layer]
        if not found:
            raise ValueError("The model has no recurrent layer: nothing in it is handed from step to step.")
        message = f"layer must be the name of a recurrent layer, one of {list(found)}"
        if layer in self.layers:
            kind = type(self.layers[layer].layer).__name__
            raise ValueError(f"{message}; {layer!r} is a {kind}, which hands nothing from step to step.")
        raise ValueError(f"{message}, got {layer!r}.")

    def __str__(self) -> str:
        """Return the names and shapes of all arrays, with the range of their values."""
        lines = [f"{rows(self.x)} samples, loss {self.loss:.6g}", f"{'':30}{'shape':20}{'from':>11}{'to':>11}"]
        for trace in self:
            lines.append(f"{trace.name} ({type(trace.layer).__name__})")
            for name, a in trace.arrays().items():
                low, high = (a.min(), a.max()) if a.size else (np.nan, np.nan)
                lines.append(f"    {name:26}{a.shape!s:20}{low:11.4g}{high:11.4g}")
        return "\n".join(lines)


def trace(
    model: Model, x: Any, y: Any = None, sample_weight: Any = None, mask: Any = None, *, training: bool = True
) -> Trace:
    """Return everything that one training step on `x` and `y` as one batch computes, before the weights change.

    The numbers are the engine's own: a copy of the model runs the same step as ``fit``, and its records are shown,
    batch first. The model is not changed: not its weights, its states, its optimizer nor its random numbers.

    Parameters
    ----------
    model : Model
        Built and compiled with a loss.
    x, y, sample_weight : array_like
        As for ``fit``; all of it is one batch.
    mask : array_like of bool, shape (batch, timesteps), optional
        Which time steps of `x` are real.
    training : bool
        Whether dropout is applied, with the masks that the next batch of training would draw.

    Returns
    -------
    Trace

    Raises
    ------
    ValueError, TypeError
        For a model that is not built or compiled, and for bad data, as in ``fit``.

    Examples
    --------
    >>> from rnn_core.layers import Dense, Input, SimpleRNN
    >>> from rnn_core.models import Sequential
    >>> model = Sequential([Input((4, 1)), SimpleRNN(3, name="rnn"), Dense(1, name="dense")])
    >>> model.compile(loss="mse", optimizer="rmsprop")
    >>> t = trace(model, np.ones((2, 4, 1)), np.zeros(2))
    >>> t["rnn"].hidden.shape, t["rnn"].d_hidden.shape, t["rnn"].d_weights["kernel"].shape
    ((2, 5, 3), (2, 5, 3), (1, 3))
    >>> bool(np.isclose(t.loss, model.train_on_batch(np.ones((2, 4, 1)), np.zeros(2))))
    True
    """
    return Trace(Run("trace", model, x, y, sample_weight, mask, training=training))


def call_name(name: str, number: int) -> str:
    """Return what the first, second, ... call of a layer is called.

    Examples
    --------
    >>> call_name("rnn", 1), call_name("rnn", 2)
    ('rnn', 'rnn #2')
    """
    return name if number == 1 else f"{name} #{number}"


def _traces(name: str, call: Call, calls: dict[int, Call], vectors: Vectors) -> Iterator[LayerTrace]:
    """Yield the trace of a call, and those of the layers inside; unknown layers show inputs, outputs and weights."""
    layer = call.layer
    if isinstance(layer, RNN):
        yield from rnn_traces(name, call, calls, vectors)
    elif getattr(call.record, "inner", None):
        yield LayerTrace(name, call)
        wrapper: Any = layer
        for (label, record), part in zip(call.record.inner.items(), vectors.cut(wrapper), strict=True):
            yield from _traces(f"{name}/{label}", calls[id(record)], calls, part)
    else:
        kind = next((trace for known, trace in _TRACES.items() if isinstance(layer, known)), LayerTrace)
        yield kind(name, call, layer, vectors)


_TRACES: dict[type[Layer], type[LayerTrace]] = {
    SimpleRNN: SimpleRNNTrace,
    Dense: DenseTrace,
    Activation: ActivationTrace,
}


def _sample_losses(run: Run) -> tuple[Any, Any]:
    """Return l, and w / N for each of its places, so that the loss is their product's sum: see ``losses.base``."""
    loss, passes = run.step.loss_function, run.step.passes
    output = run.step.judged
    if not isinstance(loss, LossOfOutputs):
        return _losses_of(loss, run.y, output, run.weight, passes.output_mask)
    found: list[tuple[Any, Any]] = []
    for i, (one, c) in enumerate(zip(loss.losses, loss.coefficients, strict=True)):
        if one is None:
            found.append((None, None))
            continue
        weight = None if run.weight is None else run.weight[i]
        losses, shares = _losses_of(one, run.y[i], output[i], weight, as_list(passes.output_mask)[i])
        found.append((losses, c * shares))
    return [losses for losses, _ in found], [shares for _, shares in found]


def _losses_of(loss: Any, y: Array, output: Array, weight: Any, mask: Any) -> tuple[Array, Array]:
    y, p = loss.match(y, output)
    losses = loss.per_sample(y, p)
    weights, _, divisor = loss._weigh(y, np.ones_like(losses), weight, mask)
    return losses, (weights / divisor if divisor else np.zeros_like(weights)).reshape(losses.shape)
