"""Lockstep, the drift's picture and the distribution: short runs that hold, faults that are found."""

import json

import numpy as np
import pytest

import parity.lockstep.distribution as distribution_module
from parity import from_keras, to_keras
from parity.lockstep import two_samples
from parity.lockstep.distribution import Distribution, build_keras_model, distribution
from parity.lockstep.drift_picture import drift
from parity.lockstep.flips import Flip, first_flip
from parity.lockstep.result import FIRST_WEIGHTS, WEIGHTS, Lockstep
from parity.lockstep.run import lockstep, tutorial_lockstep
from parity.lockstep.two_samples import two_sample_tests
from rnn_core.layers import Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.optimizers import RMSprop
from rnn_core.random import set_random_seed
from rnn_core.tutorial import build_model


class EpsilonOutsideTheRoot(RMSprop):
    """A fault that nobody sees in the losses: sqrt(v) + epsilon for sqrt(v + epsilon)."""

    def _update(self, chunk):
        (v, *_), rho = chunk.slots, self.rho
        v *= rho
        v += (1 - rho) * chunk.g**2
        chunk.w -= self.learning_rate * chunk.g / (np.sqrt(v) + self.epsilon)


def samples(timesteps, features, n=40, seed=0):
    draws = np.random.default_rng(seed)
    return draws.uniform(-1, 2, (n, timesteps, features)), draws.uniform(0, 2, n)


def result(dtype, differences, flip=None):
    """A result with these weight differences and equal losses."""
    made = Lockstep("made up", dtype, "tensorflow", epochs=1, steps_per_epoch=len(differences))
    made.weight_difference[:] = made.weight_relative[:] = differences
    made.losses[:] = made.epoch_losses[:] = 1.0
    made.flip = flip
    return made


def flip_at(step, relative=1e-7):
    return Flip(step, "dense", None, 0, 3, relative, 0.0, relative)


# Runs.


@pytest.mark.parametrize("layout", ["1xstep", "stepx1"])
def test_the_tutorial_in_float64_holds(layout):
    done = []
    run = tutorial_lockstep(1, layout, "float64", epochs=3, progress=lambda *seen: done.append(seen))
    assert run.holds, str(run)
    assert run.flip is None
    assert done == [(50, 150), (100, 150), (150, 150)]
    assert run.weight_difference.shape == run.loss_relative.shape == (150,)
    assert run.epoch_loss_relative.shape == (3,)
    assert run.epoch_losses[:, 0] == pytest.approx(run.losses[:, 0].reshape(3, 50).mean(1), rel=1e-14)
    assert run.epoch_losses[2, 0] < run.epoch_losses[0, 0]  # both do train


def test_the_tutorial_in_float32_holds():
    run = tutorial_lockstep(1, "stepx1", "float32", epochs=3)
    assert run.holds, str(run)
    assert run.weight_difference.max() > 1e-9  # two engines, not one compared with itself


def test_masks_backwards_stacked_and_a_smaller_last_batch():
    x, y = samples(5, 2, n=22)
    x[::3, 2:] = 0
    set_random_seed(3)
    model = Sequential(
        [
            Input((5, 2), dtype="float64"),
            Masking(0.0, dtype="float64"),
            SimpleRNN(6, "relu", return_sequences=True, go_backwards=True, dtype="float64"),
            SimpleRNN(4, "relu", dtype="float64"),
            Dense(1, kernel_regularizer="l2", dtype="float64"),
        ]
    )
    model.compile("adam", "mae", metrics=["mse"])
    before = model.get_weights()
    run = lockstep(model, x, y, epochs=3, batch_size=8)
    assert run.holds, str(run)
    assert run.flip is None
    assert run.steps_per_epoch == 3
    weighted = run.losses[:, 0].reshape(3, 3) @ [8, 8, 6] / 22
    assert run.epoch_losses[:, 0] == pytest.approx(weighted, rel=1e-14)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_epsilon_outside_the_root_breaks_the_gate(dtype):
    set_random_seed(1)
    model = build_model(1, 4, dtype)
    keras_model = to_keras(model)
    model.compile(EpsilonOutsideTheRoot(), "mse")
    run = lockstep(model, *samples(1, 4), epochs=2, keras_model=keras_model)
    assert not run.holds
    assert run.rules()[0].first_bad == 1
    assert "BAD weights" in str(run)


def test_a_fault_that_flips_relus_is_not_excused_by_the_flip():
    set_random_seed(1)
    model = build_model(4, 1, "float32")
    keras_model = to_keras(model)
    rnn = model.layers[0]
    rnn.recurrent_kernel[...] = rnn.recurrent_kernel.T.copy()
    run = lockstep(model, *samples(4, 1), epochs=1, keras_model=keras_model)
    assert run.flip is not None
    assert run.flip.step == 1
    assert run.flip.relative > 1e-3
    assert [rule.holds for rule in run.rules()] == [False, False, False]  # no step to look at is no proof


def test_a_flip_is_found_where_it_was_planted():
    set_random_seed(1)
    model = build_model(4, 1, "float32")
    model.layers[0].kernel[0, 7] = 0
    model.layers[0].recurrent_kernel[:, 7] = 0
    keras_model = to_keras(model)
    kernel, *others = keras_model.layers[0].get_weights()
    kernel[0, 7] = 1e-8
    keras_model.layers[0].set_weights([kernel, *others])
    x, y = np.zeros((1, 4, 1)), np.ones(1)
    x[0, 2] = 1
    flip = lockstep(model, x, y, epochs=1, keras_model=keras_model).flip
    assert flip is not None
    assert flip[:6] == (1, model.layers[0].name, 2, 0, 7, 0.0)
    assert flip.keras == pytest.approx(1e-8)


def test_what_cannot_be_compared_is_refused():
    model = Sequential([Input((3, 1)), SimpleRNN(2), Dropout(0.5), Dense(1)])
    x, y = samples(3, 1)
    with pytest.raises(ValueError, match="compiled with a loss"):
        lockstep(model, x, y)
    model.compile(loss="mse")
    with pytest.raises(ValueError, match=r"dropout.* drops values"):
        lockstep(model, x, y)
    model = build_model(3, 1)
    with pytest.raises(ValueError, match="as many samples, got 40 and 39"):
        lockstep(model, x, y[1:])
    with pytest.raises(ValueError, match="epochs"):
        lockstep(model, x, y, epochs=0)


# The first flip.


def test_the_earliest_time_step_comes_first():
    ours = {"rnn": np.ones((2, 3, 4)), "dense": np.zeros((2, 5))}
    keras = {name: values.copy() for name, values in ours.items()}
    assert first_flip(1, ours, keras) is None
    keras["dense"][1, 4] = 1e-9
    assert first_flip(2, ours, keras) == Flip(2, "dense", None, 1, 4, 0.0, 1e-9, 1.0)
    ours["rnn"][0, 2, 1] = 0  # sample 0, but later
    ours["rnn"][1, 1, 3] = 0
    assert first_flip(3, ours, keras) == Flip(3, "rnn", 1, 1, 3, 0.0, 1.0, 1.0)


# Rules.


def test_float64_is_gated_to_the_last_step_and_epoch():
    assert result("float64", np.full(300, 0.9 * WEIGHTS)).holds
    late = np.zeros(300)
    late[-1] = 1.1 * WEIGHTS
    assert [rule.first_bad for rule in result("float64", late, flip_at(10)).rules()] == [300, None]
    off = result("float64", np.zeros(300))
    off.epoch_losses[0, 0] += 2e-13
    assert not off.holds
    assert not result("float64", np.full(300, np.nan)).holds


def test_float32_is_gated_up_to_the_flip():
    differences = np.full(300, 0.9 * FIRST_WEIGHTS)
    differences[100:] = 1.9e-5
    assert result("float32", differences).holds
    differences[249:] = 0.1
    assert not result("float32", differences).holds
    assert result("float32", differences, flip_at(250)).holds  # what step 250 changes is the flip's
    assert not result("float32", differences, flip_at(251)).holds
    assert not result("float32", differences, flip_at(250, relative=1e-3)).holds
    differences[99] = 1.9e-5
    assert result("float32", differences, flip_at(250)).rules()[0].first_bad == 100
    assert result("float32", differences, flip_at(100)).holds


def test_a_long_name_stays_within_80_columns():
    flip = Flip(4_999, "simple_rnn_12345", 199, 1023, 4095, 1e-9, 0.0, 1e-9)
    text = str(result("float32", np.zeros(3), flip))
    assert "simple_rnn_12345, time step 199, sample 1023, unit 4095\n" in text
    assert max(map(len, text.splitlines())) <= 80


def test_figures_as_json():
    text = json.dumps(result("float32", np.full(3, np.nan), flip_at(1)).as_dict(), allow_nan=False)
    assert json.loads(text)["flip"]["unit"] == 3


# The picture.


def test_the_picture_has_a_panel_for_each_title_and_marks_the_flip():
    differences = np.geomspace(1e-8, 1e-2, 300)
    runs = [result("float32", differences, flip_at(250)), result("float64", differences * 1e-9)]
    other = result("float64", np.zeros(300))
    other.title = "other"
    figure = drift([*runs, other])
    first, second = figure.axes
    drawn = [line.get_ydata() for line in first.lines if len(line.get_ydata()) == 300]
    assert all(np.array_equal(a, run.weight_difference) for a, run in zip(drawn, runs, strict=True))
    marks = [line.get_xydata().tolist() for line in first.lines if line.get_marker() == "o"]
    assert marks == [[[250, differences[249]]]]
    assert first.get_yscale() == "log"
    assert not [line for line in second.lines if line.get_marker() == "o"]
    with pytest.raises(ValueError, match="no run"):
        drift([])


# The distribution.


def test_permutation_tests_alarm_as_often_as_they_say():
    draws = np.random.default_rng(0)
    p = np.array(
        [
            [t.p for t in two_sample_tests(*draws.normal(size=(2, 20)), level=0.1, shuffles=199).values()]
            for _ in range(300)
        ]
    )
    alarms = (p <= 0.1).sum(0)
    assert np.all(alarms > 12)
    assert np.all(alarms < 48)  # 30, and 3.5 standard deviations


def test_a_shift_and_a_spread_are_told_apart():
    a, b = np.random.default_rng(1).normal(size=(2, 20))
    shifted = two_sample_tests(a, b + 3, 0.01)
    assert shifted["mean"].p < 0.001 < 0.01 < shifted["spread"].p
    assert shifted["mean"].statistic > shifted["mean"].detectable
    wider = two_sample_tests(a, 5 * (b - b.mean()) + a.mean(), 0.01)
    assert wider["spread"].p < 0.001 < 0.01 < wider["mean"].p
    assert not Distribution("shifted", {"train loss": {"ours": a, "keras": b + 3}}).holds
    assert not Distribution("broken", {"train loss": {"ours": a, "keras": np.full(20, np.nan)}}).holds


def test_the_distribution_of_one_engine_against_itself(monkeypatch):
    def other_seeds(what):
        return lambda seed, *others: getattr(distribution_module, what)(seed + 1000, *others)

    monkeypatch.setattr(distribution_module, "INITIAL_DRAWS", 100)
    monkeypatch.setattr(distribution_module, "_make_keras", other_seeds("_make_ours"))
    monkeypatch.setattr(distribution_module, "_fit_keras", other_seeds("_fit_ours"))
    done = []
    found = distribution(7, epochs=1, progress=lambda *seen: done.append(seen))
    assert found.holds, str(found)
    assert done == [(i, 214) for i in range(1, 215)]
    for name, count in (("train loss", 14), ("initial kernels", 200)):
        assert len({*found.figures[name]["ours"], *found.figures[name]["keras"]}) == count
    json.dumps(found.as_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="at least 7"):
        distribution(6)


def test_a_large_sample_is_shuffled_in_parts_that_do_not_matter(monkeypatch):
    a, b = np.random.default_rng(3).normal(size=(2, 50))
    whole = two_sample_tests(a, b, 0.01, shuffles=2500)
    for at_once in (1, 999, 2500):
        monkeypatch.setattr(two_samples, "AT_ONCE", at_once)
        assert two_sample_tests(a, b, 0.01, shuffles=2500) == whole


def test_kernels_larger_by_a_hundredth_are_noticed_in_the_initial_weights():
    weights = [distribution_module._make_ours(seed, "float32", 4, 1).get_weights() for seed in range(2000)]
    values = np.array([distribution_module._initial_measures(w)[0] for w in weights])
    level = Distribution("", {name: {"ours": values[:9], "keras": values[9:18]} for name in "abcde"}).level
    same = two_sample_tests(values[:1000], values[1000:], level, shuffles=5000)
    larger = two_sample_tests(values[:1000] * 1.01, values[1000:], level, shuffles=5000)
    assert larger["mean"].p < level < same["mean"].p
    exact = np.sqrt((32 * 6 / 33 + 256 * 6 / 40 + 8 * 6 / 9) / 3 / 296)  # of U[-a, a), a² = 6 / (fan_in + fan_out)
    assert np.sqrt(np.mean(values**2)) == pytest.approx(exact, rel=0.003)


def test_an_outlier_is_no_spread():
    a, b = np.random.default_rng(2).normal(size=(2, 20))
    a[4] = 100  # a network whose units died: one engine has it, why not the other
    assert two_sample_tests(a, b, 0.01)["spread"].p > 0.05


def test_keras_trains_the_same_network():
    keras_model, ours = build_keras_model(4, 1), build_model(4, 1)
    theirs = from_keras(keras_model)
    for a, b in zip(theirs.layers, ours.layers, strict=True):
        assert {**a.get_config(), "name": ""} == {**b.get_config(), "name": ""}
    configs = theirs.get_compile_config(), ours.get_compile_config()
    for config in configs:
        config["optimizer"]["config"].pop("name")  # Keras counts its optimizers
    assert configs[0] == configs[1]
    assert theirs.input_shape == ours.input_shape
