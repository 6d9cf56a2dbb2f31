"""Truncated backpropagation is what it says, samples follow the model, and the model beats a bigram."""

from __future__ import annotations

import math

import numpy as np
import pytest

import rnn_core
from rnn_core.layers import Dense, Embedding, Input, SimpleRNN
from rnn_core.models import Model
from rnn_core.optimizers import SGD
from rnn_core.text import CharacterModel, NGram, Vocabulary, build_model, consecutive_chunks, python_documentation
from rnn_core.text.language_model import reset_states

from ..float64 import float64_in, keras

V, UNITS, EMBEDDING, B, T = 7, 6, 3, 2, 5
DRAWS = np.random.default_rng(0)
X, Y = DRAWS.integers(0, V, (2, B, 3 * T))
LOSS = "sparse_categorical_crossentropy"


def small(batch=B):
    """A model with weights of a size that makes the state matter."""
    model = build_model(V, batch, EMBEDDING, UNITS, "float64")
    draws = np.random.default_rng(1)
    model.set_weights([draws.normal(size=weight.shape) * 0.7 for weight in model.get_weights()])
    return model


def with_given_state(model):
    """The same network, without a state of its own."""
    tokens, state = Input((None,), dtype="float64"), Input((UNITS,), dtype="float64")
    h = Embedding(V, EMBEDDING, dtype="float64")(tokens)
    h, last = SimpleRNN(UNITS, return_sequences=True, return_state=True, dtype="float64")(h, initial_state=state)
    p = Dense(V, activation="softmax", dtype="float64")(h)
    trained, looking = Model([tokens, state], p), Model([tokens, state], last)
    trained.set_weights(model.get_weights())
    return trained, looking


def character_model(text="the cat sat on the mat. " * 40, **settings):
    vocabulary = Vocabulary(text)
    arguments = {"units": 16, "embedding": 4, "batch": 4, "chunk": 6, "learning_rate": 0.01} | settings
    return CharacterModel(vocabulary, **arguments), vocabulary.encode(text)


def test_chunks_one_after_the_other_are_one_long_pass():
    model = small()
    whole = model.predict(X, verbose=0)
    reset_states(model)
    parts = [model.predict(X[:, t : t + T], verbose=0) for t in range(0, 3 * T, T)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-12)
    again = model.predict(X[:, :T], verbose=0)  # the state goes on: not what it was from zero
    assert np.abs(again - whole[:, :T]).max() > 1e-3


def test_the_gradient_ends_where_the_chunk_begins():
    """A step on the second chunk is the step of a network that is handed the state as a constant."""
    model = small()
    start = [weight.copy() for weight in model.get_weights()]
    model.predict(X[:, :T], verbose=0)
    stateless, looking = with_given_state(model)
    state = looking.predict([X[:, :T], np.zeros((B, UNITS))], verbose=0)
    np.testing.assert_allclose(model.layers[1].state, state, rtol=1e-12)

    for one in (model, stateless):
        one.compile(SGD(1.0), LOSS)
    losses = model.train_on_batch(X[:, T : 2 * T], Y[:, T : 2 * T])
    expected = stateless.train_on_batch([X[:, T : 2 * T], state], Y[:, T : 2 * T])
    assert losses == pytest.approx(expected, rel=1e-12)
    for weight, other in zip(model.get_weights(), stateless.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-10, atol=1e-13)

    # The whole gradient of the same targets, through the border: one pass, the first chunk's targets without weight.
    through = small()
    through.compile(SGD(1.0), LOSS)
    late = np.concatenate([np.zeros((B, T)), np.full((B, T), 2.0)], axis=1)  # 2: the mean counts twice as many places
    through.train_on_batch(X[:, : 2 * T], Y[:, : 2 * T], sample_weight=late)
    steps, whole_steps = (
        np.concatenate([(now - before).ravel() for now, before in zip(one.get_weights(), start, strict=True)])
        for one in (model, through)
    )
    assert np.linalg.norm(whole_steps - steps) > 0.05 * np.linalg.norm(steps)


@pytest.fixture
def float64_everywhere():
    """Let losses and optimizers, ours and Keras', compute in float64 too."""
    with float64_in():
        yield


def keras_model(one_hot):
    layers = keras.layers
    if one_hot:
        first = [keras.Input(batch_shape=(B, T, V)), layers.Dense(EMBEDDING, use_bias=False)]
    else:
        first = [keras.Input(batch_shape=(B, T)), layers.Embedding(V, EMBEDDING)]
    recurrent = layers.SimpleRNN(UNITS, return_sequences=True, stateful=True)
    return keras.Sequential([*first, recurrent, layers.Dense(V, activation="softmax")])


@pytest.mark.parametrize(("optimizer", "one_hot"), [("SGD", False), ("Adam", True)])
def test_keras_trains_to_the_same_weights(optimizer, one_hot, float64_everywhere):
    """Several steps over consecutive chunks.

    With TensorFlow the gradient of Keras' Embedding stays a list of rows, in which a character that comes twice stands
    twice. Adam squares such rows, and clipping takes their norm, before they are added up. So for Adam with clipnorm
    Keras is given the characters as one-hot vectors, where the gradient is what it should be.
    """
    x, y = consecutive_chunks(np.random.default_rng(2).integers(0, V, 80), B, T)
    ours, theirs = small(), keras_model(one_hot)
    theirs.set_weights(ours.get_weights())
    settings = {"SGD": {}, "Adam": {"clipnorm": 0.1, "beta_1": 0.9, "beta_2": 0.999}}[optimizer]
    ours.compile(getattr(rnn_core.optimizers, optimizer)(0.02, **settings), LOSS)
    exact = {name: np.float64(value) for name, value in settings.items()}  # Python's floats it rounds to float32
    theirs.compile(getattr(keras.optimizers, optimizer)(0.02, **exact), LOSS)
    for start in range(0, len(x), B):
        chunk, targets = x[start : start + B], y[start : start + B]
        loss = ours.train_on_batch(chunk, targets)
        expected = theirs.train_on_batch(np.eye(V)[chunk] if one_hot else chunk, targets)
        assert loss == pytest.approx(float(expected), rel=1e-12)
    np.testing.assert_allclose(ours.layers[1].state, np.asarray(theirs.layers[1].states[0]), rtol=1e-10)
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-10, atol=1e-13)


def test_states_start_from_zero_in_each_epoch():
    model, ids = character_model(learning_rate=1e-30)  # so that epochs differ in their states only
    first, second, third = model.fit(ids, epochs=3)
    assert first == second == third
    states = model.model.layers[1].state.copy()
    reset_states(model.model)
    x, _ = consecutive_chunks(ids, 4, 6)
    model.model.predict(x, batch_size=4, verbose=0)
    np.testing.assert_array_equal(model.model.layers[1].state, states)  # all chunks in order, from zero


def test_bits_are_the_loss_of_one_pass(monkeypatch):
    model, ids = character_model()
    model.fit(ids, epochs=3)
    bits = model.bits_per_character(ids)
    model.reader.compile(loss=LOSS)
    reset_states(model.reader)
    expected = model.reader.evaluate(ids[None, :-1], ids[None, 1:], verbose=0) / math.log(2)
    assert bits == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr("rnn_core.text.language_model._READ_AT_ONCE", 37)
    assert model.bits_per_character(ids) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="a text of at least 2 characters is needed, got 1"):
        model.bits_per_character(ids[:1])


def test_the_same_seed_gives_the_same_model_and_the_same_text():
    made = []
    for seed in (3, 3, 4):
        model, ids = character_model(seed=seed)
        made.append((model.fit(ids, epochs=2), model.sample("the ", 50, seed=seed), model.sample("the ", 50, seed=9)))
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]
    model.fit(ids, 1)
    texts = [model.sample("the ", 50, 1.0, seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_samples_follow_the_distribution_of_the_model():
    model, ids = character_model()
    model.fit(ids, epochs=2)
    prompt, vocabulary = "the c?", model.vocabulary  # ? is unknown: read, never drawn
    model.bits_per_character(ids)  # leaves its state behind
    for temperature in (0.5, 1.0, 2.0):
        drawn = [model.sample(prompt, 1, temperature, seed) for seed in range(2000)]
        reset_states(model.reader)
        p = model.reader.predict(vocabulary.encode(prompt)[None], verbose=0)[0, -1].astype(float)
        p[0] = 0
        p **= 1 / temperature
        p /= p.sum()
        counts = np.bincount(vocabulary.encode("".join(drawn)), minlength=len(p))
        assert counts[0] == 0
        assert np.abs(counts / 2000 - p).max() < 5 * math.sqrt(0.25 / 2000)


def test_a_cold_sample_is_the_likeliest_text():
    model, ids = character_model()
    model.fit(ids, epochs=30)
    text, expected = model.sample("the cat", 30, temperature=1e-6), ""
    for _ in range(30):
        reset_states(model.reader)  # the whole text anew in place of a carried state
        p = model.reader.predict(model.vocabulary.encode("the cat" + expected)[None], verbose=0)[0, -1]
        expected += model.vocabulary.decode([1 + p[1:].argmax()])
    assert text == expected
    assert text.startswith(" sat on the ")


def test_bad_samples():
    model, _ = character_model()
    assert model.sample("the ", 0) == ""
    with pytest.raises(ValueError, match="prompt must have at least one character"):
        model.sample("", 5)
    with pytest.raises(ValueError, match="temperature must be a number above 0, got 0"):
        model.sample("a", 5, temperature=0)
    with pytest.raises(ValueError, match="length must be an integer of at least 0, got -1"):
        model.sample("a", -1)


def test_a_few_seconds_of_training_beat_the_bigram():
    text = python_documentation()
    vocabulary = Vocabulary(text[:60_000])
    train, validation, test = np.split(vocabulary.encode(text[:70_000]), [60_000, 65_000])
    model = CharacterModel(vocabulary, units=96, batch=16, chunk=20, learning_rate=0.006, seed=0)
    seen = []
    losses = model.fit(train, epochs=4, on_epoch_end=lambda *values: seen.append(values))
    assert seen == [*enumerate(losses, 1)]
    assert losses == sorted(losses, reverse=True)
    bigram = NGram(2, len(vocabulary)).fit(train, validation).bits_per_character(test)
    assert model.bits_per_character(test) < bigram - 0.3
