"""From a series to what a network trains on: windows of `step` values, and the value after each as its target.

    series        x0 x1 x2 x3 x4 x5 ...
    window 0     [x0 x1 x2 x3] -> x4
    window 1        [x1 x2 x3 x4] -> x5

:func:`arrange` then gives the windows a layout that a recurrent layer reads, ``(batch, timesteps, features)``:

    "1xstep"   (n, 1, step)   ONE time step of `step` features: the recurrence never runs
    "stepx1"   (n, step, 1)   `step` time steps of one feature: the hidden state carries from one value to the next
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_core import checks
from rnn_core.serialization import suggestion

Array = NDArray[Any]
Layout = Literal["1xstep", "stepx1"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


class Windows(NamedTuple):
    """Windows of a series, each with its target.

    Attributes
    ----------
    inputs : ndarray, shape (n, step)
    targets : ndarray, shape (n,)
    positions : ndarray of int, shape (n,)
        Where in the series each target stands, so that a prediction can be drawn at the sample that it predicts.
    measured : ndarray of bool, shape (n,)
        False where padding repeated the last value to have a target: there is nothing to predict there.
    """

    inputs: Array
    targets: Array
    positions: Array
    measured: Array

    def without_padding(self) -> Windows:
        """Return the windows whose targets were measured."""
        return Windows(*(field[self.measured] for field in self))


def make_windows(values: ArrayLike, step: int, *, start: int = 0, pad: bool = False) -> Windows:
    """Cut a series into overlapping windows with the next value as target.

    ``inputs[i] = values[i : i + step]`` and ``targets[i] = values[i + step]``.

    Parameters
    ----------
    values : array_like, shape (samples,)
    step : int
        Values in a window.
    start : int
        Position of ``values[0]`` in the whole series, for :attr:`Windows.positions`.
    pad : bool
        Repeat the last value `step` times first, as the tutorial does, so that there are as many windows as
        samples. The last `step` targets are then repeats of the last value.

    Returns
    -------
    Windows
        n = samples with `pad`, samples - step without. Without `pad`, `inputs` and `targets` are views of `values`.

    Raises
    ------
    ValueError
        If `values` is not one-dimensional, or not longer than `step`.
    TypeError
        If `values` are not real numbers.

    Examples
    --------
    >>> windows = make_windows([2.0, 3.0, 5.0, 7.0], step=2)
    >>> windows.inputs
    array([[2., 3.],
           [3., 5.]])
    >>> windows.targets
    array([5., 7.])
    >>> make_windows([2.0, 3.0, 5.0, 7.0], step=2, pad=True).targets
    array([5., 7., 7., 7.])
    """
    series = np.asarray(values)
    step = checks.positive_int("make_windows", "step", step)
    if series.dtype.kind not in "fiu":
        raise TypeError(f"make_windows: values must be real numbers, got {series.dtype}.")
    if series.ndim != 1:
        raise ValueError(f"make_windows: values must have shape (samples,), got {series.shape}.")
    samples = len(series)
    if samples <= step:
        raise ValueError(f"make_windows: a window of {step} needs more than {step} values, got {samples}.")

    padded = np.append(series, np.repeat(series[-1], step)) if pad else series
    targets = padded[step:]
    positions = np.arange(step, len(padded))
    return Windows(
        inputs=np.lib.stride_tricks.sliding_window_view(padded[:-1], step),
        targets=targets,
        positions=start + np.minimum(positions, samples - 1),  # a repeat IS the last sample
        measured=positions < samples,
    )


def arrange(inputs: Array, layout: Layout) -> Array:
    """Return windows in the layout that a recurrent layer reads, without copying.

    Parameters
    ----------
    inputs : ndarray, shape (n, step)
    layout : {"1xstep", "stepx1"}

    Returns
    -------
    ndarray, shape (n, 1, step) or (n, step, 1)

    Raises
    ------
    ValueError
        For another layout, or inputs of another rank.

    Examples
    --------
    >>> windows = make_windows(np.arange(10.0), step=4)
    >>> arrange(windows.inputs, "1xstep").shape, arrange(windows.inputs, "stepx1").shape
    ((6, 1, 4), (6, 4, 1))
    """
    if inputs.ndim != 2:
        raise ValueError(f"arrange: inputs must have shape (n, step), got {inputs.shape}.")
    if layout not in LAYOUTS:
        raise ValueError(f"Unknown layout {layout!r}.{suggestion(str(layout), LAYOUTS)}")
    return inputs[:, np.newaxis, :] if layout == "1xstep" else inputs[:, :, np.newaxis]
