"""What :func:`parity.check` found: a line for every quantity, the first bad layer first.

Errors are counted in units of rounding, so that all lines can be read alike::

    unit = eps(dtype) * max|reference|        1 is the distance to the next number, for the largest element

Printed, it begins with what fails, the first one first; then comes the worst of each group of quantities; the verdict
is the last line.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from rnn_core.checks import positive_int

NARROWEST, WIDTH = 60, 80
MOST_BAD = 6  # lines that fail and are printed; once the first layer is wrong all that follow are
GROUPS = {
    "output": "outputs",
    "state": "states",
    "loss": "loss",
    "gradient": "gradients",
    "new weight": "new weights",
    "new slot": "new slots",
    "optimizer": "optimizer",
}
LEGEND = (
    "One unit is eps * max|reference|. float32: the error of ours, and Keras' own, against Keras in float64. "
    "float64: ours against Keras. Both the largest error (max) and the root mean square (rms) have a limit; shown is "
    "what comes nearest to its limit."
)


class Line(NamedTuple):
    """One quantity in one precision.

    Attributes
    ----------
    dtype : {"float64", "float32"}
    kind : {"output", "state", "loss", "gradient", "new weight", "new slot", "optimizer"}
    layer : str
        The layer that it belongs to, "" for the loss and the optimizer.
    name : str
        Which of the layer's: ``"kernel"``, ``"initial state"``, ``"input"``; for a slot ``"velocities of kernel"``.
    scale : float
        max|reference|.
    ours, ours_rms : float
        Largest and root mean square error of ours, in units; in float64 the difference of the two engines.
    keras, keras_rms : float or None
        The same of Keras; None in float64, where Keras is the reference.
    limit, limit_rms : float
        What `ours` and `ours_rms` may be, in units.
    rule : str
        Where the limits come from.
    draws : int
        Over how many draws of rounding errors the figures are medians.
    problem : str
        Why there is nothing to compare: "shape (2, 3) here, (3, 2) in Keras"; "" for most.
    keras_limit : float
        What `keras` may be, in units; without bound where the Keras model is made from ours.
    """

    dtype: str
    kind: str
    layer: str
    name: str
    scale: float
    ours: float
    ours_rms: float
    keras: float | None
    keras_rms: float | None
    limit: float
    limit_rms: float
    rule: str
    draws: int = 1
    problem: str = ""
    keras_limit: float = math.inf

    @property
    def holds(self) -> bool:
        """Whether the line meets its rule."""
        within = self.ours <= self.limit and self.ours_rms <= self.limit_rms
        return not self.problem and within and (self.keras is None or self.keras <= self.keras_limit)

    @property
    def part(self) -> str:
        """Layer and name: "simple_rnn/recurrent_kernel"."""
        if not self.layer:
            return self.name
        return self.layer + (f"/{self.name}" if self.name != "output" else "")

    @property
    def used(self) -> tuple[float, float]:
        """How much of their limits the largest and the root mean square error take; above 1 is bad."""
        return self.ours / self.limit, self.ours_rms / self.limit_rms

    @property
    def relative(self) -> float:
        """The largest error of ours as a part of max|reference|."""
        return self.ours * 2.0 ** (-52 if self.dtype == "float64" else -23)

    @property
    def label(self) -> str:
        """Kind, layer and name: "gradient of simple_rnn/recurrent_kernel"."""
        if not self.layer:
            return self.kind if self.kind == self.name else f"{self.kind}: {self.name}"
        return f"{self.kind} of {self.part}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, `holds` and `label`, as JSON takes them: None for what is not finite."""
        fields = {**self._asdict(), "label": self.label, "holds": self.holds}
        finite = {k: v for k, v in fields.items() if not isinstance(v, float) or math.isfinite(v)}
        return {name: finite.get(name) for name in fields}


class Report:
    """All lines of a check.

    Parameters
    ----------
    lines : list of Line
        float64 before float32, each in the order of computation: outputs, loss, gradients from the last layer
        back, the step.
    model : str
        The model's name.
    backend : str
        Keras' backend.
    notes : list of str, optional
        What to know beside.

    Attributes
    ----------
    cause : str
        Why it fails, where that has been found out; printed at the end.

    Examples
    --------
    >>> line = Line("float64", "output", "dense", "output", 1.0, 3.0, 1.0, None, None, 16.0, 16.0, "16 eps")
    >>> report = Report([line], "model")
    >>> report.holds, str(report.first_bad), line.label
    (True, 'None', 'output of dense')
    """

    def __init__(
        self, lines: list[Line], model: str = "", backend: str = "tensorflow", notes: list[str] | None = None
    ) -> None:
        self.lines = list(lines)
        self.model = model
        self.backend = backend
        self.notes = list(notes or ())
        self.cause = ""

    @property
    def holds(self) -> bool:
        """Whether every line meets its rule."""
        return not self.bad

    @property
    def bad(self) -> list[Line]:
        """The lines that do not, the first one first: with float64, where nothing is left to chance, before float32."""
        return [line for line in self.lines if not line.holds]

    @property
    def first_bad(self) -> Line | None:
        """Where it first goes wrong, None if it does not."""
        return next(iter(self.bad), None)

    @property
    def summary(self) -> str:
        """One sentence."""
        name = f"model {self.model!r}: " if self.model else ""
        if self.first_bad is None:
            return f"{name}all {len(self.lines)} lines hold against Keras on {self.backend}."
        first = self.first_bad
        return (
            f"{name}{len(self.bad)} of {len(self.lines)} lines do not hold against Keras on {self.backend}; "
            f"first: {first.label}, {first.dtype}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON takes it."""
        return {
            "model": self.model,
            "backend": self.backend,
            "holds": self.holds,
            "first_bad": None if self.first_bad is None else self.first_bad.to_dict(),
            "cause": self.cause,
            "notes": self.notes,
            "lines": [line.to_dict() for line in self.lines],
        }

    def text(self, width: int = WIDTH, verbose: bool = False) -> str:
        """Return the report in lines of at most `width` characters.

        Parameters
        ----------
        width : int
            At least 60.
        verbose : bool
            Every quantity in a line of its own, in place of the worst one of each group.
        """
        width = positive_int("Report", "width", width, NARROWEST)
        rows = [*_wrapped(f"Parity with Keras on {self.backend}: {self.model or 'model'}", width)]
        rows += ["", *_wrapped(LEGEND, width)]
        if self.bad:
            rows += ["", *_failures(self.bad if verbose else self.bad[:MOST_BAD], width)]
            if not verbose and len(self.bad) > MOST_BAD:
                rows.append(f"     and {len(self.bad) - MOST_BAD:,} more")
        rows += ["", *(_all_lines(self.lines, width) if verbose else _groups(self.lines))]
        rows += [
            "",
            *(row for note in self.notes for row in _wrapped(f"note: {note}", width)),
            *_cause(self.cause, width),
        ]
        return "\n".join([*rows, *_wrapped(self.summary, width)])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Report {self.summary}>"


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return `text` in lines; no word is broken that fits into one."""
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _cause(cause: str, width: int) -> list[str]:
    return _wrapped(f"cause: {cause}", width) if cause else []


def _groups(lines: Sequence[Line]) -> list[str]:
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


def _all_lines(lines: Sequence[Line], width: int) -> list[str]:
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
                rows += _wrapped(f"{mark:4}{name}: {line.problem}", width)
            else:
                rows += _row(mark, name, _nearest(line), line, width)
    return rows


def _group_and_name(line: Line) -> tuple[str, str]:
    """Return what to print over a line and in it; slots are grouped by their name."""
    slot, of, weight = line.name.partition(" of ")
    if line.kind == "new slot" and of:
        return f"new {slot}", f"{line.layer}/{weight}"
    return GROUPS[line.kind], line.part


def _failures(bad: Sequence[Line], width: int) -> list[str]:
    """Return both errors of each line, or why there are none."""
    rows = [_head("What fails, the first one first", width)]
    for line in bad:
        size = f"max|reference| {line.scale:.3g}, largest error {line.relative:.2g} of it"
        rows += _wrapped(f"BAD {line.dtype}, {line.label}: {line.problem or size}", width)
        for figures in () if line.problem else _both(line):
            rows += _row("", "", figures, line, width)
        if line.keras is not None and line.keras > line.keras_limit:
            rows += _wrapped(f"Keras' own error is over its limit, {_figure(line.keras_limit)}", width, " " * 8)
    return rows


Shown = tuple[str, float, float | None, float]
"""Which error, "max" or "rms"; that of ours, that of Keras, the limit."""

NAME, FIGURES, RULE = 32, 7, 16  # characters: for a name, for each of three figures, and at least for the rule
FIXED = 4 + 1 + 4 + 3 * FIGURES + 2  # the mark, which error, figures and what is between


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
        rows, mark, name = _wrapped(f"{mark:4}{name}", width), "", ""
    rows.append(f"{mark:4}{name:{space}} {which:4}{numbers}  {rule}")
    return rows + [" " * left + words for words in more]


def _figure(value: float | None) -> str:
    """Return a figure in at most seven characters; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 1000 else f"{value:.0e}"
