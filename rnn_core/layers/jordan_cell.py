"""One step of Jordan's network: what was put out comes back in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core import activations, constraints, initializers, regularizers
from rnn_core.checks import positive_int, real
from rnn_core.layers.base import InputShape, Shape
from rnn_core.layers.cell import Cell, CellRecord
from rnn_core.weights import weight

Array = NDArray[Any]


class JordanCellRecord(CellRecord):
    """What one step computes: x (B, F), context (B, O), hidden (B, H) and output (B, O), with their pre-activations.

    Attributes
    ----------
    target : ndarray, shape (B, O), or None
        The true output, where teacher forcing feeds that back.
    d_target : ndarray, shape (B, O)
        Its gradient, after ``step_backward``.
    """

    x: Array
    context: Array
    target: Array | None = None
    d_target: Array

    def __init__(self, cell: JordanCell, shape: Shape, d_vector: Array | None) -> None:
        super().__init__(cell, d_vector)
        batch = shape[0]
        self.preactivation = np.empty((batch, cell.units), cell.dtype)
        self.hidden = np.empty_like(self.preactivation)
        self.output_preactivation = np.empty((batch, cell.output_units), cell.dtype)
        self.output = np.empty_like(self.output_preactivation)


class JordanCell(Cell):
    r"""One step of Jordan's network, for :class:`RNN` and for study.

    ::

        h  = act(x K + c U + b)            y = out_act(h V + b_y)
        c' = decay * c + y

    The state is the context c (batch, output_units), not the hidden state h. Backwards::

        dy = d_output + dc'                da_y = dy * out_act'(a_y)      dV = hᵀ da_y      db_y = sum of da_y
        da = (da_y Vᵀ) * act'(a)           dK = xᵀ da      dU = cᵀ da     db = sum of da
        dx = da Kᵀ                         dc = da Uᵀ + decay * dc'

    Under teacher forcing the true output, ``r.target``, takes the place of y in c', and dc' does not reach dy.

    Parameters
    ----------
    units : int
        H, hidden units.
    output_units : int
        O, the width of the output and of the context.
    activation, output_activation : str, dict or Activation, optional
    decay : float, from 0 to 1
        How much of the context before is kept; with 0 the context is the output before.
    use_bias : bool
    kernel_initializer, recurrent_initializer, output_initializer, bias_initializer : str, dict or Initializer
        For K, U, V, and both biases.
    kernel_regularizer, recurrent_regularizer, output_regularizer, bias_regularizer : str, dict or Regularizer, optional
    kernel_constraint, recurrent_constraint, output_constraint, bias_constraint : str, dict or Constraint, optional
    **kwargs
        As for every layer.

    Raises
    ------
    ValueError
        For units that are not whole numbers above 0, and for a decay outside 0 to 1.

    Notes
    -----
    M. I. Jordan, "Attractor dynamics and parallelism in a connectionist sequential machine", Proceedings of the Eighth
    Annual Conference of the Cognitive Science Society (1986), 531-546.

    Examples
    --------
    >>> cell = JordanCell(1, 1, activation=None, decay=0.5, kernel_initializer="ones", recurrent_initializer="ones",
    ...                   output_initializer="ones")
    >>> cell(np.array([[1.0]]), [np.array([[10.0]])])  # y = 1 + 10, c' = 0.5 * 10 + y
    (array([[11.]], dtype=float32), [array([[16.]], dtype=float32)])
    """

    output_state = None

    kernel: Array = weight()
    recurrent_kernel: Array = weight()
    bias: Array = weight()
    output_kernel: Array = weight()
    output_bias: Array = weight()

    def __init__(
        self,
        units: int,
        output_units: int,
        activation: Any = "tanh",
        output_activation: Any = None,
        decay: float = 0.0,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        output_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        output_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        output_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.units = positive_int(owner, "units", units)
        self.output_units = positive_int(owner, "output_units", output_units)
        self.activation = activations.get(activation)
        self.output_activation = activations.get(output_activation)
        self.decay = real(owner, "decay", decay, 0, 1)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.output_initializer = initializers.get(output_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.output_regularizer = regularizers.get(output_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.output_constraint = constraints.get(output_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    @property
    def state_size(self) -> int:
        """The width of the context, O."""
        return self.output_units

    @property
    def output_size(self) -> int:
        """The width of the output, O."""
        return self.output_units

    def build(self, input_shape: InputShape) -> None:
        """State K (F, H), U (O, H), b (H,), V (H, O) and b_y (O,)."""
        hidden, output = self.units, self.output_units
        kernel = (self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint)
        recurrent = (self.recurrent_initializer, self.recurrent_regularizer, self.recurrent_constraint)
        out = (self.output_initializer, self.output_regularizer, self.output_constraint)
        bias = (self.bias_initializer, self.bias_regularizer, self.bias_constraint)
        self.add_weight("kernel", (self.features_of(input_shape), hidden), *kernel)
        self.add_weight("recurrent_kernel", (output, hidden), *recurrent)
        if self.use_bias:
            self.add_weight("bias", (hidden,), *bias)
        self.add_weight("output_kernel", (hidden, output), *out)
        if self.use_bias:
            self.add_weight("output_bias", (output,), *bias)

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> JordanCellRecord:
        """Allocate the arrays of one step for inputs (batch, features)."""
        return JordanCellRecord(self, shape, d_vector)

    def step(self, r: JordanCellRecord, x: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        """h = act(x K + c U + b);  y = out_act(h V + b_y);  c' = decay * c + (the true output, or y)"""
        (r.context,) = states
        r.x = x
        np.add(x @ self.kernel, r.context @ self.recurrent_kernel, out=r.preactivation)
        if self.use_bias:
            r.preactivation += self.bias
        self.activation.forward(r.preactivation, r.hidden)
        np.dot(r.hidden, self.output_kernel, out=r.output_preactivation)
        if self.use_bias:
            r.output_preactivation += self.output_bias
        self.output_activation.forward(r.output_preactivation, r.output)
        fed_back = r.output if r.target is None else r.target
        return r.output, [self.decay * r.context + fed_back]

    def step_backward(self, r: Any, d_output: Array, d_states: list[Array]) -> tuple[Array, list[Array]]:
        """da_y, da, and from them dK, dU, db, dV, db_y into the record;  return dx = da Kᵀ, dc = da Uᵀ + decay * dc'"""
        (d_next,) = d_states
        r.d_target = d_next
        dy = d_output + d_next if r.target is None else d_output  # what is not fed back gets no gradient from there
        da_y = _through(self.output_activation, r.output_preactivation, r.output, dy)
        da = _through(self.activation, r.preactivation, r.hidden, da_y @ self.output_kernel.T)
        np.dot(r.x.T, da, out=r.d_kernel)
        np.dot(r.context.T, da, out=r.d_recurrent_kernel)
        np.dot(r.hidden.T, da_y, out=r.d_output_kernel)
        if self.use_bias:
            da.sum(axis=0, out=r.d_bias)
            da_y.sum(axis=0, out=r.d_output_bias)
        return da @ self.kernel.T, [da @ self.recurrent_kernel.T + self.decay * d_next]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = {**super().get_config(), "units": self.units, "output_units": self.output_units}
        config |= {"decay": self.decay, "use_bias": self.use_bias}
        config |= {name: activations.serialize(getattr(self, name)) for name in ("activation", "output_activation")}
        for kind, module in (("initializer", initializers), ("regularizer", regularizers), ("constraint", constraints)):
            for kernel in ("kernel", "recurrent", "output", "bias"):
                config[f"{kernel}_{kind}"] = module.serialize(getattr(self, f"{kernel}_{kind}"))
        return config


def _through(activation: activations.Activation, a: Array, y: Array, dy: Array) -> Array:
    """Return dy * act'(a)."""
    da = np.empty_like(a)
    activation.backward(y if activation.needs == "output" else a, dy, da, np.empty_like(a))
    return da
