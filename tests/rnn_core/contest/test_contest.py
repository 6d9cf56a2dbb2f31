"""``rnn-core forecast``: what it trains on, what it prints and writes, and what it refuses in one line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from rnn_core.__main__ import main
from rnn_core.contest import networks
from rnn_core.contest.data import read_table, span_rows
from rnn_core.contest.entrants import entrants
from rnn_core.contest.holding import hold
from rnn_core.contest.networks import LEAST_WEIGHT, NETWORKS, as_counts
from rnn_core.contest.outcome import COMMITTEE
from rnn_core.models import Sequential
from rnn_core.series import LinearAutoregression, Windows, compare, errors, sunspots
from rnn_core.series.datasets import SUNSPOTS_VARIANCE


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(networks, "EPOCHS", 3)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def run(capsys, *arguments):
    """Return the exit status, what was printed, and the errors."""
    try:
        status = main(["forecast", *(str(argument) for argument in arguments)])
    except SystemExit as exit_:
        status = exit_.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def plant(rows=120, start="2024-01-01"):
    """y follows x by a row."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=rows)
    y = 5 + np.r_[0, 2 * x[:-1]] + 0.1 * draws.normal(size=rows)
    return pd.DataFrame({"day": pd.date_range(start, periods=rows), "x": x.round(4), "y": y.round(4)})


def written(folder, frame, name="plant.csv"):
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def test_the_sunspots_as_in_the_literature(capsys, tmp_path):
    status, out, _ = run(capsys, "sunspots", "--seeds", 2, "--models", "elman,mlp", "--out", tmp_path, "--json")
    assert status == 0
    report = json.loads(out)
    assert report["train"] == ["1700", "1920"]
    assert report["divisor"] == SUNSPOTS_VARIANCE
    assert list(report["tests"]) == ["1921-1955", "1956-1979"]
    for span, expected in (("1921-1955", 0.130), ("1956-1979", 0.368)):
        assert report["tests"][span]["one step"]["AR(12)"]["committee"] == pytest.approx(expected, abs=5e-4)
        assert {"mean", "sd", "committee"} == set(report["tests"][span]["closed"]["elman"])
    assert report["coverage"].keys() == report["tests"].keys()
    assert all(0 <= found["one step"] <= 1 and found["promised"] == 0.9 for found in report["coverage"].values())
    assert list(report["coming"]) == [str(year) for year in range(2009, 2021)]
    assert report["best network"] in ("elman", "mlp")
    names = {path.name for path in tmp_path.iterdir()}
    assert {"scores.png", "residuals.png", "forecast.csv"} <= names
    for span in report["tests"]:
        assert {f"one_step_{span}.png", f"closed_loop_{span}.png", f"error_by_horizon_{span}.png"} <= names
    assert list(pd.read_csv(tmp_path / "forecast.csv")) == ["year", "sunspots"]


def test_a_table_of_ones_own(capsys, tmp_path):
    path = written(tmp_path, plant())
    arguments = ("--target", "y", "--inputs", "x", "--step", 2, "--models", "elman", "--seeds", 2, "--out", tmp_path)
    status, out, err = run(capsys, path, *arguments)
    text = " ".join(out.split())
    assert (status, err) == (0, "")
    assert "Trained up to 2024-04-05" in text
    assert "tested on 2024-04-06 to 2024-04-29" in text
    assert "elman: 10 trainings in" in text
    assert "persistence (last value)" in text
    assert "It alone picks the best network: elman." in text
    assert "the other columns are read as they were measured later" in text
    report = json.loads(run(capsys, path, *arguments, "--json")[1])
    (scores,) = report["tests"].values()
    table = plant().set_index("day")
    train, test = Windows(table, 2, targets="y", inputs=["y", "x"]).split(0.8)
    line = LinearAutoregression().fit(train)
    by_hand = errors(compare({"line": line}, test), metric="mse")["line"] / table["y"][:96].var(ddof=0)
    assert scores["one step"]["AR(2)"]["committee"] == pytest.approx(by_hand, rel=1e-4)
    assert by_hand < 0.02  # x of the row before says it all


def small_contest(table, seeds=(0, 1)):
    spans = {"test": (100, 120)}
    found = entrants(["elman"], step=3)
    return hold(table, "y", 100, spans, found, seeds, horizon=4, divisor=1.0)


def test_nothing_of_the_test_rows_is_learned():
    """Other values there change no forecast of the first test row, no score before, and not the choice."""
    table = plant()[["y", "x"]]
    changed = table.copy()
    changed.iloc[100:] += 50
    one, other = (small_contest(t) for t in (table, changed))
    pd.testing.assert_frame_equal(one.backtest, other.backtest)
    first = [o.results[o.results["at"] == 100]["predicted"].to_numpy() for o in (one, other)]
    assert len(first[0]) == 14  # elman: 2 seeds and their mean, AR, 3 baselines; one step ahead and in closed loop
    np.testing.assert_array_equal(*first)


def test_the_committee_is_the_mean_and_seeds_differ():
    outcome = small_contest(plant()[["y", "x"]], seeds=(0, 1, 2))
    one = outcome.results[(outcome.results["loop"] == "one step") & (outcome.results["predictor"] == "elman")]
    wide = one.pivot(index="at", columns="network", values="predicted")  # noqa: PD010
    np.testing.assert_allclose(wide[COMMITTEE], wide[[0, 1, 2]].mean(axis=1), rtol=1e-6)
    assert (wide[0] != wide[1]).any()
    scores = outcome.scores("test", "one step").loc["elman"]
    singles = ((wide[[0, 1, 2]].sub(one.groupby("at")["true"].first(), axis=0)) ** 2).mean()
    assert scores["mean"] == pytest.approx(singles.mean())
    assert scores["sd"] == pytest.approx(singles.std(ddof=1))


def test_the_same_seeds_give_the_same_bits():
    table = plant()[["y", "x"]]
    pd.testing.assert_frame_equal(small_contest(table).results, small_contest(table).results)


def test_early_stopping_looks_at_the_last_training_rows_and_then_all_are_trained_on(monkeypatch):
    calls = []

    def fit(model, x, validation_data=None, epochs=1, **options):
        calls.append((x.positions.ravel(), None if validation_data is None else validation_data[1].ravel(), epochs))
        return real_fit(model, x, validation_data=validation_data, epochs=epochs, **options)

    real_fit = Sequential.fit
    monkeypatch.setattr(Sequential, "fit", fit)
    windows = Windows(np.sin(np.arange(120) / 3), step=3).between(0, 103)
    NETWORKS["elman"].fit(windows, 0)
    (early, late, most), (everything, none, epochs) = calls
    assert list(early) == list(range(3, 88))
    np.testing.assert_array_equal(late, np.sin(np.arange(88, 103) / 3))
    assert (list(everything), none) == (list(range(3, 103)), None)
    assert (most, epochs) == (3, 3)  # the loss still falls


def test_errors_of_roots_weigh_as_those_of_counts():
    """A small error of the root, squared and weighted, is that of the count, but for what a count of 0 weighs."""
    counts = np.random.default_rng(0).uniform(0, 100, size=500)
    windows = Windows(np.sqrt(counts), step=2)
    weights = as_counts(windows)
    assert weights.shape == (498,)
    assert weights.mean() == pytest.approx(1)
    floor = LEAST_WEIGHT * counts[2:].mean()
    of_roots = weights * 0.01**2
    of_counts = ((np.sqrt(counts[2:] + floor) + 0.01) ** 2 - (counts[2:] + floor)) ** 2
    ratio = of_counts / of_roots
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=0.01)
    assert (as_counts(Windows(np.zeros(5), step=1)) == 1).all()


def test_networks_on_roots_train_with_these_weights(monkeypatch):
    given = []
    real_fit = Sequential.fit

    def fit(model, x, **options):
        given.append((x, options))
        return real_fit(model, x, **options)

    monkeypatch.setattr(Sequential, "fit", fit)
    windows = Windows(np.sqrt(5 + 5 * np.sin(np.arange(120) / 3)), step=3)
    for roots in (True, False):
        _, elman, *_ = entrants(["elman"], step=3, roots=roots)
        elman.fit(windows, 0)
    for x, options in given[:2]:
        np.testing.assert_array_equal(options["sample_weight"], as_counts(x))
    assert len(given[0][1]["validation_data"][2]) == len(given[0][1]["validation_data"][0])
    assert given[2][1]["sample_weight"] is None
    assert given[2][1]["validation_data"][2] is None


def test_networks_can_read_square_roots():
    """Their forecasts come back as counts, never below 0; the autoregression reads the counts."""
    table = plant()[["y", "x"]] ** 2
    spans, seeds = {"test": (100, 120)}, (0, 1)
    counts, roots = (
        hold(table, "y", 100, spans, entrants(["elman"], 3, roots=roots), seeds, 4, 1.0) for roots in (False, True)
    )
    for outcome in (counts, roots):
        network = outcome.results[outcome.results["predictor"] == "elman"]
        np.testing.assert_allclose(network["true"].to_numpy(), table["y"][network["at"]])
        assert ((outcome.backtest["true"] - table["y"][outcome.backtest["at"]].to_numpy()).abs() < 1e-9).all()
    assert (network["predicted"] >= 0).all()
    same = counts.results["predicted"] == roots.results["predicted"]
    names = counts.results["predictor"]
    assert same[names != "elman"].all()
    assert not same[names == "elman"].any()


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, ["--target", "z"], "no column 'z'"),
        ({}, ["--target", "Y"], "no column 'Y'. Did you mean 'y'?"),
        ({}, [], "--target is missing"),
        ({"y": 3.0}, ["--target", "y"], "column 'y' is 3 in every row: nothing to forecast."),
        ({"cut": 20}, ["--target", "y"], "too short: 16 of 20 rows to train on, and a look back over 13 rows needs at"),
        ({"nan": 7}, ["--target", "y"], "column 'y' is empty in line 9: fill or leave out such rows."),
        ({"text": 7}, ["--target", "y"], "column 'y' holds 'n/k', no finite number, in line 9"),
        ({"gap": 7}, ["--target", "y"], "2024-01-09 follows 2024-01-07 in line 9: a gap"),
        ({"twice": 7}, ["--target", "y"], "2024-01-08 follows 2024-01-08 in line 10: too early"),
        ({}, ["--target", "y", "--inputs", "x", "--sqrt"], "--sqrt: the columns hold numbers below 0"),
        ({}, ["--target", "y", "--test", "2025"], "--test: expected a fraction such as 0.2, or a span such as"),
        (
            {},
            ["--target", "y", "--test", "2025-01-01..2025-02-01"],
            "--test: no row stands in '2025-01-01..2025-02-01'",
        ),
        (
            {},
            ["--target", "y", "--train-until", "2024-04-20"],
            "--test: 2024-04-06 to 2024-04-29 begins within the rows",
        ),
        ({}, ["--target", "y", "--models", "lstm"], "--models: there is no 'lstm'. Known: elman, jordan, mlp, narx."),
        ({}, ["--target", "y", "--period", 60], "--period: the first fold of the rolling origin has 53 rows before"),
        ({}, ["--target", "y", "--horizon", 30], "--horizon: 30 rows are more than the tests, or the folds"),
        ({}, ["--target", "y", "--seeds", 0], "--seeds: expected a whole number of at least 1, got '0'"),
        ({}, ["--target", "y", "--index", "z"], "no column 'z'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(capsys, tmp_path, change, arguments, message):
    frame = plant()
    if "y" in change:
        frame["y"] = change["y"]
    frame = frame[: change.get("cut", len(frame))]
    if "nan" in change:
        frame.loc[change["nan"], "y"] = np.nan
    if "text" in change:
        frame["y"] = frame["y"].astype(object)
        frame.loc[change["text"], "y"] = "n/k"
    if "gap" in change:
        frame = frame.drop(change["gap"])
    if "twice" in change:
        frame.loc[change["twice"] + 1, "day"] = frame.loc[change["twice"], "day"]
    status, out, err = run(capsys, written(tmp_path, frame), *arguments, "--out", tmp_path)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_files_that_are_no_tables(capsys, tmp_path):
    status, _, err = run(capsys, tmp_path / "none.csv", "--target", "y", "--out", tmp_path)
    assert (status, "No such file" in err, err.count("\n")) == (2, True, 1)
    for content in ("", "a,b\n1,2,3\n", "day,y\n"):
        (tmp_path / "bad.csv").write_text(content)
        status, _, err = run(capsys, tmp_path / "bad.csv", "--target", "y", "--out", tmp_path)
        assert (status, err.count("\n")) == (2, 1)
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00y")
    assert run(capsys, tmp_path / "bad.csv", "--target", "y", "--out", tmp_path)[0] == 2


def test_how_rows_are_labelled(tmp_path):
    frame = plant(40)
    assert isinstance(read_table(written(tmp_path, frame), "y").index, pd.DatetimeIndex)
    assert list(read_table(written(tmp_path, frame), "y", index="none").index) == list(range(40))
    assert list(read_table(written(tmp_path, frame), "y", ["x"])) == ["y", "x"]
    years = frame.assign(day=np.arange(1900, 1940))
    assert list(read_table(written(tmp_path, years), "y").index) == list(range(1900, 1940))
    assert list(read_table(written(tmp_path, frame[["x", "y"]]), "y").index) == list(range(40))  # x is no time
    monthly = frame.assign(day=pd.date_range("2020-01-01", periods=40, freq="MS"))
    assert read_table(written(tmp_path, monthly), "y").index.freqstr == "MS"
    frame.to_csv(tmp_path / "semicolons.csv", sep=";", index=False)
    assert read_table(tmp_path / "semicolons.csv", "y").shape == (40, 1)


def test_spans():
    table = sunspots().to_frame()
    assert span_rows(table, "1921-1955") == span_rows(table, "1921..1955") == (221, 256)
    assert span_rows(table, "0.2") == (309 - 62, 309)
    days = plant().set_index("day")
    assert span_rows(days, "2024-01-02..2024-01-03") == (1, 3)
    assert span_rows(days, "2024-02..2024-03") == (31, 31 + 29 + 31)
    with pytest.raises(ValueError, match="'spring' is no label of the rows, which go from 2024-01-01"):
        span_rows(days, "spring..summer")
