"""One BLAS thread inside the recurrence.

The products of a time step are small. OpenBLAS splits them over threads all the same, and when a core has other
work, every product waits for the slowest thread: a training step of T = 50, H = 64 was measured to go from 0.6 to
40 ms, one of T = 1000 from 56 ms to 6 s. So the engine computes with one BLAS thread while it trains or predicts,
and puts the setting back afterwards. Products outside it are not touched.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any


class _SingleThread:
    """A context manager that several threads may be in at once: the first saves the setting, the last restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._libraries: list[Any] | None = None
        self._changed: list[tuple[Any, int]] = []  # libraries that had more than one thread, and how many

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                if self._libraries is None:
                    from threadpoolctl import ThreadpoolController  # searches the loaded libraries: once

                    self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
                had = [(library, library.get_num_threads()) for library in self._libraries]
                self._changed = [(library, threads) for library, threads in had if threads != 1]
                for library, _ in self._changed:
                    _set_threads(library, 1)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for library, threads in self._changed:
                    _set_threads(library, threads)


def _set_threads(library: Any, threads: int) -> None:
    """Set a library's number of threads, whichever Python thread asks.

    From version 3.8 on, threadpoolctl gives OpenBLAS to the first Python thread that sets it, and ignores all others
    without a word. Here the first to come in and the last to leave are often two, so control is taken and given back.
    """
    library.set_num_threads(threads)
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        if library.get_num_threads() != threads:
            release(force=True)
            library.set_num_threads(threads)
        release()


single_thread = _SingleThread()
