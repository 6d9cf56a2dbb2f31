"""Conversion of layers around layers, cells and graphs of them: a round trip changes nothing, and twins agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import parity
from parity import from_keras, layer_from_keras, layer_to_keras, notes, to_keras
from parity.jordan import JordanCell, JordanRNN
from parity.parts import states_of, weight_names
from rnn_core import layers
from rnn_core.layers import Input
from rnn_core.models import Model, Sequential
from rnn_core.several import as_list

from .. import many_layers, samples
from ..samples import few, keras

pytestmark = pytest.mark.filterwarnings("ignore:.*does not support masking")  # Reshape and Flatten in Keras

any_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
KNOWN = {cls.__name__: cls for cls in (parity.ParametrisedActivation, JordanCell, JordanRNN)}


def assert_same(a, b):
    assert type(a) is type(b)
    assert a.get_config() == b.get_config()
    assert a.vector.dtype == b.vector.dtype
    assert a.vector.tobytes() == b.vector.tobytes()
    assert not np.shares_memory(a.vector, b.vector)
    states = [[state.tobytes() for layer in m.layers for state in states_of(layer).values()] for m in (a, b)]
    assert states[0] == states[1]
    if a.compiled:
        assert a.get_compile_config() == b.get_compile_config()
        mine, other = a.optimizer.get_state(), b.optimizer.get_state()
        for name, value in mine.items():
            assert np.asarray(value).tobytes() == np.asarray(other[name]).tobytes(), name


@any_dtype
@given(data=st.data())
@few(10)
def test_a_layer_around_others_comes_back_the_same(dtype, data):
    layer = data.draw(st.one_of(many_layers.recurrent(dtype), many_layers.cells(dtype)))
    if data.draw(st.booleans()):
        layer.ensure_built((None, 2) if isinstance(layer, layers.Cell) else (None, 4, 2))
    theirs = layer_to_keras(layer)
    back = layer_from_keras(theirs)
    assert back.get_config() == layer.get_config()
    assert [w.tobytes() for w in back.weights] == [w.tobytes() for w in layer.weights]
    assert weight_names(theirs) == [spec.name for spec in layer.specs]


@pytest.mark.parametrize("kind", ["chains", "graphs"])
@any_dtype
@given(data=st.data())
@few(4)
def test_a_model_of_them_comes_back_the_same(kind, dtype, data):
    stateful = {"stateful": data.draw(st.booleans())} if kind == "chains" else {}
    model = data.draw(getattr(many_layers, kind)(dtype, **stateful))
    model.compile(data.draw(st.sampled_from(["rmsprop", "adam"])), "mse", metrics=["mae"] if kind == "chains" else None)
    x, y = many_layers.data(model)
    model.fit(x, y, batch_size=samples.BATCH, verbose=0)
    theirs = to_keras(model)
    back = from_keras(theirs)
    assert_same(back, model)
    assert_same(from_keras(to_keras(back)), model)


@any_dtype
def test_it_goes_through_a_file_of_keras(dtype, tmp_path: Path):
    x = Input((4, 2), name="x", dtype=dtype)
    h = layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True, dtype=dtype), name="both")(x)
    h = layers.RNN([layers.SimpleRNNCell(3, dtype=dtype), layers.JordanCell(3, 2, dtype=dtype)], name="stack")(h)
    model = Model(x, h)
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4, 2)), np.ones((4, 2)), verbose=0)
    to_keras(model).save(tmp_path / "model.keras")
    assert_same(from_keras(keras.models.load_model(tmp_path / "model.keras", custom_objects=KNOWN)), model)
    assert any("import parity.jordan" in note for note in notes(model))


def test_a_bidirectional_keeps_what_the_config_of_keras_leaves_out():
    inner = layers.SimpleRNN(2, kernel_regularizer=samples.REGULARIZERS[1], dropout=0.3, seed=7, dtype="float64")
    layer = layers.Bidirectional(inner)
    theirs = layer_to_keras(layer)
    assert [one.cell.seed for one in (theirs.forward_layer, theirs.backward_layer)] == [7, 8]
    assert theirs.forward_layer.cell.kernel_regularizer.l1 == 0.03  # not as float32 has it
    assert len(theirs._layers) == 2
    assert not any("stand_in" in name for name in str(theirs.get_config()).split("'"))


def test_an_initial_state_takes_its_mask_along_to_keras():
    """Keras alone would lose it."""
    words, start = Input((4,), name="words"), Input((3,), name="start")
    known = layers.Embedding(5, 2, mask_zero=True)(words)
    model = Model([words, start], layers.SimpleRNN(3, name="memory")(known, initial_state=start))
    x = [np.array([[1, 2, 0, 0], [1, 0, 3, 4]]), np.full((2, 3), 0.3)]
    theirs = to_keras(model)
    np.testing.assert_allclose(model.predict(x), theirs.predict(x, verbose=0), rtol=1e-5)
    assert_same(from_keras(theirs), model)


def test_an_input_keeps_its_dtype():
    for dtype in ("int32", "float32"):
        a = Input((3,), dtype=dtype, name="a")
        first = layers.Embedding(5, 2, dtype="float64") if dtype == "int32" else layers.Dense(2, dtype="float64")
        model = Model(a, layers.Flatten(dtype="float64")(first(a)))
        assert_same(from_keras(to_keras(model)), model)
        chain = Sequential([layers.InputLayer((3,), dtype=dtype), type(first).from_config(first.get_config())])
        assert_same(from_keras(to_keras(chain)), chain)


def test_twins_of_graphs_predict_the_same():
    @given(model=many_layers.graphs("float32", smooth=True))
    @few(4)
    def agree(model):
        x, _ = many_layers.data(model)
        theirs = to_keras(model)
        for mine, other in zip(as_list(model.predict(x)), as_list(theirs.predict(x, verbose=0)), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)

    agree()
