"""Pictures of outputs of several numbers say what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.inspection import pictures
from rnn_core.inspection.pages.model_prediction import prediction
from rnn_core.layers import Dense, Input
from rnn_core.models import Model
from tests.rnn_core.finite_differences import SEEDS, examples

CLASSES = 4


def probabilities(draws: np.random.Generator, *shape: int) -> np.ndarray:
    logits = draws.standard_normal((*shape, CLASSES))
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


@examples(10)
@given(seed=SEEDS, one_hot=st.booleans(), steps=st.sampled_from([(), (3,)]), logits=st.booleans())
def test_every_answer_is_counted_once_where_it_belongs(seed, one_hot, steps, logits):
    draws = np.random.default_rng(seed)
    p = probabilities(draws, 20, *steps)
    y = draws.integers(0, CLASSES, (20, *steps))
    figure = pictures.confusion(np.eye(CLASSES)[y] if one_hot else y, np.log(p) if logits else p)
    assert len(figure.axes) == 1 + (not logits)  # of logits it is not said how sure they are
    table = np.zeros((CLASSES, CLASSES), int)
    for text in figure.axes[0].texts:
        column, row = text.get_position()
        table[row, column] = int(text.get_text())
    for true in range(CLASSES):
        for answer in range(CLASSES):
            assert table[true, answer] == ((y == true) & (p.argmax(axis=-1) == answer)).sum()
    assert f"{np.trace(table)} of {y.size} right" in figure.axes[0].get_title(loc="left")


def test_a_model_that_knows_how_sure_it_may_be_lies_on_the_line():
    draws = np.random.default_rng(0)
    p = probabilities(draws, 200_000)
    y = (p.cumsum(axis=-1) > draws.random((len(p), 1))).argmax(axis=-1)  # each class as often as p says
    line = pictures.confusion(y, p).axes[1].lines[1]
    np.testing.assert_allclose(line.get_xdata(), line.get_ydata(), atol=0.02)
    always = pictures.confusion(p.argmax(axis=-1), p).axes[1].lines[1]
    assert (always.get_ydata() == 1).all()


def test_many_classes_are_colours_alone():
    assert not pictures.confusion(np.arange(30), np.eye(30)).axes[0].texts


def test_the_error_of_each_value_stands_beside_that_of_a_constant():
    draws = np.random.default_rng(0)
    y = draws.standard_normal((50, 6))
    p = y + np.array([0, 1, 2, 3, 4, 5.0])
    figure = pictures.several_predictions(y, p)
    *shown, bars = figure.axes
    assert len(shown) == 4
    np.testing.assert_array_equal(shown[2].lines[1].get_ydata(), p[:, 2])
    np.testing.assert_allclose([bar.get_height() for bar in bars.patches], range(6), atol=1e-12)
    np.testing.assert_allclose(bars.lines[0].get_ydata(), y.std(axis=0))


@pytest.mark.parametrize(
    ("draw", "true", "message"),
    [
        (pictures.confusion, [0, 4, 1], "classes from 0 to 3"),
        (pictures.confusion, [0, -1, 1], "classes from 0 to 3"),
        (pictures.confusion, [0, 1], "got 2 for 3"),
        (pictures.several_predictions, np.zeros((3, 3)), "got 12 and 9"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(draw, true, message):
    with pytest.raises(ValueError, match=message):
        draw(true, np.zeros((3, CLASSES)))


def test_a_report_draws_every_output():
    x = Input((3,))
    kinds = {"classes": Dense(CLASSES, "softmax"), "values": Dense(3), "number": Dense(1)}
    model = Model(x, [layer(x) for layer in kinds.values()])
    model.compile("sgd", ["sparse_categorical_crossentropy", "mse", "mae"])
    draws = np.random.default_rng(0)
    data = draws.standard_normal((10, 3))
    y = [draws.integers(0, CLASSES, 10), draws.standard_normal((10, 3)), draws.standard_normal((10, 1))]
    html = "".join(map(str, prediction(model, None, data, y).parts))
    assert html.count("<svg") + html.count("<img") == 3
    assert "Which class is taken for which, of 10 answers" in html
    assert "the first of 3 values" in html
    assert "predictions and what they miss" in html
