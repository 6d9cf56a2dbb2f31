"""A recurrent network in NumPy as a good tutorial writes it, vectorised over the batch.

Parameters, gradients and RMSprop's means live in dicts; a Python loop runs over the time steps, forwards and back,
and keeps the hidden states in a dict by t; the optimizer loops over the parameters.
"""

from __future__ import annotations

import numpy as np

from benchmarks.engines import runner
from benchmarks.workloads import RMSPROP, Array, Workload

Arrays = dict[str, Array]


class Runner(runner.Runner):
    """One workload in plain NumPy."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        super().__init__(workload, threads)
        self.names: list[str] = []
        for index, (kind, _) in enumerate(workload.layers):
            self.names += [f"W{index}", f"U{index}", f"b{index}"] if kind == "SimpleRNN" else [f"W{index}", f"b{index}"]
        self.reset()

    def reset(self) -> None:
        """Start from the workload's weights, with empty means."""
        self.parameters = {name: weight.copy() for name, weight in zip(self.names, self.weights, strict=True)}
        self.means = {name: np.zeros_like(weight) for name, weight in self.parameters.items()}

    def forward(self, x: Array) -> tuple[Array, list[tuple[Array, dict[int, Array]]]]:
        """Return the outputs (B, 1), and of each layer its input and its outputs by time step."""
        p, cache = self.parameters, []
        for index, (kind, settings) in enumerate(self.workload.layers):
            inputs, hidden = x, {}
            if kind == "SimpleRNN":
                hidden[-1] = np.zeros((len(x), settings["units"]), x.dtype)
                for t in range(x.shape[1]):
                    a = np.dot(x[:, t], p[f"W{index}"]) + np.dot(hidden[t - 1], p[f"U{index}"]) + p[f"b{index}"]
                    hidden[t] = activate(settings.get("activation", "tanh"), a)
                last = x.shape[1] - 1
                sequences = settings.get("return_sequences")
                x = np.stack([hidden[t] for t in range(last + 1)], axis=1) if sequences else hidden[last]
            else:
                a = np.dot(x, p[f"W{index}"]) + p[f"b{index}"]
                x = hidden[0] = activate(settings.get("activation", "linear"), a)
            cache.append((inputs, hidden))
        return x, cache

    def backward(self, d: Array, cache: list[tuple[Array, dict[int, Array]]]) -> Arrays:
        """Return all gradients, given that of the outputs."""
        p = self.parameters
        gradients = {name: np.zeros_like(weight) for name, weight in p.items()}
        for index in reversed(range(len(cache))):
            kind, settings = self.workload.layers[index]
            x, hidden = cache[index]
            if kind == "SimpleRNN":
                d_x, d_next = np.zeros_like(x), np.zeros_like(hidden[0])
                for t in reversed(range(x.shape[1])):
                    if settings.get("return_sequences"):
                        d_h = d[:, t] + d_next
                    else:
                        d_h = d + d_next if t == x.shape[1] - 1 else d_next
                    d_a = d_h * derivative(settings.get("activation", "tanh"), hidden[t])
                    gradients[f"W{index}"] += np.dot(x[:, t].T, d_a)
                    gradients[f"U{index}"] += np.dot(hidden[t - 1].T, d_a)
                    gradients[f"b{index}"] += np.sum(d_a, axis=0)
                    if index:
                        d_x[:, t] = np.dot(d_a, p[f"W{index}"].T)
                    d_next = np.dot(d_a, p[f"U{index}"].T)
                d = d_x
            else:
                d_a = d * derivative(settings.get("activation", "linear"), hidden[0])
                gradients[f"W{index}"] = np.dot(x.T, d_a)
                gradients[f"b{index}"] = np.sum(d_a, axis=0)
                d = np.dot(d_a, p[f"W{index}"].T)
        return gradients

    def train_step(self, x: Array, y: Array) -> float:
        """One step of RMSprop on the mean squared error, by Keras' rule; return the loss before it."""
        outputs, cache = self.forward(x)
        error = outputs - y
        gradients = self.backward(2 * error / error.size, cache)
        for name, g in gradients.items():
            self.means[name] = RMSPROP["rho"] * self.means[name] + (1 - RMSPROP["rho"]) * g**2
            self.parameters[name] -= RMSPROP["learning_rate"] * g / np.sqrt(self.means[name] + RMSPROP["epsilon"])
        return float(np.mean(error**2))

    def step(self) -> tuple[float, list[Array]]:
        """One step from the initial weights."""
        self.reset()
        loss = self.train_step(*self.first_batch())
        return loss, list(self.parameters.values())

    def train(self) -> float:
        """All epochs, each in an order of its own."""
        self.reset()
        size = self.workload.batch_size
        losses: list[float] = []
        for _ in range(self.workload.epochs):
            order = np.random.permutation(len(self.x))  # noqa: NPY002 - as tutorials have it
            losses = []
            for start in range(0, len(order), size):
                batch = order[start : start + size]
                losses.append(self.train_step(self.x[batch], self.y[batch]))
        return float(np.mean(losses))

    def predict(self) -> Array:
        """Return the outputs for the whole x at once."""
        return self.forward(self.x)[0]


def activate(name: str, a: Array) -> Array:
    """Return the activation of `a`."""
    if name == "tanh":
        return np.tanh(a)
    return np.maximum(a, 0) if name == "relu" else a


def derivative(name: str, h: Array) -> Array | float:
    """Return the activation's derivative, from its output."""
    if name == "tanh":
        return 1 - h**2
    return (h > 0).astype(h.dtype) if name == "relu" else 1.0
