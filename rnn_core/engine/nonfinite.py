"""When the loss turns NaN or infinite: where the first bad number was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.data import all_finite

if TYPE_CHECKING:
    from rnn_core.engine.passes import Pass
    from rnn_core.engine.trainer import Trainer

Array = NDArray[Any]

_ADVICE = "A smaller learning rate, clipnorm, or inputs on a scale near 1 usually help."


class NonFiniteError(ArithmeticError, ValueError):
    """Training met a NaN or an infinity; the message says in which epoch, batch, layer and array first."""


def explain(model: Trainer, passes: Pass, loss: float) -> NonFiniteError:
    """Return the error for a batch whose loss is not finite, naming the first array that is not.

    The forward pass is searched in the order in which it ran. Where the weights are bad already, the update of the
    batch before made them so, and the gradients that are still there are searched from the loss backwards.
    """
    overflow = overflowed_weight(model)
    if overflow is not None:
        return NonFiniteError(f"the loss is {loss}, because {overflow} in the batch before. {_ADVICE}")
    for layer, record in zip((step.layer for step in passes.steps), passes.records, strict=True):
        for name, array in record.named_arrays().items():
            if name.startswith("d_") or name in ("scratch", "recurrent", "ones"):
                continue
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                return NonFiniteError(
                    f"the loss is {loss}; the first array that is not finite is {name!r} of layer {layer.name!r}, "
                    f"at index {place} of shape {array.shape}. {_ADVICE}"
                )
    penalised = passes.penalised or any(spec.regularizer for layer in model.layers for spec in layer.specs)
    what = "the loss itself or a regularizer" if penalised else "the loss itself"
    return NonFiniteError(
        f"the loss is {loss} although every output is finite: {what} overflowed, or is not defined there. {_ADVICE}"
    )


def check_weights(model: Trainer, epoch: int) -> None:
    """Raise after an epoch whose last step made a weight overflow: no loss was computed from it yet."""
    if not all_finite(model.vector):
        raise NonFiniteError(f"Training stopped at the end of epoch {epoch + 1}: {overflowed_weight(model)}. {_ADVICE}")


def overflowed_weight(model: Trainer) -> str | None:
    """Say which weight the last step made overflow, looking from the loss backwards; None if all are finite."""
    parts = model.parts(model.d_vector)
    for layer, d_part in reversed(list(zip(model.layers, parts, strict=True))):
        weights, gradients = layer.views(layer.vector), layer.views(d_part)
        for name, weight in weights.items():
            if not all_finite(weight):
                cause = "the step that was taken" if all_finite(gradients[name]) else "its gradient"
                return f"weight {name!r} of layer {layer.name!r} is no longer finite: {cause} overflowed"
    return None
