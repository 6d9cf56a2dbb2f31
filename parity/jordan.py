"""Jordan's network in Keras: a cell and a layer of the same definition as those of ``rnn_core.layers``.

Keras has none, so these are the reference that the engine's Jordan network is held against: Keras' own loop over time
and the backend's gradients, from the formulas alone::

    h_t = act(x_t K + c_t U + b)     y_t = out_act(h_t V + b_y)     c_(t+1) = decay * c_t + (y_t, or the true output)

They are registered with Keras: a model that has them is saved and loaded like any other, once this file is imported.
"""

from __future__ import annotations

from typing import Any

from parity.backend import require_keras

keras = require_keras()  # the classes below are two of its layers


@keras.saving.register_keras_serializable("rnn_core")  # type: ignore[untyped-decorator,unused-ignore]
class JordanCell(keras.layers.Layer):  # type: ignore[misc,name-defined]  # Keras has no types
    """One step; where its input is x_t with the true output y*_t behind it, that is fed back.

    Parameters
    ----------
    units, output_units, activation, output_activation, decay, use_bias, ...
        As for :class:`rnn_core.layers.JordanCell`.
    """

    def __init__(
        self,
        units: int,
        output_units: int,
        activation: Any = "tanh",
        output_activation: Any = None,
        decay: float = 0.0,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        defaults = {"kernel": "glorot_uniform", "recurrent": "orthogonal", "output": "glorot_uniform", "bias": "zeros"}
        kinds = {kind: getattr(keras, f"{kind}s") for kind in ("initializer", "regularizer", "constraint")}
        given = {
            f"{weight}_{kind}": module.get(kwargs.pop(f"{weight}_{kind}", default if kind == "initializer" else None))
            for weight, default in defaults.items()
            for kind, module in kinds.items()
        }
        super().__init__(**kwargs)
        self.units, self.output_units, self.decay, self.use_bias = units, output_units, decay, use_bias
        self.activation = keras.activations.get(activation)
        self.output_activation = keras.activations.get(output_activation)
        self.objects = tuple(given)
        for name, thing in given.items():
            setattr(self, name, thing)
        self.state_size, self.output_size = output_units, output_units

    def build(self, input_shape: Any) -> None:
        """Add K, U, b, V and b_y."""
        hidden, output = self.units, self.output_units
        self.kernel = self._weight("kernel", (input_shape[-1], hidden), "kernel")
        self.recurrent_kernel = self._weight("recurrent_kernel", (output, hidden), "recurrent")
        self.bias = self._weight("bias", (hidden,), "bias") if self.use_bias else 0
        self.output_kernel = self._weight("output_kernel", (hidden, output), "output")
        self.output_bias = self._weight("output_bias", (output,), "bias") if self.use_bias else 0

    def _weight(self, name: str, shape: tuple[int, ...], which: str) -> Any:
        kinds = {kind: getattr(self, f"{which}_{kind}") for kind in ("initializer", "regularizer", "constraint")}
        return self.add_weight(shape=shape, name=name, **kinds)

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Return ``(y, [c'])``."""
        (c,) = states
        features = self.kernel.shape[0]
        x, target = inputs[:, :features], inputs[:, features:]
        h = self.activation(x @ self.kernel + c @ self.recurrent_kernel + self.bias)
        y = self.output_activation(h @ self.output_kernel + self.output_bias)
        return y, [self.decay * c + (target if inputs.shape[-1] > features else y)]

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Return zeros, in a list: without that a stack of cells on JAX takes the state of its first for its output."""
        return [keras.ops.zeros((batch_size, self.state_size), dtype=self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("units", "output_units", "decay", "use_bias")
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}}
        for name in ("activation", "output_activation"):
            config[name] = keras.activations.serialize(getattr(self, name))
        for name in self.objects:
            module = getattr(keras, f"{name.rsplit('_', 1)[1]}s")
            config[name] = module.serialize(getattr(self, name))
        return config


@keras.saving.register_keras_serializable("rnn_core")  # type: ignore[untyped-decorator,unused-ignore]
class JordanRNN(keras.layers.RNN):  # type: ignore[misc,name-defined]
    """The cell over time; called on ``[x, y_true]`` it feeds the true outputs back in training.

    Parameters
    ----------
    cell : JordanCell
    **kwargs
        As for ``keras.layers.RNN``.
    """

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell for x alone."""
        super().build(_first(sequences_shape), initial_state_shape)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Return the shapes of the output and, with return_state, of the context."""
        return super().compute_output_shape(_first(sequences_shape), initial_state_shape)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Run the cell over x, with the true outputs behind it where they are given and `training`."""
        if isinstance(sequences, (list, tuple)):
            x, y_true = sequences
            sequences = keras.ops.concatenate([x, y_true], axis=-1) if training else x
            mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)


def _first(shape: Any) -> Any:
    """Return the shape of x, also where that of the true outputs comes along."""
    return shape[0] if isinstance(shape[0], (list, tuple)) else shape
