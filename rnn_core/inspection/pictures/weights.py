"""Weights and their gradients as heat maps: blue below zero, white at it, red above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.figures import blank_figure
from rnn_core.inspection.traces.tracing import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Array = NDArray[Any]

DIVERGING = "RdBu_r"
"""Two colours that every kind of colour-blindness leaves different, and white between them."""

WRITTEN = 48
"""A map of no more cells than these has its numbers written in them."""


def weight_maps(trace: Trace, layer: str | None = None) -> Figure:
    """Draw every weight of the model beside its gradient, or those of one layer.

    White is 0 in every map; each map has its own scale, which its bar shows. A gradient that is exactly zero
    everywhere says so.

    Parameters
    ----------
    trace : Trace
    layer : str, optional
        By default all layers.

    Raises
    ------
    ValueError
        If there is no such layer, or none with weights.

    Examples
    --------
    >>> from rnn_core.inspection import trace
    >>> from rnn_core.tutorial import Tutorial
    >>> t = Tutorial()
    >>> figure = weight_maps(trace(t.model, t.train.inputs, t.train.targets), layer=t.model.layers[0].name)
    >>> [axes.get_title(loc="left") for axes in figure.axes if "zero" in axes.get_title(loc="left")]
    ['gradient of recurrent_kernel: exactly zero']
    """
    found = [part for part in trace if part.weights and layer in (None, part.name)]
    if not found:
        names = [part.name for part in trace if part.weights]
        raise ValueError(f"weight_maps: layer must be the name of a layer with weights, one of {names}, got {layer!r}.")
    rows = [(part, name) for part in found for name in part.weights]
    heights = [_height(part.weights[name]) for part, name in rows]
    figure = blank_figure(9, sum(heights) + 0.75 * len(rows), layout="constrained")
    panels = figure.subplots(len(rows), 2, squeeze=False, height_ratios=heights)
    for (part, name), (left, right), height in zip(rows, panels, heights, strict=True):
        title = name if layer is not None else f"{part.name}/{name}"
        gradient = part.d_weights[name]
        zero = "" if gradient.any() else ": exactly zero"
        for axes, values, text in ((left, part.weights[name], title), (right, gradient, f"gradient of {name}{zero}")):
            table = _as_table(values)
            image = heat_map(axes, table)
            ticks = [*image.get_clim(), 0] if height > 0.6 else image.get_clim()  # as many as there is room for
            figure.colorbar(image, ax=axes, aspect=12, pad=0.02, ticks=ticks, format="%.2g")
            axes.set_title(text, loc="left", fontsize=10)
            axes.set_ylabel("from" if values.ndim > 1 and table.shape[0] > 1 else "", fontsize=9)
        left.set_xlabel("to unit", fontsize=9)
        right.set_xlabel("to unit", fontsize=9)
    return figure


def heat_map(axes: Axes, values: Array, extent: tuple[float, float, float, float] | None = None) -> AxesImage:
    """Draw a table of numbers, colours centred at 0."""
    from matplotlib.ticker import MaxNLocator

    limit = float(np.abs(values).max(initial=0)) or 1.0
    image = axes.imshow(
        values, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest", extent=extent
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=8 if axis is axes.xaxis else 5, min_n_ticks=1))
    if values.size <= WRITTEN and values.shape[1] <= 6 and extent is None:
        for (row, column), value in np.ndenumerate(values):
            color = "white" if abs(value) > 0.6 * limit else "black"
            axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=8, color=color)
    return image


def _as_table(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[None, :]


def _height(values: Array) -> float:
    """Return inches: a vector is a thin line, a large matrix no taller than it is wide."""
    return float(np.clip(0.14 * _as_table(values).shape[0], 0.4, 2.9))
