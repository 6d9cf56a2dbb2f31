"""A process of its own for every engine, asked over its pipes: ``python -m benchmarks.worker MODULE THREADS``.

Keras' backend is fixed per process, and so are the threads of most libraries; import time and peak memory belong to a
process; and engines that live side by side can take turns.
"""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Self

from benchmarks.engines import Engine

ROOT = Path(__file__).resolve().parent.parent


class WorkerError(RuntimeError):
    """An engine's process failed, or reported an error."""


def environment(engine: Engine, threads: int) -> dict[str, str]:
    """Return the environment of an engine's process: the same number of threads for every library."""
    variables = dict(os.environ)
    # An installed package has its byte code; some machines turn writing it off, and would compile it every time.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    for pool in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
        variables[f"{pool}_NUM_THREADS"] = str(threads)
    variables["TF_NUM_INTRAOP_THREADS"] = variables["TF_NUM_INTEROP_THREADS"] = str(threads)
    # XLA makes its pool as large as this; Eigen's products inside it are split only if there is more than one thread.
    variables["NPROC"] = variables["PJRT_NPROC"] = str(threads)
    variables["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    return variables | {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"} | engine.environment


class Worker:
    """The process of one engine. Use it in a ``with`` statement, which ends the process.

    Parameters
    ----------
    engine : Engine
    threads : int
    """

    def __init__(self, engine: Engine, threads: int = 1) -> None:
        self.engine = engine
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", engine.module, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env=environment(engine, threads),
        )

    def ask(self, command: str, *arguments: Any) -> Any:
        """Have a method of :class:`Desk` called, and return what it returns.

        Raises
        ------
        WorkerError
            If it raises, or the process dies.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump((command, arguments), self.process.stdin)
            self.process.stdin.flush()
            outcome, value = pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            status = self.process.wait()
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise WorkerError(f"its process ended with status {status}: {' '.join(last)}") from None
        if outcome == "failed":
            raise WorkerError(value)
        return value

    def close(self) -> None:
        """End the process at once, whatever it does."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # a question that was never read
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Desk:
    """What an engine's process can be asked."""

    def __init__(self, module: str, threads: int) -> None:
        self.module, self.threads = module, threads
        self.runner: Any = None

    def load(self) -> float:
        """Import the engine; return the seconds."""
        start = time.perf_counter()
        self.runner_class = importlib.import_module(self.module).Runner
        return time.perf_counter() - start

    def prepare(self, workload: Any) -> float:
        """Make the workload ready; return the seconds."""
        start = time.perf_counter()
        self.runner = None  # the one before may go first
        self.runner = self.runner_class(workload, self.threads)
        return time.perf_counter() - start

    def result(self) -> Any:
        """Return the seconds and the result of one training step, or of one prediction; None where there is none."""
        if not self.runner.computes:
            return 0.0, None
        start = time.perf_counter()
        result = self.runner.predict() if self.runner.workload.times == "predict" else self.runner.step()
        return time.perf_counter() - start, result

    def turn(self, repeats: int) -> dict[str, float | None]:
        """Do the work `repeats` times; return seconds and processor seconds of one, and the last loss."""
        runner = self.runner
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            value = runner.work()
        seconds = {"wall": time.perf_counter() - start, "processor": time.process_time() - processor}
        own = runner.own_seconds()
        spent = own or {clock: total / repeats for clock, total in seconds.items()}
        return {**spent, "loss": value if runner.workload.times == "fit" else None}

    def peak(self) -> float:
        """Return the peak memory of this process in MB."""
        from benchmarks.measure import peak_memory

        return peak_memory()


def serve(module: str, threads: int) -> None:
    """Answer until the pipe is closed."""
    desk = Desk(module, threads)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up between the replies
    while True:
        try:
            command, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            reply = ("done", getattr(desk, command)(*arguments))
        except Exception as error:
            reply = ("failed", f"{type(error).__name__}: {error}".splitlines()[0])
        pickle.dump(reply, replies)
        replies.flush()


if __name__ == "__main__":
    try:
        serve(sys.argv[1], int(sys.argv[2]))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
