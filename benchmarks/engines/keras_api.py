"""An engine with Keras' API: `Sequential`, `compile`, `fit`, `train_on_batch`, `predict`.

rnn_core and Keras run the same code here, as a user's script does.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.engines import runner
from benchmarks.workloads import LOSS, RMSPROP, Array, Workload


class Runner(runner.Runner):
    """One workload through Keras' API.

    Parameters
    ----------
    workload : Workload
    threads : int
    dtype : str
        ``"float64"`` is what the reference computes in.
    """

    package = "keras"
    many_rows: int | None = runner.CHUNK  # predict's batch_size for many samples; None leaves it to the engine

    def __init__(self, workload: Workload, threads: int = 1, dtype: str = "float32") -> None:
        super().__init__(workload, threads)
        self.dtype = dtype
        self.model = self.new_model()

    def compile_settings(self) -> dict[str, Any]:
        """Return further arguments of `compile`."""
        return {}

    def layer_settings(self, kind: str) -> dict[str, Any]:
        """Return further arguments of a layer."""
        return {}

    def module(self, name: str) -> Any:
        """Return a module of the package."""
        return importlib.import_module(f"{self.package}.{name}")

    def new_model(self) -> Any:
        """Return the workload's model, compiled, with the workload's initial weights."""
        layers = self.module("layers")
        stack = [
            getattr(layers, kind)(**settings, **self.layer_settings(kind), dtype=self.dtype)
            for kind, settings in self.workload.layers
        ]
        model = self.module("models").Sequential([layers.Input(self.workload.input_shape), *stack])
        optimizer = self.module("optimizers").RMSprop(**RMSPROP)
        model.compile(loss=LOSS, optimizer=optimizer, **self.compile_settings())
        model.set_weights(self.weights)
        return model

    def fit(self, **settings: Any) -> Any:
        """Fit from the workload's weights, and return the history."""
        self.model.set_weights(self.weights)
        workload = self.workload
        settings = {"batch_size": workload.batch_size, "epochs": workload.epochs, "verbose": 0} | settings
        return self.model.fit(self.x, self.y, **settings)

    def train(self) -> float:
        """Fit the model and return the last epoch's loss."""
        return float(self.fit().history["loss"][-1])

    def train_on_batches(self) -> None:
        """Call `train_on_batch` once for each batch of the workload."""
        self.model.set_weights(self.weights)
        size = self.workload.batch_size
        for start in range(0, len(self.x), size):
            self.model.train_on_batch(self.x[start : start + size], self.y[start : start + size])

    def step(self) -> tuple[float, list[Array]]:
        """Fit on the first batch alone, before all other training: what `fit` compiles is what is checked."""
        x, y = self.first_batch()
        history = self.model.fit(x, y, batch_size=len(x), epochs=1, shuffle=False, verbose=0).history
        return float(history["loss"][0]), [np.asarray(weight) for weight in self.model.get_weights()]

    def predict(self) -> Array:
        """Predict as the documentation advises: `predict` for many samples, `predict_on_batch` for one batch."""
        if self.many_rows is None:
            return np.asarray(self.model.predict(self.x, verbose=0))
        if len(self.x) <= self.many_rows:
            return np.asarray(self.model.predict_on_batch(self.x))
        return np.asarray(self.model.predict(self.x, batch_size=self.many_rows, verbose=0))
