"""A long text as batches for stateful training: truncated backpropagation through time, as it is used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int

Array = NDArray[Any]


def consecutive_chunks(ids: Array, batch: int, chunk: int) -> tuple[Array, Array]:
    """Return inputs and targets such that sample b of each batch goes on where sample b of the batch before ended.

    The text is cut into `batch` streams that are read side by side, `chunk` characters at a time::

                  batch 0     batch 1     batch 2
        stream 0  x x x x     x x x x     x x x x      a stateful layer carries h over each gap,
        stream 1  x x x x     x x x x     x x x x      the gradient ends there

    The target of each character is the next one. A shuffle would tear the streams apart: ``fit(..., shuffle=False)``.

    Parameters
    ----------
    ids : array_like of int, shape (n,)
        Up to ``batch * chunk`` of them are left over at the end, and not used.
    batch, chunk : int

    Returns
    -------
    x, y : ndarray, shape (batches * batch, chunk)
        Batch after batch.

    Raises
    ------
    ValueError
        If the text is too short for one batch.

    Examples
    --------
    >>> x, y = consecutive_chunks(np.arange(13), batch=2, chunk=3)
    >>> x
    array([[ 0,  1,  2],
           [ 6,  7,  8],
           [ 3,  4,  5],
           [ 9, 10, 11]])
    >>> y[0]
    array([1, 2, 3])
    """
    ids = np.asarray(ids)
    batch, chunk = (positive_int("consecutive_chunks", name, n) for name, n in (("batch", batch), ("chunk", chunk)))
    batches = (len(ids) - 1) // (batch * chunk)
    if batches < 1:
        raise ValueError(
            f"consecutive_chunks: {batch} streams in chunks of {chunk} take a text of at least {batch * chunk + 1} "
            f"characters, got {len(ids)}."
        )
    used = batches * batch * chunk

    def arranged(part: Array) -> Array:
        streams = part.reshape(batch, batches, chunk)
        return np.ascontiguousarray(streams.swapaxes(0, 1)).reshape(-1, chunk)  # (batches, batch, chunk), as rows

    return arranged(ids[:used]), arranged(ids[1 : used + 1])
