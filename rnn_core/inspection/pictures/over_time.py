"""A traced batch over time, forwards and backwards; how far back gradients go; the recurrent kernel's spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int
from rnn_core.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    blank_figure,
    finish,
    line_marker,
    new_figure,
    whole_steps,
)
from rnn_core.inspection.credit import FELT, Credit, Spectrum
from rnn_core.inspection.pictures.weights import heat_map
from rnn_core.inspection.traces.layers import ActivatedTrace
from rnn_core.inspection.traces.tracing import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]


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
    label = f"after step t (-1: the initial state{_reads(found)})"
    symbol = f"${found.symbol}_t$" if found.symbol != "c" else "$c_{t+1}$"
    if state.shape[1] <= FEW:
        for unit, (color, line) in zip(range(state.shape[1]), STYLES, strict=False):
            axes.plot(
                times, state[:, unit], color=color, linestyle=line, marker=line_marker(times), label=f"unit {unit}"
            )
        finish(axes, label, symbol, legend=False)
        _legend_beside(axes)
        whole_steps(axes)
    else:
        image = heat_map(axes, state.T, extent=(-1.5, len(state) - 1.5, state.shape[1] - 0.5, -0.5))
        figure.colorbar(image, ax=axes, label=symbol)
        whole_steps(axes)
        axes.set(xlabel=label, ylabel="unit")
    _mark_masked(axes, np.flatnonzero(~found.step_mask[sample]))
    return figure


def gradients(trace: Trace, layer: str | None = None) -> Figure:
    """Draw the norm of dL/dh_t over time, what arrives from the loss and from the future, and that of dL/da_t.

    In Jordan's network it is that of dL/dy_t: the output is what comes back.

    The norms are over units, the median and the middle half over the batch. A masked step hands on what arrives and has
    no dL/da_t: its median is over the samples of which the step is real. On a log scale a straight line is a gradient
    that shrinks, or grows, by one factor at every step.

    Parameters
    ----------
    trace : Trace
    layer : str, optional
    """
    found = trace.recurrent(layer)
    figure, (axes,) = new_figure(f"{found.name}: the gradient on its way back", rows=1)
    times = np.arange(found.timesteps)
    real, total = found.step_mask, np.linalg.norm(found.d_fed_back, axis=2)  # (batch, T)
    low, middle, high = np.quantile(total, (0.25, 0.5, 0.75), axis=0)
    if len(total) > 1 and (low > 0).all():
        axes.fill_between(times, low, high, color=BLUE, alpha=0.18, linewidth=0, label="middle half of the samples")
    parts = {
        f"$dL/d{found.fed_back}_t$, all of it": (middle, BLUE, "-", "o"),
        "from the loss": (_median_norm(found.from_loss), GREEN, ":", "s"),
        "from the future": (_median_norm(found.from_future), VERMILLION, "--", "^"),
    }
    if isinstance(found, ActivatedTrace):
        parts["$dL/da_t$, through act'"] = (_median_norm(found.d_preactivation, real), BLACK, "-.", "D")
    anything = False
    for name, (norms, color, line, marker) in parts.items():
        seen = np.where(norms > 0, norms, np.nan)  # a log scale has no place for zero
        anything |= bool((norms > 0).any())
        shape = marker if len(times) <= 30 or (norms > 0).sum() == 1 else ""
        axes.plot(times, seen, color=color, linestyle=line, marker=shape, markersize=5, label=name)
    if anything:
        axes.set_yscale("log")
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "exactly zero at every step", ha="center", va="center", transform=axes.transAxes)
    axes.set_xlim(-0.5, len(times) - 0.5)
    whole_steps(axes)
    finish(axes, f"step t{_reads(found)}", "norm (log scale)", legend=False)
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
    axes.plot(distance, median, color=BLUE, linewidth=2.2, marker=line_marker(distance), label="median sample")
    axes.axhline(1, color=BLACK, linewidth=0.8)
    axes.axhline(FELT, color=VERMILLION, linestyle="--", linewidth=1.4, label=f"{FELT:.0%}: lost beside nearer steps")
    axes.set_yscale("log")
    axes.set_xlim(-0.5, credit.timesteps + 0.5)
    whole_steps(axes)
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
    whole_steps(sizes)
    return figure


def _median_norm(a: Array, real: Array | None = None) -> Array:
    """Return the median of the norms over the samples, or those of which a step is `real`; 0 where it is in none."""
    norms = np.linalg.norm(a, axis=2)
    if real is None:
        return np.asarray(np.median(norms, axis=0))
    return np.array([np.median(norms[of, t]) if of.any() else 0.0 for t, of in enumerate(real.T)])


def _mark_masked(axes: Axes, steps: Array) -> None:
    """Hatch the steps that hand on what they were given."""
    for t in steps:
        axes.axvspan(t - 0.5, t + 0.5, facecolor="none", edgecolor=GREY, hatch="//", linewidth=0)
    if len(steps):
        axes.set_title(f"masked: //, {len(steps)} step{'s' * (len(steps) > 1)}", loc="right", fontsize=10)


def _reads(found: Any) -> str:
    return "; step 0 reads the last input" if found.go_backwards else ""


def _legend_beside(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)


def _checked_sample(owner: str, sample: Any, samples: int) -> int:
    number = positive_int(owner, "sample", sample, 0)
    if number >= samples:
        raise ValueError(f"{owner}: there are {samples} samples, got sample {number}.")
    return number
