"""JAX, by hand: a training step is one jitted function, and Python loops over the batches.

The input projection of all steps is one product, and `lax.scan` runs the recurrence. Weights and means are donated,
so that they are updated in place. Batches go in as NumPy arrays, which is faster here than slicing on the device.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.engines import runner
from benchmarks.workloads import RMSPROP, Array, Layer, Workload

ACTIVATIONS: dict[str, Any] = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda a: a}

Tensors = list[Any]  # the weights in Keras' order, or what belongs to each of them


def outputs(layers: tuple[Layer, ...], weights: Tensors, x: Any) -> Any:
    """Return the outputs (B, 1) for x (B, T, D)."""
    remaining = iter(weights)
    for kind, settings in layers:
        if kind == "Dense":
            kernel, bias = next(remaining), next(remaining)
            x = ACTIVATIONS[settings.get("activation", "linear")](x @ kernel + bias)
            continue
        kernel, recurrent_kernel, bias = next(remaining), next(remaining), next(remaining)
        x = recurrence(settings, x @ kernel + bias, recurrent_kernel)
    return x


def recurrence(settings: dict[str, Any], projected: Any, recurrent_kernel: Any) -> Any:
    """Return the hidden states (B, T, H) or the last one (B, H), given x K + b (B, T, H)."""
    activation = ACTIVATIONS[settings.get("activation", "tanh")]
    sequences = settings.get("return_sequences", False)

    def cell(h: Any, projected_t: Any) -> tuple[Any, Any]:
        h = activation(projected_t + h @ recurrent_kernel)
        return h, h if sequences else None

    h0 = jnp.zeros_like(projected[:, 0])
    last, hidden = lax.scan(cell, h0, projected.swapaxes(0, 1), unroll=min(4, projected.shape[1]))
    return hidden.swapaxes(0, 1) if sequences else last


def training_step(layers: tuple[Layer, ...], weights: Tensors, means: Tensors, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return weights and means after one step of RMSprop, by Keras' rule, and the loss before it."""

    def loss(weights: Tensors) -> Any:
        return jnp.mean((outputs(layers, weights, x) - y) ** 2)

    value, gradients = jax.value_and_grad(loss)(weights)
    rho, rate, epsilon = RMSPROP["rho"], RMSPROP["learning_rate"], RMSPROP["epsilon"]
    means = [rho * v + (1 - rho) * g**2 for v, g in zip(means, gradients, strict=True)]
    weights = [w - rate * g / jnp.sqrt(v + epsilon) for w, g, v in zip(weights, gradients, means, strict=True)]
    return weights, means, value


class Runner(runner.Runner):
    """One workload in JAX, a step at a time."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        super().__init__(workload, threads)
        layers = workload.layers
        self.jitted_step = jax.jit(lambda *arguments: training_step(layers, *arguments), donate_argnums=(0, 1))
        self.jitted_outputs = jax.jit(lambda weights, x: outputs(layers, weights, x))
        self.on_device = [jnp.array(weight) for weight in self.weights]

    def start(self) -> tuple[Tensors, Tensors]:
        """Return new weights and means."""
        return [jnp.array(weight) for weight in self.weights], [jnp.zeros(weight.shape) for weight in self.weights]

    def step(self) -> tuple[float, list[Array]]:
        """One step from the initial weights."""
        weights, _, loss = self.jitted_step(*self.start(), *self.first_batch())
        return float(loss), [np.asarray(weight) for weight in weights]

    def train(self) -> float:
        """All epochs, each in an order of its own."""
        weights, means = self.start()
        draws, size = np.random.default_rng(), self.workload.batch_size
        losses: list[Any] = []
        for _ in range(self.workload.epochs):
            order = draws.permutation(len(self.x))
            x, y, losses = self.x[order], self.y[order], []
            for start in range(0, len(x), size):
                weights, means, loss = self.jitted_step(
                    weights, means, x[start : start + size], y[start : start + size]
                )
                losses.append(loss)
        return float(np.mean(jax.block_until_ready((losses, weights))[0]))

    def predict(self) -> Array:
        """Return the outputs for the whole x."""
        return self.in_chunks(lambda rows: np.asarray(self.jitted_outputs(self.on_device, rows)), self.x)
