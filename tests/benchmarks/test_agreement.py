"""What computes something else is found out, and not timed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import agreement, rounds
from benchmarks.engines import ENGINES, OURS, numpy_tutorial, plain_c, rnn_core
from benchmarks.rounds import Effort, Result
from tests.benchmarks import wrong_engine
from tests.benchmarks.samples import FIT, HANGING, PREDICT, STACKED, STEP, WRONG

TRAINED = [FIT, STEP, STACKED]
EFFORT = Effort(rounds=3, turn=0.001, seconds=0.01)


@pytest.mark.parametrize("workload", TRAINED, ids=lambda w: w.name)
@pytest.mark.parametrize("module", [rnn_core, numpy_tutorial])
def test_engines_agree_with_the_reference(workload, module):
    found = module.Runner(workload).step()
    assert agreement.disagreement(workload, agreement.reference(workload), found) is None


@pytest.mark.parametrize("module", [rnn_core, numpy_tutorial])
def test_predictions_agree_with_the_reference(module):
    found = module.Runner(PREDICT).predict()
    assert agreement.disagreement(PREDICT, agreement.reference(PREDICT), found) is None


def test_plain_c_agrees_with_the_reference():
    try:
        runner = plain_c.Runner(FIT)
    except plain_c.MissingCompiler as missing:
        pytest.skip(str(missing))
    assert agreement.disagreement(FIT, agreement.reference(FIT), runner.step()) is None


def test_without_gcc_plain_c_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(plain_c, "BUILD", tmp_path)  # where nothing is compiled yet
    monkeypatch.setattr(plain_c.shutil, "which", lambda name: None)
    with pytest.raises(plain_c.MissingCompiler, match="gcc was not found: install it"):
        plain_c.Runner(FIT)


@pytest.mark.parametrize("workload", TRAINED, ids=lambda w: w.name)
def test_a_wrong_optimizer_is_found_out(workload):
    problem = agreement.disagreement(workload, agreement.reference(workload), wrong_engine.Runner(workload).step())
    assert problem is not None
    assert "differs by" in problem


@pytest.mark.parametrize("index", range(4))
def test_one_weight_that_is_not_updated_is_found_out(index):
    loss, weights = agreement.reference(STEP)
    wrong = [weight.copy() for weight in weights]
    wrong[index] = STEP.weights()[index]
    problem = agreement.disagreement(STEP, (loss, weights), (loss, wrong))
    assert problem is not None
    assert f"weight {index}" in problem


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e-3])
def test_one_wrong_number_is_found_out(value):
    loss, weights = agreement.reference(STEP)
    wrong = [weight.copy() for weight in weights]
    wrong[1].flat[7] += value
    assert agreement.disagreement(STEP, (loss, weights), (loss, wrong))
    assert agreement.disagreement(STEP, (loss, weights), (loss + value, weights))
    outputs = agreement.reference(PREDICT)
    off = outputs.copy()
    off[3] += value
    assert agreement.disagreement(PREDICT, outputs, off)


def test_wrong_shapes_are_found_out():
    loss, weights = agreement.reference(STEP)
    assert "shapes" in str(agreement.disagreement(STEP, (loss, weights), (loss, weights[:-1])))
    outputs = agreement.reference(PREDICT)
    assert "shape" in str(agreement.disagreement(PREDICT, outputs, outputs[:, 0]))


def test_a_fit_that_ends_at_another_loss_is_named():
    results = [Result("W1", OURS, loss=0.4), Result("W1", "good", loss=0.41), Result("W1", "lazy", loss=2.0)]
    assert [engine for engine, _ in rounds.other_final_losses(results)] == ["lazy"]


def test_what_disagrees_or_fails_is_not_timed_and_the_others_are():
    said: list[str] = []
    engines = [ENGINES[OURS], WRONG, ENGINES["numpy"], HANGING]
    with rounds.Workers(threads=1) as workers:
        results, left_out = rounds.measure(FIT, engines[:3], workers, EFFORT, said.append)
        assert [result.engine for result in results] == [OURS, "numpy"]
        assert all(len(result.seconds) == 3 and result.spread.median > 0 for result in results)
        assert "differs by" in left_out["wrong"]
        results, left_out = rounds.measure(STEP, engines[::3], workers, EFFORT, said.append)  # one epoch: it dies
        assert [result.engine for result in results] == [OURS]
        assert "status 3" in left_out["hanging"]
        results, left_out = rounds.measure(FIT, [HANGING], workers, EFFORT, said.append)  # two epochs: it raises
        assert left_out["hanging"] == "it failed: ValueError: no such"
    assert any("round 3 of 3" in text for text in said)
