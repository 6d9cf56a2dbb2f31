"""What a model computes, as pictures: over time, over weights, over training.

    model_graph, unrolled        the model itself
    hidden_states, gradients     a traced batch over time, forwards and backwards
    reach, eigenvalues           how far back gradients go, and the recurrent kernel against the unit circle
    weight_maps                  weights beside their gradients
    training_curves, prediction  how it learned, and what it says beside the truth; several_predictions where that is
                                 several values, and confusion where it is a class

Every picture is a matplotlib figure that belongs to no window: it shows itself in a notebook, and
``figure.savefig("states.svg")`` writes it. Colours can be told apart by the colour-blind.

Examples
--------
>>> from rnn_core.inspection import trace
>>> from rnn_core.tutorial import Tutorial
>>> tutorial = Tutorial(layout="stepx1")
>>> traced = trace(tutorial.model, tutorial.train.inputs, tutorial.train.targets)
>>> figure = hidden_states(traced)
>>> figure.axes[0].get_title(loc="left")
'simple_rnn...: hidden states of sample 0'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_core.checks import positive_int
from rnn_core.inspection.credit import FELT, Credit, Spectrum
from rnn_core.inspection.graph_picture import model_graph
from rnn_core.inspection.graph_picture_unrolled import unrolled
from rnn_core.inspection.layer_traces import ActivatedTrace
from rnn_core.inspection.pictures_outputs import confusion, several_predictions
from rnn_core.inspection.pictures_weights import heat_map, weight_maps
from rnn_core.inspection.tracing import Trace
from rnn_core.pictures import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, blank_figure, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

__all__ = [
    "confusion",
    "eigenvalues",
    "gradients",
    "hidden_states",
    "model_graph",
    "prediction",
    "reach",
    "several_predictions",
    "training_curves",
    "unrolled",
    "weight_maps",
]

FEW = 6
"""Up to so many units are drawn as lines that can be told apart; more as a map."""

STYLES = [(BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (ORANGE, ":"), ("#CC79A7", "-"), ("#56B4E9", "--")]


def hidden_states(trace: Trace, layer: str | None = None, sample: int = 0) -> Figure:
    """Draw the state of one sample over time: lines for few units, a map for many.

    The state is what a step hands to the next: h_t in Elman's network, the context c in Jordan's.

    Parameters
    ----------
    trace : Trace
    layer : str, optional
        A recurrent layer; not needed where there is one.
    sample : int

    Raises
    ------
    ValueError
        If there is no such layer or sample.
    """
    found = trace.recurrent(layer)
    sample = _checked_sample("hidden_states", sample, len(found.state))
    state = found.state[sample]  # (T + 1, units)
    what = {"h": "hidden states", "c": "context"}.get(found.symbol, "states")
    figure, (axes,) = new_figure(f"{found.name}: {what} of sample {sample}", rows=1)
    times = np.arange(-1, len(state) - 1)
    label, symbol = (
        "after time step t (-1: the initial state)",
        f"${found.symbol}_t$" if found.symbol != "c" else "$c_{t+1}$",
    )
    if state.shape[1] <= FEW:
        for unit, (color, line) in zip(range(state.shape[1]), STYLES, strict=False):
            axes.plot(times, state[:, unit], color=color, linestyle=line, marker=_marker(times), label=f"unit {unit}")
        finish(axes, label, symbol, legend=False)
        _legend_beside(axes)
        _whole_steps(axes)
    else:
        image = heat_map(axes, state.T, extent=(-1.5, len(state) - 1.5, state.shape[1] - 0.5, -0.5))
        figure.colorbar(image, ax=axes, label=symbol)
        _whole_steps(axes)
        axes.set(xlabel=label, ylabel="unit")
    return figure


def gradients(trace: Trace, layer: str | None = None) -> Figure:
    """Draw the norm of dL/dh_t over time, what arrives from the loss and from the future, and that of dL/da_t.

    In Jordan's network it is that of dL/dy_t: the output is what comes back.

    The norms are over units, the median and the middle half over the batch. On a log scale a straight line is
    a gradient that shrinks, or grows, by one factor at every step.

    Parameters
    ----------
    trace : Trace
    layer : str, optional
    """
    found = trace.recurrent(layer)
    figure, (axes,) = new_figure(f"{found.name}: the gradient on its way back", rows=1)
    times = np.arange(found.timesteps)
    total = np.linalg.norm(found.d_fed_back, axis=2)  # (batch, T)
    low, middle, high = np.quantile(total, (0.25, 0.5, 0.75), axis=0)
    if len(total) > 1 and (low > 0).all():
        axes.fill_between(times, low, high, color=BLUE, alpha=0.18, linewidth=0, label="middle half of the samples")
    parts = {
        f"$dL/d{found.fed_back}_t$, all of it": (middle, BLUE, "-", "o"),
        "from the loss": (_median_norm(found.from_loss), GREEN, ":", "s"),
        "from the future": (_median_norm(found.from_future), VERMILLION, "--", "^"),
    }
    if isinstance(found, ActivatedTrace):
        parts["$dL/da_t$, through act'"] = (_median_norm(found.d_preactivation), BLACK, "-.", "D")
    anything = False
    for name, (norms, color, line, marker) in parts.items():
        seen = np.where(norms > 0, norms, np.nan)  # a log scale has no place for zero
        anything |= bool((norms > 0).any())
        shape = marker if len(times) <= 30 or (norms > 0).sum() == 1 else ""
        axes.plot(times, seen, color=color, linestyle=line, marker=shape, markersize=5, label=name)
    if anything:
        axes.set_yscale("log")
    axes.set_xlim(-0.5 if len(times) == 1 else None, 0.5 if len(times) == 1 else None)
    _whole_steps(axes)
    finish(axes, "time step t", "norm (log scale)", legend=False)
    _legend_beside(axes)
    return figure


def reach(credit: Credit) -> Figure:
    """Draw the 2-norm of dh_t/dh_k over the distance t - k: how much of a gradient can arrive that far back.

    Parameters
    ----------
    credit : Credit
        Of :func:`rnn_core.inspection.credit`.
    """
    figure, (axes,) = new_figure(f"{credit.trace.name}: how far back gradients reach", rows=1)
    distance = np.arange(credit.timesteps + 1)
    norms = np.where(credit.norms > 0, credit.norms, np.nan)
    lines = axes.plot(distance, norms.T[:, :50], color=GREY, linewidth=0.6, alpha=0.5)
    lines[0].set_label("single samples")
    median = np.where(credit.median_norms > 0, credit.median_norms, np.nan)
    axes.plot(distance, median, color=BLUE, linewidth=2.2, marker=_marker(distance), label="median sample")
    axes.axhline(1, color=BLACK, linewidth=0.8)
    axes.axhline(FELT, color=VERMILLION, linestyle="--", linewidth=1.4, label=f"{FELT:.0%}: lost beside nearer steps")
    axes.set_yscale("log")
    _whole_steps(axes)
    s = credit.trace.symbol
    finish(axes, "distance t - k", rf"$\Vert d{s}_t / d{s}_k \Vert$ (log scale)", legend=False)
    _legend_beside(axes)
    return figure


def eigenvalues(spectrum: Spectrum) -> Figure:
    """Draw the eigenvalues of a recurrent kernel against the unit circle, and its singular values.

    Parameters
    ----------
    spectrum : Spectrum
        Of :func:`rnn_core.inspection.spectrum`.
    """
    from matplotlib.patches import Circle

    figure = blank_figure(9, 4.4, layout="constrained")
    plane, sizes = figure.subplots(1, 2)
    values = spectrum.eigenvalues
    outside = np.abs(values) > 1 + 1e-5
    plane.add_patch(Circle((0, 0), 1, fill=False, color=BLACK, linewidth=1.2))
    plane.plot(values[~outside].real, values[~outside].imag, "o", color=BLUE, markersize=6, label="on or inside")
    if outside.any():
        plane.plot(values[outside].real, values[outside].imag, "^", color=VERMILLION, markersize=7, label="outside")
    limit = 1.15 * max(1.0, spectrum.spectral_radius)
    plane.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    plane.set_title(f"Eigenvalues, spectral radius {spectrum.spectral_radius:.3g}", loc="left", fontsize=12)
    finish(plane, "real part", "imaginary part", legend=False)
    plane.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False)
    sizes.axhline(1, color=BLACK, linewidth=1.2)
    sizes.set_xlim(0.5, len(values) + 0.5)
    sizes.plot(np.arange(1, len(values) + 1), spectrum.singular_values, "o-", color=BLUE, markersize=4)
    sizes.set_ylim(bottom=0, top=1.1 * max(1.0, float(spectrum.singular_values[0])))
    sizes.set_title("Singular values: what one step can amplify", loc="left", fontsize=12)
    finish(sizes, "number", "singular value", legend=False)
    _whole_steps(sizes)
    return figure


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
                axes.plot(epochs, columns[key], color=color, linestyle=line, marker=_marker(epochs), label=label)
        if name == "loss":
            for (level, value), color, line in zip((levels or {}).items(), (BLACK, GREEN), (":", "-."), strict=False):
                axes.axhline(value, color=color, linestyle=line, label=level)
        _whole_steps(axes)
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


def _median_norm(a: Array) -> Array:
    return np.asarray(np.median(np.linalg.norm(a, axis=2), axis=0))


def _marker(points: Array) -> str:
    return "o" if len(points) <= 30 else ""


def _legend_beside(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)


def _whole_steps(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _checked_sample(owner: str, sample: Any, samples: int) -> int:
    number = positive_int(owner, "sample", sample, 0)
    if number >= samples:
        raise ValueError(f"{owner}: there are {samples} samples, got sample {number}.")
    return number
