"""Keras on JAX, a whole epoch in one call; Keras jits on JAX anyway."""

from __future__ import annotations

from typing import Any

from benchmarks.engines import keras_api


class Runner(keras_api.Runner):
    """One workload through Keras on JAX."""

    def compile_settings(self) -> dict[str, Any]:
        """One call for an epoch."""
        return {"jit_compile": True, "steps_per_execution": self.workload.batches}
