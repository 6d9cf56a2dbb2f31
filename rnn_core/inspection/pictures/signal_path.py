"""The picture that tells Elman's network from Jordan's: the same boxes, and where the way back begins.

Drawn in the colours of ``rnn_core.figures``; the way back has its own colour and its own dashes, so that it stands out
in print too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnn_core.figures import BLACK, BLUE, GREY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_X, _CONTEXT_X = 0.0, 2.55  # the columns: from input to output, and the context beside
_INPUT, _HIDDEN, _OUTPUT = 0.0, 1.9, 3.8
_WIDTH, _HEIGHT = 1.9, 0.86


def elman_or_jordan() -> Figure:
    """Draw the signal paths of both networks side by side.

    Returns
    -------
    matplotlib.figure.Figure
        ``figure.savefig("elman-or-jordan.png", dpi=200)`` writes it.

    Examples
    --------
    >>> [axes.get_title(loc="left") for axes in elman_or_jordan().axes]
    ['Elman: the hidden state comes back', 'Jordan: the output comes back']
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.15)  # type: ignore[union-attr,call-arg]  # the constrained one
    elman, jordan = figure.subplots(1, 2)
    elman.set_title("Elman: the hidden state comes back", loc="left", fontsize=14, weight="bold", pad=10)
    _network(elman, "hidden state", came_from=_HIDDEN, context=r"$h_{t-1}$")
    _formulas(elman, r"$h_t = \mathrm{act}(x_t K + h_{t-1} U + b)$", r"$y_t = h_t V + b_y$")
    jordan.set_title("Jordan: the output comes back", loc="left", fontsize=14, weight="bold", pad=10)
    _network(jordan, "hidden units", came_from=_OUTPUT, context=r"$c_t$")
    _decay(jordan)
    _formulas(
        jordan, r"$h_t = \mathrm{act}(x_t K + c_t U + b)$", r"$y_t = h_t V + b_y$", r"$c_t = d\, c_{t-1} + y_{t-1}$"
    )
    return figure


def _formulas(axes: Axes, *lines: str) -> None:
    for number, line in enumerate(lines):
        axes.text(-0.95, -0.95 - 0.5 * number, line, ha="left", va="center", fontsize=13.5)


def _network(axes: Axes, hidden: str, came_from: float, context: str) -> None:
    """Draw input, hidden units and output in a column, and the context that is filled from one of them."""
    _box(axes, _X, _INPUT, "input", r"$x_t$", GREY)
    _box(axes, _X, _HIDDEN, hidden, r"$h_t$", BLUE)
    _box(axes, _X, _OUTPUT, "output", r"$y_t$", BLACK)
    _box(axes, _CONTEXT_X, _INPUT, "context", context, VERMILLION, dashed=True)
    half = _HEIGHT / 2
    _arrow(axes, (_X, _INPUT + half), (_X, _HIDDEN - half), BLACK)
    _arrow(axes, (_X, _HIDDEN + half), (_X, _OUTPUT - half), BLACK)
    axes.text(_X - 0.14, (_INPUT + _HIDDEN) / 2, r"$K$", ha="right", va="center", fontsize=14)
    axes.text(_X - 0.14, (_HIDDEN + _OUTPUT) / 2, r"$V$", ha="right", va="center", fontsize=14)
    # From the context up into the hidden state.
    _arrow(axes, (_CONTEXT_X - 0.55, _INPUT + half), (_X + 0.62, _HIDDEN - half), VERMILLION)
    axes.text(1.42, (_INPUT + _HIDDEN) / 2 + 0.02, r"$U$", ha="left", va="bottom", fontsize=14, color=VERMILLION)
    # The way back: out of the box to the right, and down into the context, one step later.
    corner = _CONTEXT_X + 0.35
    axes.plot(
        [_X + _WIDTH / 2 + 0.06, corner, corner],
        [came_from, came_from, _INPUT + half + 0.3],
        color=VERMILLION,
        linewidth=2.4,
        linestyle=(0, (5, 2)),
        solid_joinstyle="round",
    )
    _arrow(axes, (corner, _INPUT + half + 0.35), (corner, _INPUT + half), VERMILLION)
    axes.text(corner + 0.14, came_from - 0.12, "one step\nlater", ha="left", va="top", fontsize=11.5, color=VERMILLION)
    axes.set_xlim(-1.0, 4.1)
    axes.set_ylim(-2.2, 4.3)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _box(axes: Axes, x: float, y: float, name: str, symbol: str, color: str, dashed: bool = False) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2, y - _HEIGHT / 2),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.14",
            facecolor="white",
            edgecolor=color,
            linewidth=2.2,
            linestyle=(0, (5, 2)) if dashed else "-",
        )
    )
    axes.text(x, y + 0.17, name, ha="center", va="center", fontsize=11.5)
    axes.text(x, y - 0.18, symbol, ha="center", va="center", fontsize=14)


def _decay(axes: Axes) -> None:
    """Draw the loop by which Jordan's context keeps a part of itself."""
    from matplotlib.patches import FancyArrowPatch

    right = _CONTEXT_X + _WIDTH / 2
    axes.add_patch(
        FancyArrowPatch(
            (right, _INPUT + 0.22),
            (right, _INPUT - 0.22),
            connectionstyle="arc3,rad=-1.6",
            arrowstyle="-|>",
            mutation_scale=15,
            linewidth=1.8,
            color=VERMILLION,
            shrinkA=0,
            shrinkB=0,
        )
    )
    axes.text(right + 0.45, _INPUT, r"$d$", ha="left", va="center", fontsize=14, color=VERMILLION)
    axes.text(
        _CONTEXT_X,
        _INPUT - _HEIGHT / 2 - 0.12,
        "keeps a part $d$ of itself",
        ha="center",
        va="top",
        fontsize=11.5,
        color=VERMILLION,
    )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": color,
            "linewidth": 2.2,
            "mutation_scale": 18,
            "shrinkA": 0,
            "shrinkB": 1,
        },
    )
