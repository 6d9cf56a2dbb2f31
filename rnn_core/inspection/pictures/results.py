"""How a model learned, and what it says beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from rnn_core.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    blank_figure,
    finish,
    line_marker,
    new_figure,
    whole_steps,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_curves(history: Any, levels: Mapping[str, float] | None = None) -> Figure:
    """Draw every number that training reported, over the epochs: a panel for each, train beside validation.

    Parameters
    ----------
    history : History or mapping of str to sequence of float
        What ``fit`` returned.
    levels : mapping of name to float, optional
        Losses to compare with: a noise floor, a baseline.

    Examples
    --------
    >>> figure = training_curves({"loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "mae": [1.0, 0.9]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'mae']
    """
    columns: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    names = [name for name in columns if not name.startswith("val_") and name != "learning_rate"]
    names.sort(key=lambda name: name != "loss")  # the loss first, then the others as they come
    if not names:
        raise ValueError("training_curves: the history holds no epochs.")
    figure, panels = new_figure("Training", rows=len(names))
    for name, axes in zip(names, panels, strict=True):
        for key, label, color, line in ((name, "train", BLUE, "-"), (f"val_{name}", "validation", VERMILLION, "--")):
            if key in columns:
                epochs = np.arange(1, len(columns[key]) + 1)
                axes.plot(epochs, columns[key], color=color, linestyle=line, marker=line_marker(epochs), label=label)
        if name == "loss":
            for (level, value), color, line in zip((levels or {}).items(), (BLACK, GREEN), (":", "-."), strict=False):
                axes.axhline(value, color=color, linestyle=line, label=level)
        whole_steps(axes)
        finish(axes, "epoch" if axes is panels[-1] else "", name)
    return figure


def prediction(true: ArrayLike, predicted: ArrayLike, positions: ArrayLike | None = None) -> Figure:
    """Draw predictions beside the truth, and below them the residuals, over the samples and as a histogram.

    Parameters
    ----------
    true, predicted : array_like, shape (samples,) or (samples, 1)
    positions : array_like, shape (samples,), optional
        Where each stands; by default 0, 1, ...

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    y, p = np.ravel(np.asarray(true)), np.ravel(np.asarray(predicted))
    if y.shape != p.shape or not y.size:
        raise ValueError(f"prediction: as many predictions as true values are needed, got {p.size} and {y.size}.")
    at = np.arange(len(y)) if positions is None else np.ravel(np.asarray(positions))
    figure = blank_figure(9, 6, layout="constrained")
    axes = figure.subplot_mosaic([["truth", "truth"], ["rest", "count"]], width_ratios=(3, 1), height_ratios=(1.3, 1))
    marker = "." if len(y) <= 400 else ""
    axes["truth"].plot(at, y, color=GREY, linewidth=0.8, marker=marker, markersize=4, label="truth")
    axes["truth"].plot(at, p, color=BLUE, linewidth=1.8, label="predicted")
    axes["truth"].margins(x=0.01)
    finish(axes["truth"], "", "value")
    residuals = y - p
    axes["rest"].axhline(0, color=BLACK, linewidth=0.8)
    axes["rest"].plot(at, residuals, ".", color=VERMILLION, markersize=4)
    axes["rest"].margins(x=0.01)
    finish(axes["rest"], "sample", "truth - predicted", legend=False)
    axes["count"].hist(residuals, bins=20, orientation="horizontal", color=VERMILLION, alpha=0.75)
    axes["count"].axhline(residuals.mean(), color=BLACK, linestyle="--", linewidth=1.2)
    axes["rest"].set_title(
        f"Residuals: mean {residuals.mean():.2g}, standard deviation {residuals.std():.2g}", loc="left", fontsize=10
    )
    axes["count"].sharey(axes["rest"])
    axes["count"].tick_params(labelleft=False)
    finish(axes["count"], "how many", "", legend=False)
    return figure
