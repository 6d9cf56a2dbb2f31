"""A record, not hidden state: where a layer writes what it computes.

Layers hold weights and settings only. What a forward pass computes and its backward pass needs lies in a record:
a small object for each layer with named, preallocated arrays. The training loop makes records once for each batch
shape and uses them again for every batch; inspection reads the same arrays, so what is shown is what was used.
Two threads that predict with one model have a record each.

Sequences lie time-major in memory, so that all samples of one time step are one contiguous block, and are seen as
(batch, timesteps, features) through a transposed view.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


def batch_array(shape: Shape, dtype: Any) -> Array:
    """Return an uninitialised array for a batch; a sequence (batch, timesteps, features) lies time-major.

    Examples
    --------
    >>> batch_array((2, 3, 4), "float32").transpose(1, 0, 2).flags.c_contiguous
    True
    """
    if len(shape) == 3:
        batch, timesteps, features = shape
        return np.empty((timesteps, batch, features), dtype).transpose(1, 0, 2)
    return np.empty(shape, dtype)


def time_major(x: Array, buffer: Array | None) -> tuple[Array, Array | None]:
    """Return `x` (batch, timesteps, features) as contiguous (timesteps, batch, features), and the buffer used.

    No copy is made where `x` already lies time-major; otherwise `buffer` is filled (and made, if there is none).
    """
    xt = x.transpose(1, 0, 2)
    if xt.flags.c_contiguous:
        return xt, buffer
    if buffer is None:
        buffer = np.empty(xt.shape, x.dtype)
    np.copyto(buffer, xt)
    return buffer, buffer


class Record:
    """What every layer's record has; each layer adds its own arrays.

    Attributes
    ----------
    mask : ndarray of bool, shape (batch, timesteps), or None
        Which time steps of the input are real; set by the pass before ``forward``.
    output_mask : ndarray of bool or None
        The same for the output; set by ``forward``.
    needs_d_input : bool
        Whether ``backward`` has to return the gradient with respect to the layer's input.
    """

    mask: Array | None = None
    output_mask: Array | None = None
    needs_d_input: bool = True

    def named_arrays(self) -> dict[str, Array]:
        """Return the arrays of the record by name, in the order in which the layer fills them."""
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
