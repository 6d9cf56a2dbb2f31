"""PyTorch: nn.RNN and nn.Linear, eager, as its tutorials train.

Two things differ from the stock classes, so that the results agree with Keras': nn.RNN's second bias, which Keras has
not, is zero and frozen; and RMSprop's epsilon stands inside the root, where torch.optim.RMSprop has it outside. The
optimizer runs the same fused list operations (torch._foreach) as torch's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.engines import runner
from benchmarks.workloads import RMSPROP, Array, Workload


class RMSprop:
    """v = rho v + (1 - rho) g^2;  w -= lr g / sqrt(v + eps)."""

    def __init__(self, parameters: list[Any]) -> None:
        self.parameters = parameters
        self.means = [torch.zeros_like(parameter) for parameter in parameters]

    def step(self) -> None:
        """Update all parameters, and drop their gradients."""
        with torch.no_grad():
            gradients = [parameter.grad for parameter in self.parameters]
            torch._foreach_mul_(self.means, RMSPROP["rho"])
            torch._foreach_addcmul_(self.means, gradients, gradients, value=1 - RMSPROP["rho"])
            roots = torch._foreach_add(self.means, RMSPROP["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(self.parameters, gradients, roots, value=-RMSPROP["learning_rate"])
        for parameter in self.parameters:
            parameter.grad = None


class Runner(runner.Runner):
    """One workload in PyTorch."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        super().__init__(workload, threads)
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.layers: list[Any] = []
        inputs = workload.features
        for kind, settings in workload.layers:
            units = settings["units"]
            if kind == "SimpleRNN":
                nonlinearity = settings.get("activation", "tanh")
                layer = nn.RNN(inputs, units, nonlinearity=nonlinearity, batch_first=True)
                nn.init.zeros_(layer.bias_hh_l0).requires_grad_(False)
            else:
                layer = nn.Linear(inputs, units)
            self.layers.append(layer)
            inputs = units
        self.x_tensor, self.y_tensor = torch.from_numpy(self.x), torch.from_numpy(self.y)
        self.loss = nn.MSELoss()
        self.reset()

    def parameters(self) -> list[Any]:
        """Return what is trained, in Keras' order."""
        return [p for layer in self.layers for p in layer.parameters() if p.requires_grad]

    def reset(self) -> None:
        """Set the workload's weights (Keras' kernels transposed) and start a new optimizer."""
        with torch.no_grad():
            for parameter, weight in zip(self.parameters(), self.weights, strict=True):
                parameter.copy_(torch.from_numpy(weight.T))
        self.optimizer = RMSprop(self.parameters())

    def forward(self, x: Any) -> Any:
        """Return the outputs (B, 1) for x (B, T, D)."""
        for layer, (kind, settings) in zip(self.layers, self.workload.layers, strict=True):
            if kind == "SimpleRNN":
                hidden, last = layer(x)
                x = hidden if settings.get("return_sequences") else last[0]
            else:
                x = layer(x)
                x = torch.relu(x) if settings.get("activation") == "relu" else x
        return x

    def train_step(self, x: Any, y: Any) -> Any:
        """One training step; return the loss before it."""
        loss = self.loss(self.forward(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def step(self) -> tuple[float, list[Array]]:
        """One step from the initial weights."""
        self.reset()
        size = self.workload.batch_size
        loss = self.train_step(self.x_tensor[:size], self.y_tensor[:size])
        return float(loss), [np.ascontiguousarray(p.detach().numpy().T) for p in self.parameters()]

    def train(self) -> float:
        """All epochs, each in an order of its own."""
        self.reset()
        losses: list[Any] = []
        for _ in range(self.workload.epochs):
            order = torch.randperm(len(self.x))
            batches = zip(
                self.x_tensor[order].split(self.workload.batch_size),
                self.y_tensor[order].split(self.workload.batch_size),
                strict=True,
            )
            losses = [self.train_step(x, y) for x, y in batches]
        return float(torch.stack(losses).mean())

    def predict(self) -> Array:
        """Return the outputs for the whole x."""
        with torch.inference_mode():
            return self.in_chunks(lambda rows: np.asarray(self.forward(rows).numpy()), self.x_tensor)
