"""The pictures of the tutorial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.figures import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]


def series(values: Array, split: int, noise_free: Callable[[Array], Array]) -> Figure:
    """Draw a series, its noise-free course and the split.

    Parameters
    ----------
    values : ndarray, shape (samples,)
    split : int
        The first sample of the test part.
    noise_free : function
        From sample numbers to the series without its noise.
    """
    figure, (axes,) = new_figure("The series", rows=1)
    t = np.arange(len(values))
    axes.plot(t, values, color=GREY, linewidth=0.8, marker=".", markersize=3, label="x = sin(0.02 t) + 2 rand")
    axes.plot(t, noise_free(t), color=BLACK, linestyle="--", label="without the noise: sin(0.02 t) + 1")
    _mark_split(axes, split, len(values))
    finish(axes, "sample t", "x")
    return figure


def prediction(
    values: Array,
    split: int,
    predictions: Mapping[str, tuple[Array, Array]],
    noise_free: Callable[[Array], Array],
    zoom: int = 60,
) -> Figure:
    """Draw a series and its predictions, whole and close to the split, with a vertical line at the split.

    A prediction stands at the sample that it predicts. (The tutorial plots predictions from 0 on, `step` samples
    early.)

    Parameters
    ----------
    values : ndarray, shape (samples,)
    split : int
    predictions : mapping of "train" and "test" to (positions, predicted), both of shape (n,)
    noise_free : function
    zoom : int
        How many samples on both sides of the split the lower panel shows.
    """
    figure, (whole, near) = new_figure("The prediction", rows=2)
    t = np.arange(len(values))
    for axes, size in ((whole, 3), (near, 6)):
        axes.plot(t, values, color=GREY, linewidth=0.6, alpha=0.7, marker=".", markersize=size, label="series")
        for (part, (positions, predicted)), color in zip(predictions.items(), (BLUE, VERMILLION), strict=True):
            axes.plot(
                positions, predicted, color=color, linewidth=1.3 if axes is whole else 2, label=f"predicted, {part}"
            )
        axes.plot(t, noise_free(t), color=BLACK, linestyle="--", linewidth=1.2, label="without the noise")
    _mark_split(whole, split, len(values))
    finish(whole, "", "x")
    near.axvline(split - 0.5, color=BLACK, linewidth=1)
    near.set_xlim(split - zoom, split + zoom)
    near.set_title("Close to the split", loc="left", fontsize=13)
    finish(near, "sample t", "x", legend=False)
    return figure


def training(losses: Sequence[float], levels: Mapping[str, float]) -> Figure:
    """Draw the train loss of every epoch, epochs on a log scale, and levels to compare it with.

    Parameters
    ----------
    losses : sequence of float
    levels : mapping of name to float
        At most three: a noise floor, a baseline's loss.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    figure, (axes,) = new_figure("Training", rows=1)
    epochs = np.arange(1, len(losses) + 1)
    axes.plot(epochs, losses, color=BLUE, linewidth=2, marker="o" if len(losses) <= 20 else "", label="train loss")
    for (name, level), color, style in zip(levels.items(), (BLACK, GREEN, ORANGE), ("--", ":", "-."), strict=False):
        axes.axhline(level, color=color, linestyle=style, linewidth=1.6, label=name)
    axes.set_xscale("log")
    axes.set_xlim(0.9, 1.1 * max(len(losses), 2))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    finish(axes, "epoch (log scale)", "mean squared error")
    return figure


def seeds(numbers: Sequence[int], columns: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the final losses of every seed, with their means as lines.

    Parameters
    ----------
    numbers : sequence of int
        The seeds.
    columns : mapping of name to sequence of float
        Three kinds of loss, one value a seed.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = new_figure(f"{len(numbers)} seeds", rows=1)
    for (name, values), color, marker in zip(columns.items(), (BLUE, VERMILLION, BLACK), "os_", strict=True):
        mean = float(np.mean(values))
        axes.plot(
            numbers,
            values,
            linestyle="",
            marker=marker,
            markersize=7,
            markeredgewidth=2,
            color=color,
            label=f"{name} (mean {mean:.4f})",
        )
        axes.axhline(mean, color=color, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(axes, "seed", "mean squared error")
    return figure


def _mark_split(axes: Axes, split: int, samples: int) -> None:
    axes.axvline(split - 0.5, color=BLACK, linewidth=1)
    axes.set_xlim(0, samples - 1)
    for x, alignment, text in ((split - 8, "right", "train"), (split + 8, "left", "test")):
        axes.text(x, 0.97, text, transform=axes.get_xaxis_transform(), ha=alignment, va="top", weight="bold")
