"""Layers beside live Keras, with every argument of their constructors drawn by Hypothesis.

Outputs, states and gradients are compared for one call; penalties, updates and constraints for one training step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import activations

from ..float64 import float64_in
from .against_keras import TIGHT, assert_training_step_is_keras, keras, keras_gradients, pair
from .test_dense import gradients
from .test_simple_rnn import assert_agrees

pytestmark = pytest.mark.filterwarnings("ignore:.*softmax over axis")  # Keras' warning for a single unit

SEEDS = st.integers(0, 2**16)
ACTIVATIONS = st.sampled_from(
    # glu halves the units, sparsemax is another function in Keras 3.15, and of gelu and leaky_relu it rounds constants.
    [None, *sorted(set(activations.OBJECTS) - {"glu", "sparsemax", "gelu", "leaky_relu"})]
)
BOUNDED = ACTIVATIONS.filter(lambda name: name != "exponential")  # fed back, it explodes


def config(name: str, **arguments: Any) -> dict[str, Any]:
    return {"class_name": name, "config": arguments}


# Factors that float32 holds exactly: Keras rounds to it.
REGULARIZERS = st.sampled_from([None, config("L1", l1=0.25), config("L2", l2=0.125), config("L1L2", l1=0.25, l2=0.5)])
CONSTRAINTS = st.sampled_from(
    [
        None,
        "non_neg",
        config("UnitNorm", axis=0),
        config("MaxNorm", max_value=0.5, axis=0),
        config("MinMaxNorm", min_value=0.25, max_value=0.75, rate=0.5, axis=0),
    ]
)
RATES = st.sampled_from([0.0, 0.3])


def objects(*weights: str) -> dict[str, Any]:
    kinds = {"regularizer": REGULARIZERS, "constraint": CONSTRAINTS}
    return {f"{w}_{kind}": drawn for w in weights for kind, drawn in kinds.items()}


UNITS = {"units": st.integers(1, 4), "use_bias": st.booleans()}
DROPOUT = {"dropout": RATES, "recurrent_dropout": RATES}
FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Dense": {**UNITS, "activation": ACTIVATIONS, "activity_regularizer": REGULARIZERS, **objects("kernel", "bias")},
    "SimpleRNN": {
        **UNITS,
        "activation": BOUNDED,
        "activity_regularizer": st.none(),  # Keras drops it, see test_simple_rnn
        **objects("kernel", "recurrent", "bias"),
        **DROPOUT,
        **dict.fromkeys(FLAGS, st.booleans()),
    },
    "SimpleRNNCell": {**UNITS, "activation": BOUNDED, **objects("kernel", "recurrent", "bias"), **DROPOUT},
}
SHAPES = st.tuples(*[st.integers(1, 5)] * 3)


def arguments(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(ARGUMENTS[kind])


def random_array(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@settings(max_examples=40, deadline=None)
@given(options=arguments("SimpleRNN"), shape=SHAPES, masked=st.booleans(), start=st.booleans(), seed=SEEDS)
def test_a_recurrent_layer_with_any_settings_is_keras(options, shape, masked, start, seed):
    if options["unroll"] and options["zero_output_for_mask"]:  # a bug of Keras': it takes the mask unreversed
        options["go_backwards"] = False
    mask = None
    if masked:
        mask = np.random.default_rng(seed).random(shape[:2]) < 0.6
        mask[:, [0, -1]] |= start or options["stateful"]  # else Keras on TensorFlow puts out zeros, not the state
    state = random_array((shape[0], options["units"]), seed + 3) if start else None
    training = bool(options["dropout"] or options["recurrent_dropout"])
    options.pop("return_state")  # asked for everywhere there
    assert_agrees(options, mask=mask, initial_state=state, training=training, shape=shape, seed=seed)


@settings(max_examples=30, deadline=None)
@given(options=arguments("Dense"), shape=st.lists(st.integers(1, 5), min_size=2, max_size=3).map(tuple), seed=SEEDS)
def test_a_dense_layer_with_any_settings_is_keras(options, shape, seed):
    ours, theirs = pair("Dense", shape, seed, **options)
    x, w = random_array(shape, seed), random_array((*shape[:-1], options["units"]), seed + 1)
    output, d_weights, d_input = gradients(ours, x, w)
    (their_output,), their_gradients = keras_gradients(theirs, [x], w, theirs)
    for mine, other in zip([output, *d_weights, d_input], [their_output, *their_gradients], strict=True):
        np.testing.assert_allclose(mine, other, **TIGHT)


@settings(max_examples=30, deadline=None)
@given(options=arguments("SimpleRNNCell"), sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)), seed=SEEDS)
def test_a_cell_with_any_settings_is_keras(options, sizes, seed):
    ours, theirs = pair("SimpleRNNCell", sizes, seed, **options)
    batch, units = sizes[0], options["units"]
    x, h, w = random_array(sizes, seed), random_array((batch, units), seed + 1), random_array((batch, units), seed + 2)
    training = ours.dropout_stream is not None
    record = ours.new_record(sizes, d_vector := np.full_like(ours.vector, np.nan))
    if training:  # Keras is given the masks that we draw
        record.dropout_masks = theirs._dropout_mask, theirs._recurrent_dropout_mask = ours.dropout_masks(*sizes)
    output, _ = ours.step(record, x, [h])
    dx, (dh,) = ours.step_backward(record, w, [np.zeros_like(h)])

    def call(x, h):
        return theirs(x, [h], training=training)[0]

    (their_output,), their_gradients = keras_gradients(theirs, [x, h], w, call)
    for mine, other in zip(
        [output, *ours.views(d_vector).values(), dx, dh], [their_output, *their_gradients], strict=True
    ):
        np.testing.assert_allclose(mine, other, **TIGHT)


@settings(max_examples=15, deadline=None)
@given(rnn=arguments("SimpleRNN"), dense=arguments("Dense"), trained=st.booleans(), seed=SEEDS)
def test_a_training_step_with_any_penalties_and_constraints_is_keras(rnn, dense, trained, seed):
    """Without dropout, whose masks nobody hands over here: the fuzzer of parity has it."""
    for name in (*DROPOUT, "return_state", "stateful"):
        rnn.pop(name)
    entries = [("SimpleRNN", {**rnn, "trainable": trained}), ("Dense", dense)]
    outputs = (4, 3, dense["units"]) if rnn["return_sequences"] else (4, dense["units"])
    with float64_in(keras):
        assert_training_step_is_keras(entries, random_array((4, 3, 2), seed), random_array(outputs, seed + 1))
