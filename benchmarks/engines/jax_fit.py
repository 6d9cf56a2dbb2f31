"""JAX, by hand: all epochs, the shuffles and the steps of each, are one jitted function."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.engines import jax_step, runner
from benchmarks.engines.jax_step import Tensors, training_step
from benchmarks.workloads import Array, Workload


class Runner(jax_step.Runner):
    """One workload in JAX, the whole fit at once."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        runner.Runner.__init__(self, workload, threads)
        self.key = jax.random.key(0)
        self.jitted_fit = jax.jit(self.whole_fit, static_argnames=("epochs", "batches"), donate_argnums=(0, 1))
        self.x_device, self.y_device = jnp.array(self.x), jnp.array(self.y)

    def whole_fit(
        self, weights: Tensors, means: Tensors, x: Any, y: Any, key: Any, epochs: int, batches: int
    ) -> tuple[Any, Any]:
        """Return the weights after all epochs and the loss of each epoch; `x` holds whole batches."""

        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            *state, loss = training_step(self.workload.layers, *state, *batch)
            return tuple(state), loss

        def epoch(state: Any, key: Any) -> tuple[Any, Any]:
            order = jax.random.permutation(key, len(x))
            shuffled = [array[order].reshape(batches, -1, *array.shape[1:]) for array in (x, y)]
            state, losses = lax.scan(step, state, tuple(shuffled))
            return state, losses.mean()

        (weights, _), losses = lax.scan(epoch, (weights, means), jax.random.split(key, epochs))
        return weights, losses

    def step(self) -> tuple[float, list[Array]]:
        """A fit of one epoch on the first batch."""
        x, y = self.first_batch()
        weights, losses = self.jitted_fit(*self.start(), x, y, self.key, epochs=1, batches=1)
        return float(losses[0]), [np.asarray(weight) for weight in weights]

    def train(self) -> float:
        """The whole fit in one call."""
        self.key, key = jax.random.split(self.key)
        settings = {"epochs": self.workload.epochs, "batches": self.workload.batches}
        weights, losses = self.jitted_fit(*self.start(), self.x_device, self.y_device, key, **settings)
        return float(jax.block_until_ready((losses, weights))[0][-1])
