"""Activations by name, by config and by object; what is refused, and how."""

from __future__ import annotations

import copy
import os

import numpy as np
import pytest

from rnn_core import activations
from rnn_core.activations import Activation

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

X = np.linspace(-8, 8, 60).reshape(6, 10)
ALL = [
    *activations.OBJECTS.values(),
    activations.Threshold(0.5, -1.0),
    activations.Relu(negative_slope=0.3, max_value=4, threshold=1),
    activations.Relu(max_value=6),
    activations.Elu(0.5),
    activations.Gelu(approximate=True),
    activations.Softmax(axis=(0, 1)),
    activations.Glu(axis=0),
]


def test_get() -> None:
    assert activations.get(None) is activations.linear
    for name, activation in activations.OBJECTS.items():
        assert activations.get(name) is activation
        assert getattr(activations, name) is activation
        assert activations.get(activation) is activation
    assert activations.get("swish") is activations.silu
    assert activations.get(activations.Tanh).name == "tanh"
    assert repr(activations.get({"class_name": "leaky_relu", "config": {"negative_slope": 0.1}})) == (
        "LeakyRelu(negative_slope=0.1)"
    )


def test_get_reads_a_function_as_keras_writes_it() -> None:
    config = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
    assert activations.get(config).name == "relu"


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_serialize_round_trip(activation: Activation) -> None:
    written = activations.serialize(activation)
    again = activations.deserialize(written)
    assert type(again) is type(activation)
    assert again.get_config() == activation.get_config()
    assert again.__name__ == activation.name
    np.testing.assert_array_equal(copy.deepcopy(again)(X), activation(X))
    restored = type(activation).from_config(activation.get_config())
    np.testing.assert_array_equal(restored(X), activation(X))


def test_serialize_writes_the_names_that_keras_writes() -> None:
    import keras

    for name in activations.OBJECTS:
        assert activations.serialize(activations.get(name)) == keras.activations.serialize(keras.activations.get(name))


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"Unknown activation 'rellu'\. Did you mean 'relu'\?"):
        activations.get("rellu")
    with pytest.raises(ValueError, match="Did you mean 'leaky_relu'"):
        activations.get({"class_name": "LeakyReLU", "config": {}})
    with pytest.raises(TypeError, match="activation must be a name"):
        activations.get(3)


def test_a_plain_callable_is_refused_and_told_how() -> None:
    with pytest.raises(TypeError, match=r"plain callable '<lambda>'.*(?s:.)*def derivative\(self, x\)"):
        activations.get(lambda x: x)
    with pytest.raises(TypeError, match="pass the string 'tanh'"):
        activations.get(np.tanh)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: activations.Relu(negative_slope=-0.1),
            "relu: negative_slope must be a number of at least 0",
        ),
        (lambda: activations.Relu(max_value=-1), "relu: max_value must be a number of at least 0"),
        (lambda: activations.Relu(threshold="1"), "relu: threshold must be a number of at least 0, got '1'"),
        (lambda: activations.relu(X, max_value=np.nan), "relu: max_value"),
        (lambda: activations.LeakyRelu(None), "leaky_relu: negative_slope"),
        (lambda: activations.Elu(np.inf), "elu: alpha"),
        (lambda: activations.Celu(0), "celu: alpha must be a number above 0, got 0"),
        (lambda: activations.Squareplus(0), "squareplus: b must be a number above 0"),
        (lambda: activations.HardShrink(-1), "hard_shrink: threshold"),
        (lambda: activations.SoftShrink(-1), "soft_shrink: threshold"),
        (
            lambda: activations.get("threshold"),
            r"'threshold' has no defaults: pass Threshold\(threshold=\.\.\.",
        ),
        (lambda: activations.threshold(X, 0.5, None), "default_value=None"),
        (lambda: activations.softmax(X, axis=2), "axis 2 is out of bounds"),
        (
            lambda: activations.glu(X[:, :3]),
            r"glu: axis -1 must have an even size, to be halved, got shape \(6, 3\)",
        ),
        (lambda: activations.glu.forward(X, X.copy()), r"\(6, 10\) becomes \(6, 5\), .* cannot be a layer's"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_types_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="gelu: approximate must be True or False, got 'yes'"):
        activations.Gelu("yes")
    with pytest.raises(TypeError, match="softmax: axis must be an integer, several or None, got 'last'"):
        activations.Softmax("last")
