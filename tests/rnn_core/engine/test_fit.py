"""``fit`` does with data what Keras' does: the same code runs on both, and every number is compared in float64."""

from __future__ import annotations

import numpy as np
import pytest

import rnn_core

from . import small_models as small
from .twins import (
    BINARY,
    LABELS,
    ONE_HOT,
    SPARSE,
    VW,
    VX,
    VY,
    Y_SEQUENCE,
    W,
    X,
    Y,
    assert_same,
    assert_same_weights,
    optimizer,
    rmsprop,
    started,
    twins,
)

pytestmark = pytest.mark.usefixtures("float64_everywhere")

BOTH = {"metrics": ["mae"], "weighted_metrics": ["mae", "mse"]}
BCE = rmsprop(loss="binary_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
ONE = rmsprop(loss="categorical_crossentropy", metrics=["accuracy"])

CASES = {
    "last batch smaller, split": (small.relu_and_dense, rmsprop(metrics=["mae", "mse"]), Y, {"validation_split": 0.25}),
    "targets (N,), validation of 2": (
        small.plain, rmsprop(metrics=["mae"]), Y[:, 0], {"validation_data": (VX, VY[:, 0])}
    ),
    "validation of 3, weighted metrics": (small.plain, rmsprop(**BOTH), Y, {"validation_data": (VX, VY, VW)}),
    "validation batches": (small.plain, rmsprop(), Y, {"validation_data": [VX, VY], "validation_batch_size": 2}),
    "sample weights": (small.plain, rmsprop(**BOTH), Y, {"sample_weight": W}),
    "sample weights and split": (small.plain, rmsprop(**BOTH), Y, {"sample_weight": W, "validation_split": 0.4}),
    "class weights, binary, split": (
        small.binary, BCE, BINARY, {"class_weight": {0: 0.3, 1: 4.0}, "validation_split": 0.3}
    ),
    "class weights, labels": (small.classes, SPARSE, LABELS, {"class_weight": {0: 0.5, 2: 3.0}}),
    "class weights, one-hot": (
        small.classes, ONE, ONE_HOT, {"class_weight": {1: 0.5}, "validation_data": (VX, ONE_HOT[:5])}
    ),
    "from epoch 2, every 2nd": (
        small.plain, rmsprop(), Y, {"initial_epoch": 1, "epochs": 4, "validation_freq": 2, "validation_split": 0.3}
    ),
    "validation after chosen epochs": (small.plain, rmsprop(), Y, {"validation_freq": [1, 3], "validation_split": 0.3}),
    "nothing to do": (small.plain, rmsprop(), Y, {"initial_epoch": 3}),
    "regularizers": (small.penalised, rmsprop(metrics=["mse"]), Y, {"validation_split": 0.3}),
    "constraints": (small.confined, optimizer("SGD", learning_rate=0.2, momentum=0.5), Y, {}),
    "sequences": (small.sequence, rmsprop(loss="mae", metrics=["mse"]), Y_SEQUENCE, {"validation_split": 0.3}),
    "stateful": (small.stateful, rmsprop(), Y[:8], {"x": X[:8]}),
    "SGD, Nesterov, clipped": (small.plain, optimizer("SGD", momentum=0.875, nesterov=True, clipnorm=0.1), Y, {}),
    "Adam": (small.plain, optimizer("Adam", beta_1=0.75, beta_2=0.875), Y, {}),
    "by name": (small.plain, {"optimizer": "rmsprop", "loss": "huber", "metrics": ["MeanSquaredError", "mse"]}, Y, {}),
    "RMSprop, momentum, EMA": (
        small.plain,
        optimizer("RMSprop", momentum=0.5, centered=True, use_ema=True, ema_momentum=0.75, weight_decay=0.125),
        Y,
        {},
    ),
    "schedule": (
        small.plain,
        lambda k: {
            "optimizer": k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5, staircase=True)),
            "loss": "mse",
        },
        Y,
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fit_is_keras(case):
    layers, compiled, y, given = CASES[case]
    batch = 4
    theirs, ours = twins(layers, compiled, batch=batch if layers is small.stateful else None)
    arguments = {"x": X, "y": y, "batch_size": batch, "epochs": 3, "shuffle": False, "verbose": 0, **given}
    expected = theirs.fit(**arguments)
    history = ours.fit(**arguments)
    assert_same(history.history, expected.history)
    assert history.epoch == expected.epoch
    assert_same_weights(ours, theirs)


def test_training_by_hand_is_fit():
    """Batch by batch, then all at once: the same weights, bit for bit."""
    ours, by_hand = (started(rnn_core, small.penalised, rmsprop(metrics=["mae"])) for _ in range(2))
    history = ours.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for epoch in range(3):
        losses = [by_hand.train_on_batch(X[i : i + 4], Y[i : i + 4])[0] * len(X[i : i + 4]) for i in (0, 4, 8)]
        assert history.history["loss"][epoch] == pytest.approx(sum(losses) / 11, rel=1e-14)
    assert np.array_equal(ours.vector, by_hand.vector)


def test_frozen_layers_stay_and_the_rest_moves_as_in_keras():
    theirs, ours = twins(small.relu_and_dense, rmsprop())
    before = ours.get_weights()
    for frozen in (1, 0):
        for model in (theirs, ours):
            for i, layer in enumerate(model.layers):
                layer.trainable = i != frozen
            model.compile("rmsprop", "mse", run_eagerly=True)  # Keras' optimizers don't take other weights later
            model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        assert_same_weights(ours, theirs)
        if frozen == 1:
            for index, (old, new) in enumerate(zip(before, ours.get_weights(), strict=True)):
                assert np.array_equal(old, new) == (index in (3, 4))
    assert len(ours.trainable_weights) == len(theirs.trainable_weights) == 4
    assert len(ours.non_trainable_weights) == len(theirs.non_trainable_weights) == 3


def test_with_every_layer_frozen_no_step_is_counted_as_in_keras():
    theirs, ours = twins(small.plain, rmsprop())
    before = ours.vector.copy()
    for model in (theirs, ours):
        for layer in model.layers:
            layer.trainable = False
        model.compile("rmsprop", "mse", run_eagerly=True)
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        expected = theirs.fit(X, Y, epochs=2, verbose=0).history
    assert_same(ours.fit(X, Y, epochs=2, verbose=0).history, expected)
    assert ours.optimizer.iterations == theirs.optimizer.iterations == 0
    assert np.array_equal(ours.vector, before)


def test_fit_goes_on_where_it_stopped():
    once, twice = (started(rnn_core, small.plain, optimizer("Adam", learning_rate=0.05)) for _ in range(2))
    settings = {"batch_size": 4, "shuffle": False, "verbose": 0}
    losses = once.fit(X, Y, epochs=5, **settings).history["loss"]
    first = twice.fit(X, Y, epochs=2, **settings).history["loss"]
    second = twice.fit(X, Y, epochs=5, initial_epoch=2, **settings)
    assert losses == first + second.history["loss"]
    assert second.epoch == [2, 3, 4]
    assert np.array_equal(once.vector, twice.vector)


def test_a_shuffled_epoch_is_one_batch_order_of_the_same_data():
    """With one batch an epoch the order of samples in it changes nothing but rounding."""
    ordered, shuffled = (started(rnn_core, small.plain, rmsprop()) for _ in range(2))
    settings = {"batch_size": 11, "epochs": 4, "sample_weight": W, "verbose": 0}
    a = ordered.fit(X, Y, shuffle=False, **settings).history["loss"]
    b = shuffled.fit(X, Y, shuffle=True, **settings).history["loss"]
    np.testing.assert_allclose(a, b, rtol=1e-12)
