"""The gradient of a whole training step against central differences: every loss, weights, masks, regularizers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import layers, losses
from rnn_core.models import Sequential
from rnn_core.optimizers import SGD

from ..finite_differences import SEEDS, check_gradients, examples


def one_hot(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.eye(shape[-1])[draws.integers(shape[-1], size=shape[:-1])]


def distribution(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draws.dirichlet(np.ones(shape[-1]), size=shape[:-1])


def bits(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draws.integers(2, size=shape).astype(float)


def classes(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draws.integers(shape[-1], size=(*shape[:-1], 1)).astype(float)


def normal(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draws.standard_normal(shape)


def positive(draws: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draws.uniform(0.5, 3, shape)


# loss, activation of the last layer, targets
LOSSES = {
    "mse": (losses.MeanSquaredError(), None, normal),
    "mse sum": (losses.MeanSquaredError("sum"), None, normal),
    "mae": (losses.MeanAbsoluteError(), None, normal),
    "mape": (losses.MeanAbsolutePercentageError(), None, positive),
    "msle": (losses.MeanSquaredLogarithmicError(), "softplus", positive),
    "huber": (losses.Huber(0.5), None, normal),
    "log_cosh": (losses.LogCosh(), None, normal),
    "poisson": (losses.Poisson(), "softplus", positive),
    "kl_divergence": (losses.KLDivergence(), "softmax", distribution),
    "cosine_similarity": (losses.CosineSimilarity(), None, normal),
    "binary_crossentropy": (losses.BinaryCrossentropy(), "sigmoid", bits),
    "binary_crossentropy logits": (losses.BinaryCrossentropy(True, 0.2), None, bits),
    "binary_focal_crossentropy": (losses.BinaryFocalCrossentropy(True, 0.3, 1.5), "sigmoid", bits),
    "binary_focal_crossentropy logits": (losses.BinaryFocalCrossentropy(from_logits=True), None, bits),
    "categorical_crossentropy": (losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", one_hot),
    "categorical_crossentropy logits": (losses.CategoricalCrossentropy(True), None, distribution),
    "categorical_focal_crossentropy": (losses.CategoricalFocalCrossentropy(), "softmax", one_hot),
    "categorical_focal_crossentropy logits": (losses.CategoricalFocalCrossentropy(from_logits=True), None, one_hot),
    "sparse_categorical_crossentropy": (losses.SparseCategoricalCrossentropy(), "softmax", classes),
    "sparse_categorical_crossentropy logits": (losses.SparseCategoricalCrossentropy(True, 1), None, classes),
    "hinge": (losses.Hinge(), None, bits),
    "squared_hinge": (losses.SquaredHinge(), None, bits),
    "categorical_hinge": (losses.CategoricalHinge(), None, one_hot),
    "mean_with_sample_weight": (losses.LogCosh("mean_with_sample_weight"), None, normal),
}


def check_training_step(model: Sequential, x, y, weight=None) -> None:
    """Check the gradient that a training step leaves in ``d_vector`` against differences of the reported loss."""
    before = model.vector.copy()
    model.d_vector.fill(np.nan)
    reported = model.train_on_batch(x, y, weight)
    gradient = model.d_vector.copy()
    np.testing.assert_allclose(model.vector, before - gradient, rtol=1e-12, atol=1e-15)  # SGD(1.0) takes the step
    model.vector[...] = before
    assert model.test_on_batch(x, y, weight) == pytest.approx(reported, rel=1e-14)

    check_gradients(lambda: model.test_on_batch(x, y, weight), {"vector": (model.vector, gradient)})


def test_every_loss_is_here():
    assert {type(loss) for loss, _, _ in LOSSES.values()} == set(losses._CLASSES)


@pytest.mark.parametrize("kind", ["vectors", "sequences", "masked sequences"])
@pytest.mark.parametrize("name", LOSSES)
@examples(2)
@given(seed=SEEDS, weighted=st.booleans())
def test_every_loss_through_the_training_step(name, kind, seed, weighted):
    loss, activation, targets = LOSSES[name]
    draws = np.random.default_rng(seed)
    x = draws.standard_normal((3, 3, 2))
    entries = [layers.Input((3, 2)), layers.SimpleRNN(2, return_sequences=kind != "vectors", dtype="float64")]
    if kind == "masked sequences":
        entries.insert(1, layers.Masking(dtype="float64"))
        x[0, 0] = x[1, 2] = 0
    model = Sequential([*entries, layers.Dense(3, activation, dtype="float64")])
    model.vector[...] = 0.5 * draws.standard_normal(model.vector.size)
    model.compile(SGD(1.0), loss)
    shape = (3, 3) if kind == "vectors" else (3, 3, 3)
    y = targets(draws, shape)
    weight = draws.uniform(0.5, 2, shape[:-1]) if weighted else None
    check_training_step(model, x, y, weight)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@examples(3)
@given(seed=SEEDS)
def test_sequences_of_single_numbers_with_targets_of_one_axis_less(reduction, seed):
    """The loss drops the last axis of the outputs, which lie time-major: the gradient must still arrive."""
    draws = np.random.default_rng(seed)
    model = Sequential(
        [
            layers.Input((4, 2)),
            layers.SimpleRNN(2, return_sequences=True, dtype="float64"),
            layers.Dense(1, dtype="float64"),
        ]
    )
    model.compile(SGD(1.0), losses.LogCosh(reduction))
    check_training_step(model, draws.standard_normal((3, 4, 2)), draws.standard_normal((3, 4)))


@examples(15)
@given(
    seed=SEEDS,
    chosen=st.lists(st.sampled_from([None, "l1", "l2", "l1l2", "orthogonal_regularizer"]), min_size=5, max_size=5),
    activity=st.lists(st.sampled_from([None, "l1", "l2"]), min_size=3, max_size=3),
    loss=st.sampled_from(["mse", "log_cosh"]),
)
def test_weight_and_activity_regularizers_through_the_training_step(seed, chosen, activity, loss):
    draws = np.random.default_rng(seed)
    kernel, recurrent, bias, dense, dense_bias = (
        "l2" if "bias" in place and penalty == "orthogonal_regularizer" else penalty
        for place, penalty in zip(["kernel", "recurrent", "bias", "dense", "dense bias"], chosen, strict=True)
    )
    first = layers.SimpleRNN(
        3,
        return_sequences=True,
        kernel_regularizer=kernel,
        recurrent_regularizer=recurrent,
        bias_regularizer=bias,
        activity_regularizer=activity[0],
        dtype="float64",
    )
    second = layers.SimpleRNN(
        2, "relu", recurrent_regularizer=recurrent, activity_regularizer=activity[1], dtype="float64"
    )
    last = layers.Dense(
        2, kernel_regularizer=dense, bias_regularizer=dense_bias, activity_regularizer=activity[2], dtype="float64"
    )
    model = Sequential([layers.Input((3, 2)), first, second, last])
    model.vector[...] = 0.5 * draws.standard_normal(model.vector.size)
    model.compile(SGD(1.0), loss)
    x, y = draws.standard_normal((4, 3, 2)), draws.standard_normal((4, 2))
    check_training_step(model, x, y)
