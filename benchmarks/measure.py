"""How things are measured: interleaved rounds, fresh processes, peak memory, allocations."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from benchmarks.engines import ENGINES, OURS, Engine
from benchmarks.engines.rnn_core import Runner
from benchmarks.worker import ROOT, Worker
from benchmarks.worker import environment as worker_environment
from benchmarks.workloads import Workload

Job = Callable[[], float]  # does its work once and returns what it took, in seconds (or another unit)

# Processor time leaves out what others computed meanwhile, and adds up over threads.
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def timed(call: Callable[[], Any], repeats: int = 1, units: int = 1, clock: str = "wall") -> Job:
    """Return a job: the mean seconds of `repeats` calls, divided by the `units` of work in one."""
    now = CLOCKS[clock]

    def job() -> float:
        start = now()
        for _ in range(repeats):
            call()
        return (now() - start) / (repeats * units)

    return job


def interleave(jobs: Mapping[str, Job], rounds: int) -> Iterator[dict[str, float]]:
    """Yield one measurement of every job a round, after a round to warm up.

    Within a round the jobs take turns, so that a machine that drifts hits all alike, in an order that is
    reversed from round to round: what is compared should stand side by side in `jobs`.
    """
    for number in range(rounds + 1):
        names = list(jobs)[:: -1 if number % 2 else 1]
        measured = {name: jobs[name]() for name in names}
        if number:
            yield measured


def python(engine: Engine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a fresh process, from the repository's folder, in the environment of an engine."""
    variables = worker_environment(engine, threads=1)
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )


def import_seconds(module: str, clock: str = "wall", engine: Engine = ENGINES[OURS]) -> float:
    """Return the seconds that ``import module`` takes in a fresh process, without the start of Python."""
    now = f"time.{CLOCKS[clock].__name__}()"
    code = f"import time; start = {now}; import {module}; print({now} - start)"
    return float(python(engine, "-c", code).stdout.split()[-1])


def import_time_total(module: str) -> float:
    """Return the seconds that ``python -X importtime`` puts beside the module, its own imports included."""
    for line in reversed(python(ENGINES[OURS], "-X", "importtime", "-c", f"import {module}").stderr.splitlines()):
        _, cumulative, name = line.split("|")
        if name.strip() == module:
            return float(cumulative) / 1e6
    raise RuntimeError(f"python -X importtime did not list {module}.")


def peak_memory_of(workload: Workload, engine: Engine = ENGINES[OURS], threads: int = 1) -> float:
    """Return the peak memory, in MB, of a fresh process that makes the workload's data and does its work once."""
    with Worker(engine, threads) as worker:
        worker.ask("load")
        worker.ask("prepare", workload)
        worker.ask("turn", 1)
        return float(worker.ask("peak"))


def peak_memory() -> float:
    """Return the peak resident memory of this process in MB.

    On Linux from ``/proc``: there `ru_maxrss` of a process that Python started begins at its parent's peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(kilobytes) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def inner_loop_growth(workload: Workload, epochs: int = 3) -> int:
    """Return by how many bytes traced memory rises above its start, at most, while batches of a `fit` run.

    What `fit` makes for its first epoch, and between epochs (the order of the samples), does not count. Views
    and the numbers handed to callbacks do: some hundred bytes. (NumPy keeps freed buffers below 1 kB for
    reuse, which tracemalloc does not see again.)
    """
    runner = Runner(workload)
    start, growth = 0, 0
    last = workload.batches - 1
    epoch = 0

    def epoch_begins(index: int, logs: Any = None) -> None:
        nonlocal epoch
        epoch = index

    def batch_begins(index: int, logs: Any = None) -> None:
        nonlocal start
        if index == 0:
            tracemalloc.reset_peak()
            start = tracemalloc.get_traced_memory()[0]

    def batch_ends(index: int, logs: Any = None) -> None:
        nonlocal growth
        if index == last and epoch:
            growth = max(growth, tracemalloc.get_traced_memory()[1] - start)

    watch = runner.module("callbacks").LambdaCallback(
        on_epoch_begin=epoch_begins, on_train_batch_begin=batch_begins, on_train_batch_end=batch_ends
    )
    settings: dict[str, Any] = {"epochs": epochs, "callbacks": [watch]}
    runner.fit(**settings)  # imports, caches and records
    tracemalloc.start()
    try:
        runner.fit(**settings)
    finally:
        tracemalloc.stop()
    return growth


def denormal_slowdown() -> float:
    """Return how much slower this processor multiplies matrices of denormal numbers.

    Where it is 1, the hazard cannot be timed: W5 with and without vanishing gradients takes the same,
    whatever the engine does.
    """
    normal = np.random.default_rng(0).standard_normal((128, 128), np.float32)
    denormal = normal * np.float32(1e-40)
    out = np.empty_like(normal)
    jobs = {
        "normal": timed(lambda: normal.dot(normal, out), repeats=50, clock="processor"),
        "denormal": timed(lambda: denormal.dot(normal, out), repeats=50, clock="processor"),
    }
    return median(measured["denormal"] / measured["normal"] for measured in interleave(jobs, 9))


def environment() -> dict[str, Any]:
    """Return what the numbers depend on: processor, versions, BLAS, the cost of denormal numbers."""
    blas: dict[str, Any] = next((library for library in threadpool_info() if library["user_api"] == "blas"), {})
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), None)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": " ".join(str(blas.get(key, "")) for key in ("internal_api", "version", "architecture")),
        "blas threads": blas.get("num_threads"),
        "denormal slowdown": round(denormal_slowdown(), 2),
    }
