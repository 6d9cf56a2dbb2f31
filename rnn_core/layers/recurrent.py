"""What recurrent layers have in common: their flags, the states they carry, calls with a mask and initial states."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core.graph import is_symbolic
from rnn_core.layers.base import Layer, checked_mask, shape_text
from rnn_core.several import as_list, each
from rnn_core.tensors import Tensor

Array = NDArray[Any]

FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


class Recurrent(Layer):
    """The base of recurrent layers: all but the two passes, the weights and how a record takes initial states.

    Attributes
    ----------
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As :class:`RNN` describes them.
    state_size : list of int
        The widths of all states.
    output_size : int
    state : ndarray, shape (batch, sum of state_size), or None
        What a stateful layer carries from batch to batch.
    """

    ranks: ClassVar[tuple[int, ...]] = (3,)
    input_layout: ClassVar[str] = "(batch, timesteps, features)"
    record_type: ClassVar[type[Any]]

    def __init__(
        self,
        *,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        stateful: bool,
        unroll: bool,
        zero_output_for_mask: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.state: Array | None = None

    # What a layer states.

    @property
    def state_size(self) -> list[int]:
        """The widths of all states."""
        raise NotImplementedError

    @property
    def output_size(self) -> int:
        """The width of the output."""
        raise NotImplementedError

    def give_states(self, r: Any, initial_state: Any, batch: int) -> None:
        """Check initial states that a caller gave, and hand them to the record `r`."""
        raise NotImplementedError

    # Shapes. In a graph those of initial states come after that of the inputs.

    def input_shape_of(self, shape: Any) -> Any:
        """Return the shape of the inputs alone."""
        if not isinstance(shape, list):
            return shape
        inputs, *states = shape
        if states and [tuple(state[1:]) for state in states] != [(size,) for size in self.state_size]:
            count = len(self.state_size)
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: initial_state must be "
                f"{'one state' if count == 1 else f'{count} states'} of shape "
                f"{', '.join(f'(batch, {size})' for size in self.state_size)}, got "
                f"{', '.join(map(shape_text, states))}."
            )
        return inputs

    def check_input_shape(self, shape: Any) -> None:
        """Raise ValueError where the layer can't take inputs of `shape`, or of the first of several."""
        super().check_input_shape(self.input_shape_of(shape))

    def ensure_built(self, input_shape: Any) -> None:
        """Build for inputs of this shape, or for the first of several; a stateful layer needs a fixed batch size."""
        shape = self.input_shape_of(input_shape)
        self.check_input_shape(shape)
        if self.stateful and self.state is None:
            if shape[0] is None:
                raise ValueError(
                    f"{type(self).__name__} {self.name!r} is stateful and needs a fixed batch size: "
                    "start the model with Input(batch_shape=(batch, timesteps, features))."
                )
            self.state = np.zeros((shape[0], sum(self.state_size)), self.dtype)
        super().ensure_built(shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return (batch, output_size), or (batch, timesteps, output_size); with `return_state` also the states'."""
        batch, timesteps, _ = self.input_shape_of(input_shape)
        size = self.output_size
        output = (batch, timesteps, size) if self.return_sequences else (batch, size)
        return (output, *((batch, size) for size in self.state_size)) if self.return_state else output

    def new_record(self, shape: Any, d_vector: Array | None = None) -> Any:
        """Allocate the arrays for inputs of `shape`."""
        shape = self.input_shape_of(shape)
        if self.state is not None and len(self.state) != shape[0]:
            raise ValueError(
                f"{type(self).__name__} {self.name!r} is stateful with batches of {len(self.state)}, got one of "
                f"{shape[0]}."
            )
        return self.record_type(self, shape, d_vector)

    # Calls.

    def reset_state(self) -> None:
        """Set the states that a stateful layer carries from batch to batch to zero."""
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
        initial_state : array_like, shape (batch, size), or Symbol, or a list with one for each state, optional

        Returns
        -------
        ndarray, shape (batch, output_size) or (batch, timesteps, output_size)
            With `return_state` a tuple of it and the last states (batch, size).
        """
        if is_symbolic(inputs):
            return self.connect(inputs, training, mask, () if initial_state is None else as_list(initial_state))
        x = self.convert(inputs)  # an array, or a list where the layer takes several
        r = self.new_record(each(lambda part: part.shape, x))
        shape = as_list(x)[0].shape
        r.mask = checked_mask(mask, shape)
        if initial_state is not None:
            self.give_states(r, initial_state, shape[0])
        output = each(Tensor.copy_of, self.forward(r, x, bool(training)))
        return tuple(output) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), **{flag: getattr(self, flag) for flag in FLAGS}}
