"""Layers in small graphs: against Keras, and against central differences."""

from __future__ import annotations

from typing import Any

import numpy as np

import rnn_core
from rnn_core.several import as_list, shape_of, unpacked

from ..finite_differences import check_gradients
from .against_keras import TIGHT, keras, tf


def check_layer(layer: Any, xs: Any, masks: Any = None, seed: int = 0, fixed: bool = False) -> Any:
    """Compare a layer's gradients of ``sum(w * output)`` for random w with central differences; return its record.

    `xs` is an array, or a list where the layer is called on one; `fixed` inputs (indices) have no gradient.
    """
    draws = np.random.default_rng(seed)
    shapes: Any = [x.shape for x in xs] if isinstance(xs, list) else xs.shape
    layer.ensure_built(shapes)
    layer.vector[...] = 0.5 * draws.standard_normal(layer.vector.size)
    d_vector = np.full_like(layer.vector, np.nan)  # all of it must be written
    record = layer.new_record(shapes, d_vector)
    record.mask = masks

    def forward() -> list[np.ndarray]:
        return as_list(layer.forward(record, xs, training=False))

    w = [draws.standard_normal(part.shape) for part in forward()]
    kept = [part.copy() for part in (*w, *as_list(xs))]
    d_inputs = as_list(layer.backward(record, unpacked(w)))
    for part, before in zip((*w, *as_list(xs)), kept, strict=True):
        np.testing.assert_array_equal(part, before)  # neither the inputs nor what came back are written to
    views = layer.views(d_vector)
    gradients = {name: (layer.views(layer.vector)[name], views[name].copy()) for name in views}
    if not fixed:
        for i, (x, d) in enumerate(zip(as_list(xs), d_inputs, strict=True)):
            gradients[f"input {i}"] = (x, d.copy())
    check_gradients(lambda: sum(np.sum(d * y) for d, y in zip(w, forward(), strict=True)), gradients)
    return record


def models(make: Any, seed: int = 0) -> tuple[Any, Any]:
    """Return the model that ``make(rnn_core)`` returns and that of ``make(keras)``, with the same random weights."""
    ours, theirs = make(rnn_core), make(keras)
    ours.vector[...] = 0.6 * np.random.default_rng(seed).standard_normal(ours.vector.size)
    assert [w.shape for w in theirs.get_weights()] == [w.shape for w in ours.get_weights()]
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def assert_as_keras(make: Any, *xs: np.ndarray, seed: int = 0, discrete: bool = False) -> tuple[Any, Any]:
    """Compare shapes, outputs, and the gradients of weights and inputs of two models; needs float64 everywhere.

    `discrete`: the inputs are indices and have no gradient.
    """
    ours, theirs = models(make, seed)
    assert as_list(ours.output_shape) == as_list(theirs.output_shape)
    given = unpacked(list(xs))
    passes = ours.new_pass(shape_of(given), training=True, needs_d_input=True)
    for _ in range(2):  # the second batch finds what the first left in the records
        outputs = as_list(passes.forward(given))
    draws = np.random.default_rng(seed)
    d_outputs = [draws.standard_normal(part.shape) for part in outputs]
    d_inputs = as_list(passes.backward(unpacked(d_outputs)))
    tensors = [tf.constant(x) for x in xs]
    with tf.GradientTape() as tape:
        tape.watch([] if discrete else tensors)
        returned = as_list(theirs(unpacked(tensors)))
        loss = sum(tf.reduce_sum(d * y) for d, y in zip(d_outputs, returned, strict=True))
    sources = [*(v.value for v in theirs.trainable_variables), *([] if discrete else tensors)]
    gradients = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    gradients = [np.asarray(tf.convert_to_tensor(g)) for g in gradients]
    for mine, keras_ in zip(outputs, returned, strict=True):
        np.testing.assert_allclose(mine, keras_, **TIGHT)
    parts = zip(ours.layers, ours.parts(ours.d_vector), strict=True)
    mine = [view for layer, part in parts for view in layer.views(part).values()]
    if not discrete:
        mine += [np.zeros(x.shape) if d is None else d for d, x in zip(d_inputs, xs, strict=True)]
    for one, other in zip(mine, gradients, strict=True):
        np.testing.assert_allclose(one, other, **TIGHT)
    return ours, theirs


def assert_step_as_keras(make: Any, xs: Any, y: np.ndarray) -> None:
    """Take one step of SGD with both models; compare the loss and all weights. Needs float64 everywhere."""
    ours, theirs = models(make)
    ours.compile(rnn_core.optimizers.SGD(0.125), "mse")
    theirs.compile(keras.optimizers.SGD(0.125), "mse", run_eagerly=True)
    np.testing.assert_allclose(ours.train_on_batch(xs, y), np.ravel(theirs.train_on_batch(xs, y))[0], **TIGHT)
    for mine, keras_ in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_, **TIGHT)
