"""The engine against its targets: ``python -m benchmarks.targets``.

Every target is a ratio of two things measured in the same round of one run, or an absolute bound, reached
through the public API with one BLAS thread. A training step is measured twice: as `fit` on several batches
for several epochs, divided by the number of steps, and as calls of `train_on_batch`. The floors are W1's fit
in plain C and the matrix products of the same training step; the cliff of denormal numbers is the time of W5,
where gradients vanish, beside the time of the same step where they do not.

All that is compared here runs on one thread, so it is processor time that is counted, which a busy neighbour
leaves alone; ``--clock wall`` counts what a stopwatch would show, the same on a quiet machine.

Exit status 0 says that all targets are met.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.engines import plain_c, products
from benchmarks.engines.rnn_core import Runner
from benchmarks.measure import (
    CLOCKS,
    Job,
    environment,
    import_seconds,
    import_time_total,
    inner_loop_growth,
    interleave,
    peak_memory_of,
    timed,
)
from benchmarks.workloads import W1, W3, W4, W5, W5_ALIVE, W6A, W7, Array, Workload

Rounds = list[dict[str, float]]  # what every job took, round by round


@dataclass(frozen=True)
class Target:
    """A job, compared with another one or measured by itself, and the most that it may take."""

    name: str
    job: str
    floor: str | None = None
    limit: float | None = None  # None: shown for information
    unit: str = "x"
    scale: float = 1.0  # from the job's unit to `unit`

    def summary(self, rounds: Rounds) -> dict[str, Any]:
        """Return median and spread over the rounds as plain data; what was not measured is not met."""
        values = [
            self.scale * measured[self.job] / (measured[self.floor] if self.floor else 1)
            for measured in rounds
            if {self.job, self.floor} - {None} <= measured.keys()
        ]
        middle, low, high = (median(values), min(values), max(values)) if values else (None, None, None)
        met = None if self.limit is None else middle is not None and middle <= self.limit
        found = {"median": middle, "min": low, "max": high, "met": met}
        return {"name": self.name, "unit": self.unit, "limit": self.limit, **found}


TARGETS = (
    Target("W1 fit / plain C", "W1 fit", "W1 C", 2.5),
    Target("W3 step by fit / its products", "W3 fit", "W3 products"),
    Target("W3 train_on_batch / its products", "W3 train_on_batch", "W3 products"),
    Target("W4 step by fit / its products", "W4 fit", "W4 products", 1.25),
    Target("W4 train_on_batch / its products", "W4 train_on_batch", "W4 products", 1.25),
    Target("W7 step by fit / its products", "W7 fit", "W7 products", 1.25),
    Target("W7 train_on_batch / its products", "W7 train_on_batch", "W7 products", 1.25),
    Target("W5 step / the same without vanishing gradient", "W5 fit", "W5 alive fit", 1.25),
    Target("W5 step by fit / its products", "W5 fit", "W5 products"),
    Target("W6a predict of one (1, 1, 4) sample", "W6a predict", None, 25, "us", 1e6),
    Target("W5 peak memory of training", "W5 memory", None, 120, "MB"),
    # Less than one array of outputs: (16, 32) takes 2,048 B, (32, 64) takes 8,192 B.
    Target("W1 growth of memory in the inner loop", "W1 growth", None, 2_000, "B"),
    Target("W3 growth of memory in the inner loop", "W3 growth", None, 8_000, "B"),
    Target("import rnn_core / import numpy", "import rnn_core", "import numpy", 1.3),
    Target("the same by -X importtime", "importtime rnn_core", "importtime numpy"),
)


def check_agreement(epochs: int = 5) -> float:
    """Return by how much the losses of W1 differ from plain C's, relatively: same weights, same batches.

    Raises
    ------
    RuntimeError
        If it is more than float32 explains: what computes something else is not timed.
    """
    rng = np.random.default_rng(W1.seed)
    x, y = W1.data()
    orders = np.array([rng.permutation(W1.samples) for _ in range(epochs)])
    expected = plain_c.fit(W1.weights(), x, y, epochs, orders)[1]
    model = Runner(W1).model
    losses = np.array([_epoch_loss(model, x[order], y[order]) for order in orders])
    difference = float(np.max(np.abs(losses / expected - 1)))
    if not difference < 1e-4:
        raise RuntimeError(f"rnn_core and plain C disagree on W1's losses: {losses} and {expected}.")
    return difference


def _epoch_loss(model: Any, x: Array, y: Array) -> float:
    return float(model.fit(x, y, batch_size=W1.batch_size, shuffle=False, verbose=0).history["loss"][0])


def makers(clock: str) -> dict[str, Callable[[], Job]]:
    """Return what makes each job; what is compared stands side by side."""
    table: dict[str, Callable[[], Job]] = {
        "W1 C": partial(fit_in_c, clock),
        "W1 fit": lambda: lambda: timed(Runner(W1).fit, clock=clock)(),  # with a new model every time
    }
    for step in (W3, W4, W7, W5):
        table[f"{step.name} products"] = partial(products_of_a_step, step, clock)
        table[f"{step.name} fit"] = partial(step_by_fit, step, clock)
        table[f"{step.name} train_on_batch"] = partial(step_by_train_on_batch, step, clock)
    return table | {
        "W5 alive fit": partial(step_by_fit, W5_ALIVE, clock),
        "W5 memory": lambda: partial(peak_memory_of, W5),
        "W6a predict": lambda: timed(Runner(W6A).predict, repeats=2000, clock=clock),
        "W1 growth": lambda: partial(inner_loop_growth, W1),
        "W3 growth": lambda: partial(inner_loop_growth, W3),
        "import numpy": lambda: partial(import_seconds, "numpy", clock),
        "import rnn_core": lambda: partial(import_seconds, "rnn_core", clock),
        "importtime numpy": lambda: partial(import_time_total, "numpy"),
        "importtime rnn_core": lambda: partial(import_time_total, "rnn_core"),
    }


def fit_in_c(clock: str) -> Job:
    """Return W1's fit in plain C, as the program times it."""
    runner = plain_c.Runner(W1)

    def job() -> float:
        runner.train()
        return runner.own_seconds()[clock]

    return job


def products_of_a_step(workload: Workload, clock: str) -> Job:
    """Return the products of one training step, as often as `fit` has steps."""
    return timed(products.Runner(workload).train, units=workload.steps, clock=clock)


def step_by_fit(workload: Workload, clock: str) -> Job:
    """Return a `fit` on several batches for several epochs, the time divided by its steps."""
    return timed(Runner(workload).fit, units=workload.steps, clock=clock)


def step_by_train_on_batch(workload: Workload, clock: str) -> Job:
    """Return calls of `train_on_batch`, as many as `fit` has steps."""
    train = Runner(workload).train_on_batches
    return timed(train, repeats=workload.epochs, units=workload.batches, clock=clock)


def measure(targets: list[Target], rounds: int, clock: str) -> tuple[Rounds, list[str]]:
    """Measure what the targets need: what every job took, and what could not be measured and why."""
    needed = {name for target in targets for name in (target.job, target.floor)}
    jobs: dict[str, Job] = {}
    missing = []
    for name, make in makers(clock).items():
        if name in needed:
            try:
                jobs[name] = make()
            except plain_c.MissingCompiler as error:
                missing.append(f"{name} was not measured: {error}")
    results: Rounds = []
    for measured in interleave(jobs, rounds):
        results.append(measured)
        print(f"\rround {len(results)} of {rounds} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results, missing


def table(summaries: list[dict[str, Any]]) -> str:
    """Return the targets as a table."""
    lines = [f"{'target':<46}{'limit':>9}{'measured':>12}{'min':>10}{'max':>10}  met"]
    for row in summaries:
        limit = "" if row["limit"] is None else f"{row['limit']:g} {row['unit']}"
        measured = "-" if row["median"] is None else f"{row['median']:.4g} {row['unit']}"
        low, high = ("" if row[key] is None else f"{row[key]:.4g}" for key in ("min", "max"))
        met = {True: "yes", False: "NO", None: ""}[row["met"]]
        lines.append(f"{row['name']:<46}{limit:>9}{measured:>12}{low:>10}{high:>10}  {met}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 0 if all targets are met, 1 if not."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.targets", description="Measure the engine against its targets."
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds in which the jobs take turns (15)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only targets with TEXT in their name, as W4")
    parser.add_argument("--clock", choices=CLOCKS, default="processor", help="what is counted (processor)")
    parser.add_argument("--json", action="store_true", help="print all that was measured as JSON")
    options = parser.parse_args(arguments)
    chosen = [target for target in TARGETS if options.only.lower() in target.name.lower()]
    if not chosen:
        parser.error(f"--only {options.only}: no target has that in its name")
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {options.rounds}")

    agreement: float | None = None
    with threadpool_limits(1):
        machine = environment()
        with suppress(plain_c.MissingCompiler):
            agreement = check_agreement()
        rounds, notes = measure(chosen, options.rounds, options.clock)
    summaries = [target.summary(rounds) for target in chosen]
    met = all(row["met"] is not False for row in summaries)

    if machine["denormal slowdown"] < 1.5 and any(target.floor == "W5 alive fit" for target in chosen):
        notes.append("This processor is not slowed by denormal numbers: W5's target on them says nothing here.")

    if options.json:
        report = {
            "environment": machine,
            "clock": options.clock,
            "agreement with plain C": agreement,
            "notes": notes,
            "met": met,
        }
        print(json.dumps({**report, "targets": summaries, "rounds": rounds}, indent=1))
        return 0 if met else 1
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    if agreement is not None:
        print(f"W1 computes what plain C computes: losses of 5 epochs within {agreement:.1e}")
    print(f"Medians over {options.rounds} rounds, {options.clock} time:\n")
    print(table(summaries), *notes, "all targets are met" if met else "NOT all targets are met", sep="\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
