"""``fit`` and ``evaluate``: how a model is trained and judged, argument by argument as in Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_core.blas import single_thread
from rnn_core.checks import positive_int, real
from rnn_core.data import Data, split_off, weighted_by_class
from rnn_core.engine import loop
from rnn_core.engine.data import Supervised
from rnn_core.engine.predictor import verbosity
from rnn_core.lazy import Dataset
from rnn_core.several import rows

if TYPE_CHECKING:
    from rnn_core.callbacks import History


class Trainer(Supervised):
    """The part of a model that is trained and judged."""

    def __init__(self) -> None:
        super().__init__()
        self.stop_training = False
        self.history: History | None = None

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
        steps = loop.Steps(self, training=False)

        def validate(epoch: int) -> loop.Logs:
            if validation is None or not _is_due(epoch, validation_freq):
                return {}
            logs = loop.evaluate(self, validation, validation_size, calls, steps)
            return {f"val_{name}": value for name, value in logs.items()}

        loop.train(self, data, batch_size, epochs, initial_epoch, bool(shuffle), calls, validate)
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
        return _result(loop.evaluate(self, data, batch_size, calls), return_dict)

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
        totals = loop.Totals(self)
        with single_thread, np.errstate(over="ignore", invalid="ignore"):
            loss = step.train(x, y, weight)
            totals.add(loss, rows(x), step, y, weight)
        return _result(totals.logs(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return the loss (and metrics) of `x` as one batch."""
        self._require_loss("test_on_batch")
        data = self._checked_data(x, y, sample_weight)
        logs = loop.evaluate(self, data, rows(data[0]), steps=self._batch_steps(False))
        return _result(logs, return_dict)

    def reset_metrics(self) -> None:
        """Forget what the metrics have added up; ``fit``, ``evaluate`` and those of one batch begin with it."""
        for _, metric in self.compiled_metrics.all:
            metric.reset_state()

    def _batch_steps(self, training: bool) -> loop.Steps:
        """Return records kept from one call of ``train_on_batch`` or ``test_on_batch`` to the next."""
        kept: loop.Steps | None = self.__dict__.get("_kept_steps")
        if kept is None or kept.training != training or not kept.are_for(self):
            kept = self._kept_steps = loop.Steps(self, training)
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
        return dict(sorted(logs.items()))  # in Keras' order
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
