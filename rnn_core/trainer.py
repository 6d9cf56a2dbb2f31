"""``compile``, ``fit``, ``evaluate`` and ``predict``: what a model does with data, argument by argument as in Keras."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core import losses, optimizers, training
from rnn_core.blas import single_thread
from rnn_core.checks import positive_int, real
from rnn_core.compiled_metrics import CompiledMetrics
from rnn_core.data import as_input, as_sample_weight, as_target
from rnn_core.layers.base import InputShape, Layer
from rnn_core.passes import Pass

if TYPE_CHECKING:
    from rnn_core.callbacks import History

Array = NDArray[Any]
Data = tuple[Array, Array, Array | None]

_PREDICT_FLOATS = 1 << 17
"""Predictions are made in chunks whose hidden states take about this many floats: they stay in the cache."""

_SLOW_SECONDS = 1.0
"""``predict`` shows progress only after this long, unless told."""


class Trainer:
    """The part of a model that is trained, judged and asked for predictions."""

    name: str
    layers: list[Layer]
    built: bool
    dtype: str
    vector: Array
    input_shape: InputShape | None
    output_shape: InputShape

    def __init__(self) -> None:
        self.loss: Any = None
        self.optimizer: Any = None
        self.compiled_metrics = CompiledMetrics()
        self.compiled = False
        self.stop_training = False
        self.history: History | None = None
        self._free_passes: dict[tuple[int, ...], list[Pass]] = {}

    # What the model provides.

    def build(self, input_shape: InputShape) -> None:
        """Build the layers."""
        raise NotImplementedError

    def parts(self, vector: Array) -> list[Array]:
        """Cut a vector laid out like the weights into one part for each layer."""
        raise NotImplementedError

    @property
    def d_vector(self) -> Array:
        """The gradients of all weights."""
        raise NotImplementedError

    def constrain(self) -> None:
        """Apply the constraints to the weights."""
        raise NotImplementedError

    def new_pass(self, shape: tuple[int, ...], training: bool = False, needs_d_input: bool = False) -> Pass:
        """Return fresh records for inputs of `shape`."""
        raise NotImplementedError

    # Compiling.

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: None = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose how to train.

        Parameters
        ----------
        optimizer : str, dict or Optimizer
        loss : str, dict or Loss
        loss_weights : None
            Not supported: there is one output.
        metrics, weighted_metrics : list of str or Metric, optional
            Reported beside the loss; the weighted ones take sample weights into account.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Accepted and without effect: there is no graph, and float16 is not supported.

        Raises
        ------
        ValueError
            For unknown names, with the nearest known one.
        """
        if loss_weights is not None:
            raise ValueError(f"compile: loss_weights is not supported, the model has one output; got {loss_weights!r}.")
        self.optimizer = optimizers.get(optimizer)
        self.loss = None if loss is None else losses.get(loss)
        self.compiled_metrics = CompiledMetrics(metrics, weighted_metrics)
        self.compiled = True

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns."""
        return ["loss", *(name for name, _ in self.compiled_metrics.all)]

    def get_compile_config(self) -> dict[str, Any]:
        """Return what the model was compiled with, as Keras writes it."""
        self._require_compiled("get_compile_config")
        return {
            "optimizer": optimizers.serialize(self.optimizer),
            "loss": None if self.loss is None else losses.serialize(self.loss),
            **self.compiled_metrics.get_config(),
        }

    def _require_compiled(self, action: str) -> None:
        if not self.compiled:
            raise ValueError(f"{action}: model {self.name!r} is not compiled. Call model.compile(loss=...) first.")

    def _require_loss(self, action: str) -> None:
        self._require_compiled(action)
        if self.loss is None:
            raise ValueError(f"{action}: model {self.name!r} was compiled without a loss.")

    def prepare_training(self) -> None:
        """Tie the optimizer to the model's vectors; done again after layers were frozen or the model was rebuilt."""
        tensors, trainable, start = [], [], 0
        for layer in self.layers:
            for spec in layer.memory_specs:
                tensors.append(slice(start, start + spec.size))
                if layer.trainable:
                    trainable.append(tensors[-1])
                start += spec.size
        self.optimizer.build(self.vector, self.d_vector, tensors, trainable)

    # Data on its way in.

    def checked_input(self, x: Any, name: str = "x") -> Array:
        """Return inputs as an array that fits the model, which is built for it if it was not."""
        if (
            type(x) is np.ndarray  # the short way for an array that is as it should be already
            and self.built
            and x.dtype == self.dtype
            and x.ndim == len(self.input_shape or ())
            and len(x)
            and x.flags.c_contiguous
            and math.isfinite((flat := x.reshape(-1)).dot(flat))
        ):
            array = x
        else:
            if not self.layers:
                raise ValueError(f"Model {self.name!r} has no layers.")
            shape = self.input_shape if self.built else self.layers[0].first_input_shape
            array = as_input(name, x, shape, self.layers[0].dtype)
            if not self.built:
                self.build((None, *array.shape[1:]))
        expected = self.input_shape
        assert expected is not None
        if array.shape[1:] != expected[1:] or (expected[0] is not None and len(array) < expected[0]):
            self._check_shape(name, array.shape)
        return array

    def _check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Let the layers check a shape that is not the one that the model was built for."""
        expected = self.input_shape
        assert expected is not None
        fits = len(shape) == len(expected) and all(
            e is None or e == n for e, n in zip(expected[1:], shape[1:], strict=True)
        )
        current: Any = shape
        for layer in self.layers:
            layer.check_input_shape(current)
            current = layer.compute_output_shape(current)
        if not fits:
            raise ValueError(f"{name}: model {self.name!r} expects {_text(expected)}, got {_text(shape)}.")

    def _checked_data(self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None, prefix: str = "") -> Data:
        """Return inputs, targets and weights as arrays of equal length."""
        x = self.checked_input(x, prefix + "x")
        if y is None:
            raise ValueError(f"{prefix}y is missing: a loss needs targets.")
        y = as_target(prefix + "y", y, self.dtype)
        if len(y) != len(x):
            raise ValueError(f"{prefix}x and {prefix}y must have as many samples, got {len(x)} and {len(y)}.")
        output_shape = self._output_shape_for(x.shape)
        self.loss.check_shapes(y.shape, output_shape)
        self.compiled_metrics.build(y.shape, output_shape)
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("class_weight and sample_weight can't be given together.")
            sample_weight = _weights_of_classes(y, class_weight)
        if sample_weight is not None:
            sample_weight = as_sample_weight(prefix + "sample_weight", sample_weight, len(x), self.dtype)
        return x, y, sample_weight

    def _output_shape_for(self, shape: Any) -> Any:
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def _checked_batch_size(self, batch_size: Any, samples: int, name: str = "batch_size") -> int:
        """Return a batch size that fits: a stateful model needs its own, and whole batches."""
        fixed = self.input_shape[0] if self.input_shape is not None else None
        if batch_size is None:
            batch_size = fixed or 32
        size = positive_int(f"Model {self.name!r}", name, batch_size)
        if any(getattr(layer, "stateful", False) for layer in self.layers) and (size != fixed or samples % size):
            raise ValueError(
                f"Model {self.name!r} is stateful with batches of {fixed}: {name} must be {fixed} and the number of "
                f"samples a multiple of it, got {size} and {samples}."
            )
        return size

    # Training.

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: None = None,
        validation_steps: None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train the model.

        Parameters
        ----------
        x : array_like, shape (samples, ...)
            Array, list of one array, Series or DataFrame.
        y : array_like, shape (samples, ...)
        batch_size : int
            Default 32. The last batch of an epoch may be smaller.
        epochs : int
            The number of the last epoch.
        verbose : {"auto", 0, 1, 2}
            0 nothing, 1 a bar, 2 a line an epoch; "auto" is 1.
        callbacks : list of Callback, optional
        validation_split : float from 0 to 1
            The last part of the data, before shuffling, that is kept for validation.
        validation_data : tuple of x, y and optionally sample weights
        shuffle : bool
            Before each epoch.
        class_weight : dict of int to float, optional
            Weight of each class; 1 for those not named.
        sample_weight : array_like, shape (samples,) or (samples, timesteps), optional
        initial_epoch : int
            Where counting starts, to go on with earlier training.
        steps_per_epoch, validation_steps : None
            Not supported: an epoch is all of the data.
        validation_batch_size : int, optional
        validation_freq : int or list of int
            Validate every so many epochs, or after these (counted from 1).

        Returns
        -------
        History
            ``history.history["loss"]`` and so on, a value for each epoch.

        Raises
        ------
        ValueError, TypeError
            For bad data or settings, before anything is trained.
        NonFiniteError
            When the loss turns NaN or infinite: in which epoch, batch, layer and array first.
        """
        from rnn_core.callbacks import CallbackList

        self._require_loss("fit")
        for name, value in (("steps_per_epoch", steps_per_epoch), ("validation_steps", validation_steps)):
            if value is not None:
                raise ValueError(f"fit: {name} is not supported, an epoch is all of the data; got {value!r}.")
        if not isinstance(shuffle, (bool, np.bool_)):
            raise ValueError(f"fit: shuffle must be True or False, got {shuffle!r}.")
        epochs = positive_int("fit", "epochs", epochs, 0)
        initial_epoch = positive_int("fit", "initial_epoch", initial_epoch, 0)
        data = self._checked_data(x, y, sample_weight, class_weight)
        validation: Data | None = None
        if validation_data is not None:
            vx, vy, vw = (*validation_data, None)[:3]
            validation = self._checked_data(vx, vy, vw, prefix="validation ")
        elif validation_split:
            data, validation = _split(data, real("fit", "validation_split", validation_split, 0, 1))
        batch_size = self._checked_batch_size(batch_size, len(data[0]))
        validation_size = 0
        if validation is not None:
            validation_size = self._checked_batch_size(
                validation_batch_size or batch_size, len(validation[0]), "validation_batch_size"
            )
        self.prepare_training()
        calls = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=_verbosity(verbose) != 0,
            model=self,
            verbose=_verbosity(verbose),
            epochs=epochs,
            steps=-(-len(data[0]) // batch_size),
        )
        steps = training.Steps(self, training=False)

        def validate(epoch: int) -> training.Logs:
            if validation is None or not _is_due(epoch, validation_freq):
                return {}
            logs = training.evaluate(self, validation, validation_size, calls, steps)
            return {f"val_{name}": value for name, value in logs.items()}

        training.train(self, data, batch_size, epochs, initial_epoch, bool(shuffle), calls, validate)
        assert self.history is not None
        return self.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss, or a list of it and the metrics, or with `return_dict` a dict of them by name.

        Dropout is off; regularizers count. Arguments are those of :meth:`fit`.
        """
        from rnn_core.callbacks import CallbackList

        self._require_loss("evaluate")
        if steps is not None:
            raise ValueError(f"evaluate: steps is not supported, all of the data is used; got {steps!r}.")
        data = self._checked_data(x, y, sample_weight)
        batch_size = self._checked_batch_size(batch_size, len(data[0]))
        calls = CallbackList(
            callbacks,
            add_progbar=_verbosity(verbose) != 0,
            model=self,
            verbose=_verbosity(verbose),
            epochs=1,
            steps=-(-len(data[0]) // batch_size),
        )
        return _result(training.evaluate(self, data, batch_size, calls), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: None = None,
        callbacks: Any = None,
    ) -> Array:
        """Return the outputs for `x`.

        Several threads may predict with one model at the same time.

        Parameters
        ----------
        x : array_like, shape (samples, ...)
        batch_size : int, optional
            How many samples are computed together. It changes speed and memory, not results beyond rounding; by
            default as many as stay in the processor's cache.
        verbose : {"auto", 0, 1, 2}
            "auto" shows progress only where it takes more than a second.
        steps : None
            Not supported.
        callbacks : list of Callback, optional

        Returns
        -------
        ndarray, shape (samples, ...)
        """
        if steps is not None:
            raise ValueError(f"predict: steps is not supported, all of the data is used; got {steps!r}.")
        x = self.checked_input(x)
        samples = len(x)
        if batch_size is None and samples == 1 and callbacks is None:  # nothing to cut up
            rows = 1 if self.input_shape is None or self.input_shape[0] is None else self.input_shape[0]
        elif batch_size is None:
            rows = self._predict_rows(x)
        else:
            rows = self._checked_batch_size(batch_size, samples)
        if rows >= samples and callbacks is None and verbose in ("auto", 0):
            with single_thread:
                return self._predict_batch(x)
        return self._predict_in_chunks(x, rows, verbose, callbacks)

    def _predict_rows(self, x: Array) -> int:
        """Return how many rows to predict together: what keeps the widest layer's hidden states in the cache."""
        if self.input_shape is not None and self.input_shape[0] is not None:
            return self._checked_batch_size(None, len(x))
        shape: Any = (1, *x.shape[1:])
        widest = math.prod(shape)
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
            widest = max(widest, math.prod(shape), getattr(layer, "units", 1) * (x.shape[1] if x.ndim == 3 else 1))
        return max(32, _PREDICT_FLOATS // int(widest))

    def _predict_batch(self, x: Array) -> Array:
        """Predict one batch with free records of its shape, or new ones: no two threads ever have the same."""
        free = self._free_passes.setdefault(x.shape, [])
        try:
            one = free.pop()  # taking from and adding to a list is atomic
        except IndexError:
            one = self.new_pass(x.shape)
        output = one.forward(x).copy(order="C")
        if len(free) < 8 and len(self._free_passes) < 16:
            free.append(one)
        return output

    def _predict_in_chunks(self, x: Array, rows: int, verbose: int | str, callbacks: Any) -> Array:
        from rnn_core.callbacks import CallbackList
        from rnn_core.progress import Progbar

        chunks = -(-len(x) // rows)
        show = 0 if verbose == "auto" else _verbosity(verbose)
        calls = CallbackList(callbacks, add_progbar=show != 0, model=self, verbose=show, epochs=1, steps=chunks)
        bar: Progbar | None = None
        output: Array | None = None
        began = time.monotonic()
        calls.on_predict_begin()
        with single_thread:
            for i in range(chunks):
                if calls.has_predict_batch_hooks:
                    calls.on_predict_batch_begin(i)
                part = self._predict_batch(np.ascontiguousarray(x[i * rows : (i + 1) * rows]))
                if output is None:
                    output = np.empty((len(x), *part.shape[1:]), part.dtype)
                output[i * rows : i * rows + len(part)] = part
                if calls.has_predict_batch_hooks:
                    calls.on_predict_batch_end(i, {"outputs": part})
                if verbose == "auto" and (bar is not None or time.monotonic() - began > _SLOW_SECONDS):
                    bar = bar or Progbar(target=chunks)
                    bar.update(i + 1)
        calls.on_predict_end()
        assert output is not None
        return output

    # Single batches.

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one training step on `x` as one batch; return its loss (and metrics) before the step."""
        self._require_loss("train_on_batch")
        x, y, weight = self._checked_data(x, y, sample_weight, class_weight)
        self.prepare_training()
        step = self._batch_steps(True).of(x, y)
        totals = training.Totals(self)
        with single_thread, np.errstate(over="ignore", invalid="ignore"):
            loss = step.train(x, y, weight)
            totals.add(loss, y, step.passes.output, weight, step.passes.output_mask)
        return _result(totals.logs(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return the loss (and metrics) of `x` as one batch."""
        self._require_loss("test_on_batch")
        data = self._checked_data(x, y, sample_weight)
        logs = training.evaluate(self, data, len(data[0]), steps=self._batch_steps(False))
        return _result(logs, return_dict)

    def predict_on_batch(self, x: Any) -> Array:
        """Return the outputs for `x` as one batch."""
        x = self.checked_input(x)
        with single_thread:
            return self._predict_batch(x)

    def _batch_steps(self, training_: bool) -> training.Steps:
        """Return records kept from one call of ``train_on_batch`` or ``test_on_batch`` to the next."""
        kept: training.Steps | None = self.__dict__.get("_kept_steps")
        if kept is None or kept.training != training_ or kept.vector is not self.vector or kept.loss is not self.loss:
            kept = self._kept_steps = training.Steps(self, training_)
        return kept

    def _forget_records(self) -> None:
        self._free_passes = {}
        self.__dict__.pop("_kept_steps", None)


def _verbosity(verbose: int | str) -> int:
    """Return 0, 1 or 2."""
    if verbose == "auto":
        return 1
    if verbose in (0, 1, 2):
        return int(verbose)
    raise ValueError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}.")


def _is_due(epoch: int, frequency: int | Sequence[int]) -> bool:
    """Whether there is a validation after this epoch (counted from 0)."""
    if isinstance(frequency, int):
        return (epoch + 1) % positive_int("fit", "validation_freq", frequency) == 0
    return epoch + 1 in frequency


def _split(data: Data, fraction: float) -> tuple[Data, Data]:
    """Cut the last part off for validation: rows floor(N * (1 - fraction)) and on."""
    samples = len(data[0])
    at = math.floor(samples * (1 - fraction))
    if at in (0, samples):
        raise ValueError(
            f"fit: validation_split={fraction} of {samples} samples leaves nothing for "
            f"{'training' if at == 0 else 'validation'}."
        )
    x, y, w = data
    return (x[:at], y[:at], None if w is None else w[:at]), (x[at:], y[at:], None if w is None else w[at:])


def _weights_of_classes(y: Array, class_weight: Mapping[int, float]) -> Array:
    """Return each sample's weight by its class: the label itself, or the place of the largest entry."""
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"class_weight needs one label a sample, got y of shape {y.shape}.")
    return np.array([float(class_weight.get(int(label), 1.0)) for label in labels])


def _result(logs: Mapping[str, float], return_dict: bool) -> Any:
    if return_dict:
        return dict(logs)
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _text(shape: InputShape) -> str:
    return "(" + ", ".join(["batch", *("any" if n is None else str(n) for n in shape[1:])]) + ")"
