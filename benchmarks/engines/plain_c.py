"""W1's fit in plain C: compiles ``w1.c`` with ``gcc -O3`` and runs it; the program times its fit itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.engines import runner
from benchmarks.workloads import W1, Array, Workload

SOURCE = Path(__file__).parent.with_name("w1.c")
BUILD = SOURCE.parent / "build"  # git-ignored
FLAGS = ("-O3",)  # neither -ffast-math nor -march=native: what a plain `gcc -O3` gives everyone


class MissingCompiler(RuntimeError):
    """There is no gcc on this machine."""


def compile_w1() -> Path:
    """Compile ``w1.c`` unless that is done already, and return the program's path.

    Raises
    ------
    MissingCompiler
        Where there is no gcc.
    """
    program = BUILD / "w1"
    if program.exists() and program.stat().st_mtime > SOURCE.stat().st_mtime:
        return program
    gcc = shutil.which("gcc")
    if gcc is None:
        raise MissingCompiler("gcc was not found: install it to compare W1 with plain C (Debian: apt install gcc).")
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:  # moved when complete: another run may be starting it
        fresh = Path(folder) / "w1"
        subprocess.run([gcc, *FLAGS, str(SOURCE), "-o", str(fresh), "-lm"], check=True)
        os.replace(fresh, program)
    return program


def fit(
    weights: list[Array], x: Array, y: Array, epochs: int = W1.epochs, orders: Array | None = None
) -> tuple[dict[str, float], Array, list[Array]]:
    """Fit W1 in C.

    Parameters
    ----------
    weights : list of ndarray
        The initial weights, in Keras' order.
    x : ndarray, shape (samples, 1, 4)
    y : ndarray, shape (samples, 1)
    epochs : int
    orders : ndarray of int, shape (epochs, samples), optional
        The order of the samples in every epoch; drawn by the program itself if left out.

    Returns
    -------
    seconds : dict
        Wall and processor time of the fit alone, without starting the program and reading its data.
    losses : ndarray, shape (epochs,)
        Mean training loss of every epoch, as `fit` records it.
    weights : list of ndarray
        After the fit.
    """
    parts = [np.asarray(part, np.float32).tobytes() for part in (*weights, x, y)]
    if orders is not None:
        parts.append(np.asarray(orders, np.int32).tobytes())
    command = [str(compile_w1()), str(epochs), str(len(x)), "own" if orders is None else "given"]
    printed = subprocess.run(command, input=b"".join(parts), stdout=subprocess.PIPE, check=True).stdout.split()
    wall, processor, *numbers = map(float, printed)
    ends = np.cumsum([weight.size for weight in weights])[:-1]
    fitted = [
        part.reshape(weight.shape) for part, weight in zip(np.split(numbers[epochs:], ends), weights, strict=True)
    ]
    return {"wall": wall, "processor": processor}, np.array(numbers[:epochs]), fitted


class Runner(runner.Runner):
    """W1 in plain C."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        super().__init__(workload, threads)
        compile_w1()

    def step(self) -> tuple[float, list[Array]]:
        """A fit of one epoch on the first batch."""
        x, y = self.first_batch()
        _, losses, weights = fit(self.weights, x, y, 1, np.arange(len(x))[np.newaxis])
        return float(losses[0]), weights

    def train(self) -> float:
        """The whole fit in the program."""
        self.seconds, losses, _ = fit(self.weights, self.x, self.y, self.workload.epochs)
        return float(losses[-1])

    def own_seconds(self) -> dict[str, float]:
        """What the program says that its fit took: starting it is no part of the work."""
        return self.seconds
