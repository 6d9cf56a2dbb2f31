"""Losses: which targets, weights and masks fit which outputs, and what is said of those that do not."""

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
REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"]
Y, P = np.random.default_rng(0).normal(size=(2, 4, 5, 3))


def keras_value_and_gradient(loss, y, p):
    """Return Keras' loss and its gradient, on TensorFlow."""
    p = tf.constant(p)
    with tf.GradientTape() as tape:
        tape.watch(p)
        value = loss(np.asarray(y), p)
    return value.numpy(), tape.gradient(value, p).numpy()


SHAPES = [((6,), (6, 1)), ((6, 1), (6,)), ((6, 4), (6, 4, 1)), ((6, 4, 1), (6, 4)), ((6,), (6,))]


@pytest.mark.parametrize(("y_shape", "p_shape"), SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_last_axis_of_length_one_may_be_missing(y_shape, p_shape, reduction):
    rng = np.random.default_rng(0)
    y, p = rng.random(y_shape), rng.random(p_shape)
    for name in ("MeanSquaredError", "BinaryCrossentropy"):
        value, gradient = keras_value_and_gradient(
            getattr(keras.losses, name)(reduction=reduction, dtype="float64"), y, p
        )
        d_pred = np.empty_like(p)
        np.testing.assert_allclose(
            getattr(losses, name)(reduction=reduction).value_and_gradient(y, p, d_pred), value, rtol=1e-12
        )
        np.testing.assert_allclose(d_pred, gradient, rtol=1e-12)


@pytest.mark.parametrize("y_shape", [(6,), (6, 1)])
def test_class_numbers_may_have_a_last_axis(y_shape):
    y, p = np.array([0, 1, 2, 2, 1, 0]), np.random.default_rng(0).random((6, 3))
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy(y.reshape(y_shape), p), losses.sparse_categorical_crossentropy(y, p)
    )


@pytest.mark.filterwarnings("ignore:.*holds one class:SyntaxWarning")
@pytest.mark.parametrize("loss_class", CLASSES)
@pytest.mark.parametrize(
    ("y_shape", "p_shape"), [((6, 3), (6, 1)), ((6, 1), (6, 6, 3)), ((1, 3), (6, 3)), ((5, 3), (6, 3))]
)
def test_targets_that_would_only_broadcast_are_refused(loss_class, y_shape, p_shape):
    loss = loss_class()
    with pytest.raises(ValueError, match=r"y_true of shape .* does not match y_pred of shape"):
        loss.check_shapes(y_shape, p_shape)
    with pytest.raises(ValueError, match="y_true of shape"):
        loss(np.zeros(y_shape), np.zeros(p_shape))
    with pytest.raises(ValueError, match="y_true of shape"):
        loss.value_and_gradient(np.zeros(y_shape), np.zeros(p_shape), np.zeros(p_shape))


def test_the_error_says_what_broadcasting_would_do():
    with pytest.raises(ValueError, match=r"\(32, 3\).*\(32, 1\).*broadcasting only"):
        losses.MeanSquaredError().check_shapes((32, 3), (32, 1))
    with pytest.raises(ValueError, match=r"\(31, 1\).*\(32, 4\).*one target for each output"):
        losses.MeanSquaredError().check_shapes((31, 1), (32, 4))
    with pytest.raises(ValueError, match="one-hot targets take categorical_crossentropy"):
        losses.SparseCategoricalCrossentropy().check_shapes((32, 3), (32, 3))


def test_check_shapes_returns_the_shapes_compared():
    assert losses.MeanSquaredError().check_shapes((32,), (32, 1)) == ((32, 1), (32, 1))
    assert losses.SparseCategoricalCrossentropy().check_shapes((32, 1), (32, 9)) == ((32,), (32, 9))


@pytest.mark.parametrize("weights", [(4,), (5,), (4, 5, 3), (4, 2), (3, 5), (1,)])
def test_weights_that_do_not_fit_are_refused(weights):
    for loss in (losses.MeanSquaredError(), losses.MeanAbsoluteError()):
        with pytest.raises(ValueError, match="sample_weight or mask of shape"):
            loss.value_and_gradient(Y, P, np.empty_like(P), np.ones(weights))
        with pytest.raises(ValueError, match="does not fit"):
            loss.value_and_gradient(Y, P, np.empty_like(P), np.ones(weights), np.ones((4, 5), bool))


def test_weights_for_samples_of_a_sequence_get_a_hint():
    with pytest.raises(ValueError, match=r"For one weight a sample give shape \(4, 1\)"):
        losses.MeanSquaredError()(Y, P, np.ones(4))
    with pytest.raises(
        ValueError, match=r"shape \(4, 5\) does not fit values of shape \(4,\).*y_true came without its last"
    ):
        losses.MeanSquaredError()(Y[..., 0], P[..., :1], mask=np.ones((4, 5), bool))


def test_a_single_class_warns_as_in_keras():
    y = p = np.ones((4, 1))
    with pytest.warns(SyntaxWarning, match="holds one class"):
        losses.CategoricalCrossentropy()(y, p)
    with pytest.warns(SyntaxWarning):
        keras.losses.CategoricalCrossentropy()(y, p)


@pytest.mark.parametrize("classes", [[0, 3], [-1, 2]])
def test_targets_that_are_no_class_number_are_refused(classes):
    with pytest.raises(ValueError, match="class numbers from 0 to 2, got numbers from"):
        losses.SparseCategoricalCrossentropy()(classes, np.ones((2, 3)) / 3)
