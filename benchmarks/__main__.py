"""``python -m benchmarks``: what the engine costs beside what a user would pick instead.

Quick by default; ``--full`` is the real thing. Bad arguments: one line and exit status 2. Interrupted: no process of
an engine is left behind, and status 130.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from benchmarks import chart, compare, growth, measure, rounds, tables
from benchmarks.document import FORMAT, Document
from benchmarks.engines import ENGINES, OURS, Engine
from benchmarks.engines.runner import versions
from benchmarks.worker import WorkerError
from benchmarks.workloads import W5, W6C, WORKLOADS, Workload

if TYPE_CHECKING:
    from rich.console import Console

QUICK = ("W1", "W2", "W3", "W4", "W6a", "W6c")
QUICK_EPOCHS = 10  # of W1 and W2
EFFORTS = {
    False: rounds.Effort(rounds=5, turn=0.03, seconds=0.4),
    True: rounds.Effort(rounds=11, turn=0.1, seconds=2.0),
}
IMPORTS = {False: 1, True: 3}
OUTPUT = Path(__file__).parent / "build" / "report"


class Parser(argparse.ArgumentParser):
    """argparse's parser, with one line for an error in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="python -m benchmarks",
        description="Measure rnn_core beside other engines: they take turns in rounds, after their results were shown "
        "to agree. What is not installed is named and left out.",
        epilog="The quick run leaves out W5, W5 alive, W6b, W7, peak memory and growth, fits W1 and W2 for "
        f"{QUICK_EPOCHS} epochs in place of 100, and runs 5 rounds in place of 11.",
    )
    parser.add_argument("--full", action="store_true", help="everything, in about ten minutes; the default is quick")
    parser.add_argument(
        "--workload", nargs="+", metavar="W", help=f"only these: {', '.join(WORKLOADS)}; W5, W6 mean all of theirs"
    )
    parser.add_argument("--engine", nargs="+", metavar="NAME", help=f"ours and these: {', '.join(ENGINES)}")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of every engine (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="mark what got slower by more than the noise")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, metavar="FOLDER", help="where benchmarks.md and benchmarks.png go"
    )
    return parser


def chosen_workloads(names: Sequence[str] | None, full: bool) -> list[Workload]:
    """Return the workloads of a run; ``"W6"`` stands for W6a, W6b and W6c, and ``"W5"`` for both of its kind.

    Raises
    ------
    ValueError
        If there is no such workload.
    """
    found = set() if names else set(WORKLOADS if full else QUICK)
    for name in names or ():
        start = name.lower().replace("_", " ")
        matching = {known for known in WORKLOADS if len(start) > 1 and known.lower().startswith(start)}
        if not matching:
            raise ValueError(f"--workload {name}: there are {', '.join(WORKLOADS)}")
        found |= matching
    workloads = [workload for name, workload in WORKLOADS.items() if name in found]
    if full:
        return workloads
    return [replace(w, epochs=QUICK_EPOCHS) if w.times == "fit" else w for w in workloads]


def chosen_engines(names: Sequence[str] | None) -> list[Engine]:
    """Return the engines of a run: ours is always one of them.

    Raises
    ------
    ValueError
        If there is no such engine.
    """
    for name in names or ():
        if name not in ENGINES:
            raise ValueError(f"--engine {name}: there are {', '.join(ENGINES)}")
    return [engine for name, engine in ENGINES.items() if not names or name in names or name == OURS]


def run(options: argparse.Namespace, workloads: list[Workload], engines: list[Engine], report: Any) -> Document:
    """Measure; return the document."""
    report("the machine")
    absent = {e.name: f"{' and '.join(e.missing())} not installed" for e in engines if e.missing()}
    engines = [engine for engine in engines if engine.name not in absent]
    document: dict[str, Any] = {
        "format": FORMAT,
        "environment": measure.environment(),
        "threads": options.threads,
        "full": options.full,
        "rounds": EFFORTS[options.full].rounds,
        "workloads": {w.name: {"what": w.what, "epochs": w.epochs} for w in workloads},
        "engines": {engine.name: describe(engine) for engine in engines},
        "results": [],
        "left_out": {},
        "absent": absent,
        "growth": [],
    }
    with rounds.Workers(options.threads) as workers:
        for workload in workloads:
            results, left_out = rounds.measure(workload, engines, workers, EFFORTS[options.full], report)
            document["results"] += [result.to_dict() for result in results]
            document["left_out"][workload.name] = left_out
        if options.full:
            document["growth"] = growth.measure(workers.of(ENGINES[OURS]), report)
    peers = [engine for engine in engines if not engine.floor]
    for _ in range(IMPORTS[options.full]):
        for engine in peers:
            report(f"import {engine.needs[0]}")
            seconds = measure.import_seconds(engine.needs[0], engine=engine)
            document["engines"][engine.name]["import_seconds"].append(seconds)
    for engine in peers if options.full else ():
        report(f"peak memory of {engine.title}")
        try:
            heavy = W5 if engine.runs(W5) else W6C
            document["engines"][engine.name]["memory"] = measure.peak_memory_of(heavy, engine, options.threads)
        except WorkerError as error:
            document["left_out"].setdefault("peak memory", {})[engine.name] = f"it failed: {error}"
    return Document(document)


def describe(engine: Engine) -> dict[str, Any]:
    """Return what a document says of an engine before anything is measured."""
    packages = [*engine.needs, *(["jaxlib"] if "jax" in engine.needs else [])]
    return {
        "title": engine.title,
        "setting": engine.setting,
        "floor": engine.floor,
        "versions": versions(*(package.replace("_", "-") for package in packages)),
        "import_seconds": [],
        "memory": None,
    }


def show(document: Document, old: Document | None, console: Console) -> None:
    """Print the tables."""
    console.print(document.machine())
    environment = document.data["environment"]
    console.print(f"NumPy {environment['numpy']}, {environment['blas']}")
    for table in tables.terminal(document):
        console.print(table)
    for line in [*tables.growth(document), *document.notes()]:
        console.print(line)
    if old is not None:
        lines, drift = compare.compare(old, document)
        if lines:
            console.print(tables.comparison(document, lines, drift))
        else:
            console.print("Nothing was measured in the same way in the older run: workloads, epochs or threads differ.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from threadpoolctl import threadpool_limits

    command = parser()
    options = command.parse_args(arguments)
    if options.threads < 1:
        command.error(f"--threads must be at least 1, got {options.threads}")
    try:
        workloads = chosen_workloads(options.workload, options.full)
        engines = chosen_engines(options.engine)
        old = None if options.compare is None else Document.read(options.compare)
        for folder in (options.output, *([options.json.parent] if options.json else [])):
            folder.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        command.error(str(error))

    console = Console(highlight=False)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    progress.disable = not progress.console.is_terminal
    try:
        with threadpool_limits(1), progress:  # the reference is computed in this process
            task = progress.add_task("")
            document = run(options, workloads, engines, lambda text: progress.update(task, description=text))
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    show(document, old, console)
    (options.output / "benchmarks.md").write_text(tables.markdown(document), encoding="utf-8")
    chart.chart(document).savefig(options.output / "benchmarks.png", dpi=110)
    console.print(
        f"Written: {options.output / 'benchmarks.md'} and .png" + (f", {options.json}" if options.json else "")
    )
    if options.json:
        document.write(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
