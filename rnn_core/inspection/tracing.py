"""``trace``: one forward and one backward pass, and every array that they computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection.layer_traces import LayerTrace, SimpleRNNTrace, layer_trace
from rnn_core.inspection.run import Run
from rnn_core.models import Model

Array = NDArray[Any]


class Trace:
    """What one training step computes for a batch, before the weights change.

    Attributes
    ----------
    model : Model
        The copy that was run.
    x, y : ndarray
        As the model saw them.
    loss : float
        As training reports it: weights, masks and penalties included.
    sample_losses : ndarray, shape (batch,) or (batch, timesteps)
        The loss of each sample by itself, unweighted.
    sample_shares : ndarray, the same shape
        What each counts: ``loss = sum(sample_losses * sample_shares) + penalty``.
    penalty : float
        What regularizers add to the loss.
    output, d_output : ndarray
        The model's prediction and the gradient of the loss with respect to it.
    layers : dict of str to LayerTrace
        In the order of the forward pass. ``trace["simple_rnn"]`` and ``trace[0]`` are short for its entries.
    d_vector : ndarray, shape (parameters,)
        The gradients of all weights, laid out as ``model.vector``.
    """

    def __init__(self, run: Run) -> None:
        self.model, self.x, self.y = run.model, run.x, run.y
        self.loss = run.forward()
        self.output = run.step.passes.output
        self.d_vector = run.backward()
        assert run.step.d_output is not None
        self.d_output = run.step.d_output
        self.sample_losses, self.sample_shares = _sample_losses(run)
        self.penalty = float(run.step.passes.activity_penalty()) + sum(
            float(regularizer(weight)) for regularizer, weight, _ in run.step.regularized
        )
        self.layers: dict[str, LayerTrace] = {}
        parts = zip(self.model.layers, *map(self.model.parts, (self.d_vector, run.d_data)), strict=True)
        gradients = {layer.name: (layer.views(d), layer.views(d_data)) for layer, d, d_data in parts}
        for call in run.calls.values():
            name, uses = call.layer.name, 1
            while name in self.layers:  # a layer that is used again
                uses += 1
                name = f"{call.layer.name}:{uses}"
            self.layers[name] = layer_trace(name, call, *gradients[call.layer.name])

    def __getitem__(self, key: str | int) -> LayerTrace:
        """Return a layer's trace by its name or number."""
        if isinstance(key, str):
            if key not in self.layers:
                raise KeyError(f"The model has no layer {key!r}, but {list(self.layers)}.")
            return self.layers[key]
        return list(self.layers.values())[key]

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.layers.values())

    def recurrent(self, layer: str | None = None) -> SimpleRNNTrace:
        """Return the trace of a SimpleRNN: the one of this name, or the only one.

        Raises
        ------
        ValueError
            If `layer` is no SimpleRNN, or is None and there is not exactly one.
        """
        found = {trace.name: trace for trace in self if isinstance(trace, SimpleRNNTrace)}
        if layer is None and len(found) == 1:
            return next(iter(found.values()))
        if layer not in found:
            raise ValueError(
                f"layer must be the name of a SimpleRNN of the model, one of {list(found)}, got {layer!r}."
            )
        return found[layer]

    def __str__(self) -> str:
        """Return the names and shapes of all arrays, with the range of their values."""
        lines = [f"{len(self.x)} samples, loss {self.loss:.6g}", f"{'':30}{'shape':20}{'from':>11}{'to':>11}"]
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


def _sample_losses(run: Run) -> tuple[Array, Array]:
    """Return l, and w / N for each of its places, so that the loss is their product's sum: see ``losses.base``."""
    loss, output = run.model.loss, run.step.passes.output
    y, p = loss.match(run.y, output)
    losses = loss.per_sample(y, p)
    weights, _, divisor = loss._weigh(y, np.ones_like(losses), run.weight, run.step.passes.output_mask)
    return losses, (weights / divisor if divisor else np.zeros_like(weights)).reshape(losses.shape)
