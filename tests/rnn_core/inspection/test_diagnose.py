"""Every finding with a model that shows it and one that does not; and none for a healthy model."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core import layers, losses, optimizers
from rnn_core.inspection import Finding, Findings, diagnose
from rnn_core.inspection.diagnosis.network import arriving
from rnn_core.inspection.traces.tracing import trace
from rnn_core.models import Sequential
from rnn_core.random import set_random_seed
from rnn_core.tutorial import Tutorial

from .drawn import built, everything_of


def data(samples=300, timesteps=8, seed=0):
    """A task with memory and nothing linear in it, inputs and targets near 1."""
    draws = np.random.default_rng(seed)
    x = draws.uniform(-1, 1, (samples, timesteps, 1))
    return x, 2 * x[:, -1, 0] * x[:, -2, 0] + x[:, -3, 0] ** 2


def compiled(*entries, optimizer="rmsprop", loss="mse"):
    set_random_seed(0)
    model = Sequential([entry() if isinstance(entry, type) else entry for entry in entries])
    model.compile(loss=loss, optimizer=optimizer)
    return model


def finding(kind, found) -> Finding:
    (one,) = (f for f in found if f.kind == kind)
    return one


@pytest.fixture(scope="module", params=["tanh", "relu"])
def healthy(request):
    set_random_seed(3)
    model = Sequential([layers.Input((8, 1)), layers.SimpleRNN(24, request.param), layers.Dense(1)])
    model.compile(loss="mse", optimizer=optimizers.Adam(0.003))
    x, y = data(1000)
    model.fit(x, y, epochs=60, verbose=0)
    return model


def test_a_healthy_model_has_nothing_wrong(healthy):
    for samples, seed in ((1000, 0), (300, 1), (32, 2), (5, 3)):  # its training data, and data that it has not seen
        found = diagnose(healthy, *data(samples, seed=seed))
        assert [f for f in found if f.severity != "note"] == [], str(found)
    assert diagnose(healthy, *data(1000)).kinds in ([], ["dead units"])


def test_a_healthy_model_through_its_training(healthy):
    """No alarm of the optimizer's steps, early or late, nor when a sequence is its target."""
    set_random_seed(1)
    model = Sequential(
        [layers.Input((8, 1)), layers.SimpleRNN(16, return_sequences=True), layers.Dropout(0.1), layers.Dense(1)]
    )
    model.compile(loss="mse", optimizer="adam")
    x, _ = data(400)
    y = np.cumsum(x, axis=1) ** 2
    for _ in range(4):
        model.fit(x, y, epochs=10, verbose=0)
        found = diagnose(model, x, y)
        assert not {"large updates", "small updates", "exploding gradient", "saturated units"} & set(found.kinds)
    assert [f for f in found if f.severity != "note"] == [], str(found)


def test_a_classifier_that_is_sure_of_itself_is_not_ill():
    model = compiled(
        layers.Input((6, 1)), layers.SimpleRNN(8), layers.Dense(1, "sigmoid"), loss="binary_crossentropy",
        optimizer=optimizers.Adam(0.02),
    )  # fmt: skip
    x, _ = data(400, timesteps=6)
    y = (x[:, -1, 0] > 0).astype(float)
    model.fit(x, y, epochs=60, verbose=0)
    found = diagnose(model, x, y)
    assert [f for f in found if f.severity != "note"] == [], str(found)


def test_the_model_is_not_changed():
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(4, dropout=0.2), layers.Dense(1))
    x, y = data()
    model.fit(x, y, verbose=0)
    before = everything_of(model)
    diagnose(model, x, y)
    for ours, was in zip(everything_of(model), before, strict=True):
        np.testing.assert_array_equal(ours, was)


def test_a_stateful_model_is_looked_at_in_its_own_batches():
    model = compiled(
        layers.Input(batch_shape=(4, 1, 1)), layers.SimpleRNN(4, stateful=True, name="rnn"), layers.Dense(1)
    )
    x, y = np.random.default_rng(0).standard_normal((40, 1, 1)), np.ones(40)
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    before = everything_of(model)
    assert "one time step" not in diagnose(model, x, y).kinds  # the state comes from the batch before
    for ours, was in zip(everything_of(model), before, strict=True):
        np.testing.assert_array_equal(ours, was)


def test_one_time_step():
    tutorial = Tutorial(seed=0).fit(epochs=2)
    found = diagnose(tutorial.model, tutorial.train)
    one = finding("one time step", found)
    assert one.severity == "problem"
    assert "1,024" in one.message
    assert found[0] is one
    assert "zero gradient" not in found.kinds  # said once
    other = Tutorial(seed=0, layout="stepx1").fit(epochs=2)
    assert "one time step" not in diagnose(other.model, other.train).kinds


def test_one_time_step_that_is_real():
    model = compiled(layers.Input((3, 1)), layers.Masking, layers.SimpleRNN(4, name="rnn"), layers.Dense(1))
    x, y = data(50, timesteps=3)
    x[:, :2] = 0
    assert "at most one is real" in finding("one time step", diagnose(model, x, y)).message
    x[:, 2], x[:, 0] = 0, 1
    assert "one time step" in diagnose(model, x, y).kinds  # also where the state is then carried over
    x[0, 1] = 1
    assert "one time step" not in diagnose(model, x, y).kinds


def test_zero_gradient():
    x, y = data()
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(4, name="rnn"), layers.Dense(1, name="out"))
    assert "zero gradient" not in diagnose(model, x, y).kinds
    model.layers[1].kernel = [[0.0], [1.0], [1.0], [1.0]]  # nothing comes back from unit 0's output ... but through U
    assert "zero gradient" not in diagnose(model, x, y).kinds
    model.layers[1].kernel = np.zeros((4, 1))
    one = finding("zero gradient", diagnose(model, x, y))
    assert (one.where, one.severity, one.numbers["units without gradient"]) == ("rnn", "problem", 4)
    model.layers[0].trainable = False
    assert "zero gradient" not in diagnose(model, x, y).kinds  # it is not meant to learn


def test_zero_gradient_of_the_loss():
    model = compiled(layers.Input((2,)), layers.Dense(1), loss="hinge")
    model.set_weights([[[1.0], [0.0]], [0.0]])
    x = np.array([[5.0, 1.0], [-5.0, 1.0]])
    one = finding("zero gradient", diagnose(model, x, [1.0, -1.0]))
    assert one.where == "loss"
    assert "zero gradient" not in diagnose(model, x, [-1.0, 1.0]).kinds  # the bias' gradients cancel: that is no fault


def test_zero_gradient_of_a_kernel_without_inputs_and_of_a_layer_of_ones_own():
    x, y = data()
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(3, name="rnn"), layers.Dense(1))
    model.layers[0].bias = [0.1, 0.2, 0.3]
    one = finding("zero gradient", diagnose(model, 0 * x, y))
    assert (one.where, "all inputs" in one.message) == ("rnn", True)

    class Unused(layers.Layer):
        def build(self, input_shape):
            self.add_weight("unused", (2, 2))

        def new_record(self, shape, d_vector=None):
            if d_vector is not None:
                d_vector[...] = 0
            return super().new_record(shape)

        def forward(self, r, x, training=False):
            return x

        def backward(self, r, d_output):
            return d_output

    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(3), Unused(name="own"), layers.Dense(1))
    one = finding("zero gradient", diagnose(model, x, y))
    assert (one.where, "unused" in one.message) == ("own", True)


@pytest.mark.parametrize(
    ("biases", "severity"), [([-50, 1, 1, 1], "note"), ([-50, -50, 1, 1], "warning"), ([-50] * 4, "problem")]
)
def test_dead_units(biases, severity):
    x, y = data()
    for entries in (
        [layers.Dense(4, "relu", name="relu")],
        [layers.Dense(4), layers.Activation("relu", name="relu")],
    ):
        model = compiled(layers.Input((8, 1)), layers.SimpleRNN(3), *entries, layers.Dense(1))
        assert "dead units" not in diagnose(_with_bias(model, [1.0] * 4), x, y).kinds
        one = finding("dead units", diagnose(_with_bias(model, biases), x, y))
        assert (one.severity, one.where, one.numbers["dead"]) == (severity, "relu", biases.count(-50))
    assert "dead units" not in diagnose(model, x[:5], y[:5]).kinds  # five values prove nothing


def _with_bias(model, bias):
    model.layers[1].bias = bias
    return model


def test_dead_recurrent_units():
    x, y = data()
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(4, "relu", name="rnn"), layers.Dense(1))
    model.layers[0].bias = [-50.0, 1.0, 1.0, 1.0]
    found = diagnose(model, x, y)
    assert finding("dead units", found).where == "rnn"
    assert "zero gradient" not in found.kinds


def test_saturated_units():
    x, y = data()
    for name in ("tanh", "sigmoid", "hard_sigmoid"):
        model = compiled(layers.Input((8, 1)), layers.SimpleRNN(4, name, name="rnn"), layers.Dense(1))
        assert "saturated units" not in diagnose(model, x, y).kinds
        model.layers[0].bias = [20.0, 20.0, -20.0, 0.0]
        one = finding("saturated units", diagnose(model, x, y))
        assert one.where == "rnn"
        assert one.numbers["share"] > 0.7


@pytest.mark.parametrize(
    ("size", "kind", "severity"),
    [(0.9, None, None), (0.5, "vanishing gradient", "note"), (0.2, "vanishing gradient", "warning"),
     (1.7, "exploding gradient", "warning")],
)  # fmt: skip
@pytest.mark.parametrize("return_sequences", [False, True])
def test_gradients_through_time(size, kind, severity, return_sequences):
    rnn = layers.SimpleRNN(2, "linear", return_sequences=return_sequences, name="rnn")
    model = compiled(layers.Input((21, 1)), rnn, layers.Dense(1))
    rnn.recurrent_kernel = size * np.array([[0.6, 0.8], [-0.8, 0.6]])
    x = np.random.default_rng(0).uniform(-1, 1, (40, 21, 1))
    y = x if return_sequences else x[:, -1]
    found = diagnose(model, x, y)
    if kind is None:
        assert not {"vanishing gradient", "exploding gradient"} & set(found.kinds)
        return
    one = finding(kind, found)
    assert one.severity == severity
    assert one.numbers["factor a step"] == pytest.approx(size, rel=1e-5)
    assert one.numbers["share"] == pytest.approx(size**20, rel=1e-4)


def test_what_arrives_is_what_the_engine_computed():
    """With a loss at the last step only, dL/dh_k is the gradient that arrived."""
    model = built([layers.Input((9, 1)), layers.Masking(), layers.SimpleRNN(3, recurrent_dropout=0.3), layers.Dense(1)])
    x, y = data(1, timesteps=9)
    x[:, 4] = 0
    layer = trace(model, x, y)[1]
    norms = np.linalg.norm(layer.d_hidden[0, 1:], axis=-1)
    np.testing.assert_allclose(np.exp(arriving(layer)), norms[::-1] / norms[-1], rtol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        (optimizers.SGD(0.01), None),
        (optimizers.Adam(0.001), None),
        (optimizers.RMSprop(), None),
        (optimizers.Adam(0.5), "large updates"),
        (optimizers.SGD(1e4), "large updates"),
        (optimizers.SGD(1e-7), "small updates"),
        (optimizers.Adam(1e-8), "small updates"),
    ],
)
def test_updates(optimizer, kind):
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(8), layers.Dense(1), optimizer=optimizer)
    found = diagnose(model, *data())
    assert [k for k in found.kinds if "updates" in k] == ([] if kind is None else [kind])
    if kind is not None:
        assert "learning rate" in finding(kind, found).message


def test_small_updates_at_the_minimum_are_as_they_should_be():
    model = compiled(layers.Input((1,)), layers.Dense(1), optimizer=optimizers.SGD(0.1))
    draws = np.random.default_rng(0)
    x = draws.standard_normal((200, 1))
    y = 2 * x + 0.1 * draws.standard_normal((200, 1))
    model.fit(x, y, epochs=200, batch_size=200, verbose=0)
    assert not [k for k in diagnose(model, x, y).kinds if "updates" in k]


def random_walk(samples=400, timesteps=6):
    walk = np.cumsum(np.random.default_rng(1).standard_normal(samples + timesteps)) / 10
    windows = np.lib.stride_tricks.sliding_window_view(walk, timesteps)
    return windows[:samples], walk[timesteps:]


@pytest.mark.parametrize("layout", ["stepx1", "1xstep", "flat"])
def test_a_forecast_that_copies_the_last_value(layout):
    windows, y = random_walk()
    shape = {"stepx1": (6, 1), "1xstep": (1, 6), "flat": (6,)}[layout]
    x = windows.reshape(-1, *shape)
    model = compiled(
        layers.Input(shape), *([] if layout == "flat" else [layers.SimpleRNN(1, "linear")]), layers.Dense(1)
    )
    copying = [[[0.0]] * 5 + [[1.0]]] if layout != "stepx1" else [[[1.0]]]
    if layout == "flat":
        model.set_weights([*copying, [0.0]])
    else:
        model.set_weights([*copying, [[0.0]], [0.0], [[1.0]], [0.0]])
    one = finding("copies the last value", diagnose(model, x, y))
    assert one.numbers["loss"] == pytest.approx(np.mean((windows[:, -1] - y) ** 2), rel=1e-4)
    sine = np.sin(np.arange(406) / 3)  # a forecast of what can be known comes nearer than the last value
    windows = np.lib.stride_tricks.sliding_window_view(sine, 6)[:400]
    if layout == "flat":
        model.set_weights([np.linalg.lstsq(windows, sine[6:])[0][:, None], [0.0]])
        assert "copies the last value" not in diagnose(model, windows, sine[6:]).kinds


def test_copies_in_a_sequence_of_targets():
    walk = np.cumsum(np.random.default_rng(1).standard_normal((60, 9, 1)), axis=1)
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(1, "linear", return_sequences=True))
    model.set_weights([[[1.0]], [[0.0]], [0.0]])
    found = diagnose(model, walk[:, :-1], walk[:, 1:])
    assert "copies the last value" in found.kinds
    assert "noise floor of a baseline" not in found.kinds  # said once
    model.set_weights([[[0.5]], [[0.0]], [0.0]])
    assert "copies the last value" not in diagnose(model, walk[:, :-1], walk[:, :-1] / 2).kinds


def test_a_constant_forecast_beside_small_inputs_is_no_copy():
    """It is near the last value, as everything near 0 is."""
    draws = np.random.default_rng(0)
    x, y = 0.1 * draws.standard_normal((200, 8, 1)), draws.standard_normal(200)
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(4), layers.Dense(1))
    model.layers[1].kernel = np.zeros((4, 1))
    assert "copies the last value" not in diagnose(model, x, y).kinds


def padded(mask_value=0.0):
    """Walks of different lengths, and which of their steps are real."""
    draws = np.random.default_rng(0)
    real = np.arange(9) < draws.integers(2, 10, 200)[:, None]
    x = 5 + np.cumsum(draws.standard_normal((200, 10, 1)), axis=1)
    ends = np.take_along_axis(x, real.sum(axis=1)[:, None, None], axis=1)[:, 0]  # the value after the last real one
    return np.where(real[:, :, None], x[:, :9], mask_value), x[:, 1:], ends, real


@pytest.mark.parametrize("mask_value", [0.0, -999.0])
def test_masked_steps_do_not_count(mask_value):
    """The loss is that of evaluate, whatever stands at masked steps; the last value is the last real one."""
    x, following, ends, real = padded(mask_value)
    steps = compiled(
        layers.Input((9, 1)), layers.Masking(mask_value), layers.SimpleRNN(1, "linear", return_sequences=True)
    )
    steps.set_weights([[[1.0]], [[0.0]], [0.0]])
    found = diagnose(steps, x, np.where(real[:, :, None], following, 1e4))
    assert set(found.kinds) == {"vanishing gradient", "copies the last value"}
    copied = finding("copies the last value", found)
    assert copied.numbers["loss"] == pytest.approx(((x - following)[real] ** 2).mean(), rel=1e-4)
    assert copied.numbers["loss of the last value"] == pytest.approx(copied.numbers["loss"], rel=1e-4)

    last = compiled(layers.Input((9, 1)), layers.Masking(mask_value), layers.SimpleRNN(1, "linear"))
    last.set_weights([[[1.0]], [[0.0]], [0.0]])
    assert set(diagnose(last, x, ends).kinds) == {"vanishing gradient", "copies the last value"}
    mean = np.where(real, x[:, :, 0], 0).sum(axis=1) / real.sum(axis=1)
    numbers = finding("worse than a baseline", diagnose(last, x, mean)).numbers
    assert numbers["the mean of the window"] < 1e-8
    last.set_weights([[[0.0]], [[0.0]], [0.0]])
    assert "copies the last value" not in diagnose(last, x, ends - ends.mean()).kinds


def test_a_straight_line_for_every_step():
    x = np.random.default_rng(0).standard_normal((100, 6, 2))
    model = compiled(layers.Input((6, 2)), layers.SimpleRNN(3, return_sequences=True), layers.Dense(1))
    numbers = finding("worse than a baseline", diagnose(model, x, 1 + x @ [[2.0], [-1.0]])).numbers
    assert numbers["the best straight line through the inputs"] < 1e-10


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("kind", ["binary", "categorical", "sparse", "steps"])
def test_a_classifier_beside_the_shares_of_the_classes(kind, logits):
    """Their loss is the entropy of the classes: no constant answer has a smaller one."""
    draws = np.random.default_rng(0)
    x, classes = draws.standard_normal((400, 5, 2)), draws.choice(3, 400, p=[0.7, 0.2, 0.1])
    shares = np.bincount(classes) / 400
    entropy = -(shares * np.log(shares)).sum()
    y, loss = {
        "binary": (np.eye(3)[classes], losses.BinaryCrossentropy(logits)),
        "categorical": (np.eye(3)[classes], losses.CategoricalCrossentropy(logits)),
        "sparse": (classes, losses.SparseCategoricalCrossentropy(logits)),
        "steps": (np.repeat(classes[:, None], 5, axis=1), losses.SparseCategoricalCrossentropy(logits)),
    }[kind]
    if kind == "binary":
        entropy = -(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).mean()
    activation = None if logits else "sigmoid" if kind == "binary" else "softmax"
    model = compiled(
        layers.Input((5, 2)), layers.SimpleRNN(4, return_sequences=kind == "steps"), layers.Dense(3, activation),
        loss=loss,
    )  # fmt: skip
    head = model.layers[1]
    head.kernel = np.zeros((4, 3))
    worse = finding("worse than a baseline", diagnose(model, x, y))
    assert worse.severity == "warning"
    assert worse.numbers["the shares of the classes"] == pytest.approx(entropy, rel=1e-5)
    head.bias = np.log(shares) if kind != "binary" else np.log(shares / (1 - shares))
    assert "noise floor of a baseline" in diagnose(model, x, y).kinds


def test_targets_of_an_ignored_class_do_not_count():
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((100, 5, 2)), draws.integers(0, 2, (100, 5))
    y[:, 2:] = -1
    model = compiled(
        layers.Input((5, 2)), layers.SimpleRNN(4, return_sequences=True), layers.Dense(2, "softmax"),
        loss=losses.SparseCategoricalCrossentropy(ignore_class=-1),
    )  # fmt: skip
    one = finding("noise floor of a baseline", diagnose(model, x, y))
    assert one.numbers["loss"] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_worse_than_a_baseline_and_at_its_floor(healthy):
    draws = np.random.default_rng(0)
    x = draws.standard_normal((400, 4))
    y = x @ [1.0, -1.0, 0.5, 0.2] + 3 + draws.standard_normal(400)
    model = compiled(layers.Input((4,)), layers.Dense(1))
    model.set_weights([[[0.0]] * 4, [0.0]])
    worse = finding("worse than a baseline", diagnose(model, x, y))
    assert worse.severity == "warning"
    assert worse.numbers["the mean of the targets"] == pytest.approx(y.var(), rel=1e-5)
    model.set_weights([[[0.7], [-0.7], [0.3], [0.1]], [3.0]])
    assert finding("worse than a baseline", diagnose(model, x, y)).severity == "note"  # only a straight line is better
    model.set_weights([[[1.0], [-1.0], [0.5], [0.2]], [3.0]])
    found = diagnose(model, x, y)
    assert found.kinds == ["noise floor of a baseline"]
    assert "straight line" in found[0].message
    model.set_weights([[[0.0]] * 4, [y.mean()]])
    assert "worse than a baseline" in diagnose(model, x, y).kinds
    assert not [k for k in diagnose(healthy, *data(1000)).kinds if "baseline" in k]


def test_input_scales():
    draws = np.random.default_rng(0)
    x = draws.standard_normal((100, 5, 3))
    y = x[:, -1, 0]
    model = compiled(layers.Input((5, 3)), layers.SimpleRNN(4), layers.Dense(1))
    assert not [k for k in diagnose(model, x, y).kinds if "input" in k]
    rare = x * [1, 1, 0]
    rare[0, 0, 2] = 0.2  # an event now and then is not on a small scale
    assert not [k for k in diagnose(model, rare, y).kinds if "input" in k]
    one = finding("input scales", diagnose(model, x * [1, 1, 1e4], y))
    assert "feature 2" in one.message
    assert "4." in one.message
    assert "large inputs" in diagnose(model, x * 1000, y).kinds


def test_a_loss_that_is_not_finite():
    model = compiled(layers.Input((2,)), layers.Dense(1, name="out"))
    model.layers[0].kernel = [[np.inf], [0.0]]
    (one,) = diagnose(model, np.ones((3, 2)), np.zeros(3))
    assert one.kind == "not finite"
    assert "out" in one.message


def test_findings_read_well():
    found = Findings([Finding("warning", "dead units", "rnn", "word " * 40, {"dead": 3})])
    assert found.kinds == ["dead units"]
    assert str(found).startswith("WARNING: dead units (rnn)\n    word")
    assert max(map(len, str(found).splitlines())) <= 80


def test_it_takes_a_few_passes_only(monkeypatch):
    """Not a pass for each parameter or sample, and a backward pass of a part of many samples only."""
    model = compiled(layers.Input((8, 1)), layers.SimpleRNN(4), layers.Dense(1))
    sizes = {"forward": [], "backward": []}
    for name, seen in sizes.items():
        run = getattr(layers.SimpleRNN, name)

        def counted(layer, record, x, *rest, run=run, seen=seen):
            seen.append(len(x))
            return run(layer, record, x, *rest)

        monkeypatch.setattr(layers.SimpleRNN, name, counted)
    diagnose(model, *data(2000))
    assert len(sizes["forward"]) <= 4
    assert sizes["backward"] == [256]
