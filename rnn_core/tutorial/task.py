"""The tutorial, end to end: a noisy sine, windows of it, and an Elman network that predicts the next value.

    x = sin(0.02 t) + 2 * rand, t = 0..999     800 samples to train on, the last 200 to test
    windows of `step` values -> next value     (800, 1, step) as the tutorial has it, or (800, step, 1)
    SimpleRNN(32, relu) - Dense(8, relu) - Dense(1), mean squared error, RMSprop, 100 epochs in batches of 16

``rnn-core tutorial`` runs it and prints what comes out: see ``command.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.callbacks import Callback
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.random import set_random_seed
from rnn_core.series import Layout, Windows, baselines, mean_squared_error, score_table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

SAMPLES, TRAIN_SAMPLES = 1000, 800
NOISE_VARIANCE = 2**2 / 12  # of 2 * rand, uniform on [0, 2): a third
NETWORK, TRUTH = "SimpleRNN network", "true sine + 1"


def noise_free(t: Array) -> Array:
    """Return ``sin(0.02 t) + 1``, the mean of the series: no predictor of new samples is better."""
    result: Array = np.sin(0.02 * t) + 1
    return result


def noisy_sine(seed: int) -> Array:
    """Return ``sin(0.02 t) + 2 * rand``, shape (1000,).

    `rand` is what the tutorial's ``np.random.rand(1000)`` gives after ``set_random_seed(seed)``, here and in Keras.
    """
    t = np.arange(SAMPLES)
    series: Array = np.sin(0.02 * t) + 2 * np.random.RandomState(seed).rand(SAMPLES)
    return series


def build_model(timesteps: int, features: int, dtype: str = "float32") -> Sequential:
    """Return the tutorial's network, compiled.

    Examples
    --------
    >>> build_model(1, 4).count_params(), build_model(4, 1).count_params()
    (1457, 1361)
    """
    model = Sequential(
        [
            Input(shape=(timesteps, features), dtype=dtype),
            SimpleRNN(32, activation="relu", dtype=dtype),
            Dense(8, activation="relu", dtype=dtype),
            Dense(1, dtype=dtype),
        ]
    )
    model.compile(loss="mean_squared_error", optimizer="rmsprop")
    return model


class Tutorial:
    """The task with its data and its model: fit, predict, score.

    A seed fixes all that chance has a part in: the series, the initial weights and the shuffles.

    Parameters
    ----------
    seed : int
        Also sets the seed of everything else that is drawn in this process.
    step : int
        Values in a window.
    layout : {"1xstep", "stepx1"}
        See :class:`rnn_core.series.Windows`.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    series : ndarray, shape (1000,)
    train, test : Windows
        800 and 200 windows, each part padded by repeating its last value `step` times.
    timesteps, features : int
        The shape in which a window enters the model.
    model : Sequential
    losses : list of float
        The train loss of every epoch so far.

    Examples
    --------
    >>> tutorial = Tutorial(seed=1).fit(epochs=3)
    >>> len(tutorial.losses), tutorial.predict(tutorial.test).shape, tutorial.recurrent_kernel_change()
    (3, (200, 1), 0.0)
    """

    def __init__(self, seed: int = 0, step: int = 4, layout: Layout = "1xstep", dtype: str = "float32") -> None:
        set_random_seed(seed)
        self.layout = layout
        self.series = noisy_sine(seed)
        self.train = Windows(self.series[:TRAIN_SAMPLES], step, layout=layout, pad=True)
        self.test = Windows(self.series[TRAIN_SAMPLES:], step, layout=layout, start=TRAIN_SAMPLES, pad=True)
        self.timesteps, self.features = self.train.input_shape
        self.model = build_model(self.timesteps, self.features, dtype)
        self.initial_recurrent_kernel = self.recurrent_kernel.copy()
        self.losses: list[float] = []

    @property
    def recurrent_kernel(self) -> Array:
        """U of the SimpleRNN, shape (32, 32)."""
        _, recurrent_kernel, _ = self.model.layers[0].get_weights()
        return np.asarray(recurrent_kernel)

    def recurrent_kernel_change(self) -> float:
        """Return ||U - U_initial||, the Frobenius norm; 0.0 means the same bit for bit."""
        if np.array_equal(self.recurrent_kernel, self.initial_recurrent_kernel):
            return 0.0
        return float(np.linalg.norm(self.recurrent_kernel - self.initial_recurrent_kernel))

    def fit(
        self, epochs: int = 100, batch_size: int = 16, verbose: int = 0, callbacks: list[Callback] | None = None
    ) -> Self:
        """Train on the train windows; the arguments are those of ``Model.fit``."""
        history = self.model.fit(self.train, epochs=epochs, batch_size=batch_size, verbose=verbose, callbacks=callbacks)
        self.losses += history.history["loss"]
        return self

    def predict(self, windows: Windows) -> Array:
        """Return the network's prediction of each window's target, shape (n, 1)."""
        predicted: Array = self.model.predict(windows, verbose=0)
        return predicted

    def evaluate(self, windows: Windows) -> float:
        """Return the network's loss on `windows`, as ``Model.evaluate`` computes it."""
        return float(self.model.evaluate(windows, verbose=0))

    def noise_free_loss(self, windows: Windows) -> float:
        """Return the mean squared error of the noise-free series on `windows`: the noise's own luck."""
        return mean_squared_error(windows.targets, noise_free(windows.positions))

    def scores(self) -> pd.DataFrame:
        """Return mean squared errors: of the network, of the noise-free series, of the baselines, best on test first.

        The baselines are fitted on the train windows only. Columns "train" and "test" count every window, as the
        tutorial does; "train, measured" and "test, measured" leave out the targets that padding repeated, and
        order the baselines: persistence predicts a repeat without an error.
        """
        fitted = [baseline.fit(self.train) for baseline in baselines()]
        table = score_table(
            {
                NETWORK: self.predict,
                TRUTH: lambda windows: noise_free(windows.positions),
                **{baseline.name: baseline.predict for baseline in fitted},
            },
            {
                "train": self.train,
                "test": self.test,
                "train, measured": self.train.without_padding(),
                "test, measured": self.test.without_padding(),
            },
        )
        order = [NETWORK, TRUTH, *table.index[2:][np.argsort(table["test, measured"].to_numpy()[2:], kind="stable")]]
        return table.loc[order]
