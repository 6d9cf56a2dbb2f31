"""What both sides are asked, and how they answer: :class:`KerasSide` and :class:`OurSide` have the same methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

from numpy.typing import NDArray

from parity.keras_calls import call_labels
from parity.parts import inside, walk_records
from rnn_core.engine.passes import Pass
from rnn_core.layers import RNN, Dropout, SimpleRNN

Array = NDArray[Any]
DropoutMasks = Mapping[str, tuple[Array | None, Array | None]]
"""By the name of the call and, within layers, of the part: of a SimpleRNN or a cell the masks of inputs and of the
hidden state, of a Dropout its mask and None."""


def dropout_masks(one: Pass) -> dict[str, tuple[Array | None, Array | None]]:
    """Return the dropout masks that a pass of rnn_core drew, for :class:`KerasSide` to use the same.

    Parameters
    ----------
    one : Pass
        After ``one.forward(x, training=True)``.
    """
    masks: dict[str, tuple[Array | None, Array | None]] = {}
    for name, step, record in zip(call_labels(one.graph), one.steps, one.records, strict=True):
        for label, layer, part in walk_records(step.layer, record, name):
            if isinstance(layer, Dropout):
                masks[label] = (part.dropout_mask, None)
            elif isinstance(layer, SimpleRNN):
                masks[label] = (part.input_dropout, part.recurrent_dropout)
            elif isinstance(layer, RNN):  # a cell's masks are the same at every step
                (inner,) = inside(layer)
                masks |= _drawn_by_cell(f"{label}/{inner}", layer.cell, part.steps[0].dropout_masks)
    return {name: pair for name, pair in masks.items() if any(mask is not None for mask in pair)}


def _drawn_by_cell(label: str, cell: Any, masks: Any) -> dict[str, tuple[Array | None, Array | None]]:
    if masks is None:
        return {}
    if not inside(cell):
        return {label: masks}
    found: dict[str, tuple[Array | None, Array | None]] = {}
    for (name, one), drawn in zip(inside(cell).items(), masks, strict=True):
        found |= _drawn_by_cell(f"{label}/{name}", one, drawn)
    return found


class Options(TypedDict, total=False):
    """The keyword arguments that every question to :class:`KerasSide` takes.

    Attributes
    ----------
    training : bool
        Whether dropout is on.
    sample_weight : array_like, shape (batch,) or (batch, timesteps), optional
        For several outputs a list of them.
    mask : array_like of bool, shape (batch, timesteps), optional
        Which time steps of the input are real; for several inputs a list.
    initial_states : dict of str to array_like (batch, units), optional
        By the name of the recurrent layer, for its first call.
    dropout_masks : dict, optional
        See :func:`dropout_masks`.
    """

    training: bool
    sample_weight: Any
    mask: Any
    initial_states: Mapping[str, Any] | None
    dropout_masks: DropoutMasks | None


class Forward(NamedTuple):
    """What a forward pass computes.

    Attributes
    ----------
    outputs : dict of str to ndarray, or to a list of them
        What each call of a layer puts out, batch first: "rnn", "shared #2"; a list where it puts out several.
    masks : dict of str to ndarray or None
        The mask that each call hands on with its (first) output.
    states : dict of str to ndarray
        Of each stateful layer the state it ends in: "rnn", "bidirectional/forward_simple_rnn".
    output : ndarray, or a list of them
        The outputs of the model.
    """

    outputs: dict[str, Any]
    masks: dict[str, Array | None]
    states: dict[str, Array]
    output: Any


class Gradients(NamedTuple):
    """The loss of a batch and its gradients.

    Attributes
    ----------
    loss : float
    weights : dict of str to ndarray
        With respect to every weight, frozen ones too.
    input : ndarray, shape of x, or a list of them
    initial_states : dict of str to ndarray
        With respect to each initial state that was given.
    """

    loss: float
    weights: dict[str, Array]
    input: Any
    initial_states: dict[str, Array]


class Step(NamedTuple):
    """What one training step leaves behind.

    Attributes
    ----------
    loss : float
        Before the step.
    weights : dict of str to ndarray
    slots : dict of str to dict of str to ndarray
        By slot, then by weight: ``slots["velocities"]["dense/kernel"]``.
    iterations : int
    learning_rate : float
        Of the next step.
    """

    loss: float
    weights: dict[str, Array]
    slots: dict[str, dict[str, Array]]
    iterations: int
    learning_rate: float
