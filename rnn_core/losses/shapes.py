"""How targets, weights and masks are fitted to outputs: by shape, before any number is looked at.

Keras lets a last axis of length 1 come and go: targets ``(N,)`` serve an output ``(N, 1)``. Beyond that,
nothing is broadcast here: ``(N, 3)`` targets against ``(N, 1)`` outputs, which Keras accepts in silence, are
refused.

Source: ``keras/src/losses/loss.py``, ``keras/src/trainers/compile_utils.py``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


def squeeze_or_expand(a: Shape, b: Shape, *, expand_vectors: bool = True) -> tuple[Shape, Shape]:
    """Return `a` and `b` with the same rank, where a last axis of length 1 makes the difference.

    A vector gets the axis; anything longer stays, and the other one loses it. Shapes that differ otherwise
    come back as they are.

    Examples
    --------
    >>> squeeze_or_expand((32,), (32, 1)), squeeze_or_expand((32, 5), (32, 5, 1))
    (((32, 1), (32, 1)), ((32, 5), (32, 5)))
    """
    if len(b) == len(a) + 1 and b[-1] == 1:
        return ((*a, 1), b) if len(a) == 1 and expand_vectors else (a, b[:-1])
    if len(a) == len(b) + 1 and a[-1] == 1:
        return (a, (*b, 1)) if len(b) == 1 and expand_vectors else (a[:-1], b)
    return a, b


def check_targets(owner: str, y_true_shape: Shape, y_pred_shape: Shape) -> tuple[Shape, Shape]:
    """Return the two shapes, squeezed or expanded to be equal.

    Raises
    ------
    ValueError
        If they cannot be made equal that way.

    Examples
    --------
    >>> check_targets("mean_squared_error", (32, 3), (32, 1))
    Traceback (most recent call last):
        ...
    ValueError: mean_squared_error: y_true of shape (32, 3) does not match y_pred of shape (32, 1). They would
    match by broadcasting only, which pairs targets with the wrong outputs; give one target for each output.
    """
    a, b = squeeze_or_expand(tuple(y_true_shape), tuple(y_pred_shape))
    if a == b:
        return a, b
    try:
        np.broadcast_shapes(a, b)
        reason = (
            "They would match by broadcasting only, which pairs targets with the wrong outputs; "
            "give one target for each output."
        )
    except ValueError:
        reason = "Expected one target for each output."
    raise ValueError(
        f"{owner}: y_true of shape {tuple(y_true_shape)} does not match y_pred of shape {tuple(y_pred_shape)}. {reason}"
    )


def target_kind(y_true_shape: Shape, y_pred_shape: Shape) -> Literal["binary", "sparse", "categorical"]:
    """Say which kind of classification two shapes stand for, as Keras' ``compile`` reads ``"accuracy"``.

    One output is a binary problem; class numbers (``sparse``) have one axis less than the outputs, or a last
    axis of length 1; anything else is one-hot (``categorical``).

    Examples
    --------
    >>> target_kind((32,), (32, 1)), target_kind((32,), (32, 10)), target_kind((32, 10), (32, 10))
    ('binary', 'sparse', 'categorical')
    """
    if y_pred_shape[-1] == 1:
        return "binary"
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return "sparse"
    return "categorical"


def fit_weights(owner: str, weights: Array, shape: Shape) -> tuple[Array, Shape]:
    """Fit weights to values of `shape`: return both with the same rank.

    Parameters
    ----------
    owner : str
        Who asks, for the error message.
    weights : ndarray
        One number, or one for each value; an axis of length 1 stands for all of its places.
    shape : tuple of int

    Raises
    ------
    ValueError
        If the weights do not fit. Weights ``(batch,)`` for values ``(batch, timesteps)`` do not: Keras would
        lay them along the time axis. ``(batch, 1)`` does.

    Examples
    --------
    >>> weights, shape = fit_weights("loss", np.ones((32, 1)), (32,))
    >>> weights.shape, shape
    ((32, 1), (32, 1))
    """
    shape, weight_shape = squeeze_or_expand(shape, weights.shape)
    fits = len(weight_shape) in (0, len(shape)) and all(w in (1, n) for w, n in zip(weight_shape, shape, strict=False))
    if not fits:
        hint = ""
        if weights.ndim == 1 and len(shape) > 1 and len(weights) == shape[0]:
            hint = f" For one weight a sample give shape {(len(weights),) + (1,) * (len(shape) - 1)}."
        elif weights.shape[:-1] == shape:
            hint = " If y_true came without its last axis of length 1, add it: time was taken for that axis."
        raise ValueError(
            f"{owner}: sample_weight or mask of shape {weights.shape} does not fit values of shape {shape}.{hint}"
        )
    return weights.reshape(weight_shape), shape


def apply_mask(
    owner: str, sample_weight: Array | None, mask: Array | None, dtype: Any, *, rescale: bool = False
) -> Array | None:
    """Merge a mask into the weights: masked places weigh nothing.

    Parameters
    ----------
    owner : str
        Who asks, for the error message.
    sample_weight : ndarray or None
    mask : ndarray of bool or None
        True where a value counts.
    dtype : dtype
        Of the weights returned.
    rescale : bool
        Valid places weigh ``total / valid``: a sum that is later divided by all places is then a mean over
        the valid ones.

    Returns
    -------
    ndarray or None
        None if neither weights nor a mask were given.

    Examples
    --------
    >>> apply_mask("loss", None, np.array([True, True, False, False]), "float32", rescale=True)
    array([2., 2., 0., 0.], dtype=float32)
    """
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, dtype)
    if mask is None:
        return sample_weight
    weights = np.asarray(mask, bool).astype(dtype)
    if rescale:
        weights *= weights.size / max(1, int(np.count_nonzero(weights)))  # nothing valid: zeros stay zeros
    if sample_weight is None:
        return weights
    sample_weight, shape = fit_weights(owner, sample_weight, weights.shape)
    return np.asarray(sample_weight * weights.reshape(shape))
