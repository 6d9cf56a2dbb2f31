"""What :func:`parity.check` found: a line for every quantity, the first bad layer first.

Errors are counted in units of rounding, so that all lines can be read alike::

    unit = eps(dtype) * max|reference|        1 is the distance to the next number, for the largest element

Printed, it begins with what fails, the first one first; then comes the worst of each group of quantities; the verdict
is the last line.
"""

from __future__ import annotations

from typing import Any

from parity.checking.line import Line
from parity.checking.table import all_lines, failures, groups, wrapped
from rnn_core.checks import positive_int

NARROWEST, WIDTH = 60, 80
MOST_BAD = 6  # lines that fail and are printed; once the first layer is wrong all that follow are
LEGEND = (
    "One unit is eps * max|reference|. float32: the error of ours, and Keras' own, against Keras in float64. "
    "float64: ours against Keras. Both the largest error (max) and the root mean square (rms) have a limit; shown is "
    "what comes nearest to its limit."
)


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
        rows = [*wrapped(f"Parity with Keras on {self.backend}: {self.model or 'model'}", width)]
        rows += ["", *wrapped(LEGEND, width)]
        if self.bad:
            rows += ["", *failures(self.bad if verbose else self.bad[:MOST_BAD], width)]
            if not verbose and len(self.bad) > MOST_BAD:
                rows.append(f"     and {len(self.bad) - MOST_BAD:,} more")
        rows += ["", *(all_lines(self.lines, width) if verbose else groups(self.lines))]
        rows += [
            "",
            *(row for note in self.notes for row in wrapped(f"note: {note}", width)),
            *wrapped(self.cause and f"cause: {self.cause}", width),
        ]
        return "\n".join([*rows, *wrapped(self.summary, width)])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Report {self.summary}>"
