"""Elman's recurrent layer as users see it: its settings. The maths is the base class', and below that the calls."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core import regularizers
from rnn_core.data import as_numeric
from rnn_core.layers.simple_rnn_passes import SimpleRNNPasses
from rnn_core.layers.simple_rnn_record import SimpleRNNRecord

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

    record_type: ClassVar[type[SimpleRNNRecord]] = SimpleRNNRecord

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
            units=units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            seed=seed,
            zero_output_for_mask=zero_output_for_mask,
            **kwargs,
        )

    @property
    def state_size(self) -> list[int]:
        """The width of the state, H, in a list as other recurrent layers may have several."""
        return [self.units]

    @property
    def output_size(self) -> int:
        """The width of the output, H."""
        return self.units

    def give_states(self, r: SimpleRNNRecord, initial_state: Any, batch: int) -> None:
        """Check an initial state that a caller gave, and hand it to the record `r`."""
        r.initial_state = self.checked_state("initial_state", initial_state, batch)

    def checked_state(self, argument: str, state: Any, batch: int) -> Array:
        """Return a state given by the caller, or the one in a list of one, as an array (batch, units)."""
        if isinstance(state, (list, tuple)) and len(state) == 1 and np.ndim(state[0]) == 2:
            state = state[0]
        label = f"{type(self).__name__} {self.name!r}: {argument}"
        array = as_numeric(label, state).astype(self.dtype, copy=False)
        if array.shape != (batch, self.units):
            raise ValueError(f"{label} must have shape (batch, units) = {(batch, self.units)}, got {array.shape}.")
        return array

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "activity_regularizer": regularizers.serialize(self.activity_regularizer)}
