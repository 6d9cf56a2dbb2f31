"""A report as people read it: a table within so many columns, and the lines that do not hold."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from parity.checking.line import Line

GROUPS = {
    "output": "outputs",
    "state": "states",
    "loss": "loss",
    "gradient": "gradients",
    "new weight": "new weights",
    "new slot": "new slots",
    "optimizer": "optimizer",
}
Shown = tuple[str, float, float | None, float]
"""Which error, "max" or "rms"; that of ours, that of Keras, the limit."""

NAME, FIGURES, RULE = 32, 7, 16  # characters: for a name, for each of three figures, and at least for the rule
FIXED = 4 + 1 + 4 + 3 * FIGURES + 2  # the mark, which error, figures and what is between


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return `text` in lines; no word is broken that fits into one."""
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def groups(lines: Sequence[Line]) -> list[str]:
    """Return a table: for each kind of quantity and each dtype what comes nearest to its limit."""
    dtypes = [dtype for dtype in ("float64", "float32") if any(line.dtype == dtype for line in lines)]
    columns = {"float64": ("ours", "limit"), "float32": ("ours", "Keras", "limit")}
    over = "".join(f"    {f' {dtype} ':-^{(FIGURES + 1) * len(columns[dtype]) - 2}}" for dtype in dtypes)
    under = "".join("  " + "".join(f"{name:>{FIGURES + 1}}" for name in columns[dtype]) for dtype in dtypes)
    rows = [f"{'':25}{over}", f"{'':4}{'worst of':13}{'lines':>8}{under}"]
    for kind, name in GROUPS.items():
        group = [line for line in lines if line.kind == kind]
        if not group:
            continue
        row = f"{'ok' if all(line.holds for line in group) else 'BAD':4}{name:13}{len(group):8,}"
        for dtype in dtypes:
            blank = " " * (FIGURES + 1) * len(columns[dtype])
            worst = max((line for line in group if line.dtype == dtype), key=_severity, default=None)
            if worst is None or worst.problem:
                row += f"  {'' if worst is None else 'see above':>{len(blank)}}"
                continue
            _, ours, theirs, limit = _nearest(worst)
            shown = (ours, theirs, limit) if dtype == "float32" else (ours, limit)
            row += "  " + "".join(f"{_figure(value):>{FIGURES + 1}}" for value in shown)
        rows.append(row)
    return rows


def all_lines(lines: Sequence[Line], width: int) -> list[str]:
    """Return every line under the heading of its dtype and group."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(f"{line.dtype}, {_group_and_name(line)[0]}", []).append(line)
    rows: list[str] = []
    for group, members in groups.items():
        rows.append(_head(group, width))
        for line in members:
            mark, name = "ok" if line.holds else "BAD", _group_and_name(line)[1]
            if line.problem:
                rows += wrapped(f"{mark:4}{name}: {line.problem}", width)
            else:
                rows += _row(mark, name, _nearest(line), line, width)
    return rows


def _group_and_name(line: Line) -> tuple[str, str]:
    """Return what to print over a line and in it; slots are grouped by their name."""
    slot, of, weight = line.name.partition(" of ")
    if line.kind == "new slot" and of:
        return f"new {slot}", f"{line.layer}/{weight}"
    return GROUPS[line.kind], line.part


def failures(bad: Sequence[Line], width: int) -> list[str]:
    """Return both errors of each line, or why there are none."""
    rows = [_head("What fails, the first one first", width)]
    for line in bad:
        size = f"max|reference| {line.scale:.3g}, largest error {line.relative:.2g} of it"
        rows += wrapped(f"BAD {line.dtype}, {line.label}: {line.problem or size}", width)
        for figures in () if line.problem else _both(line):
            rows += _row("", "", figures, line, width)
        if line.keras is not None and line.keras > line.keras_limit:
            rows += wrapped(f"Keras' own error is over its limit, {_figure(line.keras_limit)}", width, " " * 8)
    return rows


def _both(line: Line) -> tuple[Shown, Shown]:
    largest: Shown = ("max", line.ours, line.keras, line.limit)
    return largest, ("rms", line.ours_rms, line.keras_rms, line.limit_rms)


def _nearest(line: Line) -> Shown:
    """Return the error that is nearest to its limit, or farthest over it."""
    largest, rms = line.used
    return _both(line)[1 if rms > largest else 0]


def _severity(line: Line) -> float:
    worst = max(line.used)
    return math.inf if line.problem or not math.isfinite(worst) else worst + 1e300 * (not line.holds)


def _head(title: str, width: int) -> str:
    columns = "".join(f"{name:>{FIGURES}}" for name in ("ours", "Keras", "limit"))
    return f"{title:{_space(width) + 5}}{'':4}{columns}  rule"


def _space(width: int) -> int:
    """Return the characters there are for a name."""
    return min(NAME, width - FIXED - RULE)


def _row(mark: str, name: str, figures: Shown, line: Line, width: int) -> list[str]:
    """Return one row; a long name has a row of its own before it, a long rule goes on below."""
    which, *values = figures
    numbers = "".join(f"{_figure(value):>{FIGURES}}" for value in values)
    space, rows = _space(width), []
    left = FIXED + space
    rule, *more = textwrap.wrap(line.rule + (f", {line.draws} draws" if line.draws > 1 else ""), width - left)
    if len(name) > space:
        rows, mark, name = wrapped(f"{mark:4}{name}", width), "", ""
    rows.append(f"{mark:4}{name:{space}} {which:4}{numbers}  {rule}")
    return rows + [" " * left + words for words in more]


def _figure(value: float | None) -> str:
    """Return a figure in at most seven characters; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 1000 else f"{value:.0e}"
