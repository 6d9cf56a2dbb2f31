"""The end of a report: the pictures are given what counts, and as what it is."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core import losses
from rnn_core.inspection import pictures
from rnn_core.inspection.pages.model_prediction import prediction
from rnn_core.layers import Dense, Embedding, Input, Masking, SimpleRNN

from .drawn import built


@pytest.fixture
def drawn(monkeypatch):
    """What each kind of picture was given: (true, predicted)."""
    found = {}
    for picture in (pictures.prediction, pictures.several_predictions, pictures.confusion):

        def draw(true, predicted, *rest, picture=picture):
            found[picture.__name__] = np.asarray(true), np.asarray(predicted)
            return picture(true, predicted, *rest)

        monkeypatch.setattr(pictures, picture.__name__, draw)
    return found


def sequences():
    draws = np.random.default_rng(0)
    real = np.arange(6) < draws.integers(1, 7, 20)[:, None]
    return np.where(real[:, :, None], draws.standard_normal((20, 6, 2)), 0), real


@pytest.mark.parametrize("outputs", [1, 2])
def test_masked_steps_are_not_drawn(drawn, outputs):
    x, real = sequences()
    y = np.where(real[:, :, None], 1.0, 1e6) * np.ones(outputs)
    model = built([Input((6, 2)), Masking(), SimpleRNN(3, return_sequences=True), Dense(outputs)])
    text = "".join(prediction(model, None, x, y).parts)
    ((name, (true, predicted)),) = drawn.items()
    assert name == ("prediction" if outputs == 1 else "several_predictions")
    assert (true == 1).all()
    np.testing.assert_array_equal(predicted, model.predict(x, verbose=0)[real])
    assert f"; {real.sum()} steps of them are real" in text


def test_neither_are_masked_words_and_ignored_classes(drawn):
    words = np.array([[3, 1, 0, 0], [2, 0, 0, 0], [1, 2, 3, 4]] * 4)
    y = words % 3
    y[-1, -1] = -7
    entries = [
        Input((4,)), Embedding(5, 2, mask_zero=True), SimpleRNN(3, return_sequences=True), Dense(3, "softmax")
    ]  # fmt: skip
    model = built(entries, loss=losses.SparseCategoricalCrossentropy(ignore_class=-7))
    text = "".join(prediction(model, None, words, y).parts)
    true, predicted = drawn["confusion"]
    counts = (words != 0) & (y != -7)
    np.testing.assert_array_equal(true.ravel(), y[counts])
    assert len(predicted) == counts.sum()
    assert f"of {counts.sum()} answers" in text


@pytest.mark.parametrize("logits", [False, True])
def test_one_class_or_not_is_two(drawn, logits):
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((30, 5, 2)), draws.integers(0, 2, 30)
    loss = losses.BinaryCrossentropy(from_logits=logits)
    model = built([Input((5, 2)), SimpleRNN(3), Dense(1, None if logits else "sigmoid")], loss=loss)
    prediction(model, None, x, y)
    true, predicted = drawn["confusion"]
    np.testing.assert_array_equal(true.ravel(), y)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, rtol=1e-6)
    answers = model.predict(x, verbose=0)[:, 0] > (0 if logits else 0.5)
    np.testing.assert_array_equal(predicted.argmax(axis=1), answers)


def test_shares_are_no_classes(drawn):
    """A binary cross-entropy takes any target between 0 and 1."""
    draws = np.random.default_rng(0)
    model = built([Input((5, 2)), SimpleRNN(3), Dense(1, "sigmoid")], loss="binary_crossentropy")
    prediction(model, None, draws.standard_normal((30, 5, 2)), draws.random(30))
    assert list(drawn) == ["prediction"]
