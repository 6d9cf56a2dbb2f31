"""Keras on torch, eager: its default there."""

from __future__ import annotations

import torch

from benchmarks.engines import keras_api
from benchmarks.workloads import Workload


class Runner(keras_api.Runner):
    """One workload through Keras on torch."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        super().__init__(workload, threads)
