"""The networks of the contest: how each reads the table, what it is made of and how it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.callbacks import EarlyStopping
from rnn_core.layers import Dense, Input, JordanRNN, Layer, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.optimizers import Adam
from rnn_core.random import seeded
from rnn_core.regularizers import L2
from rnn_core.series.windows import Windows

if TYPE_CHECKING:
    pass

Array = NDArray[Any]

UNITS, LEARNING_RATE = 16, 0.003
EPOCHS, PATIENCE = 600, 30
VALIDATION = 0.15
"""The part of the training rows, the last, whose error says when to stop."""
LEAST_WEIGHT = 0.25
"""What a count of 0 weighs in training on square roots, as a part of what the mean count adds."""


@dataclass(frozen=True)
class Network:
    """How a network reads the table and what it is made of.

    Attributes
    ----------
    title : str
    windows : function of (step, lags)
        The arguments of :class:`Windows`.
    layers : function of (units, outputs, l2)
    penalty : float
        L2 on every kernel, divided by the number of windows: so that the penalty weighs against the sum of squared
        errors, not their mean, and more data outvote it.
    """

    title: str
    windows: Callable[[int, int], dict[str, Any]]
    layers: Callable[[int, int, L2], list[Layer]]
    penalty: float

    def build(self, windows: Windows) -> Sequential:
        """Return a new network for such windows, compiled."""
        l2 = L2(self.penalty / len(windows))
        model = Sequential([Input(windows.input_shape), *self.layers(UNITS, windows.outputs, l2)])
        model.compile(optimizer=Adam(LEARNING_RATE), loss="mse")
        return model

    def fit(self, windows: Windows, seed: int, counts: bool = False) -> Sequential:
        """Train: find the number of epochs on the last rows, then train anew on all for so many.

        With `counts` the windows hold square roots, and errors weigh as those of the counts: see :func:`as_counts`.
        """
        first, stop = windows.target_rows[0, 0], windows.end
        cut = stop - max(1, round(VALIDATION * (stop - first)))
        early, late = windows.between(first, cut), windows.between(cut, stop)
        options: dict[str, Any] = {"batch_size": batch_size(len(windows)), "verbose": 0}
        stopping = EarlyStopping(patience=PATIENCE)
        weights = as_counts if counts else lambda part: None
        judged_by = (late.inputs, late.targets, weights(late))
        with seeded(seed):
            self.build(early).fit(
                early, sample_weight=weights(early), validation_data=judged_by, epochs=EPOCHS, callbacks=[stopping],
                **options,
            )  # fmt: skip
        with seeded(seed):
            model = self.build(windows)
            model.fit(windows, sample_weight=weights(windows), epochs=stopping.best_epoch + 1, **options)
        return model


def as_counts(windows: Windows) -> Array:
    """Return weights with which the squared errors of square roots are about those of the counts y, shape (n,).

    ::

        y = r²,   dy = 2 r dr,   so   dy² ~ y dr²          weight = y + LEAST_WEIGHT * mean of y, over its mean

    Examples
    --------
    >>> as_counts(Windows(np.sqrt([3.0, 4.0, 0.0, 8.0]), step=1)).round(6)
    array([1. , 0.2, 1.8])
    """
    counts = windows.table.values[windows.target_rows[:, 0], windows.target_columns[0]] ** 2
    weights = counts + LEAST_WEIGHT * counts.mean()
    return np.asarray(weights / weights.mean() if weights.any() else np.ones(len(weights)))


def batch_size(windows: int) -> int:
    """Return 16 for up to 2,000 windows, then more, so that an epoch has at most about 128 steps; at most 256."""
    return min(256, max(16, windows // 128))


def _mlp(units: int, outputs: int, l2: L2) -> list[Layer]:
    return [Dense(units, "relu", kernel_regularizer=l2), Dense(outputs, kernel_regularizer=l2)]


def _elman(units: int, outputs: int, l2: L2) -> list[Layer]:
    recurrent = SimpleRNN(units, "relu", kernel_regularizer=l2, recurrent_regularizer=l2)
    return [recurrent, Dense(outputs, kernel_regularizer=l2)]


def _jordan(units: int, outputs: int, l2: L2) -> list[Layer]:
    return [
        JordanRNN(
            units,
            outputs,
            "tanh",
            decay=0.7,
            kernel_regularizer=l2,
            recurrent_regularizer=l2,
            output_regularizer=l2,
        )
    ]


NETWORKS = {
    "mlp": Network("all rows of the window at once", lambda step, lags: {"step": step, "layout": "flat"}, _mlp, 6.0),
    "elman": Network("row after row, the hidden state fed back", lambda step, lags: {"step": step}, _elman, 2.0),
    "jordan": Network("row after row, the output fed back", lambda step, lags: {"step": step}, _jordan, 2.0),
    "narx": Network(
        "two rows, each with all lags of the target, the hidden state fed back",
        lambda step, lags: {"step": 2, "lags": lags - 1}, _elman, 6.0,
    ),
}  # fmt: skip
"""By the name on the command line.

ReLU: of what is larger than all that was trained on, a piecewise linear network still makes more, where tanh saturates.
Jordan's has tanh all the same: what it feeds back would grow without bounds.
"""
