"""Embedding: against Keras, a Dense layer on one-hot vectors and differences; its mask; indices that are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_core
from rnn_core import layers
from rnn_core.layers.embedding import add_rows

from ..finite_differences import SEEDS, examples
from .against_keras import keras
from .graphs import assert_as_keras, assert_step_as_keras, check_layer, models

pytestmark = pytest.mark.usefixtures("float64_everywhere")


@examples(100)
@given(st.integers(1, 6), st.integers(1, 3), st.lists(st.integers(1, 4), max_size=3), SEEDS)
def test_gradients_against_differences(input_dim, output_dim, sizes, seed):
    x = np.random.default_rng(seed).integers(0, input_dim, (2, *sizes)).astype("float64")
    record = check_layer(layers.Embedding(input_dim, output_dim), x, seed=seed, fixed=True)
    assert not record.d_input.any()


@examples(100)
@given(st.integers(1, 8), st.integers(0, 40), SEEDS)
def test_rows_are_added_as_by_a_loop(size, number, seed):
    draws = np.random.default_rng(seed)
    number = max(number, 1)
    indices, rows = draws.integers(0, size, number), draws.standard_normal((number, 3))
    table, expected = np.full((size, 3), np.nan), np.zeros((size, 3))
    for k, row in zip(indices, rows, strict=True):
        expected[k] += row
    add_rows(table, indices, rows)
    np.testing.assert_allclose(table, expected, atol=1e-14)


def test_it_is_a_dense_layer_on_one_hot_vectors():
    x = np.random.default_rng(0).integers(0, 5, (3, 4))
    embedding, dense = layers.Embedding(5, 2), layers.Dense(2, use_bias=False)
    dense.ensure_built((None, None, 5))
    embedding.ensure_built((None, None))
    dense.set_weights(embedding.get_weights())
    np.testing.assert_allclose(embedding(x), dense(np.eye(5)[x]), atol=1e-15)


def language_model(mask_zero):
    def make(module):
        kinds = module.layers
        x = module.Input((6,), dtype="int32")
        settings = {"embeddings_regularizer": module.regularizers.L2(0.125), "embeddings_constraint": "unit_norm"}
        h = kinds.Embedding(7, 3, mask_zero=mask_zero, **settings)(x)
        return module.Model(x, kinds.Dense(2)(kinds.SimpleRNN(4)(h)))

    return make


@pytest.mark.parametrize("mask_zero", [True, False])
def test_a_model_and_its_step_are_keras_s(mask_zero):
    draws = np.random.default_rng(0)
    x = draws.integers(0, 7, (5, 6)).astype("int32")
    assert (x == 0).any()
    assert_as_keras(language_model(mask_zero), x, discrete=True)
    assert_step_as_keras(language_model(mask_zero), x, draws.standard_normal((5, 2)))


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "int64", "float32", "float64"])
def test_all_kinds_of_numbers_are_indices(kind):
    ours, theirs = models(language_model(True))
    x = np.random.default_rng(0).integers(0, 7, (5, 6)).astype(kind)
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs(x.astype("int32")), rtol=1e-12)
    np.testing.assert_array_equal(ours.predict(x, verbose=0), ours(x))
    np.testing.assert_array_equal(layers.Embedding(7, 2, "ones")(x), np.ones((5, 6, 2)))


def test_a_sequential_model_trains_on_integers():
    draws = np.random.default_rng(0)
    for first in ([rnn_core.Input((6,), dtype="int32")], []):
        model = rnn_core.Sequential([*first, layers.Embedding(7, 3), layers.SimpleRNN(4), layers.Dense(1)])
        model.compile("rmsprop", "mse")
        history = model.fit(draws.integers(0, 7, (8, 6)), np.ones((8, 1)), epochs=3, verbose=0).history["loss"]
        assert history[-1] < history[0]


def test_integer_inputs_say_so():
    ours, theirs = (m.Input((3,), dtype="int32", name="words") for m in (rnn_core, keras))
    assert (ours.shape, ours.dtype, ours.name) == (theirs.shape, theirs.dtype, theirs.name)
    config = ours.call.layer.get_config()
    assert config["dtype"] == "int32"
    assert layers.InputLayer.from_config(config).dtype == "int32"
    for wrong in ("float16", "complex64", "text", "bool"):
        with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64'"):
            rnn_core.Input((3,), dtype=wrong)


def test_the_embedding_after_another_layer():
    """Backpropagation goes on through it, with nothing but zeros."""
    x = rnn_core.Input((4,))
    model = rnn_core.Model(x, layers.Embedding(5, 2)(layers.Reshape((2, 2))(x)))
    passes = model.new_pass((3, 4), training=True, needs_d_input=True)
    assert not passes.backward(np.ones_like(passes.forward(np.ones((3, 4))))).any()


def test_compute_mask_is_keras_s():
    x = np.array([[0, 1, 2], [3, 0, 0]])
    assert layers.Embedding(4, 2).compute_mask(x) is None
    ours, theirs = (m.layers.Embedding(4, 2, mask_zero=True).compute_mask(x) for m in (rnn_core, keras))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("x", "value", "place"),
    [
        ([[0, 1], [5, 0]], "5.0", r"\(1, 0\)"),
        ([[0, -1], [2, 0]], "-1.0", r"\(0, 1\)"),
        ([[0, 1.5], [9, 0]], "1.5", r"\(0, 1\)"),
        ([[0, np.nan]], "nan", r"\(0, 1\)"),
        ([[0, np.inf]], "inf", r"\(0, 1\)"),
        ([1, 7], "7.0", "1"),
    ],
)
def test_values_that_are_no_indices_are_named(x, value, place):
    layer = layers.Embedding(5, 2, name="words")
    with pytest.raises(ValueError, match=f"'words' expects whole numbers from 0 to 4, got {value} at index {place}"):
        layer(x)


def test_fit_and_predict_name_the_layer_too():
    model = rnn_core.Sequential([rnn_core.Input((2,), dtype="int32"), layers.Embedding(5, 2, name="words")])
    model.compile("sgd", "mse")
    x, y = np.array([[1, 5]]), np.ones((1, 2, 2))
    for call in (lambda: model.predict(x, verbose=0), lambda: model.fit(x, y, verbose=0)):
        with pytest.raises(ValueError, match="'words' expects whole numbers"):
            call()


@pytest.mark.parametrize("name", ["weights", "lora_rank", "lora_alpha", "quantization_config"])
def test_what_is_not_supported_is_refused(name):
    with pytest.raises(ValueError, match=f"Embedding: {name} is not supported"):
        layers.Embedding(5, 2, **{name: 3})


def test_bad_settings():
    with pytest.raises(ValueError, match="input_dim must be an integer of at least 1, got 0"):
        layers.Embedding(0, 2)
    with pytest.raises(ValueError, match=r"output_dim must be an integer of at least 1, got 2\.5"):
        layers.Embedding(3, 2.5)
    with pytest.raises(ValueError, match="input_dim must be at most 16777216, up to which float32"):
        layers.Embedding(2**24 + 1, 2, dtype="float32")
    layers.Embedding(2**24 + 1, 2, dtype="float64")  # not built: nothing is allocated
    with pytest.warns(UserWarning, match="input_length is deprecated"):
        layers.Embedding(3, 2, input_length=4)
    with pytest.raises(ValueError, match=r"expects \(batch, timesteps\), got \(2, 0\)"):
        layers.Embedding(3, 2)(np.ones((2, 0)))
