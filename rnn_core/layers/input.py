"""The shape of a model's input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from rnn_core.checks import positive_int
from rnn_core.graph import Call, Symbol
from rnn_core.layers.base import InputShape, Layer
from rnn_core.unsupported import refuse_arguments


class InputLayer(Layer):
    """The shape and dtype of a model's input; it computes nothing.

    Attributes
    ----------
    batch_shape : tuple of int or None
        (batch, ...); None stands for any size.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        batch_shape: Sequence[int | None] | None = None,
    ) -> None:
        if (shape is None) == (batch_shape is None):
            raise ValueError(f"Input needs shape or batch_shape, one of the two; got {shape!r} and {batch_shape!r}.")
        if shape is not None:
            if not isinstance(shape, (tuple, list)):
                raise TypeError(f"Input: shape must be a tuple of sizes without the batch, got {shape!r}.")
            batch_shape = (batch_size, *shape)
        elif batch_size is not None:
            raise ValueError("Input: batch_size goes with shape, not with batch_shape.")
        assert batch_shape is not None
        whole = _integer_dtype(dtype)
        super().__init__(name=name, dtype=None if whole else dtype)
        self.dtype = whole or self.dtype
        self.batch_shape: InputShape = tuple(
            None if size is None else positive_int("Input", "every size in shape", size) for size in batch_shape
        )
        self.input_shape = self.output_shape = self.batch_shape
        self.built = True

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make it from a config of this engine or of Keras, whose sparse, ragged and optional inputs are refused."""
        config = dict(config)
        for name in _UNUSED:
            if config.pop(name, False):
                raise ValueError(f"Input: {name}=True is not supported.")
        return cls(**config)

    @property
    def symbol(self) -> Symbol:
        """The symbol that stands for the input."""
        call = self.calls[0] if self.calls else Call(self, ())
        return call.outputs[0]

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Refuse: an input is where a graph begins."""
        raise TypeError(f"InputLayer {self.name!r} can't be called: it is where a graph begins, not a step in it.")

    @property
    def shape(self) -> InputShape:
        """The same as `batch_shape`."""
        return self.batch_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"batch_shape": self.batch_shape, "dtype": self.dtype, "name": self.name}

    def __repr__(self) -> str:
        return f"<Input name={self.name}, shape={self.batch_shape}, dtype={self.dtype}>"


_UNUSED = ("sparse", "ragged", "optional", "tensor")  # Keras' arguments that nothing here can serve


def _integer_dtype(dtype: Any) -> str | None:
    """Return the name of an integer dtype, None for anything else."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        return None
    return name if name.startswith(("int", "uint")) else None


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
    **unsupported: Any,
) -> Symbol:
    """State the shape of a model's input: the first entry of a Sequential model, or what layers are called on.

    Parameters
    ----------
    shape : tuple of int or None
        Without the batch: ``(timesteps, features)``; None stands for any size.
    batch_size : int, optional
        A fixed batch size; stateful layers need one.
    dtype : {"float32", "float64", "int32", ...}, optional
        Integers say what goes in, the input of an :class:`Embedding`; the engine computes in the layers' float dtype.
    name : str, optional
    batch_shape : tuple of int or None
        Instead of `shape` and `batch_size`.
    **unsupported
        Keras' sparse, ragged, optional and tensor: what a script may say of them is that it does not use them.

    Raises
    ------
    ValueError
        For both or neither of `shape` and `batch_shape`, and for sizes that are not whole numbers above 0.

    Examples
    --------
    >>> Input(shape=(1, 4), name="window")
    <Symbol shape=(None, 1, 4), dtype=float32, name=window>
    """
    used = {
        key: value for key, value in unsupported.items() if key not in _UNUSED or not (value is None or value is False)
    }
    refuse_arguments("Input", used)
    return InputLayer(shape, batch_size, dtype, name, batch_shape).symbol
