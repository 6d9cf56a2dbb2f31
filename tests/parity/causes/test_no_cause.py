"""Where no known cause fits, none is named; nor where a change would only go around the code that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from parity import to_keras
from parity.causes.cause import names
from parity.causes.search import find_cause
from parity.checking.run import check
from rnn_core import losses, optimizers
from rnn_core.layers import Dense, SimpleRNN

from .planted import BATCH, TIMESTEPS, X, Y, epsilon_outside, keras, ops, random, stack, weights_changed
from .test_causes_here import cause_here, rate_times, replaced

# Faults of the Keras model.


def scaled(model):
    keras_model = to_keras(model)
    layer = keras_model.get_layer("middle")
    call = layer.call
    layer.call = lambda x, training=None: 1.001 * call(x)
    return keras_model


def step_lengthened(model):
    keras_model = to_keras(model)
    optimizer = keras_model.optimizer
    apply = optimizer.apply
    optimizer.apply = lambda gradients, *others: apply([1.01 * g + 0.01 for g in gradients], *others)
    return keras_model


def one_weight_moved(w):
    w[1, 2] += 0.01 * random(1, seed=5)[0]
    return w


def cube_for_elu(model):
    """An activation that Keras does not have."""
    keras_model = to_keras(model)
    dense = keras_model.get_layer("middle")
    dense.call = lambda x, training=None: (ops.matmul(x, dense._kernel) + dense.bias) ** 3
    return keras_model


UNKNOWN = [
    scaled,
    step_lengthened,
    cube_for_elu,
    weights_changed("upper", 1, lambda w: w + 1e-3),
    weights_changed("upper", 1, one_weight_moved),
    weights_changed("lower", 0, lambda w: w[::-1]),
]


@pytest.mark.parametrize("plant", UNKNOWN)
def test_a_fault_of_no_known_kind_has_no_cause(plant):
    model = stack()
    keras_model = plant(model)
    report = check(model, X, Y, keras_model=keras_model, dtypes=["float64"], draws=0)
    assert not report.holds
    assert find_cause(model, X, Y, keras_model=keras_model, report=report) is None
    assert report.cause == ""


def test_a_result_rounded_too_often_in_float32_has_no_cause(monkeypatch):
    """It is a fault, but no change mends it more than doing nothing does."""
    forward = Dense.forward

    def rounded(self, r, x, training=False):
        y = forward(self, r, x, training)
        if self.name == "middle" and y.dtype == np.float32:
            y[...] = y.astype(np.float16)
        return y

    monkeypatch.setattr(Dense, "forward", rounded)
    model = stack(dtype="float32")
    report = check(model, X, draws=0)
    assert not report.holds
    assert find_cause(model, X, report=report) is None


# Faults of our own code.


@replaced(Dense, "forward")
def a_little_more(right, self, *given):
    output = right(self, *given)
    return output + 0.01 * output**2 if self.name == "middle" else output


@replaced(SimpleRNN, "_special_steps")
def masked_steps_wrong(right, self, r):
    right(self, r)
    r.hidden[1:] *= 1.01


@replaced(SimpleRNN, "_special_steps_back")
def masked_steps_wrong_back(right, self, r, *given):
    right(self, r, *given)
    r.d_preactivation *= 1.01


@replaced(optimizers.RMSprop, "_update")
def wrong_in_float32(right, self, chunk):
    right(self, chunk)
    if chunk.w.dtype == np.float32:
        chunk.w[...] *= np.float32(1.1)


@pytest.mark.parametrize("plant", [masked_steps_wrong, masked_steps_wrong_back])
def test_a_fault_under_a_mask_that_masks_nothing_is_no_ignored_mask(plant, monkeypatch):
    model = stack()
    plant(monkeypatch)
    assert cause_here(model, mask=np.ones((BATCH, TIMESTEPS), bool)) is None


@pytest.mark.parametrize("epsilon", [0.0, 1e-7, 0.1])
def test_a_step_of_wrong_length_is_no_epsilon_outside_the_root(epsilon, monkeypatch):
    model = stack(optimizers.RMSprop(epsilon=epsilon))
    rate_times(3)(monkeypatch)
    assert cause_here(model) is None


@pytest.mark.parametrize("settings", [{}, {"learning_rate": 0.5, "epsilon": 0.01}])
def test_nor_is_a_fault_of_float32_alone(settings, monkeypatch):
    model = stack(optimizers.RMSprop(**settings), dtype="float32")
    wrong_in_float32(monkeypatch)
    assert cause_here(model, ("float64", "float32")) is None


def test_where_both_sides_are_wrong_nothing_is_named(monkeypatch):
    """Epsilon outside the root is in Keras, and planted here it would hide that our own step is wrong, too."""
    model = stack()
    keras_model = epsilon_outside(model)
    rate_times(3)(monkeypatch)
    assert cause_here(model, keras_model=keras_model) is None


def test_a_fault_here_of_no_known_kind_has_no_cause(monkeypatch):
    model = stack()
    a_little_more(monkeypatch)
    assert cause_here(model) is None


@pytest.mark.filterwarnings("ignore:.*from_logits=True")
def test_where_nothing_is_masked_no_ignored_mask_is_named():
    """Keras takes a sigmoid before from_logits=True otherwise than rnn_core; the loss has no mask to ignore."""
    model = stack(loss=losses.BinaryFocalCrossentropy(from_logits=True))
    keras_model = to_keras(model)
    keras_model.get_layer("last").activation = keras.activations.sigmoid
    binary = (Y > 0).astype(float)
    report = check(model, X, binary, keras_model=keras_model, dtypes=["float64"], draws=0)
    assert not report.holds
    assert "ignored mask" not in set(names(find_cause(model, X, binary, keras_model=keras_model, report=report)))
