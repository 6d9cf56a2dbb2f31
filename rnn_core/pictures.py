"""The pictures of the tutorial, as matplotlib figures that no window and no global state belongs to.

Colours are Okabe and Ito's (2008), which the colour-blind can tell apart; every meaning also has its own line or
marker.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

BLACK, GREY = "#000000", "#8c8c8c"
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"  # Okabe-Ito


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


def new_figure(title: str, rows: int) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, one under the other."""
    figure = blank_figure(9, 1 + 3 * rows, layout="constrained")
    panels = list(figure.subplots(rows, squeeze=False)[:, 0])
    panels[0].set_title(title, loc="left", fontsize=13)
    return figure, panels


def blank_figure(width: float, height: float, **settings: Any) -> Figure:
    """Return a figure of so many inches that no window belongs to, and that notebooks show all the same."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), **settings)
    vars(figure)["_repr_png_"] = functools.partial(_as_png, figure)  # what IPython asks for
    return figure


def _as_png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    return stream.getvalue()


def _mark_split(axes: Axes, split: int, samples: int) -> None:
    axes.axvline(split - 0.5, color=BLACK, linewidth=1)
    axes.set_xlim(0, samples - 1)
    for x, alignment, text in ((split - 8, "right", "train"), (split + 8, "left", "test")):
        axes.text(x, 0.97, text, transform=axes.get_xaxis_transform(), ha=alignment, va="top", weight="bold")


def finish(axes: Axes, xlabel: str, ylabel: str, legend: bool = True) -> None:
    """Give a panel its labels, its grid and its legend, in the style of all pictures."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if legend:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=4, frameon=False, borderaxespad=0.2)
