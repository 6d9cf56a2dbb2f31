"""Layers around layers, cells, merging, reshaping, embedding: random ones of every kind, and models made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from rnn_core import layers
from rnn_core.layers import Input
from rnn_core.models import Model, Sequential

from . import samples

T, F, BATCH = samples.TIMESTEPS, samples.FEATURES, samples.BATCH
FLAGS = ("return_sequences", "go_backwards", "unroll", "zero_output_for_mask")


def cells(dtype: str, smooth: bool = False) -> st.SearchStrategy[layers.Cell]:
    kept = {"activation": st.sampled_from(["tanh", "sigmoid"] if smooth else ["tanh", "relu", *samples.PARAMETRISED])}
    rates = {name: st.sampled_from([0.0, 0.3]) for name in ("dropout", "recurrent_dropout")}
    weights = samples._arguments("kernel", "recurrent", "bias")
    simple = st.builds(layers.SimpleRNNCell, st.integers(1, 3), dtype=st.just(dtype), **kept, **rates, **weights)
    jordan = st.builds(layers.JordanCell, st.integers(1, 3), st.integers(1, 2), dtype=st.just(dtype), **jordans(smooth))
    one = st.one_of(simple, jordan)
    several = st.lists(one, min_size=1 + smooth, max_size=3)  # with a mask Keras takes the state of one for a list
    return st.one_of(one, st.builds(layers.StackedRNNCells, several, dtype=st.just(dtype)))


def jordans(smooth: bool = False) -> dict[str, Any]:
    return {
        "activation": st.sampled_from(["tanh", "sigmoid"] if smooth else ["tanh", "relu", *samples.PARAMETRISED]),
        "output_activation": st.sampled_from([None, "tanh"]),
        "decay": st.sampled_from([0.0, 0.3] if samples.BACKEND != "jax" else [0.0]),  # at masked steps it errs there
        "use_bias": st.booleans(),
        **samples._arguments("kernel", "recurrent", "output", "bias"),
    }


@st.composite
def recurrent(draw: Any, dtype: str, smooth: bool = False, stateful: bool = False, **fixed: Any) -> layers.Layer:
    flags = {name: draw(st.booleans()) for name in FLAGS}
    flags |= {"stateful": stateful, "dtype": dtype, **fixed}
    if smooth:  # Keras reads some masks in the wrong direction there
        flags["unroll"] = False
    kind = draw(st.sampled_from(["SimpleRNN", "RNN", "JordanRNN", "Bidirectional"]))
    flags["go_backwards"] &= kind != "Bidirectional"
    if kind == "RNN":
        return layers.RNN(draw(cells(dtype, smooth)), **flags)
    if kind == "JordanRNN":
        return layers.JordanRNN(2, draw(st.integers(1, 2)), **draw(st.fixed_dictionaries(jordans(smooth))), **flags)
    kept = {"activation": "tanh"} if smooth else {}
    given = {name: value for name, value in flags.items() if name != "dtype"}
    simple = draw(samples.simple_rnn(dtype, activity_regularizer=None, trainable=True, **kept, **given))
    if kind == "SimpleRNN":
        return simple
    inner = simple if draw(st.booleans()) else layers.RNN(draw(cells(dtype, smooth)), **flags)
    merge = draw(st.sampled_from(["concat", "sum", "mul", "ave"]))
    trainable = draw(st.booleans())
    return layers.Bidirectional(inner, merge, trainable=trainable, activity_regularizer=draw(penalties()))


def penalties() -> st.SearchStrategy[Any]:
    return st.sampled_from(samples.REGULARIZERS[:-1])


@st.composite
def chains(draw: Any, dtype: str, smooth: bool = False, stateful: bool = False) -> Sequential:
    """A model of some of them, one after the other; its inputs are (BATCH, T, F), or (BATCH, T) of indices."""
    indices = draw(st.booleans())
    batch = BATCH if stateful else None
    if indices:
        table = {"mask_zero": draw(st.booleans()), "embeddings_regularizer": draw(penalties()), "dtype": dtype}
        stack = [Input((T,), batch, dtype="int32"), layers.Embedding(5, F, **table)]
    else:
        stack = [Input((T, F), batch, dtype=dtype)]
        if draw(st.booleans()):
            stack.append(layers.Masking(dtype=dtype))
    for _ in range(draw(st.integers(0, 2))):
        stack.append(draw(recurrent(dtype, smooth, stateful, return_sequences=True)))
        inner = draw(st.sampled_from([layers.Dense(2, "tanh", dtype=dtype), layers.Dropout(0.4, dtype=dtype)]))
        stack.append(layers.TimeDistributed(type(inner).from_config({**inner.get_config(), "name": None})))
    last = draw(st.sampled_from(["recurrent", "average", "largest", "flat"]))
    if last == "recurrent":
        stack.append(draw(recurrent(dtype, smooth, stateful, return_sequences=False)))
    elif last == "flat":
        stack += [layers.Reshape((-1, 2), dtype=dtype), layers.Flatten(dtype=dtype)]
    else:
        kind = layers.GlobalAveragePooling1D if last == "average" else layers.GlobalMaxPooling1D
        stack.append(kind(dtype=dtype))
    if last != "flat" and draw(st.booleans()):
        stack += [layers.RepeatVector(3, dtype=dtype), draw(recurrent(dtype, smooth, return_sequences=False))]
    model = Sequential([*stack, layers.Dense(1, dtype=dtype)])
    model.vector[...] = 0.6 * np.random.default_rng(draw(st.integers(0, 99))).standard_normal(model.vector.size)
    return model


@st.composite
def graphs(draw: Any, dtype: str, smooth: bool = False) -> Model:
    """Two inputs, one of indices, a layer that is called twice, initial states, two or three outputs."""
    words, series = Input((T,), dtype="int32", name="words"), Input((T, F), dtype=dtype, name="series")
    known = layers.Embedding(5, F, mask_zero=draw(st.booleans()), dtype=dtype, name="table")(words)
    merging = draw(st.sampled_from(["Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"]))
    both = getattr(layers, merging)(dtype=dtype, name="both")([known, series])
    kind, units = draw(st.sampled_from(["SimpleRNN", "RNN", "Bidirectional"])), draw(st.integers(1, 3))
    flags = {"return_state": True, "return_sequences": draw(st.booleans()), "dtype": dtype}
    encoder: Any = layers.SimpleRNN(units, "tanh", dropout=draw(st.sampled_from([0.0, 0.3])), **flags)
    if kind == "RNN":
        encoder = layers.RNN(layers.SimpleRNNCell(units, dtype=dtype), **flags)
    if kind == "Bidirectional":
        encoder = layers.Bidirectional(encoder, merge_mode=draw(st.sampled_from(["concat", None])))
    output, *more = encoder(both)
    states = more[-2:] if kind == "Bidirectional" else more[-1:]
    again, *_ = encoder(both, initial_state=states)
    jordan = layers.JordanRNN(2, 2, decay=0.3, return_sequences=True, dtype=dtype, name="jordan")
    forced = jordan([series, layers.Dense(2, dtype=dtype, name="truth")(known)])
    ends = [layers.Dense(1, dtype=dtype, name="first")(output), again, forced]
    made = draw(st.permutations(ends))[: draw(st.integers(1, 3))]
    model = Model([words, series], made, name="drawn")
    model.vector[...] = 0.6 * np.random.default_rng(draw(st.integers(0, 99))).standard_normal(model.vector.size)
    return model


def data(model: Model, seed: int = 0) -> tuple[Any, Any]:
    """Return a batch for a model: some time steps are masked, neither the first nor the last; and targets."""
    draws, found = np.random.default_rng(seed), []
    shapes = model.input_shape if len(model.graph.inputs) > 1 else [model.input_shape]
    for shape in shapes:
        if len(shape) == 2:
            x = draws.integers(1, 5, (BATCH, T))
        else:
            x = draws.standard_normal((BATCH, T, F)).astype(model.dtype)
        x[1, 1], x[2, 1:-1] = 0, 0
        found.append(x)
    shapes = model.output_shape if len(model.graph.outputs) > 1 else [model.output_shape]
    y = [draws.standard_normal((BATCH, *shape[1:])).astype(model.dtype) for shape in shapes]
    return found if len(found) > 1 else found[0], y if len(y) > 1 else y[0]
