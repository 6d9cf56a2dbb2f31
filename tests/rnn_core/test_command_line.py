"""``rnn-core tutorial``: what it prints, what it writes, and what it refuses before any work starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnn_core.__main__ import main
from rnn_core.tutorial import Tutorial
from rnn_core.tutorial import command as tutorial_command

PICTURES = ["series.png", "prediction.png", "training.png"]


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def run(capsys, *arguments):
    """Return the exit status, what was printed as one line of words, and the errors."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        status = exit_.code
    printed = capsys.readouterr()
    return status, " ".join(printed.out.split()), printed.err


def test_the_tutorial_reports_and_draws(capsys, tmp_path):
    status, text, errors = run(capsys, "tutorial", "--epochs", 30, "--seed", 4, "--output", tmp_path / "new" / "folder")
    assert (status, errors) == (0, "")
    assert "Its input: 800 windows x 1 timesteps x 4 features." in text
    assert "Total params: 1,457 (5.69 KB)" in text

    tutorial = Tutorial(4).fit(epochs=30)
    assert re.findall(r"epoch (\d+)/30 ", text) == ["1", "2", "5", "10", "20", "30"]
    assert f"epoch 30/30 train loss {tutorial.losses[-1]:.4f}" in text

    assert (
        f"Train loss {tutorial.evaluate(tutorial.train):.4f}, test loss {tutorial.evaluate(tutorial.test):.4f}." in text
    )
    assert "The noise floor is 0.3333, the variance of 2 * rand" in text
    scores = tutorial.scores()
    network, best = scores["test, measured"].iloc[[0, 2]]
    verdict = f"{abs(network - best):.4f} {'worse' if network > best else 'better'}"
    assert f"On the measured test values the network is {verdict} than the best of them ({scores.index[2]})." in text
    for name, row in scores.iterrows():
        assert f"│ {name} │ " + " │ ".join(f"{error:.4f}" for error in row) + " │" in text
    assert "the tutorial repeats the last value of each part 4x" in text
    assert "The recurrent kernel U got no gradient: 1,024 of the 1,457 parameters are bit for bit" in text
    assert "(T = 1), and the state before it is h0 = 0" in text

    for name in PICTURES:
        path = tmp_path / "new" / "folder" / name
        assert str(path) in text
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 10_000


def test_where_the_recurrence_is_real(capsys, tmp_path):
    arguments = ("--layout", "step x 1", "--step", 6, "--dtype", "float64", "--epochs", 2, "--batch-size", 100)
    status, text, _ = run(capsys, "tutorial", *arguments, "--output", tmp_path)
    assert status == 0
    assert "Its input: 800 windows x 6 timesteps x 1 features." in text
    tutorial = Tutorial(0, 6, "stepx1", "float64").fit(2, 100)
    moved, start = tutorial.recurrent_kernel_change(), np.linalg.norm(tutorial.initial_recurrent_kernel)
    assert moved > 0
    assert f"moved by ||U - U0|| = {moved:.3f} from ||U0|| = {start:.3f}." in text
    assert "(T = 6)" in text
    assert "no gradient" not in text


def test_windows_of_one_value_do_not_recur_in_either_layout(capsys, tmp_path):
    _, text, _ = run(capsys, "tutorial", "--layout", "stepx1", "--step", 1, "--epochs", 1, "--output", tmp_path)
    assert "The recurrent kernel U got no gradient" in text
    assert "ONE time step of 1 feature (T = 1)" in text
    assert "With --layout stepx1" not in text


def test_verbose_prints_every_epoch(capsys, tmp_path):
    _, text, _ = run(capsys, "tutorial", "--epochs", 3, "--verbose", "--output", tmp_path)
    assert re.findall(r"Epoch (\d)/3 50/50 - \S+ - \S+ - loss: \d\.\d{4}", text) == ["1", "2", "3"]


def test_many_seeds(capsys, tmp_path):
    status, text, errors = run(capsys, "tutorial", "--seeds", 3, "--seed", 7, "--epochs", 2, "--output", tmp_path)
    assert (status, errors) == (0, "")
    runs = [Tutorial(seed).fit(epochs=2) for seed in (7, 8, 9)]
    train = [tutorial.evaluate(tutorial.train) for tutorial in runs]
    test = [tutorial.evaluate(tutorial.test) for tutorial in runs]
    for seed, *losses in zip((7, 8, 9), train, test, strict=True):
        assert f" {seed} " + " ".join(f"{loss:.4f}" for loss in losses) in text
    for name, losses in (("train loss", train), ("test loss", test)):
        figures = (np.mean(losses), np.std(losses, ddof=1), np.min(losses), np.max(losses))
        assert f"│ {name} │ " + " │ ".join(f"{figure:.4f}" for figure in figures) + " │" in text
    assert [path.name for path in tmp_path.iterdir()] == ["seeds.png"]


def test_a_file_in_place_of_the_folder_and_other_bad_arguments(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(Tutorial, "fit", lambda *_, **__: pytest.fail("trained before the arguments were checked"))
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for arguments, message in {
        "--epochs -3": "argument --epochs: expected a whole number of at least 1, got '-3'",
        "--epochs 0": "argument --epochs: expected a whole number of at least 1, got '0'",
        "--epochs 2.5": "argument --epochs: expected a whole number of at least 1, got '2.5'",
        "--batch-size 0": "argument --batch-size: expected a whole number of at least 1, got '0'",
        "--step 0": "argument --step: expected a whole number from 1 to 199, got '0'",
        "--step 200": "argument --step: expected a whole number from 1 to 199, got '200'",
        "--seed -1": "argument --seed: expected a whole number from 0 to 4294967295, got '-1'",
        "--seed 4294967295 --seeds 2": "argument --seeds: seeds go up to 2**32 - 1",
        "--seeds 0": "argument --seeds: expected a whole number of at least 1, got '0'",
        "--layout 4x4": "argument --layout: invalid choice: '4x4'",
        "--dtype float16": "argument --dtype: invalid choice: 'float16'",
        "--output file": "argument --output: cannot write to file: not a folder",
        "--output file/below": f"argument --output: cannot write to {Path('file/below')}: not a folder",
        "--colour": "unrecognized arguments: --colour",
    }.items():
        status, text, errors = run(capsys, "tutorial", *arguments.split())
        assert (status, text) == (2, ""), arguments
        assert message in errors
        assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("forecast", "nowhere.csv", "--target", "x", "--out"),
        ("inspect", "nowhere.py:model", "--out"),
        ("tutorial", "--epochs", "0", "--output"),
    ],
)
def test_a_command_that_is_refused_leaves_no_folder(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    status, _, errors = run(capsys, *arguments, "deep/folder/page.html")
    assert status == 2
    assert errors.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_folders_are_made_for_what_is_written(capsys, tmp_path):
    status, text, _ = run(capsys, "worksheet", "--out", str(tmp_path / "deep" / "folder"))
    assert status == 0
    assert "worksheet" in text
    assert len(list((tmp_path / "deep" / "folder").iterdir())) == 2


def test_without_a_command_and_with_a_wrong_one(capsys):
    status, text, _ = run(capsys)
    assert status == 2
    assert "tutorial" in text
    status, _, errors = run(capsys, "tutoral")
    assert status == 2
    assert "invalid choice: 'tutoral'" in errors
    assert errors.count("\n") == 1


def test_help_names_every_option(capsys):
    status, text, _ = run(capsys, "tutorial", "--help")
    assert status == 0
    options = ("seed", "seeds", "epochs", "batch-size", "step", "layout", "dtype", "output", "verbose")
    assert all(f"--{option} " in text for option in options)


def test_what_goes_wrong_later_is_one_line(capsys, tmp_path, monkeypatch):
    (tmp_path / "series.png").mkdir()
    status, _, errors = run(capsys, "tutorial", "--epochs", 1, "--output", tmp_path)
    assert status == 1
    assert errors.startswith("rnn-core: ")
    assert "series.png" in errors
    assert errors.count("\n") == 1

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tutorial_command, "run", interrupted)
    status, _, errors = run(capsys, "tutorial", "--output", tmp_path)
    assert (status, errors) == (130, "\nInterrupted.\n")


def test_as_a_module_without_pyplot_or_any_framework(tmp_path):
    code = (
        "import sys\n"
        "from rnn_core.__main__ import main\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'pandas', 'matplotlib', 'rich', 'threadpoolctl'}, loaded\n"
        "assert main(['tutorial', '--epochs', '1', '--output', sys.argv[1]]) == 0\n"
        "assert not {'matplotlib.pyplot', 'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONUTF8": "1"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "a"], env=environment, check=True, capture_output=True)
    command = [sys.executable, "-m", "rnn_core", "tutorial", "--epochs", "1", "--output", tmp_path / "b"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    for name in PICTURES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
