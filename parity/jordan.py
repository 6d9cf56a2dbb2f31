"""Jordan's network in Keras: a cell and a layer of the same definition as ``rnn_core.layers.JordanRNN``.

Keras has none, so these are the reference that the engine's Jordan network is held against: Keras' own loop over time
and TensorFlow's gradients, from the formulas alone::

    h_t = act(x_t K + c_t U + b)     y_t = out_act(h_t V + b_y)     c_(t+1) = decay * c_t + (y_t, or the true output)
"""

from __future__ import annotations

from typing import Any

from parity.backend import require_keras
from rnn_core import activations
from rnn_core.layers import JordanRNN

keras = require_keras()  # the cell below is one of its layers


class KerasJordanCell(keras.layers.Layer):  # type: ignore[misc,name-defined]  # Keras has no types
    """One step; with `forced` its input is x_t with the true output y*_t behind it, which is fed back.

    Parameters
    ----------
    units, output_units : int
    activation, output_activation : str, dict or None
    decay : float
    use_bias : bool
    forced : bool
    """

    def __init__(
        self,
        units: int,
        output_units: int,
        activation: Any = "tanh",
        output_activation: Any = None,
        decay: float = 0.0,
        use_bias: bool = True,
        forced: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.output_units, self.decay = units, output_units, decay
        self.activation = keras.activations.get(activation)
        self.output_activation = keras.activations.get(output_activation)
        self.use_bias, self.forced = use_bias, forced
        self.state_size, self.output_size = output_units, output_units

    def build(self, input_shape: Any) -> None:
        """Add K, U, b, V and b_y."""
        hidden, output = self.units, self.output_units
        features = input_shape[-1] - (output if self.forced else 0)
        self.kernel = self.add_weight(shape=(features, hidden), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(output, hidden), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(hidden,), name="bias") if self.use_bias else 0
        self.output_kernel = self.add_weight(shape=(hidden, output), name="output_kernel")
        self.output_bias = self.add_weight(shape=(output,), name="output_bias") if self.use_bias else 0

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Return ``(y, [c'])``."""
        (c,) = states
        x, target = inputs, None
        if self.forced:
            x, target = inputs[:, : -self.output_units], inputs[:, -self.output_units :]
        h = self.activation(x @ self.kernel + c @ self.recurrent_kernel + self.bias)
        y = self.output_activation(h @ self.output_kernel + self.output_bias)
        return y, [self.decay * c + (y if target is None else target)]


def to_keras(layer: JordanRNN, forced: bool = False) -> Any:
    """Return a Keras layer that computes what `layer` does, with copies of its weights.

    Parameters
    ----------
    layer : JordanRNN
        Built.
    forced : bool
        Teacher forcing: the Keras layer takes x and the true outputs joined along the features.
    """
    if not layer.built:
        raise ValueError(f"JordanRNN {layer.name!r} has no weights yet: it is not built.")
    cell = layer.cell
    theirs = KerasJordanCell(
        cell.units,
        cell.output_units,
        activations.serialize(cell.activation),
        activations.serialize(cell.output_activation),
        cell.decay,
        cell.use_bias,
        forced,
        dtype=layer.dtype,
    )
    flags = ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")
    made = keras.layers.RNN(theirs, **{name: getattr(layer, name) for name in flags}, dtype=layer.dtype)
    features = cell.kernel.shape[0]
    made.build((None, None, features + (cell.output_units if forced else 0)))
    made.set_weights(layer.get_weights())
    return made
