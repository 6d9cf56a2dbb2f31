r"""How far back credit reaches: the Jacobians of later hidden states by earlier ones, and what U says about them.

Convention: rows are what changes, columns what it is changed by, ``J[i, j] = d h_t[i] / d h_k[j]``. The engine's states
are rows, ``h_t = act(x_t K + h_(t-1) U + b)``, so one step back is the transpose of U::

    dh_t / dh_(t-1) = diag(act'(a_t)) Uᵀ                        the identity where step t is masked
    dh_t / dh_k     = J_t J_(t-1) ... J_(k+1)

and a gradient g with respect to h_t (a row) reaches h_k as ``g dh_t/dh_k``. Its largest singular value is the most
that any gradient can grow on that way: below 1 at every step it vanishes geometrically.
"""

from __future__ import annotations

import textwrap
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_core.checks import integer
from rnn_core.inspection.traces.layers import ActivatedTrace
from rnn_core.inspection.traces.recurrent import RecurrentTrace
from rnn_core.inspection.traces.tracing import Trace

Array = NDArray[Any]

FELT = 0.01
"""A gradient of which less than this arrives is lost beside those of nearer steps: one per cent."""

STEADY = 0.01
"""A norm that changes by less than this a step, one per cent, neither vanishes nor explodes within 100 steps."""


class Spectrum:
    """Eigenvalues and singular values of a recurrent kernel.

    Attributes
    ----------
    eigenvalues : ndarray of complex, shape (units,)
        Largest modulus first.
    spectral_radius : float
        The largest modulus: above 1 a linear network's state grows without bound, below 1 it forgets.
    singular_values : ndarray, shape (units,)
        Largest first; the largest is the 2-norm, the most that one step can amplify.
    outside : int
        How many eigenvalues lie outside the unit circle, by more than rounding.
    """

    def __init__(self, recurrent_kernel: Array) -> None:
        eigenvalues = np.linalg.eigvals(recurrent_kernel)
        self.eigenvalues: Array = eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]
        self.spectral_radius = float(np.abs(self.eigenvalues[0]))
        self.singular_values: Array = np.linalg.svd(recurrent_kernel, compute_uv=False)
        self.outside = int((np.abs(self.eigenvalues) > 1 + 1e-5).sum())

    def __str__(self) -> str:
        low, high = self.singular_values[-1], self.singular_values[0]
        return (
            f"spectral radius {self.spectral_radius:.4g}, {self.outside} of {len(self.eigenvalues)} eigenvalues "
            f"outside the unit circle; singular values from {low:.4g} to {high:.4g}"
        )


def spectrum(recurrent_kernel: ArrayLike) -> Spectrum:
    """Return the spectrum of a recurrent kernel, computed in float64.

    Parameters
    ----------
    recurrent_kernel : array_like, shape (units, units)

    Raises
    ------
    ValueError
        If it is not square, or not finite.

    Examples
    --------
    >>> print(spectrum([[0.0, -0.9], [0.9, 0.0]]))
    spectral radius 0.9, 0 of 2 eigenvalues outside the unit circle; singular values from 0.9 to 0.9
    """
    matrix = np.asarray(recurrent_kernel, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"spectrum: recurrent_kernel must have shape (units, units), got {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise ValueError("spectrum: recurrent_kernel holds values that are NaN or infinite.")
    return Spectrum(matrix)


class Credit:
    """The Jacobians between the states of one recurrent layer, along the trajectories of a traced batch.

    The state is what the layer hands from step to step: the hidden state of Elman's network, the context of Jordan's.
    All in float64 and in processing order; k = -1 stands for the initial state.

    Attributes
    ----------
    trace : RecurrentTrace
    step_jacobians : ndarray, shape (batch, timesteps, size, size)
        dh_t / dh_(t-1).
    spectrum : Spectrum or None
        Of the recurrent kernel; of ``decay I + U V`` in Jordan's network; None for other cells.
    """

    def __init__(self, trace: RecurrentTrace) -> None:
        self.trace, self.timesteps = trace, trace.timesteps
        self.kernel_name, kernel = trace.recurrence or ("", None)
        self.spectrum: Any = None if kernel is None else spectrum(kernel)

    @cached_property
    def step_jacobians(self) -> Array:
        """J_t, row by row: what a gradient that is 1 in one unit and 0 in the others becomes a step before."""
        trace = self.trace
        activation = trace.activation if isinstance(trace, ActivatedTrace) else None
        if getattr(activation, "axis", -1) not in (-1, 1):
            raise ValueError(f"credit: {activation!r} mixes samples, so there is no Jacobian of each by itself.")
        batch, _, size = trace.state.shape
        nothing = np.zeros_like(trace.from_loss[:, 0], np.float64)
        jacobians = np.empty((batch, self.timesteps, size, size))
        for i, unit in enumerate(np.eye(size)):
            row = np.broadcast_to(unit, (batch, size)).copy()
            for t in range(self.timesteps):
                jacobians[:, t, i] = trace.back(t, nothing, row)[1]
        if not np.isfinite(jacobians).all():
            raise ValueError(
                f"credit: the Jacobians of {trace.name!r} are not finite; diagnose(model, x, y) tells where that began."
            )
        return jacobians

    def jacobian(self, t: int, k: int) -> Array:
        """Return dh_t / dh_k, shape (batch, units, units), for -1 <= k <= t < timesteps."""
        t, k = integer("jacobian", "t", t), integer("jacobian", "k", k)
        if not -1 <= k <= t < self.timesteps:
            raise ValueError(f"jacobian needs -1 <= k <= t < {self.timesteps}, got t={t}, k={k}.")
        product, log_scale = self._back_from(t)[t - k]
        return np.asarray(product * np.exp(log_scale)[:, None, None])

    def _back_from(self, t: int) -> list[tuple[Array, Array]]:
        """Return dh_t / dh_k for k = t, t-1, .., -1 as (matrix, log of its scale): no product overflows."""
        batch, _, units, _ = self.step_jacobians.shape
        product, log_scale = np.broadcast_to(np.eye(units), (batch, units, units)), np.zeros(batch)
        found = [(product, log_scale)]
        for step in range(t, -1, -1):
            product = product @ self.step_jacobians[:, step]
            largest = np.abs(product).max(axis=(1, 2))
            scale = np.where(largest > 0, largest, 1.0)
            product, log_scale = product / scale[:, None, None], log_scale + np.log(scale)
            found.append((product, log_scale))
        return found

    @cached_property
    def _from_last(self) -> tuple[Array, Array]:
        """Singular values of the scaled matrices, (batch, timesteps + 1, units), and the logs of their scales."""
        found = self._back_from(self.timesteps - 1)
        values = np.stack([np.linalg.svd(product, compute_uv=False) for product, _ in found], axis=1)
        return values, np.stack([log_scale for _, log_scale in found], axis=1)

    @property
    def singular_values(self) -> Array:
        """Of dh_T / dh_k, T the last step, over the distance T - k: (batch, timesteps + 1, units), largest first."""
        values, log_scales = self._from_last
        with np.errstate(over="ignore"):
            return np.asarray(values * np.exp(log_scales)[..., None])

    @property
    def log_norms(self) -> Array:
        """The logarithms of the 2-norms of dh_T / dh_k over the distance T - k, shape (batch, timesteps + 1)."""
        values, log_scales = self._from_last
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(values[..., 0]) + log_scales)

    @property
    def norms(self) -> Array:
        """The 2-norms, largest singular values, of dh_T / dh_k over the distance T - k: (batch, timesteps + 1)."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.log_norms))

    @property
    def median_norms(self) -> Array:
        """The median of the norms over the batch, shape (timesteps + 1,)."""
        return np.asarray(np.median(self.norms, axis=0))

    @property
    def factor(self) -> float:
        """By what the norm changes a step, on (geometric) average over the whole sequence: the median sample's.

        Masked steps, which hand on what they are given, are no steps here. The first distance is left out where there
        is another: it is one step's own.
        """
        logs, real = self.log_norms, np.cumsum(self.trace.step_mask[:, ::-1], axis=1)  # real steps on the way so far
        steps = real[:, -1]
        if np.isneginf(np.median(logs[:, -1])):
            return 0.0  # nothing arrives at all, as behind dead units
        counted = np.flatnonzero(np.isfinite(logs[:, -1]) & (steps > 0))
        if not len(counted):
            return 1.0
        first = np.where(steps > 1, 1 + (real >= 1).argmax(axis=1), 0)  # the distance at which one step is taken
        taken = np.maximum(steps - (steps > 1), 1)
        changes = (logs[counted, -1] - logs[counted, first[counted]]) / taken[counted]
        return float(np.exp(np.median(changes)))

    @property
    def reach(self) -> int:
        """The largest distance over which at least 1 % (`FELT`) of a gradient can arrive, in the median sample."""
        felt = np.flatnonzero(self.median_norms >= FELT)
        return int(felt[-1])

    def __str__(self) -> str:
        """Return in words whether gradients vanish or explode, where and by how much."""
        factor, steps, reach = self.factor, self.timesteps, self.reach
        step = "step" if self.trace.step_mask.all() else "real step"
        if factor == 0:
            verdict = f"die: beyond {_steps(reach)} nothing arrives"
        elif abs(factor - 1) <= STEADY:
            verdict = f"keep their size on their way back ({factor:.4g} x a {step})"
        elif factor < 1:
            verdict = f"shrink to {factor:.4g} x a {step}"
            verdict += f" and vanish: beyond {_steps(reach)} less than {FELT:.0%} arrives" if reach < steps else ""
        else:
            verdict = f"can grow {factor:.4g} x a {step}"
            verdict += " and explode" if self.median_norms[-1] > 1 / FELT else ""
        lines = textwrap.wrap(
            f"{self.trace.name}: over {_steps(steps)} gradients {verdict}", 80, subsequent_indent="    "
        )
        if self.spectrum is not None:
            lines += textwrap.wrap(f"{self.kernel_name}: {self.spectrum}", 80, subsequent_indent="    ")
        median, symbol = self.median_norms, self.trace.symbol
        distances = [d for d in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if d < steps] + [steps]
        for part in (distances[:6], distances[6:]):
            if part:
                lines.append("distance t - k      " + "".join(f"{d:>9}" for d in part))
                lines.append(f"|| d{symbol}_t / d{symbol}_k ||   " + "".join(f"{median[d]:9.2g}" for d in part))
        return "\n".join(lines)


def _steps(number: int) -> str:
    return f"{number} step{'' if number == 1 else 's'}"


def credit(trace: Trace, layer: str | None = None) -> Credit:
    """Return how far back gradients reach in a recurrent layer of a traced model.

    The Jacobians take ``batch * timesteps * units**2`` numbers: trace a few samples, not all. Those of a cell are what
    its own ``step_backward`` hands back.

    Parameters
    ----------
    trace : Trace
        Of :func:`rnn_core.inspection.trace`.
    layer : str, optional
        The layer's name; not needed where the model has one that is recurrent.

    Returns
    -------
    Credit

    Raises
    ------
    ValueError
        If there is no such layer, it hands nothing from step to step, or its weights are not finite.

    Notes
    -----
    Y. Bengio, P. Simard, P. Frasconi, "Learning long-term dependencies with gradient descent is difficult", IEEE
    Transactions on Neural Networks 5 (1994), 157-166; R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of
    training recurrent neural networks", ICML 2013.

    Examples
    --------
    >>> from rnn_core.inspection import trace
    >>> from rnn_core.layers import Input, SimpleRNN
    >>> from rnn_core.models import Sequential
    >>> model = Sequential([Input((10, 1)), SimpleRNN(2, "linear", name="rnn")])
    >>> model.layers[0].recurrent_kernel = [[0.5, 0.0], [0.0, 0.25]]
    >>> model.compile(loss="mse", optimizer="sgd")
    >>> c = credit(trace(model, np.ones((1, 10, 1)), np.zeros((1, 2))))
    >>> c.jacobian(t=3, k=1)[0]
    array([[0.25  , 0.    ],
           [0.    , 0.0625]])
    >>> print(c)
    rnn: over 10 steps gradients shrink to 0.5 x a step and vanish: beyond 6 steps
        less than 1% arrives
    recurrent kernel: spectral radius 0.5, 0 of 2 eigenvalues outside the unit
        circle; singular values from 0.25 to 0.5
    distance t - k              0        1        2        5       10
    || dh_t / dh_k ||           1      0.5     0.25    0.031  0.00098
    """
    return Credit(trace.recurrent(layer))
