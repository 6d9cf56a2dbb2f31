"""Layers, a loss and an optimizer with a known fault each: what a model that has that fault would compute.

Each class is mixed into the class of the object that gets the fault (:func:`give`), and changes what goes into it or
comes out of it. So the fault has its right derivative, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.backend import require_keras

Array = NDArray[Any]


def numerics(x: Any) -> Any:
    """Return the module whose functions take `x`: NumPy, or ``keras.ops`` for a tensor."""
    return np if isinstance(x, np.ndarray) else require_keras().ops


def give(thing: Any, fault: type, **attributes: Any) -> None:
    """Give an object a fault: a class of its own, derived from `fault` and from the class that it had."""
    fixed = {name: staticmethod(value) if callable(value) else value for name, value in attributes.items()}
    thing.__class__ = type(type(thing).__name__, (fault, type(thing)), fixed)


# How an array (batch, timesteps, features) is read that was meant to be (timesteps, batch, features), and the way back.


def _reread(x: Any) -> Any:
    ops, (batch, timesteps) = numerics(x), x.shape[:2]
    return ops.swapaxes(ops.reshape(x, (timesteps, batch, *x.shape[2:])), 0, 1)


def _reread_back(d: Any) -> Any:
    ops = numerics(d)
    return ops.reshape(ops.swapaxes(d, 0, 1), d.shape)


def _exchanged(x: Any) -> Any:
    if x.shape[0] != x.shape[1]:
        raise ValueError("batch and timesteps can be exchanged only where they are equal")
    return numerics(x).swapaxes(x, 0, 1)


READINGS: tuple[tuple[Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (_reread, _reread_back),
    (_reread_back, _reread),
    (_exchanged, _exchanged),
)


def _of_sequence(change: Callable[[Array], Array], x: Any) -> Any:
    """Change an input, its gradient or its mask; where initial states come with it they stay as they are."""
    if isinstance(x, (list, tuple)):
        return [_of_sequence(change, x[0]), *x[1:]]
    return None if x is None else change(x)


def _sequences(mask: Any) -> Any:
    """Return the mask of the sequence, where initial states come with it."""
    return mask[0] if isinstance(mask, (list, tuple)) else mask


def _flipped(x: Array) -> Array:
    return x[:, ::-1]


class TimeReversed:
    """x_t is x_(T-1-t); the mask with it, or not."""

    mask_too: bool

    def forward(self: Any, r: Any, x: Any, training: bool = False) -> Any:
        """Compute the output with the fault."""
        mask = r.mask
        if self.mask_too:
            r.mask = _of_sequence(_flipped, mask)
        output = super().forward(r, _of_sequence(_flipped, x), training)  # type: ignore[misc]
        return _with_mask(r, mask, output)

    def backward(self: Any, r: Any, d_output: Array) -> Any:
        """Return the gradient of the input through the fault."""
        return _of_sequence(_flipped, super().backward(r, d_output))  # type: ignore[misc]


class OtherLayout:
    """Batch and time are taken for each other."""

    reading: tuple[Callable[[Any], Any], Callable[[Any], Any]]

    def forward(self: Any, r: Any, x: Any, training: bool = False) -> Any:
        """Compute the output with the fault."""
        return super().forward(r, _of_sequence(self.reading[0], x), training)  # type: ignore[misc]

    def backward(self: Any, r: Any, d_output: Array) -> Any:
        """Return the gradient of the input through the fault."""
        return _of_sequence(self.reading[1], super().backward(r, d_output))  # type: ignore[misc]


class MaskIgnored:
    """Every step counts; the mask is handed on all the same."""

    def forward(self: Any, r: Any, x: Array, training: bool = False) -> Any:
        """Compute the output with the fault."""
        mask, r.mask = r.mask, None
        output = super().forward(r, x, training)  # type: ignore[misc]
        r.mask = mask
        r.output_mask = _sequences(mask) if getattr(self, "return_sequences", True) else None
        return output


class MaskUnreversed:
    """The sequence is reversed (go_backwards), and its mask is not."""

    def forward(self: Any, r: Any, x: Array, training: bool = False) -> Any:
        """Compute the output with the fault."""
        mask = r.mask
        if not self.go_backwards or _sequences(mask) is None:
            raise ValueError("no mask to reverse")
        r.mask = _of_sequence(_flipped, mask)
        return _with_mask(r, mask, super().forward(r, x, training))  # type: ignore[misc]


def _with_mask(r: Any, mask: Any, output: Any) -> Any:
    """Put the record's mask back, for the layers after it."""
    r.mask = mask
    if r.output_mask is not None:
        r.output_mask = _sequences(mask)
    return output


class InitialStateIgnored:
    """h_(-1) = 0, whatever it was told to be."""

    def forward(self: Any, r: Any, x: Any, training: bool = False) -> Any:
        """Compute the output with the fault."""
        if isinstance(x, list) and len(x) > 1:  # in a graph it comes with the inputs
            x = [x[0], np.zeros_like(x[1])]
        elif r.initial_state is None and self.state is None:
            raise ValueError("no initial state to ignore")
        else:
            r.initial_state = np.zeros_like(r.hidden[0])
        return super().forward(r, x, training)  # type: ignore[misc]

    def backward(self: Any, r: Any, d_output: Array) -> Any:
        """Return the gradient of the input through the fault."""
        d = super().backward(r, d_output)  # type: ignore[misc]
        r.d_hidden.fill(0)
        return d


class StaleState:
    """The batch starts from the state that it ended in when it went through before."""

    def forward(self: Any, r: Any, x: Array, training: bool = False) -> Any:
        """Compute the output with the fault."""
        if r.initial_state is not None or self.state is not None:
            raise ValueError("the state is given")
        super().forward(r, x, False)  # type: ignore[misc]
        r.initial_state = r.last_hidden.copy()
        output = super().forward(r, x, training)  # type: ignore[misc]
        r.initial_state = None
        return output


class DropoutLeftOn:
    """A Dropout drops out in inference, too, with the first of these masks."""

    left_on: tuple[Array, None]

    def forward(self: Any, r: Any, x: Array, training: bool = False) -> Any:
        """Compute the output with the fault."""
        output = super().forward(r, x, training)  # type: ignore[misc]
        return output if training else output * self.left_on[0].astype(output.dtype)


class RecurrentDropoutLeftOn:
    """A recurrent layer drops out in inference, too, with these masks of inputs and hidden state."""

    left_on: tuple[Array | None, Array | None]

    def forward(self: Any, r: Any, x: Array, training: bool = False) -> Any:
        """Compute the output with the fault."""
        self.training = training
        return super().forward(r, x, True)  # type: ignore[misc]

    def dropout_masks(self: Any, batch: int, features: int) -> Any:
        """Return the masks."""
        if self.training:
            return super().dropout_masks(batch, features)  # type: ignore[misc]
        return tuple(None if mask is None else mask.astype(self.dtype) for mask in self.left_on)


class UsedInForward:
    """A weight w is used as f(w) in the forward pass, and as it is in the backward pass."""

    changed: tuple[str, Callable[[Array], Array], Callable[[Array], Array]]

    def forward(self: Any, r: Any, x: Array, training: bool = False) -> Any:
        """Compute the output with the fault."""
        w = getattr(self, self.changed[0])
        kept = w.copy()
        w[...] = self.changed[1](kept)
        output = super().forward(r, x, training)  # type: ignore[misc]
        w[...] = kept
        return output


class UsedOtherwise(UsedInForward):
    """A weight w is used as f(w), with f linear; its gradient goes through the adjoint of f."""

    def new_record(self: Any, shape: Any, d_vector: Array | None = None) -> Any:
        """Allocate the record, and find the gradient of the weight in it."""
        r = super().new_record(shape, d_vector)  # type: ignore[misc]
        r.d_changed = None if d_vector is None else self.views(d_vector)[self.changed[0]]
        return r

    def backward(self: Any, r: Any, d_output: Array) -> Any:
        """Return the gradient of the input through the fault."""
        w = getattr(self, self.changed[0])
        kept = w.copy()
        w[...] = self.changed[1](kept)
        d = super().backward(r, d_output)  # type: ignore[misc]
        w[...] = kept
        r.d_changed[...] = self.changed[2](r.d_changed.copy())
        return d


class MaskNotCounted:
    """The loss counts masked steps."""

    def value_and_gradient(self: Any, y: Array, y_pred: Array, d: Array, weight: Any = None, mask: Any = None) -> float:
        """Return the loss with the fault, and write its gradient."""
        if mask is None:
            raise ValueError("no mask to ignore")
        return float(super().value_and_gradient(y, y_pred, d, weight, None))  # type: ignore[misc]


class WeightsIgnored:
    """The loss counts every sample once."""

    def value_and_gradient(self: Any, y: Array, y_pred: Array, d: Array, weight: Any = None, mask: Any = None) -> float:
        """Return the loss with the fault, and write its gradient."""
        if weight is None:
            raise ValueError("no weights to ignore")
        return float(super().value_and_gradient(y, y_pred, d, None, mask))  # type: ignore[misc]


class Summed:
    """The loss is the sum over all elements, not their mean."""

    def value_and_gradient(self: Any, y: Array, y_pred: Array, d: Array, weight: Any = None, mask: Any = None) -> float:
        """Return the loss with the fault, and write its gradient."""
        mean = float(super().value_and_gradient(y, y_pred, d, weight, mask))  # type: ignore[misc]
        d *= y_pred.size
        return mean * y_pred.size


class RateScaled:
    """A step is made with another learning rate than the optimizer says."""

    factor: float

    def _update(self: Any, chunk: Any) -> None:
        kept = {name: getattr(self, name) for name in ("_lr", "_alpha") if hasattr(self, name)}
        vars(self).update({name: rate * self.factor for name, rate in kept.items()})
        super()._update(chunk)  # type: ignore[misc]
        vars(self).update(kept)


class EpsilonOutside:
    """RMSprop's u = learning_rate * g / (sqrt(v) + epsilon)."""

    def _update(self: Any, chunk: Any) -> None:
        v, m, a = chunk.slots
        g = chunk.g
        v[...] = self.rho * v + (1 - self.rho) * g**2
        variance = v
        if a is not None:
            a[...] = self.rho * a + (1 - self.rho) * g
            variance = np.maximum(v - a**2, 0)
        u = self._lr * g / (np.sqrt(variance) + self.epsilon)
        if m is not None:
            m[...] = self.momentum * m + u
            u = m
        chunk.w[...] -= u
