"""Two networks on the tutorial's data, trained with many seeds: their losses, and whether they differ.

Both see the same series with each seed, so their losses are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.figures import BLUE, GREY, VERMILLION, blank_figure, finish
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.random import set_random_seed
from rnn_core.series import Layout
from rnn_core.tutorial.task import Tutorial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
Progress = Callable[[str], Any]

CLEAR = 0.05
"""A difference is called clear if chance alone makes one as large in fewer cases than these, 1 in 20."""

MOST_FLIPS = 14
"""Up to so many seeds all ways to flip the signs are counted; beyond them 2**14 are drawn."""


@dataclass(frozen=True)
class Losses:
    """Final losses of one architecture, a value for each seed."""

    train: Array
    test: Array
    parameters: int


def without_dense_8(timesteps: int, features: int) -> Sequential:
    """Return the tutorial's network without its middle layer, compiled."""
    model = Sequential([Input((timesteps, features)), SimpleRNN(32, activation="relu"), Dense(1)])
    model.compile(loss="mean_squared_error", optimizer="rmsprop")
    return model


def losses_of(
    build: Callable[[int, int], Sequential], seeds: Sequence[int], epochs: int, layout: Layout, tell: Progress
) -> Losses:
    """Train what `build` returns once for each seed, which fixes the series, the weights and the shuffles."""
    train, test = [], []
    for number, seed in enumerate(seeds, 1):
        tell(f"seed {seed}, {number} of {len(seeds)}")
        tutorial = Tutorial(seed, layout=layout)
        set_random_seed(seed)  # the same draws for each architecture
        model = tutorial.model = build(tutorial.timesteps, tutorial.features)
        tutorial.fit(epochs)
        train.append(tutorial.evaluate(tutorial.train))
        test.append(tutorial.evaluate(tutorial.test))
    return Losses(np.array(train), np.array(test), model.count_params())


def chance_of(differences: Array) -> float:
    """Return how often chance alone gives a mean as far from 0, if each difference is as often positive as negative.

    The sign-flip test (R. A. Fisher, The design of experiments, 1935, section 21): exact, and it assumes no normal
    distribution.

    Examples
    --------
    >>> chance_of(np.array([1.0, 2.0, 3.0]))  # of 8 ways to flip the signs 2 give a mean as far from 0
    0.25
    """
    count = len(differences)
    if count <= MOST_FLIPS:
        signs = 1 - 2 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
    else:
        signs = np.random.default_rng(0).choice([-1, 1], (2**MOST_FLIPS, count))
    means = np.abs(signs @ differences)
    return float(np.mean(means >= np.abs(differences.sum()) * (1 - 1e-9)))


def difference_in_words(name: str, losses: Array, others: Array) -> str:
    """Say whether `losses` differ from `others`, seed by seed, by more than chance explains.

    Examples
    --------
    >>> print(difference_in_words("it", np.array([1.0, 1.1, 0.9]), np.array([2.0, 2.1, 1.9])))
    with it the loss is lower by 1.0000 ± 0.0000 (mean and its standard error over 3 seeds). Chance alone makes
    a difference as large in 25 of 100 cases: **no clear difference**.
    """
    differences = losses - others
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))
    chance = chance_of(differences)
    cases = f"{100 * chance:.2g} of 100 cases"
    return (
        f"with {name} the loss is {'lower' if mean < 0 else 'higher'} by {abs(mean):.4f} ± {error:.4f} (mean and its "
        f"standard error over {len(differences)} seeds). Chance alone makes a difference as large in {cases}: "
        + ("**a clear difference**." if chance < CLEAR else "**no clear difference**.")
    )


def conclusion(name: str, losses: Losses, others: Losses) -> str:
    """Say what the losses on both parts mean for the one with `name`."""
    better = {
        part: getattr(losses, part).mean() < getattr(others, part).mean()
        and chance_of(getattr(losses, part) - getattr(others, part)) < CLEAR
        for part in ("train", "test")
    }
    if better["test"]:
        return f"**So {name} forecasts better**, on this task and with these settings."
    if better["train"]:
        return f"**So {name} fits better what it was trained on, and does not forecast better** what it has not seen."
    return f"**So nothing here speaks for {name}**, on this task and with these settings."


def paired(seeds: Sequence[int], losses: dict[str, Losses]) -> Figure:
    """Draw the final losses of two networks, a line for each seed."""
    figure = blank_figure(9, 4, layout="constrained")
    names = list(losses)
    for axes, part in zip(figure.subplots(1, 2), ("train", "test"), strict=True):
        pairs = np.stack([getattr(losses[name], part) for name in names])  # (2, seeds)
        axes.plot([0, 1], pairs, color=GREY, linewidth=0.8)
        for i, (color, marker) in enumerate(((BLUE, "o"), (VERMILLION, "s"))):
            axes.plot(np.full(len(seeds), i), pairs[i], marker, color=color, markersize=6)
            axes.plot([i - 0.18, i + 0.18], [pairs[i].mean()] * 2, color=color, linewidth=3)
            axes.text(
                i, 1.0, f"mean {pairs[i].mean():.4f}", transform=axes.get_xaxis_transform(), ha="center", va="top"
            )
        axes.set_xticks([0, 1], names)
        axes.set_xlim(-0.5, 1.5)
        axes.margins(y=0.15)
        axes.set_title(f"{part} part", loc="left", fontsize=12)
        finish(axes, "", "mean squared error", legend=False)
    return figure


def mean_and_spread(values: Array) -> tuple[str, str, str, str]:
    """Return mean, standard deviation, smallest and largest, as text."""
    spread = np.std(values, ddof=1)
    return f"{np.mean(values):.4f}", f"{spread:.4f}", f"{values.min():.4f}", f"{values.max():.4f}"
