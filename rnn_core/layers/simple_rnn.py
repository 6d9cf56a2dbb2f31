r"""Elman's recurrent layer, with its backpropagation through time.

The sequence lies time-major, x (T, B, F), and two products are taken over all time steps at once; only what
depends on the step before stays in the loop::

    forward                                     backward, t = T-1 .. 0

    p = [x, 1] [K; b]      all t, one product   dh_t = dy_t + da_(t+1) Uᵀ
    for t = 0 .. T-1:                           da_t = dh_t * act'(a_t)
        a_t = p_t + h_(t-1) U
        h_t = act(a_t)                          [dK; db] = sum over t of [x_t, 1]ᵀ da_t     one product
                                                 dU      = sum over t of h_(t-1)ᵀ da_t      one product
                                                 dx_t    = da_t Kᵀ                          one product

x has a column of ones, and the bias lies under the kernel in memory, so that adding the bias and summing its
gradient cost no pass of their own.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core import regularizers
from rnn_core.denormals import flush
from rnn_core.graph import is_symbolic
from rnn_core.layers.base import InputShape, checked_mask, shape_text
from rnn_core.layers.simple_rnn_cell import SimpleRNNSettings
from rnn_core.layers.simple_rnn_record import SimpleRNNRecord
from rnn_core.several import as_list, each

Array = NDArray[Any]

add = np.add

_FLUSH_EVERY = 8
"""Backward steps between two looks at a decayed gradient: often enough that few denormals arise in between."""


class SimpleRNN(SimpleRNNSettings):
    r"""Elman's recurrent layer: the hidden state is fed back.

    ::

        h_t = act((x_t * dm) K + (h_(t-1) * rm) U + b)        h_(-1) = initial state, or 0

    Parameters
    ----------
    units : int
    activation : str, dict or Activation
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer : str, dict or Initializer
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str, dict or Regularizer, optional
    activity_regularizer : str, dict or Regularizer, optional
        Penalty on the output, divided by the batch size. (Keras accepts it here and drops it.)
    kernel_constraint, recurrent_constraint, bias_constraint : str, dict or Constraint, optional
    dropout, recurrent_dropout : float
        Rates of the masks dm (batch, features) and rm (batch, units), drawn once a batch and used at every step.
    return_sequences : bool
        Return every hidden state (batch, timesteps, units) instead of the last one (batch, units).
    return_state : bool
        Return ``(output, state)`` when called.
    go_backwards : bool
        Go through the sequence from its end; the outputs stay in that order.
    stateful : bool
        Start each batch from the state after the batch before. The batch size must then be fixed.
    unroll : bool
        Accepted and without effect: there is no graph to unroll.
    zero_output_for_mask : bool
        Output 0 at masked steps instead of the carried state.
    seed : int, optional
        For the dropout masks.
    **kwargs
        As for every layer: name, dtype, trainable, input_shape.

    Attributes
    ----------
    kernel : ndarray, shape (features, units)
    recurrent_kernel : ndarray, shape (units, units)
    bias : ndarray, shape (units,)
        Only with `use_bias`.

    Raises
    ------
    ValueError
        For bad settings, and for inputs that are not (batch, timesteps, features).

    Notes
    -----
    At a masked step the state carries over: ``h_t = h_(t-1)``. As ``keras.layers.SimpleRNN``
    (``keras/src/layers/rnn/simple_rnn.py``, ``rnn.py``); J. L. Elman, "Finding structure in time", Cognitive
    Science 14 (1990), 179-211.

    Examples
    --------
    >>> layer = SimpleRNN(1, activation=None, kernel_initializer="ones", recurrent_initializer="ones")
    >>> layer(np.array([[[1.0], [2.0], [3.0]]]))
    array([[6.]], dtype=float32)
    """

    ranks: ClassVar[tuple[int, ...]] = (3,)
    input_layout: ClassVar[str] = "(batch, timesteps, features)"

    affine: Array
    """Kernel and bias as one matrix, shape (features + 1, units); the kernel alone without bias."""

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.state: Array | None = None  # (batch, units), only with stateful

    def build(self, input_shape: InputShape) -> None:
        """State the weights; a stateful layer also needs a fixed batch size."""
        super().build(input_shape)
        if self.stateful:
            if input_shape[0] is None:
                raise ValueError(
                    f"SimpleRNN {self.name!r} is stateful and needs a fixed batch size: "
                    "start the model with Input(batch_shape=(batch, timesteps, features))."
                )
            self.state = np.zeros((input_shape[0], self.units), self.dtype)

    def affine_of(self, vector: Array) -> Array:
        """Return kernel and bias of a vector laid out as the weights: they lie after the recurrent kernel."""
        return vector[self.units**2 :].reshape(-1, self.units)

    def bind(self, vector: Array) -> None:
        """Make `vector` the home of the weights."""
        super().bind(vector)
        self.affine = self.affine_of(vector)

    def ensure_built(self, input_shape: Any) -> None:
        """Build for inputs of this shape, or for the first of two shapes, where the second is that of a state."""
        super().ensure_built(self._without_state(input_shape))

    def _without_state(self, shape: Any) -> Any:
        """Return the shape of the inputs alone, where in a graph that of an initial state comes along."""
        if not isinstance(shape, list):
            return shape
        inputs, *states = shape
        if len(states) > 1 or any(len(state) != 2 or state[1] != self.units for state in states):
            raise ValueError(
                f"SimpleRNN {self.name!r}: initial_state must be one state of shape (batch, {self.units}), got "
                f"{', '.join(map(shape_text, states))}."
            )
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return (batch, units), or (batch, timesteps, units); with `return_state` also that of the state."""
        batch, timesteps, _ = self._without_state(input_shape)
        output = (batch, timesteps, self.units) if self.return_sequences else (batch, self.units)
        return (output, (batch, self.units)) if self.return_state else output

    def new_record(self, shape: Any, d_vector: Array | None = None) -> SimpleRNNRecord:
        """Allocate the arrays for inputs of `shape`."""
        shape = self._without_state(shape)
        if self.state is not None and len(self.state) != shape[0]:
            raise ValueError(
                f"SimpleRNN {self.name!r} is stateful with batches of {len(self.state)}, got one of {shape[0]}."
            )
        return SimpleRNNRecord(self, shape, d_vector)

    def forward(self, r: SimpleRNNRecord, x: Any, training: bool = False) -> Any:
        """p = [x, 1] [K; b];  a_t = p_t + h_(t-1) U;  h_t = act(a_t)"""
        if isinstance(x, list):  # in a graph the initial state comes with the inputs
            r.inputs = len(x)
            x, r.initial_state = (*x, None)[:2]
            r.mask = r.mask[0] if isinstance(r.mask, list) else r.mask
        self._prepare(r, x, training)
        r.x_rows.dot(self.affine, r.projection)
        recurrent_kernel, recurrent, activate = self.recurrent_kernel, r.recurrent, self.activation.forward
        for t, (h_previous, a, h) in enumerate(r.steps):
            if t or r.has_initial_state:  # h_(-1) = 0 adds nothing
                if r.recurrent_dropout is not None:
                    h_previous = h_previous * r.recurrent_dropout
                h_previous.dot(recurrent_kernel, recurrent)
                add(a, recurrent, a)
            activate(a, h)
            if r.step_mask is not None:  # a masked step carries the state over
                np.copyto(h, r.hidden[t], where=~r.step_mask[t])
        if self.state is not None:
            self.state[...] = r.last_hidden
        output = r.hidden_sequence if self.return_sequences else r.last_hidden
        if self.zero_output_for_mask and r.step_mask is not None:
            output = self._output_zeroed(r)
        return (output, r.last_hidden) if self.return_state else output

    def backward(self, r: SimpleRNNRecord, d_output: Any) -> Any:
        """dh_t = dy_t + da_(t+1) Uᵀ;  da_t = dh_t * act'(a_t);  then dK, dU, db and dx, one product each"""
        d_state = None
        if self.return_state:
            d_output, d_state = d_output  # one of them is None where it was not used
        if self.zero_output_for_mask and r.step_mask is not None and d_output is not None:
            d_output = self._d_output_zeroed(r, d_output)
        sequences = self.return_sequences and d_output is not None
        d_steps = d_output.transpose(1, 0, 2) if sequences else None  # dy_t, shape (T, B, H)
        d_hidden = d_output if d_steps is None else d_steps[-1]
        if d_state is not None:
            d_hidden = d_state if d_hidden is None else d_hidden + d_state
        derivative, last, recurrent_kernel_transposed = self.activation.backward, r.timesteps - 1, r.transposed
        if last or r.has_initial_state:
            recurrent_kernel_transposed[...] = self.recurrent_kernel.T
        special = r.step_mask is not None or r.recurrent_dropout is not None
        was_zero, r.first_active = r.first_active, 0
        carried = None
        for t, (saved, da) in r.backward_steps:
            if t < last:
                d_hidden = r.d_hidden
                r.d_preactivation[t + 1].dot(recurrent_kernel_transposed, d_hidden)
                if special:
                    self._recurrent_dropout_and_carry(r, d_hidden, carried)
                if d_steps is not None:
                    add(d_hidden, d_steps[t], d_hidden)
                if t % _FLUSH_EVERY == 0 and _has_vanished(d_hidden) and (d_steps is None or not d_steps[:t].any()):
                    r.first_active = t + 1
                    r.d_preactivation[was_zero : t + 1] = 0  # what the batch before left there
                    break
            if r.step_mask is not None:  # a masked step hands dh_t on as it is, and takes no part
                carried = np.where(r.step_mask[t], 0, d_hidden)
                d_hidden = d_hidden * r.step_mask[t]
            derivative(saved, d_hidden, da, r.scratch)
        else:
            if r.has_initial_state:
                r.d_preactivation[0].dot(recurrent_kernel_transposed, r.d_hidden)
                self._recurrent_dropout_and_carry(r, r.d_hidden, carried)
        self._weight_gradients(r)
        d_input = self._input_gradient(r) if r.needs_d_input else None
        return [d_input, r.d_hidden][: r.inputs] if r.inputs else d_input

    def _prepare(self, r: SimpleRNNRecord, x: Array, training: bool) -> None:
        """Lay the inputs out in processing order, and set up state, mask and dropout of this batch."""
        xt = x.transpose(1, 0, 2)
        r.x[...] = xt[::-1] if self.go_backwards else xt
        if self.dropout_stream is not None:
            r.input_dropout = r.recurrent_dropout = None
            if training:
                r.input_dropout, r.recurrent_dropout = self.dropout_masks(r.batch, x.shape[2])
                if r.input_dropout is not None:
                    np.multiply(r.x, r.input_dropout, r.x)
        r.output_mask = r.mask if self.return_sequences else None
        r.step_mask = None
        if r.mask is not None:
            step_mask = r.mask.T[:, :, None]
            r.step_mask = step_mask[::-1] if self.go_backwards else step_mask
        state = self.state if r.initial_state is None else r.initial_state
        if state is not None:
            r.hidden[0] = state
        elif r.has_initial_state:  # the batch before had one
            r.hidden[0] = 0
        r.has_initial_state = state is not None

    def _output_zeroed(self, r: SimpleRNNRecord) -> Array:
        """Return the output with 0 at masked steps in place of the carried state."""
        outputs = r.hidden[1:] * r.step_mask
        return outputs.transpose(1, 0, 2) if self.return_sequences else np.asarray(outputs[-1])

    def _d_output_zeroed(self, r: SimpleRNNRecord, d_output: Array) -> Array:
        """Return dy without what masked steps got: their output was 0 whatever the state."""
        assert r.step_mask is not None
        return d_output * (r.step_mask.transpose(1, 0, 2) if self.return_sequences else r.step_mask[-1])

    def _recurrent_dropout_and_carry(self, r: SimpleRNNRecord, d_hidden: Array, carried: Array | None) -> None:
        """dh_(t-1) = da_t Uᵀ * rm, and what a masked step carried over"""
        if r.recurrent_dropout is not None:
            np.multiply(d_hidden, r.recurrent_dropout, d_hidden)
        if carried is not None:
            add(d_hidden, carried, d_hidden)

    def _weight_gradients(self, r: SimpleRNNRecord) -> None:
        """[dK; db] = sum of [x_t, 1]ᵀ da_t;  dU = sum of h_(t-1)ᵀ da_t, over the active steps"""
        if r.first_active == 0:
            r.x_transposed.dot(r.d_rows, r.d_affine)
        else:
            start = r.first_active * r.batch
            r.x_transposed[:, start:].dot(r.d_rows[start:], r.d_affine)
        first = r.first_active or int(not r.has_initial_state)  # h_(-1) = 0 takes no part
        if first == r.timesteps:
            r.d_recurrent_kernel.fill(0)
            return
        h_previous = r.hidden[first:-1]
        if r.recurrent_dropout is not None:
            h_previous = h_previous * r.recurrent_dropout
        h_previous.reshape(-1, self.units).T.dot(r.d_rows[first * r.batch :], r.d_recurrent_kernel)

    def _input_gradient(self, r: SimpleRNNRecord) -> Array:
        """dx_t = da_t Kᵀ * dm, shape (B, T, F)"""
        if r.d_input is None:
            r.d_input = np.empty(r.x.shape, self.dtype)
        start = r.first_active * r.batch
        d_input_rows = r.d_input.reshape(len(r.d_rows), -1)
        d_input_rows[:start] = 0
        r.d_rows[start:].dot(self.kernel.T, d_input_rows[start:])
        if r.input_dropout is not None:
            np.multiply(r.d_input, r.input_dropout, r.d_input)
        d_input = r.d_input[::-1] if self.go_backwards else r.d_input
        return d_input.transpose(1, 0, 2)

    def reset_state(self) -> None:
        """Set the state that a stateful layer carries from batch to batch to zero."""
        if self.state is not None:
            self.state[...] = 0

    reset_states = reset_state

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None, initial_state: Any = None) -> Any:
        """Apply the layer to an array; on a symbol, note the call.

        Parameters
        ----------
        inputs : array_like, shape (batch, timesteps, features), or Symbol
        training : bool, optional
            Whether dropout is applied. For a symbol None leaves that to the model.
        mask : array_like of bool, shape (batch, timesteps), optional
        initial_state : array_like, shape (batch, units), or Symbol, or a list of one, optional

        Returns
        -------
        ndarray, shape (batch, units) or (batch, timesteps, units)
            With `return_state` a tuple of it and the last state (batch, units).
        """
        if is_symbolic(inputs):
            states = () if initial_state is None else as_list(initial_state)
            return self.connect(inputs, training, mask, states)
        x = self.convert(inputs)
        r = self.new_record(x.shape)
        r.mask = checked_mask(mask, x.shape)
        if initial_state is not None:
            r.initial_state = self.checked_state("initial_state", initial_state, len(x))
        output = each(lambda part: np.array(part, order="C"), self.forward(r, x, bool(training)))
        return tuple(output) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
        }


def _has_vanished(d_hidden: Array) -> bool:
    """Clear `d_hidden` of denormal numbers; whether nothing is left of it, so that all earlier gradients are zero."""
    flush(d_hidden)
    return not (d_hidden.max() or d_hidden.min())
