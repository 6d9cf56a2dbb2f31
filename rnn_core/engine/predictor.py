"""``predict``, and what it needs: inputs that fit the model, and records that no two threads share."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.blas import single_thread
from rnn_core.checks import positive_int
from rnn_core.data import all_finite, as_input
from rnn_core.engine.passes import Pass
from rnn_core.graph import Graph
from rnn_core.layers.base import InputShape, Layer
from rnn_core.lazy import LazyArray
from rnn_core.several import as_list, each, rows, shape_of, unpacked

Array = NDArray[Any]

_PREDICT_FLOATS = 1 << 17
"""Predictions are made in chunks whose hidden states take about this many floats: they stay in the cache."""

_SLOW_SECONDS = 1.0
"""``predict`` shows progress only after this long, unless told."""


class Predictor:
    """The part of a model that is asked for predictions."""

    name: str
    built: bool
    dtype: str
    vector: Array
    graph: Graph
    input_shape: Any
    output_shape: Any

    def __init__(self) -> None:
        self._free_passes: dict[Any, list[Pass]] = {}

    # What the model provides.

    @property
    def layers(self) -> list[Layer]:
        """The layers, in topological order."""
        raise NotImplementedError

    def build(self, input_shape: InputShape) -> None:
        """Build the layers."""
        raise NotImplementedError

    def parts(self, vector: Array) -> list[Array]:
        """Cut a vector laid out like the weights into one part for each layer."""
        raise NotImplementedError

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        raise NotImplementedError

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        raise NotImplementedError

    def handed_out(self, outputs: Sequence[Any]) -> Any:
        """Return outputs as users get them."""
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

    def new_pass(self, shape: Any, training: bool = False, needs_d_input: bool = False) -> Pass:
        """Return fresh records for inputs of `shape`."""
        raise NotImplementedError

    # Data on its way in.

    def checked_input(self, x: Any, name: str = "x") -> Any:
        """Return inputs as an array that fits the model, which is built for it if it was not; several as a list."""
        if len(self.graph.inputs) > 1:
            return self._checked_inputs(x, name)
        if isinstance(x, dict):
            (x,) = for_names(x, name, self.input_names)
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
            array = as_input(name, x, shape, self.dtype or self.layers[0].dtype)
            if not self.built:
                self.build((None, *array.shape[1:]))
        expected = self.input_shape
        assert expected is not None
        if array.shape[1:] != expected[1:] or (expected[0] is not None and len(array) < expected[0]):
            self._check_shape(name, array.shape)
        return array

    def _checked_inputs(self, x: Any, name: str) -> list[Array]:
        """Return an array for each input of the model, from a list, or a dict by the names of the inputs."""
        names = [f"{name}[{input_name!r}]" for input_name in self.input_names]
        given = zip(names, for_names(x, name, self.input_names), self.input_shape, strict=True)
        arrays = [as_input(label, part, shape, self.dtype) for label, part, shape in given]
        for label, array in zip(names, arrays, strict=True):
            if len(array) != len(arrays[0]):
                raise ValueError(
                    f"{name}: all inputs need as many samples, got {len(arrays[0])} in {names[0]} and {len(array)} in "
                    f"{label}."
                )
        for label, array, shape in zip(names, arrays, self.input_shape, strict=True):
            if not _fits(array.shape, shape):
                raise ValueError(f"{label}: model {self.name!r} expects {_text(shape)}, got {_text(array.shape)}.")
        return arrays

    def _check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Let the layers check a shape that is not the one that the model was built for."""
        try:
            self.graph.shapes([shape], _checked_output_shape)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if not _fits(shape, self.input_shape):
            raise ValueError(f"{name}: model {self.name!r} expects {_text(self.input_shape)}, got {_text(shape)}.")

    def _shapes_for(self, shape: Any) -> list[Any]:
        """Return the shapes at all places of the graph for inputs of this shape, or these shapes."""
        given = [shape] if len(self.graph.inputs) == 1 else list(shape)
        return self.graph.shapes(given, lambda layer, incoming: layer.compute_output_shape(incoming))

    def _output_shape_for(self, shape: Any) -> Any:
        shapes = self._shapes_for(shape)
        return unpacked([shapes[place] for place in self.graph.outputs])

    def _checked_batch_size(self, batch_size: Any, samples: int, name: str = "batch_size") -> int:
        """Return a batch size that fits: a stateful model needs its own, and whole batches."""
        fixed = self._fixed_batch()
        if batch_size is None:
            batch_size = fixed or 32
        size = positive_int(f"Model {self.name!r}", name, batch_size)
        if any(getattr(layer, "stateful", False) for layer in self.layers) and (size != fixed or samples % size):
            raise ValueError(
                f"Model {self.name!r} is stateful with batches of {fixed}: {name} must be {fixed} and the number of "
                f"samples a multiple of it, got {size} and {samples}."
            )
        return size

    def _fixed_batch(self) -> int | None:
        """Return the batch size that the model was built for, if any."""
        shape = self.input_shape[0] if isinstance(self.input_shape, list) else self.input_shape
        return None if shape is None else shape[0]

    # Predictions.

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the outputs for `x`.

        Several threads may predict with one model at the same time.

        Parameters
        ----------
        x : array_like, shape (samples, ...), or Windows
            A list, or a dict by the names of the inputs, for a model with several.
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
            A list of them for a model with several outputs.
        """
        if steps is not None:
            raise ValueError(f"predict: steps is not supported, all of the data is used; got {steps!r}.")
        x = self.checked_input(x)
        samples = rows(x)
        if batch_size is None and samples == 1 and callbacks is None:  # nothing to cut up
            chunk = self._fixed_batch() or 1
        elif batch_size is None:
            chunk = self._predict_rows(x)
        else:
            chunk = self._checked_batch_size(batch_size, samples)
        if chunk >= samples and callbacks is None and verbose in ("auto", 0):
            with single_thread:
                return self.handed_out(as_list(self._predict_batch(each(np.asarray, x))))
        return self._predict_in_chunks(x, chunk, verbose, callbacks)

    def _predict_rows(self, x: Any) -> int:
        """Return how many rows to predict together: what keeps the widest layer's hidden states in the cache."""
        if self._fixed_batch() is not None:
            return self._checked_batch_size(None, rows(x))
        shapes = self._shapes_for([(1, *part.shape[1:]) for part in x] if isinstance(x, list) else (1, *x.shape[1:]))
        widest = max(math.prod(shape) for shape in shapes)
        for step in self.graph.steps:
            incoming = shapes[step.sources[0]]
            widest = max(widest, getattr(step.layer, "units", 1) * (incoming[1] if len(incoming) == 3 else 1))
        return max(32, _PREDICT_FLOATS // int(widest))

    def _predict_batch(self, x: Any) -> Any:
        """Predict one batch with free records of its shape, or new ones: no two threads ever have the same."""
        shape = shape_of(x)
        free = self._free_passes.setdefault(shape, [])
        try:
            one = free.pop()  # taking from and adding to a list is atomic
        except IndexError:
            one = self.new_pass(shape)
        output = one.forward(x)
        output = [part.copy(order="C") for part in output] if type(output) is list else output.copy(order="C")
        if len(free) < 8:
            free.append(one)
        if len(self._free_passes) > 16:  # ever new shapes: start anew, rather than keep records for all
            self._free_passes = {}
        return output

    def _predict_in_chunks(self, x: Any, size: int, verbose: int | str, callbacks: Any) -> Any:
        from rnn_core.callbacks import CallbackList
        from rnn_core.progress import Progbar

        samples = rows(x)
        chunks = -(-samples // size)
        show = 0 if verbose == "auto" else verbosity(verbose)
        calls = CallbackList(callbacks, add_progbar=show != 0, model=self, verbose=show, epochs=1, steps=chunks)
        bar: Progbar | None = None
        outputs: list[Array] = []
        began = time.monotonic()
        calls.on_predict_begin()
        with single_thread:
            for i in range(chunks):
                if calls.has_predict_batch_hooks:
                    calls.on_predict_batch_begin(i)
                places = slice(i * size, min((i + 1) * size, samples))
                part = self._predict_batch(_chunk(x, places))
                parts = as_list(part)
                outputs = outputs or [np.empty((samples, *p.shape[1:]), p.dtype) for p in parts]
                for output, made in zip(outputs, parts, strict=True):
                    output[places] = made
                if calls.has_predict_batch_hooks:
                    calls.on_predict_batch_end(i, {"outputs": part})
                if verbose == "auto" and (bar is not None or time.monotonic() - began > _SLOW_SECONDS):
                    bar = bar or Progbar(target=chunks)
                    bar.update(i + 1)
        calls.on_predict_end()
        return self.handed_out(outputs)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for `x` as one batch."""
        x = each(np.asarray, self.checked_input(x))
        with single_thread:
            return self.handed_out(as_list(self._predict_batch(x)))

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


def _fits(shape: tuple[int, ...], expected: InputShape) -> bool:
    """Whether an array of `shape` can go where `expected` was stated; the batch may be of any size."""
    return len(shape) == len(expected) and all(
        e is None or e == n for e, n in zip(expected[1:], shape[1:], strict=True)
    )


def _checked_output_shape(layer: Layer, shape: Any) -> Any:
    layer.check_input_shape(shape)
    return layer.compute_output_shape(shape)


def _chunk(x: Any, places: slice) -> Any:
    """Return some rows of one array, or of each of several, contiguous."""
    part = each(lambda array: np.ascontiguousarray(array[places]), x)
    if isinstance(x, LazyArray):
        x.release()
    return part


def for_names(given: Any, what: str, names: Sequence[str]) -> list[Any]:
    """Return an entry for each of `names`, from a list in their order or a dict by name."""
    if isinstance(given, dict):
        if set(given) != set(names):
            raise ValueError(f"{what} must have the keys {', '.join(names)}, got {', '.join(map(repr, given))}.")
        return [given[name] for name in names]
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        got = f"{len(given)} entries" if isinstance(given, (list, tuple)) else type(given).__name__
        raise ValueError(f"{what} must be a list with an entry for each of {', '.join(names)}; got {got}.")
    return list(given)
