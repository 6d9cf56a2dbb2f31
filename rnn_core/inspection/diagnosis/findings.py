"""A finding: what is wrong or worth knowing, where, in plain words and with the numbers."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["problem", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One finding of :func:`rnn_core.inspection.diagnose`.

    Attributes
    ----------
    severity : {"problem", "warning", "note"}
        Something cannot work; something hardly works; something is worth knowing.
    kind : str
        What kind of finding it is: "dead units", "vanishing gradient", ...
    where : str
        The layer, weight or data that it is about.
    message : str
    numbers : dict of str to float
        Those that the message tells.
    """

    severity: Severity
    kind: str
    where: str
    message: str
    numbers: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        head = f"{self.severity.upper()}: {self.kind} ({self.where})"
        body = textwrap.fill(self.message, 80, initial_indent="    ", subsequent_indent="    ")
        return f"{head}\n{body}"


class Findings(list[Finding]):
    """Findings, the most severe first. Print them; ``findings.kinds`` lists what kinds there are.

    Examples
    --------
    >>> print(Findings([]))
    Nothing found that is wrong.
    """

    @property
    def kinds(self) -> list[str]:
        """The kind of each finding."""
        return [finding.kind for finding in self]

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "Nothing found that is wrong."


def percent(share: float) -> str:
    """Return a share as text.

    Examples
    --------
    >>> percent(0.5), percent(0.00021), percent(0)
    ('50 %', '0.021 %', '0 %')
    """
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
