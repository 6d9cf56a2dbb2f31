"""What all commands say and show: progress on stderr, results on stdout, and errors of one line."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WIDEST = 120  # columns; longer lines are hard to read

Outcome = tuple[dict[str, Any], bool, list[str]]
"""What goes to JSON, whether all holds, and the texts for people."""


class UsageError(ValueError):
    """What the user gave cannot be used; the message is one line."""


class Progress:
    """How far long work is, on stderr: a line that is drawn again, or in a file or pipe a line now and then.

    Parameters
    ----------
    what : str
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.terminal = sys.stderr.isatty()
        self.interval = 0.2 if self.terminal else 10.0
        self.start = self.shown = time.monotonic()

    def __call__(self, done: int, total: int, failures: int | None = None) -> None:
        """Show that `done` of `total` is done."""
        now = time.monotonic()
        if now - self.shown < self.interval and done < total:
            return
        self.shown = now
        left = (now - self.start) / max(done, 1) * (total - done)
        failed = "" if failures is None else f", {failures:,} failed"
        text = f"{self.what}: {done:,} of {total:,}{failed}, {left:.0f} s left"
        if self.terminal:
            text = f"\r\x1b[K{text}" if done < total else "\r\x1b[K"
            print(text, end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def doing(what: str) -> None:
    """Show on a terminal what is being done; nothing, when it is done."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what and what + ' ...'}", end="", file=sys.stderr, flush=True)


@contextmanager
def without_greetings() -> Iterator[None]:
    """Hold back what is written to file descriptor 2: TensorFlow logs there before it reads its own settings."""
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def show(text: str) -> None:
    """Print a text, on a terminal with what is bad in red."""
    from rich.console import Console
    from rich.text import Text

    shown = Text(text)
    shown.highlight_regex(r"\b(BAD|FAILS|do not hold|Not all holds)\b", "bold red")
    Console().print(shown, soft_wrap=True)


def width() -> int:
    """Return the columns to print in: 80 in a pipe, else the terminal's, within what can be read."""
    from parity.checking.report import NARROWEST

    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
