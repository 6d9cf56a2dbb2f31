"""Faults in our own code are found AND named: Keras with the same fault agrees with it."""

from __future__ import annotations

import numpy as np
import pytest

from parity.causes.cause import MORE_THAN_ONE, names
from parity.causes.search import find_cause
from parity.checking.run import check
from rnn_core import activations, losses, optimizers
from rnn_core.layers import Dense, Dropout, SimpleRNN

from .planted import BATCH, MASK, STATE, TIMESTEPS, Y_SEQUENCE, X, Y, stack


def replaced(cls, method):
    """Replace a method by ``wrong(right, self, ...)``."""

    def decorate(wrong):
        def plant(monkeypatch):
            right = getattr(cls, method)
            monkeypatch.setattr(cls, method, lambda self, *given, **named: wrong(right, self, *given, **named))

        return plant

    return decorate


def all_of(*plants):
    def plant(monkeypatch):
        for one in plants:
            one(monkeypatch)

    return plant


@replaced(SimpleRNN, "forward")
def mask_ignored(right, self, r, x, training=False):
    mask, r.mask = r.mask, None
    output = right(self, r, x, training)
    r.mask = mask
    r.output_mask = mask if self.return_sequences else None
    return output


@replaced(SimpleRNN, "forward")
def mask_unreversed(right, self, r, x, training=False):
    mask = r.mask
    r.mask = mask[:, ::-1] if self.go_backwards and mask is not None else mask
    output = right(self, r, x, training)
    r.mask = mask
    r.output_mask = mask if self.return_sequences else None
    return output


@replaced(SimpleRNN, "forward")
def state_ignored(right, self, r, x, training=False):
    r.initial_state = np.zeros_like(r.hidden[0])
    return right(self, r, x, training)


@replaced(SimpleRNN, "backward")
def no_gradient_of_the_state(right, self, r, d_output):
    d_input = right(self, r, d_output)
    r.d_hidden.fill(0)
    return d_input


@replaced(SimpleRNN, "forward")
def state_stale(right, self, r, x, training=False):
    if self.name == "lower":
        r.initial_state = None
        right(self, r, x, False)
        r.initial_state = r.last_hidden.copy()
    return right(self, r, x, training)


@replaced(SimpleRNN, "forward")
def time_reversed(right, self, r, x, training=False):
    return right(self, r, x[:, ::-1] if self.name == "upper" else x, training)


@replaced(SimpleRNN, "backward")
def time_reversed_back(right, self, r, d_output):
    d_input = right(self, r, d_output)
    return d_input[:, ::-1] if self.name == "upper" and d_input is not None else d_input


@replaced(SimpleRNN, "forward")
def always_drops_out(right, self, r, x, training=False):
    return right(self, r, x, True)


@replaced(Dropout, "forward")
def dropout_always_on(right, self, r, x, training=False):
    return right(self, r, x, True)


def with_bias(self, change, call, *given):
    """Call with the bias of the layer `last` changed, and put it back."""
    if self.name != "last":
        return call(self, *given)
    kept = self.bias.copy()
    self.bias[...] = change(kept)
    result = call(self, *given)
    self.bias[...] = kept
    return result


@replaced(Dense, "forward")
def bias_left_out(right, self, *given):
    return with_bias(self, np.zeros_like, right, *given)


@replaced(Dense, "backward")
def no_gradient_of_the_bias(right, self, r, d_output):
    d_input = right(self, r, d_output)
    if self.name == "last":
        r.d_bias[...] = 0
    return d_input


@replaced(losses.MeanSquaredError, "value_and_gradient")
def loss_without_mask(right, self, y, y_pred, d, weight=None, mask=None):
    return right(self, y, y_pred, d, weight, None)


@replaced(losses.MeanSquaredError, "value_and_gradient")
def loss_without_weights(right, self, y, y_pred, d, weight=None, mask=None):
    return right(self, y, y_pred, d, None, mask)


def epsilon_outside_of(rho):
    @replaced(optimizers.RMSprop, "_update")
    def outside(right, self, chunk):
        v = chunk.slots[0]
        v[...] = rho * v + (1 - rho) * chunk.g**2
        chunk.w[...] -= self._lr * chunk.g / (np.sqrt(v) + self.epsilon)

    return outside


epsilon_outside = epsilon_outside_of(0.9)


@replaced(optimizers.RMSprop, "build")
def another_rho(right, self, *given):
    right(self, *given)
    self._rho, self._one_minus_rho = self._scalar(0.99), self._scalar(0.01)


@replaced(SimpleRNN, "forward")
def recurrent_kernel_transposed(right, self, r, x, training=False):
    kept = self.recurrent_kernel.copy()
    self.recurrent_kernel[...] = kept.T if self.name == "upper" else kept
    output = right(self, r, x, training)
    self.recurrent_kernel[...] = kept
    return output


def reread(x):
    return x.reshape(TIMESTEPS, BATCH, -1).swapaxes(0, 1)


def reread_back(x):
    return np.ascontiguousarray(x.swapaxes(0, 1)).reshape(x.shape)


def batch_major(there, back):
    @replaced(SimpleRNN, "forward")
    def forward(right, self, r, x, training=False):
        return right(self, r, there(x), training)

    @replaced(SimpleRNN, "backward")
    def backward(right, self, r, d_output):
        d_input = right(self, r, d_output)
        return None if d_input is None else back(d_input)

    return all_of(forward, backward)


@replaced(losses.MeanSquaredError, "value_and_gradient")
def summed_over_all(right, self, y, y_pred, d, weight=None, mask=None):
    mean = right(self, y, y_pred, d, weight, mask)
    d *= y.size
    return mean * y.size


def rate_times(factor):
    @replaced(optimizers.RMSprop, "_update")
    def scaled(right, self, chunk):
        before = chunk.w.copy()
        right(self, chunk)
        chunk.w[...] = before + factor * (chunk.w - before)

    return scaled


def tanh_for_sigmoid(monkeypatch):
    wrong, tanh = type(activations.get("sigmoid")), activations.get("tanh")
    monkeypatch.setattr(wrong, "forward", lambda self, a, out: tanh.forward(a, out))
    monkeypatch.setattr(wrong, "backward", lambda self, *given: tanh.backward(*given))


WEIGHTS = np.array([0.5, 2.0, 1.0, 0.25])
SEQUENCES = {"upper": {"return_sequences": True}}
FAULTS = [
    ("ignored mask", "lower", mask_ignored, {}, {"mask": MASK}),
    ("unreversed mask", "lower", mask_unreversed, {"go_backwards": True}, {"mask": MASK}),
    ("initial state ignored", "lower", all_of(state_ignored, no_gradient_of_the_state), {}, {"initial_state": STATE}),
    ("stale state", "lower", state_stale, {}, {}),
    ("time-reversed input", "upper", all_of(time_reversed, time_reversed_back), {}, {}),
    ("dropout left on", "dropout", dropout_always_on, {"rate": 0.4}, {}),
    ("dropout left on", "lower", always_drops_out, {"dropout": 0.3, "recurrent_dropout": 0.4, "seed": 1}, {}),
    ("missing bias", "last", all_of(bias_left_out, no_gradient_of_the_bias), {}, {}),
    ("transposed recurrent kernel", "upper", recurrent_kernel_transposed, {}, {"y": None}),
    ("other activation", "middle", tanh_for_sigmoid, {"activation": "sigmoid"}, {}),
    ("ignored mask", "loss", loss_without_mask, SEQUENCES, {"mask": MASK, "y": Y_SEQUENCE}),
    ("ignored sample weights", "loss", loss_without_weights, {}, {"sample_weight": WEIGHTS}),
    ("epsilon outside the root", "optimizer", epsilon_outside, {}, {}),
    ("other rho", "optimizer", another_rho, {}, {}),
    ("other learning rate", "optimizer", rate_times(10), {}, {}),
    ("sum for mean loss", "loss", summed_over_all, {}, {}),
    ("missing bias", "last", bias_left_out, {}, {}),  # in the forward pass alone
    ("transposed recurrent kernel", "upper", recurrent_kernel_transposed, {}, {}),
]


@pytest.mark.parametrize(
    ("name", "place", "plant", "made_with", "given"), FAULTS, ids=[f"{f[0]}, {f[1]}" for f in FAULTS]
)
def test_a_fault_here_is_named(name, place, plant, made_with, given, monkeypatch):
    model = stack(**made_with)
    plant(monkeypatch)
    cause = cause_here(model, **given)
    assert cause is not None
    assert (cause.name, cause.place) == (name, place)


def cause_here(model, dtypes=("float64",), keras_model=None, **batch):
    """Return the cause that is found for what does not hold."""
    batch = {"x": X, "y": Y, **batch}
    report = check(model, **batch, keras_model=keras_model, dtypes=dtypes, draws=0)
    assert not report.holds
    return find_cause(model, **batch, keras_model=keras_model, report=report)


@pytest.mark.parametrize(
    ("plant", "text"),
    [
        (another_rho, "other rho in 'optimizer' (0.99 in rnn_core, 0.9 in Keras)"),
        (rate_times(10), "other learning rate in 'optimizer' (10 times as set in rnn_core, as set in Keras)"),
        (summed_over_all, "sum for mean loss in 'loss' (over all elements, in rnn_core)"),
        (bias_left_out, "missing bias in 'last' (in the forward pass, in rnn_core)"),
        (batch_major(reread, reread_back), "batch-major for time-major in 'lower' (in rnn_core, in 2 layers)"),
        (batch_major(reread_back, reread), "batch-major for time-major in 'lower' (in rnn_core, in 2 layers)"),
    ],
)
def test_the_detail_says_what_is_in_which_engine(plant, text, monkeypatch):
    model = stack()
    plant(monkeypatch)
    assert str(cause_here(model)) == text


@pytest.mark.parametrize(
    ("plants", "both"),
    [
        ((epsilon_outside, rate_times(10)), {"epsilon outside the root", "other learning rate"}),
        ((epsilon_outside_of(0.99),), {"epsilon outside the root", "other rho"}),
    ],
)
def test_two_faults_here_are_more_than_one(plants, both, monkeypatch):
    model = stack()
    all_of(*plants)(monkeypatch)
    cause = cause_here(model)
    assert cause is not None
    assert (cause.name, set(names(cause))) == (MORE_THAN_ONE, both)


def test_a_fault_here_in_float32_alone_is_named(monkeypatch):
    model = stack(optimizers.RMSprop(0.5, epsilon=0.01), dtype="float32")
    right = optimizers.RMSprop._update

    def wrong(self, chunk):
        if chunk.w.dtype == np.float64:
            right(self, chunk)
            return
        v = chunk.slots[0]
        v[...] = self._rho * v + self._one_minus_rho * chunk.g**2
        chunk.w[...] -= self._lr * chunk.g / (np.sqrt(v) + self._epsilon)

    monkeypatch.setattr(optimizers.RMSprop, "_update", wrong)
    cause = cause_here(model, ("float64", "float32"))
    assert str(cause) == "epsilon outside the root in 'optimizer' (in rnn_core)"
