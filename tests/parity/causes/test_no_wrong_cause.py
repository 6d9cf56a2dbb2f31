"""What only bypasses a fault is not its cause; where no known one fits none is named; no search ends in an error."""

from __future__ import annotations

import numpy as np
import pytest

from parity import to_keras
from parity.causes.search import find_cause
from parity.checking.run import check
from rnn_core import optimizers
from rnn_core.layers import Dense, Input, SimpleRNN, TimeDistributed
from rnn_core.models import Sequential

from .planted import X, Y, random, stack
from .test_causes_here import another_rho, replaced

ALL_STEPS = np.ones(X.shape[:2], bool)


@replaced(SimpleRNN, "_special_steps")
def louder_with_a_mask(right, self, r):
    right(self, r)
    r.hidden[1:] *= 1.01


@replaced(SimpleRNN, "_special_steps_back")
def louder_on_the_way_back(right, self, r, *given):
    right(self, r, *given)
    r.d_preactivation *= 1.01


@replaced(optimizers.RMSprop, "_update")
def too_long_a_step(right, self, chunk):
    before = chunk.w.copy()
    right(self, chunk)
    chunk.w += 2 * (chunk.w - before)


@replaced(optimizers.RMSprop, "_update")
def larger_weights_in_float32(right, self, chunk):
    right(self, chunk)
    if chunk.w.dtype == np.float32:
        chunk.w *= np.float32(1.1)


@pytest.mark.parametrize(
    ("plant", "optimizer", "given"),
    [
        (louder_with_a_mask, "rmsprop", {"mask": ALL_STEPS}),  # not "ignored mask": nothing is masked
        (louder_on_the_way_back, "rmsprop", {"mask": ALL_STEPS}),
        (too_long_a_step, optimizers.RMSprop(epsilon=0.0), {}),  # not "epsilon outside the root": there is none
        (larger_weights_in_float32, "rmsprop", {}),  # nor here: that change has a step of its own, and no fault in it
    ],
)
def test_a_change_that_only_bypasses_the_fault_is_not_its_cause(plant, optimizer, given, monkeypatch):
    model = stack(optimizer=optimizer)
    assert check(model, X, Y, **given).holds
    plant(monkeypatch)
    report = check(model, X, Y, **given)
    assert not report.holds
    assert find_cause(model, X, Y, **given, report=report) is None


def test_a_state_that_was_reset_on_one_side_is_a_stale_one():
    model = Sequential([Input(batch_shape=X.shape), SimpleRNN(4, stateful=True, name="memory"), Dense(2, name="last")])
    model.compile("rmsprop", "mse")
    model.predict(X)
    keras_model = to_keras(model)
    keras_model.get_layer("memory").reset_state()
    cause = find_cause(model, X, Y, keras_model=keras_model)
    assert cause is not None
    assert (cause.name, cause.place) == ("stale state", "memory")


def test_the_words_for_both_sides(monkeypatch):
    model = stack()
    keras_model = to_keras(model)
    keras_model.optimizer.rho = 0.5
    assert str(find_cause(model, X, Y, keras_model=keras_model)) == "other rho in 'optimizer' (0.9 here, 0.5 in Keras)"
    another_rho(monkeypatch)
    model = stack()
    assert str(find_cause(model, X, Y)) == "other rho in 'optimizer' (0.9 in Keras, 0.99 in rnn_core)"


@pytest.mark.parametrize("around", [lambda layer: layer, TimeDistributed])
def test_constants_that_keras_rounds_inside_other_layers_do_not_hide_a_cause(around):
    layers = [SimpleRNN(4, return_sequences=True, name="memory"), around(Dense(3, "gelu")), Dense(2)]
    model = Sequential([Input(X.shape[1:]), *layers])
    model.compile("rmsprop", "mse")
    keras_model = to_keras(model)
    recurrent_kernel = keras_model.get_layer("memory").weights[1]
    recurrent_kernel.assign(recurrent_kernel.numpy().T)
    cause = find_cause(model, X, random(*X.shape[:2], 2), keras_model=keras_model)
    assert cause is not None
    assert (cause.name, cause.place) == ("transposed recurrent kernel", "memory")


def test_a_change_that_keras_refuses_ends_no_search():
    """An optimizer that was never built is made in float32 beside the weights of the float64 twin."""
    model = stack()
    keras_model = to_keras(model)
    keras_model.optimizer.iterations.assign(77)
    report = check(model, X, Y, keras_model=keras_model)
    assert report.first_bad is not None
    assert find_cause(model, X, Y, keras_model=keras_model, report=report) is None
