"""rnn_core as its user runs it: `Sequential`, `compile`, `fit`, `train_on_batch`, `predict`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.workloads import LOSS, RMSPROP, Array, Workload


class Engine:
    """Runs workloads through an API that is Keras'.

    Every method that starts with ``prepare_`` makes the model and the data and returns a function without
    arguments, which is what is timed.

    Parameters
    ----------
    package : str
        The package with that API; ``"keras"`` runs the same through Keras.
    """

    def __init__(self, package: str = "rnn_core") -> None:
        self.name = package
        self.layers: Any = importlib.import_module(f"{package}.layers")
        self.models: Any = importlib.import_module(f"{package}.models")
        self.optimizers: Any = importlib.import_module(f"{package}.optimizers")
        self.callbacks: Any = importlib.import_module(f"{package}.callbacks")

    def model(self, workload: Workload) -> Any:
        """Return the workload's model, compiled, with the workload's initial weights."""
        layers = [getattr(self.layers, kind)(**settings) for kind, settings in workload.layers]
        model = self.models.Sequential([self.layers.Input(workload.input_shape), *layers])
        model.compile(loss=LOSS, optimizer=self.optimizers.RMSprop(**RMSPROP))
        model.set_weights(workload.weights())
        return model

    def prepare_fit(self, workload: Workload, **settings: Any) -> Callable[[], Any]:
        """Return the workload's whole `fit`, which starts from the workload's weights every time."""
        model, weights = self.model(workload), workload.weights()
        x, y = workload.data()
        settings = {"batch_size": workload.batch_size, "epochs": workload.epochs, "verbose": 0} | settings

        def fit() -> Any:
            model.set_weights(weights)
            return model.fit(x, y, **settings)

        return fit

    def prepare_train_on_batch(self, workload: Workload) -> Callable[[], None]:
        """Return one call of `train_on_batch` for each batch of the workload."""
        model, weights = self.model(workload), workload.weights()
        x, y = workload.data()
        size = workload.batch_size
        batches = [(x[start : start + size], y[start : start + size]) for start in range(0, len(x), size)]

        def train() -> None:
            model.set_weights(weights)
            for batch in batches:
                model.train_on_batch(*batch)

        return train

    def prepare_predict(self, workload: Workload) -> Callable[[], Array]:
        """Return the workload's `predict`."""
        model = self.model(workload)
        x = workload.data()[0]
        return lambda: model.predict(x, verbose=0)

    def losses(self, workload: Workload, orders: Array) -> list[float]:
        """Return the training loss of every epoch, the samples taken in the given order (epochs, samples)."""
        model = self.model(workload)
        x, y = workload.data()
        return [
            model.fit(x[order], y[order], batch_size=workload.batch_size, shuffle=False, verbose=0).history["loss"][0]
            for order in orders
        ]
