"""Backpropagation through time, item by item: where each part of a gradient comes from.

At every step t, in the notation of ``layers/simple_rnn.py``::

    dh_t = dy_t + da_(t+1) Uᵀ            from the loss, and from the future
    da_t = dh_t * act'(a_t)              times the activation's derivative
    dK  += x_tᵀ da_t      dU += h_(t-1)ᵀ da_t      db += da_t       this step's contributions

The three sums over all steps, with what regularizers add, are the gradients that the optimizer is given. In Jordan's
network it is the output that is fed back, ``dy_t = from the loss + dc_(t+1)``, and there are two kernels more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int
from rnn_core.inspection.traces.layers import ActivatedTrace
from rnn_core.inspection.traces.recurrent import ElmanTrace, RecurrentTrace
from rnn_core.inspection.traces.tracing import Trace

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


class BPTT:
    """The items of backpropagation through time in one recurrent layer. Steps are in processing order.

    Attributes
    ----------
    trace : RecurrentTrace
        The layer's arrays.
    from_loss, from_future, d_fed_back : ndarray, shape (batch, timesteps, units)
        The gradient of what is fed back, Elman's h_t or Jordan's y_t: what arrives from the loss at step t + what
        arrives from step t+1.
    d_hidden : ndarray, shape (batch, timesteps, units), or None
        dL/dh_t; None in a cell that is not known to have hidden units.
    derivative : ndarray, shape (batch, timesteps, units), or None
        act'(a_t); None for softmax and others that mix the units.
    d_preactivation : ndarray, shape (batch, timesteps, units), or None
        dL/da_t.
    contributions : dict of str to ndarray, shape (timesteps, *shape of the weight)
        What each step adds to the gradient of each weight, summed over the batch.
    d_data : dict of str to ndarray
        Their sums over all steps, as the engine reports them: the gradients without what regularizers add, and without
        those of other calls where the layer is called several times.
    d_weights : dict of str to ndarray
        The gradients that the optimizer is given.
    """

    def __init__(self, trace: RecurrentTrace) -> None:
        self.trace: Any = trace
        self.from_loss, self.from_future, self.d_fed_back = trace.from_loss, trace.from_future, trace.d_fed_back
        self.derivative: Array | None = None
        self.d_preactivation: Any = None
        if isinstance(trace, ActivatedTrace):
            self.derivative, self.d_preactivation = trace.derivative, trace.d_preactivation
        d_hidden: Any = getattr(trace, "d_hidden", None)
        self.d_hidden: Any = d_hidden[:, 1:] if isinstance(trace, ElmanTrace) else d_hidden
        self.contributions = trace.contributions
        self.d_weights, self.d_data = trace.d_weights, trace.d_call

    def frame(self) -> pd.DataFrame:
        """Return a tidy table: a row for each sample, step and unit.

        Columns: sample, step, timestep (of the input that the step reads), unit, real (False at masked steps), and of
        Elman's network h_previous, preactivation, hidden, from_loss, from_future, d_hidden, derivative,
        d_preactivation. In Jordan's the units are those of the output, and the columns context, output_preactivation,
        output, from_loss, from_future, d_output, d_output_preactivation.
        """
        import pandas as pd

        t = self.trace
        found = t.columns()
        indices: Array = np.indices(next(iter(found.values())).shape)
        sample, step, unit = indices
        columns: dict[str, Array] = {
            "sample": sample,
            "step": step,
            "timestep": t.order[step],
            "unit": unit,
            "real": np.broadcast_to(t.step_mask[:, :, None], step.shape),
            **found,
        }
        return pd.DataFrame({name: values.reshape(-1) for name, values in columns.items()})

    def contribution_frame(self) -> pd.DataFrame:
        """Return a tidy table of the contributions: columns weight, step, row, unit, contribution.

        `row` is the feature (kernel) or the unit of h_(t-1) (recurrent_kernel) that is multiplied, 0 for the bias.
        """
        import pandas as pd

        tables = []
        for name, parts in self.contributions.items():
            parts = parts.reshape(len(parts), -1, parts.shape[-1] if parts.ndim > 1 else 1)  # (T, rows, units)
            indices: Array = np.indices(parts.shape)
            step, row, unit = indices
            columns = {"step": step, "row": row, "unit": unit, "contribution": parts}
            table = pd.DataFrame({key: values.reshape(-1) for key, values in columns.items()})
            table.insert(0, "weight", name)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def table(self, sample: int = 0, unit: int = 0) -> str:
        """Return one sample's way through one unit, forwards and backwards, with the numbers in the formulas.

        Raises
        ------
        ValueError
            If there is no such sample or unit, and for a cell whose formulas are not known here.
        """
        from rnn_core.inspection.bptt_text import written_out

        sample = positive_int("table", "sample", sample, 0)
        unit = positive_int("table", "unit", unit, 0)
        if self.d_preactivation is None:
            kind = type(getattr(self.trace, "cell", self.trace.layer)).__name__
            raise ValueError(
                f"table: the formulas of {kind} are not known; frame() and contributions have its numbers."
            )
        batch, _, units = self.d_preactivation.shape
        if sample >= batch or unit >= units:
            raise ValueError(f"table: there are {batch} samples and {units} units, got sample {sample}, unit {unit}.")
        return written_out(self, sample, unit)


def bptt(trace: Trace, layer: str | None = None) -> BPTT:
    """Return the items of backpropagation through time in a recurrent layer of a traced model.

    Parameters
    ----------
    trace : Trace
        Of :func:`rnn_core.inspection.trace`.
    layer : str, optional
        The layer's name; not needed where the model has one that is recurrent.

    Returns
    -------
    BPTT

    Raises
    ------
    ValueError
        If there is no such layer, or it hands nothing from step to step.

    Notes
    -----
    P. J. Werbos, "Backpropagation through time: what it does and how to do it", Proceedings of the IEEE 78 (1990),
    1550-1560.

    Examples
    --------
    >>> from rnn_core.inspection import trace
    >>> from rnn_core.layers import Input, SimpleRNN
    >>> from rnn_core.models import Sequential
    >>> layer = SimpleRNN(1, use_bias=False, kernel_initializer="ones", recurrent_initializer="ones", activation=None)
    >>> model = Sequential([Input((2, 1)), layer])
    >>> model.compile(loss="mse", optimizer="sgd")
    >>> items = bptt(trace(model, np.array([[[1.0], [2.0]]]), np.array([2.0])))
    >>> items.contributions["kernel"].ravel(), items.d_weights["kernel"].ravel()
    (array([2., 4.], dtype=float32), array([6.], dtype=float32))
    >>> print(items.table())
    simple_rnn..., sample 0, unit 0
    <BLANKLINE>
    forward    a_t = x_t K + h_(t-1) U          h_t = act(a_t), act = linear
      t=0  a_0 = 1*1 + 0*1 = 1
           h_0 = act(1) = 1
      t=1  a_1 = 2*1 + 1*1 = 3
           h_1 = act(3) = 3
    <BLANKLINE>
    backward   dh_t = from the loss + from the future      da_t = dh_t * act'(a_t)
      t=1  dh_1 = 2 + 0 = 2
           da_1 = 2*1 = 2
           dK += 2*2     dU += 1*2
      t=0  dh_0 = 0 + 2 = 2
           da_0 = 2*1 = 2
           dK += 1*2     dU += 0*2
    <BLANKLINE>
    sums over the steps of this sample
      dK = 4 + 2 = 6
      dU = 2 + 0 = 2
    """
    return BPTT(trace.recurrent(layer))
