"""The tutorial: as a script that its readers type, as :class:`Tutorial`, and over many seeds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

from rnn_core.tutorial import NETWORK, NOISE_VARIANCE, TRUTH, Tutorial, noise_free, noisy_sine, pictures

SCRIPT = Path(__file__).with_name("tutorial_script.py")
ROOT = Path(__file__).parents[2]


def summary_of(text):
    start = text.index("Model: ")
    end = text.index("Non-trainable params")
    return text[start : text.index("\n", end)]


@pytest.fixture(scope="module")
def script_output():
    """What the readers' script prints with seed 0, `keras` replaced by `rnn_core` in its import lines."""
    text = SCRIPT.read_text(encoding="utf-8")
    replaced, count = re.subn(r"^from keras\b", "from rnn_core", text, flags=re.MULTILINE)
    assert count == 2
    assert not re.search(r"^(from|import) .*keras", replaced, flags=re.MULTILINE)
    finished = subprocess.run(
        [sys.executable, "-c", f"import rnn_core\nrnn_core.utils.set_random_seed(0)\n{replaced}"],
        env={**os.environ, "MPLBACKEND": "Agg", "COLUMNS": "80", "PYTHONUTF8": "1"},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_script_prints_keras_summary(script_output, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    keras.utils.clear_session()  # names count from the start again
    model = keras.Sequential(
        [keras.Input((1, 4)), keras.layers.SimpleRNN(32), keras.layers.Dense(8), keras.layers.Dense(1)]
    )
    model.summary()
    expected = summary_of(capsys.readouterr().out)
    assert "1,457" in expected
    assert summary_of(script_output) == expected


def test_the_script_trains(script_output):
    lines = re.findall(r"^50/50 - \d+s - \S+/step - loss: (\d\.\d{4})$", script_output, flags=re.MULTILINE)
    assert len(lines) == 100
    assert float(lines[-1]) < float(lines[0])
    assert "Epoch 100/100\n" in script_output


def test_the_script_and_the_command_are_the_same_computation(script_output):
    tutorial = Tutorial(seed=0).fit()
    assert float(script_output.split()[-1]) == tutorial.evaluate(tutorial.train)


def test_the_series_is_what_keras_users_get():
    keras.utils.set_random_seed(5)
    expected = np.sin(0.02 * np.arange(1000)) + 2 * np.random.rand(1000)  # noqa: NPY002
    np.testing.assert_array_equal(noisy_sine(5), expected)


def test_the_noise_floor_is_the_noise_variance():
    t = np.arange(1000)
    noise = np.array([noisy_sine(seed) - noise_free(t) for seed in range(50)])
    assert abs(noise.mean()) < 0.01
    assert np.square(noise).mean() == pytest.approx(NOISE_VARIANCE, rel=0.01)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["1xstep", "stepx1"])
def test_same_seed_same_bits(layout, dtype):
    one, two, other = (Tutorial(seed, layout=layout, dtype=dtype).fit(epochs=2) for seed in (3, 3, 4))
    assert one.losses == two.losses != other.losses
    for mine, again in zip(one.model.get_weights(), two.model.get_weights(), strict=True):
        assert mine.dtype == dtype
        np.testing.assert_array_equal(mine, again)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_the_recurrent_kernel_moves_only_where_there_is_recurrence(step):
    for layout in ("1xstep", "stepx1"):
        tutorial = Tutorial(0, step, layout).fit(epochs=2)
        assert (tutorial.recurrent_kernel_change() > 0) == (tutorial.timesteps > 1)
        assert (tutorial.timesteps, tutorial.features) == ((1, step) if layout == "1xstep" else (step, 1))


def test_training_goes_on_where_it_stopped():
    tutorial = Tutorial(0).fit(epochs=2).fit(epochs=3)
    assert len(tutorial.losses) == 5
    assert tutorial.losses[-1] < tutorial.losses[0]


def test_scores_against_the_definitions():
    tutorial = Tutorial(seed=2).fit(epochs=5)
    scores = tutorial.scores()
    x = tutorial.series
    windows = {
        "train": (np.append(x[:800], [x[799]] * 4), np.arange(4, 804).clip(max=799)),
        "test": (np.append(x[800:], [x[999]] * 4), np.arange(804, 1004).clip(max=999)),
    }
    fitted = None
    for part, (padded, positions) in windows.items():
        targets = padded[4:]
        lags = np.column_stack([padded[i : i + len(targets)] for i in range(4)])
        design = np.column_stack([np.ones(len(lags)), lags])
        if fitted is None:  # on train, the first part
            fitted, mean = np.linalg.solve(design.T @ design, design.T @ targets), targets.mean()
        expected = {
            TRUTH: np.sin(0.02 * positions) + 1,
            "linear autoregression": design @ fitted,
            "mean of the window": lags.mean(axis=1),
            "persistence (last value)": lags[:, -1],
            "mean of the train targets": mean,
        }
        for name, predicted in expected.items():
            assert scores.loc[name, part] == pytest.approx(np.mean((targets - predicted) ** 2), rel=1e-9)
            if np.ndim(predicted):
                measured = np.mean((targets - predicted)[:-4] ** 2)
                assert scores.loc[name, f"{part}, measured"] == pytest.approx(measured, rel=1e-9)
        assert scores.loc[NETWORK, part] == pytest.approx(tutorial.evaluate(getattr(tutorial, part)), rel=1e-5)
    assert list(scores.index[:2]) == [NETWORK, TRUTH]
    assert scores["test, measured"].iloc[2:].is_monotonic_increasing


def test_twenty_seeds_end_where_keras_ends():
    """Keras' final train loss is about 0.35; a run depends on the luck of its noise by about 0.01."""
    runs = [Tutorial(seed).fit() for seed in range(20)]
    train = np.array([run.evaluate(run.train) for run in runs])
    test = np.array([run.evaluate(run.test) for run in runs])
    assert 0.34 < train.mean() < 0.365
    assert 0.005 < train.std(ddof=1) < 0.025
    assert test.mean() > train.mean()


def lines_by_label(axes):
    return {line.get_label(): np.asarray(line.get_xydata()) for line in axes.get_lines()}


def test_a_prediction_is_drawn_at_the_sample_that_it_predicts():
    tutorial = Tutorial(0)
    train, test = tutorial.train.without_padding(), tutorial.test.without_padding()
    figure = pictures.prediction(
        tutorial.series,
        800,
        {"train": (train.positions, train.targets), "test": (test.positions, test.targets)},
        noise_free,
    )
    for axes in figure.axes:
        lines = lines_by_label(axes)
        series = lines["series"]
        for part, first, last in (("train", 4, 799), ("test", 804, 999)):
            drawn = lines[f"predicted, {part}"]
            assert (drawn[0, 0], drawn[-1, 0]) == (first, last)
            np.testing.assert_array_equal(drawn, series[first : last + 1])  # the targets lie on the series
        assert any(np.all(line[:, 0] == 799.5) for line in lines.values())  # the split, a vertical line


def test_the_training_curve_and_the_seeds():
    axes = pictures.training([0.5, 0.4, 0.35], {"noise floor": 1 / 3}).axes[0]
    np.testing.assert_array_equal(lines_by_label(axes)["train loss"], [[1, 0.5], [2, 0.4], [3, 0.35]])
    axes = pictures.seeds([7, 8], {"train": [0.3, 0.5], "test": [0.5, 0.7], "sine": [0.2, 0.2]}).axes[0]
    np.testing.assert_array_equal(lines_by_label(axes)["test (mean 0.6000)"], [[7, 0.5], [8, 0.7]])
