"""The fully connected layer."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core import activations, constraints, initializers, regularizers
from rnn_core.checks import positive_int
from rnn_core.layers.base import InputShape, Layer, Shape
from rnn_core.records import Record, batch_array
from rnn_core.weights import weight

Array = NDArray[Any]


class DenseRecord(Record):
    """What :class:`Dense` computes for one batch.

    The products see sequences as rows, the others as they are: ``x_rows`` (N, features) is the same memory as ``x``,
    with N = batch, or timesteps * batch (time-major) for sequences.

    Attributes
    ----------
    x : ndarray, shape (batch, [timesteps,] features)
        The inputs; in ``x_and_one`` with a column of ones behind them, so that the bias is a row of the kernel.
    preactivation, output : ndarray, shape (batch, [timesteps,] units)
        One array where the derivative of the activation is written in its output (relu, tanh, sigmoid, ...), unless
        :meth:`keep_logits` was called.
    saved : ndarray, shape (batch, [timesteps,] units)
        One of the two: what the activation's derivative is written in.
    d_preactivation : ndarray, shape (batch, [timesteps,] units)
    d_kernel, d_bias : ndarray
        Views into the model's vector of gradients.
    d_input : ndarray, shape (batch, [timesteps,] features)
    """

    def __init__(self, layer: Dense, shape: Shape, d_vector: Array | None) -> None:
        features, units, dtype = shape[-1], layer.units, layer.dtype
        self.is_linear = isinstance(layer.activation, activations.Linear)
        self.is_handed_da = self.is_linear
        self.is_sequence = len(shape) == 3
        width = features + layer.use_bias
        outputs = (*shape[:-1], units)
        self.x_and_one, self.x_rows = _with_rows((*shape[:-1], width), dtype)
        self.x_and_one.fill(1)
        self.x = self.x_and_one[..., :features]
        self.x_transposed = self.x_rows.T
        self.preactivation, self.preactivation_rows = _with_rows(outputs, dtype)
        self.output = self.preactivation
        if layer.activation.needs == "input":
            self.output = batch_array(outputs, dtype)
        self.saved = self.output if layer.activation.needs == "output" else self.preactivation
        if d_vector is not None:
            d_weights = layer.views(d_vector)
            self.d_affine = d_vector.reshape(width, units)
            self.d_kernel = d_weights["kernel"]
            self.d_bias = d_weights.get("bias")
            self.d_preactivation, self.d_rows = _with_rows(outputs, dtype)
            self.scratch = batch_array(outputs, dtype)
            self.d_input, self.d_input_rows = _with_rows(shape, dtype)

    def keep_logits(self) -> Array:
        """Return the array of pre-activations: the loss is taken of them, and so ``backward`` is handed da, not dy."""
        self.is_handed_da = True
        output = batch_array(self.output.shape, self.output.dtype)
        if self.saved is self.output:
            self.saved = output
        self.output = output
        return self.preactivation


def _with_rows(shape: Shape, dtype: Any) -> tuple[Array, Array]:
    """Return an array for a batch and the same memory as rows (batch or timesteps * batch, last size)."""
    array = batch_array(shape, dtype)
    in_memory = array.transpose(1, 0, 2) if len(shape) == 3 else array
    return array, in_memory.reshape(-1, shape[-1])


class Dense(Layer):
    r"""A fully connected layer, applied to the last axis.

    ::

        a = x K + b = [x, 1] [K; b]      y = act(a)

    and backwards, d standing for the gradient of the loss::

        da = dy * act'(a)      [dK; db] = [x, 1]ᵀ da      dx = da Kᵀ

    Parameters
    ----------
    units : int
    activation : str, dict or Activation, optional
        None: ``y = a``.
    use_bias : bool
    kernel_initializer, bias_initializer : str, dict or Initializer
    kernel_regularizer, bias_regularizer, activity_regularizer : str, dict or Regularizer, optional
    kernel_constraint, bias_constraint : str, dict or Constraint, optional
    **kwargs
        As for every layer: name, dtype, trainable, input_shape, input_dim.

    Attributes
    ----------
    kernel : ndarray, shape (features, units)
    bias : ndarray, shape (units,)
        Only with `use_bias`.

    Raises
    ------
    ValueError
        For units that are not a whole number above 0, and for inputs that are not (batch, features) or
        (batch, timesteps, features).

    Notes
    -----
    As ``keras.layers.Dense`` (``keras/src/layers/core/dense.py``).

    Examples
    --------
    >>> layer = Dense(2, kernel_initializer="ones")
    >>> layer(np.array([[1.0, 2.0, 3.0]]))
    array([[6., 6.]], dtype=float32)
    """

    ranks: ClassVar[tuple[int, ...]] = (2, 3)
    input_layout: ClassVar[str] = "(batch, features) or (batch, timesteps, features)"

    kernel: Array = weight()
    bias: Array = weight()
    affine: Array
    """Kernel and bias as one matrix, shape (features + 1, units); the kernel alone without bias."""

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int(type(self).__name__, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: InputShape) -> None:
        """State the weights."""
        features = self.features_of(input_shape)
        self.add_weight(
            "kernel", (features, self.units), self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        )
        if self.use_bias:
            self.add_weight("bias", (self.units,), self.bias_initializer, self.bias_regularizer, self.bias_constraint)

    def compute_output_shape(self, input_shape: InputShape) -> InputShape:
        """Return (batch, [timesteps,] units)."""
        return (*input_shape[:-1], self.units)

    def bind(self, vector: Array) -> None:
        """Make `vector` the home of the weights: kernel and, under it, bias are together one matrix."""
        super().bind(vector)
        self.affine = vector.reshape(-1, self.units)
        self.kernel_transposed = self.kernel.T

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> DenseRecord:
        """Allocate the arrays for inputs of `shape`."""
        return DenseRecord(self, shape, d_vector)

    def forward(self, r: DenseRecord, x: Array, training: bool = False) -> Array:
        """a = [x, 1] [K; b];  y = act(a)"""
        r.output_mask = r.mask
        r.x[...] = x
        r.x_rows.dot(self.affine, r.preactivation_rows)
        if not r.is_linear:
            self.activation.forward(r.preactivation, r.output)
        return r.output

    def backward(self, r: DenseRecord, d_output: Array) -> Array | None:
        """da = dy * act'(a);  [dK; db] = [x, 1]ᵀ da;  dx = da Kᵀ"""
        da = r.d_rows
        if not r.is_handed_da:
            self.activation.backward(r.saved, d_output, r.d_preactivation, r.scratch)
        elif r.is_sequence:
            np.copyto(r.d_preactivation, d_output)
        else:
            da = d_output
        r.x_transposed.dot(da, r.d_affine)
        if not r.needs_d_input:
            return None
        da.dot(self.kernel_transposed, r.d_input_rows)
        return r.d_input

    def through_activation(self, r: DenseRecord, d_output: Array) -> Array:
        """da = dy * act'(a)"""
        self.activation.backward(r.saved, d_output, r.d_preactivation, r.scratch)
        return r.d_preactivation

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from a config of this engine or of Keras, which also says that nothing is quantized."""
        unset = {"quantization_config"} if config.get("quantization_config") is None else set()
        return cls(**{name: value for name, value in config.items() if name not in unset})

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
