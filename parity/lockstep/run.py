"""Lockstep: one model trained in both engines, on the same weights and the same batches, compared after every step.

::

    same weights --> | batch 0 | compare | batch 1 | compare | ...      both engines, each in its own arithmetic

In float64 the two stay together to the end. In float32 they stay together until rounding lets one ReLU open on one
side and not on the other: from there on a different gradient flows, and the weights part. Two backends of Keras part
from each other in the same way. So the rules are::

    float64   weights within 1e-12, epoch loss within 1e-13 relative, after every step to the last
    float32   weights within 1e-6 for 100 steps and within 2e-5 to the end, both up to the first flip;
              and the flip itself is a rounding: the value that is 0 on the other side is at most 2e-5 of the layer's
              largest output. (An engine that computes something else would flip units by more than that.)

A rule that had no step to look at does not hold.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, require_keras, to_numpy
from parity.conversion.models import to_keras
from parity.lockstep.flips import first_flip
from parity.lockstep.result import Lockstep
from rnn_core.activations import Relu
from rnn_core.checks import positive_int
from rnn_core.data import as_input, as_target
from rnn_core.layers import SimpleRNN
from rnn_core.models import Sequential
from rnn_core.series import Layout
from rnn_core.tutorial import Tutorial

Array = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""


def lockstep(
    model: Sequential,
    x: Any,
    y: Any,
    epochs: int = 100,
    batch_size: int = 16,
    seed: int = 0,
    keras_model: Any = None,
    title: str | None = None,
    progress: Progress | None = None,
) -> Lockstep:
    """Train copies of `model` here and in Keras, and compare them after every step.

    Parameters
    ----------
    model : rnn_core.Sequential
        Built and compiled; it is not changed.
    x, y : array_like
        Samples and targets.
    epochs, batch_size : int
        The last batch of an epoch may be smaller.
    seed : int
        Of the shuffles, one for each epoch.
    keras_model : keras.Sequential, optional
        What to train in Keras; it is trained. Default: ``to_keras(model)``.
    title : str, optional
        For reports; by default the model's name.
    progress : callable, optional
        ``progress(steps done, steps in all)``, after each epoch.

    Raises
    ------
    ValueError
        If the model is not built or compiled, or has dropout: each engine would draw masks of its own.
    ImportError
        Without Keras.
    """
    keras = require_keras()
    if not model.built or not model.compiled or model.loss is None:
        raise ValueError(f"lockstep: model {model.name!r} must be built, and compiled with a loss.")
    for layer in model.layers:
        rates = [getattr(layer, name, 0) for name in ("rate", "dropout", "recurrent_dropout")]
        if any(rates) or getattr(layer, "stateful", False):
            raise ValueError(
                f"lockstep: layer {layer.name!r} drops values or is stateful; it compares models whose step depends "
                "on weights and batch alone."
            )
    epochs, batch_size = positive_int("lockstep", "epochs", epochs), positive_int("lockstep", "batch_size", batch_size)
    x, y = as_input("x", x, model.input_shape, model.dtype), as_target("y", y, model.dtype)
    if len(x) != len(y):
        raise ValueError(f"lockstep: x and y must have as many samples, got {len(x)} and {len(y)}.")
    starts = range(0, len(x), batch_size)
    result = Lockstep(title or model.name, model.dtype, keras.backend.backend(), epochs, len(starts))
    order, step = np.random.default_rng(seed), 0
    with floatx(model.dtype):
        sides: tuple[_Ours, _Keras] = (_Ours(copy.deepcopy(model)), _Keras(keras_model or to_keras(model), model))
        for epoch in range(epochs):
            shuffled, totals = order.permutation(len(x)), np.zeros(2)
            for start in starts:
                rows = shuffled[start : start + batch_size]
                x_batch, y_batch = x[rows], y[rows]
                if result.flip is None:
                    result.flip = first_flip(step + 1, *(side.relus(x_batch) for side in sides))
                result.losses[step] = [side.train(x_batch, y_batch) for side in sides]
                totals += result.losses[step] * len(rows)
                ours, theirs = (side.weights() for side in sides)
                result.weight_difference[step] = np.abs(ours - theirs).max()
                result.weight_relative[step] = result.weight_difference[step] / np.abs(theirs).max()
                step += 1
            result.epoch_losses[epoch] = totals / len(x)
            if progress is not None:
                progress(step, len(result.losses))
    return result


def tutorial_lockstep(
    seed: int = 0,
    layout: Layout = "1xstep",
    dtype: str = "float64",
    epochs: int = 100,
    progress: Progress | None = None,
) -> Lockstep:
    """Run the tutorial in lockstep: series, initial weights and shuffles by `seed`; 50 steps an epoch."""
    tutorial = Tutorial(seed, layout=layout, dtype=dtype)
    x, y = tutorial.train.inputs, tutorial.train.targets
    title = f"tutorial ({len(x)}, {tutorial.timesteps}, {tutorial.features}), seed {seed}"
    return lockstep(tutorial.model, x, y, epochs, seed=seed, title=title, progress=progress)


class _Ours:
    """Our side: its step and, before it, the outputs of its ReLUs."""

    def __init__(self, model: Sequential) -> None:
        self.model = model
        self.passes: dict[tuple[int, ...], Any] = {}

    def relus(self, x: Array) -> dict[str, Array]:
        """Return every output of a ReLU in a forward pass, (batch, [timesteps,] units)."""
        if x.shape not in self.passes:
            self.passes[x.shape] = self.model.new_pass(x.shape)
        one = self.passes[x.shape]
        one.forward(x, training=True)
        pairs = zip(self.model.layers, one.records, strict=True)
        return {
            layer.name: r.hidden[1:].transpose(1, 0, 2) if isinstance(layer, SimpleRNN) else r.output
            for layer, r in pairs
            if _is_relu(layer)
        }

    def train(self, x: Array, y: Array) -> float:
        return float(self.model.train_on_batch(x, y, return_dict=True)["loss"])

    def weights(self) -> Array:
        return np.concatenate([weight.reshape(-1) for weight in self.model.weights])


class _Keras:
    """Keras' side, by its own ``train_on_batch``; the ReLUs' outputs come from a second model on the same weights."""

    def __init__(self, model: Any, ours: Sequential) -> None:
        keras = require_keras()
        self.model = model
        x = keras.Input(batch_shape=model.input_shape, dtype=ours.dtype)
        self.relu_layers, outputs, tensor = [], [], x
        for layer, keras_layer in zip(ours.layers, model.layers, strict=True):
            before, tensor = tensor, keras_layer(tensor)
            if _is_relu(layer):
                self.relu_layers.append(layer.name)
                outputs.append(_all_time_steps(keras_layer)(before) if isinstance(layer, SimpleRNN) else tensor)
        self.probe = keras.Model(x, outputs) if outputs else None

    def relus(self, x: Array) -> dict[str, Array]:
        if self.probe is None:
            return {}
        return dict(zip(self.relu_layers, self.probe.predict_on_batch(x), strict=True))

    def train(self, x: Array, y: Array) -> float:
        return float(self.model.train_on_batch(x, y, return_dict=True)["loss"])

    def weights(self) -> Array:
        return np.concatenate([to_numpy(v).reshape(-1) for layer in self.model.layers for v in layer.weights])


def _all_time_steps(layer: Any) -> Any:
    """Return a Keras layer on the same cell that puts out every hidden state, as our record holds them."""
    names = ("go_backwards", "unroll", "dtype")
    settings = {name: getattr(layer, name) for name in names}
    return require_keras().layers.RNN(layer.cell, return_sequences=True, **settings)


def _is_relu(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return isinstance(activation, Relu) and activation.is_plain
