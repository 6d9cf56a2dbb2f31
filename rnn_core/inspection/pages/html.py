"""Pages that are one file: text, tables and pictures, with nothing to fetch and nothing to run.

A page is a list of sections, a section a list of parts, a part a string of HTML that one of the functions here made.
Text is plain, but for `code` between backticks, **bold** between asterisks, and {{answers}}, where {{}} is a blank to
fill in.
"""

from __future__ import annotations

import base64
import html
import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_core.inspection.pages.html_style import STYLE
from rnn_core.saving import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PHONE = 600
"""Screens narrower than this, in CSS pixels, get the narrow version of a picture."""

NARROW = 4.3
"""Inches that a chart is wide there: at 340 pixels its 10-point letters are then 11 pixels high."""

FEW_COLUMNS = 2
"""Columns of a map whose cells are wide enough for numbers there."""

LONG = {"td": 40, "th": 18}
"""A cell of more letters than these may be broken into lines; the head of a row on phones only."""


@dataclass
class Section:
    """A part of a page under a heading of its own, which the table of contents lists."""

    title: str
    parts: list[str] = field(default_factory=list)


def page(title: str, lead: Sequence[str], sections: Sequence[Section], kind: str = "report") -> str:
    """Return a whole page: a title, an introduction, in a report a table of contents, the sections."""
    anchors = _anchors(section.title for section in sections)
    contents = "".join(
        f'<li><a href="#{anchor}">{text(section.title)}</a></li>'
        for anchor, section in zip(anchors, sections, strict=True)
    )
    nav = f'<nav aria-label="Contents">\n<h2>Contents</h2>\n<ol>{contents}</ol>\n</nav>' if kind == "report" else ""
    body = "\n".join(
        f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{text(section.title)}</h2>\n'
        + "\n".join(section.parts)
        + "\n</section>"
        for anchor, section in zip(anchors, sections, strict=True)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body class="{kind}">
<header>
<h1>{text(title)}</h1>
{"".join(lead)}
</header>
{nav}
<main>
{body}
</main>
</body>
</html>
"""


def text(plain: str) -> str:
    """Return plain text as HTML, with its `code`, **bold**, {{answers}} and blanks.

    Examples
    --------
    >>> text("`a < b` is **not** a & b")
    '<code>a &lt; b</code> is <b>not</b> a &amp; b'
    """
    marked = html.escape(plain, quote=False)
    marked = re.sub(r"`([^`]+)`", lambda match: f"<code>{match[1].replace('/', '/<wbr>')}</code>", marked)
    marked = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", marked)
    marked = marked.replace("{{}}", '<span class="blank" role="img" aria-label="to fill in"></span>')
    return re.sub(r"\{\{(.+?)\}\}", r'<span class="filled">\1</span>', marked)


def paragraph(plain: str, kind: str = "") -> str:
    """Return a paragraph; `kind` "answer" stands out."""
    return f'<div class="{kind}"><p>{text(plain)}</p></div>' if kind else f"<p>{text(plain)}</p>"


def heading(plain: str) -> str:
    """Return a heading inside a section."""
    return f"<h3>{text(plain)}</h3>"


def preformatted(plain: str, label: str) -> str:
    """Return text whose columns stand as they are, in a box that scrolls by itself."""
    return f"{_scroll_box(label)}<pre>{html.escape(plain)}</pre></div>"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> str:
    """Return a table in a box that scrolls by itself. The first column heads its row; numbers stand right."""
    rows = [list(row) for row in rows]
    right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))]

    def cell(tag: str, i: int, value: Any, scope: str = "") -> str:
        kind = ' class="number"' if right[i] else ' class="long"' if len(str(value)) > LONG[tag] else ""
        return f"<{tag}{kind}{scope}>{text(str(value))}</{tag}>"

    head = "".join(cell("th", i, name, ' scope="col"') for i, name in enumerate(columns))
    body = "".join(
        "<tr>"
        + cell("th", 0, row[0], ' scope="row"')
        + "".join(cell("td", i, value) for i, value in enumerate(row[1:], 1))
        + "</tr>\n"
        for row in rows
    )
    return (
        f"<figure><figcaption>{text(caption)}</figcaption>{_scroll_box(caption)}<table>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div></figure>"
    )


def chart(figure: Figure, alt: str, caption: str) -> str:
    """Return a matplotlib figure in two versions, for wide screens and, laid out anew, for phones."""
    wide = _data_uri(figure)
    _make_narrow(figure)
    return (
        f'<figure><picture><source media="(max-width: {PHONE}px)" srcset="{_data_uri(figure)}">'
        f'<img src="{wide}" alt="{html.escape(alt)}"></picture><figcaption>{text(caption)}</figcaption></figure>'
    )


def diagram(figure: Figure, alt: str, caption: str) -> str:
    """Return a figure that keeps its size, in a box that scrolls by itself."""
    width = figure.get_size_inches()[0] * 96 / 16
    return (
        f'<figure class="diagram">{_scroll_box(alt)}<img src="{_data_uri(figure)}" style="--width: {width:.2f}rem" '
        f'alt="{html.escape(alt)}"></div><figcaption>{text(caption)}</figcaption></figure>'
    )


def write(path: Any, content: str) -> Path:
    """Write a file whole or not at all; missing folders are made.

    Raises
    ------
    OSError
        If it can't be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as file:
        file.write(content.encode())
    return target


def _anchors(titles: Iterable[str]) -> list[str]:
    found: list[str] = []
    for title in titles:
        anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        found.append(f"{anchor}-{len(found)}" if anchor in found or not anchor else anchor)
    return found


def _scroll_box(label: str) -> str:
    """Return the start of a box that scrolls sideways, also by the keyboard."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(label)}">'


def _is_number(value: Any) -> bool:
    return bool(re.fullmatch(r"[-+−]?[\d.,]+(e[-+]?\d+)?( ?%)?|–|", str(value)))


def _data_uri(figure: Figure) -> str:
    """Return a figure as SVG in a data URI: sharp at every size, and the same bytes in every run."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    with rc_context({"svg.hashsalt": "rnn_core", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", dpi=150, transparent=True, metadata={"Date": None})
    numbers: dict[str, str] = {}
    named = re.sub(  # clip paths are named by where they lie in memory
        r"\bp[0-9a-f]{10}\b", lambda match: numbers.setdefault(match[0], f"p{len(numbers)}"), stream.getvalue().decode()
    )
    return "data:image/svg+xml;base64," + base64.b64encode(named.encode()).decode()


def _make_narrow(figure: Figure) -> None:
    """Lay a chart out anew for a phone: panels under one another, legends below them."""
    from matplotlib.gridspec import GridSpec
    from matplotlib.ticker import MaxNLocator

    height = figure.get_size_inches()[1]
    specs = [axes.get_subplotspec() for axes in figure.axes]
    grids = {(spec.get_gridspec().nrows, spec.get_gridspec().ncols) for spec in specs if spec is not None}
    rows = 1
    if grids == {(1, len(figure.axes))} and len(figure.axes) > 1:  # side by side
        rows = len(figure.axes)
        stacked = GridSpec(rows, 1, figure=figure)
        for i, axes in enumerate(figure.axes):
            axes.set_subplotspec(stacked[i])
    columns = max((ncols for _, ncols in grids), default=1) if rows == 1 else 1
    legends = 0
    for axes in figure.axes:
        _thin_out_numbers(axes)
        title = axes.get_title(loc="left")
        if title:
            axes.set_title("\n".join(textwrap.wrap(title, 48 // columns)), loc="left", fontsize=10)
        if columns > 1 and axes.get_xscale() == "linear" and axes.get_subplotspec() is not None:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
        legend = axes.get_legend()
        if legend is not None:
            handles, labels = axes.get_legend_handles_labels()
            columns_of_text = 2 if max(map(len, labels)) <= 18 else 1
            legend.remove()
            axes.legend(
                handles, labels, loc="upper left", bbox_to_anchor=(-0.02, -0.2), ncols=columns_of_text,
                frameon=False, fontsize=9, columnspacing=1, handlelength=1.8,
            )  # fmt: skip
            legends += -(-len(labels) // columns_of_text)
    maps = any(axes.images for axes in figure.axes)  # thin lines already
    figure.set_size_inches(NARROW, max((1.0 if maps else 0.8) * height * rows, 2.6) + 0.2 * legends)


def _thin_out_numbers(axes: Axes) -> None:
    """Take the numbers out of the cells of a map that are too narrow for them on a phone."""
    for image in axes.images:
        if image.get_array().shape[1] > FEW_COLUMNS:  # type: ignore[union-attr]
            for written in list(axes.texts):
                written.remove()
