"""``compile``, ``fit`` and ``evaluate``: how a model is trained and judged, argument by argument as in Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core import training
from rnn_core.blas import single_thread
from rnn_core.checks import positive_int, real
from rnn_core.compiled_metrics import CompiledMetrics, MetricsOfOutputs
from rnn_core.data import Data, all_finite, as_sample_weight, as_target, split_off, weighted_by_class
from rnn_core.lazy import Dataset
from rnn_core.predictor import Predictor, for_names, verbosity
from rnn_core.several import rows, shape_of

if TYPE_CHECKING:
    from rnn_core.callbacks import History


class Trainer(Predictor):
    """The part of a model that is trained and judged."""

    def __init__(self) -> None:
        super().__init__()
        self.loss: Any = None
        self.optimizer: Any = None
        self.compiled_metrics: CompiledMetrics | MetricsOfOutputs = CompiledMetrics()
        self.compiled = False
        self.stop_training = False
        self.history: History | None = None
        self._prepared: tuple[Any, Any, list[bool]] = (None, None, [])

    # Compiling.

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
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
            For a model with several outputs also a list of one for each, or a dict by the names of the outputs; an
            output whose loss is None is not trained on.
        loss_weights : list or dict of float, optional
            For several outputs: what each loss is multiplied by before they are added.
        metrics, weighted_metrics : list of str or Metric, optional
            Reported beside the loss; the weighted ones take sample weights into account. For several outputs a list of
            such lists, or a dict.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Accepted and without effect: there is no graph, and float16 is not supported.

        Raises
        ------
        ValueError
            For unknown names, with the nearest known one.
        """
        if len(self.graph.outputs) > 1:
            self._compile_several(optimizer, loss, loss_weights, metrics, weighted_metrics)
            return
        if loss_weights is not None:
            raise ValueError(f"compile: loss_weights is for several outputs, the model has one; got {loss_weights!r}.")
        from rnn_core import losses, optimizers

        by_shape = isinstance(loss, str) and loss.lower() in ("crossentropy", "ce")  # which one, the data will say
        self.optimizer, self.loss, self.compiled_metrics = (  # all or, where a name is unknown, none
            optimizers.get(optimizer),
            loss if loss is None or by_shape else losses.get(loss),
            CompiledMetrics(metrics, weighted_metrics),
        )
        self.compiled = True

    def _compile_several(self, optimizer: Any, loss: Any, coefficients: Any, metrics: Any, weighted: Any) -> None:
        """Choose a loss and metrics for each output."""
        from rnn_core import losses, optimizers
        from rnn_core.losses.several import LossOfOutputs, for_outputs

        names = self.output_names
        entries = for_outputs(loss, "compile: loss", names, all_alike=True)
        factors = for_outputs(coefficients, "compile: loss_weights", names)
        made_optimizer, made_loss, made_metrics = (
            optimizers.get(optimizer),
            LossOfOutputs(
                [None if entry is None else losses.get(entry) for entry in entries],
                [1.0 if c is None else real("compile", "loss_weights", c) for c in factors],
                names,
            ),
            MetricsOfOutputs(metrics, weighted, names),
        )
        self.optimizer, self.loss, self.compiled_metrics = made_optimizer, made_loss, made_metrics
        if all(entry is None for entry in entries):
            self.loss = None
        self.compiled = True

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns."""
        return ["loss", *getattr(self.loss, "named", ()), *(name for name, _ in self.compiled_metrics.all)]

    def get_compile_config(self) -> dict[str, Any]:
        """Return what the model was compiled with, as Keras writes it."""
        from rnn_core import losses, optimizers
        from rnn_core.losses.several import LossOfOutputs

        self._require_compiled("get_compile_config")
        config = {"optimizer": optimizers.serialize(self.optimizer), "loss": self.loss}
        if isinstance(self.loss, LossOfOutputs):
            config |= {"loss": self.loss.get_config(), "loss_weights": self.loss.coefficients}
        elif self.loss is not None and not isinstance(self.loss, str):
            config["loss"] = losses.serialize(self.loss)
        return config | self.compiled_metrics.get_config()

    def _require_compiled(self, action: str) -> None:
        if not self.compiled:
            raise ValueError(f"{action}: model {self.name!r} is not compiled. Call model.compile(loss=...) first.")

    def _require_loss(self, action: str) -> None:
        self._require_compiled(action)
        if self.loss is None:
            raise ValueError(f"{action}: model {self.name!r} was compiled without a loss.")

    def prepare_training(self) -> None:
        """Tie the optimizer to the model's vectors, again after layers were frozen or the model was rebuilt."""
        self.follow_layers()
        frozen = [not layer.trainable for layer in self.layers]
        vector, optimizer, was_frozen = self._prepared
        if vector is self.vector and optimizer is self.optimizer and was_frozen == frozen:
            return
        tensors: list[slice] = []  # in Keras' order of weights
        trainable: list[slice] = []
        start = 0
        for layer in self.layers:
            places = {}
            for spec in layer.memory_specs:
                places[spec.name] = slice(start, start + spec.size)
                start += spec.size
            tensors += [places[spec.name] for spec in layer.specs]
            if layer.trainable:
                trainable += places.values()
        self.optimizer.build(self.vector, self.d_vector, tensors, trainable)
        self._prepared = (self.vector, self.optimizer, frozen)

    def _check_weights(self) -> None:
        """Refuse to train on from weights that are not finite: the loss would only say so later."""
        if not all_finite(self.vector):
            for layer in self.layers:
                for spec, weight in zip(layer.specs, layer.weights, strict=True):
                    if not all_finite(weight):
                        raise ValueError(f"fit: weight {spec.name!r} of layer {layer.name!r} holds NaN or infinity.")

    def _checked_data(self, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> Data:
        """Return inputs, targets and weights as arrays of equal length."""
        if isinstance(x, Dataset):
            if y is not None:
                raise ValueError(f"{prefix}y must be left out: x is {type(x).__name__}, which holds the targets.")
            x, y = x.arrays()
        x = self.checked_input(x, prefix + "x")
        if y is None:
            raise ValueError(f"{prefix}y is missing: a loss needs targets.")
        if len(self.graph.outputs) > 1:
            return self._checked_several(x, y, sample_weight, prefix)
        y = as_target(prefix + "y", y, self.dtype)
        if len(y) != rows(x):
            raise ValueError(f"{prefix}x and {prefix}y must have as many samples, got {rows(x)} and {len(y)}.")
        output_shape = self._output_shape_for(shape_of(x))
        if isinstance(self.loss, str):
            from rnn_core import losses

            self.loss = losses.get_for_shapes(self.loss, y.shape, output_shape)
        try:
            _, compared = self.loss.check_shapes(y.shape, output_shape)
            self.loss.check_values(y, output_shape)
        except ValueError as error:
            raise ValueError(f"{prefix}y: {error}") from None
        self.compiled_metrics.build(y.shape, output_shape)
        if sample_weight is not None:
            from rnn_core.losses.shapes import fit_weights

            sample_weight = as_sample_weight(prefix + "sample_weight", sample_weight, len(y), self.dtype)
            fit_weights(prefix + self.loss.name, sample_weight, tuple(np.delete(compared, self.loss.axis).tolist()))
        return x, y, sample_weight

    def _checked_several(self, x: Any, y: Any, sample_weight: Any, prefix: str) -> Data:
        """Return the data of a model with several outputs: lists of targets, and of sample weights if there are any."""
        from rnn_core.losses.several import for_outputs

        names = [f"{prefix}y[{name!r}]" for name in self.output_names]
        targets = for_names(y, f"{prefix}y", self.output_names)
        y = [as_target(name, target, self.dtype) for name, target in zip(names, targets, strict=True)]
        for name, target in zip(names, y, strict=True):
            if len(target) != rows(x):
                raise ValueError(f"{prefix}x and {name} must have as many samples, got {rows(x)} and {len(target)}.")
        output_shapes = self._output_shape_for(shape_of(x))
        try:
            self.loss.check_shapes(shape_of(y), output_shapes)
            self.loss.check_values(y, output_shapes)
        except ValueError as error:
            raise ValueError(f"{prefix}y: {error}") from None
        self.compiled_metrics.build(shape_of(y), output_shapes)
        if sample_weight is not None:
            given = for_outputs(sample_weight, f"{prefix}sample_weight", self.output_names, all_alike=True)
            sample_weight = [
                None if w is None else as_sample_weight(f"{prefix}sample_weight[{name!r}]", w, rows(x), self.dtype)
                for name, w in zip(self.output_names, given, strict=True)
            ]
            self.loss.check_weights(sample_weight, shape_of(y), output_shapes, f"{prefix}sample_weight")
        return x, y, sample_weight

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
            Array, list of one array, Series or DataFrame; a list, or a dict by name, for several inputs; or
            :class:`rnn_core.series.Windows`, which bring their y.
        y : array_like, shape (samples, ...)
            A list, or a dict by name, for several outputs.
        batch_size : int
            Default 32. The last batch of an epoch may be smaller.
        epochs : int
            The number of the last epoch.
        verbose : {"auto", 0, 1, 2}
            0 nothing, 1 a bar, 2 a line an epoch; "auto" is 1.
        callbacks : list of Callback, optional
        validation_split : float from 0 to 1
            The last part of the data, before shuffling, that is kept for validation.
        validation_data : tuple of x, y and optionally sample weights, or Windows
        shuffle : bool
            Before each epoch; more than 2**20 samples, as :meth:`rnn_core.data.Batches.reshuffled` says.
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
        validation_freq = _checked_frequency(validation_freq)
        data = self._checked_data(x, y, sample_weight)
        validation: Data | None = None
        if isinstance(validation_data, Dataset):
            validation = self._checked_data(validation_data, None, None, prefix="validation ")
        elif validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                got = f"{len(validation_data)} entries" if isinstance(validation_data, (tuple, list)) else "no tuple"
                raise ValueError(f"fit: validation_data must be (x, y) or (x, y, sample_weight), got {got}.")
            vx, vy, vw = (*validation_data, None)[:3]
            validation = self._checked_data(vx, vy, vw, prefix="validation ")
        elif validation_split:
            data, validation = split_off(data, real("fit", "validation_split", validation_split, 0, 1))
        data = weighted_by_class(data, class_weight)  # as in Keras, not what is split off
        batch_size = self._checked_batch_size(batch_size, rows(data[0]))
        validation_size = 0
        if validation is not None:
            validation_size = self._checked_batch_size(
                batch_size if validation_batch_size is None else validation_batch_size,
                rows(validation[0]),
                "validation_batch_size",
            )
        self.prepare_training()
        self._check_weights()
        calls = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbosity(verbose) != 0,
            model=self,
            verbose=verbosity(verbose),
            epochs=epochs,
            steps=-(-rows(data[0]) // batch_size),
            **({} if validation is None or validation_freq == 1 else {"validation_freq": validation_freq}),
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
        batch_size = self._checked_batch_size(batch_size, rows(data[0]))
        calls = CallbackList(
            callbacks,
            add_progbar=verbosity(verbose) != 0,
            model=self,
            verbose=verbosity(verbose),
            epochs=1,
            steps=-(-rows(data[0]) // batch_size),
        )
        return _result(training.evaluate(self, data, batch_size, calls), return_dict)

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
        x, y, weight = weighted_by_class(self._checked_data(x, y, sample_weight), class_weight)
        self.prepare_training()
        step = self._batch_steps(True).of(x, y)
        totals = training.Totals(self)
        with single_thread, np.errstate(over="ignore", invalid="ignore"):
            loss = step.train(x, y, weight)
            totals.add(loss, rows(x), step, y, weight)
        return _result(totals.logs(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return the loss (and metrics) of `x` as one batch."""
        self._require_loss("test_on_batch")
        data = self._checked_data(x, y, sample_weight)
        logs = training.evaluate(self, data, rows(data[0]), steps=self._batch_steps(False))
        return _result(logs, return_dict)

    def _batch_steps(self, training_: bool) -> training.Steps:
        """Return records kept from one call of ``train_on_batch`` or ``test_on_batch`` to the next."""
        kept: training.Steps | None = self.__dict__.get("_kept_steps")
        if kept is None or kept.training != training_ or not kept.are_for(self):
            kept = self._kept_steps = training.Steps(self, training_)
        return kept

    def _forget_records(self) -> None:
        super()._forget_records()
        self.__dict__.pop("_kept_steps", None)


def _checked_frequency(frequency: Any) -> int | list[int]:
    if isinstance(frequency, (list, tuple, set, range)):
        return [positive_int("fit", "every entry of validation_freq", epoch) for epoch in frequency]
    return positive_int("fit", "validation_freq", frequency)


def _is_due(epoch: int, frequency: int | Sequence[int]) -> bool:
    """Whether there is a validation after this epoch (counted from 0)."""
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _result(logs: Mapping[str, float], return_dict: bool) -> Any:
    if return_dict:
        return dict(logs)
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
