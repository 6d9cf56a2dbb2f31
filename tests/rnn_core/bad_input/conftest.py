"""A small model, and what bad input must leave of it."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential


@pytest.fixture
def model():
    model = Sequential([Input((3, 2)), SimpleRNN(4, name="memory"), Dense(1, name="out")], name="m")
    model.compile("rmsprop", "mse")
    return model


@pytest.fixture
def unchanged(model):
    """After the test the weights must be what they were, and no callback may have run."""
    model.vector[...] = np.linspace(-1, 1, model.vector.size)
    before = model.vector.copy()
    yield
    assert np.array_equal(model.vector, before)
    assert model.history is None
    assert model.optimizer.iterations == 0
