"""``worksheet``: a small network with small round numbers, to be computed by hand, and the answers by the engine.

Weights and inputs are multiples of 1/2, and the activation is relu or linear, so every number is a multiple of 1/8:
none needs more than three decimals.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import one_of, positive_int
from rnn_core.inspection.bptt import bptt
from rnn_core.inspection.pages import html
from rnn_core.inspection.pages.exercise_page import page
from rnn_core.inspection.traces.tracing import trace
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

Array = NDArray[Any]

ACTIVATIONS = ("relu", "linear")
MOST_UNITS, MOST_STEPS = 3, 4
LARGEST = 9
"""No number is larger than this."""

EIGHTHS = 8
ATTEMPTS = 20_000


class Worksheet:
    """An exercise and its answers.

    Attributes
    ----------
    model : Sequential
        SimpleRNN(units), then Dense(1) without a bias, in float64.
    x, y : ndarray, shapes (1, timesteps, 1) and (1, 1)
    trace : Trace
        The pass that the answers show.
    exercise, answers : str
        Two pages of HTML.
    """

    def __init__(self, model: Sequential, x: Array, y: Array, name: str) -> None:
        self.model, self.x, self.y = model, x, y
        self.trace = trace(model, x, y)
        items = bptt(self.trace)
        self.exercise = page(self.trace, items, name, answers=False)
        self.answers = page(self.trace, items, name, answers=True)

    def save(self, folder: Any = ".") -> list[Path]:
        """Write ``worksheet.html`` and ``worksheet-answers.html`` into `folder`, and return their paths."""
        folder = Path(folder)
        pages = {"worksheet.html": self.exercise, "worksheet-answers.html": self.answers}
        return [html.write(folder / name, content) for name, content in pages.items()]


def worksheet(*, units: int = 2, timesteps: int = 3, activation: str = "relu", seed: int = 0) -> Worksheet:
    """Return an exercise: one sample forwards and backwards through time, with numbers that are easy by hand.

    Parameters
    ----------
    units : int
        1, 2 or 3 hidden units.
    timesteps : int
        From 2 to 4.
    activation : {"relu", "linear"}
        With relu, of several units at least one is off at some step, and the gradient reaches the first step all
        the same.
    seed : int
        Another seed, another sheet.

    Returns
    -------
    Worksheet

    Raises
    ------
    ValueError
        For arguments outside of these.

    Examples
    --------
    >>> sheet = worksheet(units=1, timesteps=2, seed=1)
    >>> sheet.trace["rnn"].hidden.shape, float(sheet.trace.loss * 4).is_integer()
    ((1, 3, 1), True)
    """
    units = _between("units", units, 1, MOST_UNITS)
    timesteps = _between("timesteps", timesteps, 2, MOST_STEPS)
    one_of("worksheet", "activation", activation, ACTIVATIONS)
    seed = positive_int("worksheet", "seed", seed, 0)
    model = Sequential(
        [
            Input((timesteps, 1), dtype="float64", name="x"),
            SimpleRNN(units, activation, dtype="float64", name="rnn"),
            Dense(1, use_bias=False, dtype="float64", name="out"),
        ]
    )
    model.compile(loss="mse", optimizer="sgd")
    draws = np.random.default_rng(seed)
    for _ in range(ATTEMPTS):
        x, y = _draw_numbers(model, draws, timesteps)
        if _suits(model, x, y):
            name = f"{units} unit{'s' if units > 1 else ''}, {timesteps} steps, {activation}, sheet {seed}"
            return Worksheet(model, x, y, name)
    raise RuntimeError(f"worksheet: no round numbers found for seed {seed}.")  # no setting is known to get here


def _draw_numbers(model: Sequential, draws: np.random.Generator, timesteps: int) -> tuple[Array, Array]:
    """Give the model new weights, and return one sample whose error is a round number too."""
    units = model.layers[0].output_shape[-1]
    model.set_weights(
        [
            draws.choice([-1, -0.5, 0.5, 1], (1, units)),
            draws.choice([-1, -0.5, 0, 0.5, 1], (units, units)),
            draws.choice([-0.5, 0, 0.5, 1], units),
            draws.choice([-1, 0.5, 1, 2], (units, 1)),
        ]
    )
    x = draws.choice([-2, -1, 1, 2, 3], (1, timesteps, 1)).astype(float)
    error = draws.choice([-1, -0.5, 0.5, 1])
    return x, np.asarray(model.predict(x, verbose=0)) - error


def _suits(model: Sequential, x: Array, y: Array) -> bool:
    """Whether all numbers are round and small, and the exercise shows what it should."""
    items = bptt(trace(model, x, y))
    part = items.trace
    numbers = [part.preactivation, part.hidden, items.d_hidden, items.d_preactivation, y, *items.d_weights.values()]
    everything = np.concatenate([a.ravel() for a in numbers])
    round_numbers = bool((everything * EIGHTHS % 1 == 0).all() and np.abs(everything).max() <= LARGEST)
    off = (part.preactivation < 0).any()
    on_a_kink = part.activation.name == "relu" and bool((part.preactivation == 0).any())
    both = part.activation.name == "relu" and part.preactivation.shape[2] > 1  # one unit that is off stops everything
    reaches = bool(items.d_preactivation[:, 0].any()) and bool(items.d_weights["recurrent_kernel"].any())
    connected = np.count_nonzero(part.layer.recurrent_kernel) >= part.layer.recurrent_kernel.size - 1
    return round_numbers and reaches and bool(connected) and (not both or bool(off)) and not on_a_kink


def _between(argument: str, value: Any, low: int, high: int) -> int:
    if positive_int("worksheet", argument, value, low) > high:
        raise ValueError(f"worksheet: {argument} must be from {low} to {high}, got {value}.")
    return int(value)
