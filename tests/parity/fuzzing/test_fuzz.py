"""Chains as cases: the same for the same seed, they run as scripts; planted faults are found, and shrunk to little."""

from __future__ import annotations

import json
import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from parity.checking import looking
from parity.fuzzing.case_layers import LARGEST, TIMES
from parity.fuzzing.cases import ChainCase, draw_chain
from parity.fuzzing.drawing import draw
from parity.fuzzing.run import dtypes_of, fault_of, fuzz
from parity.fuzzing.shrinking import shrink
from rnn_core.layers import Dense, SimpleRNN
from rnn_core.optimizers import RMSprop

SOME = [case for seed in range(600) if isinstance(case := draw(seed), ChainCase)]


# --- cases ----------------------------------------------------------------------------------------------------


def test_a_case_is_plain_data_and_the_same_for_the_same_seed():
    for case in SOME:
        assert draw(case.seed) == case
        again = ChainCase(**json.loads(json.dumps(case.to_dict())))
        assert again.script() == case.script()


MOST = [LARGEST[size] * TIMES.get(size, 1) for size in ("batch", "timesteps", "features")]


def test_one_case_in_ten_is_large():
    for size, times in TIMES.items():
        large = [getattr(case, size) > LARGEST[size] for case in SOME]
        assert 0.04 < np.mean(large) < 0.13
        assert max(getattr(case, size) for case in SOME) == LARGEST[size] * times


def test_every_case_can_be_built_and_is_small():
    for case in SOME[:150]:
        model, data = case.build()
        assert model.compiled
        assert model.dtype == case.dtype
        words = any(name == "Embedding" for name, _ in case.layers)
        assert data["x"].shape == (case.batch, case.timesteps, case.features)[: 2 if words else 3]
        assert data["x"].dtype.kind == ("i" if words else "f")
        assert all(size <= most for size, most in zip(data["x"].shape, MOST, strict=False))
        assert np.isfinite(model.vector).all()
        repeated, same = case.build()
        np.testing.assert_array_equal(repeated.vector, model.vector)
        np.testing.assert_array_equal(same["y"], data["y"])


def test_the_cases_have_every_option():
    layers = [
        (name, option, str(value)) for case in SOME for name, given in case.layers for option, value in given.items()
    ]
    options = {(name, option) for name, option, _ in layers}
    for flag in (
        "go_backwards",
        "stateful",
        "unroll",
        "zero_output_for_mask",
        "dropout",
        "recurrent_dropout",
        "trainable",
    ):
        assert ("SimpleRNN", flag) in options
    for weight in ("kernel", "recurrent", "bias"):
        assert {("SimpleRNN", f"{weight}_regularizer"), ("SimpleRNN", f"{weight}_constraint")} <= options
    plain = {"SimpleRNN", "Dense", "Dropout", "Activation", "Masking"}
    reshaping = {"Flatten", "Reshape", "RepeatVector", "GlobalAveragePooling1D", "GlobalMaxPooling1D"}
    assert {name for name, _, _ in layers} == plain | reshaping | {
        "Embedding",
        "Bidirectional",
        "RNN",
        "TimeDistributed",
    }
    assert {len(given["cell"]) for case in SOME for name, given in case.layers if name == "RNN"} == {1, 2}
    assert {("Embedding", "mask_zero"), ("Bidirectional", "merge_mode"), ("RNN", "go_backwards")} <= options
    assert len({case.loss[0] for case in SOME}) == 17
    assert {case.optimizer[0].split(".")[1] for case in SOME} == {"RMSprop", "SGD", "Adam", "AdamW"}
    assert {case.sample_weight for case in SOME} == {"", "sample", "column", "step"}
    assert {(case.mask, bool(case.states)) for case in SOME} == {(a, b) for a in (False, True) for b in (False, True)}
    assert {case.dtype for case in SOME} == {"float64", "float32"}


def test_what_is_keras_own_fault_is_not_drawn():
    for case in SOME:
        assert case.keep_ends or not (case.states or "stateful" in str(case.layers))
        assert not any(word in str(case.layers) for word in ("'glu'", "sparsemax", "tanh_shrink", "Orthogonal"))
        assert not ("clipvalue" in case.optimizer[1] and case.dtype == "float32")
        last = case.layers[-1][1].get("layer", case.layers[-1])[1]["activation"]
        assert not (case.loss[0].startswith("losses.Binary") and last == "softmax")
        clips = "Focal" in case.loss[0] or "ignore_class" in case.loss[1] or case.layers[-1][0] != "Dense"
        if "Focal" in case.loss[0] or (
            clips and case.loss[0].endswith("Crossentropy") and last in ("softmax", "sigmoid")
        ):
            assert case.layers[-2][1]["activation"] in ("tanh", "sigmoid", "softsign", "hard_tanh")
        for name, given in case.layers:
            if name in ("SimpleRNN", "RNN"):
                assert "activity_regularizer" not in given
                assert not {"unroll", "go_backwards", "zero_output_for_mask"} <= set(given)


def test_what_a_backend_gets_wrong_is_not_drawn_on_it():
    drawn = {backend: [draw_chain(seed, backend) for seed in range(400)] for backend in ("tensorflow", "jax", "torch")}
    wrong = {"jax": {"unroll", "zero_output_for_mask"}, "torch": {"unroll", "go_backwards"}}
    for backend, pair in wrong.items():
        for case in drawn[backend]:
            assert not any(pair <= set(given) for _, given in case.layers)
        assert any(pair <= set(given) for case in drawn["tensorflow"] for _, given in case.layers)
        assert any(case == other for case, other in zip(drawn[backend], drawn["tensorflow"], strict=True))
    for name in ("hard_sigmoid", "celu", "softplus"):
        assert f"'{name}'" not in str(drawn["torch"])
        assert f"'{name}'" in str(drawn["tensorflow"])


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_what_the_logarithm_is_taken_of_is_positive(backend):
    drawn = [draw_chain(seed, backend) for seed in range(600)]
    logarithmic = [case for case in drawn if case.targets == "positive" and "Percentage" not in str(case.loss)]
    assert len(logarithmic) > 20
    for case in logarithmic:
        last = case.layers[-1]
        while "layer" in last[1]:
            last = last[1]["layer"]
        assert last[1]["activation"] in ("softplus", "sigmoid", "exponential"), case.seed


def test_a_case_is_checked_in_its_own_dtype_too(monkeypatch):
    right = Dense.forward

    def rounded(self, r, x, training=False):
        y = right(self, r, x, training)
        if y.dtype == np.float32:
            y[...] = y.astype(np.float16)
        return y

    monkeypatch.setattr(Dense, "forward", rounded)
    for case in (next(c for c in SOME if c.dtype == dtype) for dtype in ("float64", "float32")):
        assert dtypes_of(case) == (("float64",) if case.dtype == "float64" else ("float64", "float32"))
        assert ("float32" in fault_of(case, draws=0)) is (case.dtype == "float32")


def test_what_only_rounds_otherwise_in_float32_is_no_failure(monkeypatch):
    """An error of about 4 eps is over twice Keras' own; one of 1,000 is over 16 eps too."""
    case = ChainCase(
        seed=0, dtype="float32", batch=4, timesteps=3, features=2, layers=[("Dense", {"name": "layer_0", "units": 2})],
        loss=("losses.MeanSquaredError", {}), targets="real", optimizer=("optimizers.SGD", {}), sample_weight="",
        mask=False, keep_ends=False, states=[], steps=0,
    )  # fmt: skip
    right = Dense.forward
    monkeypatch.setattr("parity.fuzzing.run.draw", lambda *_: case)
    for fault, held in ((0, True), (5e-7, True), (1e-4, False)):

        def wrong(self, r, x, training=False, fault=fault):
            y = right(self, r, x, training)
            if y.dtype == np.float32:
                np.multiply(y, np.float32(1 + fault), y)
            return y

        monkeypatch.setattr(Dense, "forward", wrong)
        result = fuzz(1, shrinking=False)
        assert result.holds is held


def test_what_overflows_on_both_sides_in_float32_is_no_failure():
    """Its recurrence explodes: in float64 to 3e38, in float32 beyond that on the way."""
    assert "squareplus" in draw(4000022).script()
    assert fault_of(draw(4000022), draws=0) == ""


def test_what_a_layer_holds_is_written_and_made_smaller_too():
    case = next(case for case in SOME if any(len(given.get("cell", [])) == 2 for _, given in case.layers))
    assert "cell=[layers.SimpleRNNCell(name='cell_0'" in case.script()
    small, _ = shrink(case, "bad", lambda case: "bad" if "SimpleRNNCell" in str(case.layers) else "")
    (_, given), _ = small.layers
    assert [set(cell) for _, cell in given["cell"]] == [{"name", "units"}]
    assert "cell=layers.SimpleRNNCell(name=" in small.script()  # of one cell Keras makes no stack that takes masks
    small.build()


def test_the_script_reproduces_the_case(capsys):
    exec(compile(SOME[3].script(), "script", "exec"), {})
    assert "lines hold against Keras" in capsys.readouterr().out


# --- fuzz -----------------------------------------------------------------------------------------------------


def test_random_cases_hold():
    calls = []
    result = fuzz(20, seed=50, progress=lambda *numbers: calls.append(numbers))
    assert result.holds, str(result)
    assert calls == [(n, 20, 0) for n in range(1, 21)]
    assert json.loads(json.dumps(result.to_dict()))["holds"] is True
    assert "fuzz, seeds 50 to 69: all 20 hold" in str(result)


def test_a_fault_in_the_optimizer_is_found_and_shrunk(monkeypatch):
    right = RMSprop.step

    def wrong(self):
        right(self)
        self._weights *= 1 + 1e-9

    monkeypatch.setattr(RMSprop, "step", wrong)
    seed = next(case.seed for case in SOME if case.optimizer[0] == "optimizers.RMSprop" and len(case.layers) > 2)
    result = fuzz(1, seed, draws=5)
    assert not result.holds
    (failure,) = result.failures
    small = failure.shrunk
    assert len(small.layers) == 1
    assert (small.batch, small.timesteps, small.features, small.steps) == (1, 1, 1, 0)
    assert small.optimizer[0] == "optimizers.RMSprop"
    assert not small.optimizer[1]
    assert "do not hold" in failure.what
    assert "layers.Dense(" in failure.script()
    assert "layers.SimpleRNN(" not in failure.script()
    assert result.to_dict()["failures"][0]["seed"] == seed


def test_a_fault_in_one_option_leaves_that_option(monkeypatch):
    right = SimpleRNN.forward

    def wrong(self, record, x, training=False):
        return right(self, record, x[:, ::-1] if self.go_backwards else x, training)

    monkeypatch.setattr(SimpleRNN, "forward", wrong)
    seed = next(
        c.seed
        for c in SOME
        if any(name == "SimpleRNN" and "go_backwards" in given for name, given in c.layers)
        and (c.timesteps > 2 and len(c.layers) > 2 and "Bidirectional" not in str(c.layers))
    )
    fault = partial(fault_of, draws=5)
    small, what = shrink(draw(seed), fault(draw(seed)), fault)
    assert "do not hold" in what
    assert small.timesteps == 2
    assert [name for name, _ in small.layers] == ["SimpleRNN", "Dense"]
    assert set(small.layers[0][1]) - {"seed"} == {"name", "units", "go_backwards"}


def test_an_error_is_a_failure_and_shrinking_keeps_to_the_same_error(monkeypatch):
    right = looking.collected

    def wrong(side, batch, options):
        if len(batch["x"]) > 2:
            raise RuntimeError(f"out of luck with {len(batch['x'])} samples")
        return right(side, batch, options)

    monkeypatch.setattr(looking, "collected", wrong)
    seed = next(case.seed for case in SOME if case.batch == 4)
    (failure,) = fuzz(1, seed).failures
    assert failure.what == "RuntimeError: out of luck with 3 samples"
    assert (failure.shrunk.batch, failure.shrunk.timesteps) == (3, 1)
    assert fuzz(1, seed, shrinking=False).failures[0].shrunk == draw(seed)


@pytest.mark.parametrize(("cases", "seed"), [(0, 0), (1, -1)])
def test_bad_numbers_are_refused(cases, seed):
    with pytest.raises(ValueError, match="cases must be at least 1 and seed at least 0"):
        fuzz(cases, seed)
