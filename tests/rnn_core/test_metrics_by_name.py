"""Metrics by name, by config, as functions and as objects; their names in the history; what is refused."""

from __future__ import annotations

import inspect
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from rnn_core import losses, metrics

CLASSES = [
    getattr(metrics, name)
    for name in metrics.__all__
    if inspect.isclass(getattr(metrics, name)) and name not in ("Metric", "MeanMetricWrapper")
]
CASES = [(metric_class.__name__, {}) for metric_class in CLASSES] + [
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("SparseCategoricalCrossentropy", {"from_logits": True}),
    ("CosineSimilarity", {"axis": 0}),
    ("BinaryAccuracy", {"threshold": 0.25}),
    ("TopKCategoricalAccuracy", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}),
    ("R2Score", {"class_aggregation": None, "num_regressors": 1}),
    ("TruePositives", {"thresholds": [0.2, 0.7]}),
    ("Precision", {"top_k": 2, "class_id": 1, "thresholds": 0.3}),
    ("AUC", {"curve": "PR", "summation_method": "majoring", "thresholds": [0.3, 0.8]}),
]


def data_for(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return targets, one-hot or class numbers, and outputs between 0 and 1, which every metric can take."""
    classes = np.array([0, 2, 1, 1])
    y = classes if name.startswith("Sparse") else np.eye(3)[classes]
    return y.astype("float32"), np.random.default_rng(0).uniform(0.1, 0.9, (4, 3)).astype("float32")


SHAPES = [
    ((8,), (8, 1)),
    ((8, 1), (8, 1)),
    ((8,), (8, 3)),
    ((8, 1), (8, 3)),
    ((8, 3), (8, 3)),
    ((8, 5), (8, 5, 3)),
    ((8, 5, 1), (8, 5, 1)),
]


@pytest.mark.parametrize(("y_shape", "p_shape"), SHAPES)
@pytest.mark.parametrize("word", ["accuracy", "acc", "Accuracy"])
def test_accuracy_is_the_one_that_fits_the_shapes(y_shape, p_shape, word):
    from keras.src.trainers.compile_utils import get_metric

    theirs = get_metric(word, np.zeros(y_shape), np.zeros(p_shape))
    ours = metrics.get_for_shapes(word, y_shape, p_shape)
    assert (type(ours).__name__, ours.name) == (type(theirs).__name__, theirs.name)


def my_error(y_true, y_pred):
    return abs(y_true - y_pred)


IDENTIFIERS = [
    "mae",
    "MSE",
    "mean_squared_error",
    "MeanSquaredError",
    "root_mean_squared_error",
    "r2_score",
    "bce",
    "auc",
    "cosine_similarity",
    lambda m: m.MeanAbsoluteError(),
    lambda m: m.MeanAbsoluteError(name="mine"),
    lambda m: m.LogCoshError(),
    lambda m: m.BinaryAccuracy,
    lambda m: m.mean_absolute_error,
    lambda m: my_error,
    lambda m: {"class_name": "AUC", "config": {"curve": "PR", "name": "area"}},
]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_names_in_the_history_are_those_of_keras(identifier):
    from keras.src.trainers.compile_utils import get_metric

    ours, theirs = (identifier(m) if callable(identifier) else identifier for m in (metrics, keras.metrics))
    shapes = ((8, 1), (8, 1))
    assert metrics.get_for_shapes(ours, *shapes).name == get_metric(theirs, *map(np.zeros, shapes)).name


def test_a_function_and_a_loss_are_wrapped():
    y, p = data_for("MeanAbsoluteError")
    metric = metrics.get(my_error)
    assert metric.name == "my_error"
    assert metric(y, p) == pytest.approx(np.abs(y - p).mean(), rel=1e-6)
    metric = metrics.get(losses.Huber(0.5))
    assert metric.name == "huber_loss"
    assert metric(y, p) == pytest.approx(float(losses.Huber(0.5)(y, p)), rel=1e-6)


def test_every_name_that_keras_knows_is_known_or_refused():
    from keras.src.metrics import ALL_OBJECTS_DICT

    for name, theirs in ALL_OBJECTS_DICT.items():
        if theirs.__name__ in ("Metric", "MeanMetricWrapper"):
            continue
        if theirs.__name__ in metrics.__all__:
            assert type(metrics.get(name)).__name__ == theirs.__name__
        else:
            with pytest.raises(ValueError, match=r"rnn_core does not compute. Supported: AUC, Accuracy"):
                metrics.get(name)


@pytest.mark.parametrize("metric_class", CLASSES)
def test_classes_have_keras_arguments_and_defaults(metric_class):
    theirs = inspect.signature(getattr(keras.metrics, metric_class.__name__)).parameters
    ours = inspect.signature(metric_class).parameters
    assert {n: p.default for n, p in ours.items()} == {n: p.default for n, p in theirs.items()}
    assert list(ours) == list(theirs)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_configs_make_the_same_metric_here_and_in_keras(name, options):
    metric = getattr(metrics, name)(**options, name="mine", dtype="float32")
    config = metrics.serialize(metric)
    again = metrics.deserialize(config)
    assert again.get_config() == metric.get_config() == metric.from_config(metric.get_config()).get_config()
    theirs = keras.metrics.deserialize(config)
    assert (type(theirs).__name__, theirs.name) == (name, "mine")
    assert metrics.get(keras.metrics.serialize(theirs)).name == "mine"
    if name not in ("Mean", "Sum"):
        for m in (again, theirs):
            m.update_state(*data_for(name))
        np.testing.assert_allclose(again.result(), theirs.result().numpy(), rtol=1e-5)


def test_functions_are_serialized_by_name():
    assert metrics.serialize(my_error)["config"] == "my_error"
    assert type(metrics.get(metrics.serialize(metrics.mean_squared_error))) is metrics.MeanSquaredError
    assert metrics.MeanMetricWrapper(my_error).get_config()["fn"]["config"] == "my_error"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: metrics.get("mean_absolut_error"), ValueError, "Did you mean 'mean_absolute_error'"),
        (lambda: metrics.get(3), TypeError, "metric must be a name, a config or"),
        (lambda: metrics.get(None), TypeError, "metric must be a name"),
        (lambda: metrics.get("f1_score"), ValueError, "rnn_core does not compute"),
        (lambda: metrics.MeanIoU, ImportError, "rnn_core does not compute"),
        (lambda: metrics.nonsense, AttributeError, "no attribute 'nonsense'"),
        (lambda: metrics.MeanSquaredError(dtype="int32"), ValueError, "dtype must be"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), ValueError, "k must be an integer"),
        (lambda: metrics.BinaryAccuracy(threshold="half"), ValueError, "threshold must be a number"),
        (lambda: metrics.Precision(thresholds=[0.5, 1.5]), ValueError, "thresholds must be a number of at least 0"),
        (lambda: metrics.Recall(class_id=3).update_state(np.ones((2, 3)), np.ones((2, 3))), ValueError, "class_id=3"),
        (lambda: metrics.AUC(curve="DET"), ValueError, "curve must be one of 'ROC', 'PR'"),
        (lambda: metrics.AUC(summation_method="exact"), ValueError, "summation_method must be one of"),
        (lambda: metrics.AUC(num_thresholds=1), ValueError, "num_thresholds must be an integer of at least 2"),
        (lambda: metrics.AUC(multi_label=True), ValueError, "not supported"),
        (lambda: metrics.R2Score(class_aggregation="mean"), ValueError, "class_aggregation must be one of"),
        (lambda: metrics.R2Score(num_regressors=-1), ValueError, "num_regressors must be an integer"),
        (lambda: metrics.R2Score()(np.ones((2, 3, 1)), np.ones((2, 3, 1))), ValueError, r"expects \(batch, outputs\)"),
        (lambda: metrics.BinaryCrossentropy(label_smoothing=2)([[1.0]], [[0.5]]), ValueError, "label_smoothing"),
        (lambda: metrics.Metric().update_state(1), NotImplementedError, "Metric must define update_state"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
