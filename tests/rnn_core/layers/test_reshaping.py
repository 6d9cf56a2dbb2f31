"""Flatten, Reshape, RepeatVector and pooling over time: against Keras, differences and NumPy; bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_core
from rnn_core import layers

from ..finite_differences import SEEDS, examples
from .against_keras import keras
from .graphs import assert_as_keras, assert_step_as_keras, check_layer

pytestmark = pytest.mark.usefixtures("float64_everywhere")

SIZES = st.integers(1, 4)
FORMATS = st.sampled_from([None, "channels_last", "channels_first"])


def apart(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return values of which no two are nearly equal: no kink of a maximum is near."""
    return np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape) * 0.1


@st.composite
def target_shapes(draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape of a sample and another for the same values, maybe with a -1."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    target = draw(st.permutations([*sizes, 1]))
    if draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return tuple(sizes), tuple(target)


def model_of(name, shape, **arguments):
    def make(module):
        x = module.Input(shape)
        return module.Model(x, getattr(module.layers, name)(**arguments)(x))

    return make


@examples(60)
@given(target_shapes(), SEEDS)
def test_reshape(shapes, seed):
    sizes, target = shapes
    x = apart((2, *sizes), seed)
    layer = layers.Reshape(target)
    np.testing.assert_array_equal(layer(x), x.reshape(2, *target))
    np.testing.assert_array_equal(layer(np.asfortranarray(x)), x.reshape(2, *target))
    check_layer(layer, x, seed=seed)
    assert_as_keras(model_of("Reshape", sizes, target_shape=target), x)


@examples(40)
@given(st.lists(SIZES, min_size=0, max_size=3), FORMATS, SEEDS)
def test_flatten(sizes, data_format, seed):
    x = apart((2, *sizes), seed)
    check_layer(layers.Flatten(data_format), x, seed=seed)
    assert_as_keras(model_of("Flatten", tuple(sizes), data_format=data_format), x)


@examples(40)
@given(SIZES, SIZES, SEEDS)
def test_repeat_vector(n, features, seed):
    x = apart((3, features), seed)
    np.testing.assert_array_equal(layers.RepeatVector(n)(x), np.repeat(x[:, None], n, axis=1))
    check_layer(layers.RepeatVector(n), x, seed=seed)
    assert_as_keras(model_of("RepeatVector", (features,), n=n), x)


@examples(60)
@given(st.sampled_from(["GlobalAveragePooling1D", "GlobalMaxPooling1D"]), FORMATS, st.booleans(), SEEDS, st.booleans())
def test_pooling(name, data_format, keepdims, seed, masked):
    x = apart((2, 3, 3), seed)
    mask = np.random.default_rng(seed).random((2, 3)) < 0.5
    mask[:, 0] = True
    layer = getattr(layers, name)(data_format, keepdims)
    record = check_layer(layer, x, mask if masked else None, seed=seed)
    assert record.output_mask is None
    theirs = getattr(keras.layers, name)(data_format, keepdims)
    given_mask = {"mask": mask} if masked and "Average" in name else {}
    np.testing.assert_allclose(layer(x, mask=mask if masked else None), theirs(x, **given_mask), rtol=1e-12)
    assert_as_keras(model_of(name, (3, 3), data_format=data_format, keepdims=keepdims), x)


def test_the_mean_of_nothing_is_keras_s():
    x, mask = np.ones((2, 3, 1)), np.array([[True, True, False], [False] * 3])
    mean = layers.GlobalAveragePooling1D()(x, mask=mask)
    np.testing.assert_array_equal(mean, keras.layers.GlobalAveragePooling1D()(x, mask=mask))
    assert np.isnan(mean[1, 0])


def test_the_gradient_of_equal_maxima_is_shared():
    assert_as_keras(model_of("GlobalMaxPooling1D", (3, 2)), np.ones((2, 3, 2)))


@pytest.mark.parametrize(("name", "arguments"), [("Flatten", {}), ("Reshape", {"target_shape": (12,)})])
def test_masks_end_where_time_steps_do(name, arguments):
    layer = getattr(layers, name)(**arguments)
    record = layer.new_record((2, 4, 3))
    record.mask = np.ones((2, 4), bool)
    layer.forward(record, np.ones((2, 4, 3)))
    assert record.output_mask is None


SYMBOLIC = [
    ("Flatten", {}, (None, 3)),
    ("Flatten", {}, (2, 3)),
    ("Flatten", {}, ()),
    ("Reshape", {"target_shape": (-1, 2)}, (None, 4)),
    ("Reshape", {"target_shape": (-1, 2)}, (8,)),
    ("Reshape", {"target_shape": [4, 2]}, (8,)),
    ("RepeatVector", {"n": 3}, (4,)),
    ("GlobalAveragePooling1D", {}, (None, 4)),
    ("GlobalMaxPooling1D", {"keepdims": True}, (5, 4)),
    ("GlobalMaxPooling1D", {"keepdims": True, "data_format": "channels_first"}, (5, 4)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), SYMBOLIC)
def test_symbolic_shapes_as_keras(name, arguments, shape):
    ours, theirs = (getattr(m.layers, name)(**arguments)(m.Input(shape)).shape for m in (rnn_core, keras))
    assert ours == theirs


def test_an_encoder_and_decoder_take_one_step_as_keras():
    def make(module):
        kinds = module.layers
        x = module.Input((4, 2))
        h = kinds.RepeatVector(3)(kinds.SimpleRNN(5)(x))
        h = kinds.SimpleRNN(4, return_sequences=True)(h)
        both = kinds.Concatenate()([kinds.Flatten()(h), kinds.GlobalMaxPooling1D()(h), kinds.Reshape((-1,))(x)])
        return module.Model(x, kinds.Dense(2)(both))

    draws = np.random.default_rng(0)
    x = draws.standard_normal((6, 4, 2))
    assert_as_keras(make, x)
    assert_step_as_keras(make, x, draws.standard_normal((6, 2)))


BAD = {
    "too many": (lambda: layers.Reshape((5,))(np.ones((2, 3))), r"3 values of each sample, \(2, 3\), don't fit"),
    "no divisor": (lambda: layers.Reshape((2, -1))(np.ones((2, 3))), "don't fit into target_shape"),
    "symbol": (lambda: layers.Reshape((5,))(rnn_core.Input((3,))), "3 values of each sample"),
    "two unknown": (lambda: layers.Reshape((-1, -1)), r"only one size in target_shape can be -1, got \(-1, -1\)"),
    "half a size": (lambda: layers.Reshape((1.5,)), "every size in target_shape must be an integer"),
    "no tuple": (lambda: layers.Reshape(4), "target_shape must be a tuple"),
    "n": (lambda: layers.RepeatVector(0), "RepeatVector: n must be an integer of at least 1, got 0"),
    "n real": (lambda: layers.RepeatVector(2.0), "RepeatVector: n must be an integer"),
    "sequence": (lambda: layers.RepeatVector(2)(np.ones((2, 3, 4))), r"expects \(batch, features\), got \(2, 3, 4\)"),
    "format": (lambda: layers.Flatten("first"), "data_format must be one of 'channels_last', 'channels_first'"),
    "pooled": (lambda: layers.GlobalMaxPooling1D()(np.ones((2, 3))), r"expects \(batch, timesteps, features\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, message = BAD[case]
    with pytest.raises((ValueError, TypeError), match=message):
        make()
