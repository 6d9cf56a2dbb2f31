"""The run as tables: in the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.compare import Line
from benchmarks.document import Document
from benchmarks.engines import OURS
from benchmarks.growth import EXPECTED
from benchmarks.spread import Spread

if TYPE_CHECKING:
    from rich.table import Table


def duration(seconds: float) -> str:
    """Return a duration in three digits.

    Examples
    --------
    >>> duration(12.34), duration(0.0123), duration(2.2e-6), duration(123.4)
    ('12.3 s', '12.3 ms', '2.2 µs', '123 s')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale or unit == "µs":
            return f"{seconds / scale:.3g} {unit}" if seconds < 1000 * scale else f"{seconds / scale:.0f} {unit}"
    raise AssertionError


def factor(value: float) -> str:
    """Return a ratio in two or three digits.

    Examples
    --------
    >>> factor(0.123), factor(1.0), factor(13.46), factor(181.2)
    ('0.12', '1.0', '13', '181')
    """
    if value < 1:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def startup(result: Any) -> float:
    """Return the seconds from an imported engine to the second call of the work, less the work itself."""
    once = result.startup
    work = result.spread.median
    return float(max(0.0, once["prepare"] + once["result"] + max(0.0, once["first"] - work)))


def terminal(document: Document) -> Iterator[Table]:
    """Yield the results and what starting the engines costs, each as a table for 80 columns."""
    from rich import box
    from rich.table import Table

    for name, workload in document.data["workloads"].items():
        results = document.of(name)
        if not results:
            continue
        table = Table(
            box=box.SIMPLE_HEAD, title=f"{name}: {workload['what']}", title_justify="left", title_style="bold"
        )
        table.add_column("engine", min_width=22)
        for column in ("median", "middle half", "x ours", "start-up"):
            table.add_column(column, justify="right", no_wrap=True)
        ratios = document.ratios(name)
        for result in results:
            spread, ratio = result.spread, ratios.get(result.engine)
            table.add_row(
                document.title(result.engine),
                duration(spread.median),
                f"{duration(spread.low)} .. {duration(spread.high)}",
                factor(ratio.median) if ratio else "",
                "" if document.is_floor(result.engine) else duration(startup(result)),
                style="bold cyan" if result.engine == OURS else "dim" if document.is_floor(result.engine) else "",
            )
        yield table

    table = Table(box=box.SIMPLE_HEAD, title="The engines", title_justify="left", title_style="bold")
    for column in ("engine", "import", "peak memory", "versions"):
        table.add_column(column, justify="left" if column in ("engine", "versions") else "right")
    for engine in document.data["engines"].values():
        if not engine["floor"]:
            table.add_row(engine["title"], *_start(engine), _versions(engine))
    yield table


def growth(document: Document) -> list[str]:
    """Return a line for every size with which the cost grows."""
    return [
        f"cost ~ {line['size']}^{line['slope']:.2f} for {line['size']} = {line['values'][0]} to {line['values'][-1]} "
        f"(expected at large sizes: {line['size']}^{EXPECTED[line['size']]})"
        for line in document.data["growth"]
    ]


def comparison(document: Document, lines: list[Line], drift: float) -> Table:
    """Return the comparison with an older run as a table."""
    from rich import box
    from rich.table import Table

    title = f"Beside the older run, the machine's drift of {drift:.2f} x taken out"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for column in ("workload", "engine", "old", "new", "factor", "noise", ""):
        table.add_column(column, justify="left" if column in ("workload", "engine", "") else "right")
    for line in lines:
        verdict = line.change.verdict
        table.add_row(
            line.workload,
            document.title(line.engine),
            duration(line.old),
            duration(line.new),
            f"{line.change.factor:.2f}",
            f"{line.change.noise:.0%}",
            verdict.upper() if verdict == "slower" else verdict,
            style={"slower": "bold red", "faster": "green", "": ""}[verdict],
        )
    return table


def markdown(document: Document) -> str:
    """Return the run as Markdown: all times in one table, start-up and settings in a second one, notes."""
    shown = [name for name in document.data["workloads"] if document.of(name)]
    rows = [["", *shown]]
    results = {(result.workload, result.engine): result for result in document.results}
    ratios = {name: document.ratios(name) for name in shown}
    for engine, entry in document.data["engines"].items():
        cells = [
            _cell(results[name, engine].spread, ratios[name].get(engine), engine) if (name, engine) in results else ""
            for name in shown
        ]
        if any(cells):
            label = f"**{entry['title']}**" if engine == OURS else entry["title"]
            rows.append([f"*{label} (floor)*" if entry["floor"] else label, *cells])
    engines = [["", "import", "peak memory", "how it is run", "versions"]]
    for entry in document.data["engines"].values():
        engines.append([entry["title"], *_start(entry), entry["setting"], _versions(entry)])
    what = [f"- **{name}** {document.data['workloads'][name]['what']}" for name in shown]
    noise = [result.spread.relative for result in document.results]
    parts = [
        f"Median time, and in brackets the median over {document.data['rounds']} rounds of its ratio to rnn_core's "
        f"in the same round. {document.machine()}.",
        _table(rows),
        "\n".join(what),
        f"The quartiles of a row of rounds lie {Spread.of(noise).median:.0%} of the median apart in the middle case, "
        f"{max(noise):.0%} at most.",
        _table(engines),
        "\n".join(f"- {line}" for line in [*growth(document), *document.notes()]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cell(spread: Spread, ratio: Spread | None, engine: str) -> str:
    if engine == OURS:
        return f"**{duration(spread.median)}**"
    return duration(spread.median) + (f" ({factor(ratio.median)})" if ratio else "")


def _start(engine: dict[str, Any]) -> tuple[str, str]:
    seconds, memory = engine["import_seconds"], engine["memory"]
    return duration(Spread.of(seconds).median) if seconds else "", f"{memory:.0f} MB" if memory else ""


def _versions(engine: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in engine["versions"].items())


def _table(rows: list[list[str]]) -> str:
    """Return rows, the first of which is the head, as a Markdown table: the first column left, numbers right."""
    line = ["---", *("---:" for _ in rows[0][1:])]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in [rows[0], line, *rows[1:]]
    )
