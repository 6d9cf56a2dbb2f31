"""One step of Elman's network: the settings and weights that :class:`SimpleRNN` runs over a sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core import activations, constraints, initializers, regularizers
from rnn_core.checks import positive_int, real
from rnn_core.layers.base import InputShape, Layer, Shape
from rnn_core.layers.cell import Cell, CellRecord
from rnn_core.layers.dropout import draw_dropout_mask
from rnn_core.random import stream
from rnn_core.weights import weight

Array = NDArray[Any]


class SimpleRNNSettings(Layer):
    """The constructor, the weights and the config that the cell and the layer share."""

    # Kernel and bias lie next to each other, so that together they are one matrix: see SimpleRNN.affine.
    memory_order: ClassVar[tuple[str, ...]] = ("recurrent_kernel", "kernel", "bias")

    kernel: Array = weight()
    recurrent_kernel: Array = weight()
    bias: Array = weight()

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.units = positive_int(owner, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        # Keras clamps the rates to [0, 1] instead of refusing them.
        self.dropout = min(1.0, max(0.0, real(owner, "dropout", dropout)))
        self.recurrent_dropout = min(1.0, max(0.0, real(owner, "recurrent_dropout", recurrent_dropout)))
        self.seed = None if seed is None else positive_int(owner, "seed", seed, 0)
        self.dropout_stream = stream(self.seed) if self.dropout or self.recurrent_dropout else None

    def build(self, input_shape: InputShape) -> None:
        """State kernel (features, units), recurrent_kernel (units, units) and bias (units,)."""
        features, units = self.features_of(input_shape), self.units
        self.add_weight(
            "kernel", (features, units), self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        )
        self.add_weight(
            "recurrent_kernel",
            (units, units),
            self.recurrent_initializer,
            self.recurrent_regularizer,
            self.recurrent_constraint,
        )
        if self.use_bias:
            self.add_weight("bias", (units,), self.bias_initializer, self.bias_regularizer, self.bias_constraint)

    def dropout_masks(self, batch: int, features: int) -> tuple[Array | None, Array | None]:
        """Draw the masks of one batch: (batch, features) for the inputs, (batch, units) for the hidden state."""
        draws = self.dropout_stream
        inputs = states = None
        if draws is not None and self.dropout:
            inputs = draw_dropout_mask(draws, (batch, features), self.dropout, self.dtype)
        if draws is not None and self.recurrent_dropout:
            states = draw_dropout_mask(draws, (batch, self.units), self.recurrent_dropout, self.dtype)
        return inputs, states

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": constraints.serialize(self.recurrent_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


class SimpleRNNCellRecord(CellRecord):
    """What one step computes: inputs and state as the products saw them (dropped out), and the hidden state."""

    def __init__(self, cell: SimpleRNNCell, shape: Shape, d_vector: Array | None) -> None:
        super().__init__(cell, d_vector)
        self.x = np.empty(shape, cell.dtype)  # (B, F)
        self.h_previous = np.empty((shape[0], cell.units), cell.dtype)
        self.preactivation = np.empty_like(self.h_previous)
        self.hidden = np.empty_like(self.h_previous)


class SimpleRNNCell(SimpleRNNSettings, Cell):
    r"""One step of Elman's network, for :class:`RNN` and for study.

    ::

        a = (x * dm) K + (h * rm) U + b
        h' = act(a)

    with dm, rm the dropout masks, and backwards::

        da = dh' * act'(a)
        dK = (x * dm)ᵀ da     dU = (h * rm)ᵀ da     db = sum of da     dx = da Kᵀ * dm     dh = da Uᵀ * rm

    Parameters and weights are those of :class:`SimpleRNN`.

    Raises
    ------
    ValueError
        For bad settings, and for states that are not one array (batch, units).

    Notes
    -----
    As ``keras.layers.SimpleRNNCell`` (``keras/src/layers/rnn/simple_rnn.py``); J. L. Elman, "Finding structure in
    time", Cognitive Science 14 (1990), 179-211.

    Examples
    --------
    >>> cell = SimpleRNNCell(2, activation=None, kernel_initializer="ones", recurrent_initializer="identity")
    >>> output, (state,) = cell(np.array([[1.0, 2.0]]), [np.array([[10.0, 20.0]])])
    >>> output
    array([[13., 23.]], dtype=float32)
    """

    @property
    def state_size(self) -> int:
        """The width of the state, which is the output."""
        return self.units

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> SimpleRNNCellRecord:
        """Allocate the arrays of one step for inputs (batch, features)."""
        return SimpleRNNCellRecord(self, shape, d_vector)

    def step(self, r: SimpleRNNCellRecord, x: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        """h' = act((x * dm) K + (h * rm) U + b)"""
        (h,) = states
        input_dropout, recurrent_dropout = r.dropout_masks or (None, None)
        r.x[...] = x if input_dropout is None else x * input_dropout
        r.h_previous[...] = h if recurrent_dropout is None else h * recurrent_dropout
        a = r.preactivation
        np.add(r.x @ self.kernel, r.h_previous @ self.recurrent_kernel, out=a)
        if self.use_bias:
            a += self.bias
        self.activation.forward(a, r.hidden)
        return r.hidden, [r.hidden]

    def step_backward(self, r: Any, d_output: Array, d_states: list[Array]) -> tuple[Array, list[Array]]:
        """da = dh' * act'(a);  dK, dU, db into the record;  return dx = da Kᵀ * dm and dh = da Uᵀ * rm"""
        d_hidden = d_output + d_states[0]
        da = np.empty_like(d_hidden)
        saved = r.hidden if self.activation.needs == "output" else r.preactivation
        self.activation.backward(saved, d_hidden, da, np.empty_like(da))
        np.dot(r.x.T, da, out=r.d_kernel)
        np.dot(r.h_previous.T, da, out=r.d_recurrent_kernel)
        if self.use_bias:
            da.sum(axis=0, out=r.d_bias)
        dx, dh = da @ self.kernel.T, da @ self.recurrent_kernel.T
        input_dropout, recurrent_dropout = r.dropout_masks or (None, None)
        if input_dropout is not None:
            dx *= input_dropout
        if recurrent_dropout is not None:
            dh *= recurrent_dropout
        return dx, [dh]
