"""Whole numbers to vectors: one row of a table for each."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_core import constraints, initializers, regularizers
from rnn_core.checks import positive_int
from rnn_core.layers.base import InputShape, Layer, Shape, shape_text
from rnn_core.records import Record
from rnn_core.weights import weight

Array = NDArray[Any]


class EmbeddingRecord(Record):
    """What :class:`Embedding` computes for one batch.

    Attributes
    ----------
    indices : ndarray of int, shape of the input
    output : ndarray, shape (batch, ..., output_dim)
        Both lie with the batch axis second in memory, as sequences do.
    d_embeddings : ndarray, shape (input_dim, output_dim)
        A view into the model's vector of gradients.
    d_input : ndarray, shape of the input
        Zero, made when it is asked for.
    """

    def __init__(self, layer: Embedding, shape: Shape, d_vector: Array | None) -> None:
        swap = len(shape) > 1
        stored = (shape[1], shape[0], *shape[2:]) if swap else shape
        self.stored_indices = np.empty(stored, np.intp)  # (T, B), ...
        self.stored_output = np.empty((*stored, layer.output_dim), layer.dtype)  # (T, B, ..., output_dim)
        self.indices = self.stored_indices.swapaxes(0, 1) if swap else self.stored_indices
        self.output = self.stored_output.swapaxes(0, 1) if swap else self.stored_output
        self.d_embeddings = None if d_vector is None else layer.views(d_vector)["embeddings"]
        self.d_input: Array | None = None


class Embedding(Layer):
    """A learned vector for each of the numbers 0, 1, ..., input_dim - 1.

    ::

        y[b, t] = E[x[b, t]]        dE[k] = sum of dy[b, t] over all b, t where x[b, t] = k

    It is a Dense layer without bias on one-hot vectors, without making them.

    Parameters
    ----------
    input_dim : int
        How many numbers there are: the largest, plus 1.
    output_dim : int
        The length of the vectors.
    embeddings_initializer : str, dict or Initializer
    embeddings_regularizer : str, dict or Regularizer, optional
    embeddings_constraint : str, dict or Constraint, optional
    mask_zero : bool
        Whether 0 stands for a missing time step: the layers after it are told, as by :class:`Masking`.
    **kwargs
        As for every layer.

    Attributes
    ----------
    embeddings : ndarray, shape (input_dim, output_dim)
        E.

    Raises
    ------
    ValueError
        For bad settings, and for inputs that are not whole numbers from 0 to input_dim - 1.

    Notes
    -----
    As ``keras.layers.Embedding`` (``keras/src/layers/core/embedding.py``), without its initial weights as an argument,
    lora and quantization. Indices come in the engine's one dtype, as floats: float32 tells whole numbers up to 2**24
    apart, and a larger `input_dim` is refused for it.

    Examples
    --------
    >>> layer = Embedding(3, 2, name="words")
    >>> layer([[0, 2, 2]]).shape
    (1, 3, 2)
    >>> layer([[0, 3]])
    Traceback (most recent call last):
        ...
    ValueError: Embedding 'words' expects whole numbers from 0 to 2, got 3.0 at index (0, 1).
    """

    makes_mask: ClassVar[bool] = True
    input_layout: ClassVar[str] = "(batch, timesteps)"

    embeddings: Array = weight()

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        for name in ("weights", "lora_rank", "lora_alpha", "quantization_config"):
            if kwargs.pop(name, None) is not None:
                advice = ": build the layer and call set_weights" if name == "weights" else ""
                raise ValueError(f"Embedding: {name} is not supported{advice}.")
        if kwargs.pop("input_length", None) is not None:
            import warnings

            warnings.warn("Embedding: input_length is deprecated in Keras and has no effect; remove it.", stacklevel=2)
        super().__init__(**kwargs)
        self.input_dim = positive_int("Embedding", "input_dim", input_dim)
        self.output_dim = positive_int("Embedding", "output_dim", output_dim)
        largest = 2 ** (np.finfo(self.dtype).nmant + 1)
        if self.input_dim > largest:
            raise ValueError(
                f"Embedding: input_dim must be at most {largest}, up to which {self.dtype} tells whole numbers apart, "
                f"got {input_dim}."
            )
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)

    def check_input_shape(self, shape: InputShape) -> None:
        """Raise ValueError for an empty axis; all other shapes are fine, whatever shape it was built for."""
        if 0 in shape[1:]:
            raise ValueError(f"Embedding {self.name!r} expects {self.input_layout}, got {shape_text(shape)}.")

    def build(self, input_shape: InputShape) -> None:
        """State the table."""
        shape = (self.input_dim, self.output_dim)
        settings = self.embeddings_initializer, self.embeddings_regularizer, self.embeddings_constraint
        self.add_weight("embeddings", shape, *settings)

    def compute_output_shape(self, input_shape: InputShape) -> InputShape:
        """Return the shape of the input with output_dim behind it."""
        return (*input_shape, self.output_dim)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Array | None:
        """Return which of the inputs are not 0 with `mask_zero`, else None."""
        return np.asarray(inputs) != 0 if self.mask_zero else None

    def new_record(self, shape: Shape, d_vector: Array | None = None) -> EmbeddingRecord:
        """Allocate the arrays for inputs of `shape`."""
        return EmbeddingRecord(self, shape, d_vector)

    def forward(self, r: EmbeddingRecord, x: Array, training: bool = False) -> Array:
        """y[b, t] = E[x[b, t]]"""
        with np.errstate(invalid="ignore"):  # NaN is found below
            np.copyto(r.indices, x, casting="unsafe")
        if r.indices.min() < 0 or r.indices.max() >= self.input_dim or (r.indices != x).any():
            raise self._not_an_index(x)
        r.output_mask = self.compute_mask(x)
        self.embeddings.take(r.stored_indices, axis=0, out=r.stored_output, mode="clip")  # "raise" would copy first
        return r.output

    def backward(self, r: EmbeddingRecord, d_output: Array) -> Array | None:
        """dE[k] = sum of dy where x = k"""
        swap = d_output.ndim > 2
        rows = (d_output.swapaxes(0, 1) if swap else d_output).reshape(-1, self.output_dim)  # as stored_indices
        if r.d_embeddings is not None:
            add_rows(r.d_embeddings, r.stored_indices.ravel(), rows)
        if not r.needs_d_input:
            return None
        if r.d_input is None:
            r.d_input = np.zeros(r.indices.shape, self.dtype)
        return r.d_input

    def _not_an_index(self, x: Array) -> ValueError:
        place = tuple(int(i) for i in np.argwhere(~((x >= 0) & (x < self.input_dim) & (x == np.trunc(x))))[0])
        return ValueError(
            f"Embedding {self.name!r} expects whole numbers from 0 to {self.input_dim - 1}, got {x[place]} at index "
            f"{place if len(place) > 1 else place[0]}."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }


def add_rows(table: Array, indices: Array, rows: Array) -> None:
    """Set ``table[k]`` to the sum of all ``rows[i]`` with ``indices[i] = k``, and to 0 where there are none.

    Rows of one index are brought side by side by sorting, and summed in one pass.

    Examples
    --------
    >>> table = np.empty((3, 1))
    >>> add_rows(table, np.array([2, 0, 2]), np.array([[1.0], [2.0], [4.0]]))
    >>> table.ravel()
    array([2., 0., 5.])
    """
    order = indices.argsort(kind="stable")
    ordered = indices[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))  # where a new index begins
    table.fill(0)
    table[ordered[starts]] = np.add.reduceat(rows[order], starts, axis=0)
