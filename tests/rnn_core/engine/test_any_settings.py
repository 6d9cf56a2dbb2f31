"""``fit`` beside live Keras with settings that Hypothesis draws, and with every callback that changes the training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_core

from . import small_models as small
from .twins import (
    BINARY,
    LABELS,
    VX,
    VY,
    W,
    X,
    Y,
    assert_same,
    assert_same_weights,
    keras,
    optimizer,
    rmsprop,
    started,
    twins,
)

pytestmark = pytest.mark.usefixtures("float64_everywhere")

PROBLEMS = {
    "values": (small.plain, "mse", "mae", Y),
    "relu": (small.relu_and_dense, "huber", "mse", Y),
    "penalised": (small.penalised, "mae", "mse", Y),
    "confined": (small.confined, "mse", "mae", Y),
    "masked": (small.masked, "mse", "mae", Y),
    "binary": (small.binary, "binary_crossentropy", "accuracy", BINARY),
    "classes": (small.classes, "sparse_categorical_crossentropy", "accuracy", LABELS),
}
OPTIMIZERS = [
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.75, "nesterov": True, "clipnorm": 0.5}),
    ("Adam", {"learning_rate": 0.02, "beta_1": 0.75, "beta_2": 0.875, "amsgrad": True, "use_ema": True}),
    ("AdamW", {"learning_rate": 0.02, "beta_1": 0.75, "beta_2": 0.875, "weight_decay": 0.125}),
]


@settings(max_examples=20, deadline=None)
@given(
    problem=st.sampled_from(list(PROBLEMS)),
    optimizer=st.sampled_from(OPTIMIZERS),
    batch_size=st.sampled_from([None, 1, 3, 4, 11, 64]),
    epochs=st.integers(1, 3),
    split=st.sampled_from([0.0, 0.2, 0.5]),
    weights=st.sampled_from(["", "samples", "classes"]),
    frequency=st.sampled_from([1, 2, [1, 3]]),
    metrics=st.sampled_from(["metrics", "weighted_metrics"]),
)
def test_history_and_weights_are_keras(problem, optimizer, batch_size, epochs, split, weights, frequency, metrics):
    layers, loss, metric, y = PROBLEMS[problem]
    name, options = optimizer

    def compiled(k):
        return {"optimizer": getattr(k.optimizers, name)(**options), "loss": loss, metrics: [metric]}

    theirs, ours = twins(layers, compiled)
    given = {"x": X, "y": y, "batch_size": batch_size, "epochs": epochs, "shuffle": False, "verbose": 0}
    given |= {"validation_split": split, "validation_freq": frequency} if split else {}
    if weights == "samples":
        given["sample_weight"] = W
    elif weights and problem in ("binary", "classes"):
        given["class_weight"] = {0: 0.3, 1: 4.0}
    assert_same(ours.fit(**given).history, theirs.fit(**given).history)
    assert_same_weights(ours, theirs)


CALLBACKS = {
    "EarlyStopping": lambda c: c.EarlyStopping("val_loss", patience=2, restore_best_weights=True),
    "ReduceLROnPlateau": lambda c: c.ReduceLROnPlateau("val_loss", factor=0.25, patience=1, min_lr=0.01),
    "LearningRateScheduler": lambda c: c.LearningRateScheduler(lambda epoch, rate: rate * (0.5 if epoch % 2 else 1.5)),
    "TerminateOnNaN": lambda c: c.TerminateOnNaN(),
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_change_the_training_as_in_keras(name):
    compiled = optimizer("SGD", learning_rate=0.25, momentum=0.75)
    (theirs, ours), histories = twins(small.plain, compiled), []
    for model, k in ((ours, rnn_core), (theirs, keras)):
        histories.append(
            model.fit(
                X, Y, batch_size=4, epochs=9, shuffle=False, verbose=0, validation_data=(VX, VY),
                callbacks=[CALLBACKS[name](k.callbacks)],
            )
        )  # fmt: skip
    assert_same(histories[0].history, histories[1].history)
    assert_same_weights(ours, theirs)
    plain = started(rnn_core, small.plain, compiled)
    plain.fit(X, Y, batch_size=4, epochs=9, shuffle=False, verbose=0)
    assert np.array_equal(plain.vector, ours.vector) == (name == "TerminateOnNaN")  # the others did change it


def test_two_callbacks_at_once_are_keras():
    (theirs, ours), histories = twins(small.relu_and_dense, rmsprop()), []
    for model, k in ((ours, rnn_core), (theirs, keras)):
        both = [CALLBACKS[name](k.callbacks) for name in ("ReduceLROnPlateau", "EarlyStopping")]
        more = {"validation_split": 0.25, "sample_weight": W, "callbacks": both}
        histories.append(model.fit(X, Y, batch_size=3, epochs=12, shuffle=False, verbose=0, **more))
    assert_same(histories[0].history, histories[1].history)
    assert_same_weights(ours, theirs)
