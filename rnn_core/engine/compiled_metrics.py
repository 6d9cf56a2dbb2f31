"""The metrics that a model was compiled with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_core.engine.logits import Logits

Shape = tuple[int, ...]


class CompiledMetrics:
    """Metrics by name, made when the shapes of targets and outputs are known: "accuracy" depends on them.

    Parameters
    ----------
    plain, weighted : list of str, dict, Loss or Metric, optional
        The weighted ones take sample weights into account.

    Raises
    ------
    ValueError, TypeError
        For unknown names, at once.
    """

    def __init__(self, plain: Any = None, weighted: Any = None) -> None:
        self._given = tuple(_as_list(name, m) for name, m in (("metrics", plain), ("weighted_metrics", weighted)))
        self.metrics: list[Any] = []
        self.weighted: list[Any] = []
        self.built = False
        if any(self._given):
            self._make((2, 1), (2, 1))  # unknown names are refused here, not when training begins
            self.built = False

    def build(self, y_shape: Shape, pred_shape: Shape) -> None:
        """Make the metrics for targets and outputs of these shapes, once."""
        if not self.built:
            self._make(y_shape, pred_shape)
            self.built = True

    def _make(self, y_shape: Shape, pred_shape: Shape) -> None:
        if not any(self._given):
            return
        from rnn_core import metrics

        self.metrics, self.weighted = (
            [metrics.get_for_shapes(identifier, y_shape, pred_shape) for identifier in given] for given in self._given
        )

    def update(self, y: Any, y_pred: Any, weight: Any, mask: Any, logits: Logits | None = None) -> None:
        """Take in a batch: the mask counts for all metrics, sample weights for the weighted ones.

        Where the loss is taken of logits, the cross-entropies among the metrics are, too.
        """
        from rnn_core.losses.shapes import apply_mask

        plain = None if mask is None else apply_mask("metrics", None, mask, y_pred.dtype)
        weight = apply_mask("weighted_metrics", weight, mask, y_pred.dtype)
        for metrics, weights in ((self.metrics, () if plain is None else (plain,)), (self.weighted, (weight,))):
            for metric in metrics:
                if logits is not None and logits.serve(metric):
                    metric.update_from_logits(y, logits.array, *weights)
                else:
                    metric.update_state(y, y_pred, *weights)

    @property
    def all(self) -> list[tuple[str, Any]]:
        """The metrics with the names they are reported under.

        As in Keras, a name that comes again gets a number, and a weighted metric the prefix ``weighted_`` first.
        """
        named: list[tuple[str, Any]] = []
        counts: dict[str, int] = {}
        for prefix, metrics in (("", self.metrics), ("weighted_", self.weighted)):
            for metric in metrics:
                name = prefix + metric.name if metric.name in counts else metric.name
                number = counts.get(name, 0)
                counts[name] = number + 1
                named.append((f"{name}_{number}" if number else name, metric))
        return named

    def get_config(self) -> dict[str, Any]:
        """Return both lists as given: names, or the configs of objects."""
        from rnn_core import metrics

        return {
            name: None if not given else [m if isinstance(m, (str, dict)) else metrics.serialize(m) for m in given]
            for name, given in zip(("metrics", "weighted_metrics"), self._given, strict=True)
        }


class MetricsOfOutputs:
    """The metrics of a model with several outputs; in the logs each has its output's name in front.

    Parameters
    ----------
    plain, weighted : list or dict, optional
        A list, or one metric, for each output; or a dict of them by the outputs' names.
    names : sequence of str
        Of the outputs.
    """

    def __init__(self, plain: Any, weighted: Any, names: Sequence[str]) -> None:
        from rnn_core.losses.several import for_outputs

        self._given = (plain, weighted)
        given = [for_outputs(m, name, names) for name, m in (("metrics", plain), ("weighted_metrics", weighted))]
        wrapped = [[[m] if m is not None and not isinstance(m, (list, tuple)) else m for m in part] for part in given]
        self.names = list(names)
        self.outputs = [CompiledMetrics(*both) for both in zip(*wrapped, strict=True)]

    def build(self, y_shapes: Sequence[Shape], pred_shapes: Sequence[Shape]) -> None:
        """Make the metrics for targets and outputs of these shapes, once."""
        for one, y_shape, pred_shape in zip(self.outputs, y_shapes, pred_shapes, strict=True):
            one.build(y_shape, pred_shape)

    def update(self, y: Any, y_pred: Any, weight: Any, mask: Any, logits: Any = None) -> None:
        """Take in a batch."""
        for i, one in enumerate(self.outputs):
            if one.all:
                w, a = (None if part is None else part[i] for part in (weight, logits))
                one.update(y[i], y_pred[i], w, mask[i], a)

    @property
    def all(self) -> list[tuple[str, Any]]:
        """The metrics with the names they are reported under, sorted by them: as ``evaluate`` lists them in Keras."""
        pairs = zip(self.names, self.outputs, strict=True)
        named = [(f"{output}_{name}", metric) for output, one in pairs for name, metric in one.all]
        return sorted(named, key=lambda pair: pair[0])

    def get_config(self) -> dict[str, Any]:
        """Return both as given: names, or the configs of objects."""
        configs = [one.get_config() for one in self.outputs]
        return {
            name: None if given is None else [config[name] for config in configs]
            for name, given in zip(("metrics", "weighted_metrics"), self._given, strict=True)
        }


def _as_list(argument: str, given: Any) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"compile: {argument} must be a list, got {given!r}.")
    return list(given)
