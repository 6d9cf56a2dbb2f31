"""Keras on TensorFlow, compiled by XLA, a whole epoch in one call.

`jit_compile=True` and `steps_per_execution` were each tried with and without: together they are the fastest or
within a tenth of it. `unroll` is Keras' own advice for short sequences.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from benchmarks.engines import keras_api
from benchmarks.workloads import Workload


class Runner(keras_api.Runner):
    """One workload through Keras on TensorFlow."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:  # TensorFlow takes it before first use
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        super().__init__(workload, threads)

    def compile_settings(self) -> dict[str, Any]:
        """XLA, and one call for an epoch."""
        return {"jit_compile": True, "steps_per_execution": self.workload.batches}

    def layer_settings(self, kind: str) -> dict[str, Any]:
        """Unroll short sequences."""
        return {"unroll": 1 < self.workload.timesteps <= 8} if kind == "SimpleRNN" else {}
