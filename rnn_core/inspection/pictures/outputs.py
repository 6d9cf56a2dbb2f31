"""Outputs of several numbers: a class out of many, or several values at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_core.figures import BLACK, BLUE, GREY, VERMILLION, blank_figure, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

WRITTEN = 12
"""Up to so many classes have their counts written in the table."""

DRAWN = 4
"""So many values are drawn one by one, the others are in the bars of their errors."""

BINS = 10


def confusion(true: ArrayLike, predicted: ArrayLike) -> Figure:
    """Draw how often each class was taken for which, and whether the model is as sure as it is right.

    Each row of the table is a true class, coloured by the share of it that was taken for each class; what is right
    lies on the diagonal. Beside it, where the outputs are probabilities: of the samples that the model was p sure of,
    the share that was right. On the dashed line both are the same.

    Parameters
    ----------
    true : array_like, shape (...,), or one-hot (..., classes)
    predicted : array_like, shape (..., classes)
        Probabilities or logits; the largest is the answer.

    Raises
    ------
    ValueError
        If the sizes do not fit, or a true class is none of the outputs.

    Examples
    --------
    >>> figure = confusion([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> figure.axes[0].get_title(loc="left")
    '2 of 3 right: 66.7 %'
    """
    p = np.asarray(predicted)
    p = p.reshape(-1, p.shape[-1])
    y = np.asarray(true)
    y = y.reshape(p.shape).argmax(axis=-1) if y.size == p.size else y.ravel().astype(int)
    if len(y) != len(p) or not len(y) or y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(
            f"confusion: as many true classes from 0 to {p.shape[1] - 1} as predictions are needed, got "
            f"{len(y)} for {len(p)}."
        )
    answers, count = p.argmax(axis=-1), p.shape[1]
    table = np.zeros((count, count), int)  # (true, predicted)
    np.add.at(table, (y, answers), 1)
    right = int(np.trace(table))
    are_probabilities = bool((p >= 0).all()) and np.allclose(p.sum(axis=-1), 1, atol=1e-3)
    figure = blank_figure(9 if are_probabilities else 5.5, 4.6, layout="constrained")
    panels = figure.subplots(1, 1 + are_probabilities, squeeze=False)[0]
    _table(panels[0], table, f"{right:,} of {len(y):,} right: {100 * right / len(y):.1f} %")
    if are_probabilities:
        _reliability(panels[1], p.max(axis=-1), answers == y)
    return figure


def _table(axes: Axes, table: Array, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if len(table) <= WRITTEN:
        for (row, column), number in np.ndenumerate(table):
            color = "white" if shares[row, column] > 0.55 else BLACK
            axes.text(column, row, f"{number:,}", ha="center", va="center", fontsize=8, color=color)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=WRITTEN, min_n_ticks=1))
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")


def _reliability(axes: Axes, sure: Array, right: Array) -> None:
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    samples = np.bincount(bins, minlength=BINS)
    full = samples > 0
    at = np.bincount(bins, sure, BINS)[full] / samples[full]
    share = np.bincount(bins, right, BINS)[full] / samples[full]
    axes.plot([0, 1], [0, 1], color=BLACK, linestyle="--", linewidth=1, label="as sure as right")
    axes.plot(at, share, color=BLUE, linewidth=1.5, label="model")
    axes.scatter(at, share, 20 + 180 * samples[full] / samples.max(), color=BLUE, zorder=3)
    axes.set(xlim=(0, 1.03), ylim=(0, 1.03))
    finish(axes, "largest probability (area: how many samples)", "share that is right")


def several_predictions(true: ArrayLike, predicted: ArrayLike) -> Figure:
    """Draw predictions of several values beside the truth, and how large the error of each value is.

    Parameters
    ----------
    true, predicted : array_like, shape (..., values)
        The first few values are drawn one by one. In the bars below are all, beside the standard deviation of the
        truth: the error of a constant.

    Raises
    ------
    ValueError
        If the sizes differ.

    Examples
    --------
    >>> figure = several_predictions([[1.0, 5.0], [2.0, 7.0]], [[1.0, 6.0], [2.0, 8.0]])
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['value 0', 'value 1', 'error']
    """
    p, y = np.asarray(predicted), np.asarray(true)
    if p.size != y.size or not p.size:
        raise ValueError(
            f"several_predictions: as many predictions as true values are needed, got {p.size} and {y.size}."
        )
    values = p.shape[-1]
    p, y = p.reshape(-1, values), y.reshape(-1, values)
    shown = min(values, DRAWN)
    figure = blank_figure(9, 1.4 * shown + 2.6, layout="constrained")
    panels = figure.subplots(shown + 1, 1, height_ratios=[1] * shown + [1.5])
    for i, axes in enumerate(panels[:shown]):
        axes.plot(y[:, i], color=GREY, linewidth=0.8, marker="." if len(y) <= 400 else "", markersize=4, label="truth")
        axes.plot(p[:, i], color=BLUE, linewidth=1.6, label="predicted")
        axes.margins(x=0.01)
        if i < shown - 1:
            axes.tick_params(labelbottom=False)
        finish(axes, "sample" if i == shown - 1 else "", f"value {i}", legend=i == 0)
    errors, spread, axes = np.sqrt(((p - y) ** 2).mean(axis=0)), y.std(axis=0), panels[-1]
    axes.bar(np.arange(values), errors, 0.6, color=VERMILLION, label="root mean squared error")
    axes.plot(np.arange(values), spread, "_", color=BLACK, markersize=14, label="standard deviation of the truth")
    axes.set_ylim(bottom=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    finish(axes, "value", "error")
    return figure
