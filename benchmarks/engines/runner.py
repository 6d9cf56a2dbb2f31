"""The protocol of an engine: one workload, made ready to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Array, Workload

CHUNK = 10_000  # samples of one prediction


class Runner:
    """One workload on one engine; an engine overrides what it can do.

    Parameters
    ----------
    workload : Workload
    threads : int
        How many threads the engine may compute with.

    Making one builds the model, with the workload's weights, and its data: none of that is timed as work.
    """

    computes = True  # whether it has results that can be held against another engine's

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        self.workload = workload
        self.weights = workload.weights()
        self.x, self.y = workload.data()

    def first_batch(self) -> tuple[Array, Array]:
        """Return x and y of the first batch."""
        size = self.workload.batch_size
        return self.x[:size], self.y[:size]

    def in_chunks(self, outputs: Callable[[Any], Array], x: Any) -> Array:
        """Return the outputs for `x`, computed in chunks that fit into a cache (rnn_core cuts by itself)."""
        if len(x) <= CHUNK:
            return outputs(x)
        return np.concatenate([outputs(x[start : start + CHUNK]) for start in range(0, len(x), CHUNK)])

    def step(self) -> tuple[float, list[Array]]:
        """Take one training step on the first batch, from the initial weights.

        Returns
        -------
        loss : float
            Before the step.
        weights : list of ndarray
            After the step, in Keras' order and shapes.
        """
        raise NotImplementedError

    def train(self) -> float | None:
        """Train from the initial weights for the workload's epochs, shuffled; return the last epoch's loss."""
        raise NotImplementedError

    def predict(self) -> Array:
        """Return the outputs for the whole x, (samples, 1)."""
        raise NotImplementedError

    def own_seconds(self) -> dict[str, float] | None:
        """Return what the last call of `train` took, where the engine must tell: wall and processor seconds."""
        return None

    def work(self) -> Any:
        """Do once what the workload times."""
        return self.predict() if self.workload.times == "predict" else self.train()


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
