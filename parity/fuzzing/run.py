"""Many random cases through the check; one that fails is made as small as it can be and still fails.

::

    seed, seed + 1, ... --draw--> case --check--> holds
                                        '-------> fails --shrink--> a smaller Case --> a script that reproduces it

A case also fails when either engine raises an error. It does not fail for what overflows in float32 on both sides.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

from parity.backend import require_keras
from parity.checking.line import Line
from parity.checking.run import STAGES, check
from parity.fuzzing.case_layers import Config
from parity.fuzzing.drawing import Case, draw
from parity.fuzzing.shrinking import shrink
from rnn_core.engine.nonfinite import NonFiniteError

Progress = Callable[[int, int, int], None]
"""Called with how many cases are done, how many there are, and how many failed."""

DRAWS = STAGES[-1]  # for the second look: a false alarm in thousands of cases costs more than these
FORGET = 50  # after so many cases Keras drops its graphs, of which every model leaves some


class Failure(NamedTuple):
    """A case that fails.

    Attributes
    ----------
    case : Case
        As it was drawn; ``draw(case.seed)`` gives it again (on JAX and torch with the backend's name).
    shrunk : Case
        The smallest one found that fails in the same way.
    what : str
        How `shrunk` fails: the report's sentence, or the error.
    dtypes, draws
        As it was checked; without `dtypes`, in those of the case (see :func:`dtypes_of`).
    """

    case: Case
    shrunk: Case
    what: str
    dtypes: Sequence[str] | None
    draws: int

    def script(self) -> str:
        """Return Python that reproduces it."""
        said = "\n".join(f"# {line}" for line in self.what.splitlines())
        script = self.shrunk.script(self.dtypes or dtypes_of(self.shrunk), self.draws)
        return f"# Case of seed {self.case.seed}, made smaller.\n{said}\n{script}"

    def to_dict(self) -> Config:
        """Return the failure as JSON takes it."""
        cases = {"case": self.case.to_dict(), "shrunk": self.shrunk.to_dict()}
        return {"seed": self.case.seed, "what": self.what, **cases, "script": self.script()}


class FuzzResult:
    """What :func:`fuzz` found.

    Attributes
    ----------
    seed, cases : int
        Seeds `seed` to ``seed + cases - 1`` were tried.
    failures : list of Failure
    seconds : float
    """

    def __init__(self, seed: int, cases: int, failures: list[Failure], seconds: float) -> None:
        self.seed, self.cases, self.failures, self.seconds = seed, cases, failures, seconds

    @property
    def holds(self) -> bool:
        """Whether no case fails."""
        return not self.failures

    @property
    def summary(self) -> str:
        """One sentence."""
        seeds = f"seeds {self.seed} to {self.seed + self.cases - 1}"
        found = f"{len(self.failures):,} of {self.cases:,} cases fail" if self.failures else f"all {self.cases:,} hold"
        return f"fuzz, {seeds}: {found} ({self.seconds:.1f} s, {self.seconds / self.cases:.3f} s a case)."

    def to_dict(self) -> Config:
        """Return the result as JSON takes it."""
        return {
            "seed": self.seed,
            "cases": self.cases,
            "seconds": self.seconds,
            "holds": self.holds,
            "failures": [failure.to_dict() for failure in self.failures],
        }

    def __str__(self) -> str:
        return "\n".join([*(failure.script() for failure in self.failures), self.summary])


def fuzz(
    cases: int = 100,
    seed: int = 0,
    dtypes: Sequence[str] | None = None,
    draws: int = DRAWS,
    shrinking: bool = True,
    progress: Progress | None = None,
) -> FuzzResult:
    """Check random cases against Keras.

    Parameters
    ----------
    cases, seed : int
        Case k is ``draw(seed + k)``, so a failure of seed s is found again by ``fuzz(1, s)``.
    dtypes : sequence of {"float64", "float32"}, optional
        As for :func:`parity.check`. Default: float64, which finds any fault but one of float32 in half the time, and
        for cases that are built in float32 both.
    draws : int
        As for :func:`parity.check`.
    shrinking : bool
        Whether failing cases are made smaller.
    progress : callable, optional
        ``progress(cases done, cases in all, failures)``, after each case.

    Returns
    -------
    FuzzResult
        After an interruption (Ctrl-C) of the cases so far, if one of them failed.

    Raises
    ------
    ImportError
        Without Keras.
    ValueError
        If `cases` or `seed` is out of range.
    """
    if cases < 1 or seed < 0:
        raise ValueError(f"fuzz: cases must be at least 1 and seed at least 0, got {cases} and {seed}.")
    keras = require_keras()
    failures: list[Failure] = []
    start = time.perf_counter()

    def fault(case: Case) -> str:
        return fault_of(case, dtypes, draws)

    done = 0
    try:
        while done < cases:
            case = draw(seed + done, keras.backend.backend())
            what = fault(case)
            done += 1
            if what:
                failures.append(Failure(case, case, what, dtypes, draws))
                if shrinking:
                    failures[-1] = Failure(case, *shrink(case, what, fault), dtypes, draws)
            if done % FORGET == 0:
                keras.utils.clear_session()
            if progress is not None:
                progress(done, cases, len(failures))
    except KeyboardInterrupt:
        if not failures:
            raise
    return FuzzResult(seed, done, failures, time.perf_counter() - start)


def dtypes_of(case: Case) -> tuple[str, ...]:
    """Return in which dtypes a case is checked."""
    return ("float64",) if case.dtype == "float64" else ("float64", "float32")


def fault_of(case: Case, dtypes: Sequence[str] | None = None, draws: int = DRAWS) -> str:
    """Return how a case fails in a sentence, "" if it holds."""
    try:
        with warnings.catch_warnings():
            # Keras', where a mask ends in Flatten and its like: so does ours.
            warnings.filterwarnings("ignore", ".*destroy the mask information")
            try:
                model, data = case.build()
            except NonFiniteError:  # in the steps before the check
                model, data = case._replace(steps=0).build()
            report = check(model, **data, dtypes=dtypes or dtypes_of(case), draws=draws)
    except Exception as error:  # whatever it is, it is a finding
        return f"{type(error).__name__}: {error}"
    if all(_overflows_on_both_sides(line) for line in report.bad):
        return ""
    return report.summary.partition(": ")[2]


def _overflows_on_both_sides(line: Line) -> bool:
    """Whether a case explodes: float32 has no room for what leads to a quantity, so neither engine has its value."""
    return line.dtype == "float32" and line.keras is not None and min(line.ours, line.keras) == math.inf
