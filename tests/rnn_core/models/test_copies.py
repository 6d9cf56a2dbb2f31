"""Copies and pickles go on like the original, with a vector of their own."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import rnn_core
from rnn_core.layers import Dense, Dropout, Input, SimpleRNN
from rnn_core.models import Sequential

from .chain import X, Y, assert_one_vector, make, trained

COPIES = {"pickle": lambda m: pickle.loads(pickle.dumps(m)), "deepcopy": copy.deepcopy, "copy": copy.copy}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd"])
def test_a_copy_goes_on_like_the_original(way, optimizer):
    model = make()
    model.compile(optimizer, "mse", metrics=["mae"], weighted_metrics=["mse"])
    trained(model, sample_weight=np.ones(6))
    again = COPIES[way](model)
    assert_one_vector(again)
    assert not np.shares_memory(again.vector, model.vector)
    assert np.array_equal(again.vector, model.vector)
    assert again.get_config() == model.get_config()
    assert again.get_compile_config() == model.get_compile_config()
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    trained(model)
    assert not np.array_equal(again.vector, model.vector)
    trained(again)
    assert np.array_equal(again.vector, model.vector)
    assert again.optimizer.iterations == model.optimizer.iterations == 8
    for name, slot in model.optimizer.slots.items():
        assert np.array_equal(again.optimizer.slots[name], slot)


@pytest.mark.parametrize("way", COPIES)
def test_models_can_be_copied_in_any_state(way):
    unbuilt = COPIES[way](Sequential([SimpleRNN(2), Dense(1)]))
    assert not unbuilt.built
    assert trained(unbuilt).built
    uncompiled = COPIES[way](make())
    assert not uncompiled.compiled
    trained(uncompiled)
    empty = COPIES[way](Sequential(name="empty"))
    assert (empty.name, empty.layers) == ("empty", [])
    stateful = Sequential([Input(batch_shape=(6, 3, 2)), SimpleRNN(2, stateful=True), Dropout(0.5, seed=1)])
    stateful.predict(X)
    twin = COPIES[way](stateful)
    assert np.array_equal(twin.layers[0].state, stateful.layers[0].state)
    assert not np.shares_memory(twin.layers[0].state, stateful.layers[0].state)
    assert np.array_equal(twin(X, training=True), stateful(X, training=True))


def test_a_pickle_holds_each_weight_once():
    """And no records, gradients or callbacks: only the weights and the optimizer's averages."""
    model = Sequential([Input((64,)), Dense(256), Dense(64)])
    model.compile("rmsprop", "mse")
    x = np.zeros((2000, 64), np.float32)
    model.fit(x, x, verbose=0, callbacks=[rnn_core.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)])
    model.train_on_batch(x, x)
    model.predict(x)
    assert len(pickle.dumps(model)) < 2 * model.vector.nbytes + 20_000
