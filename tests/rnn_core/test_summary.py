"""The summary is the text that Keras prints for the same model."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
from keras import layers

import rnn_core
from rnn_core.summary import print_summary, readable_size


def mirror(layer):
    """A plain object that tells of a Keras layer or model what `print_summary` asks for."""

    def arrays(variables):
        return [np.zeros(v.shape, v.dtype) for v in variables]

    try:
        outputs = layer.output
    except (AttributeError, ValueError):  # never called
        shape = None
    else:
        shape = [tuple(o.shape) for o in outputs] if isinstance(outputs, (list, tuple)) else tuple(outputs.shape)
    optimizer = getattr(layer, "optimizer", None)
    twin = type(type(layer).__name__, (SimpleNamespace,), {})(
        name=layer.name,
        built=layer.built,
        output_shape=shape,
        trainable=layer.trainable,
        weights=arrays(layer.weights),
        trainable_weights=arrays(layer.trainable_weights),
        non_trainable_weights=arrays(layer.non_trainable_weights),
        count_params=layer.count_params if layer.built else None,
        optimizer=optimizer and SimpleNamespace(built=optimizer.built, variables=arrays(optimizer.variables)),
    )
    if isinstance(layer, keras.Model):
        twin.layers = [mirror(inner) for inner in layer.layers]
    return twin


def text_of(print_it, **options) -> str:
    texts: list[str] = []
    print_it(print_fn=texts.append, **options)
    assert len(texts) == 1
    return texts[0]


def check(model, **options):
    ours = text_of(lambda **k: print_summary(mirror(model), **k), **options)
    assert ours == text_of(model.summary, **options)
    return ours


@pytest.fixture(scope="module")
def tutorial():
    keras.backend.clear_session()
    return keras.Sequential(
        [
            keras.Input((1, 4)),
            layers.SimpleRNN(32, activation="relu"),
            layers.Dense(8, activation="relu"),
            layers.Dense(1),
        ]
    )


def test_the_tutorial(tutorial):
    text = check(tutorial)
    assert "simple_rnn (SimpleRNN)" in text
    assert "Total params: 1,457 (5.69 KB)" in text
    assert "Optimizer" not in text


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", keras.optimizers.RMSprop(momentum=0.5, centered=True)])
def test_a_built_optimizer_is_counted(tutorial, optimizer):
    tutorial.compile(optimizer, "mse")
    check(tutorial)
    tutorial.optimizer.build(tutorial.trainable_variables)
    text = check(tutorial)
    if optimizer == "rmsprop":
        assert "Optimizer params: 1,459 (5.70 KB)" in text
        assert "Total params: 2,916 (11.39 KB)" in text


@pytest.mark.parametrize(
    "options",
    [
        {"line_length": 120},
        {"line_length": 60},
        {"line_length": 41, "positions": [0.5, 0.8, 1.0]},
        {"line_length": 100, "positions": (0.2, 0.9, 1.0)},
        {"show_trainable": True},
        {"show_trainable": True, "line_length": 130},
        {"layer_range": ["dense", "dense_1"]},
        {"layer_range": ("dense_1", "simple_rnn")},
        {"layer_range": ["simple.*", "dense$"]},
        {"expand_nested": True},
    ],
)
def test_options(tutorial, options):
    check(tutorial, **options)


@pytest.mark.parametrize("columns", ["40", "79", "200"])
def test_the_table_fits_the_terminal(tutorial, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    check(tutorial)
    check(tutorial, show_trainable=True)


def test_a_narrow_table_is_refused(tutorial, monkeypatch):
    for summary in (tutorial.summary, lambda **k: print_summary(mirror(tutorial), **k)):
        with pytest.raises(ValueError, match=r"Insufficient|4 or more"):
            summary(line_length=12)


def test_our_own_models_print_what_keras_prints():
    def texts(library):
        model = library.Sequential(name="tutorial")
        model.add(library.layers.Input((1, 4)))
        model.add(library.layers.SimpleRNN(32, activation="relu", name="rnn"))
        model.add(library.layers.Dropout(0.5, name="dropout"))
        model.add(library.layers.Dense(1, name="dense"))
        model.compile(loss="mean_squared_error", optimizer="rmsprop")
        yield text_of(model.summary)
        model.fit(np.zeros((2, 1, 4)), np.zeros(2), verbose=0)
        yield text_of(model.summary)
        yield text_of(model.summary, show_trainable=True, line_length=100)
        unbuilt = library.Sequential(
            [library.layers.SimpleRNN(3, name="a"), library.layers.Dense(1, name="b")], name="c"
        )
        yield text_of(unbuilt.summary)

    assert list(texts(rnn_core)) == list(texts(keras))


def test_an_unbuilt_model():
    text = check(keras.Sequential([layers.SimpleRNN(3), layers.Dense(1)]))
    assert "0 (unbuilt)" in text
    check(keras.Sequential())


def test_frozen_layers_and_layers_without_weights():
    model = keras.Sequential(
        [keras.Input((5, 4)), layers.Masking(), layers.SimpleRNN(3), layers.Dropout(0.5), layers.Dense(2)]
    )
    model.layers[1].trainable = False
    text = check(model, show_trainable=True)
    assert "Non-trainable params: 24 (96.00 B)" in text


def test_nested_models():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(1)], name="outer")
    twin = mirror(model)
    for expand_nested in (False, True):
        for show_trainable in (False, True):
            options = {"expand_nested": expand_nested, "show_trainable": show_trainable}
            ours = text_of(lambda **k: print_summary(twin, **k), **options)
            assert ours == text_of(model.summary, **options)


def test_several_outputs():
    inputs = keras.Input((5, 4), batch_size=2)
    model = keras.Model(inputs, layers.SimpleRNN(8, return_state=True, return_sequences=True)(inputs))
    text = check(model)
    assert "[(2, 5, 8), (2, 8)]" in text
    check(model, line_length=50)


@given(
    st.lists(
        st.tuples(
            st.text("ab_[]:/ü漢 ", min_size=1, max_size=40).filter(lambda name: "/" not in name),
            st.integers(1, 3000),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda pair: pair[0],
    ),
    st.integers(30, 110),
    st.sampled_from(["float32", "float64"]),
)
@settings(max_examples=15, deadline=None)
def test_any_names_and_sizes(stack, line_length, dtype):
    model = keras.Sequential(
        [keras.Input((None, 2)), *(layers.Dense(n, name=name, dtype=dtype) for name, n in stack)],
        name=stack[0][0] + ".",
    )
    check(model, line_length=line_length)


def test_names_are_no_markup():
    text = check(
        keras.Sequential([keras.Input((2,)), layers.Dense(1, name="[bold]a")], name="[red]b"), show_trainable=True
    )
    assert "[bold]a" in text


@pytest.mark.parametrize("colours", [False, True])
def test_it_is_printed_without_print_fn(tutorial, capsys, monkeypatch, colours):
    if colours:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    tutorial.summary()
    expected = capsys.readouterr().out
    print_summary(mirror(tutorial))
    assert capsys.readouterr().out == expected
    assert ("\x1b[" in expected) is colours


@pytest.mark.parametrize(
    ("layer_range", "match"),
    [
        (["dense"], "two names"),
        ("de", "two names"),
        ([0, 1], "two names"),
        (["dense", "lstm"], "simple_rnn, dense, dense_1"),
    ],
)
def test_a_wrong_layer_range_is_refused(tutorial, layer_range, match):
    with pytest.raises(ValueError, match=match):
        print_summary(mirror(tutorial), layer_range=layer_range)


@given(st.integers(0, 2**59))
@settings(max_examples=50)
def test_readable_size_is_keras(size):
    from keras.src.utils.summary_utils import readable_memory_size

    assert readable_size(size) == readable_memory_size(size)
