"""The check holds for what is right; planted faults are found, in the right layer; the report says so."""

from __future__ import annotations

import json
import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from parity.backend import require_keras, to_numpy
from parity.checking import looking, run
from parity.checking.line import Line
from parity.checking.report import Report
from parity.checking.run import check
from parity.conversion.models import to_keras
from rnn_core import activations, losses, optimizers
from rnn_core.layers import Dense, Dropout, Input, Masking, SimpleRNN, TimeDistributed
from rnn_core.models import Sequential
from rnn_core.tutorial import Tutorial

BACKEND = require_keras().backend.backend()
BATCH, TIMESTEPS, FEATURES = 4, 5, 3


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


X, Y = random(BATCH, TIMESTEPS, FEATURES), random(BATCH, 2, seed=1)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 1], [1, 0, 1, 1, 0], [1, 1, 1, 0, 0]], bool)


def stack(optimizer="rmsprop", dtype: str = "float32", loss="mse", **first) -> Sequential:
    """Return two recurrent layers and two dense ones, with random weights, compiled."""
    model = Sequential(
        [
            Input((TIMESTEPS, FEATURES), dtype=dtype),
            SimpleRNN(6, return_sequences=True, dtype=dtype, name="lower", **first),
            SimpleRNN(5, "relu", dtype=dtype, name="upper"),
            Dense(4, "elu", dtype=dtype, name="middle"),
            Dense(2, dtype=dtype, name="last"),
        ]
    )
    model.vector[...] = 0.5 * random(model.vector.size, seed=2)
    model.compile(optimizer, loss)
    return model


def copies(model: Sequential) -> list[np.ndarray]:
    return [*model.get_weights(), *(layer.state.copy() for layer in model.layers if getattr(layer, "stateful", False))]


# --- it holds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["1xstep", "stepx1"])
def test_the_tutorials_model_holds(layout):
    tutorial = Tutorial(seed=0, layout=layout)
    report = check(tutorial.model, tutorial.train.inputs[:16], tutorial.train.targets[:16])
    assert report.holds, str(report)
    labels = [line.label for line in report.lines if line.dtype == "float32"]
    assert labels == [line.label for line in report.lines if line.dtype == "float64"]
    outputs, loss, weights, slots = 3, 1, 7, 7
    assert len(labels) == outputs + loss + (weights + 1) + weights + slots + 2


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ({}, {"mask": MASK, "initial_state": random(BATCH, 6, seed=3)}),
        ({"zero_output_for_mask": True, "go_backwards": True}, {"mask": MASK}),
        (
            {"kernel_regularizer": "l2", "recurrent_regularizer": "l1", "activity_regularizer": "l2"},
            {"sample_weight": [0.5, 2.0, 1.0, 0.0]},
        ),
        ({"dropout": 0.3, "recurrent_dropout": 0.2, "loss": "huber"}, {}),
        ({"optimizer": optimizers.SGD(0.1, momentum=0.9, nesterov=True), "kernel_constraint": "max_norm"}, {}),
        ({"optimizer": optimizers.Adam(clipnorm=0.5, amsgrad=True), "dtype": "float64"}, {}),
        ({"optimizer": optimizers.RMSprop(momentum=0.5, centered=True, use_ema=True), "trainable": False}, {}),
        ({}, {"initial_state": {"upper": random(BATCH, 5, seed=4), "lower": [random(BATCH, 6, seed=3)]}}),
    ],
    ids=["mask, state", "zeros, backwards", "penalties", "dropout", "SGD", "Adam, float64", "frozen", "two states"],
)
def test_stacked_recurrent_layers_hold(case, options):
    report = check(stack(**case), X, Y, **options)
    assert report.holds, str(report)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_trained_model_with_masking_and_dropout_holds_and_stays_as_it_was(dtype):
    x = X.copy()
    x[1, 3:] = 0
    model = Sequential(
        [
            Input(batch_shape=(BATCH, TIMESTEPS, FEATURES), dtype=dtype),
            Masking(dtype=dtype),
            SimpleRNN(4, stateful=True, dropout=0.2, seed=1, dtype=dtype),
            Dropout(0.5, seed=2, dtype=dtype),
            Dense(2, dtype=dtype),
        ]
    )
    model.compile("adam", "mse")
    model.fit(x, Y, batch_size=BATCH, epochs=3, verbose=0)
    keras_model = to_keras(model)
    before, slots = copies(model), model.optimizer.get_state()
    theirs = [to_numpy(v) for v in (*keras_model.variables, *keras_model.optimizer.variables)]
    state = model.layers[1].dropout_stream.bit_generator.state
    report = check(model, x, Y, keras_model=keras_model)
    assert report.holds, str(report)
    assert any(line.kind == "state" for line in report.lines)
    assert all(np.array_equal(a, b) for a, b in zip(before, copies(model), strict=True))
    assert all(np.array_equal(value, slots[name]) for name, value in model.optimizer.get_state().items())
    assert model.layers[1].dropout_stream.bit_generator.state == state
    after = [to_numpy(v) for v in (*keras_model.variables, *keras_model.optimizer.variables)]
    names = [v.path for v in (*keras_model.variables, *keras_model.optimizer.variables)]
    changed = [n for n, a, b in zip(names, theirs, after, strict=True) if not np.array_equal(a, b)]
    assert not changed


def test_without_targets_only_outputs_are_compared():
    report = check(stack(), X, dtypes=["float64"])
    assert [line.label for line in report.lines] == [f"output of {n}" for n in ("lower", "upper", "middle", "last")]
    assert report.holds


@pytest.mark.skipif(BACKEND != "tensorflow", reason="on JAX and torch Keras clips: see the next test")
@pytest.mark.parametrize("loss", ["categorical_crossentropy", "binary_crossentropy"])
def test_a_classifier_that_is_surely_wrong_holds(loss):
    """Its probabilities are 0 and 1 to rounding; both sides take the loss of the logits they came from."""
    last = Dense(3, "softmax" if loss.startswith("c") else "sigmoid", name="last")
    model = Sequential([Input((TIMESTEPS, FEATURES)), SimpleRNN(5, name="rnn"), last])
    last.kernel[...] *= 200
    model.compile("sgd", loss)
    y = np.eye(3)[model.predict(X, verbose=0).argmin(axis=1)]
    assert model.evaluate(X, y, verbose=0) > 17
    assert check(model, X, y).holds


def test_what_keras_clips_and_the_engine_does_not_is_said():
    last = Dense(1, "sigmoid", name="last")
    model = Sequential([Input((TIMESTEPS, FEATURES)), SimpleRNN(5, return_sequences=True, name="rnn"), last])
    last.kernel[...] *= 200
    model.compile("sgd", "binary_crossentropy")
    y = (model.predict(X, verbose=0)[..., 0] < 0.5).astype(float)
    (said,) = [note for note in check(model, X, y).notes if "clips them" in note]
    assert "of 20 probabilities are nearer to 0 or 1 than 1e-07" in said
    whole = check(model, X, y[..., None])
    assert whole.holds == (BACKEND == "tensorflow")
    assert any("clips them" in note for note in whole.notes) == (BACKEND != "tensorflow")


# --- planted faults -------------------------------------------------------------------------------------------


def transposed(model):
    keras_model = to_keras(model)
    kernel, recurrent_kernel, bias = keras_model.get_layer("upper").get_weights()
    keras_model.get_layer("upper").set_weights([kernel, recurrent_kernel.T, bias])
    return keras_model


def bias_missing(model):
    other = stack(dtype=model.dtype, use_bias=False)
    other.set_weights([w for i, w in enumerate(model.get_weights()) if i != 2])
    return to_keras(other)


def other_activation(model):
    keras_model = to_keras(model)
    keras_model.get_layer("lower").cell.activation = keras_model.get_layer("upper").cell.activation
    return keras_model


def other_epsilon(model):
    keras_model = to_keras(model)
    keras_model.optimizer.epsilon = np.float64(1.1e-7)
    return keras_model


FAULTS = [
    (transposed, "output of upper"),
    (bias_missing, "output of lower"),
    (other_activation, "output of lower"),
    (other_epsilon, "new weight of lower/kernel"),
]


@pytest.mark.parametrize(("plant", "first"), FAULTS)
def test_a_fault_in_keras_is_found_in_the_right_layer(plant, first):
    model = stack()
    report = check(model, X, Y, keras_model=plant(model), draws=2)
    assert report.first_bad is not None
    assert (report.first_bad.label, report.first_bad.dtype) == (first, "float64")


def test_a_fault_that_conversion_would_lose_is_found():
    """The very model that is given is asked in float32; only its float64 twin is made from our conversion."""
    model = stack()
    keras_model = to_keras(model)
    layer = keras_model.get_layer("middle")
    call = layer.call
    layer.call = lambda inputs, training=None: 1.001 * call(inputs)
    report = check(model, X, Y, keras_model=keras_model, draws=2)
    assert report.first_bad is not None
    assert (report.first_bad.label, report.first_bad.dtype) == ("output of middle", "float32")


ROUNDED = ["gelu", activations.Gelu(approximate=True), "leaky_relu", activations.LeakyRelu(0.3)]


def rounded_model(activation) -> Sequential:
    model = Sequential([Input((3,)), Dense(3, "tanh", name="before"), Dense(4, activation, name="rounded"), Dense(1)])
    model.vector[...] = random(model.vector.size, seed=2)
    model.compile("sgd", "log_cosh")
    return model


@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere Keras keeps the digits of its constants")
@pytest.mark.parametrize("activation", ROUNDED, ids=repr)
def test_nothing_is_loosened_where_keras_rounds_its_constants(activation, monkeypatch):
    model = rounded_model(activation)
    report = check(model, random(8, 3), random(8, 1), dtypes=["float64"])
    assert report.holds, str(report)
    assert max(line.limit for line in report.lines) < 1000
    assert any("in float32 only: in float64 ours was given the same" in note for note in report.notes)
    assert type(model.layers[1].activation) is type(activations.get(activation))
    assert model.loss == "log_cosh" or type(model.loss).__module__.startswith("rnn_core")
    forward = Dense.forward

    def off(self, r, x, training=False):
        y = forward(self, r, x, training)
        y *= 1 + 1e-12 * (self.name == "before")
        return y

    monkeypatch.setattr(Dense, "forward", off)
    report = check(model, random(8, 3), random(8, 1), dtypes=["float64"], draws=2)
    assert report.first_bad is not None
    assert report.first_bad.label == "output of before"
    assert report.first_bad.limit < 32


def test_a_fault_of_float32_does_not_widen_float64(monkeypatch):
    """Both at once: 1e-12 in all precisions, and far more in float32 alone."""
    forward = Dense.forward

    def off(self, r, x, training=False):
        y = forward(self, r, x, training)
        if self.name == "middle":
            y *= 1.01 if y.dtype == np.float32 else 1 + 1e-12
        return y

    monkeypatch.setattr(Dense, "forward", off)
    report = check(stack(), X, Y, draws=0)
    assert {"float64", "float32"} == {line.dtype for line in report.bad if line.label == "output of middle"}


@pytest.mark.parametrize("timesteps", [6, None])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (losses.MeanSquaredError, random(4, 6, 3)),
        (losses.SparseCategoricalCrossentropy, np.arange(24).reshape(4, 6) % 3),
        (partial(losses.BinaryCrossentropy, axis=1), np.arange(72).reshape(4, 6, 3) % 2),
    ],
)
def test_noise_on_weights_of_one_is_noise(loss, y, reduction, timesteps):
    """The weights that samples have by default are ones in the shape of the losses: others would change the loss."""
    last = "sigmoid" if isinstance(loss, partial) else "softmax"
    model = Sequential([Input((timesteps, 3)), SimpleRNN(3, return_sequences=True), Dense(3, last)])
    model.compile("sgd", loss(reduction=reduction))
    report = check(model, random(4, 6, 3), y, dtypes=["float64"])
    assert report.holds
    assert max(line.limit for line in report.lines) < 1000


def test_every_draw_has_other_noise(monkeypatch):
    """Else its medians have the luck of one draw: a slot's noise came out at 2 eps, which is 3.4 in the median."""
    drawn, right = [], looking._with_noise

    def noted(reference, batch, random):
        drawn.append(str(random.bit_generator.state))
        return right(reference, batch, random)

    monkeypatch.setattr(looking, "_with_noise", noted)
    model = stack(dtype="float64")
    theirs = to_keras(model)
    theirs.layers[-1].bias.assign(np.float32(1 + 1e-6) * (1 + to_numpy(theirs.layers[-1].bias)))
    monkeypatch.setattr(run, "GROSS", np.inf)
    check(model, X, Y, keras_model=theirs, dtypes=["float64"], draws=5)
    assert len(drawn) == 6
    assert len(set(drawn)) == 6


def test_a_loss_that_overflows_float32_has_no_step_there():
    model = Sequential([Input((1,), dtype="float32"), Dense(1, "exponential", use_bias=False)])
    model.set_weights([np.full((1, 1), 60.0)])
    model.compile("sgd", "mse")
    report = check(model, np.ones((2, 1)), np.zeros((2, 1)))
    assert report.holds, report
    assert "The loss is not finite in float32: no gradients and no step were compared there." in report.notes
    kinds = {line.kind: line for line in report.lines if line.dtype == "float64"}
    assert "new weight" in kinds
    assert kinds["gradient"].scale > 1e50


def test_what_overflows_is_noted_and_not_forgiven():
    """exp(800) is infinite on both sides; the layer before it is judged as ever."""
    model = Sequential([Input((3,)), Dense(3, name="before"), Dense(2, "exponential", name="exp")])
    model.vector[...] = 20
    report = check(model, np.ones((4, 3)), draws=0)
    assert report.holds, str(report)
    assert "1 of 2 quantities have values in Keras' float64 that are not finite" in str(report.notes)
    assert all(np.isfinite(line.limit) for line in report.lines)


def test_a_wrong_derivative_here_is_found_in_the_right_layer(monkeypatch):
    backward = Dense.backward

    def without_activation(self, r, d_output):
        return backward(self, r, 1.0001 * d_output if self.name == "middle" else d_output)

    monkeypatch.setattr(Dense, "backward", without_activation)
    report = check(stack(), X, Y, draws=2)
    assert report.first_bad is not None
    assert report.first_bad.label == "gradient of middle/kernel"
    assert not any(line.layer == "last" and line.kind == "gradient" for line in report.bad)
    assert {line.dtype for line in report.bad} == {"float32", "float64"}


def test_a_wrong_activation_here_is_found(monkeypatch):
    wrong = activations.get("elu")
    monkeypatch.setattr(type(wrong), "forward", lambda self, a, out: np.copyto(out, np.tanh(a)))
    report = check(stack(), X, Y, dtypes=["float32"], draws=2)
    assert report.first_bad is not None
    assert report.first_bad.label == "output of middle"


def test_a_fault_of_float32_alone_is_found(monkeypatch):
    """A result that was rounded once too often is within no tolerance here: its errors are not Keras'."""
    forward = Dense.forward

    def rounded(self, r, x, training=False):
        y = forward(self, r, x, training)
        if self.name == "middle" and y.dtype == np.float32:
            y[...] = y.astype(np.float16)
        return y

    monkeypatch.setattr(Dense, "forward", rounded)
    report = check(stack(), X, Y, draws=3)
    assert report.first_bad is not None
    assert (report.first_bad.dtype, report.first_bad.label) == ("float32", "output of middle")


# --- the report -----------------------------------------------------------------------------------------------


def line(dtype="float64", layer="dense", ours=3.0, **other) -> Line:
    fields = {"kind": "output", "name": "output", "scale": 2.0, "ours_rms": 1.0, "keras": None, "keras_rms": None}
    fields |= {"limit": 16.0, "limit_rms": 16.0, "rule": "16 eps", **other}
    return Line(dtype=dtype, layer=layer, ours=ours, **fields)


def test_a_report_as_json():
    report = Report([line(), line(ours=float("inf"), problem="only here", kind="gradient", name="kernel")], "model")
    known = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (known["holds"], known["model"], len(known["lines"])) == (False, "model", 2)
    assert known["first_bad"] == known["lines"][1]
    assert known["first_bad"]["label"] == "gradient of dense/kernel"
    assert known["first_bad"]["ours"] is None


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"ours": 16.0}, True),
        ({"ours": 16.1}, False),
        ({"ours_rms": 17.0}, False),
        ({"ours": float("nan")}, False),
        ({"problem": "shape (2,) here, (3,) in Keras"}, False),
        ({"keras": 99.0, "keras_rms": 9.0, "keras_limit": 64.0}, False),
    ],
)
def test_a_line_holds_within_its_limits(changed, holds):
    assert line(**changed).holds is holds


# --- what rounds, and what only seems to ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_sum_over_many_steps_may_round_in_another_order(seed):
    """Keras' float32 is closer by luck of its order in some line of most of these, by more than twice."""
    draws = np.random.default_rng(seed)
    tagger = [SimpleRNN(8, return_sequences=True), TimeDistributed(Dense(4, "softmax"))]
    model = Sequential([Input((None, 3)), *tagger])
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    report = check(model, draws.standard_normal((32, 8, 3)), draws.integers(0, 4, (32, 8)))
    assert report.holds, report
    terms = {line.name: line.rule for line in report.lines if "256 terms" in line.rule and line.kind != "loss"}
    assert not terms.keys() & {"output", "input", "initial state"}
    assert terms


def test_a_value_that_is_another_one_each_time_is_found_however_small_the_difference(monkeypatch):
    """As noise it would widen its own limit."""
    right, draws = Dense.forward, np.random.default_rng(0)

    def unsteady(self, r, x, training=False):
        return right(self, r, x, training) * (1 + 1e-14 * draws.standard_normal())

    assert check(stack(), X, Y, dtypes=["float64"]).holds
    monkeypatch.setattr(Dense, "forward", unsteady)
    report = check(stack(), X, Y, dtypes=["float64"])
    assert report.first_bad is not None
    assert report.first_bad.label == "output of middle"
    assert report.first_bad.problem == "not the same when asked again, here"


# --- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtypes": ["float16"]}, r"dtypes must be a list of .*, got \['float16'\]"),
        ({"dtypes": []}, r"dtypes must be a list of .*, got \[\]"),
        ({"dtypes": "float64"}, "dtypes must be a list of .*, got 'float64'"),
        ({"initial_state": {"last": random(BATCH, 2)}}, "'last' is a Dense"),
        ({"initial_state": {"first": random(BATCH, 6)}}, "no layer 'first'"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check(stack(), X, Y, **options)


def test_a_keras_model_in_place_of_ours_is_refused():
    with pytest.raises(TypeError, match=r"model must be one of rnn_core, got keras\.Sequential .*keras_model="):
        check(to_keras(stack()), X, Y)


def test_layers_of_other_names_are_told():
    model, keras_model = stack(), to_keras(stack())
    keras_model.get_layer("upper").name = "another"
    (note,) = (note for note in check(model, X, Y, keras_model=keras_model, draws=0).notes if "by name" in note)
    assert "upper only here, another only in Keras" in note
    assert not any("by name" in note for note in check(model, X, Y, keras_model=to_keras(model), draws=0).notes)


def test_an_initial_state_needs_a_recurrent_layer():
    model = Sequential([Input((3,)), Dense(2)])
    with pytest.raises(ValueError, match="no SimpleRNN"):
        check(model, random(4, 3), initial_state=random(4, 2))


# --- what one step does not show ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "there", "note"),
    [
        ({"dropout": 0.5}, {"dropout": 0.1}, "dropout of 'lower' is 0.5 in rnn_core and 0.1 in Keras"),
        ({"optimizer": optimizers.SGD(0.1, 0.9)}, {"optimizer": optimizers.SGD(0.1, 0.5)}, "momentum of the optimizer"),
        ({"dropout": 0.5}, {"dropout": 0.5}, ""),
    ],
)
def test_settings_that_no_line_shows_are_told(here, there, note):
    model, other = stack(**here), stack(**there)
    report = check(model, X, Y, keras_model=to_keras(other), dtypes=["float64"])
    told = [said for said in report.notes if "train differently" in said]
    assert [said.startswith(note) for said in told] == [True] * bool(note), report.notes


@pytest.mark.parametrize(
    "mask", [MASK[:, :3], MASK[:3], MASK[0], "x", np.full(MASK.shape, 0.5), np.full(MASK.shape, np.nan), [MASK, MASK]]
)
def test_a_mask_that_does_not_fit_is_refused(mask):
    with pytest.raises(ValueError, match="check: mask must be booleans"):
        check(stack(), X, Y, mask=mask)
