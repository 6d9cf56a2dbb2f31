"""W1's fit in plain C: compiles ``w1.c`` with ``gcc -O3`` and runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import BUILD
from benchmarks.workloads import W1, Array

SOURCE = Path(__file__).with_name("w1.c")
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
) -> tuple[dict[str, float], Array]:
    """Fit W1 in C.

    Parameters
    ----------
    weights : list of ndarray
        The initial weights, in Keras' order.
    x : ndarray, shape (800, 1, 4)
    y : ndarray, shape (800, 1)
    epochs : int
    orders : ndarray of int, shape (epochs, 800), optional
        The order of the samples in every epoch; drawn by the program itself if left out.

    Returns
    -------
    seconds : dict
        Wall and processor time of the fit alone, without starting the program and reading its data.
    losses : ndarray, shape (epochs,)
        Mean training loss of every epoch, as `fit` records it.
    """
    parts = [np.asarray(part, np.float32).tobytes() for part in (*weights, x, y)]
    if orders is not None:
        parts.append(np.asarray(orders, np.int32).tobytes())
    command = [str(compile_w1()), str(epochs), "own" if orders is None else "given"]
    printed = subprocess.run(command, input=b"".join(parts), stdout=subprocess.PIPE, check=True).stdout.split()
    wall, processor, *losses = map(float, printed)
    return {"wall": wall, "processor": processor}, np.array(losses)
