"""RNN: the fused SimpleRNN and live Keras do the same; what it refuses; its place in graphs. See also test_cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import Input, Model, Sequential, layers
from rnn_core.layers import RNN, Dense, SimpleRNN, SimpleRNNCell, StackedRNNCells
from rnn_core.several import as_list

from ..finite_differences import SEEDS, examples
from .against_keras import TIGHT, keras, keras_gradients
from .leaky_cell import LeakyCell

F64 = {"dtype": "float64"}
FLAGS = ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")
ROUNDING = {"rtol": 1e-11, "atol": 1e-12}


def draw_flags(*names: str):
    return st.fixed_dictionaries({name: st.booleans() for name in names})


@examples(60)
@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 3)),
    cell=st.fixed_dictionaries(
        {
            "units": st.integers(1, 3),
            "activation": st.sampled_from(["tanh", "relu", "gelu", "softmax"]),
            "use_bias": st.booleans(),
            "dropout": st.sampled_from([0.0, 0.4]),
            "recurrent_dropout": st.sampled_from([0.0, 0.4]),
        }
    ),
    flags=draw_flags(*FLAGS, "stateful"),
    masked=st.booleans(),
    given_state=st.booleans(),
)
def test_run_by_rnn_the_cell_is_simple_rnn(seed, shape, cell, flags, masked, given_state):
    """Outputs, states and all gradients, over two batches."""
    both = [SimpleRNN(**cell, **flags, seed=7, **F64), RNN(SimpleRNNCell(**cell, seed=7, **F64), **flags)]
    draws = np.random.default_rng(seed)
    for layer in both:
        layer.ensure_built(shape)
    both[0].vector[...] = 0.6 * draws.standard_normal(both[0].vector.size)
    both[1].set_weights(both[0].get_weights())
    d_vectors = [np.full_like(layer.vector, np.nan) for layer in both]
    records = [layer.new_record(shape, d) for layer, d in zip(both, d_vectors, strict=True)]
    for _ in range(2):
        x, h0 = draws.standard_normal(shape), draws.standard_normal((shape[0], cell["units"]))
        mask = draws.random(shape[:2]) < 0.6 if masked else None
        results = []
        w: list[np.ndarray] = []
        for layer, r, d_vector in zip(both, records, d_vectors, strict=True):
            r.mask = [mask, None] if given_state else mask
            outputs = as_list(layer.forward(r, [x, h0] if given_state else x, training=True))
            w = w or [draws.standard_normal(part.shape) for part in outputs]
            d_inputs = as_list(layer.backward(r, w if len(w) > 1 else w[0]))
            results.append([part.copy() for part in (*outputs, d_vector, *d_inputs)])
        for mine, fused in zip(*results[::-1], strict=True):
            np.testing.assert_allclose(mine, fused, **ROUNDING)


def rnn_pair(units, flags, dropout=0.0):
    """Return RNN over one cell or a stack of them, ours and Keras', with the same weights."""
    made = []
    for module in (layers, keras.layers):
        cells = [
            module.SimpleRNNCell(n, activation, dropout=dropout, recurrent_dropout=dropout, **F64)
            for n, activation in zip(units, ["tanh", "relu", "elu"], strict=False)
        ]
        made.append(module.RNN(cells[0] if len(cells) == 1 else module.StackedRNNCells(cells, **F64), **flags, **F64))
    return made


@pytest.mark.parametrize("units", [(3,), (3, 2), (2, 3, 1)], ids=str)
@examples(8)
@given(seed=SEEDS, flags=draw_flags(*FLAGS), masked=st.booleans(), given_states=st.booleans())
def test_outputs_and_gradients_are_keras(units, seed, flags, masked, given_states):
    ours, theirs = rnn_pair(units, flags)
    shape = (2, 4, 3)
    draws = np.random.default_rng(seed)
    ours.ensure_built(shape)
    theirs.build(shape)
    ours.vector[...] = 0.6 * draws.standard_normal(ours.vector.size)
    for variable, weight in zip(theirs.trainable_variables, ours.weights, strict=True):
        variable.assign(weight)
    x, states = draws.standard_normal(shape), [draws.standard_normal((2, n)) for n in units]
    mask = draws.random(shape[:2]) < 0.6 if masked else None
    if mask is not None:  # what was put out before the first output is 0 in Keras on TensorFlow, whatever the states
        mask[:, 0] = mask[:, -1] = True

    record = ours.new_record(shape, d_vector := np.empty_like(ours.vector))
    record.mask = [mask, *(None for _ in units)] if given_states else mask
    outputs = ours.forward(record, [x, *states] if given_states else x)
    outputs = list(outputs) if flags["return_state"] else [outputs]
    w = draws.standard_normal(outputs[0].shape)
    d_outputs = [w, *(None for _ in units)] if flags["return_state"] else w
    d_inputs = as_list(ours.backward(record, d_outputs))

    def call(x, *states):
        return theirs(x, initial_state=list(states) or None, mask=mask)

    their_outputs, their_gradients = keras_gradients(theirs, [x, *states] if given_states else [x], w, call)
    for mine, keras_ in zip(outputs, their_outputs, strict=True):
        np.testing.assert_allclose(mine, keras_, **TIGHT)
    for mine, keras_ in zip([*ours.views(d_vector).values(), *d_inputs], their_gradients, strict=True):
        np.testing.assert_allclose(mine, keras_, rtol=1e-11, atol=1e-12)


def test_dropout_is_held_fixed_over_time_as_in_keras():
    ours, theirs = rnn_pair((3, 2), {"return_sequences": True}, dropout=0.4)
    shape = (2, 5, 4)
    ours.ensure_built(shape)
    theirs.build(shape)
    theirs.set_weights(ours.get_weights())
    x = np.random.default_rng(0).standard_normal(shape)
    drawn = ours.cell.dropout_masks(2, 4)
    ours.cell.dropout_masks = lambda batch, features: drawn
    for cell, masks in zip(theirs.cell.cells, drawn, strict=True):
        cell._dropout_mask, cell._recurrent_dropout_mask = masks
        cell.reset_dropout_mask = cell.reset_recurrent_dropout_mask = lambda: None
    expected = np.asarray(theirs(x, training=True))
    np.testing.assert_allclose(ours(x, training=True), expected, **TIGHT)
    assert np.abs(ours(x) - expected).max() > 0.01  # and not outside training


def test_configs_are_keras():
    ours, theirs = rnn_pair((3, 2), {"return_sequences": True, "zero_output_for_mask": True}, dropout=0.25)
    again = RNN.from_config(theirs.get_config())
    assert [cell.units for cell in again.cell.cells] == [3, 2]
    assert again.return_sequences
    assert again.dtype == again.cell.dtype == again.cell.cells[1].dtype == "float64"
    theirs_again = keras.layers.RNN.from_config(ours.get_config())
    assert theirs_again.cell.cells[1].dropout == 0.25
    assert set(ours.get_config()) == set(theirs.get_config())


def test_weights_are_filed_under_their_cells():
    layer = RNN([SimpleRNNCell(2), LeakyCell(3), SimpleRNNCell(1)])
    layer.ensure_built((1, 4, 5))
    stems = dict.fromkeys(spec.name.rsplit("/", 1)[0] for spec in layer.specs)
    assert list(stems) == [
        "stacked_rnn_cells/simple_rnn_cell",
        "stacked_rnn_cells/leaky_cell",
        "stacked_rnn_cells/simple_rnn_cell_1",
    ]
    layer.cell.cells[1].kernel = np.full((2, 3), 7.0)
    assert np.count_nonzero(layer.vector == 7) == 6


def test_in_a_graph_states_go_in_and_come_out():
    past, future = Input((None, 2), **F64), Input((3, 2), **F64)
    _, *states = RNN([LeakyCell(2, **F64), SimpleRNNCell(3, **F64)], return_state=True)(past)
    read = RNN([LeakyCell(2, **F64), SimpleRNNCell(3, **F64)], return_sequences=True)
    model = Model([past, future], Dense(1, **F64)(read(future, initial_state=states)))
    assert [tuple(state.shape) for state in states] == [(None, 2), (None, 3)]
    assert model.output_shape == (None, 3, 1)
    model.compile(loss="mse", optimizer="sgd")
    draws = np.random.default_rng(0)
    x, y = [draws.standard_normal((8, 4, 2)), draws.standard_normal((8, 3, 2))], draws.standard_normal((8, 3, 1))
    before = model.vector.copy()
    model.fit(x, y, verbose=0)
    assert ((model.vector != before) | (before == 0)).all()
    longer = model.predict([np.concatenate([x[0], x[0]], axis=1), x[1]], verbose=0)
    assert longer.shape == (8, 3, 1)


def test_the_record_shows_what_the_cell_kept_over_time():
    layer, x = RNN([SimpleRNNCell(2, **F64), LeakyCell(3, **F64)], return_sequences=True), np.ones((4, 5, 1))
    layer.ensure_built(x.shape)
    r = layer.new_record(x.shape, np.empty_like(layer.vector))
    y = layer.forward(r, x)
    layer.backward(r, np.ones_like(y))
    named = r.named_arrays()
    np.testing.assert_array_equal(named["outputs"], y.transpose(1, 0, 2))
    assert named["simple_rnn_cell/hidden"].shape == (5, 4, 2)
    np.testing.assert_array_equal(named["leaky_cell/x"], named["simple_rnn_cell/hidden"])
    np.testing.assert_array_equal(named["leaky_cell/h"][1:], named["outputs"][:-1])
    assert not any(name.endswith("d_kernel") for name in named)


def test_masks_reach_it_through_wrappers():
    model = Sequential(
        [
            Input((None, 2), **F64),
            layers.Masking(**F64),
            layers.Bidirectional(RNN(LeakyCell(3, 0.2, **F64), return_sequences=True)),
            RNN(LeakyCell(2, **F64)),
        ]
    )
    assert model.layers[1].forward_layer.cell.rate == model.layers[1].backward_layer.cell.rate == 0.2
    x = np.random.default_rng(0).standard_normal((3, 5, 2))
    x[:, 3:] = 0
    np.testing.assert_allclose(model.predict(x, verbose=0), model.predict(x[:, :3], verbose=0), rtol=1e-12)


def test_the_cell_follows_the_layers_dtype():
    layer = RNN([SimpleRNNCell(2, **F64), SimpleRNNCell(3, **F64)], stateful=True)
    assert layer(np.zeros((2, 3, 4))).dtype == np.float64
    layer.dtype = "float32"
    layer.bind(layer.vector.astype("float32"))
    assert {weight.dtype.name for cell in layer.cell.cells for weight in cell.weights} == {"float32"}
    assert {cell.dtype for cell in (layer.cell, *layer.cell.cells)} == {"float32"}


def test_a_vanished_gradient_leaves_no_denormals():
    layer = RNN(SimpleRNNCell(2, None, recurrent_initializer="identity"))
    layer.ensure_built((1, 400, 1))
    layer.cell.recurrent_kernel *= 0.7
    r = layer.new_record((1, 400, 1), np.empty_like(layer.vector))
    layer.backward(r, np.ones_like(layer.forward(r, np.ones((1, 400, 1), np.float32))))
    tiny = np.finfo(np.float32).tiny
    assert not ((np.abs(r.d_input) < tiny) & (r.d_input != 0)).any()
    assert not r.d_input[0].any()


@pytest.mark.parametrize(
    ("step", "got"),
    [
        (lambda r, x, states: (states[0], states[0]), r"got \(1, 2\) and \(1, 2\)"),
        (lambda r, x, states: (x, states), r"got \(1, 3\) and \[\(1, 2\)\]"),
        (lambda r, x, states: (states[0], [*states, x]), r"got \(1, 2\) and \[\(1, 2\), \(1, 3\)\]"),
    ],
)
def test_a_cell_that_returns_something_else_is_told(step, got):
    cell = LeakyCell(2, name="mine")
    cell.step = step
    with pytest.raises(
        ValueError, match=rf"LeakyCell 'mine': step must return the output, \(1, 2\), and a list .*; {got}"
    ):
        RNN(cell)(np.zeros((1, 4, 3)))


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        (lambda: RNN(SimpleRNN(3)), TypeError, "RNN: cell must be a rnn_core cell or a list of them, got <SimpleRNN "),
        (lambda: RNN([]), ValueError, "cells must be a list of at least one cell"),
        (lambda: RNN([SimpleRNNCell(1), 3]), TypeError, "cells must be rnn_core cells, got int: 3"),
        (lambda: StackedRNNCells([c := SimpleRNNCell(1), c]), ValueError, "a cell can stand in the stack once"),
        (lambda: RNN(RNN(SimpleRNNCell(1, name="a")).cell), ValueError, "layer 'a' is part of 'rnn.*' already"),
        (lambda: RNN(SimpleRNNCell(1))(np.zeros((2, 3))), ValueError, r"RNN .* expects \(batch, timesteps, features\)"),
        (lambda: RNN(SimpleRNNCell(1))(np.zeros((2, 0, 3))), ValueError, "no dimension may be empty"),
        (
            lambda: RNN([SimpleRNNCell(1), SimpleRNNCell(2)])(np.zeros((2, 3, 1)), initial_state=np.zeros((2, 1))),
            ValueError,
            r"initial_state must be 2 arrays of shape \(2, 1\) and \(2, 2\)",
        ),
        (
            lambda: RNN(SimpleRNNCell(2))(Input((3, 1)), initial_state=Input((3,))),
            ValueError,
            r"initial_state must be one state of shape \(batch, 2\), got \(batch, 3\)",
        ),
        (lambda: RNN(SimpleRNNCell(2), stateful=True)(Input((3, 1))), ValueError, "needs a fixed batch size"),
        (lambda: SimpleRNNCell(2)(Input((3,)), [np.zeros((1, 2))]), TypeError, r"call RNN\(cell\) on symbols"),
        (lambda: layers.Cell()(np.zeros((2, 3)), []), AttributeError, "state_size"),
    ],
)
def test_what_is_refused(do, error, message):
    with pytest.raises(error, match=message):
        do()


def test_a_stateful_layer_refuses_another_batch_size():
    layer = RNN(SimpleRNNCell(2), stateful=True)
    layer(np.zeros((3, 4, 1)))
    with pytest.raises(ValueError, match="stateful with batches of 3, got one of 2"):
        layer(np.zeros((2, 4, 1)))


def test_an_unknown_cell_in_a_config_is_named():
    config = RNN(SimpleRNNCell(2)).get_config()
    config["cell"]["class_name"] = "SimpelRNNCell"
    with pytest.raises(ValueError, match=r"There is no cell 'SimpelRNNCell'. Did you mean 'SimpleRNNCell'"):
        RNN.from_config(config)
