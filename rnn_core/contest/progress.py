"""How far a contest is: a bar for each predictor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rnn_core.contest.networks import NETWORKS

if TYPE_CHECKING:
    from rich.console import Console


class ContestProgress:
    """A bar for each predictor in a terminal, a line for each network kind elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.bar = Progress(
            TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} trainings"),
            TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self.tasks: dict[str, Any] = {}
        self.start = time.perf_counter()

    def __enter__(self) -> ContestProgress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def report(self, name: str, done: int, of: int) -> None:
        """Move a predictor's bar."""
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=of)
            self.start = time.perf_counter()
        self.bar.update(self.tasks[name], completed=done)
        if done == of and name in NETWORKS:
            self.bar.console.print(f"  {name}: {of} trainings in {time.perf_counter() - self.start:.1f} s")
