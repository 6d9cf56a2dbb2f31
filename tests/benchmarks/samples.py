"""Small workloads and made-up runs for the tests here."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from benchmarks.document import FORMAT, Document
from benchmarks.engines import Engine
from benchmarks.rounds import Result
from benchmarks.workloads import W1, W3, W6A, W7

WRONG = Engine("wrong", "wrong", "tests.benchmarks.wrong_engine", "")
HANGING = Engine("hanging", "hanging", "tests.benchmarks.hanging_engine", "")

FIT = replace(W1, samples=64, epochs=2)
STEP = replace(W3, samples=64, timesteps=6, epochs=1)
STACKED = replace(W7, samples=64, timesteps=5, epochs=1)
PREDICT = replace(W6A, samples=50)


def document(seconds: dict[tuple[str, str], list[float | None]], **changes: Any) -> Document:
    """Return a run in which every (workload, engine) took these seconds."""
    names = {"rnn_core": "rnn_core", "numpy": "NumPy as in tutorials", "torch": "PyTorch", "c": "plain C"}
    data: dict[str, Any] = {
        "format": FORMAT,
        "environment": {
            "date": "2026-11-22", "cpu": "a | b", "cores": 2, "system": "Linux", "python": "3.11", "numpy": "2.4",
            "blas": "openblas",
        },
        "threads": 1,
        "full": False,
        "rounds": max(map(len, seconds.values())),
        "workloads": {workload: {"what": f"what {workload} is; T=1", "epochs": 1} for workload, _ in seconds},
        "engines": {
            name: {
                "title": title, "setting": f"as {name} is run", "floor": name == "c", "versions": {name: "1.0"},
                "import_seconds": [0.5], "memory": 100.0,
            }
            for name, title in names.items()
        },
        "results": [
            Result(workload, engine, rounds, rounds, {"prepare": 0.1, "result": 0.2, "first": 0.3}).to_dict()
            for (workload, engine), rounds in seconds.items()
        ],
        "left_out": {"W1": {"wrong": "the loss is 1, not 2"}},
        "absent": {"jax-fit": "jax not installed"},
        "growth": [{"size": "T", "values": [64, 128], "seconds": [1.0, 2.0], "slope": 1.0}],
    }  # fmt: skip
    return Document(deepcopy(data) | changes)
