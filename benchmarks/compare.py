"""A run beside an older one: what became slower by more than the noise.

For every engine and workload that both runs measured in the same way (threads, epochs)::

    factor = new median / old median / drift
    noise  = max(15%, (old upper - lower quartile) / old median + the same of the new run)

``slower`` is factor > 1 + noise, ``faster`` is factor < 1 / (1 + noise). `drift` is by what the machine itself became
slower: the median of new / old over the other engines of unchanged version, and 1 if there are fewer than three of
these.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.document import Document
from benchmarks.engines import OURS
from benchmarks.rounds import Result
from benchmarks.spread import Change, change, drift

LEAST_CLOCKS = 3


class Line(NamedTuple):
    """One engine on one workload, then and now."""

    workload: str
    engine: str
    old: float
    new: float
    change: Change


def compare(old: Document, new: Document) -> tuple[list[Line], float]:
    """Return a line for everything measured alike in both runs, and the machine's drift between them."""
    before = {(result.workload, result.engine): result for result in old.results}
    pairs = [
        (before[result.workload, result.engine], result)
        for result in new.results
        if (result.workload, result.engine) in before and _alike(old, new, result.workload)
    ]
    clocks = [pair for pair in pairs if _unchanged(old, new, pair[1])]
    drifted = 1.0
    if len(clocks) >= LEAST_CLOCKS:
        drifted = drift([a.spread.median for a, _ in clocks], [b.spread.median for _, b in clocks])
    lines = [
        Line(b.workload, b.engine, a.spread.median, b.spread.median, change(a.spread, b.spread, drifted))
        for a, b in pairs
    ]
    return lines, drifted


def _alike(old: Document, new: Document, workload: str) -> bool:
    if old.data["threads"] != new.data["threads"]:
        return False
    return bool(old.data["workloads"].get(workload) == new.data["workloads"].get(workload))


def _unchanged(old: Document, new: Document, result: Result) -> bool:
    if result.engine == OURS:
        return False
    versions = [document.data["engines"][result.engine]["versions"] for document in (old, new)]
    return bool(versions[0] == versions[1])
