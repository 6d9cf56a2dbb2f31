"""What Keras leaves to its backend: the derivative of a function of tensors, and tracing a function.

TensorFlow writes down the operations of a pass (a tape), JAX calls the function with stand-ins for its arguments
(tracers), torch links every tensor to what it was made of.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from parity.backend import require_keras


def _backend() -> tuple[str, Any]:
    name: str = require_keras().backend.backend()
    return name, importlib.import_module(name)


def value_and_gradients(function: Callable[..., Any], leaves: Any, *rest: Any) -> tuple[Any, Any, Any]:
    """Return the first of the two results of ``function(leaves, *rest)``, its gradients, and the second.

    Parameters
    ----------
    function : callable
        Returns a scalar, and anything.
    leaves : structure of tensors
        What gradients are taken of; where the scalar does not depend on one, its gradient is 0.

    Examples
    --------
    >>> import keras
    >>> from parity.backend import to_numpy
    >>> def square(leaves):
    ...     return leaves["w"] ** 2, "beside it"
    >>> value, gradients, other = value_and_gradients(square, {"w": keras.ops.convert_to_tensor(3.0)})
    >>> float(to_numpy(value)), float(to_numpy(gradients["w"])), other
    (9.0, 6.0, 'beside it')
    """
    name, backend = _backend()
    tree = require_keras().tree
    if name == "tensorflow":
        with backend.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(leaves)
            value, others = function(leaves, *rest)
        gradients = tape.gradient(value, leaves, unconnected_gradients="zero")
        return value, tree.map_structure(backend.convert_to_tensor, gradients), others  # rows of a table are added up
    if name == "jax":
        (value, others), gradients = backend.value_and_grad(function, has_aux=True)(leaves, *rest)
        return value, gradients, others
    leaves = tree.map_structure(lambda leaf: leaf.detach().clone().requires_grad_(), leaves)
    value, others = function(leaves, *rest)
    flat = backend.autograd.grad(value, tree.flatten(leaves), allow_unused=True, materialize_grads=True)
    return value, tree.pack_sequence_as(leaves, flat), others


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as the backend traces it: once for each set of shapes. Torch does not."""
    name, backend = _backend()
    if name == "torch":
        return function
    return (backend.jit if name == "jax" else partial(backend.function, autograph=False))(function)  # type: ignore[no-any-return]


def values_are_known(tensor: Any) -> bool:
    """Whether a tensor has values; while a function is traced it stands for any."""
    name, backend = _backend()
    if tensor is None:
        return False
    return not isinstance(tensor, backend.core.Tracer) if name == "jax" else hasattr(tensor, "numpy")


def no_derivatives() -> AbstractContextManager[Any]:
    """Let torch change weights within, which it does not while it links tensors; the others need nothing."""
    name, backend = _backend()
    return backend.no_grad() if name == "torch" else nullcontext()
