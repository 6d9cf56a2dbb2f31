"""Models with several inputs and outputs: fit, evaluate and predict give Keras' numbers, however data is given."""

from __future__ import annotations

import numpy as np
import pytest

import rnn_core
from rnn_core.layers import Input, Masking, SimpleRNN
from rnn_core.models import Model

from ..float64 import keras
from .three_outputs import (
    KIND,
    LEVEL,
    LOSSES,
    ONES,
    PAST,
    PATH,
    STEPS,
    TODAY,
    TOLERANCE,
    WEIGHT,
    N,
    T,
    X,
    Y,
    close,
    pair,
    same_weights,
)

pytestmark = pytest.mark.usefixtures("float64_everywhere")

MASKED = ("dicts", "weighted metrics", "weighted validation", "validation split", "an output without a loss")
"""Cases that are also run with masks."""

BY_NAME = {"kind": KIND, "level": LEVEL, "path": PATH}

CASES = {
    "lists": ({"loss": LOSSES}, {}),
    "tuples": ({"loss": tuple(LOSSES)}, {"x": tuple(X), "y": tuple(Y)}),
    "dicts": (
        {
            "loss": dict(zip(("level", "path", "kind"), LOSSES, strict=True)),
            "loss_weights": {"level": 0.5, "path": 2.0, "kind": 1.5},
            "metrics": {"level": ["mae", "mse"], "kind": "accuracy"},
        },
        {"x": {"today": TODAY, "past": PAST}, "y": BY_NAME},
    ),
    "loss weights": ({"loss": LOSSES, "loss_weights": [0.5, 2, 1.5]}, {}),
    "a loss for all": ({"loss": "mse"}, {"y": [LEVEL, PATH, np.eye(3)[KIND]]}),
    "objects": ({"loss": ["huber", "mse", "sparse_categorical_crossentropy"]}, {}),
    "metrics": ({"loss": LOSSES, "metrics": [["mae"], ["mse", "mae"], ["accuracy"]]}, {}),
    "one metric each": ({"loss": LOSSES, "metrics": ["mae", None, "accuracy"]}, {}),
    "weighted metrics": (
        {"loss": LOSSES, "metrics": [["mae"], [], []], "weighted_metrics": [["mae"], ["mse"], ["accuracy"]]},
        {"sample_weight": [WEIGHT, ONES, WEIGHT[::-1].copy()]},
    ),
    "validation split": ({"loss": LOSSES, "metrics": [["mae"], None, None]}, {"validation_split": 0.25}),
    "validation data": ({"loss": LOSSES}, {"validation_data": ([PAST[:10], TODAY[:10]], [a[:10] for a in Y])}),
    "weighted validation": (
        {"loss": LOSSES},
        {"validation_data": ([PAST[:10], TODAY[:10]], [a[:10] for a in Y], [WEIGHT[:10], ONES[:10] * 2, WEIGHT[:10]])},
    ),
    "weights by list": ({"loss": LOSSES}, {"sample_weight": [WEIGHT, WEIGHT[::-1, None].copy(), WEIGHT + 1]}),
    "weights for all": ({"loss": LOSSES}, {"sample_weight": WEIGHT[:, None]}),
    "an output without a loss": ({"loss": ["mse", None, "sparse_categorical_crossentropy"]}, {}),
    "one output with a loss": ({"loss": ["mse", None, None]}, {}),
}


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # Keras', where an output has no loss
@pytest.mark.parametrize(("case", "masked"), [(c, False) for c in CASES] + [(c, True) for c in MASKED])
def test_training_is_keras_training(case, masked):
    """In whole batches: TensorFlow's Keras counts a smaller last batch as a whole one, in the losses of the outputs."""
    compiled, given = CASES[case]
    given = {"x": X, "y": Y, **given}
    if masked:
        x = given["x"]
        given["x"] = {**x, "past": STEPS} if isinstance(x, dict) else type(x)([STEPS, TODAY])
    ours, theirs = pair(masked)
    results = []
    for model in (ours, theirs):
        model.compile("rmsprop", **compiled)
        history = model.fit(batch_size=5, epochs=2, shuffle=False, verbose=0, **given)
        judged = {name: given[name] for name in ("x", "y", "sample_weight") if name in given}
        evaluated = model.evaluate(batch_size=10, verbose=0, return_dict=True, **judged)
        listed = model.evaluate(batch_size=10, verbose=0, **judged)
        results.append((history.history, evaluated, {"listed": listed}, model.predict(given["x"], verbose=0)))
    same_weights(ours, theirs)
    assert list(results[0][0]) == list(results[1][0])
    for mine, other in zip(results[0][:3], results[1][:3], strict=True):
        close(mine, other)
    for mine, other in zip(results[0][3], results[1][3], strict=True):
        np.testing.assert_allclose(mine, other, **TOLERANCE)


def test_sample_weights_by_the_names_of_the_outputs():
    """(In Keras only a model that was made with a dict of outputs takes a dict of them.)"""
    weights = [WEIGHT, ONES * 2, WEIGHT[::-1].copy()]
    histories = []
    for given in (weights, dict(zip(("level", "path", "kind"), weights, strict=True))):
        model, _ = pair()
        model.compile("sgd", LOSSES)
        histories.append(model.fit(X, Y, sample_weight=given, verbose=0, shuffle=False).history)
    assert histories[0] == histories[1]


def test_single_batches_are_keras():
    ours, theirs = pair()
    for model in (ours, theirs):
        model.compile("sgd", LOSSES, metrics=[["mae"], None, ["accuracy"]])
    for _ in range(2):
        kept = [model.train_on_batch(X, Y, return_dict=True) for model in (ours, theirs)]
        close(*kept)
    ours_test, theirs_test = (
        model.test_on_batch(X, Y, sample_weight=[WEIGHT, ONES, WEIGHT]) for model in (ours, theirs)
    )
    np.testing.assert_allclose(ours_test, theirs_test, **TOLERANCE)
    same_weights(ours, theirs)
    for mine, other in zip(ours.predict_on_batch(X), theirs.predict_on_batch(X), strict=True):
        np.testing.assert_allclose(mine, other, **TOLERANCE)
    for mine, other in zip(ours(X), theirs(X), strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), **TOLERANCE)


def test_logs_have_the_names_that_keras_gives_them():
    seen = []
    for k, model in zip((rnn_core, keras), pair(), strict=True):
        noted: list = []

        class Notes(k.callbacks.Callback):
            def __init__(self, noted):
                super().__init__()
                self.noted = noted

            def on_epoch_end(self, epoch, logs=None):
                self.noted.append(sorted(logs))

            def on_train_batch_end(self, batch, logs=None):
                self.noted.append(sorted(logs))

        model.compile("sgd", LOSSES, metrics=[["mae"], None, None])
        stop = k.callbacks.EarlyStopping("val_kind_loss", patience=1, min_delta=10, mode="min")
        model.fit(
            X, Y, validation_split=0.4, epochs=9, verbose=0, batch_size=8, shuffle=False, callbacks=[Notes(noted), stop]
        )
        seen.append(noted)
    assert seen[0] == seen[1]


def test_predictions_do_not_depend_on_the_batch_size():
    model, _ = pair()
    whole = model.predict(X)
    for size in (1, 5, 64):
        for a, b in zip(model.predict(X, batch_size=size), whole, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    for a, b in zip(model.predict({"past": PAST, "today": TODAY}), whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_dict_of_outputs_is_predicted_as_a_dict():
    made = []
    for k in (rnn_core, keras):
        a = k.Input((3,), name="a")
        layers = [k.layers.Dense(n, kernel_initializer="ones", name=name) for n, name in ((1, "two"), (2, "one"))]
        model = k.Model({"a": a}, {layer.name: layer(a) for layer in layers})
        model.compile("sgd", {"two": "mse", "one": "mae"}, metrics={"one": ["mse"]})
        y = {"one": np.ones((N, 2)), "two": np.ones((N, 1))}
        history = model.fit({"a": TODAY}, y, verbose=0, shuffle=False).history
        made.append((history, model.predict({"a": TODAY}, verbose=0)))
    close(made[0][0], made[1][0])
    assert set(made[0][1]) == set(made[1][1]) == {"one", "two"}
    for name in ("one", "two"):
        np.testing.assert_allclose(made[0][1][name], made[1][1][name], **TOLERANCE)


def test_a_mask_and_an_initial_state():
    """Both count. (In Keras a mask does not reach a layer that is also given a state, unless it is given by hand.)"""
    start = Input((3,), name="start")
    past = Input((T, 2), name="past")
    memory = SimpleRNN(3, return_sequences=True)
    model = Model([past, start], memory(Masking()(past), initial_state=start))
    state = np.random.default_rng(0).normal(size=(N, 3))
    mask = (STEPS != 0).any(-1)
    by_hand = memory(STEPS, mask=mask, initial_state=state)
    np.testing.assert_array_equal(model.predict([STEPS, state]), by_hand)


def test_data_that_does_not_fit_the_inputs_and_outputs_is_refused_by_name():
    model, _ = pair()
    model.compile("sgd", LOSSES)
    for x, y, message in (
        (PAST, Y, r"x must be a list with an entry for each of past, today"),
        ([PAST], Y, r"x must be a list with an entry for each of past, today; got 1 entries"),
        ({"past": PAST, "other": TODAY}, Y, r"x must have the keys past, today"),
        ([PAST, TODAY[:5]], Y, r"all inputs need as many samples"),
        ([PAST, TODAY[:, :2]], Y, r"x\['today'\]: model 'three' expects \(batch, 3\)"),
        (X, [LEVEL, PATH], r"y must be a list with an entry for each of level, path, kind"),
        (X, [LEVEL, PATH[:, :2], KIND], r"output 'path'"),
        (X, [LEVEL[:4], PATH, KIND], r"y\['level'\] must have as many samples"),
        (X, {"level": LEVEL, "path": PATH}, r"y must have the keys level, path, kind"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=r"loss must be a list with an entry for each of the outputs"):
        model.compile("sgd", ["mse", "mae"])
    with pytest.raises(ValueError, match=r"the model has no output 'nobody'"):
        model.compile("sgd", {"nobody": "mse"})
    with pytest.raises(ValueError, match=r"sample_weight must be a list with an entry for each of the outputs"):
        model.fit(X, Y, sample_weight=[WEIGHT, WEIGHT], verbose=0)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"sample_weight\['path'\].*does not fit values"):
        model.fit(X, Y, sample_weight=WEIGHT, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    with pytest.raises(ValueError, match="class_weight is for models with one output"):
        model.fit(X, Y, class_weight={0: 1.0}, verbose=0)


def test_weights_go_through_a_file(tmp_path):
    ours, _ = pair()
    before = ours.predict(X)
    ours.save_weights(tmp_path / "w.weights.npz")
    other, _ = pair(seed=6)
    other.load_weights(tmp_path / "w.weights.npz")
    for a, b in zip(other.predict(X), before, strict=True):
        np.testing.assert_array_equal(a, b)
