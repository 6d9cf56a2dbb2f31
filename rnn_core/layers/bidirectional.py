"""A recurrent layer run in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.data import as_numeric
from rnn_core.graph import is_symbolic, output_shapes
from rnn_core.layers.base import Layer, checked_mask, shape_text
from rnn_core.layers.wrapper import Wrapper, WrapperRecord
from rnn_core.serialization import snake_case
from rnn_core.several import as_list, unpacked
from rnn_core.tensors import Tensor

Array = NDArray[Any]

_COMMON = ("stateful", "return_sequences", "return_state")


class BidirectionalRecord(WrapperRecord):
    """The records of both directions, and their outputs of one batch, both from the first time step to the last.

    Attributes
    ----------
    forward_output, backward_output : ndarray
    output : ndarray
        Both merged, where the merging needs an array of its own.
    """

    def __init__(self, layer: Bidirectional, shape: Any, d_vector: Array | None) -> None:
        self.inner = layer.inner_records(shape, d_vector)
        self.states = len(shape) - 1 if isinstance(shape, list) else 0
        self.in_list = isinstance(shape, list)
        self.forward_output = self.backward_output = self.output = np.empty(0)


class Bidirectional(Wrapper):
    r"""A recurrent layer and its copy that goes through the sequence from the end, their outputs merged.

    ::

        f_t = forward layer, having read x_0 ... x_t        b_t = backward layer, having read x_(T-1) ... x_t

        y_t = [f_t, b_t]      f_t + b_t      f_t * b_t      (f_t + b_t) / 2
              "concat"        "sum"          "mul"          "ave"

    Parameters
    ----------
    layer : SimpleRNN or another recurrent layer
        The forward layer is made anew from its config.
    merge_mode : {"concat", "sum", "mul", "ave", None}
        None: both outputs, one after the other.
    backward_layer : recurrent layer, optional
        Instead of a copy of `layer`, with the other ``go_backwards``.
    **kwargs
        As for every layer.

    Raises
    ------
    TypeError
        For layers that are not recurrent.
    ValueError
        Where both layers go the same way, or differ in ``stateful``, ``return_sequences`` or ``return_state``.

    Notes
    -----
    As ``keras.layers.Bidirectional`` (``keras/src/layers/rnn/bidirectional.py``); M. Schuster and K. K. Paliwal,
    "Bidirectional recurrent neural networks", IEEE Transactions on Signal Processing 45 (1997), 2673-2681. Without
    ``return_sequences`` b is the output after reading x_0. At masked steps sequences are 0, as in Keras. A layer with a
    dropout `seed` gets a copy with the next seed, so that the directions drop out different units.

    Examples
    --------
    >>> from rnn_core.layers import SimpleRNN
    >>> layer = Bidirectional(SimpleRNN(4, return_sequences=True))
    >>> layer(np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    >>> [spec.name for spec in layer.specs][::3]
    ['forward_simple_rnn/kernel', 'backward_simple_rnn/kernel']
    """

    def __init__(
        self, layer: Layer, merge_mode: str | None = "concat", *, backward_layer: Layer | None = None, **kwargs: Any
    ) -> None:
        if kwargs.pop("weights", None) is not None:
            raise ValueError("Bidirectional: weights is not supported: build the layer and call set_weights.")
        for argument, given in (("layer", layer), ("backward_layer", backward_layer)):
            recurrent = isinstance(given, Layer) and all(hasattr(given, name) for name in (*_COMMON, "go_backwards"))
            if not recurrent and not (argument == "backward_layer" and given is None):
                raise TypeError(f"Bidirectional: {argument} must be a recurrent layer, got {given!r}.")
        if merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise ValueError(
                f"Bidirectional: merge_mode must be 'concat', 'sum', 'mul', 'ave' or None, got {merge_mode!r}."
            )
        ahead, back = _copy(layer, "forward"), backward_layer or _copy(layer, "backward")
        _check_pair(ahead, back)
        inner: dict[str, Any] = {
            f"{way}_{snake_case(type(one).__name__)}": one for way, one in (("forward", ahead), ("backward", back))
        }
        super().__init__(inner, **kwargs)
        for one in inner.values():
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = one.return_sequences
        self.merge_mode = merge_mode
        self.stateful, self.return_sequences, self.return_state = (bool(getattr(layer, name)) for name in _COMMON)

    @property
    def forward_layer(self) -> Any:
        """The layer that reads from the first time step on."""
        return next(iter(self.inner.values()))

    @property
    def backward_layer(self) -> Any:
        """The layer that reads from the last time step on."""
        return list(self.inner.values())[1]

    def inner_shapes(self, input_shape: Any) -> list[Any]:
        """Return the input's shape for each direction, with those of its half of the initial states."""
        if not isinstance(input_shape, list):
            return [input_shape, input_shape]
        inputs, *states = input_shape
        half = len(states) // 2
        if len(states) % 2:
            raise ValueError(
                f"Bidirectional {self.name!r}: initial_state must hold as many states for each direction, got "
                f"{', '.join(map(shape_text, states))}."
            )
        return [[inputs, *states[:half]], [inputs, *states[half:]]]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the merged output, or of both, then with `return_state` those of the states."""
        both = zip(self.inner.values(), self.inner_shapes(input_shape), strict=True)
        (ahead, *states), (back, *states_back) = (output_shapes(one.compute_output_shape(shape)) for one, shape in both)
        outputs = [ahead]
        if self.merge_mode == "concat":
            outputs = [(*ahead[:-1], ahead[-1] + back[-1])]
        elif self.merge_mode is None:
            outputs = [ahead, back]
        elif ahead != back:
            raise ValueError(
                f"Bidirectional {self.name!r}: merge_mode {self.merge_mode!r} needs outputs of one shape, got "
                f"{shape_text(ahead)} and {shape_text(back)}."
            )
        shapes = (*outputs, *states, *states_back)
        return shapes if len(shapes) > 1 else shapes[0]

    def new_record(self, shape: Any, d_vector: Array | None = None) -> BidirectionalRecord:
        """Allocate the arrays for inputs of `shape`."""
        return BidirectionalRecord(self, shape, d_vector)

    def forward(self, r: BidirectionalRecord, x: Any, training: bool = False) -> Any:
        """y = merge(f, b)"""
        inputs, *states = x if r.in_list else [x]
        mask = r.mask[0] if isinstance(r.mask, list) else r.mask
        known = mask if self.return_sequences else None
        r.output_mask = known if self.merge_mode else (known, known)
        half = r.states // 2
        outputs, last_states = [], []
        for (label, layer), given in zip(self.inner.items(), (states[:half], states[half:]), strict=True):
            record: Any = r.inner[label]
            record.mask = [mask, *[None] * half] if r.in_list else mask
            output, *after = as_list(layer.forward(record, [inputs, *given] if r.in_list else inputs, training))
            outputs.append(output)
            last_states += after
        r.forward_output, r.backward_output = outputs[0], self._turned(outputs[1])
        merged = [r.forward_output, r.backward_output] if self.merge_mode is None else [self._merge(r)]
        returned = (*merged, *last_states)
        return returned if len(returned) > 1 else returned[0]

    def _merge(self, r: BidirectionalRecord) -> Array:
        f, b = r.forward_output, r.backward_output
        if self.merge_mode == "concat":
            r.output = np.concatenate([f, b], axis=-1)
        elif self.merge_mode == "mul":
            r.output = f * b
        else:
            r.output = f + b if self.merge_mode == "sum" else (f + b) / 2
        return r.output

    def backward(self, r: BidirectionalRecord, d_output: Any) -> Any:
        """df and db from dy, then each direction's own backward pass; dx is the sum of both"""
        gradients = list(d_output) if isinstance(d_output, (list, tuple)) else [d_output]
        number = 2 if self.merge_mode is None else 1
        d_both = self._unmerge(r, gradients[:number])
        d_states, half = gradients[number:], (len(gradients) - number) // 2
        d_inputs, d_initial = [], []
        for (label, layer), d, after in zip(
            self.inner.items(), d_both, (d_states[:half], d_states[half:]), strict=True
        ):
            record = r.inner[label]
            record.needs_d_input = r.needs_d_input
            if d is None and all(part is None for part in after):  # the loss does not see this direction
                d = np.zeros_like(r.forward_output if layer is self.forward_layer else r.backward_output)
            d_input, *d_before = as_list(layer.backward(record, [d, *after] if after else d))
            d_inputs.append(d_input)
            d_initial += d_before
        d_x = d_inputs[0] + d_inputs[1] if r.needs_d_input else None
        return [d_x, *d_initial] if r.in_list else d_x

    def _unmerge(self, r: BidirectionalRecord, d_outputs: Sequence[Array | None]) -> list[Array | None]:
        """Return the gradients of both layers' outputs, that of the backward layer's in its own order."""
        f, b, d = r.forward_output, r.backward_output, d_outputs[0]
        d_f, d_b = d, d_outputs[-1]
        if d is not None and self.merge_mode == "concat":
            d_f, d_b = d[..., : f.shape[-1]], d[..., f.shape[-1] :]
        elif d is not None and self.merge_mode == "mul":
            d_f, d_b = d * b, d * f
        elif d is not None and self.merge_mode == "ave":
            d_f = d_b = d / 2
        return [d_f, None if d_b is None else self._turned(d_b)]

    def _turned(self, sequence: Array) -> Array:
        """Return the backward layer's sequence (batch, timesteps, ...) in the other order; a single output as it is."""
        return sequence[:, ::-1] if self.return_sequences else sequence

    def reset_state(self) -> None:
        """Set the states that stateful layers carry from batch to batch to zero."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None, initial_state: Any = None) -> Any:
        """Apply the layer to an array; on a symbol, note the call.

        Parameters
        ----------
        inputs : array_like, shape (batch, timesteps, features), or Symbol
        training : bool, optional
            Whether dropout is applied. For a symbol None leaves that to the model.
        mask : array_like of bool, shape (batch, timesteps), optional
        initial_state : list of array_like or Symbol, optional
            Those of the forward layer, then as many for the backward layer.

        Returns
        -------
        ndarray, or a tuple of them
            A tuple with ``merge_mode=None`` and with `return_state`.
        """
        if initial_state is not None and not isinstance(initial_state, (list, tuple)):
            raise TypeError(f"Bidirectional {self.name!r}: initial_state must be a list of states.")
        states = list(initial_state or ())
        if is_symbolic(inputs):
            return self.connect(inputs, training, mask, states)
        x = self.convert(inputs)
        given = [x]
        for i, state in enumerate(states):
            label = f"Bidirectional {self.name!r}: initial_state[{i}]"
            given.append(as_numeric(label, state).astype(self.dtype, copy=False))
            if given[-1].shape[:1] != x.shape[:1]:
                raise ValueError(f"{label} must have a row for each of {len(x)} samples, got {given[-1].shape}.")
        shapes: Any = [part.shape for part in given] if states else x.shape
        self.ensure_built(shapes)
        r = self.new_record(shapes)
        r.mask = checked_mask(mask, x.shape)
        outputs = [Tensor.copy_of(part) for part in as_list(self.forward(r, given if states else x, bool(training)))]
        return tuple(outputs) if len(outputs) > 1 else unpacked(outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        from rnn_core.layers import serialize

        both = {"layer": serialize(self.forward_layer), "backward_layer": serialize(self.backward_layer)}
        return {**super().get_config(), "merge_mode": self.merge_mode, **both}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer, and the two inside it, from a config of this engine or of Keras."""
        from rnn_core.layers import deserialize

        both = {name: deserialize(config[name]) for name in ("layer", "backward_layer") if config.get(name) is not None}
        return cls(**{**config, **both})


def _copy(layer: Layer, way: str) -> Any:
    """Return a new layer of the same config for one direction, named after it."""
    config = layer.get_config()
    config["name"] = f"{way}_{layer.name.removeprefix(f'{way}_')}"
    if way == "backward":
        config["go_backwards"] = True
        if config.get("seed") is not None:
            config["seed"] += 1
    return type(layer).from_config(config)


def _check_pair(ahead: Any, back: Any) -> None:
    if ahead.go_backwards == back.go_backwards:
        raise ValueError(
            f"Bidirectional: layer and backward_layer must differ in go_backwards, got {ahead.go_backwards} in both."
        )
    for name in _COMMON:
        if getattr(ahead, name) != getattr(back, name):
            raise ValueError(
                f"Bidirectional: layer and backward_layer must have the same {name}, got {getattr(ahead, name)} and "
                f"{getattr(back, name)}."
            )
