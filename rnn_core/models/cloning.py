"""A model once more, with weights of its own."""

from __future__ import annotations

from typing import Any

from rnn_core.models.model import Model


def clone_model(model: Any, **unsupported: Any) -> Any:
    """Make a model of the same layers and settings, with new weights; it is not compiled.

    Parameters
    ----------
    model : Model
    **unsupported
        Keras' input_tensors, clone_function, call_function, recursive: not supported.

    Raises
    ------
    TypeError
        For what is no model, and for arguments that are not supported.

    Examples
    --------
    >>> from rnn_core import Sequential
    >>> from rnn_core.layers import Dense, Input
    >>> model = Sequential([Input((3,)), Dense(2, name="dense")])
    >>> clone = clone_model(model)
    >>> clone.set_weights(model.get_weights())
    >>> [layer.name for layer in clone.layers]
    ['dense']
    """
    from rnn_core.unsupported import refuse_arguments

    if not isinstance(model, Model):
        raise TypeError(f"clone_model: model must be a Model, got {type(model).__name__}.")
    refuse_arguments("clone_model", {name: value for name, value in unsupported.items() if value})
    return type(model).from_config(model.get_config())
