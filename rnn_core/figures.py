"""What all pictures share: figures that no window and no global state belongs to, and the colours.

Colours are Okabe and Ito's (2008), which the colour-blind can tell apart; every meaning also has its own line or
marker.
"""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

BLACK, GREY = "#000000", "#8c8c8c"
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"  # Okabe-Ito


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


def finish(axes: Axes, xlabel: str, ylabel: str, legend: bool = True) -> None:
    """Give a panel its labels, its grid and its legend, in the style of all pictures."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if legend:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=4, frameon=False, borderaxespad=0.2)


def line_marker(points: Array) -> str:
    """Return the marker of a line: a dot where there are few points."""
    return "o" if len(points) <= 30 else ""


def whole_steps(axes: Axes) -> None:
    """Number a horizontal axis in whole steps."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
