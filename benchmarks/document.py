"""What a run found, as one document of plain data: the tables, the chart and a later comparison are made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.rounds import Result, ratios_to_ours
from benchmarks.spread import Spread

FORMAT = 1


class Document:
    """A run.

    Attributes
    ----------
    data : dict
        ``environment``, ``threads``, ``full``, ``rounds``; ``workloads`` (name -> what, epochs); ``engines`` (name ->
        title, setting, floor, versions, import_seconds, memory); ``results`` (:class:`Result` each); ``left_out``
        (workload -> engine -> reason); ``absent`` (engine -> what is missing); ``growth``.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.results = [Result(**result) for result in data["results"]]

    @classmethod
    def read(cls, path: Path) -> Document:
        """Return the document in a file.

        Raises
        ------
        OSError
            If it cannot be read.
        ValueError
            If it holds something else.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise ValueError
            return cls(data)
        except (ValueError, KeyError, TypeError):  # JSONDecodeError and UnicodeDecodeError are ValueErrors
            raise ValueError(f"{path} does not hold a run that --json wrote (format {FORMAT}).") from None

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")

    def of(self, workload: str) -> list[Result]:
        """Return the results of a workload, fastest first."""
        return sorted(
            (result for result in self.results if result.workload == workload), key=lambda result: result.spread.median
        )

    def ratios(self, workload: str) -> dict[str, Spread]:
        """Return every engine's time by ours, with its spread over the rounds."""
        found = ratios_to_ours(self.of(workload))
        return {engine: Spread.of(rounds) for engine, rounds in found.items() if rounds}

    def title(self, engine: str) -> str:
        """Return an engine's title."""
        return str(self.data["engines"][engine]["title"])

    def is_floor(self, engine: str) -> bool:
        """Return whether an engine is a floor."""
        return bool(self.data["engines"][engine]["floor"])

    def notes(self) -> list[str]:
        """Return who was not timed and why."""
        absent = [f"{engine}: left out, {reason}" for engine, reason in self.data["absent"].items()]
        failed = [
            f"{engine}: not timed on {workload}, {reason}"
            for workload, reasons in self.data["left_out"].items()
            for engine, reason in reasons.items()
        ]
        return absent + failed

    def machine(self) -> str:
        """Return date, machine and threads in one line."""
        e = self.data["environment"]
        threads = "one thread" if self.data["threads"] == 1 else f"{self.data['threads']} threads"
        return f"{e['date']}, {e['cpu']}, {e['cores']} cores, {e['system']}, Python {e['python']}, {threads}, float32"
