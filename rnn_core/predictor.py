"""``predict``, and what it needs: inputs that fit the model, and records that no two threads share."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.blas import single_thread
from rnn_core.checks import positive_int
from rnn_core.data import all_finite, as_input
from rnn_core.layers.base import InputShape, Layer
from rnn_core.lazy import LazyArray
from rnn_core.passes import Pass

Array = NDArray[Any]

_PREDICT_FLOATS = 1 << 17
"""Predictions are made in chunks whose hidden states take about this many floats: they stay in the cache."""

_SLOW_SECONDS = 1.0
"""``predict`` shows progress only after this long, unless told."""


class Predictor:
    """The part of a model that is asked for predictions."""

    name: str
    layers: list[Layer]
    built: bool
    dtype: str
    vector: Array
    input_shape: InputShape | None
    output_shape: InputShape

    def __init__(self) -> None:
        self._free_passes: dict[tuple[int, ...], list[Pass]] = {}

    # What the model provides.

    def build(self, input_shape: InputShape) -> None:
        """Build the layers."""
        raise NotImplementedError

    def parts(self, vector: Array) -> list[Array]:
        """Cut a vector laid out like the weights into one part for each layer."""
        raise NotImplementedError

    @property
    def d_vector(self) -> Array:
        """The gradients of all weights."""
        raise NotImplementedError

    def follow_layers(self) -> None:
        """Find the weights again after layers moved to a new vector."""
        raise NotImplementedError

    def constrain(self) -> None:
        """Apply the constraints to the weights."""
        raise NotImplementedError

    def new_pass(self, shape: tuple[int, ...], training: bool = False, needs_d_input: bool = False) -> Pass:
        """Return fresh records for inputs of `shape`."""
        raise NotImplementedError

    # Data on its way in.

    def checked_input(self, x: Any, name: str = "x") -> Array:
        """Return inputs as an array that fits the model, which is built for it if it was not."""
        if (
            type(x) is np.ndarray  # the short way for an array that is as it should be already
            and self.built
            and x.dtype == self.dtype
            and x.ndim == len(self.input_shape or ())
            and len(x)
            and x.flags.c_contiguous
            and all_finite(x)
        ):
            array = x
        else:
            if not self.layers:
                raise ValueError(f"Model {self.name!r} has no layers.")
            shape = self.input_shape if self.built else self.layers[0].first_input_shape
            array = as_input(name, x, shape, self.layers[0].dtype)
            if not self.built:
                self.build((None, *array.shape[1:]))
        expected = self.input_shape
        assert expected is not None
        if array.shape[1:] != expected[1:] or (expected[0] is not None and len(array) < expected[0]):
            self._check_shape(name, array.shape)
        return array

    def _check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Let the layers check a shape that is not the one that the model was built for."""
        expected = self.input_shape
        assert expected is not None
        fits = len(shape) == len(expected) and all(
            e is None or e == n for e, n in zip(expected[1:], shape[1:], strict=True)
        )
        current: Any = shape
        try:
            for layer in self.layers:
                layer.check_input_shape(current)
                current = layer.compute_output_shape(current)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if not fits:
            raise ValueError(f"{name}: model {self.name!r} expects {_text(expected)}, got {_text(shape)}.")

    def _output_shape_for(self, shape: Any) -> Any:
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def _checked_batch_size(self, batch_size: Any, samples: int, name: str = "batch_size") -> int:
        """Return a batch size that fits: a stateful model needs its own, and whole batches."""
        fixed = self.input_shape[0] if self.input_shape is not None else None
        if batch_size is None:
            batch_size = fixed or 32
        size = positive_int(f"Model {self.name!r}", name, batch_size)
        if any(getattr(layer, "stateful", False) for layer in self.layers) and (size != fixed or samples % size):
            raise ValueError(
                f"Model {self.name!r} is stateful with batches of {fixed}: {name} must be {fixed} and the number of "
                f"samples a multiple of it, got {size} and {samples}."
            )
        return size

    # Predictions.

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: None = None,
        callbacks: Any = None,
    ) -> Array:
        """Return the outputs for `x`.

        Several threads may predict with one model at the same time.

        Parameters
        ----------
        x : array_like, shape (samples, ...), or Windows
        batch_size : int, optional
            How many samples are computed together. It changes speed and memory, not results beyond rounding; by
            default as many as stay in the processor's cache.
        verbose : {"auto", 0, 1, 2}
            "auto" shows progress only where it takes more than a second.
        steps : None
            Not supported.
        callbacks : list of Callback, optional

        Returns
        -------
        ndarray, shape (samples, ...)
        """
        if steps is not None:
            raise ValueError(f"predict: steps is not supported, all of the data is used; got {steps!r}.")
        x = self.checked_input(x)
        samples = len(x)
        if batch_size is None and samples == 1 and callbacks is None:  # nothing to cut up
            rows = 1 if self.input_shape is None or self.input_shape[0] is None else self.input_shape[0]
        elif batch_size is None:
            rows = self._predict_rows(x)
        else:
            rows = self._checked_batch_size(batch_size, samples)
        if rows >= samples and callbacks is None and verbose in ("auto", 0):
            with single_thread:
                return self._predict_batch(np.asarray(x))
        return self._predict_in_chunks(x, rows, verbose, callbacks)

    def _predict_rows(self, x: Array) -> int:
        """Return how many rows to predict together: what keeps the widest layer's hidden states in the cache."""
        if self.input_shape is not None and self.input_shape[0] is not None:
            return self._checked_batch_size(None, len(x))
        shape: Any = (1, *x.shape[1:])
        widest = math.prod(shape)
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
            widest = max(widest, math.prod(shape), getattr(layer, "units", 1) * (x.shape[1] if x.ndim == 3 else 1))
        return max(32, _PREDICT_FLOATS // int(widest))

    def _predict_batch(self, x: Array) -> Array:
        """Predict one batch with free records of its shape, or new ones: no two threads ever have the same."""
        free = self._free_passes.setdefault(x.shape, [])
        try:
            one = free.pop()  # taking from and adding to a list is atomic
        except IndexError:
            one = self.new_pass(x.shape)
        output = one.forward(x).copy(order="C")
        if len(free) < 8:
            free.append(one)
        if len(self._free_passes) > 16:  # ever new shapes: start anew, rather than keep records for all
            self._free_passes = {}
        return output

    def _predict_in_chunks(self, x: Array | LazyArray, rows: int, verbose: int | str, callbacks: Any) -> Array:
        from rnn_core.callbacks import CallbackList
        from rnn_core.progress import Progbar

        chunks = -(-len(x) // rows)
        show = 0 if verbose == "auto" else verbosity(verbose)
        calls = CallbackList(callbacks, add_progbar=show != 0, model=self, verbose=show, epochs=1, steps=chunks)
        bar: Progbar | None = None
        output: Array | None = None
        began = time.monotonic()
        calls.on_predict_begin()
        with single_thread:
            for i in range(chunks):
                if calls.has_predict_batch_hooks:
                    calls.on_predict_batch_begin(i)
                part = self._predict_batch(np.ascontiguousarray(x[i * rows : (i + 1) * rows]))
                if output is None:
                    output = np.empty((len(x), *part.shape[1:]), part.dtype)
                output[i * rows : i * rows + len(part)] = part
                if isinstance(x, LazyArray):
                    x.release()
                if calls.has_predict_batch_hooks:
                    calls.on_predict_batch_end(i, {"outputs": part})
                if verbose == "auto" and (bar is not None or time.monotonic() - began > _SLOW_SECONDS):
                    bar = bar or Progbar(target=chunks)
                    bar.update(i + 1)
        calls.on_predict_end()
        assert output is not None
        return output

    def predict_on_batch(self, x: Any) -> Array:
        """Return the outputs for `x` as one batch."""
        x = np.asarray(self.checked_input(x))
        with single_thread:
            return self._predict_batch(x)

    def _forget_records(self) -> None:
        self._free_passes = {}


def verbosity(verbose: int | str) -> int:
    """Return 0, 1 or 2."""
    if verbose == "auto":
        return 1
    if verbose in (0, 1, 2):
        return int(verbose)
    raise ValueError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}.")


def _text(shape: InputShape) -> str:
    return "(" + ", ".join(["batch", *("any" if n is None else str(n) for n in shape[1:])]) + ")"
