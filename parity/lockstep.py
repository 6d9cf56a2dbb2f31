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
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, require_keras, to_numpy
from parity.convert import to_keras
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

WEIGHTS, EPOCH_LOSS = 1e-12, 1e-13  # float64
FIRST_STEPS, FIRST_WEIGHTS, WEIGHTS_TO_FLIP, FLIP = 100, 1e-6, 2e-5, 2e-5  # float32
JAX_LOSS = 2.0**-23  # Keras on JAX returns a loss that was rounded to float32


class Flip(NamedTuple):
    """A ReLU that is open on one side and shut on the other.

    Attributes
    ----------
    step : int
        Counted from 1: found in the forward pass of this training step.
    layer : str
    time_step : int or None
        Counted from 0, in the order of processing; None in a layer without time.
    sample, unit : int
        Counted from 0; the sample's place in its batch.
    ours, keras : float
        The outputs, one of them 0.
    relative : float
        The other, as a part of the layer's largest output in this batch.
    """

    step: int
    layer: str
    time_step: int | None
    sample: int
    unit: int
    ours: float
    keras: float
    relative: float

    def __str__(self) -> str:
        time = "" if self.time_step is None else f"time step {self.time_step}, "
        return (
            f"step {self.step:,}: {self.layer}, {time}sample {self.sample}, unit {self.unit}: "
            f"{self.ours:.1e} here, {self.keras:.1e} in Keras"
        )


class Rule(NamedTuple):
    """One thing that must hold: the worst figure, its limit, and the first step (or epoch) over it, from 1."""

    name: str
    worst: float
    limit: float
    first_bad: int | None
    holds: bool


class Lockstep:
    """What a lockstep run measured; a difference is ours minus Keras', its absolute value.

    Attributes
    ----------
    title, dtype, backend : str
    steps_per_epoch : int
    weight_difference : ndarray, shape (steps,)
        After each step, the largest over all weights.
    weight_relative : ndarray, shape (steps,)
        The same, as a part of the largest weight.
    losses : ndarray, shape (steps, 2)
        The loss of each batch before its step, ours and Keras'.
    epoch_losses : ndarray, shape (epochs, 2)
        Their means, weighted by batch size.
    flip : Flip or None
        The first, if there was one.
    """

    def __init__(self, title: str, dtype: str, backend: str, epochs: int, steps_per_epoch: int) -> None:
        self.title, self.dtype, self.backend = title, dtype, backend
        self.steps_per_epoch = steps_per_epoch
        steps = epochs * steps_per_epoch
        self.weight_difference, self.weight_relative = np.full(steps, np.nan), np.full(steps, np.nan)
        self.losses, self.epoch_losses = np.full((steps, 2), np.nan), np.full((epochs, 2), np.nan)
        self.flip: Flip | None = None

    @property
    def loss_difference(self) -> Array:
        """The difference of each batch's losses, shape (steps,)."""
        return np.asarray(np.abs(self.losses[:, 0] - self.losses[:, 1]))

    @property
    def loss_relative(self) -> Array:
        """The same as a part of Keras' loss."""
        return _relative(self.losses)

    @property
    def epoch_loss_relative(self) -> Array:
        """The difference of each epoch's losses as a part of Keras', shape (epochs,)."""
        return _relative(self.epoch_losses)

    @property
    def steps_before_flip(self) -> int:
        """How many steps' weights no flip had a part in."""
        return len(self.weight_difference) if self.flip is None else self.flip.step - 1

    def rules(self) -> list[Rule]:
        """Return what must hold for this dtype, and whether it does."""
        weights = self.weight_difference
        if self.dtype == "float64":
            loss_limit = JAX_LOSS if self.backend == "jax" else EPOCH_LOSS
            return [
                _rule("weights, all steps", weights, WEIGHTS),
                _rule("epoch loss, relative, all epochs", self.epoch_loss_relative, loss_limit),
            ]
        until = self.steps_before_flip
        first, met = min(FIRST_STEPS, until), "no ReLU flips" if self.flip is None else "up to a flip"
        rules = [
            _rule(f"weights, first {first:,} steps", weights[:first], FIRST_WEIGHTS),
            _rule(f"weights, {until:,} steps, {met}", weights[:until], WEIGHTS_TO_FLIP),
        ]
        if self.flip is not None:
            worst = self.flip.relative
            holds = worst <= FLIP
            rules.append(Rule("the flip, relative", worst, FLIP, None if holds else self.flip.step, holds))
        return rules

    @property
    def holds(self) -> bool:
        """Whether all rules hold."""
        return all(rule.holds for rule in self.rules())

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, without the arrays over all steps, as JSON has them."""
        return {
            "title": self.title,
            "dtype": self.dtype,
            "backend": self.backend,
            "steps": len(self.weight_difference),
            "holds": self.holds,
            "rules": [{**rule._asdict(), "worst": finite_or_none(rule.worst)} for rule in self.rules()],
            "flip": None if self.flip is None else self.flip._asdict(),
            "last_weight_difference": finite_or_none(self.weight_difference[-1]),
            "last_weight_relative": finite_or_none(self.weight_relative[-1]),
            "last_epoch_losses": [finite_or_none(loss) for loss in self.epoch_losses[-1]],
        }

    def __str__(self) -> str:
        ours, keras = self.epoch_losses[-1]
        lines = [
            f"{self.title}, {self.dtype}, {len(self.weight_difference):,} steps: {'holds' if self.holds else 'FAILS'}",
            *(
                f"  {'ok ' if rule.holds else 'BAD'} {rule.name}: {rule.worst:.1e} (limit {rule.limit:.0e})"
                + ("" if rule.first_bad is None else f", over at {rule.first_bad:,}")
                for rule in self.rules()
            ),
            f"  in the end: weights {self.weight_difference[-1]:.1e}; epoch loss {ours:.9f} here, {keras:.9f} Keras",
        ]
        if self.flip is not None:
            place, _, values = str(self.flip).rpartition(": ")
            lines += [f"  first ReLU that flips: {place}", f"    {values}"]
        return "\n".join(lines)


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


def first_flip(step: int, ours: Mapping[str, Array], keras: Mapping[str, Array]) -> Flip | None:
    """Return the first ReLU that is open on one side only: first layer, then time step, sample, unit.

    Parameters
    ----------
    step : int
        To be noted in the result.
    ours, keras : mapping of layer to ndarray, shape (batch, [timesteps,] units)
        Outputs of the ReLU layers.

    Examples
    --------
    >>> flip = first_flip(7, {"dense": np.array([[0.0, 1e-8], [2.0, 0.0]])}, {"dense": np.array([[0.0, 0], [2, 0]])})
    >>> print(flip)
    step 7: dense, sample 0, unit 1: 1.0e-08 here, 0.0e+00 in Keras
    """
    for layer, a in ours.items():
        b = keras[layer]
        flipped = (a > 0) != (b > 0)
        if flipped.any():
            # Time first: an early flip makes later ones.
            at = np.argwhere(flipped.transpose(1, 0, 2) if a.ndim == 3 else flipped)[0]
            *time, sample, unit = (int(i) for i in at)
            place = (sample, *time, unit)
            value = float(max(a[place], b[place]))
            relative = value / float(max(a.max(), b.max()))
            return Flip(
                step, layer, time[0] if time else None, sample, unit, float(a[place]), float(b[place]), relative
            )
    return None


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


def finite_or_none(value: float) -> float | None:
    """Return `value` as JSON has numbers: it has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def _is_relu(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return isinstance(activation, Relu) and activation.is_plain


def _relative(losses: Array) -> Array:
    return np.asarray(np.abs(losses[:, 0] - losses[:, 1]) / np.maximum(np.abs(losses[:, 1]), np.finfo(float).tiny))


def _rule(name: str, differences: Array, limit: float) -> Rule:
    if not differences.size:
        return Rule(name, float("nan"), limit, None, False)
    bad = np.flatnonzero(~(differences <= limit))  # not a number is bad too
    return Rule(name, float(differences.max()), limit, int(bad[0]) + 1 if bad.size else None, not bad.size)
