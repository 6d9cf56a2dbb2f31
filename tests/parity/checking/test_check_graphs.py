"""The check of graphs, wrappers, cells and embeddings: what is right holds, what is wrong is found, and named."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import parity
from parity import KerasSide, floatx, to_keras
from parity.backend import to_numpy
from parity.checking import known_differences, rules, run
from parity.commands.sample_data import random_data, targets
from parity.keras_calls import Calls, call_labels
from parity.sides.our_side import OurSide
from rnn_core import layers, losses, optimizers
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Model, Sequential
from rnn_core.several import as_list

from .. import many_layers, samples
from ..samples import BACKEND, few, keras

pytestmark = pytest.mark.filterwarnings("ignore:.*does not support masking")  # Reshape and Flatten in Keras

R = np.random.default_rng(0)
X, START = R.standard_normal((6, 5, 3)), R.standard_normal((6, 4))
WORDS = R.integers(1, 6, (6, 5))
WORDS[::2, 3:] = 0


def two(dtype="float64", **compiled):
    """Indices with a mask, a layer called twice, an initial state from an input, several outputs."""
    words, series, start = (
        Input((5,), dtype="int32", name="words"),
        Input((5, 3), dtype=dtype, name="series"),
        Input((4,), dtype=dtype, name="start"),
    )
    known = layers.Embedding(6, 3, mask_zero=True, dtype=dtype, name="table")(words)
    shared = SimpleRNN(4, dropout=0.2, return_state=True, return_sequences=True, dtype=dtype, name="shared")
    h, last = shared(known, initial_state=start)
    _, other = shared(series)
    first = Dense(2, dtype=dtype, name="first")(layers.GlobalAveragePooling1D(dtype=dtype, name="mean")(h))
    both = layers.Add(dtype=dtype, name="both")([last, other])
    model = Model([words, series, start], [first, Dense(1, "sigmoid", dtype=dtype, name="second")(both)], name="two")
    model.compile("rmsprop", **{"loss": ["mse", "binary_crossentropy"], "loss_weights": [1, 0.5], **compiled})
    return model


INPUTS, TARGETS = [WORDS, X, START], [R.standard_normal((6, 2)), R.integers(0, 2, (6, 1)).astype(float)]


def wrapped(**changed):
    model = Sequential(
        [
            Input((5, 3), dtype="float64"),
            layers.Bidirectional(
                SimpleRNN(3, return_sequences=True, dropout=0.3, dtype="float64", **changed), name="both"
            ),
            layers.TimeDistributed(layers.Dropout(0.4, dtype="float64"), name="each"),
            layers.RNN([layers.SimpleRNNCell(n, recurrent_dropout=0.3, dtype="float64") for n in (3, 2)], name="stack"),
        ]
    )
    model.compile("adam", "mse")
    return model


# What is right holds.


@pytest.mark.parametrize("kind", ["chains", "graphs"])
@given(data=st.data())
@few(4)
def test_any_model_holds(kind, data):
    stateful = {"stateful": data.draw(st.booleans())} if kind == "chains" else {}
    model = data.draw(getattr(many_layers, kind)("float64", smooth=True, **stateful))
    loss = data.draw(st.sampled_from(["mse", losses.Huber(0.5), losses.LogCosh()]))
    model.compile(data.draw(st.sampled_from(["rmsprop", optimizers.SGD(0.1), optimizers.Adam(clipnorm=0.1)])), loss)
    report = parity.check(model, *many_layers.data(model), dtypes=["float64"])
    assert report.holds, report


def test_every_call_input_weight_and_state_is_there():
    model = two()
    report = parity.check(model, INPUTS, TARGETS, sample_weight=[np.linspace(0, 1, 6), None])
    assert report.holds, report
    labels = [line.label for line in report.lines]
    for label in (
        "output of shared",
        "output of shared/output 2",
        "output of shared #2",
        "gradient of start/input",
        "gradient of table/embeddings",
        "new weight of second/bias",
        "new slot of shared/velocities of kernel",
    ):
        assert labels.count(label) == 2, label  # float64 and float32
    assert any("'table' row by row" in note for note in report.notes) == (BACKEND == "tensorflow")
    report = parity.check(wrapped(), X, R.standard_normal((6, 2)))
    assert report.holds, report
    assert "gradient of both/backward_simple_rnn/recurrent_kernel" in [line.label for line in report.lines]
    assert "gradient of stack/stacked_rnn_cells/simple_rnn_cell_1/kernel" in [line.label for line in report.lines]


def test_data_by_name_and_masks_for_several_inputs():
    a, b = Input((5, 3), name="a"), Input((5, 3), name="b")
    shared = SimpleRNN(4, name="shared")
    model = Model({"a": a, "b": b}, {"one": shared(a), "two": shared(b)})
    model.compile("sgd", {"one": "mse", "two": None})
    mask = np.ones((6, 5), bool)
    mask[:, 2] = False
    y = {"one": START, "two": START}
    report = parity.check(model, {"a": X, "b": X + 1}, y, mask=[mask, None], dtypes=["float64"])
    assert report.holds, report


def test_jordan_is_taught_and_closed():
    x, y_true = Input((5, 3), name="x"), Input((5, 2), name="y_true")
    jordan = layers.JordanRNN(4, 2, "tanh", "tanh", decay=0.5, return_sequences=True, name="jordan")
    model = Model([x, y_true], jordan([x, y_true]))
    model.compile("rmsprop", "mse")
    y = R.standard_normal((6, 5, 2))
    report = parity.check(model, [X, y], y)
    assert report.holds, report
    model.get_layer("jordan").cell.decay = 0.25
    taught = parity.check(model, [X, y], y, keras_model=to_keras(model_with_decay(model, 0.5)), dtypes=["float64"])
    assert not taught.holds


def model_with_decay(model, decay):
    other = Model.from_config(model.get_config())
    other.set_weights(model.get_weights())
    other.get_layer("jordan").cell.decay = decay
    other.compile("rmsprop", "mse")
    return other


def test_an_initial_state_may_be_handed_to_a_cell():
    model = Sequential([Input((5, 3)), layers.RNN(layers.SimpleRNNCell(4), name="rnn"), Dense(2)])
    model.compile("sgd", "mse")
    report = parity.check(model, X, R.standard_normal((6, 2)), initial_state={"rnn": START}, dtypes=["float64"])
    assert report.holds, report
    assert "gradient of rnn/initial state" in [line.label for line in report.lines]


# What is wrong is found.


@pytest.mark.parametrize("name", ["table", "shared", "first"])
def test_another_weight_in_keras_is_found_where_it_is(name):
    model = two()
    theirs = to_keras(model)
    variable = theirs.get_layer(name).weights[0]
    variable.assign(variable * 1.001)
    report = parity.check(model, INPUTS, TARGETS, keras_model=theirs, dtypes=["float64"])
    assert report.first_bad.layer == name
    assert parity.find_cause(model, INPUTS, TARGETS, keras_model=theirs, report=report) is None


def test_another_wiring_in_keras_is_found():
    def make(crossed):
        a, b = keras.Input((5, 3), name="a"), keras.Input((5, 3), name="b")
        shared = keras.layers.SimpleRNN(4, name="shared", seed=0)
        calls = shared(a), shared(b)
        return keras.Model([a, b], keras.layers.Subtract(name="less")([calls[crossed], calls[1 - crossed]]))

    right, wrong = make(0), make(1)
    wrong.set_weights(right.get_weights())
    ours = parity.from_keras(right)
    assert parity.check(ours, [X, X + 1], keras_model=right, dtypes=["float64"]).holds
    report = parity.check(ours, [X, X + 1], keras_model=wrong, dtypes=["float64"])
    assert report.first_bad.label == "output of less"


def test_a_fault_of_a_chain_with_wrappers_has_a_cause():
    ours, theirs = wrapped(), to_keras(wrapped())
    theirs.set_weights(ours.get_weights())
    theirs.layers[0].forward_layer.cell.kernel.assign(-theirs.layers[0].forward_layer.cell.kernel)
    report = parity.check(ours, X, R.standard_normal((6, 2)), keras_model=theirs, dtypes=["float64"])
    assert report.first_bad.layer == "both"


# The two sides.


def test_keras_runs_its_own_graph():
    model = two()
    theirs = to_keras(model)
    side, ours = KerasSide(theirs), OurSide(model)
    forward, mine = side.forward(INPUTS), ours.forward(INPUTS)
    assert sorted(side.labels) == sorted(call_labels(model.graph)) == sorted(forward.outputs)
    with floatx("float64"):
        for a, b in zip(forward.output, theirs.predict(INPUTS, verbose=0), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
        loss = theirs.evaluate(INPUTS, TARGETS, verbose=0)
    np.testing.assert_allclose(side.loss(INPUTS, TARGETS), np.ravel(loss)[0], rtol=1e-12)
    np.testing.assert_array_equal(forward.masks["shared"], WORDS != 0)
    np.testing.assert_array_equal(mine.masks["shared"], WORDS != 0)
    assert len(mine.outputs["shared"]) == len(forward.outputs["shared"]) == 2
    assert not side.masks_handed  # the twin names the mask itself


def test_a_step_is_that_of_train_on_batch():
    model = two()
    theirs, other = to_keras(model), to_keras(model)
    theirs.get_layer("shared").cell.dropout = other.get_layer("shared").cell.dropout = 0
    side = KerasSide(theirs)
    step = side.step(INPUTS, TARGETS)
    with floatx("float64"):
        other.compile(keras.optimizers.RMSprop(), ["mse", "binary_crossentropy"], loss_weights=[1, 0.5])
        loss = np.ravel(other.train_on_batch(INPUTS, TARGETS))[0]
    np.testing.assert_allclose(step.loss, loss, rtol=1e-12)
    np.testing.assert_allclose(step.weights["first/kernel"], to_numpy(other.get_layer("first").kernel), rtol=1e-6)


def test_models_in_models_are_run_by_their_layers():
    a = keras.Input((5, 3), name="a")
    inner = keras.Sequential([keras.layers.SimpleRNN(3, return_sequences=True, name="low")], name="inner")
    theirs = keras.Model(a, keras.layers.Dense(1, name="head")(inner(inner(a))))
    assert sorted(Calls(theirs).labels) == ["head", "low", "low #2"]
    theirs.compile("adam", "mse")
    report = parity.check(parity.from_keras(theirs), X, R.standard_normal((6, 5, 1)), keras_model=theirs)
    assert report.holds, report


# Known differences, in words.


def seq2seq():
    words, start = keras.Input((5,), name="words"), keras.Input((4,), name="start")
    known = keras.layers.Embedding(6, 3, mask_zero=True, name="table")(words)
    return keras.Model([words, start], keras.layers.SimpleRNN(4, name="memory")(known, initial_state=start))


def test_a_mask_that_keras_loses_is_handed_over_and_told():
    theirs = seq2seq()
    with pytest.warns(UserWarning, match="from_keras: Keras loses the mask of 'memory'"):
        ours = parity.from_keras(theirs)
    report = parity.check(ours, [WORDS, START], keras_model=theirs, dtypes=["float64"])
    assert report.holds, report
    again = parity.from_keras(parity.to_keras(ours))  # which names the mask: there is nothing to warn of
    np.testing.assert_array_equal(again.predict([WORDS, START]), ours.predict([WORDS, START]))
    assert any(note.startswith("Keras loses the mask of 'memory'") for note in report.notes)


def test_a_mask_that_keras_joins_too_early_is_handed_over_and_told():
    """Of an input that is handed a mask it knows nothing when the model is made, and there it joins masks."""
    a, b = Input((3, 2)), Input((3, 2))
    both = layers.Concatenate(axis=1)([a, layers.Masking()(b)])
    model = Model([a, b], SimpleRNN(3, name="memory")(both))
    given = [R.standard_normal((4, 3, 2)) for _ in range(2)]
    for mask, count in (([np.arange(3) < np.array([[3], [2], [1], [3]]), None], 1), (None, 0)):
        report = parity.check(model, given, mask=mask, dtypes=["float64"])
        assert report.holds, report
        assert sum(note.startswith("Keras loses the mask of 'memory'") for note in report.notes) == count


def test_a_mask_goes_through_a_reshape_that_changes_nothing_on_jax_alone():
    x = np.ones((2, 4, 1))
    x[1, 1:] = 0
    model = Sequential([Input((4, 1)), layers.Masking(), layers.Reshape((-1, 1)), layers.SimpleRNN(2)])
    report = parity.check(model, x)
    assert report.holds == (BACKEND != "jax")
    assert any("hands the mask on through 'reshape'" in note for note in report.notes) == (BACKEND == "jax")


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("given", [{}, {"unroll": True}, {"zero_output_for_mask": True}])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_keras_takes_the_state_for_the_output_at_masked_steps_on_jax_alone(decay, given, stacked):
    cell = layers.JordanCell(3, 1, decay=decay)
    memory = layers.RNN([layers.SimpleRNNCell(2), cell] if stacked else cell, return_sequences=True, **given)
    x = np.random.default_rng(3).standard_normal((2, 6, 1))
    x[1, 2:4] = 0  # after one step alone the state is the output still
    report = parity.check(Sequential([Input((6, 1)), layers.Masking(), memory]), x)
    differs = BACKEND == "jax" and bool(decay) and not given
    assert report.holds != differs, report
    assert any("Keras on JAX puts out the state of" in note for note in report.notes) == differs


@pytest.mark.parametrize("unroll", [False, True])
def test_masked_steps_of_an_unrolled_layer_are_not_0_on_jax_alone(unroll):
    x = np.random.default_rng(3).standard_normal((2, 6, 1))
    x[1, 2:4] = 0
    memory = SimpleRNN(2, return_sequences=True, unroll=unroll, zero_output_for_mask=True)
    report = parity.check(Sequential([Input((6, 1)), layers.Masking(), memory]), x)
    differs = BACKEND == "jax" and unroll
    assert report.holds != differs, report
    assert any("Keras on JAX ignores zero_output_for_mask" in note for note in report.notes) == differs


def test_a_stack_that_begins_with_a_jordan_cell_takes_a_mask():
    x = np.random.default_rng(3).standard_normal((2, 4, 1))
    x[1, 1:3] = 0
    stack = layers.RNN([layers.JordanCell(3, 2, decay=0.3), layers.SimpleRNNCell(1)], return_sequences=True)
    report = parity.check(Sequential([Input((4, 1)), layers.Masking(), stack]), x)
    assert report.holds, report


@pytest.mark.skipif(samples.BACKEND != "tensorflow", reason="a bug of Keras on TensorFlow")
@pytest.mark.filterwarnings("ignore:from_keras. Keras loses the mask")
def test_a_masked_start_is_told():
    theirs, late = seq2seq(), WORDS.copy()
    late[0] = 0
    report = parity.check(parity.from_keras(theirs), [late, START], keras_model=theirs, dtypes=["float64"])
    assert report.first_bad.layer == "memory"
    assert any("puts out 0 for 'memory' until its first step that is not masked" in note for note in report.notes)


@pytest.mark.skipif(samples.BACKEND != "tensorflow", reason="a bug of Keras on TensorFlow")
@given(st.lists(st.tuples(*[st.integers(1, 3)] * 3), min_size=2, max_size=2))
@example([(3, 3, 1), (3, 1, 1)])
@example([(3, 1, 1), (3, 3, 1)])
def test_when_keras_adds_an_input_as_a_bias(shapes):
    sizes = np.maximum(*shapes)
    shapes = [tuple(size if wide > 1 else 1 for size, wide in zip(sizes, shape, strict=True)) for shape in shapes]
    first, second = (R.standard_normal(shape) for shape in shapes)
    wrong = not np.array_equal(keras.ops.convert_to_numpy(keras.ops.add(first, second)), first + second)
    assert known_differences.adds_as_bias(shapes) == wrong


@pytest.mark.skipif(samples.BACKEND != "tensorflow", reason="a bug of Keras on TensorFlow")
@pytest.mark.parametrize("row_first", [False, True])
@pytest.mark.parametrize("merge", [layers.Add, layers.Average])
def test_an_input_that_keras_takes_for_a_bias_is_told(merge, row_first):
    sequence, row = Input((6, 1), name="sequence"), Input((1,), name="row")
    merged = merge(name="merged")([row, sequence] if row_first else [sequence, row])
    model = Model([sequence, row], merged)
    report = parity.check(model, [R.standard_normal((6, 6, 1)), R.standard_normal((6, 1))], dtypes=["float64"])
    assert report.holds == row_first
    assert any("takes an input of 'merged'" in note for note in report.notes) != row_first


def test_an_output_without_a_loss_has_no_weights_to_redraw(monkeypatch):
    monkeypatch.setattr(rules, "TWICE", 1e-9)
    monkeypatch.setattr(rules, "ONE_EPS", 1e-9)
    monkeypatch.setattr(rules, "SIXTEEN_EPS", 1e-9)
    monkeypatch.setattr(rules, "OF_ROOT", 1e-9)
    monkeypatch.setattr(run, "GROSS", np.inf)
    model = two("float32", loss=["mse", None])
    report = parity.check(model, INPUTS, TARGETS, draws=2)
    assert {line.draws for line in report.bad} == {2}


@pytest.mark.parametrize("weight", [(6, 1), (6, 5)])
@pytest.mark.parametrize("ignored", [None, 1])
def test_weights_of_samples_beside_what_does_not_count(ignored, weight):
    """Keras on torch multiplies the weights by the mask in place, so they need its shape."""
    inputs = Input((5, 3))
    rnn = SimpleRNN(4, return_sequences=True)(layers.Masking()(inputs) if ignored is None else inputs)
    model = Model(inputs, Dense(3, "softmax")(rnn))
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=ignored))
    x = X.copy()
    x[::2, 3:] = 0
    report = parity.check(model, x, R.integers(0, 3, (6, 5)), R.random(weight), dtypes=["float64"])
    assert report.holds, report


def test_bad_questions_say_what_they_miss():
    with pytest.raises(ValueError, match="initial_state of 'shared' is part of the graph"):
        parity.check(two(), INPUTS, TARGETS, initial_state=START)
    model = Sequential([Input((2, 5, 3)), layers.TimeDistributed(SimpleRNN(2, dropout=0.5), name="each")])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"TimeDistributed 'each' draws dropout of .* at every time step anew"):
        parity.check(model, R.standard_normal((6, 2, 5, 3)), R.standard_normal((6, 2, 2)))


def test_the_command_line_takes_any_keras_file(tmp_path):
    to_keras(two("float32")).save(tmp_path / "two.keras")
    np.savez(tmp_path / "data.npz", words=WORDS, series=X, start=START)
    command = [sys.executable, "-m", "parity", "check", str(tmp_path / "two.keras")]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    how = {"capture_output": True, "text": True, "timeout": 120, "check": False, "env": environment}
    done = subprocess.run([*command, "--data", str(tmp_path / "data.npz")], **how)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "data: 6 of the 6 samples in data.npz" in done.stdout
    np.save(tmp_path / "one.npy", X)
    done = subprocess.run([*command, "--data", str(tmp_path / "one.npy")], **how)
    assert done.returncode == 2
    assert "the model has the inputs words, series, start; give an .npz file" in done.stderr


def test_random_data_fits_the_model():
    model = two()
    x, note = random_data(model)
    assert x[0].max() < 6
    assert (x[0] == 0).any()
    assert "indices below 6, shape (8, 5)" in note
    assert [np.shape(part) for part in as_list(targets(model, x))] == [(8, 2), (8, 1)]


def test_inputs_are_matched_by_their_place():
    """Keras numbers an Input without a name: that of the second model is another."""

    def built():
        x = keras.Input((4, 2))
        return keras.Model(x, keras.layers.SimpleRNN(3, name="memory")(x))

    theirs, other = built(), built()
    other.set_weights(theirs.get_weights())
    theirs.compile("sgd", "mse")
    other.compile("sgd", "mse")
    x, y = R.standard_normal((6, 4, 2)), R.standard_normal((6, 3))
    report = parity.check(parity.from_keras(theirs), x, y, keras_model=other)
    assert report.holds, report
    assert sum(line.name == "input" for line in report.lines) == 2
