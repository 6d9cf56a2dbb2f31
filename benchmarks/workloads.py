"""The workloads W1 to W7: what is computed, as data, so that every engine runs the same.

========  ============================================================================  ==================
name      model and input                                                               what is timed
========  ============================================================================  ==================
W1        the tutorial: (800, 1, 4), SimpleRNN(32, relu), Dense(8, relu), Dense(1)      `fit`, 100 epochs
W2        the same with (800, 4, 1), where the recurrence is real                       `fit`, 100 epochs
W3        T=50 D=8, SimpleRNN(64), Dense(1), batch 32                                   one training step
W4        T=100 D=64, SimpleRNN(256), Dense(1), batch 64                                one training step
W5        T=1000 D=32, SimpleRNN(128), Dense(1), batch 32: gradients vanish             one training step
W5 alive  W5 with inputs so small that tanh is nearly linear: gradients do not vanish   one training step
W6a       W1's model, one sample                                                        `predict`
W6b       W4's model, one sample                                                        `predict`
W6c       W1's model, 100,000 windows                                                   `predict`
W7        T=50 D=16, two SimpleRNN(128), Dense(1), batch 32                             one training step
========  ============================================================================  ==================

All in float32, mean squared error and RMSprop with Keras' defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Layer = tuple[str, dict[str, Any]]  # Keras' class name and the arguments of its constructor

LOSS = "mean_squared_error"
RMSPROP = {"learning_rate": 1e-3, "rho": 0.9, "epsilon": 1e-7}


@dataclass(frozen=True)
class Workload:
    """A model, its data, and what is timed.

    A "step" workload is fitted on a few batches, several times over: the time of a step is the time of that
    fit divided by :attr:`steps`.
    """

    name: str
    times: Literal["fit", "step", "predict"]
    layers: tuple[Layer, ...]
    samples: int
    timesteps: int
    features: int
    batch_size: int = 32
    epochs: int = 1
    series: bool = False  # windows of the tutorial's series, or normal noise
    scale: float = 1.0  # standard deviation of that noise
    seed: int = 0

    @property
    def input_shape(self) -> tuple[int, int]:
        """(timesteps, features)."""
        return self.timesteps, self.features

    @property
    def what(self) -> str:
        """What is computed and timed, in one line."""
        units = " - ".join(f"{kind}({settings['units']})" for kind, settings in self.layers)
        timed = {
            "fit": f"fit of {self.samples} samples, {self.epochs} epochs, batch {self.batch_size}",
            "step": f"one training step, batch {self.batch_size}",
            "predict": f"predict of {self.samples:,} sample{'s' if self.samples > 1 else ''}",
        }[self.times]
        small = ", no gradient vanishes" if self.scale != 1 else ""
        return f"{timed}; T={self.timesteps} D={self.features}, {units}{small}"

    @property
    def batches(self) -> int:
        """Training steps of one epoch."""
        return -(-self.samples // self.batch_size)

    @property
    def steps(self) -> int:
        """Training steps of one fit."""
        return self.epochs * self.batches

    @property
    def units(self) -> int:
        """By what the time of one fit or `predict` is divided: what is timed is one step, or the whole."""
        return self.steps if self.times == "step" else 1

    def data(self) -> tuple[Array, Array]:
        """Return x (samples, timesteps, features) and y (samples, 1), float32."""
        rng = np.random.default_rng(self.seed)
        shape = (self.samples, *self.input_shape)
        if self.series:
            window = self.timesteps * self.features
            x, y = windows(noisy_sine(self.samples, rng), window)
            return x.reshape(shape), y.reshape(-1, 1)
        # Drawn in float32 and scaled in place: a float64 copy would show in the peak memory.
        x = rng.standard_normal(shape, np.float32)
        x *= np.float32(self.scale)
        return x, rng.standard_normal((self.samples, 1), np.float32)

    def weights(self) -> list[Array]:
        """Return initial weights in Keras' order and by Keras' default initializers, float32."""
        rng = np.random.default_rng(self.seed + 1)
        weights, inputs = [], self.features
        for kind, settings in self.layers:
            units = settings["units"]
            weights.append(glorot_uniform(rng, inputs, units))
            if kind == "SimpleRNN":
                weights.append(orthogonal(rng, units))
            weights.append(np.zeros(units))
            inputs = units
        return [weight.astype(np.float32) for weight in weights]


def noisy_sine(length: int, rng: np.random.Generator) -> Array:
    """Return the tutorial's series: sin(0.02 t) + 2 * rand."""
    series: Array = np.sin(0.02 * np.arange(length)) + 2 * rng.random(length)
    return series


def windows(series: Array, size: int) -> tuple[Array, Array]:
    """Return all windows of `size` values and the value after each, padded at the end as in the tutorial."""
    padded = np.append(series, np.repeat(series[-1], size)).astype(np.float32)
    return np.lib.stride_tricks.sliding_window_view(padded[:-1], size).copy(), padded[size:]


def glorot_uniform(rng: np.random.Generator, inputs: int, units: int) -> Array:
    """Return a kernel (inputs, units), uniform within sqrt(6 / (inputs + units))."""
    limit = np.sqrt(6 / (inputs + units))
    kernel: Array = rng.uniform(-limit, limit, (inputs, units))
    return kernel


def orthogonal(rng: np.random.Generator, units: int) -> Array:
    """Return a random orthogonal matrix (units, units)."""
    q, r = np.linalg.qr(rng.standard_normal((units, units)))
    signed: Array = q * np.sign(np.diag(r))
    return signed


def recurrent(units: int, **settings: Any) -> tuple[Layer, ...]:
    """Return SimpleRNN(units) - Dense(1)."""
    return ("SimpleRNN", {"units": units, **settings}), ("Dense", {"units": 1})


_TUTORIAL: tuple[Layer, ...] = (
    ("SimpleRNN", {"units": 32, "activation": "relu"}),
    ("Dense", {"units": 8, "activation": "relu"}),
    ("Dense", {"units": 1}),
)

W1 = Workload("W1", "fit", _TUTORIAL, 800, 1, 4, batch_size=16, epochs=100, series=True)
W2 = replace(W1, name="W2", timesteps=4, features=1)
W3 = Workload("W3", "step", recurrent(64), 1024, 50, 8, batch_size=32, epochs=3)
W4 = Workload("W4", "step", recurrent(256), 256, 100, 64, batch_size=64, epochs=3)
W5 = Workload("W5", "step", recurrent(128), 128, 1000, 32, batch_size=32, epochs=3)
W5_ALIVE = replace(W5, name="W5 alive", scale=1e-3)
W6A = replace(W1, name="W6a", times="predict", samples=1, seed=1)
W6B = replace(W4, name="W6b", times="predict", samples=1)
W6C = replace(W1, name="W6c", times="predict", samples=100_000)
W7 = Workload(
    "W7",
    "step",
    (("SimpleRNN", {"units": 128, "return_sequences": True}), *recurrent(128)),
    256,
    50,
    16,
    batch_size=32,
    epochs=3,
)

WORKLOADS = {workload.name: workload for workload in (W1, W2, W3, W4, W5, W5_ALIVE, W6A, W6B, W6C, W7)}
