"""A loss that turns NaN or infinite while training is explained: in which epoch, batch, layer and array first."""

from __future__ import annotations

import re

import numpy as np
import pytest

import rnn_core
from rnn_core import optimizers
from rnn_core.engine.nonfinite import NonFiniteError
from rnn_core.layers import Activation, Dense, Input, SimpleRNN
from rnn_core.models import Sequential

X = np.zeros((8, 3, 2), np.float32)
Y = np.zeros((8, 1), np.float32)


def unstable(*layers, optimizer="sgd", loss="mse"):
    model = Sequential([Input((3, 2)), *layers])
    for index, weight in enumerate(model.weights):
        weight[...] = np.random.default_rng(index).normal(size=weight.shape)
    model.compile(optimizer, loss)
    return model


def test_a_huge_learning_rate_is_explained_by_the_step_that_was_taken():
    model = unstable(SimpleRNN(4, name="memory"), Dense(1, name="out"), optimizer=optimizers.SGD(1e38))
    epochs = []
    note = rnn_core.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    with pytest.raises(NonFiniteError) as caught:
        model.fit(X + 1, Y + 1, batch_size=4, epochs=50, verbose=0, callbacks=[note])
    said = str(caught.value)
    found = re.match(r"Training stopped in epoch (\d+), batch (\d): the loss is (inf|nan)", said)
    assert found
    assert int(found[1]) == len(epochs) + 1
    assert int(found[2]) in (1, 2)
    assert "smaller learning rate" in said
    assert isinstance(caught.value, ValueError)


def test_weights_that_overflow_are_named_with_the_batch_before():
    model = unstable(Dense(1, name="out"), optimizer=optimizers.SGD(3e38))
    with pytest.raises(
        NonFiniteError, match=r"epoch 1, batch 2: .* weight '(kernel|bias)' of layer 'out' is no longer"
    ):
        model.fit(X + 1, np.ones((8, 3, 1)) * 1e6, batch_size=4, verbose=0)


def test_of_several_weights_that_overflow_the_one_next_to_the_loss_is_named():
    model = unstable(Dense(3, name="first"), Dense(1, name="last"), optimizer=optimizers.SGD(3e38))
    with pytest.raises(NonFiniteError, match="because weight 'kernel' of layer 'last' is no longer finite"):
        model.fit(X + 1, np.ones((8, 3, 1)) * 1e6, batch_size=4, verbose=0)
    assert not np.isfinite(model.layers[0].kernel).all()


def test_a_forward_pass_that_explodes_names_layer_array_and_time_step():
    """|h| grows by 1e15 a step: 1e15, 1e30, then infinity at the third step, hidden[3]."""
    model = unstable(
        SimpleRNN(4, activation="relu", name="memory"), Activation("linear"), Dense(1, name="out"), optimizer="sgd"
    )
    memory = model.layers[0]
    memory.kernel[...], memory.recurrent_kernel[...] = 1e15, np.eye(4) * 1e15
    before = model.vector.copy()
    message = (
        r"epoch 1, batch 1: the loss is (nan|inf); the first array that is not finite is '(\w+)' of layer 'memory'"
    )
    with pytest.raises(NonFiniteError, match=message) as caught:
        model.fit(X + 1, Y, batch_size=4, verbose=0)
    assert re.search(r"'hidden' of layer 'memory', at index \(3, 0, 0\) of shape \(4, 4, 4\)", str(caught.value))
    assert np.array_equal(model.vector, before)


def test_a_later_layer_that_overflows_first_is_the_one_named():
    model = unstable(SimpleRNN(4, name="memory"), Dense(5, name="middle"), Dense(1, name="out"))
    model.layers[1].kernel[...] = 3e38
    with pytest.raises(NonFiniteError, match=r"the first array that is not finite is '\w+' of layer 'middle'"):
        model.fit(X + 1, Y, verbose=0)


def test_huge_targets_overflow_in_the_loss():
    model = unstable(SimpleRNN(4), Dense(1))
    before = model.vector.copy()
    bad = Y.copy()
    bad[-1] = 1e30
    message = "epoch 1, batch 2: the loss is inf although every output is finite: the loss itself overflowed"
    with pytest.raises(NonFiniteError, match=message):
        model.fit(X, bad, batch_size=4, shuffle=False, verbose=0)
    assert not np.array_equal(model.vector, before)  # batch 1 was fine


def test_a_penalty_that_overflows_is_not_blamed_on_the_outputs():
    model = unstable(Dense(1, kernel_regularizer="l2"))
    model.layers[0].kernel[...] = 1e25
    with pytest.raises(NonFiniteError, match="every output is finite: the loss itself or a regularizer overflowed"):
        model.fit(X, np.zeros((8, 3, 1)), verbose=0)


def test_a_loss_outside_its_domain_is_not_blamed_on_the_outputs():
    model = unstable(Dense(1), loss="poisson")  # the logarithm of a negative output
    model.layers[0].bias[...] = -5
    with pytest.raises(
        NonFiniteError, match=r"the loss is nan although every output is finite: .* is not defined there"
    ):
        model.fit(X, np.ones((8, 3, 1)), verbose=0)


def test_single_batches_explain_as_well():
    model = unstable(SimpleRNN(4), Dense(1))
    before = model.vector.copy()
    with pytest.raises(NonFiniteError, match=r"^the loss is inf although every output is finite"):
        model.train_on_batch(X, Y + 1e30)
    assert np.array_equal(model.vector, before)


def test_the_epoch_and_batch_named_are_those_of_the_bad_batch():
    """The rate is raised after batch 1 of epoch 3: batch 2 takes the bad step, batch 3 has the bad loss."""
    model = unstable(Dense(1, name="out"), optimizer=optimizers.SGD(1e-3))
    at = []

    def raise_rate(batch, logs):
        at.append(batch)
        if len(at) == 7:
            model.optimizer.learning_rate = 1e38

    callback = rnn_core.callbacks.LambdaCallback(on_train_batch_end=raise_rate)
    with pytest.raises(NonFiniteError, match=r"Training stopped in epoch 3, batch 3: .* in the batch before\."):
        model.fit(X + 1, np.ones((8, 3, 1)) * 100, batch_size=3, epochs=9, verbose=0, callbacks=[callback])
    assert len(at) == 8


def test_weights_that_are_bad_before_training_are_not_blamed_on_a_step():
    model = unstable(SimpleRNN(4, name="memory"), Dense(1))
    model.layers[0].recurrent_kernel[1, 2] = np.nan
    with pytest.raises(ValueError, match="fit: weight 'recurrent_kernel' of layer 'memory' holds NaN or infinity"):
        model.fit(X, Y, verbose=0)


def test_weights_that_overflow_in_the_last_batch_do_not_end_fit_in_silence():
    model = unstable(Dense(1, name="out"), optimizer=optimizers.SGD(3e38))
    with pytest.raises(NonFiniteError, match=r"at the end of epoch 1: weight '(kernel|bias)' of layer 'out'"):
        model.fit(X + 1, np.ones((8, 3, 1)) * 1e6, verbose=0)
    assert model.history.history == {}


def test_training_that_fails_leaves_errors_of_numpy_as_they_were():
    before = np.geterr()
    with pytest.raises(NonFiniteError):
        unstable(SimpleRNN(4), Dense(1)).fit(X, Y + 1e30, verbose=0)
    assert np.geterr() == before
