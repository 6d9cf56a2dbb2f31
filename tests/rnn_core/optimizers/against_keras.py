"""An optimizer on a vector of weights of its own, and the same weights trained by Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnn_core.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, schedules

from ..float64 import keras

SHAPES = [(2, 3), (3,), (4,)]  # the last one is frozen
SIZES = [int(np.prod(shape)) for shape in SHAPES]
STOPS = np.cumsum(SIZES).tolist()
TENSORS = [slice(stop - size, stop) for stop, size in zip(STOPS, SIZES, strict=True)]
TRAINABLE = TENSORS[:2]

VARIANTS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (RMSprop, {}),
    (RMSprop, {"momentum": 0.9, "centered": True}),
    (SGD, {}),
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.9, "nesterov": True}),
    (Adam, {}),
    (Adam, {"amsgrad": True}),
    (AdamW, {}),
    (RMSprop, {"weight_decay": 0.1, "use_ema": True, "ema_overwrite_frequency": 7}),
]


def name_of(variant: Any) -> str:
    return f"{variant[0].__name__}({', '.join(variant[1])})"


every_variant = pytest.mark.parametrize(("cls", "options"), VARIANTS, ids=map(name_of, VARIANTS))


class Ours:
    """An optimizer built on a vector of its own."""

    def __init__(self, optimizer: Optimizer, dtype: str = "float64", seed: int = 0, repeat: int = 1) -> None:
        self.optimizer = optimizer
        self.draws = np.random.default_rng(seed)
        self.weights = self.draws.standard_normal(STOPS[-1] * repeat).astype(dtype)
        self.gradients = np.zeros_like(self.weights)
        tensors = [slice(t.start * repeat, t.stop * repeat) for t in TENSORS]
        self.frozen = self.weights[tensors[-1]]
        optimizer.build(self.weights, self.gradients, tensors, tensors[:2])

    def step(self, gradients: Any = None) -> None:
        if gradients is None:
            gradients = self.draws.standard_normal(self.weights.size)
        self.gradients[:] = gradients
        self.optimizer.step()

    def trained(self) -> list[np.ndarray]:
        return [self.weights[t] for t in TRAINABLE]


class Theirs:
    """The same weights, trained by Keras."""

    def __init__(self, cls: type[Optimizer], options: dict[str, Any], ours: Ours, exact: bool = True) -> None:
        self.convert = keras.ops.convert_to_tensor
        options = dict(options)
        if isinstance(options.get("learning_rate"), schedules.LearningRateSchedule):
            schedule = schedules.serialize(options["learning_rate"])
            options["learning_rate"] = keras.optimizers.schedules.deserialize(schedule)
        if exact:  # Keras on TensorFlow rounds some settings to float32, but not where they are NumPy's floats
            options = {**ours.optimizer.get_config(), **options, "name": "exact"}
            options = {key: np.float64(v) if isinstance(v, float) else v for key, v in options.items()}
        self.optimizer = getattr(keras.optimizers, cls.__name__)(**options)
        self.weights = [
            keras.Variable(ours.weights[t].reshape(shape), dtype=ours.weights.dtype.name)
            for t, shape in zip(TRAINABLE, SHAPES, strict=False)
        ]

    def step(self, gradients: np.ndarray) -> None:
        cut = [gradients[t].reshape(shape) for t, shape in zip(TRAINABLE, SHAPES, strict=False)]
        self.optimizer.apply([self.convert(g) for g in cut], self.weights)

    def trained(self) -> list[np.ndarray]:
        return [w.numpy().ravel() for w in self.weights]


def assert_same(ours: Any, theirs: Any, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def gradient_sequence(seed: int, steps: int, dtype: str = "float64") -> list[np.ndarray]:
    """Gradients over many orders of magnitude; from the middle on one tensor's is zero."""
    draws = np.random.default_rng(seed)
    scales = 10.0 ** draws.uniform(-4, 1, (steps, 1))
    gradients = scales * draws.standard_normal((steps, STOPS[-1]))
    gradients[steps // 2 :, TENSORS[1]] = 0
    return list(gradients.astype(dtype))
