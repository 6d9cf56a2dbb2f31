"""What all optimizers share: the order of a step, learning rate, clipping, weight decay, averaged weights.

One step, in the order of Keras (``keras/src/optimizers/base_optimizer.py``)::

    g = clip(gradient)                            each tensor by itself, or all of them together
    w = w - w * weight_decay * learning_rate      "decoupled": not part of the gradient; biases too
    w = w - update(g)                             the optimizer's own rule
    average = m * average + (1 - m) * w           with use_ema; m = ema_momentum, but 0 on the first step
    w = average                                   with use_ema, every ema_overwrite_frequency steps
    iterations = iterations + 1
    w = constraint(w)                             by the model, after step()

So the average is taken of weights that are not yet constrained, as in Keras.

All weights of a model lie in ONE vector, so do the gradients, and so does each slot (a running average that
the optimizer keeps of every weight). A step is then a handful of ufuncs, whatever the number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from rnn_core import checks, config
from rnn_core.denormals import flush
from rnn_core.optimizers import options, schedules
from rnn_core.optimizers.chunks import Array, Chunk, cut
from rnn_core.optimizers.rate import LearningRate
from rnn_core.serialization import snake_case
from rnn_core.unsupported import NamesWhatIsMissing, refuse_arguments, refuse_overriding

add, copyto, multiply, subtract = np.add, np.copyto, np.multiply, np.subtract

FLUSH_EVERY = 64  # steps

_AVERAGE = "model_variables_moving_average"  # Keras' name for the average of the weights


class Optimizer(NamesWhatIsMissing, kind="optimizer"):
    """The base of all optimizers.

    Parameters
    ----------
    learning_rate : float above 0, LearningRateSchedule or a schedule's config
        Kept in ``floatx`` precision, as Keras does: 0.001 reads back as 0.0010000000474974513.
    weight_decay : float of at least 0, optional
        Shrinks every weight by the factor ``1 - weight_decay * learning_rate`` before each update.
    clipnorm : float above 0, optional
        Scales the gradient of each tensor to at most this norm: ``g * c / max(norm(g), c)``.
    clipvalue : float above 0, optional
        Clips each element of the gradient to [-clipvalue, clipvalue].
    global_clipnorm : float above 0, optional
        Scales all gradients together to at most this norm. Only one of the three can be set.
    use_ema : bool
        Keep an exponential moving average of the weights, which replaces them at the end of `fit`.
    ema_momentum : float from 0 to 1
    ema_overwrite_frequency : int, optional
        Replace the weights by their average every so many steps, too.
    loss_scale_factor, gradient_accumulation_steps : None
        Arguments of Keras that are not supported here.
    name : str, optional

    Attributes
    ----------
    iterations : int
        Steps taken.
    slots : dict of str to ndarray, shape (weights,)
        The running averages, after :meth:`build`; each is also an attribute (``optimizer.velocities``), and
        one that the settings do not need is None there.

    Raises
    ------
    ValueError
        For a setting out of its range, or one that is not supported.

    Notes
    -----
    A subclass says in `_slots` what it keeps and in `_update` how it changes a chunk of weights. All settings
    but the learning rate are read when it is built.
    """

    iterations: int
    slots: dict[str, Array]
    _weights: Array
    _tensors: list[slice]  # the trainable ones

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: None = None,
        gradient_accumulation_steps: None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        owner = type(self).__name__
        refuse_arguments(owner, unknown)
        self.name = name or snake_case(owner)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        options.check(owner, {key: getattr(self, key) for key in options.SETTINGS})

        self.iterations = 0
        self.built = False
        self.slots = {}
        self._schedule: schedules.LearningRateSchedule | None = None
        self._rate = 0.0
        self._lr = np.zeros(())  # the same for the ufuncs
        self._set_learning_rate(learning_rate, zero_allowed=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_overriding(
            cls, ("update_step", "apply", "apply_gradients"), "an optimizer here defines _slots() and _update(chunk)"
        )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; can be set to a number of at least 0, or to a schedule."""
        return LearningRate.of(self, self._rate if self._schedule is None else float(self._schedule(self.iterations)))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._set_learning_rate(value, zero_allowed=True)  # what a callback computes may end on 0

    def _set_learning_rate(self, value: Any, zero_allowed: bool) -> None:
        owner = type(self).__name__
        if isinstance(value, (dict, schedules.LearningRateSchedule)):
            self._schedule = schedules.get(value)
            return
        if callable(value):
            raise TypeError(
                f"{owner}: learning_rate must be a number or a LearningRateSchedule, got {value!r}: "
                "derive a class from optimizers.schedules.LearningRateSchedule to compute your own."
            )
        rate = checks.real(owner, "learning_rate", value, 0, above=not zero_allowed)
        if self._schedule is not None:
            raise TypeError(
                f"{owner}: learning_rate follows {type(self._schedule).__name__}, so it cannot be set to "
                f"{value!r}: make the optimizer with a number to be able to set it."
            )
        self._store_rate(float(np.dtype(config.floatx()).type(rate)))

    def _store_rate(self, rate: float) -> None:
        self._rate = rate
        self._lr.fill(rate)

    def build(self, weights: Array, gradients: Array, tensors: list[slice], trainable: list[slice]) -> None:
        """Allocate the slots, and with them all that :meth:`step` will need.

        Built again on the same weights it keeps its slots: that is how weights are frozen and set free.

        Parameters
        ----------
        weights, gradients : ndarray, shape (n,)
            The weights are changed in place by every step; the gradients are only read.
        tensors : list of slice
            Where each tensor lies in the vector, in weight order.
        trainable : list of slice
            The parts to update. Other weights keep their place in the vector and are never touched.

        Raises
        ------
        ValueError
            If the vectors do not match, or the optimizer was built on other weights.
        """
        owner = type(self).__name__
        if weights.ndim != 1 or weights.shape != gradients.shape or weights.dtype != gradients.dtype:
            raise ValueError(
                f"{owner}: weights and gradients must be vectors of one length and dtype, got "
                f"{weights.dtype} {weights.shape} and {gradients.dtype} {gradients.shape}."
            )
        if self.built and not (weights.size == self._weights.size and np.shares_memory(weights, self._weights)):
            raise ValueError(
                f"{owner} {self.name!r} was built on other weights (shape {self._weights.shape}) than these "
                f"(shape {weights.shape}): compile the model with a new optimizer."
            )
        dtype = config.standardize_dtype(weights.dtype)
        wanted = {_AVERAGE: self.use_ema, **self._slots()}
        free = np.zeros(weights.shape, bool)
        for part in trainable:
            free[part] = True
        inside = [tensor for tensor in tensors if free[tensor].all()]
        if not self.built:
            self.slots = {name: np.zeros_like(weights) for name, used in wanted.items() if used}
            for name in wanted:
                setattr(self, name, self.slots.get(name))
        elif self.use_ema and self.iterations:
            before = {(tensor.start, tensor.stop) for tensor in self._tensors}
            for tensor in inside:
                if (tensor.start, tensor.stop) not in before:  # set free just now: its average starts at its value
                    self.slots[_AVERAGE][tensor] = weights[tensor]
        self._weights, self._tensors = weights, inside

        self._lr = self._scalar(self._rate)
        self._decay = None if self.weight_decay is None else self._scalar(self.weight_decay)
        self._ema = self._scalar(self.ema_momentum)
        self._one_minus_ema = np.asarray(1 - self._ema, dtype)  # rounded as Keras rounds it

        self._clips, clipped = [], gradients
        if any(getattr(self, clip) is not None for clip in options.CLIPS):
            clipped = np.zeros_like(gradients)  # a copy: the gradients stay as backward computed them
            self._clips = [(gradients[t], clipped[t]) for t in inside]
        average, *slots = [self.slots.get(name) for name in wanted]
        self._chunks = cut(weights, clipped, average, slots, trainable)
        self.built = True

    def _scalar(self, value: float) -> Array:
        """Return `value` as an array of no dimensions: ufuncs take it twice as fast as a Python float."""
        return np.array(value, self._weights.dtype)

    def _slots(self) -> dict[str, bool]:
        """Return the names of all slots, as Keras has them, and whether the settings need them."""
        raise NotImplementedError(f"{type(self).__name__} must define _slots().")

    def step(self) -> None:
        """Update the weights, in place, from the gradients; the caller applies constraints afterwards.

        Raises
        ------
        ValueError
            If the optimizer is not built, or a schedule gives a learning rate below 0.
        """
        if not self.built:
            raise self._unbuilt()
        self._prepare()
        if self._clips:
            self._clip()
        for chunk in self._chunks:
            if self._decay is not None:
                w, s = chunk.w, chunk.s
                multiply(w, self._decay, s)
                multiply(s, self._lr, s)
                subtract(w, s, w)
            self._update(chunk)
            if chunk.average is not None:
                self._average(chunk.w, chunk.average, chunk.s)
        self.iterations += 1
        if self.iterations % FLUSH_EVERY == 0:
            self._flush()

    def _prepare(self) -> None:
        """Refresh the scalars that change from step to step."""
        if self._schedule is not None:
            rate = self.learning_rate
            if not 0 <= rate < math.inf:
                raise ValueError(
                    f"{type(self._schedule).__name__} must give a finite learning rate of at least 0, "
                    f"got {rate} at step {self.iterations}."
                )
            self._lr.fill(rate)

    def _unbuilt(self) -> ValueError:
        return ValueError(f"{type(self).__name__} {self.name!r} is not built yet: compile and build its model.")

    def _update(self, chunk: Chunk) -> None:
        """Apply the optimizer's rule to one chunk, in place."""
        raise NotImplementedError(f"{type(self).__name__} must define _update(chunk).")

    def _clip(self) -> None:
        if self.clipvalue is not None:
            for g, clipped in self._clips:
                np.minimum(g, self.clipvalue, out=clipped)
                np.maximum(clipped, -self.clipvalue, out=clipped)
        elif self.clipnorm is not None:
            for g, clipped in self._clips:
                multiply(g, self.clipnorm / max(math.sqrt(g.dot(g)), self.clipnorm), clipped)
        elif self.global_clipnorm is not None:
            norm = math.sqrt(sum(float(g.dot(g)) for g, _ in self._clips))
            scale = self.global_clipnorm / max(norm, self.global_clipnorm) + (norm - norm)  # NaN for infinity
            for g, clipped in self._clips:
                multiply(g, scale, clipped)

    def _average(self, w: Array, average: Array, s: Array) -> None:
        if self.iterations == 0:
            copyto(average, w)
        else:
            multiply(average, self._ema, average)
            multiply(w, self._one_minus_ema, s)
            add(average, s, average)
        every = self.ema_overwrite_frequency
        if every is not None and (self.iterations + 1) % every == 0:
            copyto(w, average)

    def _flush(self) -> None:
        """End geometric decays before they reach the denormal numbers, see :mod:`rnn_core.denormals`.

        The averages of a weight whose gradient has died shrink by the same factor in every step, and under weight
        decay so does the weight. Every 64 steps is often enough (0.9**64 is 1e-3) and costs next to nothing. What
        gets lost, below 1e-35 in float32, is nothing beside the epsilon or the weight it is added to.
        """
        for chunk in self._chunks:
            for x in (chunk.average, *chunk.slots, chunk.w if self.weight_decay else None):
                if x is not None:
                    flush(x)

    def finalize(self) -> None:
        """Replace the weights by their average, at the end of `fit`, if there is one.

        As ``finalize_variable_values`` in Keras: constraints are not applied to what it puts in.
        """
        for chunk in self._chunks if self.iterations else ():
            if chunk.average is not None:
                copyto(chunk.w, chunk.average)

    def slot_views(self) -> dict[str, list[Array]]:
        """Return each slot as a list of 1-D views, one for each trainable tensor, in the order given to `build`."""
        return {name: [vector[t] for t in self._tensors] for name, vector in self.slots.items()}

    @property
    def variables(self) -> list[Array]:
        """All state in the order of Keras' ``optimizer.variables``, each tensor flat.

        Iterations and learning rate (left out under a schedule) are copies, the rest are views.
        """
        rate = [] if self._schedule is not None else [np.array(self._rate, config.floatx())]
        views = self.slot_views() if self.built else {}
        return [np.array(self.iterations), *rate, *self._in_keras_order(views)]

    def _in_keras_order(self, views: dict[str, list[Array]]) -> Iterable[Array]:
        return (view for slot in views.values() for view in slot)

    def get_state(self) -> dict[str, Any]:
        """Return copies of all that is needed to go on bit by bit: iterations, learning rate, slots."""
        rate = {} if self._schedule is not None else {"learning_rate": self._rate}
        return {"iterations": self.iterations, **rate, **{name: v.copy() for name, v in self.slots.items()}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state of :meth:`get_state`, of an optimizer with the same settings and weights.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or of the wrong shape, or the optimizer is not built; nothing is
            changed then.
        """
        owner, expected = type(self).__name__, self.get_state()
        if not self.built:
            raise self._unbuilt()
        if set(state) != set(expected):
            raise ValueError(f"{owner}: state must have the entries {sorted(expected)}, got {sorted(state)}.")
        for name, value in expected.items():
            if np.shape(state[name]) != np.shape(value):
                shapes = f"{np.shape(value)}, got {np.shape(state[name])}"
                raise ValueError(f"{owner}: {name} in the state must have shape {shapes}.")
        self.iterations = int(state["iterations"])
        if self._schedule is None:
            self._store_rate(float(state["learning_rate"]))
        for name, vector in self.slots.items():
            vector[:] = state[name]

    def get_config(self) -> dict[str, Any]:
        """Return the settings under Keras' keys."""
        rate = self._rate if self._schedule is None else schedules.serialize(self._schedule)
        return {
            "name": self.name,
            "learning_rate": rate,
            **{key: getattr(self, key) for key in options.SETTINGS},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an optimizer from :meth:`get_config`'s dict."""
        return cls(**config)
