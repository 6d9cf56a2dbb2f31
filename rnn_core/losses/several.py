"""A loss for each output of a model, weighted and added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnn_core.losses.base import Loss
from rnn_core.losses.shapes import Array, Shape, fit_weights


class LossOfOutputs:
    r"""The loss of a model with several outputs.

    ::

        L = sum over outputs i of  c_i L_i        dL / dp_i = c_i dL_i / dp_i

    It has what training asks of a :class:`~rnn_core.losses.Loss`, with lists in the place of arrays.

    Parameters
    ----------
    losses : sequence of Loss, or None for an output that has none
    coefficients : sequence of float
        The c_i: ``loss_weights`` of ``compile``.
    names : sequence of str
        Of the outputs.

    Attributes
    ----------
    values : list of float
        The L_i of the last batch, of the outputs that have a loss.
    named : list of str
        Their names in the logs: ``<output>_loss``.
    """

    def __init__(self, losses: Sequence[Loss | None], coefficients: Sequence[float], names: Sequence[str]) -> None:
        self.losses, self.coefficients, self.names = list(losses), list(coefficients), list(names)
        used = [name for name, loss in zip(names, losses, strict=True) if loss is not None]
        self.named = [f"{name}_loss" for name in used] if len(used) > 1 else []
        self.values: list[float] = []

    def check_shapes(self, y_shapes: Sequence[Shape], pred_shapes: Sequence[Shape]) -> None:
        """Raise ValueError where the targets of an output don't fit it."""
        for name, loss, y_shape, pred_shape in zip(self.names, self.losses, y_shapes, pred_shapes, strict=True):
            if loss is not None:
                try:
                    loss.check_shapes(y_shape, pred_shape)
                except ValueError as error:
                    raise ValueError(f"output {name!r}: {error}") from None

    def check_values(self, y: Sequence[Array], pred_shapes: Sequence[Shape]) -> None:
        """Raise ValueError for targets that their loss has no meaning for."""
        for name, loss, part, pred_shape in zip(self.names, self.losses, y, pred_shapes, strict=True):
            if loss is not None:
                try:
                    loss.check_values(part, pred_shape)
                except ValueError as error:
                    raise ValueError(f"output {name!r}: {error}") from None

    def check_weights(
        self, weights: Sequence[Array | None], y_shapes: Sequence[Shape], pred_shapes: Sequence[Shape], what: str
    ) -> None:
        """Raise ValueError for sample weights that don't fit the values of an output's loss."""
        for name, loss, weight, y_shape, pred_shape in zip(
            self.names, self.losses, weights, y_shapes, pred_shapes, strict=True
        ):
            if loss is not None and weight is not None:
                _, compared = loss.check_shapes(y_shape, pred_shape)
                fit_weights(f"{what}[{name!r}]", weight, tuple(np.delete(compared, loss.axis).tolist()))

    def value_and_gradient(
        self,
        y_true: Sequence[Array],
        y_pred: Sequence[Array],
        d_pred: Sequence[Array],
        sample_weight: Sequence[Array | None] | None = None,
        mask: Sequence[Array | None] | None = None,
    ) -> float:
        """Return L, and write dL / dp_i into `d_pred`."""
        self.values = []
        total = 0.0
        for i, (loss, c) in enumerate(zip(self.losses, self.coefficients, strict=True)):
            if loss is None:
                d_pred[i].fill(0)
                continue
            weight = None if sample_weight is None else sample_weight[i]
            value = loss.value_and_gradient(y_true[i], y_pred[i], d_pred[i], weight, None if mask is None else mask[i])
            if c != 1:
                d_pred[i][...] *= c
            self.values.append(value)
            total += c * value
        return total

    def get_config(self) -> list[Any]:
        """Return the configs of the losses, an entry for each output."""
        from rnn_core import losses

        return [None if loss is None else losses.serialize(loss) for loss in self.losses]


def for_outputs(given: Any, what: str, names: Sequence[str], all_alike: bool = False) -> list[Any]:
    """Return an entry for each output, from a list, or a dict by the names of the outputs.

    Parameters
    ----------
    given : anything
        What the user gave ``compile`` or ``fit`` as `what`.
    names : sequence of str
        Of the outputs.
    all_alike : bool
        Whether one entry serves all outputs.

    Raises
    ------
    ValueError
        For another number of entries, or another name.

    Examples
    --------
    >>> for_outputs({"b": "mae"}, "loss", ["a", "b"])
    [None, 'mae']
    """
    if isinstance(given, dict):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ValueError(f"{what}: the model has no output {unknown[0]!r}; its outputs are {', '.join(names)}.")
        return [given.get(name) for name in names]
    if given is None or (all_alike and not isinstance(given, (list, tuple))):
        return [given] * len(names)
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        got = f"{len(given)} entries" if isinstance(given, (list, tuple)) else repr(given)
        raise ValueError(f"{what} must be a list with an entry for each of the outputs {', '.join(names)}; got {got}.")
    return list(given)
