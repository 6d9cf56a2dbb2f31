"""What :func:`parity.check` found: a line for every quantity, the first bad layer first.

Errors are counted in units of rounding, so that all lines can be read alike::

    unit = eps(dtype) * max|reference|        1 is the distance to the next number, for the largest element
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table


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
    def label(self) -> str:
        """Kind, layer and name: "gradient of simple_rnn/recurrent_kernel"."""
        if not self.layer:
            return self.kind if self.kind == self.name else f"{self.kind}: {self.name}"
        return f"{self.kind} of {self.layer}" + (f"/{self.name}" if self.name != "output" else "")

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

    def table(self) -> Table:
        """Return the lines as a table: the bad ones first, then the others."""
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, title=f"Errors in eps of max|reference|: {self.model}", title_justify="left")
        table.add_column("")
        for column in ("dtype", "quantity"):
            table.add_column(column, overflow="fold")
        for column in ("max|ref|", "ours", "Keras", "limit", "rms", "Keras'", "limit"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("rule", overflow="fold")
        for line in self.bad + [line for line in self.lines if line.holds]:
            table.add_row(
                "ok" if line.holds else "BAD",
                line.dtype,
                line.label,
                f"{line.scale:.2e}",
                *map(_figure, (line.ours, line.keras, line.limit, line.ours_rms, line.keras_rms, line.limit_rms)),
                line.problem or line.rule + (f" (of {line.draws} draws)" if line.draws > 1 else ""),
                style="" if line.holds else "bold red",
            )
        return table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, the notes and the summary, for ``rich.print(report)``."""
        from rich.text import Text

        yield self.table()
        for note in self.notes:
            yield Text(f"note: {note}")
        yield Text(self.summary, style="bold green" if self.holds else "bold red")
        if self.cause:
            yield Text(f"cause: {self.cause}")

    def print(self, console: Console | None = None) -> None:
        """Print the report; a file or a pipe gets 140 columns."""
        from rich.console import Console

        console = console or Console()
        console.print(self, width=max(console.width, 140) if not console.is_terminal else None)

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        text = StringIO()
        Console(file=text, width=140, color_system=None).print(self)
        return "\n".join(row.rstrip() for row in text.getvalue().splitlines())

    def __repr__(self) -> str:
        return f"<Report {self.summary}>"


def _figure(value: float | None) -> str:
    """Return a figure in three digits or so; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 1000 else f"{value:.1e}"
