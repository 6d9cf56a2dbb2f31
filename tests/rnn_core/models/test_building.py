"""Sequential models are built as in Keras, from any of its ways to state a shape."""

from __future__ import annotations

import numpy as np
import pytest

import rnn_core
from rnn_core.layers import Activation, Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Sequential

from ..float64 import keras
from .chain import X, assert_one_vector, make, trained

WAYS = {
    "Input first": lambda k: [k.Input((3, 2)), k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "Input(batch_shape)": lambda k: [k.Input(batch_shape=(None, 3, 2)), k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "input_shape": lambda k: [k.layers.SimpleRNN(4, input_shape=(3, 2)), k.layers.Dense(1)],
    "any length": lambda k: [k.layers.SimpleRNN(4, input_shape=(None, 2)), k.layers.Dense(1)],
    "InputLayer": lambda k: [k.layers.InputLayer(shape=(3, 2)), k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "input_dim": lambda k: [k.layers.Dense(4, input_dim=2), k.layers.Dense(1)],
    "no shape": lambda k: [k.layers.SimpleRNN(4), k.layers.Dense(1)],
    "nothing": lambda k: [],
}


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
@pytest.mark.parametrize("by", ["list", "add"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_make_a_model_makes_keras_model(way, by):
    models = []
    for k in (keras, rnn_core):
        layers = WAYS[way](k)
        model = k.Sequential(layers if by == "list" else None, name="chain")
        for layer in layers if by == "add" else ():
            model.add(layer)
        models.append(model)
    theirs, ours = models
    assert ours.built == theirs.built
    assert ours.name == theirs.name == "chain"
    assert len(ours.layers) == len(theirs.layers)
    if ours.built:
        assert ours.input_shape == theirs.input_shape
        assert ours.output_shape == theirs.output_shape
        assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
        assert ours.count_params() == theirs.count_params()
        assert_one_vector(ours)


def test_names_count_as_in_keras():
    made = []
    for k in (keras, rnn_core):
        k.utils.clear_session()
        layers = [k.layers.SimpleRNN(2), k.layers.Dense(1), k.layers.Dense(1), k.layers.Dense(1, name="mine")]
        layers += [k.layers.Activation("relu"), k.layers.Dropout(0.1), k.layers.Masking(), k.layers.Dense(3)]
        models = [k.Sequential(), k.Sequential(layers[:1]), k.Sequential(name="own")]
        made.append([item.name for item in layers + models])
    assert made[0] == made[1]


def test_two_layers_of_one_name_are_refused():
    with pytest.raises(ValueError, match="has a layer 'a' already: names must differ"):
        Sequential([Dense(1, name="a"), Dense(2, name="a")])


def test_what_is_no_layer_is_refused():
    for bad, message in (
        (Dense, "only layers can be added, got type"),
        ("dense", "only layers can be added, got str: 'dense'"),
        (np.zeros(3), "only layers can be added, got ndarray"),
        (make(), "only layers can be added, got Sequential"),
    ):
        with pytest.raises(TypeError, match=message):
            Sequential([bad])
    model = make()
    with pytest.raises(ValueError, match="an Input can only be its first entry"):
        model.add(Input((3, 2)))
    with pytest.raises(ValueError, match="an Input can only be its first entry"):
        Sequential([Input((3, 2)), Input((3, 2))])
    assert trained(model).built


def test_a_layer_that_does_not_fit_is_refused_and_can_be_taken_out_again():
    model = make()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"SimpleRNN 'extra' expects \(batch, timesteps, features\), got \(batch, 1\)"):
        model.add(SimpleRNN(2, name="extra"))
    assert model.pop().name == "extra"
    assert model.built
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert_one_vector(model)
    trained(model)


def test_a_model_without_a_shape_is_built_by_the_first_data():
    for first in (
        lambda m: m.predict(X),
        lambda m: m(X),
        lambda m: trained(m),
        lambda m: m.build((None, 3, 2)),
        lambda m: m.predict(X.tolist()),
    ):
        model = Sequential([SimpleRNN(4), Dense(1)])
        assert not model.built
        assert model.weights == []
        first(model)
        assert model.built
        assert model.input_shape == (None, 3, 2)
        assert_one_vector(model)


def test_one_model_takes_any_number_of_timesteps():
    model = Sequential([Input((None, 2)), SimpleRNN(4), Dense(1)])
    model.compile("sgd", "mse")
    for timesteps in (1, 3, 7):
        x = np.ones((5, timesteps, 2))
        assert model.predict(x).shape == (5, 1)
        model.fit(x, np.zeros(5), verbose=0)
        assert np.isfinite(model.train_on_batch(x, np.zeros(5)))
    assert model.output_shape == (None, 1)


def test_layers_are_found_by_name_and_by_index():
    model = make()
    assert model.get_layer("middle") is model.get_layer(index=1) is model.layers[1]
    assert model.get_layer(index=-1) is model.layers[-1]
    for ask, message in (
        (lambda: model.get_layer("nothing"), r"has no layer 'nothing': \['memory', 'middle', 'dense"),
        (lambda: model.get_layer(index=3), "has 3 layers, none at index 3"),
        (lambda: model.get_layer(), "needs a name or an index"),
        (lambda: model.get_layer("middle", 1), "needs a name or an index"),
    ):
        with pytest.raises(ValueError, match=message):
            ask()


def test_a_model_without_weights_runs():
    model = Sequential([Input((3, 2)), Masking(), Dropout(0.5), Activation("tanh")])
    assert model.count_params() == 0
    assert model.get_weights() == []
    np.testing.assert_allclose(model.predict(X), np.tanh(X), rtol=1e-6)
    model.compile("sgd", "mse")
    assert model.evaluate(X, np.tanh(X), verbose=0) == pytest.approx(0, abs=1e-12)
    model.fit(X, X, verbose=0)


def test_records_are_kept_for_a_few_shapes_only():
    """Batches of ever new lengths must not fill the memory."""
    model = Sequential([Input((None, 2)), SimpleRNN(4), Dense(1)])
    model.compile("sgd", "mse")
    for timesteps in range(1, 120):
        x = np.ones((2, timesteps, 2), np.float32)
        model.predict(x)
        model.train_on_batch(x, np.ones((2, 1), np.float32))
        model.test_on_batch(x, np.ones((2, 1), np.float32))
    assert len(model._free_passes) <= 16
    assert len(model._kept_steps.made) <= 16
    model.predict(x)
    assert model._free_passes[x.shape]  # and of the newest they are
