"""``trace`` shows what the training step computed: the same bits, and the model as it was."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from rnn_core import inspection, layers
from rnn_core.inspection import SimpleRNNTrace, trace
from rnn_core.models import Sequential

from ..finite_differences import central_differences, examples
from .drawn import built, drawn_models, everything_of


def assert_same_to_rounding(a, b):
    """The same sums of a few terms; memory alignment may change the order of their additions."""
    np.testing.assert_allclose(a, b, rtol=0, atol=64 * np.finfo(b.dtype).eps * np.abs(b).max(initial=0))


def recurrent_traces(t):
    return [layer for layer in t if isinstance(layer, SimpleRNNTrace)]


@examples(80)
@given(drawn=drawn_models())
def test_it_is_the_next_training_step_and_changes_nothing(drawn):
    model, x, y, weight, mask = drawn
    model.train_on_batch(x, y, weight)  # an optimizer with slots, streams under way
    before = everything_of(model)
    t = trace(model, x, y, weight)
    trace(model, x, y, weight, mask)
    for ours, was in zip(everything_of(model), before, strict=True):
        np.testing.assert_array_equal(ours, was)
    loss = model.train_on_batch(x, y, weight)
    assert t.loss == pytest.approx(loss, rel=64 * float(np.finfo(t.output.dtype).eps))
    assert_same_to_rounding(t.d_vector, model.d_vector)


@examples(80)
@given(drawn=drawn_models())
def test_what_is_computed_again_is_what_the_engine_had(drawn):
    """act(a) is h and dh act'(a) is da wherever a step is real."""
    t = trace(*drawn)
    for layer in recurrent_traces(t):
        activation, real = layer.layer.activation, layer.step_mask
        a = np.ascontiguousarray(layer.preactivation)
        h = np.empty_like(a)
        for step in range(a.shape[1]):  # softmax over the units of one step, as the layer calls it
            out = np.empty_like(a[:, step])
            activation.forward(np.ascontiguousarray(a[:, step]), out)
            h[:, step] = out
        assert_same_to_rounding(h[real], layer.hidden[:, 1:][real])
        np.testing.assert_array_equal(layer.hidden[:, 1:][~real], layer.hidden[:, :-1][~real])  # carried over
        saved = layer.hidden[:, 1:] if activation.needs == "output" else layer.preactivation
        da = np.zeros_like(a)
        for step in range(a.shape[1]):
            out = np.empty_like(a[:, step])
            d_hidden = layer.d_hidden[:, step + 1] * real[:, step, None]
            activation.backward(np.ascontiguousarray(saved[:, step]), d_hidden, out, np.empty_like(out))
            da[:, step] = out
        assert_same_to_rounding(da, layer.d_preactivation)
        if activation.name != "softmax":
            assert_same_to_rounding((layer.d_hidden[:, 1:] * layer.derivative)[real], da[real])
        if layer.record.has_initial_state:
            assert_same_to_rounding(layer.d_hidden[:, 0], layer.record.d_hidden)
    for layer in t:
        if isinstance(layer, inspection.DenseTrace):
            out = np.empty_like(np.ascontiguousarray(layer.output))
            layer.layer.activation.forward(np.ascontiguousarray(layer.preactivation), out)
            assert_same_to_rounding(out, layer.output)
            np.testing.assert_allclose(
                layer.d_weights["bias"],
                layer.d_preactivation.reshape(-1, 2).sum(axis=0),
                rtol=1e-4,
                atol=1e-5,
            )


@examples(60)
@given(drawn=drawn_models())
def test_layers_hand_on_what_the_next_one_gets_and_losses_add_up(drawn):
    t = trace(*drawn)
    chain = list(t)
    np.testing.assert_array_equal(chain[0].input, drawn.x.astype(t.model.dtype))
    np.testing.assert_array_equal(chain[-1].output, t.output)
    for below, above in pairwise(chain):
        np.testing.assert_array_equal(below.output, above.input)
        if below.layer.activity_regularizer is None:
            np.testing.assert_array_equal(below.d_output, above.d_input)
    np.testing.assert_allclose(np.sum(t.sample_losses * t.sample_shares) + t.penalty, t.loss, rtol=1e-5, atol=1e-7)
    assert t.sample_losses.shape == drawn.y.shape[:-1]
    for layer in t:
        shapes = {name: array.shape for name, array in layer.arrays().items()}
        for name, shape in shapes.items():
            if name.startswith("d_") and name[2:] in shapes:
                assert shape == shapes[name[2:]]
        for name, weight in layer.weights.items():
            assert shapes[f"d_{name}"] == weight.shape
    assert "loss" in str(t)


@pytest.mark.parametrize("return_sequences", [False, True])
def test_gradients_of_inputs_and_hidden_states_are_those_of_finite_differences(return_sequences):
    """dL/dx by varying x, dL/dh_t by starting the rest of the sequence from another h_t."""
    rnn = layers.SimpleRNN(3, return_sequences=return_sequences, dtype="float64")
    model = built([layers.Input((4, 2), dtype="float64"), rnn, layers.Dense(1, dtype="float64")], seed=3)
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((2, 4, 2)), draws.standard_normal((2, 4, 1) if return_sequences else (2, 1))
    t = trace(model, x, y)
    numeric = central_differences(lambda: model.test_on_batch(x, y), x)
    np.testing.assert_allclose(t[0].d_input, numeric, rtol=1e-7, atol=1e-10)
    h = np.array(t[0].hidden)
    for step in range(-1, 3):
        state = h[:, step + 1].copy()

        def loss(step=step, state=state):
            later = rnn(x[:, step + 1 :], initial_state=state)
            output = np.concatenate([h[:, 1 : step + 1], state[:, None], later], axis=1) if return_sequences else later
            if return_sequences:
                output = output[:, -4:]  # without the initial state
            return float(model.loss(y, model.layers[1](output)))

        np.testing.assert_allclose(t[0].d_hidden[:, step + 1], central_differences(loss, state), rtol=1e-7, atol=1e-10)


def test_a_vanished_gradient_is_zero_where_the_engine_stopped():
    model = built([layers.Input((120, 1)), layers.SimpleRNN(4), layers.Dense(1)])
    model.layers[0].recurrent_kernel = 0.2 * np.eye(4)
    draws = np.random.default_rng(0)
    layer = trace(model, draws.standard_normal((3, 120, 1)), draws.standard_normal(3))[0]
    first = layer.record.first_active
    assert 0 < first < 110
    assert not layer.d_hidden[:, : first + 1].any()
    assert layer.d_hidden[:, first + 8 :].any(axis=(0, 2)).all()
    np.testing.assert_allclose(layer.d_hidden[:, 1:] * layer.derivative, layer.d_preactivation, rtol=1e-5, atol=1e-33)


def test_a_layer_of_ones_own_shows_its_inputs_outputs_and_weights():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.add_weight("scale", (input_shape[-1],), "ones")

        def new_record(self, shape, d_vector=None):
            record = super().new_record(shape)
            record.d_scale = None if d_vector is None else self.views(d_vector)["scale"]
            return record

        def forward(self, r, x, training=False):
            r.x = x
            return x * self.scale

        def backward(self, r, d_output):
            r.d_scale[...] = (d_output * r.x).sum(axis=0)
            return d_output * self.scale

    model = built([layers.Input((2,)), Scale(name="scale"), layers.Dense(1)])
    t = trace(model, np.ones((3, 2)), np.zeros(3))
    np.testing.assert_allclose(t["scale"].d_weights["scale"], t["scale"].d_output.sum(axis=0), rtol=1e-6)
    assert inspection.check_gradients(model, np.ones((3, 2)), np.zeros(3))


def test_dropout_is_off_on_request():
    model = built([layers.Input((3,)), layers.Dropout(0.5), layers.Dense(1)])
    x, y = np.ones((4, 3)), np.zeros(4)
    assert trace(model, x, y, training=False).loss == pytest.approx(model.test_on_batch(x, y), rel=1e-6)
    np.testing.assert_array_equal(trace(model, x, y)[0].output, trace(model, x, y)[0].output)


def test_what_it_refuses():
    x, y = np.ones((2, 3, 1)), np.ones(2)
    with pytest.raises(ValueError, match="no weights yet"):
        trace(Sequential([layers.SimpleRNN(2)]), x, y)
    with pytest.raises(ValueError, match="not compiled"):
        trace(Sequential([layers.Input((3, 1)), layers.SimpleRNN(2)]), x, y)
    with pytest.raises(TypeError, match="must be a Model"):
        trace("model", x, y)
    model = built([layers.Input((3, 1)), layers.SimpleRNN(2, name="rnn"), layers.Dense(1)])
    with pytest.raises(ValueError, match="one of"):
        inspection.bptt(trace(model, x, y), "dense")
    with pytest.raises(KeyError, match="rnn"):
        trace(model, x, y)["lstm"]
    with pytest.raises(ValueError, match="mask must be"):
        trace(model, x, y, mask=np.ones((2, 2)))
