"""Losses and metrics of models with several outputs, and the names that metrics are reported under."""

from __future__ import annotations

import numpy as np
import pytest

import rnn_core
from rnn_core import Model
from rnn_core.engine.compiled_metrics import CompiledMetrics, MetricsOfOutputs
from rnn_core.layers import Dense
from rnn_core.losses import MeanSquaredError, SparseCategoricalCrossentropy
from rnn_core.losses.several import LossOfOutputs, for_outputs

from .float64 import keras

NAMES = ["value", "kind"]
SHAPES = [(2, 1), (2, 3)]


def both() -> LossOfOutputs:
    return LossOfOutputs([MeanSquaredError(), SparseCategoricalCrossentropy()], [1.0, 0.5], NAMES)


def test_the_loss_is_the_weighted_sum_and_so_are_the_gradients():
    loss, draws = both(), np.random.default_rng(0)
    y = [draws.normal(size=(2, 1)), np.array([[0], [2]])]
    p = [draws.normal(size=(2, 1)), draws.dirichlet(np.ones(3), 2)]
    d, single = [np.full_like(part, np.nan) for part in p], [np.empty_like(part) for part in p]
    values = [one.value_and_gradient(*parts) for one, *parts in zip(loss.losses, y, p, single, strict=True)]
    assert loss.value_and_gradient(y, p, d) == values[0] + 0.5 * values[1]
    assert (loss.values, loss.named) == (values, ["value_loss", "kind_loss"])
    np.testing.assert_array_equal(d[0], single[0])
    np.testing.assert_array_equal(d[1], 0.5 * single[1])


def test_targets_that_a_loss_has_no_meaning_for_are_named_with_their_output():
    y = [np.zeros((2, 1)), np.array([[0], [3]])]
    with pytest.raises(ValueError, match=r"output 'kind': .*3"):
        both().check_values(y, SHAPES)
    with pytest.raises(ValueError, match=r"output 'value': "):
        both().check_shapes([(2, 2), (2, 1)], SHAPES)
    both().check_values([y[0], y[1] - y[1]], SHAPES)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, [None, None]), (["a", None], ["a", None]), (("a", "b"), ["a", "b"]), ({"kind": "b"}, [None, "b"])],
)
def test_an_entry_for_each_output(given, expected):
    assert for_outputs(given, "loss", NAMES) == expected


def test_one_entry_serves_all_outputs_only_where_it_may():
    assert for_outputs("mse", "loss", NAMES, all_alike=True) == ["mse", "mse"]
    for given, got in (("mse", "'mse'"), (["mse"], "1 entries"), (["mse"] * 3, "3 entries")):
        with pytest.raises(ValueError, match=f"metrics must be a list .* outputs value, kind; got {got}"):
            for_outputs(given, "metrics", NAMES)
    with pytest.raises(ValueError, match="metrics: the model has no output 'other'; its outputs are value, kind"):
        for_outputs({"other": "mse"}, "metrics", NAMES)


@pytest.mark.parametrize(
    ("plain", "weighted"),
    [(["mae"], ["mae"]), (["mae", "mae", "mae"], None), (["mae", "mse"], ["mae", "mse", "mae"])],
)
def test_names_that_come_again_are_told_apart_as_in_keras(plain, weighted):
    metrics = CompiledMetrics(plain, weighted)
    metrics.build((2, 1), (2, 1))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=plain, weighted_metrics=weighted)
    theirs = model.evaluate(np.ones((2, 1)), np.ones((2, 1)), return_dict=True, verbose=0)
    assert {name for name, _ in metrics.all} | {"loss"} == set(theirs)


def test_metrics_are_made_once_and_keep_what_they_have_seen():
    metrics = MetricsOfOutputs([["mae"], ["accuracy"]], None, NAMES)
    metrics.build([(2, 1), (2, 1)], SHAPES)
    made = [metric for _, metric in metrics.all]
    metrics.update([np.ones((2, 1)), np.array([[0], [2]])], [np.zeros((2, 1)), np.eye(3)[:2]], None, [None, None])
    metrics.build([(2, 1), (2, 1)], SHAPES)
    assert [name for name, _ in metrics.all] == ["kind_accuracy", "value_mae"]
    assert all(metric is before for (_, metric), before in zip(metrics.all, made, strict=True))
    assert {name: float(metric.result()) for name, metric in metrics.all} == {"kind_accuracy": 0.5, "value_mae": 1.0}


def test_what_the_loss_does_not_see_gets_the_gradient_zero():
    """Also where the batch before left another one."""
    x = rnn_core.Input((3,))
    h = Dense(4)(x)
    model = Model(x, [Dense(1, name="seen")(h), Dense(2, name="unseen")(Dense(5, name="before")(h))])
    passes = model.new_pass((2, 3), training=True, needs_d_input=True)
    passes.forward(np.ones((2, 3), np.float32))
    d_seen, d_unseen = np.ones((2, 1), np.float32), np.ones((2, 2), np.float32)
    passes.backward([d_seen, d_unseen])
    assert model.d_vector.all()
    d_input = passes.backward([d_seen, None])
    for layer in model.layers[1:]:
        gradients = [getattr(passes.record_of(layer), f"d_{spec.name}") for spec in layer.specs]
        assert [bool(d.any()) for d in gradients] == [layer.name not in ("unseen", "before")] * 2
    np.testing.assert_allclose(d_input, passes.backward([d_seen, 0 * d_unseen]), rtol=1e-6)


def test_an_unknown_metric_is_refused_when_the_model_is_compiled():
    model = rnn_core.Sequential([rnn_core.Input((1,)), rnn_core.layers.Dense(1)])
    with pytest.raises(ValueError, match="nonsense"):
        model.compile("sgd", "mse", metrics=["nonsense"])
    with pytest.raises(ValueError, match="must be a list"):
        CompiledMetrics("mae")
