"""Progress on the terminal, in the form that Keras 3 prints it.

``verbose=1`` draws one line that is drawn again over itself, at most every `interval` seconds::

    50/50 ━━━━━━━━━━━━━━━━━━━━ 0s 1ms/step - loss: 0.5000

``verbose=2`` prints one plain line when the epoch is over::

    50/50 - 0s - 1ms/step - loss: 0.5000
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_BOLD, _GREEN, _WHITE, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def print_message(text: str, end: str = "\n") -> None:
    """Write `text` to ``sys.stdout`` at once; where the terminal has no '━', a '=' stands for it."""
    text += end
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.replace("━", "=").encode(encoding, errors="ignore").decode(encoding))
    sys.stdout.flush()


def duration_text(seconds: float, unit: str) -> str:
    """Return a duration for one unit, in seconds, milliseconds or microseconds.

    Examples
    --------
    >>> duration_text(2, "step"), duration_text(0.0123, "step"), duration_text(4e-6, "sample")
    ('2s/step', '12ms/step', '4us/sample')
    """
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/{unit}"
    return f"{seconds * 1e6:.0f}us/{unit}"


def clock_text(seconds: float) -> str:
    """Return a remaining time: ``42s``, ``1:05`` (minutes) or ``2:00:09`` (hours).

    Examples
    --------
    >>> clock_text(42.9), clock_text(65), clock_text(7209)
    ('42s', '1:05', '2:00:09')
    """
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    if seconds > 60:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole}s"


class Progbar:
    """A progress bar.

    Parameters
    ----------
    target : int or None
        Total number of steps, None if unknown.
    width : int
        Characters of the bar.
    verbose : {0, 1, 2}
        Nothing; a bar that is redrawn; one line at the end.
    interval : float
        Seconds between two redraws, at least. The last draw always happens.
    stateful_metrics : iterable of str, optional
        Names whose values are shown as they come. All others are averaged over the steps.
    stateless_metrics : iterable of str, optional
        The other way round: names whose values are averaged, while all others are shown as they come.
    unit_name : str

    Attributes
    ----------
    last_update : float
        When it was last drawn, in seconds of ``time.perf_counter``.

    Raises
    ------
    ValueError
        If both `stateful_metrics` and `stateless_metrics` are given.

    Notes
    -----
    Follows ``keras/src/utils/progbar.py``. Time for a step leaves the first step out, which is often slow.

    Examples
    --------
    >>> bar = Progbar(2, verbose=2)
    >>> bar.update(1, [("loss", 0.5)])
    >>> bar.update(2, [("loss", 0.25)])
    2/2 - 0s - .../step - loss: 0.2500
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Progbar: give stateful_metrics or stateless_metrics, not both.")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.last_update = -math.inf
        self._listed = frozenset(stateful_metrics or stateless_metrics or ())
        self._averages_listed = stateless_metrics is not None
        # Keras' test of whether a line can be drawn over: on POSIX always, also where stdout is a file.
        self._redraws = (
            os.name == "posix"
            or (hasattr(sys.stdout, "isatty") and sys.stdout.isatty())
            or "ipykernel" in sys.modules
            or "PYCHARM_HOSTED" in os.environ
        )
        self._values: dict[str, tuple[Any, int]] = {}  # name -> (sum, count), in the order of first appearance
        self._seen = 0
        self._start = time.perf_counter()
        self._after_first_step: float | None = None
        self._drawn_width = 0

    def update(
        self, current: int, values: Sequence[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Take in what step `current` (counted from 1) gave, and draw if it is time to.

        Parameters
        ----------
        current : int
        values : sequence of (name, value), optional
        finalize : bool, optional
            Whether this is the last update. Default: whether `current` has reached the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._take_in(current, values or (), finalize)
        now = time.perf_counter()
        per_unit = self._seconds_per_unit(current, now)
        if self.verbose == 1:
            if now - self.last_update < self.interval and not finalize:
                return
            self._draw(current, now, per_unit, finalize)
        elif self.verbose == 2 and finalize and self.target:
            line = f"{self._count(current)} - {now - self._start:.0f}s"
            # Keras looks at the sign here and not on the bar line: a negative value prints as -5.0000e-01.
            print_message(f"{line} - {duration_text(per_unit, self.unit_name)}{self._metrics(signed=True)}")
        self.last_update = now

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """Move on by `n` steps."""
        self.update(self._seen + n, values)

    def _take_in(self, current: int, values: Sequence[tuple[str, Any]], finalize: bool) -> None:
        """Add `values` to the averages, weighted by the steps since the last update."""
        steps = max(current - self._seen, 1)
        for name, value in values:
            averaged = (name in self._listed) == self._averages_listed
            if finalize or not averaged:
                self._values[name] = (value, 1)
            elif name in self._values:
                total, count = self._values[name]
                self._values[name] = (total + value * steps, count + steps)
            else:
                self._values[name] = (value * steps, steps)
        self._seen = current

    def _seconds_per_unit(self, current: int, now: float) -> float:
        """Return the mean duration of a step, without the first one once there are more."""
        if not current:
            return 0
        if self._after_first_step is not None and current > 1:
            seconds = (now - self._after_first_step) / (current - 1)
        else:
            seconds = (now - self._start) / current
        if current == 1:
            self._after_first_step = now
        return seconds

    def _count(self, current: int) -> str:
        """Return ``" 7/50"``."""
        return f"{int(current):{len(str(self.target))}d}/{self.target}"

    def _metrics(self, signed: bool = False) -> str:
        """Return ``" - loss: 0.5000 - mae: 1.0000e-04"``."""
        text = ""
        for name, (total, count) in self._values.items():
            mean = (total if isinstance(total, float) else np.mean(total)) / count
            text += f" - {name}: {mean:.4f}" if (mean if signed else abs(mean)) > 1e-3 else f" - {name}: {mean:.4e}"
        return text

    def _draw(self, current: int, now: float, per_unit: float, finalize: bool) -> None:
        """Draw the line over the one drawn before."""
        if self.target:
            count = self._count(current)
            done = "━" * int(self.width * (current / self.target))
            left = "━" * (self.width - len(done))
            green = f"{_GREEN}{done}{_PLAIN}" if done else ""
            bar = f"{_BOLD}{count}{_PLAIN} {green}{_WHITE}{left}{_PLAIN}"
            bar_width = len(count) + 1 + len(done) + len(left)
        else:
            bar = f"{int(current):7d}/Unknown"
            bar_width = len(bar)
        if self.target and not finalize:
            clock = clock_text(per_unit * (self.target - current))  # still to go
        else:
            clock = f"{now - self._start:.0f}s"  # gone by
        info = f" {duration_text(per_unit, self.unit_name)}{self._metrics()}"

        back = "\b" * self._drawn_width + "\r" if self._redraws else "\n"
        width = bar_width + 1 + len(clock) + len(info)
        blanks = " " * (self._drawn_width - width)
        end = "\n" if finalize else ""
        print_message(f"{back}{bar} {_BOLD}{clock}{_PLAIN}{info}{blanks}", end)
        self._drawn_width = width
