"""The metrics that a model was compiled with."""

from __future__ import annotations

from typing import Any

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


def _as_list(argument: str, given: Any) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"compile: {argument} must be a list, got {given!r}.")
    return list(given)
