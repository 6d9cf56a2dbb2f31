"""Every kind of thing that a model can be made with, and random models made of them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from parity import require_keras
from rnn_core import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from rnn_core.models import Sequential
from rnn_core.optimizers import schedules

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = require_keras()

BACKEND = keras.backend.backend()

PARAMETRISED = [
    activations.Relu(0.1, 1.5, 0.3),
    activations.LeakyRelu(0.3),
    activations.Elu(0.7),
    activations.Celu(0.7),
    activations.Gelu(approximate=True),
    activations.Softmax(axis=-1),
    activations.LogSoftmax(axis=-1),
    activations.Squareplus(3.0),
    activations.HardShrink(0.3),
    activations.SoftShrink(0.3),
    activations.Threshold(0.2, -1.0),
]
ACTIVATIONS = [*activations.OBJECTS.values(), *PARAMETRISED]
INITIALIZERS = [
    initializers.Zeros(),
    initializers.Ones(),
    initializers.Constant(0.3),
    initializers.Identity(0.7),
    initializers.RandomUniform(-0.2, 0.1, seed=3),
    initializers.RandomNormal(0.1, 0.2),
    initializers.TruncatedNormal(0.1, 0.2, seed=0),
    initializers.VarianceScaling(2.0, "fan_avg", "untruncated_normal", 5),
    initializers.GlorotUniform(seed=1),
    initializers.GlorotNormal(),
    initializers.HeUniform(),
    initializers.HeNormal(seed=2),
    initializers.LecunUniform(),
    initializers.LecunNormal(),
    initializers.Orthogonal(0.9, seed=4),
]
REGULARIZERS = [
    None,
    regularizers.L1(0.03),
    regularizers.L2(0.07),
    regularizers.L1L2(0.01, 0.02),
    regularizers.OrthogonalRegularizer(0.1, "columns"),
]
CONSTRAINTS = [
    None,
    constraints.NonNeg(),
    constraints.UnitNorm(0),
    constraints.MaxNorm(0.7, [0]),
    constraints.MinMaxNorm(0.3, 0.9, 0.6, 0),
]
LOSSES = [
    losses.MeanSquaredError(),
    losses.MeanAbsoluteError("sum", name="total"),
    losses.MeanAbsolutePercentageError(),
    losses.MeanSquaredLogarithmicError(),
    losses.Huber(0.3, "mean_with_sample_weight"),
    losses.LogCosh(),
    losses.Poisson(),
    losses.KLDivergence(),
    losses.CosineSimilarity(axis=1),
    losses.BinaryCrossentropy(True, 0.1),
    losses.BinaryFocalCrossentropy(True, 0.3, 1.5, True, 0.1),
    losses.CategoricalCrossentropy(True, 0.1, -1),
    losses.CategoricalFocalCrossentropy(0.3, 1.5, True, 0.1),
    losses.SparseCategoricalCrossentropy(True, ignore_class=1),
    losses.Hinge(),
    losses.SquaredHinge(),
    losses.CategoricalHinge(),
]
METRICS = [
    "mae",
    "accuracy",
    *(
        getattr(metrics, name)()
        for name in metrics.__all__
        if isinstance(getattr(metrics, name), type) and name not in ("Mean", "Sum", "Metric", "MeanMetricWrapper")
    ),
    metrics.BinaryAccuracy("mine", threshold=0.3),
    metrics.TopKCategoricalAccuracy(2),
    metrics.SparseTopKCategoricalAccuracy(2, from_sorted_ids=True),
    metrics.CosineSimilarity(axis=1),
    metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
    metrics.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, axis=1),
    metrics.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2),
    metrics.Precision([0.3, 0.6], class_id=0),
    metrics.Recall(top_k=1),
    metrics.FalsePositives(0.3),
    metrics.AUC(7, "PR", "minoring", from_logits=True),
    metrics.AUC(thresholds=[0.2, 0.7]),
    metrics.R2Score("variance_weighted_average", num_regressors=1),
]
SCHEDULES = [
    schedules.ExponentialDecay(0.01, 3, 0.7),
    schedules.ExponentialDecay(0.01, 3, 0.7, staircase=True, name="steps"),
    schedules.InverseTimeDecay(0.01, 3, 0.7),
    schedules.PiecewiseConstantDecay([2, 5], [0.01, 0.007, 0.003]),
    schedules.PolynomialDecay(0.01, 4, 0.001, 0.7, cycle=True),
    schedules.CosineDecay(0.001, 7, 0.1, warmup_target=0.01, warmup_steps=3),
]


def some_optimizers() -> list[optimizers.Optimizer]:
    """Return optimizers with every setting, and a few at once; new ones, which have taken no step."""
    rates = [{"learning_rate": schedule} for schedule in SCHEDULES]
    common: list[dict[str, Any]] = [
        {},
        {"learning_rate": 0.003, "name": "mine"},
        {"weight_decay": 0.013},
        {"clipnorm": 0.03},
        {"clipvalue": 0.003},
        {"global_clipnorm": 0.03},
        {"use_ema": True, "ema_momentum": 0.7},
        {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2, "weight_decay": 0.1},
        *rates,
    ]
    return [
        *(optimizers.RMSprop(rho=0.7, epsilon=1e-5, **options) for options in common),
        optimizers.RMSprop(momentum=0.7, centered=True),
        optimizers.RMSprop(momentum=0.7, centered=True, use_ema=True),
        *(optimizers.SGD(**options) for options in common),
        optimizers.SGD(momentum=0.7),
        optimizers.SGD(momentum=0.7, nesterov=True, use_ema=True),
        *(optimizers.Adam(beta_1=0.7, beta_2=0.9, epsilon=1e-5, **options) for options in common),
        optimizers.Adam(amsgrad=True),
        optimizers.Adam(amsgrad=True, use_ema=True),
        optimizers.AdamW(weight_decay=0.013, amsgrad=True),
    ]


# Random layers and models.


def few(count: int) -> settings:
    return settings(max_examples=count, deadline=None)


def _arguments(*weights: str) -> dict[str, Any]:
    """Return a strategy for each object that these weights can have."""
    kinds = {
        "initializer": st.sampled_from([initializers.GlorotUniform(), initializers.RandomNormal(0.0, 0.4)]),
        "regularizer": st.sampled_from(REGULARIZERS[:-1]),
        "constraint": st.sampled_from(CONSTRAINTS),
    }
    return {f"{w}_{kind}": strategy for w in weights for kind, strategy in kinds.items()}


def dense(dtype: str, **fixed: Any) -> st.SearchStrategy[layers.Layer]:
    arguments = {
        "units": st.integers(1, 4),
        "activation": st.sampled_from([a for a in ACTIVATIONS if a.name != "glu"]),
        "use_bias": st.booleans(),
        "activity_regularizer": st.sampled_from(REGULARIZERS[:-1]),
        "trainable": st.booleans(),
        **_arguments("kernel", "bias"),
        **{name: st.just(value) for name, value in fixed.items()},
    }
    return st.builds(layers.Dense, dtype=st.just(dtype), **arguments)


def simple_rnn(dtype: str, **fixed: Any) -> st.SearchStrategy[layers.Layer]:
    flags = ("return_sequences", "go_backwards", "unroll", "zero_output_for_mask", "use_bias", "trainable")
    arguments = {
        "units": st.integers(1, 4),
        "activation": st.sampled_from(["tanh", "relu", "sigmoid", *PARAMETRISED]),
        "dropout": st.sampled_from([0.0, 0.3]),
        "recurrent_dropout": st.sampled_from([0.0, 0.4]),
        "seed": st.sampled_from([None, 7]),
        "activity_regularizer": st.sampled_from(REGULARIZERS[:-1]),
        **{flag: st.booleans() for flag in flags},
        **_arguments("kernel", "recurrent", "bias"),
        **{name: st.just(value) for name, value in fixed.items()},
    }
    return st.builds(layers.SimpleRNN, dtype=st.just(dtype), **arguments)


def other_layer(dtype: str) -> st.SearchStrategy[layers.Layer]:
    return st.one_of(
        st.builds(
            layers.Dropout,
            st.sampled_from([0.0, 0.5]),
            noise_shape=st.sampled_from([None, (None, 1, None)]),
            seed=st.sampled_from([None, 3]),
            dtype=st.just(dtype),
        ),
        st.builds(layers.Activation, st.sampled_from(["relu", activations.Elu(0.5)]), dtype=st.just(dtype)),
    )


TIMESTEPS, FEATURES, BATCH = 4, 2, 6


@st.composite
def models(draw: Any, dtype: str, smooth: bool = False) -> Sequential:
    """Draw a built model for inputs (batch, TIMESTEPS, FEATURES) with one output; `smooth`, where kinks are rare."""
    kept = {"activation": draw(st.sampled_from(["tanh", "sigmoid"]))} if smooth else {}
    inner = simple_rnn(dtype, return_sequences=True, **kept)
    last = dense(dtype, units=1, activation=None)
    stack = [
        *([layers.Masking(draw(st.sampled_from([0.0, 0.25])), dtype=dtype)] if draw(st.booleans()) else []),
        *(draw(st.lists(st.one_of(inner, other_layer(dtype)), max_size=2))),
        draw(simple_rnn(dtype, **kept)),
        *([draw(dense(dtype, **kept))] if draw(st.booleans()) else []),
        draw(last),
    ]
    shape = (TIMESTEPS, FEATURES)
    for layer in stack:
        # With both, Keras reads the mask in the wrong direction (TensorFlow), ignores it (JAX) or fails (torch).
        if smooth and isinstance(layer, layers.SimpleRNN) and (layer.zero_output_for_mask or BACKEND == "torch"):
            layer.unroll = False
    start = draw(st.sampled_from([[layers.Input(shape)], [layers.Input(shape, dtype=dtype, name="window")], []]))
    model = Sequential([*start, *stack])
    if not start:
        model.build((None, *shape))
    seed = draw(st.integers(0, 2**16))
    model.vector[...] = 0.6 * np.random.default_rng(seed).standard_normal(model.vector.size)
    return model


def batch(model: Sequential, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, some steps of which are masked by a Masking layer, and targets."""
    draws = np.random.default_rng(seed)
    x = draws.standard_normal((BATCH, TIMESTEPS, FEATURES))
    masks = [layer.mask_value for layer in model.layers if isinstance(layer, layers.Masking)]
    if masks:
        x[1, 1], x[2, 2:] = masks[0], masks[0]
    y = draws.standard_normal((BATCH, *model.output_shape[1:-1], 1))
    if len(y.shape) == 3:
        y = draws.standard_normal((BATCH, TIMESTEPS, 1))
    return x.astype(model.dtype), y.astype(model.dtype)
