"""Metrics: every one over several updates against Keras, masks, details, types and shapes."""

from __future__ import annotations

import inspect
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import losses, metrics

WRAPPERS = [
    c
    for c in vars(metrics).values()
    if inspect.isclass(c) and issubclass(c, metrics.MeanMetricWrapper) and c is not metrics.MeanMetricWrapper
]

# Each case: class name, settings, and the kind of data it is made for.
CASES = [
    ("MeanSquaredError", {}, "real"),
    ("RootMeanSquaredError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "real"),
    ("MeanSquaredLogarithmicError", {}, "probability"),
    ("LogCoshError", {}, "real"),
    ("CosineSimilarity", {}, "real"),
    ("Poisson", {}, "probability"),
    ("KLDivergence", {}, "probability"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary"),
    ("CategoricalCrossentropy", {}, "one-hot"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one-hot"),
    ("SparseCategoricalCrossentropy", {}, "sparse"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "sparse"),
    ("Hinge", {}, "binary"),
    ("SquaredHinge", {}, "binary"),
    ("CategoricalHinge", {}, "one-hot"),
    ("Accuracy", {}, "classes"),
    ("BinaryAccuracy", {}, "binary"),
    ("BinaryAccuracy", {"threshold": 0.25}, "binary"),
    ("CategoricalAccuracy", {}, "one-hot"),
    ("SparseCategoricalAccuracy", {}, "sparse"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one-hot"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "sparse"),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, "sorted ids"),
]
FLAT_CASES = [  # for data of shape (batch, outputs) only
    ("R2Score", {}, "real"),
    ("R2Score", {"class_aggregation": None}, "real"),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, "real"),
    ("R2Score", {"num_regressors": 3}, "real"),
]
COUNTS = [
    ("TruePositives", {}, "binary"),
    ("TruePositives", {"thresholds": [0.7, 0.2, 0.25]}, "binary"),
    ("TrueNegatives", {"thresholds": 0.3}, "binary"),
    ("FalsePositives", {"thresholds": [0.2, 0.7]}, "binary"),
    ("FalseNegatives", {"thresholds": [0.7, 0.2, 0.25]}, "binary"),
    ("Precision", {}, "binary"),
    ("Precision", {"thresholds": [0.0, 0.5, 1.0]}, "binary"),
    ("Precision", {"top_k": 2}, "binary"),
    ("Precision", {"top_k": 2, "class_id": 1, "thresholds": 0.3}, "binary"),
    ("Recall", {}, "binary"),
    ("Recall", {"class_id": 2}, "binary"),
    ("Recall", {"top_k": 1, "thresholds": [0.1, 0.6]}, "one-hot"),
    ("AUC", {}, "binary"),
    ("AUC", {"curve": "PR"}, "binary"),
    ("AUC", {"curve": "PR", "summation_method": "majoring", "num_thresholds": 7}, "binary"),
    ("AUC", {"summation_method": "minoring", "thresholds": [0.7, 0.1, 0.2]}, "binary"),
    ("AUC", {"curve": "PR", "thresholds": [0.3, 0.8]}, "binary"),
]


def ids(cases):
    return [f"{name}{options or ''}" for name, options, _ in cases]


def make_data(kind: str, shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and outputs, float32: Keras' top-k metrics take nothing else."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(shape[-1], size=shape[:-1])
    uniform = rng.uniform(0.05, 0.95, shape)
    y, p = {
        "real": (rng.normal(0, 1, shape), rng.normal(0, 1, shape)),
        "probability": (rng.uniform(0.05, 0.95, shape), uniform),
        "binary": (rng.integers(2, size=shape), uniform),
        "one-hot": (np.eye(shape[-1])[classes], uniform),
        "sparse": (classes, uniform),
        "sorted ids": (classes, np.argsort(uniform, axis=-1)),
        "classes": (rng.integers(3, size=shape), rng.integers(3, size=shape)),
    }[kind]
    return y.astype("float32"), p.astype("float32")


def assert_equal_results(ours, theirs, rtol=2e-6):
    np.testing.assert_allclose(ours.result(), theirs.result().numpy(), rtol=rtol, atol=rtol)


# Against Keras


@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # both warn of a crossentropy over one class
@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 4), (6, 1)], ids=str)
@pytest.mark.parametrize(("name", "options", "kind"), CASES, ids=ids(CASES))
def test_metrics_over_several_updates_are_those_of_keras(name, options, kind, shape):
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    assert ours.result() == 0 == theirs.result().numpy()
    rng = np.random.default_rng(5)
    weights = [None, rng.uniform(0, 2, shape[:1]), None, rng.uniform(0, 2, (shape[0], 1)), 2.0]
    if len(shape) == 3:
        weights.append(rng.uniform(0, 2, shape[:2]))
    for seed, w in enumerate(weights):
        batch = shape if seed else (2, *shape[1:])
        y, p = make_data(kind, batch, seed)
        ours.update_state(y, p, w)
        theirs.update_state(y, p, w)
        assert_equal_results(ours, theirs)
    assert type(ours.result()) is float
    ours.reset_state()
    theirs.reset_state()
    assert ours.result() == 0
    y, p = make_data(kind, shape, 99)
    assert ours(y, p) == pytest.approx(float(theirs(y, p)), rel=2e-6, abs=2e-6)


@pytest.mark.parametrize(("name", "options", "kind"), FLAT_CASES + COUNTS, ids=ids(FLAT_CASES + COUNTS))
def test_scores_and_counts_over_several_updates_are_those_of_keras(name, options, kind):
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    rng = np.random.default_rng(5)
    for seed, shape in enumerate([None, (6,), (6, 1), (6, 3), (6,)]):
        w = None if shape is None else rng.uniform(0, 2, shape)
        if "class_id" in options and shape == (6, 3):
            continue
        y, p = make_data(kind, (6, 3), seed)
        ours.update_state(y, p, w)
        theirs.update_state(y, p, w)
        assert_equal_results(ours, theirs, 2e-5)
    ours.reset_state()
    theirs.reset_state()
    y, p = make_data(kind, (6, 3), 9)
    ours.update_state(y, p)
    theirs.update_state(y, p)
    assert_equal_results(ours, theirs, 2e-5)


@pytest.mark.parametrize("name", ["TruePositives", "Precision", "Recall", "AUC"])
def test_counts_take_vectors_too(name):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    y, p = make_data("binary", (40,), 0)
    for y_shape, p_shape in [((40,), (40,)), ((40,), (40, 1)), ((40, 1), (40, 1))]:
        w = np.linspace(0, 1, 40)
        ours.update_state(y.reshape(y_shape), p.reshape(p_shape), w)
        theirs.update_state(y.reshape(y_shape), p.reshape(p_shape), w)
        assert_equal_results(ours, theirs)


def test_area_under_the_curve_from_logits():
    y, x = make_data("binary", (30, 1), 0)[0], np.random.default_rng(1).normal(0, 3, (30, 1))
    ours, theirs = metrics.AUC(from_logits=True), keras.metrics.AUC(from_logits=True)
    ours.update_state(y, x)
    theirs.update_state(tf.constant(y), tf.constant(x, "float32"))
    assert_equal_results(ours, theirs)


@given(seed=st.integers(0, 10**6), samples=st.integers(2, 40))
@settings(max_examples=25, deadline=None)
def test_area_under_the_roc_curve_is_the_share_of_pairs_in_order(seed, samples):
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 2
    p = rng.permutation(samples) / samples
    exact = (p[y == 1][:, None] > p[y == 0]).mean()
    thresholds = (np.arange(samples) - 0.5)[1:] / samples  # one between every two outputs
    assert metrics.AUC(thresholds=list(thresholds))(y, p) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3), (6, 3, 2)], ids=str)
def test_mean_and_sum_of_values(name, shape):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    values = np.random.default_rng(0).normal(size=shape)
    weight_shapes = [None, (), (6,), (6, 1)] + ([(6, 3)] if len(shape) > 1 and shape[1] == 3 else [])
    for weight_shape in weight_shapes:
        w = None if weight_shape is None else np.random.default_rng(1).uniform(0, 2, weight_shape)
        ours.update_state(values, w)
        theirs.update_state(values, w)
        assert_equal_results(ours, theirs)
    ours.update_state(4.0)
    theirs.update_state(4.0)
    assert_equal_results(ours, theirs)


@pytest.mark.parametrize("metric_class", WRAPPERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_masked_steps_do_not_count(metric_class, weighted):
    name, options, kind = next(case for case in CASES if case[0] == metric_class.__name__)
    y, p = make_data(kind, (4, 5, 3), 0)
    mask = np.arange(20).reshape(4, 5) % 3 > 0
    w = np.random.default_rng(0).uniform(0, 2, (4, 5)) if weighted else None
    ours, theirs = metric_class(**options), getattr(keras.metrics, name)(**options)
    p_masked = tf.constant(p)
    keras.src.backend.set_keras_mask(p_masked, tf.constant(mask))
    theirs.update_state(tf.constant(y), p_masked, w)
    ours.update_state(y, p, w, mask)
    assert_equal_results(ours, theirs)


@pytest.mark.parametrize("weighted", [False, True])
def test_masks_count_where_keras_forgets_them(weighted):
    y, p = make_data("real", (4, 5, 3), 0)
    mask = np.arange(20).reshape(4, 5) % 3 > 0
    w = np.random.default_rng(0).uniform(0, 2, (4, 5)) if weighted else None
    metric = metrics.RootMeanSquaredError()
    metric.update_state(y, p, w, mask)
    valid = np.average(((y - p) ** 2).mean(-1)[mask], weights=None if w is None else w[mask])
    assert metric.result() == pytest.approx(np.sqrt(valid), rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_ignored_classes_do_not_count(weighted):
    y, p = make_data("sparse", (8, 3), 0)
    w = np.arange(8.0) if weighted else None
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=1)
    metric.update_state(y, p, w)
    kept = y != 1
    expected = metrics.SparseCategoricalCrossentropy()
    expected.update_state(y[kept], p[kept], None if w is None else w[kept])
    assert metric.result() == pytest.approx(expected.result(), rel=1e-6)
    if not weighted:  # the metric is the loss; Keras' metric here takes ignored samples for 0
        assert metric.result() == pytest.approx(float(losses.SparseCategoricalCrossentropy(ignore_class=1)(y, p)))


@given(cuts=st.lists(st.integers(0, 30), max_size=4), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_results_do_not_depend_on_how_data_is_cut_into_batches(cuts, seed):
    y, p = make_data("binary", (30, 2), seed)
    w = np.random.default_rng(seed).uniform(0.1, 2, 30)
    for make in (
        metrics.MeanAbsoluteError,
        metrics.RootMeanSquaredError,
        metrics.R2Score,
        metrics.AUC,
        metrics.Precision,
    ):
        whole, parts = make(), make()
        whole.update_state(y, p, w)
        for rows in np.split(np.arange(30), sorted(cuts)):
            if len(rows):
                parts.update_state(y[rows], p[rows], w[rows])
        assert parts.result() == pytest.approx(whole.result(), rel=1e-6)


# Details of single metrics


def test_top_k_counts_ties_at_the_edge_as_keras_does():
    y, p = np.array([0.0, 1, 2, 3]), np.array([[0.1, 0.4, 0.4, 0.4]] * 4, "float32")
    for k in (1, 2, 3):
        ours, theirs = (m.SparseTopKCategoricalAccuracy(k=k) for m in (metrics, keras.metrics))
        assert ours(y, p) == float(theirs(y, p))


def test_r2_of_a_constant_target_is_zero_as_in_keras():
    y, p = np.ones((4, 1)), np.array([[1.0], [2], [3], [4]])
    ours, theirs = metrics.R2Score(), keras.metrics.R2Score()
    assert ours(y, p) == 0 == float(theirs(y, p))


@pytest.mark.parametrize("regressors", [3, 4])
def test_r2_is_not_adjusted_without_samples_enough(regressors):
    y, p = make_data("real", (4, 1), 0)
    adjusted = metrics.R2Score(num_regressors=regressors)
    adjusted.update_state(y, p)
    with pytest.warns(UserWarning, match="it is not adjusted"):
        assert adjusted.result() == metrics.R2Score()(y, p)


def test_root_of_the_mean_is_taken_last():
    metric = metrics.RootMeanSquaredError()
    metric.update_state([[0.0]], [[1.0]])
    metric.update_state([[0.0]], [[7.0]])
    assert metric.result() == 5.0


def test_long_sums_are_kept_in_double_precision():
    metric = metrics.MeanAbsoluteError()
    metric.total, metric.count = 2.0**25, 2.0**25
    metric.update_state(np.zeros((1, 1), "float32"), np.ones((1, 1), "float32"))
    assert metric.total == 2.0**25 + 1


# Types and shapes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_have_the_dtype_of_the_outputs(dtype):
    y, p = make_data("one-hot", (4, 3), 0)
    y, p = y.astype(dtype), p.astype(dtype)
    for function in (
        metrics.binary_accuracy,
        metrics.categorical_accuracy,
        metrics.top_k_categorical_accuracy,
        metrics.hinge,
    ):
        assert function(y, p).dtype == dtype
    precise = metrics.MeanSquaredError()
    precise.update_state(np.array([[0.0]]), np.array([[0.1]]))
    assert precise.result() == 0.1**2
    single = metrics.MeanSquaredError(dtype="float32")
    single.update_state(np.array([[0.0]]), np.array([[0.1]]))
    assert single.result() == float(np.float32(0.1) ** 2)


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [case for case in CASES if "arse" not in case[0]] + FLAT_CASES + COUNTS[:1] + COUNTS[-1:],
)
def test_targets_that_would_only_broadcast_are_refused(name, options, kind):
    p = make_data(kind, (6, 3), 0)[1]
    for y_shape in [(6, 1), (1, 3), (6, 6, 3)]:
        with pytest.raises(ValueError, match=r"y_true of shape .* does not match y_pred of shape \(6, 3\)"):
            getattr(metrics, name)(**options).update_state(np.zeros(y_shape), p)


@pytest.mark.parametrize(
    "name", ["SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "SparseCategoricalCrossentropy"]
)
def test_class_numbers_of_another_shape_are_refused(name):
    with pytest.raises(ValueError, match=r"y_true of shape \(6, 3\).*y_pred"):
        getattr(metrics, name)().update_state(np.zeros((6, 3)), np.ones((6, 3)))


@pytest.mark.parametrize("weights", [(5,), (6, 2), (6, 3, 2, 2), (3,)])
def test_weights_that_do_not_fit_are_refused(weights):
    y, p = make_data("binary", (6, 3, 2), 0)
    for make in (
        metrics.MeanAbsoluteError,
        metrics.RootMeanSquaredError,
        metrics.BinaryAccuracy,
        metrics.TruePositives,
    ):
        with pytest.raises(ValueError, match="sample_weight or mask of shape"):
            make().update_state(y, p, np.ones(weights))
