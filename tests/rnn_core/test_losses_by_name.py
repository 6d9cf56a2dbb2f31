"""Losses by name, by config, as functions and as objects, and what is said of those that are not there."""

from __future__ import annotations

import inspect
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnn_core import losses

CLASSES = [getattr(losses, name) for name in losses.__all__ if inspect.isclass(getattr(losses, name))]
CLASSES.remove(losses.Loss)
CASES = [(loss_class.__name__, {}) for loss_class in CLASSES] + [
    ("Huber", {"delta": 0.3}),
    ("CosineSimilarity", {"axis": 0}),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("BinaryFocalCrossentropy", {"gamma": 3.0, "apply_class_balancing": True, "alpha": 0.7}),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalFocalCrossentropy", {"gamma": 0.5, "alpha": [0.1, 0.5, 0.9]}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1, "from_logits": True}),
]


def data_for(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return targets, one-hot or class numbers, and outputs between 0 and 1, which every loss can take."""
    classes = np.array([0, 2, 1, 1])
    y = classes if name.lower().startswith("sparse") else np.eye(3)[classes]
    return y.astype("float32"), np.random.default_rng(0).uniform(0.1, 0.9, (4, 3)).astype("float32")


def test_every_name_that_keras_knows_is_known_or_refused():
    from keras.src.losses import ALL_OBJECTS_DICT

    for name in set(ALL_OBJECTS_DICT) - {"Loss", "LossFunctionWrapper"}:
        theirs = keras.losses.get(name)
        if name.lower() in ("ctc", "circle", "dice", "tversky"):
            with pytest.raises(ValueError, match=r"not compute. Supported: BinaryCrossentropy, .*MeanSq"):
                losses.get(name)
        else:
            expected = theirs.__name__ if inspect.isfunction(theirs) else type(theirs).__name__
            ours = losses.get(name)
            assert expected in (type(ours).__name__, losses.serialization.snake_case(type(ours).__name__))


@pytest.mark.parametrize("loss_class", CLASSES)
def test_classes_have_keras_arguments_and_defaults(loss_class):
    theirs = inspect.signature(getattr(keras.losses, loss_class.__name__)).parameters
    ours = inspect.signature(loss_class).parameters
    assert list(ours) == list(theirs)
    for name in set(ours) - {"name"}:
        assert ours[name].default == theirs[name].default, name
    assert loss_class().name == theirs["name"].default


@pytest.mark.parametrize("loss_class", CLASSES)
def test_functions_have_keras_arguments_and_values(loss_class):
    name = losses.serialization.snake_case(loss_class.__name__)
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    assert {n: p.default for n, p in inspect.signature(ours).parameters.items()} == {
        n: p.default for n, p in inspect.signature(theirs).parameters.items()
    }
    y, p = data_for(name)
    np.testing.assert_allclose(ours(y, p), theirs(tf.constant(y), tf.constant(p)).numpy(), rtol=1e-5)
    assert type(losses.get(ours)) is loss_class


@pytest.mark.parametrize(("name", "options"), CASES)
def test_configs_make_the_same_loss_here_and_in_keras(name, options):
    loss = getattr(losses, name)(**options, reduction="sum", name="mine")
    config = losses.serialize(loss)
    assert (
        losses.deserialize(config).get_config() == loss.get_config() == loss.from_config(loss.get_config()).get_config()
    )
    theirs = keras.losses.deserialize(config)
    assert (type(theirs).__name__, theirs.name, theirs.reduction) == (name, "mine", "sum")
    y, p = data_for(name)
    np.testing.assert_allclose(theirs(y, p).numpy(), loss(y, p), rtol=1e-5)
    assert losses.get(keras.losses.serialize(theirs)).get_config().keys() == loss.get_config().keys()


def test_a_name_a_class_a_function_and_an_object_are_the_same_loss():
    for identifier in ("mse", "MSE", "mean_squared_error", "MeanSquaredError", losses.MeanSquaredError):
        assert type(losses.get(identifier)) is losses.MeanSquaredError
    assert type(losses.get({"class_name": "function", "config": "mean_squared_error"})) is losses.MeanSquaredError
    loss = losses.Huber(2.0)
    assert losses.get(loss) is loss
    assert losses.get({"class_name": "Huber", "config": {"delta": 2.0}}).delta == 2.0


@pytest.mark.parametrize(
    ("y_shape", "p_shape"),
    [((8,), (8, 1)), ((8, 1), (8, 1)), ((8,), (8, 3)), ((8, 1), (8, 3)), ((8, 3), (8, 3)), ((8, 5), (8, 5, 3))],
)
@pytest.mark.parametrize("word", ["crossentropy", "ce", "CE"])
def test_crossentropy_is_the_one_that_fits_the_shapes(y_shape, p_shape, word):
    from keras.src.trainers.compile_utils import get_loss

    theirs = get_loss(word, np.zeros(y_shape), np.zeros(p_shape)).fn.__name__
    assert losses.get_for_shapes(word, y_shape, p_shape).name == theirs
    assert losses.get_for_shapes("mae", y_shape, p_shape).name == "mean_absolute_error"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: losses.get("mean_square_error"), ValueError, "Did you mean 'mean_squared_error'"),
        (lambda: losses.get(lambda y, p: 0), TypeError, "a function brings no derivative"),
        (lambda: losses.get(3), TypeError, "loss must be a name, a config or"),
        (lambda: losses.get("dice"), ValueError, "rnn_core does not compute"),
        (lambda: losses.get({"class_name": "Circle", "config": {}}), ValueError, "rnn_core does not compute"),
        (lambda: losses.Tversky, ImportError, "rnn_core does not compute"),
        (lambda: losses.nonsense, AttributeError, "no attribute 'nonsense'"),
        (lambda: losses.MeanSquaredError(reduction="average"), ValueError, "reduction must be one of 'sum_over"),
        (lambda: losses.MeanSquaredError(dtype="float16"), ValueError, "dtype must be 'float32' or 'float64'"),
        (lambda: losses.Huber(0), ValueError, "delta must be a number above 0, got 0"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), ValueError, "label_smoothing must be a number"),
        (lambda: losses.BinaryCrossentropy(from_logits="yes"), ValueError, "from_logits must be True or False"),
        (lambda: losses.CategoricalCrossentropy(axis=True), ValueError, "axis must be an integer"),
        (lambda: losses.BinaryFocalCrossentropy(gamma=-1), ValueError, "gamma must be a number of at least 0"),
        (lambda: losses.SparseCategoricalCrossentropy(axis=1).check_shapes((2,), (2, 3, 4)), ValueError, "the last"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_from_import_says_why_a_loss_is_missing():
    with pytest.raises(ImportError, match=r"Dice.*rnn_core does not compute"):
        from rnn_core.losses import Dice  # noqa: F401
