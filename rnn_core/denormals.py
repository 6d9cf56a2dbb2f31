"""Numbers too small for the processor's fast path, and how the engine keeps clear of them.

A float32 below 2**-126 (1.2e-38) is stored without its leading one: a denormal number. Processors compute with
them 10 to 100 times slower, and NumPy, unlike TensorFlow and XLA, does not set the flag that flushes them to zero.
They come up in two places, both a geometric decay: the gradient on its way back through many time steps, and the
moving averages of an optimizer for weights whose gradient has died (where rounding keeps them alive for ever:
0.9 times the smallest denormal rounds back to it).

:func:`flush` ends such a decay without a comparison, by rounding to a grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GRID = 2.0**10
"""The spacing of the grid in units of the smallest normal number. It is coarse because a slow decay gets stuck on the
grid's first line: on a grid of the smallest normal number it would spend the steps between two flushes just below
it, among the denormals."""

# Numbers of this size lie _GRID * tiny apart, and so do all within a third of it.
_ANCHORS = {
    np.dtype(dtype): np.asarray(1.5 * _GRID * float(np.finfo(dtype).tiny) / float(np.finfo(dtype).eps), dtype)
    for dtype in (np.float32, np.float64)
}


def resolution(dtype: Any) -> float:
    """Return the spacing of the grid: what vanishes is known no better (float32: 1.2e-35)."""
    return _GRID * float(np.finfo(dtype).tiny)


def flush(x: NDArray[Any]) -> None:
    """Round `x`, in place, so that no denormal number is left in it, nor any near them.

    ``x = (x + c) - c`` with ``c = 1.5 * grid / eps`` and ``grid = 2**10 * tiny``, tiny the smallest normal number:
    near c numbers lie `grid` apart, so small values become a multiple of `grid`, zero or well above the denormals.
    No value moves by more than ``grid / 2`` (float32: 6e-36) or twice `eps` of itself, whichever is more, and values
    above ``4 * grid / eps**2`` (float32: 3.4e-21) do not change at all.

    Parameters
    ----------
    x : ndarray of float32 or float64

    Examples
    --------
    >>> x = np.array([1.0, 2.0**-110, 1e-35, 1e-36, 1e-42], np.float32)
    >>> flush(x)
    >>> [f"{value:.4g}" for value in x]
    ['1', '7.704e-34', '1.204e-35', '0', '0']
    """
    c = _ANCHORS[x.dtype]
    np.add(x, c, x)
    np.subtract(x, c, x)
