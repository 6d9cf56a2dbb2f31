"""Cross-entropies that go back to the logits.

A model that ends in a softmax or a sigmoid has the logits a that its probabilities p were made from. A cross-entropy of
p taken by way of a is the same number, and its gradient is the textbook's short one::

    sigmoid:  e = log(1 + exp(a)) - a y            de / da   = p - y
    softmax:  l = -sum_i y_i log softmax(a)_i      dl / da_j = p_j sum_i y_i - y_j

Nothing has to be clipped on this way. On the other, by way of p, a probability that was rounded to 0 or 1 can be told
from no other, its logarithm is clipped, and a sample that the model is surely wrong about teaches it nothing.

So does Keras on TensorFlow (``keras/src/backend/tensorflow/nn.py``, ``_get_logits``), not on JAX and torch. There it
hangs on what TensorFlow knows of the operation that made p, here on the model: where the output is that of a Dense or
Activation layer. If p goes elsewhere too, into other layers or an activity regularizer, the gradient from there comes
to the logits by way of p, and is added.
"""

from __future__ import annotations

import warnings
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from rnn_core import losses
from rnn_core.activations import Activation as ActivationFunction
from rnn_core.activations import Sigmoid, Softmax
from rnn_core.layers import Activation, Dense
from rnn_core.losses.several import LossOfOutputs

if TYPE_CHECKING:
    from rnn_core.engine.passes import Pass

_ACTIVATIONS: dict[type[losses.Loss], type[ActivationFunction]] = {
    losses.BinaryCrossentropy: Sigmoid,
    losses.BinaryFocalCrossentropy: Sigmoid,
    losses.CategoricalCrossentropy: Softmax,
    losses.SparseCategoricalCrossentropy: Softmax,
}
_FUNCTIONS: dict[type[ActivationFunction], tuple[Any, ...]] = {
    Sigmoid: (losses.binary_crossentropy, losses.binary_focal_crossentropy),
    Softmax: (losses.categorical_crossentropy, losses.sparse_categorical_crossentropy),
}


class Logits(NamedTuple):
    """What a loss, and metrics of its kind, are taken of in place of an output.

    Attributes
    ----------
    array : ndarray, shape of the output
        Where every forward pass writes them.
    functions : tuple of callable
        What metrics may compute of them, with ``from_logits=True``.
    """

    array: NDArray[Any]
    functions: tuple[Any, ...]

    def serve(self, metric: Any) -> bool:
        """Whether a metric is one of these functions."""
        return getattr(metric, "fn", None) in self.functions and metric.kwargs.get("ignore_class") is None


def of_logits(loss: Any, activation: ActivationFunction) -> Any:
    """Return the loss that says of the logits what `loss` says of their `activation`; None where there is none.

    None is as in Keras also the answer for a loss with an ``ignore_class``. A loss that expects logits, and would be
    given probabilities, is a mistake: it is warned of, and gets the logits.

    Examples
    --------
    >>> of_logits(losses.BinaryCrossentropy(label_smoothing=0.1), Sigmoid()).from_logits
    True
    >>> of_logits(losses.BinaryCrossentropy(), Softmax()), of_logits(losses.MeanSquaredError(), Sigmoid())
    (None, None)
    """
    if _ACTIVATIONS.get(type(loss)) is not type(activation) or getattr(activation, "axis", loss.axis) != loss.axis:
        return None
    if getattr(loss, "ignore_class", None) is not None:
        return None
    if loss.from_logits:
        warnings.warn(
            f"{loss.name}: from_logits=True, but the model ends in {activation.name}, whose outputs are no logits. The "
            f"loss is taken of what {activation.name} was given. Leave out one of the two.",
            stacklevel=2,
        )
    found = copy(loss)
    found.from_logits = True
    return found


def back_to_logits(loss: Any, passes: Pass) -> tuple[Any, list[Logits | None]]:
    """Return the loss that training takes, and what it is taken of: for each output its logits, or None for itself.

    The record that an output's logits lie in is told to keep them, and that backward it is handed their gradient.
    """
    several = isinstance(loss, LossOfOutputs)
    taken: list[Any] = list(loss.losses) if several else [loss]
    logits: list[Logits | None] = [None] * len(taken)
    for i, place in enumerate(passes.graph.outputs):
        for step, record in zip(passes.graph.steps, passes.records, strict=True):
            if step.targets != (place,) or not isinstance(step.layer, (Dense, Activation)):
                continue
            activation = step.layer.activation
            own = type(step.layer) not in (Dense, Activation)  # a class of the user's, which may do something else
            found = None if own else of_logits(taken[i], activation)
            if found is not None:
                taken[i], logits[i] = found, Logits(record.keep_logits(), _FUNCTIONS[type(activation)])
                passes.of_logits.add(i)
    return (LossOfOutputs(taken, loss.coefficients, loss.names) if several else taken[0]), logits
