"""How a training step of ours grows with its sizes: the slope of log(time) over log(size).

Linear (slope 1) in the timesteps T, the batch B and the samples N; quadratic (slope 2) in the units H once the
products dominate. Inputs are so small that no gradient vanishes: what vanishes is not computed, and the growth with T
would be less than linear.
"""

from __future__ import annotations

from typing import Any

from benchmarks.rounds import Report
from benchmarks.spread import Spread, slope
from benchmarks.worker import Worker
from benchmarks.workloads import Workload, recurrent

ROUNDS, TURN = 5, 0.05  # seconds that a turn lasts, at least


def _epoch(timesteps: int, batch: int, units: int, samples: int) -> Workload:
    return Workload("growth", "fit", recurrent(units), samples, timesteps, 16, batch, scale=1e-3)


SIZES: dict[str, dict[int, Workload]] = {
    "T": {size: _epoch(size, 32, 64, 32) for size in (64, 128, 256, 512, 1024)},
    "B": {size: _epoch(20, size, 128, size) for size in (64, 128, 256, 512, 1024)},
    "H": {size: _epoch(20, 64, size, 64) for size in (128, 256, 512, 1024)},
    "N": {size: _epoch(10, 32, 32, size) for size in (512, 1024, 2048, 4096, 8192)},
}
EXPECTED = {"T": 1, "B": 1, "H": 2, "N": 1}


def measure(worker: Worker, report: Report) -> list[dict[str, Any]]:
    """Return for every size its name, values, median seconds of an epoch, and the slope."""
    found = []
    for name, workloads in SIZES.items():
        seconds: dict[int, list[float]] = {size: [] for size in workloads}
        for number in range(ROUNDS):
            report(f"growth with {name}: round {number + 1} of {ROUNDS}")
            for size, workload in workloads.items():
                worker.ask("prepare", workload)
                once = worker.ask("turn", 2)["wall"]
                seconds[size].append(worker.ask("turn", max(1, round(TURN / once)))["wall"])
        medians = [Spread.of(values).median for values in seconds.values()]
        found.append(
            {"size": name, "values": list(workloads), "seconds": medians, "slope": slope(list(workloads), medians)}
        )
    return found
