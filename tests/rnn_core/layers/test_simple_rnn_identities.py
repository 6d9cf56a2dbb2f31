"""SimpleRNN: what must be equal, whatever the numbers are.

Gradients are compared too; against central differences they are in ``test_gradients``.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.layers import Dense, Input, Masking, SimpleRNN
from rnn_core.models import Sequential

from .samples import MASK, SHAPE, random_input, random_layer

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=15, deadline=None)
FLAGS = st.fixed_dictionaries(
    {
        "return_sequences": st.booleans(),
        "go_backwards": st.booleans(),
        "zero_output_for_mask": st.booleans(),
        "activation": st.sampled_from(["tanh", "relu", "elu"]),
        "use_bias": st.booleans(),
    }
)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3))


def gradients(layer: SimpleRNN, x, w=None, mask=None, initial_state=None, record=None):
    """Return the output and the gradients (weights, input) of ``sum(w * output)``."""
    d_vector = np.full_like(layer.vector, np.nan)
    record = layer.new_record(x.shape, d_vector)
    record.mask, record.initial_state = mask, initial_state
    output = layer.forward(record, x).copy()
    w = np.ones_like(output) if w is None else w
    return output, d_vector, layer.backward(record, w).copy()


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS)
def test_masking_nothing_changes_nothing(flags, shape, seed):
    layer, x = random_layer(seed, shape, **flags), random_input(seed % 1000, shape)
    h0 = random_input(3, (shape[0], 3))
    plain = gradients(layer, x, initial_state=h0)
    masked = gradients(layer, x, mask=np.ones(shape[:2], bool), initial_state=h0)
    for a, b in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(a, b)


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS)
def test_a_masked_step_is_as_good_as_no_step(flags, shape, seed):
    """The outputs and gradients of the other steps are those of the sequence with the step taken out."""
    layer, x = random_layer(seed, shape, **{**flags, "zero_output_for_mask": False}), random_input(seed % 1000, shape)
    at = seed % (shape[1] + 1)
    longer = np.insert(x, at, 1e3, axis=1)
    mask = np.ones(longer.shape[:2], bool)
    mask[:, at] = False
    output, d_vector, d_input = gradients(layer, x)
    w = np.ones((shape[0], shape[1] + 1, 3))
    place = shape[1] - at if layer.go_backwards else at  # of the masked step in the output
    w[:, place] = 0
    with_gap = gradients(layer, longer, w if layer.return_sequences else None, mask)
    assert not with_gap[2][:, at].any()
    np.testing.assert_allclose(with_gap[1], d_vector, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.delete(with_gap[2], at, axis=1), d_input, rtol=1e-12, atol=1e-13)
    shortened = np.delete(with_gap[0], place, axis=1) if layer.return_sequences else with_gap[0]
    np.testing.assert_allclose(shortened, output, rtol=1e-13, atol=1e-14)


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_stacking_two_batches_changes_nothing(flags, shape, seed, masked):
    """Outputs are those of each batch; gradients of weights add up."""
    layer = random_layer(seed, shape, **flags)
    x = random_input(seed % 1000, (2 * shape[0], *shape[1:]))
    mask = np.random.default_rng(seed).random(x.shape[:2]) < 0.6 if masked else None
    n = shape[0]
    whole = gradients(layer, x, mask=mask)
    parts = [
        gradients(layer, x[rows], mask=None if mask is None else mask[rows]) for rows in (slice(n), slice(n, None))
    ]
    np.testing.assert_allclose(whole[0], np.concatenate([p[0] for p in parts]), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(whole[1], parts[0][1] + parts[1][1], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(whole[2], np.concatenate([p[2] for p in parts]), rtol=1e-12, atol=1e-13)


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_the_record_is_what_was_computed(flags, shape, seed, masked):
    """The record, time-major and in processing order, holds the output, and obeys the layer's formula."""
    layer, x = random_layer(seed, shape, **{**flags, "return_sequences": True}), random_input(seed % 1000, shape)
    record = layer.new_record(shape)
    if masked:
        record.mask = np.random.default_rng(seed).random(shape[:2]) < 0.6
    record.initial_state = random_input(2, (shape[0], 3))
    output = layer.forward(record, x)
    hidden = record.hidden
    ordered = x[:, ::-1] if layer.go_backwards else x
    np.testing.assert_array_equal(record.x, ordered.transpose(1, 0, 2))
    np.testing.assert_array_equal(hidden[0], record.initial_state)
    for t in range(shape[1]):
        a = ordered[:, t] @ layer.kernel + hidden[t] @ layer.recurrent_kernel + (layer.bias if layer.use_bias else 0)
        expected = layer.activation(a)
        if masked:
            there = record.mask[:, shape[1] - 1 - t if layer.go_backwards else t, None]
            expected = np.where(there, expected, hidden[t])
        np.testing.assert_allclose(hidden[t + 1], expected, rtol=1e-12, atol=1e-13)
    if not (masked and layer.zero_output_for_mask):
        np.testing.assert_array_equal(output.transpose(1, 0, 2), hidden[1:])
    assert hidden.flags.c_contiguous
    assert set(record.named_arrays()) >= {"x", "hidden", "preactivation"}


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_going_backwards_is_reversing_the_input(flags, shape, seed, masked):
    x = random_input(seed % 1000, shape)
    mask = np.random.default_rng(seed).random(shape[:2]) < 0.6 if masked else None
    backwards = random_layer(seed, shape, **{**flags, "go_backwards": True})
    forwards = random_layer(seed, shape, **{**flags, "go_backwards": False})
    a = gradients(backwards, x, mask=mask)
    b = gradients(forwards, x[:, ::-1], mask=None if mask is None else mask[:, ::-1])
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(a[1], b[1])
    np.testing.assert_array_equal(a[2], b[2][:, ::-1])


@few
@given(flags=FLAGS, shape=SHAPES, seed=SEEDS, masked=st.booleans())
def test_two_stateful_halves_are_one_run(flags, shape, seed, masked):
    """And so is a run whose second half is given the first one's state."""
    flags = {**flags, "go_backwards": False}
    x = random_input(seed % 1000, (shape[0], 2 * shape[1], shape[2]))
    mask = np.random.default_rng(seed).random(x.shape[:2]) < 0.6 if masked else np.ones(x.shape[:2], bool)
    whole = random_layer(seed, x.shape, return_state=True, **flags)
    halves = random_layer(seed, x.shape, return_state=True, stateful=True, **flags)
    cut = shape[1]
    output, state = whole(x, mask=mask)
    first, _ = halves(x[:, :cut], mask=mask[:, :cut])
    second, last_state = halves(x[:, cut:], mask=mask[:, cut:])
    joined = np.concatenate([first, second], axis=1) if flags["return_sequences"] else second
    np.testing.assert_allclose(joined, output, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(last_state, state, rtol=1e-13, atol=1e-14)
    _, middle = whole(x[:, :cut], mask=mask[:, :cut])
    again, _ = whole(x[:, cut:], mask=mask[:, cut:], initial_state=[middle])
    np.testing.assert_allclose(again, second, rtol=1e-13, atol=1e-14)


@few
@given(seed=SEEDS, masked=st.booleans(), flags=FLAGS)
def test_a_stack_of_two_is_one_after_the_other(seed, masked, flags):
    first = random_layer(seed, **{**flags, "return_sequences": True})
    second = random_layer(seed + 1, (3, 5, 3), **flags)
    entries = [Masking(dtype="float64"), first, second, Dense(2, dtype="float64")]
    x = random_input(seed % 1000)
    if masked:
        x[~MASK] = 0
    h = first(x, mask=MASK if masked else None)
    expected = entries[-1](second(h, mask=MASK if masked else None))
    np.testing.assert_allclose(Sequential([Input(SHAPE[1:]), *entries])(x), expected, rtol=1e-13, atol=1e-14)


@few
@given(seed=SEEDS, flags=FLAGS, calls=st.lists(st.tuples(*[st.booleans()] * 3), min_size=2, max_size=4))
def test_a_record_used_again_gives_what_a_fresh_one_gives(seed, flags, calls):
    """Whatever the batch before had: a mask, an initial state, dropout."""
    layer = random_layer(seed, dropout=0.3, recurrent_dropout=0.3, **flags)
    used_d, fresh_d = np.empty_like(layer.vector), np.empty_like(layer.vector)
    used = layer.new_record(SHAPE, used_d)
    for number, (masked, started, training) in enumerate(calls):
        x = random_input(number)
        mask = np.random.default_rng(seed + number).random(SHAPE[:2]) < 0.5 if masked else None
        fresh = layer.new_record(SHAPE, fresh_d)
        results = []
        for record in (used, fresh):
            layer.dropout_stream = np.random.default_rng(number)
            record.mask = mask
            record.initial_state = random_input(number, (3, 3)) if started else None
            output = layer.forward(record, x, training).copy()
            results.append((output, layer.backward(record, np.ones_like(output)).copy(), record.hidden[-1].copy()))
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(used_d, fresh_d)


def test_one_dropout_mask_serves_all_steps_of_a_batch_and_the_next_batch_gets_another():
    layer = SimpleRNN(
        400, None, use_bias=False, kernel_initializer="identity", recurrent_initializer="zeros", dropout=0.3, seed=1,
        return_sequences=True, dtype="float64",
    )  # fmt: skip
    x = np.ones((5, 4, 400))
    first, second = layer(x, training=True), layer(x, training=True)
    for t in range(1, 4):
        np.testing.assert_array_equal(first[:, t], first[:, 0])
    assert np.abs(first[:, 0] - np.where(first[:, 0] > 0, 1 / 0.7, 0)).max() < 1e-15
    assert abs((first[:, 0] == 0).mean() - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5  # five standard errors
    assert not np.array_equal(first, second)
    again = SimpleRNN.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x, training=True), first)
