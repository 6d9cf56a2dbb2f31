"""Engines take turns in rounds.

For each workload every engine is made ready in its own process, has to agree with the reference, and does the work
once to warm up. Then in every round each engine has one turn, in an order that is reversed from round to round, so
that a drifting machine hits all alike; ratios are formed within a round. A turn repeats short work until it can be
timed; an engine whose turns are long has fewer of them, spread evenly over the rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from benchmarks import agreement
from benchmarks.engines import OURS, Engine
from benchmarks.spread import Rounds, Spread, ratios
from benchmarks.worker import Worker, WorkerError
from benchmarks.workloads import Workload

LEAST_TURNS = 3

Report = Callable[[str], None]  # takes what is being done now


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes
    ----------
    rounds : int
        Rounds of every workload.
    turn : float
        Seconds that a turn of short work lasts, about.
    seconds : float
        What the turns of one engine on one workload may take together, unless they are the least number.
    """

    rounds: int
    turn: float
    seconds: float

    def repeats(self, once: float) -> int:
        """Return how often work that takes `once` seconds is repeated in a turn."""
        return max(1, math.ceil(self.turn / once))

    def turns(self, once: float) -> int:
        """Return in how many rounds an engine takes part whose work takes `once` seconds."""
        affordable = int(self.seconds / (once * self.repeats(once)))
        return min(self.rounds, max(LEAST_TURNS, affordable))


@dataclass
class Result:
    """What an engine took for a workload.

    Attributes
    ----------
    seconds, processor : list
        Wall and processor seconds of one unit of the workload (a fit, a step, a prediction) in every round; None in a
        round without a turn.
    startup : dict
        Seconds, once: ``"prepare"`` (model and data), ``"result"`` (the first training step or prediction, compiled
        if need be), ``"first"`` (the first call of what is timed).
    loss : float or None
        At the end of a whole fit.
    """

    workload: str
    engine: str
    seconds: list[float | None] = field(default_factory=list)
    processor: list[float | None] = field(default_factory=list)
    startup: dict[str, float] = field(default_factory=dict)
    loss: float | None = None

    @property
    def spread(self) -> Spread:
        """Median and quartiles of a unit's wall seconds."""
        return Spread.of(self.seconds)

    @property
    def cores(self) -> float:
        """How many cores it kept busy: processor time by wall time."""
        return Spread.of(self.processor).median / self.spread.median

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


class Contestant:
    """An engine in one workload: its process, how long its work takes, what was measured."""

    def __init__(self, worker: Worker, workload: Workload) -> None:
        self.worker, self.workload = worker, workload
        self.result = Result(workload.name, worker.engine.name)
        self.once = 0.0

    def make_ready(self, expected: Any) -> str | None:
        """Prepare, compare with the reference, warm up; return in what the engine disagrees."""
        startup = self.result.startup
        startup["prepare"] = self.worker.ask("prepare", self.workload)
        startup["result"], found = self.worker.ask("result")
        if found is not None:
            problem = agreement.disagreement(self.workload, expected, found)
            if problem:
                return problem
        self.once = startup["first"] = self._turn(1)["wall"]
        if self.once < 1:  # the first call may have compiled
            self.once = self._turn(1)["wall"]
        return None

    def take_turn(self, repeats: int) -> None:
        """Measure."""
        measured = self._turn(repeats)
        self.result.seconds.append(measured["wall"] / self.workload.units)
        self.result.processor.append(measured["processor"] / self.workload.units)
        self.result.loss = measured["loss"]

    def sit_out(self) -> None:
        """Note a round without a turn."""
        self.result.seconds.append(None)
        self.result.processor.append(None)

    def _turn(self, repeats: int) -> dict[str, Any]:
        measured: dict[str, Any] = self.worker.ask("turn", repeats)
        return measured


class Workers:
    """The processes of the engines, started when they are first needed; leaving the ``with`` statement ends them."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._stack = ExitStack()
        self._workers: dict[str, Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, engine: Engine) -> Worker:
        """Return the engine's process with the engine loaded; a new one if the last has died."""
        worker = self._workers.get(engine.name)
        if worker is None or worker.process.poll() is not None:
            worker = self._stack.enter_context(Worker(engine, self.threads))
            worker.ask("load")
            self._workers[engine.name] = worker
        return worker


def measure(
    workload: Workload, engines: Iterable[Engine], workers: Workers, effort: Effort, report: Report
) -> tuple[list[Result], dict[str, str]]:
    """Measure a workload on all engines that run it.

    Returns
    -------
    results : list of Result
    left_out : dict
        Why an engine was not timed, by name.
    """
    expected = agreement.reference(workload)
    contestants: list[Contestant] = []
    left_out: dict[str, str] = {}
    for engine in engines:
        if not engine.runs(workload):
            continue
        report(f"{workload.name}: {engine.title} gets ready")
        try:
            contestant = Contestant(workers.of(engine), workload)
            problem = contestant.make_ready(expected)
        except WorkerError as error:
            problem = f"it failed: {error}"
        if problem:
            left_out[engine.name] = problem
        else:
            contestants.append(contestant)

    take_turns(contestants, left_out, effort, lambda text: report(f"{workload.name}: {text}"))
    results = [contestant.result for contestant in contestants if contestant.result.engine not in left_out]
    for result in other_final_losses(results):
        left_out[result[0]] = result[1]
    return [result for result in results if result.engine not in left_out], left_out


def take_turns(contestants: list[Contestant], left_out: dict[str, str], effort: Effort, report: Report) -> None:
    """Run the rounds; an engine that fails is added to `left_out` and takes part no longer."""
    for number in range(effort.rounds):
        report(f"round {number + 1} of {effort.rounds}")
        for contestant in contestants[:: -1 if number % 2 else 1]:
            name = contestant.result.engine
            if name in left_out:
                continue
            if not takes_part(number, effort.turns(contestant.once), effort.rounds):
                contestant.sit_out()
                continue
            try:
                contestant.take_turn(effort.repeats(contestant.once))
            except WorkerError as error:
                left_out[name] = f"it failed: {error}"


def takes_part(number: int, turns: int, rounds: int) -> bool:
    """Return whether round `number` is one of `turns` that are spread evenly over all.

    Examples
    --------
    >>> [takes_part(number, turns=3, rounds=9) for number in range(9)]
    [False, False, True, False, False, True, False, False, True]
    """
    return (number + 1) * turns // rounds > number * turns // rounds


def other_final_losses(results: list[Result]) -> list[tuple[str, str]]:
    """Return the engines whose whole fit ends at another loss than ours, and in what they differ."""
    ours = next((result.loss for result in results if result.engine == OURS), None)
    if ours is None:
        return []
    found = [(result.engine, agreement.final_losses_differ(ours, result.loss)) for result in results if result.loss]
    return [(engine, problem) for engine, problem in found if problem]


def ratios_to_ours(results: list[Result]) -> dict[str, Rounds]:
    """Return the wall time of every engine by ours, in the rounds in which both had a turn."""
    ours = next((result for result in results if result.engine == OURS), None)
    return {} if ours is None else {result.engine: ratios(result.seconds, ours.seconds) for result in results}
