"""``compile``: what a model is trained with, for one output and for several."""

from __future__ import annotations

from typing import Any

from rnn_core.checks import real
from rnn_core.engine.compiled_metrics import CompiledMetrics, MetricsOfOutputs
from rnn_core.engine.predictor import Predictor


class Compiled(Predictor):
    """The part of a model that has a loss, an optimizer and metrics."""

    def __init__(self) -> None:
        super().__init__()
        self.loss: Any = None
        self.optimizer: Any = None
        self.compiled_metrics: CompiledMetrics | MetricsOfOutputs = CompiledMetrics()
        self.compiled = False
        self._prepared: tuple[Any, Any, list[bool]] = (None, None, [])

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose how to train.

        Parameters
        ----------
        optimizer : str, dict or Optimizer
        loss : str, dict or Loss
            For a model with several outputs a list of one for each, or a dict by the names of the outputs; an output
            whose loss is None is not trained on. A model with one output takes them in the same ways.
        loss_weights : list or dict of float, optional
            For several outputs: what each loss is multiplied by before they are added.
        metrics, weighted_metrics : list of str or Metric, optional
            Reported beside the loss; the weighted ones take sample weights into account. For several outputs a list of
            such lists, or a dict.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Accepted and without effect: there is no graph, and float16 is not supported.

        Raises
        ------
        ValueError
            For unknown names, with the nearest known one.
        """
        if len(self.graph.outputs) > 1:
            self._compile_several(optimizer, loss, loss_weights, metrics, weighted_metrics)
            return
        if loss_weights is not None:
            raise ValueError(f"compile: loss_weights is for several outputs, the model has one; got {loss_weights!r}.")
        from rnn_core import losses, optimizers

        name = "".join(self.output_names if self.built else [layer.name for layer in self.layers[-1:]])
        loss = _of_one_output(loss, "loss", name)
        metrics, weighted_metrics = (
            _of_one_output(given, argument, name)
            for argument, given in (("metrics", metrics), ("weighted_metrics", weighted_metrics))
        )
        by_shape = isinstance(loss, str) and loss.lower() in ("crossentropy", "ce")  # which one, the data will say
        self.optimizer, self.loss, self.compiled_metrics = (  # all or, where a name is unknown, none
            optimizers.get(optimizer),
            loss if loss is None or by_shape else losses.get(loss),
            CompiledMetrics(metrics, weighted_metrics),
        )
        self.compiled = True

    def _compile_several(self, optimizer: Any, loss: Any, coefficients: Any, metrics: Any, weighted: Any) -> None:
        """Choose a loss and metrics for each output."""
        from rnn_core import losses, optimizers
        from rnn_core.losses.several import LossOfOutputs, for_outputs

        names = self.output_names
        entries = for_outputs(loss, "compile: loss", names, all_alike=True)
        factors = for_outputs(coefficients, "compile: loss_weights", names)
        made_optimizer, made_loss, made_metrics = (
            optimizers.get(optimizer),
            LossOfOutputs(
                [None if entry is None else losses.get(entry) for entry in entries],
                [1.0 if c is None else real("compile", "loss_weights", c) for c in factors],
                names,
            ),
            MetricsOfOutputs(metrics, weighted, names),
        )
        self.optimizer, self.loss, self.compiled_metrics = made_optimizer, made_loss, made_metrics
        if all(entry is None for entry in entries):
            self.loss = None
        self.compiled = True

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns."""
        return ["loss", *getattr(self.loss, "named", ()), *(name for name, _ in self.compiled_metrics.all)]

    def get_compile_config(self) -> dict[str, Any]:
        """Return what the model was compiled with, as Keras writes it."""
        from rnn_core import losses, optimizers
        from rnn_core.losses.several import LossOfOutputs

        self._require_compiled("get_compile_config")
        config = {"optimizer": optimizers.serialize(self.optimizer), "loss": self.loss}
        if isinstance(self.loss, LossOfOutputs):
            config |= {"loss": self.loss.get_config(), "loss_weights": self.loss.coefficients}
        elif self.loss is not None and not isinstance(self.loss, str):
            config["loss"] = losses.serialize(self.loss)
        return config | self.compiled_metrics.get_config()

    def _require_compiled(self, action: str) -> None:
        if not self.compiled:
            raise ValueError(f"{action}: model {self.name!r} is not compiled. Call model.compile(loss=...) first.")

    def _require_loss(self, action: str) -> None:
        self._require_compiled(action)
        if self.loss is None:
            raise ValueError(f"{action}: model {self.name!r} was compiled without a loss.")

    def prepare_training(self) -> None:
        """Tie the optimizer to the model's vectors, again after layers were frozen or the model was rebuilt."""
        self.follow_layers()
        frozen = [not layer.trainable for layer in self.layers]
        vector, optimizer, was_frozen = self._prepared
        if vector is self.vector and optimizer is self.optimizer and was_frozen == frozen:
            return
        tensors: list[slice] = []  # in Keras' order of weights
        trainable: list[slice] = []
        start = 0
        for layer in self.layers:
            places = {}
            for spec in layer.memory_specs:
                places[spec.name] = slice(start, start + spec.size)
                start += spec.size
            tensors += [places[spec.name] for spec in layer.specs]
            if layer.trainable:
                trainable += places.values()
        self.optimizer.build(self.vector, self.d_vector, tensors, trainable)
        self._prepared = (self.vector, self.optimizer, frozen)


def _of_one_output(given: Any, argument: str, name: str) -> Any:
    """Return what stands in a list of one entry, or in a dict by the output's name; anything else as it is."""
    if isinstance(given, dict) and "class_name" not in given:
        if set(given) != {name}:
            raise ValueError(f"compile: {argument} must be a dict with the output's name {name!r}, got {list(given)}.")
        entry = given[name]
        return entry if argument == "loss" or entry is None or isinstance(entry, (list, tuple)) else [entry]
    if (
        isinstance(given, (list, tuple))
        and len(given) == 1
        and (argument == "loss" or isinstance(given[0], (list, tuple)))
    ):
        return given[0]
    return given
