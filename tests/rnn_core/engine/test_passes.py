"""A pass through a chain of layers; chains that make no sense; copies of models.

Gradients through chains against central differences are in ``layers/test_gradients``.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.layers import Activation, Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Sequential

from ..chains import chain_pass

SHAPE = (3, 5, 4)  # batch, timesteps, features
SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=15, deadline=None)


def stack(seed: int = 0, **arguments) -> list:
    """Return a chain of every kind of layer, built, with random weights."""
    chain = [
        SimpleRNN(3, return_sequences=True, dtype="float64", **arguments),
        Dropout(0.4, seed=seed, dtype="float64"),
        Dense(3, "elu", dtype="float64"),
        Activation("softplus", dtype="float64"),
        SimpleRNN(2, "relu", go_backwards=True, dtype="float64"),
        Dense(2, dtype="float64"),
    ]
    shape = SHAPE
    for number, layer in enumerate(chain):
        layer.ensure_built(shape)
        shape = layer.output_shape
        layer.vector[...] = 0.6 * np.random.default_rng(seed + number).standard_normal(layer.vector.size)
    return chain


def total(chain) -> int:
    return sum(layer.vector.size for layer in chain)


def random_input(seed: int = 0, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed + 1).standard_normal(shape)


def random_mask(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE[:2]) < 0.6


# --- the pass -------------------------------------------------------------------------------------------------


@few
@given(seed=SEEDS, masked=st.booleans())
def test_a_pass_is_one_layer_after_the_other(seed, masked):
    chain, x = stack(seed), random_input(seed % 1000)
    mask = random_mask(seed) if masked else None
    one = chain_pass(chain, SHAPE)
    expected = x
    for number, layer in enumerate(chain):
        if isinstance(layer, Dropout):
            continue
        expected = layer(expected, mask=mask if number < 5 else None)
    output = one.forward(x, mask=mask)
    np.testing.assert_allclose(output, expected, rtol=1e-13, atol=1e-14)
    assert output is one.output
    assert one.output_shape == expected.shape
    assert one.shapes == [SHAPE, (3, 5, 3), (3, 5, 3), (3, 5, 3), (3, 5, 3), (3, 2), (3, 2)]


def test_gradients_lie_as_the_weights_do():
    """Each layer's part of the vector is what the layer computes alone, in the order of the chain."""
    chain, x = stack(), random_input()
    d_vector = np.full(total(chain), np.nan)
    one = chain_pass(chain, SHAPE, d_vector, needs_d_input=True)
    one.forward(x)
    d = one.backward(w := np.ones((3, 2)))
    values, parts, start = [x], [], 0
    for layer in chain:
        parts.append(d_vector[start : start + layer.vector.size])
        start += layer.vector.size
        record = layer.new_record(values[-1].shape, alone := np.empty_like(layer.vector))
        values.append(layer.forward(record, values[-1]).copy())
        parts[-1] = (layer, record, alone, parts[-1])
    gradient = w
    for layer, record, alone, part in reversed(parts):
        gradient = layer.backward(record, gradient).copy()
        np.testing.assert_allclose(part, alone, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(d, gradient, rtol=1e-13, atol=1e-14)


def test_the_gradient_of_the_input_is_only_computed_where_it_is_asked_for():
    chain, x = stack(), random_input()
    one, other = (chain_pass(chain, SHAPE, np.empty(total(chain)), needs_d_input=needs) for needs in (False, True))
    for each in (one, other):
        each.forward(x)
    assert one.backward(np.ones((3, 2))) is None
    assert other.backward(np.ones((3, 2))).shape == SHAPE


@few
@given(
    seed=SEEDS,
    batches=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=4),
    penalty=st.sampled_from([None, "l2"]),
)
def test_a_pass_used_again_gives_what_a_fresh_one_gives(seed, batches, penalty):
    """A mask given with one batch is not that of the next."""
    chain = stack(seed, activity_regularizer=penalty)
    used_d, fresh_d = np.empty(total(chain)), np.empty(total(chain))
    used = chain_pass(chain, SHAPE, used_d, needs_d_input=True)
    for number, (masked, training) in enumerate(batches):
        x, mask = random_input(number), random_mask(seed + number) if masked else None
        results = []
        for one in (used, chain_pass(chain, SHAPE, fresh_d, needs_d_input=True)):
            chain[1].dropout_stream = np.random.default_rng(number)
            output = one.forward(x, training, mask).copy()
            results.append((output, one.backward(np.ones_like(output)).copy(), one.activity_penalty()))
            assert one.output_mask is None
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(used_d, fresh_d)


def test_two_passes_do_not_disturb_each_other():
    chain, x, other = stack(), random_input(), random_input(5)
    one, two = (chain_pass(chain, SHAPE, np.empty(total(chain)), needs_d_input=True) for _ in range(2))
    one.forward(x)
    expected = one.backward(np.ones((3, 2))).copy()
    kept = one.output.copy()
    two.forward(other)
    two.backward(np.ones((3, 2)))
    np.testing.assert_array_equal(one.output, kept)
    np.testing.assert_array_equal(one.backward(np.ones((3, 2))), expected)


def test_masks_travel_as_the_layers_hand_them_on():
    x, mask = random_input(), random_mask(3)
    x[~mask] = 0
    chain = [
        Masking(dtype="float64"),
        Dense(3, dtype="float64"),
        Dropout(0.5, dtype="float64"),
        Activation("tanh", dtype="float64"),
        SimpleRNN(2, return_sequences=True, dtype="float64"),
        SimpleRNN(2, dtype="float64"),
        Dense(1, dtype="float64"),
    ]
    shape = SHAPE
    for layer in chain:
        layer.ensure_built(shape)
        shape = layer.output_shape
    one = chain_pass(chain, SHAPE)
    one.forward(x)
    for record in one.records[1:6]:
        np.testing.assert_array_equal(record.mask, mask)
    assert one.records[6].mask is None
    assert one.output_mask is None
    sequences = chain_pass(chain[:5], SHAPE)
    sequences.forward(x)
    np.testing.assert_array_equal(sequences.output_mask, mask)


def test_activity_penalties_count_once_over_the_batch_size():
    first = Dense(2, activity_regularizer="l1", dtype="float64")
    second = Dense(2, "tanh", activity_regularizer="l2", dtype="float64")
    x = random_input(0, (4, 3))
    first.ensure_built((4, 3)), second.ensure_built((4, 2))
    one = chain_pass([first, second], (4, 3), np.empty(total([first, second])), needs_d_input=True)
    one.forward(x)
    h, y = first(x), second(first(x))
    assert one.activity_penalty() == pytest.approx(0.01 * (np.abs(h).sum() + (y**2).sum()) / 4, rel=1e-13)
    w = np.zeros((4, 2))
    one.backward(w)
    assert not w.any()  # the penalty's gradient is added to a copy


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_stays_in_the_dtype_of_the_layers(dtype):
    model = Sequential(
        [
            Input(SHAPE[1:]),
            Masking(dtype=dtype),
            SimpleRNN(
                3, dropout=0.2, recurrent_dropout=0.2, return_sequences=True, activity_regularizer="l1", dtype=dtype
            ),
            Dropout(0.2, dtype=dtype),
            SimpleRNN(2, "gelu", kernel_regularizer="l2", dtype=dtype),
            Dense(2, "softmax", dtype=dtype),
        ]
    )
    one = model.new_pass(SHAPE, training=True, needs_d_input=True)
    x = random_input().astype(dtype)
    x[0, 0] = 0
    assert one.forward(x, True).dtype == dtype
    assert one.backward(np.ones((3, 2), dtype)).dtype == dtype
    assert model.d_vector.dtype == model.vector.dtype == dtype
    for record in one.records:
        for name, array in record.named_arrays().items():
            assert array.dtype in (np.dtype(dtype), np.dtype(bool)), name


# --- chains that make no sense --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([SimpleRNN(2, return_state=True, name="a"), Dense(1)], "SimpleRNN 'a' has several outputs .return_state=True"),
        ([SimpleRNN(2, return_state=True, return_sequences=True, name="b")], "'b' has several outputs"),
        (
            [SimpleRNN(2), SimpleRNN(2, name="c")],
            r"SimpleRNN 'c' expects .*timesteps.* got \(batch, 2\): 2 dimensions where 3",
        ),
        ([Dense(2), SimpleRNN(2), Masking(name="d")], "Masking 'd' expects"),
        ([SimpleRNN(2, stateful=True, name="e")], "SimpleRNN 'e' is stateful and needs a fixed batch size"),
        (
            [Activation("glu"), Dense(2, "glu"), Activation("glu"), Activation("glu")],
            "glu: axis -1 must have an even size",
        ),
        ([Dense(2), Dense(2, dtype="float64")], "All layers of a model need one dtype"),
    ],
)
def test_wrong_chains_are_refused_when_they_are_built(entries, message):
    with pytest.raises(ValueError, match=message):
        Sequential([Input(SHAPE[1:]), *entries])
    model = Sequential(entries)  # without an input shape, when the first data comes
    with pytest.raises(ValueError, match=message if "stateful" not in message else "fixed batch size"):
        model.predict(random_input())


def test_return_state_is_refused_by_add_too():
    model = Sequential([Input(SHAPE[1:])])
    with pytest.raises(ValueError, match="several outputs"):
        model.add(SimpleRNN(2, return_state=True))


# --- copies of models -----------------------------------------------------------------------------------------


def trained_model(single: bool = False) -> Sequential:
    entries = [Dense(2, name="only")] if single else [
        SimpleRNN(3, dropout=0.3, recurrent_dropout=0.3, seed=1, return_sequences=True),
        Masking(mask_value=-1),
        Dropout(0.3, seed=2),
        SimpleRNN(2),
        Dense(1),
    ]  # fmt: skip
    model = Sequential([Input(SHAPE[1:]), *entries])
    model.compile("rmsprop", "mse", metrics=["mae"])
    model.train_on_batch(*data(model))
    return model


def data(model: Sequential) -> tuple[np.ndarray, np.ndarray]:
    x = random_input().astype("float32")
    return x, np.ones((SHAPE[0], *model.output_shape[1:]), "float32")


def assert_weights_are_views(model: Sequential) -> None:
    kept = model.vector.copy()
    model.vector[...] = np.arange(model.vector.size)
    seen = np.sort(np.concatenate([weight.ravel() for weight in model.weights]))
    np.testing.assert_array_equal(seen, np.arange(model.vector.size))
    assert all(np.shares_memory(layer.vector, model.vector) for layer in model.layers if layer.specs)
    model.vector[...] = kept


COPIES = {
    "deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda x, n=n: pickle.loads(pickle.dumps(x, n)) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("single", [False, True])
def test_copies_of_a_model_go_on_the_same_way_and_are_independent(how, single):
    """Outputs, the optimizer's slots and the streams of dropout come along; training one leaves the other."""
    model = trained_model(single)
    x, y = data(model)
    copied = COPIES[how](model)
    assert_weights_are_views(copied)
    np.testing.assert_array_equal(copied.predict(x), model.predict(x))
    before = model.vector.copy()
    losses = [copied.train_on_batch(x, y)[0] for _ in range(3)]
    assert not np.array_equal(copied.vector, before)
    np.testing.assert_array_equal(model.vector, before)
    assert [model.train_on_batch(x, y)[0] for _ in range(3)] == losses
    np.testing.assert_array_equal(model.vector, copied.vector)
    assert_weights_are_views(model)


@pytest.mark.parametrize("how", COPIES)
def test_a_model_that_is_not_built_or_compiled_can_be_copied(how):
    model = Sequential([SimpleRNN(2), Dense(1)])
    copied = COPIES[how](model)
    copied.build((None, 5, 4))
    assert not model.built
    assert copied.count_params() == 17


def test_a_layer_copied_out_of_a_model_stands_alone():
    model = trained_model()
    layer = copy.deepcopy(model.layers[0])
    before = model.vector.copy()
    layer.vector.fill(0)
    layer.kernel.fill(1)
    np.testing.assert_array_equal(model.vector, before)
    assert Sequential([Input(SHAPE[1:]), layer, Dense(1)]).built


def test_the_gradient_of_the_output_must_have_its_shape():
    model = Sequential([Input((3, 2)), SimpleRNN(4), Dense(1)])
    one = model.new_pass((5, 3, 2), training=True)
    one.forward(np.ones((5, 3, 2)))
    with pytest.raises(ValueError, match=r"shape of the output, \(5, 1\), got \(5,\)"):
        one.backward(np.ones(5))
    one.backward(np.ones((5, 1)))  # float64 for a float32 model
    assert np.isfinite(model.d_vector).all()
    assert model.d_vector.any()
