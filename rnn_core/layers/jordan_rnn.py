r"""Jordan's recurrent layer: the output is fed back, its own or, while it learns, the true one.

::

    closed loop                            teacher forcing, in training
    c_t = decay c_(t-1) + y_(t-1)          c_t = decay c_(t-1) + y*_(t-1)       y* the true output

The steps are those of :class:`JordanCell`; this file adds the second input that brings in the true outputs.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int, real
from rnn_core.data import as_numeric
from rnn_core.layers.base import shape_text
from rnn_core.layers.jordan_cell import JordanCell
from rnn_core.layers.rnn import RNN
from rnn_core.layers.rnn_record import RNNRecord

Array = NDArray[Any]


class JordanRNNRecord(RNNRecord):
    """What :class:`JordanRNN` computes for one batch.

    Attributes
    ----------
    has_targets : bool
        Whether true outputs came in, used or not.
    targets : ndarray, shape (T, B, O), or None
        Those that were fed back, in processing order; None in closed loop.
    """

    steps: list[Any]
    has_targets = False
    targets: Array | None = None


class JordanRNN(RNN):
    r"""Jordan's recurrent layer: the output is fed back, through decaying context units.

    ::

        h_t = act(x_t K + c_t U + b)          y_t = out_act(h_t V + b_y)
        c_t = decay * c_(t-1) + y_(t-1)       c_0 = initial state, or 0

    Called on ``x`` the layer runs in closed loop: its own outputs come back, and so do gradients through them. Called
    on ``[x, y_true]`` it is trained with teacher forcing: the true outputs (batch, timesteps, output_units) come back
    instead, shifted by one step inside, and no gradient passes from the context to the outputs. Outside training, so in
    ``predict`` and ``evaluate``, the second input is ignored and the loop is closed::

        x, y_true = Input((20, 1)), Input((20, 2))
        jordan = JordanRNN(16, 2, return_sequences=True)
        trained = Model([x, y_true], jordan([x, y_true]))
        trained.fit([data, targets], targets)
        generator = Model(x, jordan(x))         # the same weights, without the second input

    The targets come in as an input because a layer sees no targets; so they are batched and shuffled with x, whatever
    the graph around. Calling the layer once more on x alone is all that it takes to predict without them.

    Parameters
    ----------
    units : int
        H, hidden units.
    output_units : int
        O, the width of the output and of the context.
    activation, output_activation, decay, use_bias
        As for :class:`JordanCell`, and so are initializers, regularizers and constraints.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As for :class:`RNN`. The state is the context (batch, O) that the next step would see.
    **kwargs
        As for every layer: name, dtype, trainable, input_shape.

    Attributes
    ----------
    cell : JordanCell
        With the weights ``kernel`` K (F, H), ``recurrent_kernel`` U (O, H), ``bias`` (H,), ``output_kernel`` V (H, O)
        and ``output_bias`` (O,).

    Raises
    ------
    ValueError
        For bad settings, and for true outputs that are not (batch, timesteps of x, output_units).

    Notes
    -----
    The validation loss of ``fit`` is that of the closed loop, while the training loss is that of teacher forcing. A
    masked step carries the context over.

    M. I. Jordan, "Attractor dynamics and parallelism in a connectionist sequential machine", Proceedings of the Eighth
    Annual Conference of the Cognitive Science Society (1986), 531-546. Teacher forcing: R. J. Williams and D. Zipser,
    "A learning algorithm for continually running fully recurrent neural networks", Neural Computation 1 (1989),
    270-280.

    Examples
    --------
    >>> ones = dict(kernel_initializer="ones", recurrent_initializer="ones", output_initializer="ones")
    >>> layer = JordanRNN(1, 1, activation=None, return_sequences=True, **ones)
    >>> x, y_true = np.ones((1, 3, 1)), np.full((1, 3, 1), 10.0)
    >>> layer(x).ravel(), layer([x, y_true], training=True).ravel()
    (array([1., 2., 3.], dtype=float32), array([ 1., 11., 11.], dtype=float32))
    """

    record_type: ClassVar[type[RNNRecord]] = JordanRNNRecord

    cell: JordanCell

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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__  # the cell would name itself
        cell = JordanCell(
            positive_int(owner, "units", units),
            positive_int(owner, "output_units", output_units),
            activation,
            output_activation,
            real(owner, "decay", decay, 0, 1),
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            output_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            output_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            output_constraint,
            bias_constraint,
            dtype=kwargs.get("dtype"),
        )
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, **kwargs
        )

    # With teacher forcing the inputs are a list: x, the true outputs, and in a graph perhaps an initial state.

    def input_shape_of(self, shape: Any) -> Any:
        """Return the shape of x alone, where those of true outputs and of a state come along."""
        if not isinstance(shape, list):
            return shape
        x, *others = shape
        if others and len(others[0]) == 3:
            targets = others.pop(0)
            fits = targets[2] == self.cell.output_units and all(
                None in sizes or sizes[0] == sizes[1] for sizes in zip(x[:2], targets[:2], strict=True)
            )
            if not fits:
                raise ValueError(
                    f"JordanRNN {self.name!r}: the true outputs, its second input, must have shape (batch, timesteps, "
                    f"{self.cell.output_units}) with the timesteps of the first, {shape_text(x)}; got "
                    f"{shape_text(targets)}."
                )
        return super().input_shape_of([x, *others])

    def convert(self, inputs: Any) -> Any:
        """Return x as an array, or x and the true outputs as a list of two."""
        owner = f"JordanRNN {self.name!r}"
        label = f"{owner}: inputs"
        if not isinstance(inputs, (list, tuple)) or not inputs or as_numeric(label, inputs[0]).ndim != 3:
            return super().convert(inputs)
        if len(inputs) != 2:
            shapes = [str(as_numeric(label, part).shape) for part in inputs[:3]] + ["..."] * (len(inputs) > 3)
            plural = "s" * (len(inputs) > 1)
            raise ValueError(
                f"{owner} expects x, (batch, timesteps, features), or [x, y_true], y_true (batch, timesteps, "
                f"{self.cell.output_units}), with an initial state as initial_state=; got {len(inputs)} array{plural} "
                f"of shape{plural} {', '.join(shapes)}."
            )
        arrays = [as_numeric(label, part).astype(self.dtype, copy=False) for part in inputs]
        self.ensure_built([array.shape for array in arrays])
        return arrays

    def forward(self, r: Any, x: Any, training: bool = False) -> Any:
        """Run the cell over time, with the true outputs fed back where they are given and `training`."""
        r.has_targets, r.targets = isinstance(x, list) and len(x) > 1 and x[1].ndim == 3, None
        if r.has_targets:
            x, targets = [x[0], *x[2:]], x[1]
            if training:
                r.targets = self._in_order(targets.transpose(1, 0, 2))
        for t, step in enumerate(r.steps):
            step.target = None if r.targets is None else r.targets[t]
        return super().forward(r, x, training)

    def backward(self, r: Any, d_output: Any) -> Any:
        """As RNN; the gradient of a true output is that of the context it went into."""
        d_inputs = super().backward(r, d_output)
        if not r.has_targets:
            return d_inputs
        d_targets = None
        if r.targets is not None and r.needs_d_input:
            d_targets = self._in_order(np.array([step.d_target for step in r.steps])).transpose(1, 0, 2)
        return [d_inputs[0], d_targets, *d_inputs[1:]]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from what :meth:`get_config` returned."""
        return cls(**config)
