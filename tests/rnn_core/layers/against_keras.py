"""One of our layers and Keras' own, with the same weights, inputs and dropout masks, in float64."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

import rnn_core
from rnn_core import layers

TIGHT = {"rtol": 1e-12, "atol": 1e-13}
"""Both compute in float64, in another order: a few roundings apart."""


def pair(name: str, shape: tuple[int, ...], seed: int = 0, **arguments: Any) -> tuple[layers.Layer, Any]:
    """Return our layer and Keras' layer `name`, built for inputs of `shape`, with the same random weights."""
    ours = getattr(layers, name)(dtype="float64", **arguments)
    theirs = getattr(keras.layers, name)(dtype="float64", **arguments)
    ours.ensure_built(shape)
    theirs.build(shape)
    draws = np.random.default_rng(seed)
    ours.set_weights([0.6 * draws.standard_normal(w.shape) for w in ours.weights])
    for variable, weight in zip(theirs.trainable_variables, ours.weights, strict=True):
        variable.assign(weight)
    return ours, theirs


def keras_gradients(theirs: Any, arrays: list[np.ndarray], d_output: np.ndarray | None, call: Any):
    """Return what ``call(*tensors)`` returns, and the gradients of ``sum(d_output * output)``.

    The gradients are those with respect to the layer's weights, in Keras' order, and to `arrays`. ``call`` returns the
    output or a tuple with the output first; without `d_output` the gradients are of the plain sum.
    """
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        returned = call(*tensors)
        output = returned[0] if isinstance(returned, (tuple, list)) else returned
        loss = tf.reduce_sum(output if d_output is None else output * d_output)
    sources = [*(v.value for v in theirs.trainable_variables), *tensors]
    gradients = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    numbers = [np.asarray(part) for part in tf.nest.flatten(returned)]
    return numbers, [np.asarray(gradient) for gradient in gradients]


def assert_training_step_is_keras(entries: list[tuple[str, dict[str, Any]]], x: np.ndarray, y: np.ndarray) -> None:
    """Take one step of SGD in a Sequential of these layers, ours and Keras'; compare loss and weights.

    Between gradient and weights lie regularizers and constraints. Needs the fixture `keras_in_float64`.
    """
    models = [
        module.Sequential(
            [
                module.Input(x.shape[1:], dtype="float64"),
                *(getattr(module.layers, name)(**{"dtype": "float64", **arguments}) for name, arguments in entries),
            ]
        )
        for module in (rnn_core, keras)
    ]
    ours, theirs = models
    ours.vector[...] = 0.6 * np.random.default_rng(0).standard_normal(ours.vector.size)
    theirs.set_weights(ours.get_weights())
    ours.compile(rnn_core.optimizers.SGD(0.125), "mse")
    theirs.compile(keras.optimizers.SGD(0.125), "mse", run_eagerly=True)
    np.testing.assert_allclose(ours.train_on_batch(x, y), np.ravel(theirs.train_on_batch(x, y))[0], **TIGHT)
    for mine, keras_ in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_, **TIGHT)
