"""Elman's recurrent layer as users see it: its settings, shapes, states and calls. The maths is the base class'."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core import regularizers
from rnn_core.graph import is_symbolic
from rnn_core.layers.base import InputShape, checked_mask, shape_text
from rnn_core.layers.simple_rnn_passes import SimpleRNNPasses
from rnn_core.layers.simple_rnn_record import SimpleRNNRecord
from rnn_core.several import as_list, each

Array = NDArray[Any]


class SimpleRNN(SimpleRNNPasses):
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
