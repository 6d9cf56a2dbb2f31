"""JordanRNN: closed loop and teacher forcing, against differences, Keras and what Jordan says. See also test_cells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity import layer_to_keras
from rnn_core import Input, Model, Sequential, layers
from rnn_core.layers import RNN, Dense, JordanCell, JordanRNN
from rnn_core.optimizers import Adam

from ..finite_differences import SEEDS, check_gradients, examples
from .against_keras import keras_gradients

SETTINGS = st.fixed_dictionaries(
    {
        "units": st.integers(1, 3),
        "output_units": st.integers(1, 3),
        "activation": st.sampled_from(["tanh", "sigmoid", "softplus"]),
        "output_activation": st.sampled_from([None, "tanh", "softmax", "sigmoid"]),
        "decay": st.sampled_from([0.0, 0.5, 1.0]),
        "use_bias": st.booleans(),
        "return_sequences": st.booleans(),
        "return_state": st.booleans(),
        "go_backwards": st.booleans(),
        "zero_output_for_mask": st.booleans(),
    }
)
SHAPE = (2, 4, 2)


def drawn(settings: dict, seed: int, given_state: bool, forced: bool):
    """Return a layer with random weights, and its inputs: x, perhaps the true outputs, perhaps a state."""
    layer, draws = JordanRNN(**settings, dtype="float64"), np.random.default_rng(seed)
    layer.ensure_built(SHAPE)
    layer.vector[...] = 0.6 * draws.standard_normal(layer.vector.size)
    inputs = [draws.standard_normal(SHAPE)]
    if forced:
        inputs.append(draws.standard_normal((*SHAPE[:2], settings["output_units"])))
    if given_state:
        inputs.append(draws.standard_normal((SHAPE[0], settings["output_units"])))
    return layer, inputs, draws


def both_ways(layer, inputs, mask, draws):
    """Return the forward pass, and the gradients of ``sum(w * outputs)`` by weights and inputs, and w; in training."""
    r = layer.new_record([x.shape for x in inputs], d_vector := np.full_like(layer.vector, np.nan))

    def forward():
        r.mask = [mask, *(None for _ in inputs[1:])]
        return [part.copy() for part in listed(layer, layer.forward(r, inputs, training=True))]

    w = [draws.standard_normal(part.shape) for part in forward()]
    d_inputs = layer.backward(r, w if layer.return_state else w[0])
    return forward, d_vector, d_inputs, w


def listed(layer, outputs):
    return list(outputs) if layer.return_state else [outputs]


@pytest.mark.parametrize("forced", [False, True], ids=["closed loop", "teacher forcing"])
@examples(40)
@given(settings=SETTINGS, seed=SEEDS, masked=st.booleans(), given_state=st.booleans())
def test_gradients_are_those_of_central_differences(forced, settings, seed, masked, given_state):
    """In closed loop they pass through the output that is fed back; under teacher forcing they go to y_true instead."""
    layer, inputs, draws = drawn(settings, seed, given_state, forced)
    mask = draws.random(SHAPE[:2]) < 0.6 if masked else None
    forward, d_vector, d_inputs, w = both_ways(layer, inputs, mask, draws)
    gradients = {name: (layer.views(layer.vector)[name], view.copy()) for name, view in layer.views(d_vector).items()}
    assert len(d_inputs) == len(inputs)
    for i, (x, d) in enumerate(zip(inputs, d_inputs, strict=True)):
        gradients[f"input {i}"] = (x, d.copy())
    check_gradients(lambda: sum(np.sum(d * y) for d, y in zip(w, forward(), strict=True)), gradients)


@pytest.mark.parametrize("forced", [False, True], ids=["closed loop", "teacher forcing"])
@examples(12)
@given(settings=SETTINGS, seed=SEEDS, masked=st.booleans(), given_state=st.booleans())
def test_outputs_and_gradients_are_those_of_a_keras_cell(forced, settings, seed, masked, given_state):
    if settings["output_activation"] == "softmax":  # of one unit Keras warns
        settings = {**settings, "output_units": 1 + settings["output_units"]}
    layer, inputs, draws = drawn({**settings, "return_state": False}, seed, given_state, forced)
    mask = draws.random(SHAPE[:2]) < 0.6 if masked else None
    forward, d_vector, d_inputs, (w,) = both_ways(layer, inputs, mask, draws)
    theirs = layer_to_keras(layer)

    def call(*tensors):
        given, states = tensors[: 1 + forced], tensors[1 + forced :]
        start = {"initial_state": list(states)} if states else {}
        return theirs(list(given) if forced else given[0], mask=mask, training=True, **start)

    (output,), their_gradients = keras_gradients(theirs, inputs, w, call)
    np.testing.assert_allclose(forward()[0], output, rtol=1e-12, atol=1e-13)
    for one, other in zip([*layer.views(d_vector).values(), *d_inputs], their_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@examples(20)
@given(settings=SETTINGS, seed=SEEDS)
def test_fed_its_own_outputs_the_forced_network_is_the_closed_loop(settings, seed):
    settings = {**settings, "return_sequences": True, "return_state": False, "go_backwards": False}
    layer, (x, targets), _ = drawn(settings, seed, given_state=False, forced=True)
    closed = layer(x)
    np.testing.assert_allclose(layer([x, closed], training=True), closed, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(layer([x, targets]), closed)  # outside training the second input is ignored
    # What is fed back is shifted by one step: output t is not told target t, or any after it.
    other = targets.copy()
    other[:, 2:] += 1
    one, two = layer([x, targets], training=True), layer([x, other], training=True)
    np.testing.assert_array_equal(one[:, :3], two[:, :3])
    # And the cell run by RNN is the layer.
    plain = RNN(JordanCell.from_config(layer.cell.get_config()), return_sequences=True)
    plain.ensure_built(SHAPE)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(plain(x), closed)


def test_the_context_is_a_decaying_trace_of_the_outputs():
    layer = JordanRNN(3, 2, decay=0.7, return_sequences=True, return_state=True, dtype="float64")
    y, context = layer(np.random.default_rng(0).standard_normal((2, 6, 4)))
    np.testing.assert_allclose(context, sum(0.7 ** (5 - t) * y[:, t] for t in range(6)), rtol=1e-12)


def test_teacher_forcing_cuts_the_gradient_between_steps():
    """The output at t does not know x at t - 1 when the true outputs are fed back; in closed loop it does."""
    layer, (x, targets), _ = drawn({"units": 3, "output_units": 2}, 0, False, True)
    for inputs, reaches in (([x], True), ([x, targets], False)):
        r = layer.new_record([part.shape for part in inputs], np.empty_like(layer.vector))
        r.mask = [None, None]
        layer.forward(r, inputs, training=True)
        d_inputs = layer.backward(r, np.ones((2, 2)))  # of the last output alone
        assert d_inputs[0][:, -1].any()
        assert bool(d_inputs[0][:, :-1].any()) is reaches


def test_what_the_page_says():
    """Runs the code of docs/elman-or-jordan.md, and holds it to what is written there."""
    page = (Path(__file__).parents[3] / "docs" / "elman-or-jordan.md").read_text(encoding="utf-8")
    found: dict = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, found)
    assert found["right"]["Elman"] > 0.99
    assert 0.4 < found["right"]["Jordan"] < 0.6
    assert found["error"] < 0.01 < found["untrained_error"]
    assert np.abs(found["radius"] - 1).max() < 0.2
    # predict and evaluate of the model that was trained are in closed loop too, whatever the second input holds
    trained, plans, circles = found["trained"], found["plans"], found["circles"]
    generated = found["generator"].predict(plans, verbose=0)
    np.testing.assert_array_equal(trained.predict([plans, 0 * circles], verbose=0), generated)
    error = trained.evaluate([plans, circles], circles, verbose=0)
    np.testing.assert_allclose(error, np.mean((generated - circles) ** 2), rtol=1e-4)


def test_the_true_outputs_come_before_a_state_and_the_gradient_goes_through_a_graph():
    x, y_true, start = Input((5, 3)), Input((5, 2)), Input((2,))
    jordan = JordanRNN(4, 2, return_state=True, return_sequences=True)
    y, context = jordan([x, y_true], initial_state=start)
    model = Model([x, y_true, start], [Dense(1)(y), context])
    model.compile(loss="mse", optimizer="sgd")
    draws = np.random.default_rng(0)
    data = [draws.standard_normal((6, *shape)) for shape in ((5, 3), (5, 2), (2,))]
    before = jordan.get_weights()
    model.fit(data, [draws.standard_normal((6, 5, 1)), draws.standard_normal((6, 2))], verbose=0)
    assert all((a != b).any() for a, b in zip(before, jordan.get_weights(), strict=True))


def test_in_a_sequential_it_trains_in_closed_loop():
    draws = np.random.default_rng(0)
    x = draws.standard_normal((32, 6, 1))
    model = Sequential([Input((6, 1)), JordanRNN(8, 1, return_sequences=True)])
    model.compile(loss="mse", optimizer=Adam(0.01))
    losses = model.fit(x, np.cumsum(x, axis=1) / 3, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]  # a running sum is what feeding back the output is made for


def test_the_config_makes_it_again():
    layer = JordanRNN(
        3,
        2,
        "sigmoid",
        "softmax",
        0.25,
        bias_initializer="ones",
        output_regularizer="l2",
        recurrent_constraint="unit_norm",
        return_sequences=True,
        name="speech",
        dtype="float64",
    )
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert type(again) is JordanRNN
    assert again.get_config() == layer.get_config()
    cell = JordanCell.from_config(layer.cell.get_config())
    assert cell.get_config() == layer.cell.get_config()
    again(np.zeros((1, 2, 3)))
    assert [spec.regularizer is not None for spec in again.specs] == [False, False, False, True, False]
    assert [spec.name for spec in again.specs] == [
        f"jordan_cell/{name}" for name in ("kernel", "recurrent_kernel", "bias", "output_kernel", "output_bias")
    ]


def test_every_setting_reaches_its_weight_and_the_config():
    """Through the layer as through the cell: they hand on one long list of arguments."""
    weights = {"kernel": ["kernel"], "recurrent": ["recurrent_kernel"], "output": ["output_kernel"]}
    weights["bias"] = ["bias", "output_bias"]
    kinds = {
        "initializer": lambda i: {"class_name": "Constant", "config": {"value": float(i)}},
        "regularizer": lambda i: {"class_name": "L2", "config": {"l2": float(i)}},
        "constraint": lambda i: {"class_name": "MaxNorm", "config": {"max_value": float(i), "axis": 0}},
    }
    arguments = {f"{name}_{kind}": make(i) for i, name in enumerate(weights, 1) for kind, make in kinds.items()}
    flags = {"return_sequences": True, "go_backwards": True, "unroll": True, "zero_output_for_mask": True}
    layer = JordanRNN(3, 2, "sigmoid", "softmax", 0.25, **arguments, **flags)
    cell = JordanCell(3, 2, "sigmoid", "softmax", 0.25, **arguments)
    layer.ensure_built((None, None, 4))
    cell.ensure_built((None, 4))
    for specs in (layer.specs, cell.specs):
        by_name = {spec.name.split("/")[-1]: spec for spec in specs}
        for i, names in enumerate(weights.values(), 1):
            for spec in (by_name[name] for name in names):
                assert (spec.initializer.value, spec.regularizer.l2, spec.constraint.max_value) == (i, i, i)
    config = layer.get_config()
    again = JordanRNN.from_config(config).get_config()
    assert again == config
    given = {"units": 3, "output_units": 2, "activation": "sigmoid", "output_activation": "softmax", "decay": 0.25}
    assert {**config, **given, **flags, "return_state": False, "stateful": False} == config
    assert all(config[name]["config"].items() >= value["config"].items() for name, value in arguments.items())


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda: JordanCell(0, 1), "^JordanCell: units must be an integer of at least 1, got 0"),
        (lambda: JordanRNN(0, 1), "^JordanRNN: units must be an integer of at least 1, got 0"),
        (lambda: JordanRNN(1, 0.5), "^JordanRNN: output_units must be an integer of at least 1, got 0.5"),
        (lambda: JordanRNN(1, 1, decay=1.5), "^JordanRNN: decay must be a number of at least 0 and at most 1, got 1.5"),
        (
            lambda: JordanRNN(3, 2)([np.zeros((4, 5, 1)), np.zeros((4, 5, 3))]),
            r"true outputs, its second input, must have shape \(batch, timesteps, 2\) .* got \(4, 5, 3\)",
        ),
        (lambda: JordanRNN(3, 2)([np.zeros((4, 5, 1)), np.zeros((4, 6, 2))]), r"got \(4, 6, 2\)"),
        (lambda: JordanRNN(3, 2)([Input((5, 1)), Input((6, 2))]), r"got \(batch, 6, 2\)"),
        (lambda: JordanRNN(3, 2)([Input((5, 1)), Input((5, 2)), Input((5, 2))]), "initial_state must be one state of"),
        (lambda: JordanRNN(3, 2)(np.zeros((4, 5))), r"JordanRNN .* expects \(batch, timesteps, features\)"),
    ],
)
def test_what_is_refused(do, message):
    with pytest.raises(ValueError, match=message):
        do()


@pytest.mark.parametrize("as_lists", [False, True])
@pytest.mark.parametrize(
    ("shapes", "got"),
    [
        ([(4, 5, 1), (4, 5, 2), (4, 2)], r"3 arrays of shapes \(4, 5, 1\), \(4, 5, 2\), \(4, 2\)\."),
        ([(4, 5, 1)] * 3, r"3 arrays of shapes \(4, 5, 1\), \(4, 5, 1\), \(4, 5, 1\)\."),
        ([(4, 5, 1)] * 9, r"9 arrays of shapes \(4, 5, 1\), \(4, 5, 1\), \(4, 5, 1\), \.\.\.\."),
        ([(4, 5, 1)], r"1 array of shape \(4, 5, 1\)\."),
    ],
)
def test_other_lists_than_inputs_and_true_outputs_are_refused(shapes, got, as_lists):
    arrays = [np.zeros(shape).tolist() if as_lists else np.zeros(shape) for shape in shapes]
    message = rf"^JordanRNN 'j' expects x, .* or \[x, y_true\], .* initial_state=; got {got}$"
    with pytest.raises(ValueError, match=message):
        JordanRNN(3, 2, name="j")(arrays)


def test_samples_of_unequal_lengths_are_refused_by_name():
    for ragged in ([[[[1.0], [2.0]], [[1.0]]]] * 2, [[[1.0], [2.0]], [[1.0]]]):
        with pytest.raises(ValueError, match="JordanRNN 'j': inputs can't be made one array"):
            JordanRNN(3, 2, name="j")(ragged)
