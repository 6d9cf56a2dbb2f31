"""A recurrent network as a scikit-learn regressor: for ``Pipeline``, ``GridSearchCV``, ``TimeSeriesSplit``, joblib.

Needs scikit-learn: ``pip install 'rnn-core[sklearn]'``.

A search spreads over the machines of a Dask cluster as any scikit-learn estimator does::

    from dask.distributed import Client
    from joblib import parallel_backend

    client = Client("scheduler:8786")
    with parallel_backend("dask"):
        search.fit(X, y)
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import checks, optimizers
from rnn_core.callbacks import Callback, EarlyStopping
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.random import seeded

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("rnn_core.sklearn needs scikit-learn 1.6 or later: pip install 'rnn-core[sklearn]'") from error

Array = NDArray[Any]


class RNNRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """``SimpleRNN(units) - Dense(dense_units) ... - Dense(outputs)`` over the numbers of a row, one after the other.

    A row of X holds a window of `step` time steps, oldest first, each with all its features::

        [x1(t-2) x2(t-2)   x1(t-1) x2(t-1)   x1(t) x2(t)]        step=3: (3 time steps, 2 features)

    as ``Windows(..., layout="flat").inputs`` has them. Inputs and targets near 1 train best: put a ``StandardScaler``
    before it and a ``TransformedTargetRegressor`` around it.

    Parameters
    ----------
    units : int
        Hidden units of the recurrent layer.
    activation : str or function
        Of the recurrent layer and the Dense layers but the last, which is linear.
    dense_units : sequence of int
        Units of each Dense layer between the recurrent one and the last.
    step : int, optional
        Time steps in a row; by default each number is one. 1 gives the network the whole row at once, as the
        tutorial does.
    epochs : int
        Passes over the data; at most so many with `early_stopping`.
    batch_size : int or None
        None: all rows at once.
    loss : str or Loss
    optimizer : str or Optimizer
    learning_rate : float, optional
        By default the optimizer's own.
    early_stopping : bool
        Keep the last rows for validation, stop when their loss has not improved for `patience` epochs, and go back
        to the best epoch. Last, not drawn at random: in time series they are the newest.
    validation_fraction : float between 0 and 1
    patience : int
    verbose : {0, 1, 2}
        0 nothing, 1 a bar, 2 a line an epoch.
    random_state : int, RandomState or None
        An int gives the same bits in every fit. Only this estimator draws from it; other random numbers of the
        process stay as they are.

    Attributes
    ----------
    model_ : Sequential
        What was trained, for all that ``rnn_core`` can do with a model.
    history_ : dict of str to list of float
        "loss", and with early stopping "val_loss", a value for each epoch.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had names.

    Notes
    -----
    Computes in float32 where X is float32, otherwise in float64. Sample weights count by their ratios: they are
    divided by their mean. With ``batch_size=None`` a weight of 2 is the same as the row given twice; in smaller
    batches it is not, as rows meet in other batches.

    Examples
    --------
    >>> from rnn_core.series import Windows
    >>> train, test = Windows(np.sin(np.arange(300) / 4), step=8, layout="flat").split(0.8)
    >>> regressor = RNNRegressor(units=16, epochs=60, optimizer="adam", learning_rate=0.01, random_state=0)
    >>> regressor.fit(train.inputs, train.targets[:, 0]).score(test.inputs, test.targets[:, 0]) > 0.99
    True
    """

    def __init__(
        self,
        units: int = 32,
        activation: Any = "tanh",
        dense_units: Sequence[int] = (),
        step: int | None = None,
        epochs: int = 100,
        batch_size: int | None = 32,
        loss: Any = "mse",
        optimizer: Any = "rmsprop",
        learning_rate: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.units = units
        self.activation = activation
        self.dense_units = dense_units
        self.step = step
        self.epochs = epochs
        self.batch_size = batch_size
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array_like, shape (samples, step * features)
        y : array_like, shape (samples,) or (samples, outputs)
        sample_weight : array_like, shape (samples,), optional

        Raises
        ------
        ValueError
            For settings that make no sense, a row that is no whole number of time steps, NaN, or rows too few to
            keep some for validation.
        """
        X, y = validate_data(
            self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True, ensure_min_samples=1
        )
        self._single_output = y.ndim == 1
        targets = y.reshape(len(y), -1)  # (samples, outputs)
        x = self._sequences(X)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=x.dtype, ensure_non_negative=True)
            if not weights.any():  # newer versions of scikit-learn have said so by now
                raise ValueError("RNNRegressor: sample_weight must contain at least one non-zero number.")
            weights = weights / weights.mean()
        kept = self._kept_for_validation(len(x))
        train, validation = slice(0, len(x) - kept), slice(len(x) - kept, None)
        callbacks: list[Callback] = []
        options: dict[str, Any] = {}
        if kept:
            patience = checks.positive_int("RNNRegressor", "patience", self.patience, 0)
            callbacks.append(EarlyStopping("val_loss", patience=patience, restore_best_weights=True))
            validated = (x[validation], targets[validation], None if weights is None else weights[validation])
            options = {"validation_data": validated, "validation_batch_size": kept}
        epochs = checks.positive_int("RNNRegressor", "epochs", self.epochs)
        batch_size = len(x) if self.batch_size is None else self.batch_size
        batch_size = checks.positive_int("RNNRegressor", "batch_size", batch_size)
        with seeded(check_random_state(self.random_state).randint(2**31 - 1)):
            self.model_ = self._network(x, targets.shape[1])
            history = self.model_.fit(
                x[train],
                targets[train],
                batch_size,
                epochs,
                verbose=self.verbose,
                callbacks=callbacks,
                sample_weight=None if weights is None else weights[train],
                **options,
            )
        self.history_ = history.history
        return self

    def predict(self, X: Any) -> Array:
        """Return predictions, shape (samples,) or (samples, outputs), as y was."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        predicted: Array = self.model_.predict(self._sequences(X).astype(self.model_.dtype, copy=False), verbose=0)
        return predicted[:, 0] if self._single_output else predicted

    def _sequences(self, X: Array) -> Array:
        """Return the rows as sequences, shape (samples, step, features)."""
        numbers = X.shape[1]
        step = numbers if self.step is None else checks.positive_int("RNNRegressor", "step", self.step)
        if numbers % step:
            raise ValueError(
                f"RNNRegressor: a row of {numbers} numbers is no whole number of step={step} time steps: "
                f"{numbers} = step * features is needed."
            )
        return X.reshape(len(X), step, numbers // step)

    def _kept_for_validation(self, rows: int) -> int:
        if not checks.boolean("RNNRegressor", "early_stopping", self.early_stopping):
            return 0
        fraction = checks.real("RNNRegressor", "validation_fraction", self.validation_fraction, 0, 1, above=True)
        kept = max(1, round(fraction * rows))
        if kept >= rows:
            raise ValueError(
                f"RNNRegressor: validation_fraction={fraction} of {rows} sample{'s' if rows > 1 else ''} leaves none "
                "to train on: give more, a smaller fraction, or early_stopping=False."
            )
        return kept

    def _network(self, x: Array, outputs: int) -> Sequential:
        dtype = str(x.dtype)
        hidden: Any = self.dense_units
        if isinstance(hidden, str) or not np.iterable(hidden):
            raise TypeError(f"RNNRegressor: dense_units must be a sequence such as (16,), got {hidden!r}.")
        model = Sequential([Input(x.shape[1:], dtype=dtype), SimpleRNN(self.units, self.activation, dtype=dtype)])
        for units in hidden:
            model.add(Dense(units, self.activation, dtype=dtype))
        model.add(Dense(outputs, dtype=dtype))
        optimizer = optimizers.get(copy.deepcopy(self.optimizer))  # this fit's own: it remembers gradients
        if self.learning_rate is not None:
            optimizer.learning_rate = checks.real("RNNRegressor", "learning_rate", self.learning_rate, 0, above=True)
        model.compile(optimizer=optimizer, loss=copy.deepcopy(self.loss))
        return model
