"""The loop behind ``fit``, ``evaluate`` and ``predict``.

One training step, with everything in place that it writes to::

    y_pred = forward(x)                 layers write into the records of this batch shape
    loss, d_y = loss(y, y_pred)         reduced loss and its gradient with respect to the output, or to its logits
    backward(d_y)                       layers fill the one vector of gradients
    optimizer.step()                    a few operations on the one vector of weights

The loop knows a model by its layers, its vectors and what it was compiled with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.blas import single_thread
from rnn_core.data import Batches, Data
from rnn_core.engine.nonfinite import NonFiniteError, check_weights, explain
from rnn_core.random import stream
from rnn_core.several import as_list, each, flat, nested_like, rows, shape_of, unpacked

if TYPE_CHECKING:
    from rnn_core.callbacks import CallbackList
    from rnn_core.engine.trainer import Trainer

Logs = dict[str, float]


class Totals:
    """The running mean of the loss, weighted by batch size, and the metrics: what an epoch's logs are made of."""

    def __init__(self, model: Trainer) -> None:
        self.metrics = model.compiled_metrics
        self.parts: list[str] = getattr(model.loss, "named", [])  # the losses of several outputs
        self.named = model.compiled_metrics.all
        self.reset()

    def reset(self) -> None:
        """Start a new epoch."""
        self.loss = 0.0
        self.losses = [0.0] * len(self.parts)
        self.samples = 0
        for _, metric in self.named:
            metric.reset_state()

    def add(self, loss: float, samples: int, step: Step, y: Any, weight: Any) -> None:
        """Take in the batch that `step` has just worked on."""
        self.loss += loss * samples
        self.samples += samples
        if self.parts:
            # As Keras means it: with TensorFlow it counts a smaller last batch as much as the others here.
            values = zip(self.losses, step.loss_function.values, strict=True)
            self.losses = [total + value * samples for total, value in values]
        if self.named:
            self.metrics.update(y, step.passes.output, weight, step.passes.output_mask, unpacked(step.logits))

    def logs(self) -> Logs:
        """Return the loss, those of several outputs, and metrics, by name."""
        samples = max(1, self.samples)
        logs = {"loss": self.loss / samples}
        logs.update({name: value / samples for name, value in zip(self.parts, self.losses, strict=True)})
        for name, metric in self.named:
            logs[name] = float(metric.result())
        return logs


class Step:
    """Loss and, when `training`, one training step on batches of one shape.

    Attributes
    ----------
    passes : Pass
        The records.
    loss_function : Loss or LossOfOutputs
        The model's, or what it is of logits.
    logits : list of Logits or None
        For each output, if the loss is taken of its logits: see :mod:`rnn_core.engine.logits`.
    d_output : ndarray, or a list of them
        The gradient of the loss with respect to the output, or to its logits.
    """

    def __init__(self, model: Trainer, x_shape: Any, y_shape: Any, training: bool) -> None:
        from rnn_core.engine.logits import back_to_logits  # with it come the losses

        self.model = model
        self.training = training
        self.passes = model.new_pass(x_shape, training)
        model.loss.check_shapes(y_shape, self.passes.output_shape)
        self.loss_function, self.logits = back_to_logits(model.loss, self.passes)
        self.is_of_logits = any(logits is not None for logits in self.logits)
        self.d_output: Any = None
        self.trainable = any(layer.trainable and layer.specs for layer in model.layers)
        self.constrained = any(spec.constraint is not None for layer in model.layers for spec in layer.specs)
        self.regularized = [
            (spec.regularizer, weight, d_weight)
            for layer, d_part in zip(model.layers, model.parts(model.d_vector), strict=True)
            for spec, weight, d_weight in zip(layer.specs, layer.weights, layer.views(d_part).values(), strict=True)
            if spec.regularizer is not None and layer.trainable  # as Keras: frozen weights cost nothing
        ]

    def loss(self, x: Any, y: Any, weight: Any) -> float:
        """Return the loss of a batch, penalties included; its gradient goes to ``d_output``."""
        passes = self.passes
        y_pred = passes.forward(x, self.training)
        d_output = self.d_output
        if d_output is None:
            d_output = self.d_output = each(np.empty_like, y_pred)  # in the same memory order
        judged = self.judged if self.is_of_logits else y_pred
        value: float = self.loss_function.value_and_gradient(y, judged, d_output, weight, passes.output_mask)
        if passes.penalised:
            value += passes.activity_penalty()
        for regularizer, w, _ in self.regularized:
            value += float(regularizer(w))
        return value

    @property
    def judged(self) -> Any:
        """What the loss is taken of after a forward pass: the output, or the list of them, or their logits."""
        pairs = zip(as_list(self.passes.output), self.logits, strict=True)
        return unpacked([output if logits is None else logits.array for output, logits in pairs])

    def train(self, x: Any, y: Any, weight: Any) -> float:
        """Take one training step; return the loss before it."""
        value = self.loss(x, y, weight)
        if not math.isfinite(value):
            raise explain(self.model, self.passes, value)
        self.passes.backpropagate(self.d_output)
        for regularizer, w, d_w in self.regularized:
            regularizer.add_gradient(w, d_w)
        if self.trainable:
            self.model.optimizer.step()
        if self.constrained:
            self.model.constrain()
        return value


class Steps:
    """The :class:`Step` for each batch shape, made when it is first met."""

    def __init__(self, model: Trainer, training: bool) -> None:
        self.model = model
        self.training = training
        self.made_for = (model.vector, model.loss, [layer.trainable for layer in model.layers])
        self.made: dict[tuple[Any, ...], Step] = {}

    def are_for(self, model: Trainer) -> bool:
        """Whether the model still has the vector, the loss and the frozen layers that the records were made for."""
        vector, loss, trainable = self.made_for
        return vector is model.vector and loss is model.loss and trainable == [x.trainable for x in model.layers]

    def of(self, x: Any, y: Any) -> Step:
        """Return the step for batches of these shapes."""
        key = (shape_of(x), shape_of(y))
        step = self.made.get(key)
        if step is None:
            if len(self.made) >= 16:  # ever new shapes: start anew, rather than keep records for all
                self.made.clear()
            step = self.made[key] = Step(self.model, *key, self.training)
        return step


def train(
    model: Trainer,
    data: Data,
    batch_size: int,
    epochs: int,
    initial_epoch: int,
    shuffle: bool,
    callbacks: CallbackList,
    validate: Any,
) -> None:
    """Run the epochs of ``fit``.

    Parameters
    ----------
    model : Trainer
    data : tuple of x, y and sample weights or None
    batch_size, epochs, initial_epoch : int
    shuffle : bool
    callbacks : CallbackList
    validate : callable
        ``validate(epoch)`` returns the logs of a validation after this epoch, or an empty dict.
    """
    batches, nest = Batches(flat(data), batch_size), nested_like(data)
    totals, steps = Totals(model), Steps(model, training=True)
    draws = stream() if shuffle else None
    model.stop_training = False
    # Overflow shows as a loss that is not finite, and is explained there.
    with single_thread, np.errstate(over="ignore", invalid="ignore"):
        callbacks.on_train_begin()
        epoch_logs: Logs = {}
        for epoch in range(initial_epoch, epochs):
            totals.reset()
            callbacks.on_epoch_begin(epoch)
            source: Iterable[Any] = batches if draws is None else batches.reshuffled(draws)
            if nest is not None:
                source = map(nest, source)
            try:
                _train_epoch(source, steps, totals, callbacks)
            except NonFiniteError as error:
                batch = -(-totals.samples // batch_size)
                raise NonFiniteError(f"Training stopped in epoch {epoch + 1}, batch {batch + 1}: {error}") from None
            if not callbacks.takes_nan:
                check_weights(model, epoch)
            epoch_logs = totals.logs()
            epoch_logs.update(validate(epoch))
            callbacks.on_epoch_end(epoch, epoch_logs)
            if model.stop_training:
                break
        model.optimizer.finalize()
        callbacks.on_train_end(epoch_logs)


def _train_epoch(source: Iterable[Any], steps: Steps, totals: Totals, callbacks: CallbackList) -> None:
    hooks = callbacks.has_train_batch_hooks
    samples, step = 0, None
    for number, (x, y, weight) in enumerate(source):
        if hooks:
            callbacks.on_train_batch_begin(number)
        if step is None or rows(x) != samples:  # the last batch may be smaller
            samples, step = rows(x), steps.of(x, y)
        try:
            loss = step.train(x, y, weight)
        except NonFiniteError:
            if not callbacks.takes_nan:
                raise
            loss = math.nan
        totals.add(loss, samples, step, y, weight)
        if hooks:
            callbacks.on_train_batch_end(number, totals.logs)
            if steps.model.stop_training:
                break


def evaluate(
    model: Trainer,
    data: Data,
    batch_size: int,
    callbacks: CallbackList | None = None,
    steps: Steps | None = None,
) -> Logs:
    """Return loss and metrics over `data`: what ``evaluate`` does. Predictions are made as in ``predict``."""
    totals = Totals(model)
    steps = steps or Steps(model, training=False)
    hooks = callbacks is not None and callbacks.has_test_batch_hooks
    with single_thread, np.errstate(over="ignore", invalid="ignore"):
        if callbacks is not None:
            callbacks.on_test_begin()
        nest = nested_like(data) or tuple
        for number, batch in enumerate(Batches(flat(data), batch_size)):
            x, y, weight = nest(batch)
            if callbacks is not None and hooks:
                callbacks.on_test_batch_begin(number)
            step = steps.of(x, y)
            loss = step.loss(x, y, weight)
            totals.add(loss, rows(x), step, y, weight)
            if callbacks is not None and hooks:
                callbacks.on_test_batch_end(number, totals.logs)
        logs = totals.logs()
        if callbacks is not None:
            callbacks.on_test_end(logs)
    return logs
