"""Graphs of layers: their order is Keras', their gradients are those of the loss, bad ones are refused by name."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rnn_core.finite_differences import SEEDS, check_gradients, examples
from tests.rnn_core.random_graphs import built, copy_weights, data, graphs, randomize

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import rnn_core
from rnn_core.graph import Graph
from rnn_core.layers import Activation, Add, Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Model, Sequential
from rnn_core.several import as_list


def text_of(model, **options) -> str:
    texts: list[str] = []
    model.summary(print_fn=texts.append, **options)
    return texts[0]


def order_of_calls(model):
    """Return (layer, number of the call) in the order in which Keras runs the calls."""
    order = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if not node.is_input:
                order.append((node.operation.name, node.operation._inbound_nodes.index(node)))
    return order


@examples(20)
@given(graphs())
def test_every_graph_is_keras_graph(graph):
    ours, theirs = built(rnn_core, graph), built(keras, graph)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [(step.layer.name, step.call[3]) for step in ours.graph.steps] == order_of_calls(theirs)
    assert ours.name == theirs.name
    assert ours.output_names == theirs.output_names
    assert ours.input_names == [symbol._keras_history.operation.name for symbol in theirs.inputs]
    assert as_list(ours.input_shape) == as_list(theirs.input_shape)
    assert as_list(ours.output_shape) == as_list(theirs.output_shape)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert text_of(ours) == text_of(theirs)


def test_a_layer_stands_where_its_deepest_call_does():
    found = []
    for k in (rnn_core, keras):
        a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
        shared = k.layers.Dense(3, name="shared")
        early, late = shared(b), shared(a)
        for i in range(2):
            late = k.layers.Dense(3, name=f"late_{i}")(late)
        other = k.layers.Dense(3, name="other_1")(k.layers.Dense(3, name="other_0")(b))
        found.append([layer.name for layer in k.Model([a, b], [early, late, other]).layers])
    assert found[0] == found[1]
    assert found[0].index("shared") < found[0].index("late_0")


@examples(10)
@given(graphs(), SEEDS)
def test_every_graph_computes_what_keras_computes(graph, seed):
    ours, theirs = built(rnn_core, graph), built(keras, graph)
    draws = np.random.default_rng(seed)
    randomize(ours, draws)
    copy_weights(ours, theirs)
    x = data(ours, draws)
    for mine, other in zip(as_list(ours.predict(x)), as_list(theirs(x)), strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-11, atol=1e-12)


@examples(12)
@given(graphs(masking=True, states=False), SEEDS)
def test_masks_travel_as_in_keras(graph, seed):
    ours, theirs = built(rnn_core, graph), built(keras, graph)
    draws = np.random.default_rng(seed)
    randomize(ours, draws)
    copy_weights(ours, theirs)
    x = data(ours, draws, zeros=0.4)
    run = ours.new_pass([part.shape for part in x] if len(x) > 1 else x[0].shape)
    mine = as_list(run.forward(x if len(x) > 1 else x[0]))
    masks = as_list(run.output_mask)
    for a, mask, b in zip(mine, masks, as_list(theirs(x)), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-11, atol=1e-12)
        their_mask = getattr(b, "_keras_mask", None)
        assert (mask is None) == (their_mask is None)
        if mask is not None:
            np.testing.assert_array_equal(mask, np.asarray(their_mask))


@examples(100)
@given(graphs(masking=True), SEEDS, st.data())
def test_gradients_of_any_graph(graph, seed, extra):
    """The loss is a weighted sum of the outputs; outputs that it leaves out hand back no gradient."""
    model = built(rnn_core, graph)
    draws = np.random.default_rng(seed)
    randomize(model, draws)
    x = data(model, draws, batch=2, zeros=0.3)
    several = len(x) > 1
    shape = [part.shape for part in x] if several else x[0].shape
    run = model.new_pass(shape, training=True, needs_d_input=True)
    run.forward(x if several else x[0])
    weights = [draws.normal(size=np.shape(part)) for part in as_list(run.output)]
    if len(weights) > 1:
        unseen = extra.draw(st.integers(0, len(weights) - 1))
        weights[unseen] = None

    def loss():
        parts = as_list(run.forward(x if several else x[0]))
        return sum(float((w * part).sum()) for w, part in zip(weights, parts, strict=True) if w is not None)

    loss()
    d_x = run.backward(weights if len(weights) > 1 else weights[0])
    gradients = {"vector": (model.vector, model.d_vector.copy())}
    training = model.new_pass(shape, training=True)  # which leaves out what only the gradient of the inputs needs
    training.forward(x if several else x[0])
    training.backward(weights if len(weights) > 1 else weights[0])
    np.testing.assert_array_equal(model.d_vector, gradients["vector"][1])
    for i, (part, d) in enumerate(zip(x, d_x if several else [d_x], strict=True)):
        # a masked step is one whose inputs are all zero: the loss jumps where they are moved
        if not any(isinstance(layer, Masking) for layer in model.layers):
            gradients[f"x{i}"] = (part, np.zeros_like(part) if d is None else np.array(d))
    check_gradients(loss, gradients)


def test_a_state_that_comes_from_outside_does_not_end_the_way_back_through_the_inputs():
    draws = np.random.default_rng(0)
    x, start = Input((3, 2), dtype="float64"), Input((4,), dtype="float64")
    inner = Dense(2, dtype="float64")
    model = Model([x, start], SimpleRNN(4, dtype="float64")(inner(x), initial_state=start))
    model.compile("sgd", "mse")
    model.train_on_batch([draws.normal(size=(5, 3, 2)), draws.normal(size=(5, 4))], draws.normal(size=(5, 4)))
    assert inner.views(model.parts(model.d_vector)[model.layers.index(inner)])["kernel"].all()


@pytest.mark.parametrize("layer", ["Concatenate", "Add", "Multiply"])
def test_what_is_called_on_a_list_of_one_and_what_hands_an_input_on(layer):
    a, b = Input((3,)), Input((3,))
    x = np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(Model(a, getattr(rnn_core.layers, layer)()([a])).predict(x, verbose=0), x)
    np.testing.assert_array_equal(Model([a, b], b).predict([2 * x, x], verbose=0), x)
    np.testing.assert_array_equal(Model([a, b], a).predict([x, 2 * x], verbose=0), x)


def test_each_input_has_a_mask_of_its_own():
    draws = np.random.default_rng(0)
    given = [Input((4, 2), dtype="float64") for _ in range(2)]
    model = Model(given, [SimpleRNN(3, dtype="float64")(one) for one in given])
    x, masks = draws.normal(size=(2, 5, 4, 2)), draws.random((2, 5, 4)) < 0.6
    run = model.new_pass([part.shape for part in x])
    for own in (list(masks), [masks[0], None], [None, masks[1]]):
        outputs = [np.array(part) for part in run.forward(list(x), mask=own)]
        rnns = [layer for layer in model.layers if isinstance(layer, SimpleRNN)]
        for rnn, part, mask, output in zip(rnns, x, own, outputs, strict=True):
            np.testing.assert_allclose(output, rnn(part, mask=mask), 1e-13)


def test_a_layer_used_twice_adds_up_its_gradients():
    draws = np.random.default_rng(0)
    a, b = Input((3,), dtype="float64"), Input((3,), dtype="float64")
    shared = Dense(2, dtype="float64")
    model = Model([a, b], [shared(a), shared(b)])
    x = [draws.normal(size=(4, 3)), draws.normal(size=(4, 3))]
    d = [draws.normal(size=(4, 2)), draws.normal(size=(4, 2))]
    run = model.new_pass([(4, 3), (4, 3)], training=True)
    run.forward(x)
    run.backward(d)
    gradient = shared.views(model.d_vector)
    np.testing.assert_allclose(gradient["kernel"], x[0].T @ d[0] + x[1].T @ d[1])
    np.testing.assert_allclose(gradient["bias"], d[0].sum(0) + d[1].sum(0))


def test_an_output_that_is_handed_out_twice_and_read_on():
    draws = np.random.default_rng(0)
    a = Input((3,), dtype="float64")
    h = Dense(3, dtype="float64")(a)
    model = Model(a, [h, h, Dense(1, dtype="float64")(h)])
    x = draws.normal(size=(4, 3))
    first, second, _ = model.predict(x)
    np.testing.assert_array_equal(first, second)
    run = model.new_pass(x.shape, training=True)
    run.forward(x)
    d = [draws.normal(size=part.shape) for part in run.output]
    run.backward(d)
    through = d[2] @ model.layers[2].kernel.T
    np.testing.assert_allclose(
        model.layers[1].views(model.parts(model.d_vector)[1])["bias"], (sum(d[:2]) + through).sum(0)
    )


def test_inputs_that_nothing_reads():
    a, unused = Input((3,), name="a"), Input((2,), name="unused")
    model = Model([a, unused], Dense(1)(a))
    assert [layer.name for layer in model.layers][-2:] == ["dense", "unused"] or model.layers
    model.compile("sgd", "mse")
    history = model.fit([np.ones((5, 3)), np.ones((5, 2))], np.ones(5), verbose=0)
    assert np.isfinite(history.history["loss"][0])
    run = model.new_pass([(5, 3), (5, 2)], training=True, needs_d_input=True)
    run.forward([np.ones((5, 3), "float32"), np.ones((5, 2), "float32")])
    d_a, d_unused = run.backward(np.ones((5, 1), "float32"))
    assert d_a.shape == (5, 3)
    assert d_unused is None


# What is refused.


def test_what_is_read_in_many_ways_is_looked_at_once():
    """There are 2^60 ways through sixty diamonds."""
    a = Input((2,))
    y = a
    for _ in range(60):
        y = Add()([y, y])
    model = Model(a, y)
    assert len(model.layers) == 61
    np.testing.assert_array_equal(model.predict(np.ones((1, 2))), np.full((1, 2), 2.0**60))


def test_a_model_that_hands_out_what_it_was_cut_off_at():
    a = Input((3,))
    middle = Dense(2)(a)
    end = Dense(1)(middle)
    model = Model(middle, [middle, end])
    x = np.random.default_rng(0).standard_normal((4, 2)).astype("float32")
    first, second = model.predict(x)
    np.testing.assert_array_equal(first, x)
    np.testing.assert_array_equal(second, model.layers[-1](x))


def test_a_disconnected_graph_is_refused_by_name():
    a, b = Input((3,), name="left"), Input((3,), name="right")
    y = Dense(1, name="head")(Dense(2, name="body")(b))
    with pytest.raises(ValueError, match=r"disconnected: layer 'body' needs the output of 'right'.*\('left'\)"):
        Model(a, y)


def test_symbols_and_arrays_are_not_mixed():
    a = Input((2, 3))
    state = np.zeros((1, 4))
    with pytest.raises(TypeError, match="on symbols or on arrays, not on a mixture"):
        SimpleRNN(4)(a, initial_state=state)
    with pytest.raises(TypeError, match="not on a mixture"):
        Dense(1)([a, np.zeros((1, 2, 3))])
    with pytest.raises(TypeError, match="holds no numbers"):
        np.asarray(a)
    with pytest.raises(ValueError, match="masks travel between symbols by themselves"):
        Dense(1)(a, mask=np.ones((1, 2)))


def test_what_makes_no_model_is_refused():
    a = Input((3,), name="a")
    with pytest.raises(ValueError, match="needs both inputs and outputs"):
        Model(a)
    with pytest.raises(ValueError, match="needs both inputs and outputs"):
        Model(outputs=a)
    with pytest.raises(ValueError, match="outputs is empty"):
        Model(a, [])
    with pytest.raises(TypeError, match="inputs must be symbols"):
        Model(np.zeros(3), a)
    with pytest.raises(TypeError, match="outputs must be symbols"):
        Model(a, Dense(1))
    with pytest.raises(ValueError, match=r"inputs must differ, got \['a', 'a'\]"):
        Model([a, a], Dense(1)(a))
    with pytest.raises(ValueError, match=r"'same' is used 2 times in one model"):
        Model(a, Dense(1, name="same")(Dense(2, name="same")(a)))
    with pytest.raises(ValueError, match=r"one dtype"):
        Model(a, Dense(1)(Dense(2, dtype="float64")(a)))


# Many layers, copies, threads of layers through several models.


def test_a_chain_of_two_thousand_layers():
    a = Input((2,))
    y = a
    for _ in range(2000):
        y = Dense(2)(y)
    model = Model(a, y)
    assert len(model.layers) == 2001
    x = np.ones((3, 2), "float32")
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((3, 2)), verbose=0)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin.predict(x), model.predict(x))
        assert twin.outputs[0].shape == (None, 2)


@examples(25)
@given(graphs(), SEEDS)
def test_copies_are_models_of_their_own(graph, seed):
    model = built(rnn_core, graph)
    draws = np.random.default_rng(seed)
    randomize(model, draws)
    x = data(model, draws)
    before = as_list(model.predict(x))
    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for a, b in zip(as_list(twin.predict(x)), before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
        assert (twin.input_names, twin.output_names) == (model.input_names, model.output_names)
        assert text_of(twin) == text_of(model)
        twin.vector[...] += 1
        for a, b in zip(as_list(model.predict(x)), before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert [s.name for s in twin.outputs] == [s.name for s in model.outputs]
        assert all(symbol.call in symbol.call.layer.calls for symbol in twin.outputs)
        again = Model(twin.inputs, twin.outputs)
        for a, b in zip(as_list(again.predict(x)), as_list(twin.predict(x)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_chain_by_hand_is_sequential():
    """The same layers with the same weights: the same bits."""
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(20, 4, 2)).astype("float32"), draws.normal(size=(20, 1)).astype("float32")
    chain = Sequential([Input((4, 2)), SimpleRNN(5), Dropout(0.0), Dense(3), Activation("relu"), Dense(1)])
    a = Input((4, 2))
    h = Dropout(0.0)(SimpleRNN(5)(a))
    graph = Model(a, Dense(1)(Activation("relu")(Dense(3)(h))))
    graph.set_weights(chain.get_weights())
    histories = []
    for model in (chain, graph):
        model.compile("rmsprop", "mse")
        histories.append(model.fit(x, y, epochs=3, shuffle=False, batch_size=8, verbose=0).history)
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(chain.predict(x), graph.predict(x))


def test_what_a_call_says_about_dropout_counts_where_the_model_is_not_told():
    """As in Keras: ``fit`` and ``predict`` tell."""
    x = np.ones((4, 200), "float32")
    for k in (rnn_core, keras):
        a = k.Input((200,))
        model = k.Model(a, [k.layers.Dropout(0.5)(a, training=t) for t in (True, False, None)])
        for told, applied in ((None, [True, False, False]), (False, [False] * 3), (True, [True] * 3)):
            assert [bool((np.asarray(part) == 0).any()) for part in model(x, training=told)] == applied
        assert [(part == 0).any() for part in model.predict(x, verbose=0)] == [False] * 3


@pytest.mark.parametrize("outer", [None, True, False])
@pytest.mark.parametrize("inner", [None, True, False])
def test_a_model_within_a_model_is_told_by_its_call_or_its_own_calls_say(inner, outer):
    dropped = []
    for k in (rnn_core, keras):
        a, b = k.Input((200,)), k.Input((200,))
        part = k.Model(a, k.layers.Dropout(0.5)(a, training=inner))
        whole = k.Model(b, part(b, training=outer))
        dropped.append(bool((np.asarray(whole(np.ones((4, 200), "float32"))) == 0).any()))
    assert dropped == [bool(inner if outer is None else outer)] * 2


def test_a_chain_of_layers_has_no_symbols_until_asked():
    model = Sequential([Input((3,)), Dense(2), Dense(1)])
    assert all(not layer.calls for layer in model.layers)
    assert [step.sources for step in Graph.chain(model.layers).steps] == [(0,), (1,)]
    assert model.layers[0].output.shape == (None, 2)
    assert model.outputs[0].shape == (None, 1)
