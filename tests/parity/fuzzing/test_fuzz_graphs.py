"""Graphs as cases: they run as they are printed; faults that only a graph can show are found, and shrunk to little."""

from __future__ import annotations

import json
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from parity.fuzzing import run
from parity.fuzzing.drawing import draw
from parity.fuzzing.graph_cases import MERGES, GraphCase
from parity.fuzzing.graph_drawing import draw_graph
from parity.fuzzing.graph_shrinking import smaller_graphs
from parity.fuzzing.run import fault_of, fuzz
from rnn_core.engine import passes
from rnn_core.layers import Average, Dense
from rnn_core.losses.several import LossOfOutputs

from ..samples import BACKEND

SOME = [draw_graph(seed, BACKEND) for seed in range(400)]


def graphs_alone(monkeypatch):
    monkeypatch.setattr(run, "draw", draw_graph)


# --- cases ----------------------------------------------------------------------------------------------------


def test_three_cases_in_ten_are_graphs():
    share = np.mean([isinstance(draw(seed), GraphCase) for seed in range(1000)])
    assert 0.25 < share < 0.35


def test_a_graph_is_plain_data_and_the_same_for_the_same_seed():
    for case in SOME[:100]:
        assert draw_graph(case.seed, BACKEND) == case == case.pruned()
        again = GraphCase(**json.loads(json.dumps(case.to_dict())))
        assert again.script() == case.script()


def test_every_graph_can_be_built_again_the_same():
    for case in SOME[:150]:
        model, data = case.build()
        assert (model.dtype, len(model.graph.outputs)) == (case.dtype, len(case.outputs))
        assert np.isfinite(model.vector).all()
        repeated, same = case.build()
        np.testing.assert_array_equal(repeated.vector, model.vector)
        assert repr(same) == repr(data)


def test_the_graphs_have_everything():
    def share(holds):
        return np.mean([bool(holds(case)) for case in SOME])

    kinds = {name for case in SOME for name, _ in case.layers}
    missing = set() if BACKEND == "tensorflow" else {"Maximum", "Minimum"}  # JAX and torch share among equals
    missing |= {"Reshape"} if BACKEND == "jax" else set()
    assert kinds >= {*MERGES} - missing
    assert kinds >= {"Bidirectional", "TimeDistributed", "Embedding", "Masking", "RNN", "SimpleRNN", "Dropout"}
    reshaping = {"Reshape", "Flatten", "RepeatVector", "GlobalAveragePooling1D", "GlobalMaxPooling1D"}
    assert kinds >= reshaping - missing
    assert share(lambda case: len(case.inputs) > 1) > 0.3
    assert share(lambda case: len(case.outputs) > 1) > 0.3
    assert share(lambda case: {name for name, _ in case.layers} & set(MERGES)) > 0.2
    assert share(lambda case: len(case.calls) > len(case.layers)) > 0.15  # shared
    states = [(call, case) for case in SOME for call in case.calls if call["states"]]
    inputs = [{one["name"] for one in case.inputs} & set(call["states"]) for call, case in states]
    assert any(inputs)
    assert not all(inputs)  # what another layer puts out
    assert {len(call["states"]) for call, _ in states} == {1, 2}
    assert share(lambda case: len({one["loss_weight"] for one in case.outputs}) > 1) > 0.1
    assert share(lambda case: any(one["loss"] is None for one in case.outputs)) > 0.01
    assert {one["sample_weight"] for case in SOME for one in case.outputs} == {"", "sample", "column", "step"}
    assert share(lambda case: len({one["mask"] for one in case.inputs}) > 1) > 0.03  # of one input, not of another
    assert {one["kind"] for case in SOME for one in case.inputs} == {"sequence", "row", "words"}
    assert {case.dtype for case in SOME} == {"float64", "float32"}
    assert 0.2 < share(lambda case: not case.layers[0][1]["name"].startswith("layer_")) < 0.4  # as Keras names them


def test_what_is_keras_own_fault_is_not_drawn():
    for case in SOME:
        assert case.keep_ends or not any(call["states"] for call in case.calls)
        assert case.keep_ends or not ("'stateful'" in str(case.layers) or "GlobalAverage" in str(case.layers))
        assert not any(word in str(case.layers) for word in ("'glu'", "sparsemax", "tanh_shrink", "Orthogonal"))
        heads = {one["of"] for one in case.outputs if one["loss"] and "Crossentropy" in one["loss"][0]}
        assert not heads & {name for call in case.calls for name in (*call["of"], *call["states"])}
        for one in case.outputs if case.dtype == "float32" else ():
            assert one["sample_weight"] or not (one["loss"] and one["loss"][0].endswith((".Hinge", "AbsoluteError")))
    for backend in ("jax", "torch"):
        drawn = [draw_graph(seed, backend) for seed in range(200)]
        assert not any(name in ("Maximum", "Minimum") for case in drawn for name, _ in case.layers)
    for case in (draw_graph(seed, "jax") for seed in range(400)):
        stateful = {given["name"] for _, given in case.layers if given.get("stateful")}
        called = [call["layer"] for call in case.calls if call["layer"] in stateful]
        assert len(called) == len(set(called))


def test_the_scripts_run(capsys):
    for case in SOME[10:14]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(case.script(["float64"]), "script", "exec"), {})
        assert "lines hold against Keras" in capsys.readouterr().out


def test_smaller_graphs_are_smaller_and_many_can_be_built():
    for case in SOME[:30]:
        built = 0
        for smaller in smaller_graphs(case):
            assert smaller != case
            try:
                smaller.build()
                built += 1
            except (ValueError, TypeError):
                pass
        assert built >= 3


# --- fuzz -----------------------------------------------------------------------------------------------------


def test_random_graphs_hold(monkeypatch):
    graphs_alone(monkeypatch)
    result = fuzz(60, seed=2000)
    assert result.holds, str(result)


def found_and_shrunk(monkeypatch, fits):
    """Fuzz from a seed whose graph fits; return the smallest, which fails as a script of its own, too."""
    graphs_alone(monkeypatch)
    seed = next(c.seed for c in SOME if c.dtype == "float64" and len(c.calls) > 4 and fits(c))
    result = fuzz(1, seed, draws=5)
    assert not result.holds
    (failure,) = result.failures
    assert failure.shrunk.seed == seed
    assert fault_of(failure.shrunk, draws=5) == failure.what
    return failure


def fails_alone(script, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(script, "script", "exec"), {})
    return "lines do not hold against Keras" in " ".join(capsys.readouterr().out.split())


def test_a_fault_on_the_way_back_of_a_merge(monkeypatch, capsys):
    monkeypatch.setattr(Average, "derivatives", lambda self, r, dy: [dy / len(r.xs), *[dy] * (len(r.xs) - 1)])
    failure = found_and_shrunk(monkeypatch, lambda case: "Average" in str(case.layers))
    small = failure.shrunk
    assert "Average" in [name for name, _ in small.layers]
    assert len(small.calls) <= 2
    assert len(small.outputs) == 1
    assert (small.batch, small.steps, small.optimizer) == (1, 0, ("optimizers.SGD", {}))
    assert len(failure.script().splitlines()) < 30
    assert fails_alone(failure.script(), capsys)


def test_a_fault_in_adding_up_what_a_shared_layer_gets(monkeypatch, capsys):
    right = passes.Pass._backward_graph

    def wrong(self, d_output):
        d_inputs = right(self, d_output)
        for total, parts in self._added:
            np.copyto(total, parts[0])
        return d_inputs

    monkeypatch.setattr(passes.Pass, "_backward_graph", wrong)

    def trains_a_shared_layer(case):
        counts = [call["layer"] for call in case.calls]
        return any(n == "Dense" and counts.count(given["name"]) > 1 for n, given in case.layers)

    failure = found_and_shrunk(monkeypatch, trains_a_shared_layer)
    small = failure.shrunk
    assert len(small.layers) < len(small.calls) <= 4
    assert fails_alone(failure.script(), capsys)


def test_a_fault_in_loss_weights(monkeypatch, capsys):
    right = LossOfOutputs.value_and_gradient

    def wrong(self, *batch):
        kept, self.coefficients = self.coefficients, [1.0 if c > 1 else c for c in self.coefficients]
        try:
            return right(self, *batch)
        finally:
            self.coefficients = kept

    def weighs_losses(case):
        return [one["loss_weight"] for one in case.outputs if one["loss"]].count(2.0) == 1 < len(case.outputs)

    monkeypatch.setattr(LossOfOutputs, "value_and_gradient", wrong)
    failure = found_and_shrunk(monkeypatch, weighs_losses)
    small = failure.shrunk
    assert len(small.outputs) == 2
    assert sorted(one["loss_weight"] for one in small.outputs) == [1.0, 2.0]
    assert len(small.calls) <= 2
    assert "loss_weights=" in failure.script()
    assert fails_alone(failure.script(), capsys)


def test_an_error_in_a_graph_is_a_failure(monkeypatch):
    right = Dense.forward

    def wrong(self, r, x, training=False):
        if x.ndim == 3:
            raise RuntimeError("out of luck")
        return right(self, r, x, training)

    graphs_alone(monkeypatch)
    monkeypatch.setattr(Dense, "forward", wrong)
    seed = next(case.seed for case in SOME if len(case.calls) > 3 and "out of luck" in fault_of(case))
    (failure,) = fuzz(1, seed).failures
    assert failure.what == "RuntimeError: out of luck"
    assert len(failure.shrunk.calls) == 1
