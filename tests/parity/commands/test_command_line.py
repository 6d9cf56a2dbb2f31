"""python -m parity: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from parity import floatx, require_keras
from parity.__main__ import main
from parity.fuzzing import run as fuzz_module
from rnn_core.optimizers import RMSprop

from ..samples import BACKEND

keras = require_keras()


def save(path, *stack, loss="mse", optimizer="rmsprop") -> str:
    model = keras.Sequential([keras.layers.Input((4, 2)), *stack])
    if loss:
        model.compile(optimizer, loss)
        model.optimizer.build(model.trainable_variables)
    model.save(path)
    return str(path)


@pytest.fixture
def model_file(tmp_path):
    return save(tmp_path / "model.keras", keras.layers.SimpleRNN(3), keras.layers.Dense(2))


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text


# --- the tutorial ---------------------------------------------------------------------------------------------


def test_the_tutorial_holds(capsys, tmp_path):
    assert main(["--epochs", "2", "--json", "--picture", str(tmp_path / "drift.png")]) == 0
    assert (tmp_path / "drift.png").stat().st_size > 10_000
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["holds"]
    assert [report["model"] for report in found["check"]] == ["tutorial, 1xstep", "tutorial, stepx1"]
    assert [run["dtype"] for run in found["lockstep"]] == ["float64", "float32"] * 2
    assert "lockstep, 1xstep, float64, steps: 100 of 100" in printed.err


def test_a_folder_is_no_picture(capsys, tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SystemExit):
        main(["--epochs", "1", "--picture", str(tmp_path / "folder.png")])
    assert "is a folder" in one_line(capsys.readouterr().err)


def test_the_tutorial_fails_with_another_optimizer(capsys, monkeypatch):
    right = RMSprop.step

    def wrong(self):
        right(self)
        self._weights *= 1 + 1e-6

    monkeypatch.setattr(RMSprop, "step", wrong)
    assert main(["--epochs", "1"]) == 1
    printed = capsys.readouterr().out
    assert "FAILS" in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert printed.endswith("Not all holds: see above.\n")


# --- a Keras file ---------------------------------------------------------------------------------------------


def test_a_keras_file_holds(capsys, tmp_path, model_file):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((5, 4, 2)))
    assert main(["check", model_file, "--data", str(tmp_path / "x.npy")]) == 0
    assert "lines hold against Keras" in capsys.readouterr().out


def test_one_array_in_an_npz_file_will_do(capsys, tmp_path, model_file):
    np.savez(tmp_path / "one.npz", whatever=np.random.default_rng(0).standard_normal((5, 4, 2)))
    assert main(["check", model_file, "--data", str(tmp_path / "one.npz")]) == 0
    assert "5 of the 5 samples in one.npz" in capsys.readouterr().out


def test_a_stateful_model_keeps_its_state_until_it_is_checked(capsys, tmp_path):
    model = keras.Sequential(
        [keras.Input(batch_shape=(3, 4, 2)), keras.layers.SimpleRNN(3, stateful=True), keras.layers.Dense(1)]
    )
    model.compile("rmsprop", "mse")
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # such as Keras' of an optimizer that is not built
        assert main(["check", str(tmp_path / "model.keras")]) == 0
    assert "lines hold against Keras" in capsys.readouterr().out


def test_a_file_in_float64_holds_as_its_numbers_are_set(capsys, tmp_path):
    """Keras makes its loss in floatx, which is float32 here, and would round 0.3 to float32 on TensorFlow."""
    with floatx("float64"):
        stack = keras.layers.SimpleRNN(3), keras.layers.Dense(2, kernel_regularizer="l2")
        path = save(tmp_path / "model.keras", *stack, optimizer=keras.optimizers.SGD(0.01, momentum=0.3))
    assert main(["check", path]) == 0
    assert ("got l2 and momentum as set" in " ".join(capsys.readouterr().out.split())) == (BACKEND == "tensorflow")


@pytest.mark.parametrize("kind", ["numbers", "indices"])
def test_whole_numbers_for_an_input_of_whole_numbers(capsys, tmp_path, kind):
    inputs = keras.Input((6,), dtype="int32")
    embedded = keras.layers.Embedding(5, 2)(keras.layers.Reshape((6,))(inputs)) if kind == "indices" else None
    outputs = keras.layers.Dense(1)(inputs) if embedded is None else keras.layers.SimpleRNN(3)(embedded)
    model = keras.Model(inputs, outputs)
    model.compile("rmsprop", "mse")
    model.save(tmp_path / "model.keras")
    assert main(["check", str(tmp_path / "model.keras"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    said = "indices below 5" if kind == "indices" else "random whole numbers below 10"
    assert found["notes"][-1] == f"data: {said}, shape (8, 6)"
    assert "gradient of" not in " ".join(line["label"] for line in found["lines"] if line["name"] == "input")


def test_a_model_that_is_not_built_is_built_for_the_data(capsys, tmp_path):
    with pytest.warns(UserWarning, match="not yet been built"):
        keras.Sequential([keras.layers.SimpleRNN(3), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "model.keras")])
    assert "give a batch of inputs with --data" in one_line(capsys.readouterr().err)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((5, 4, 2)))
    assert main(["check", str(tmp_path / "model.keras"), "--data", str(tmp_path / "x.npy")]) == 0


def test_of_a_large_file_a_batch_is_taken_and_the_report_says_so(capsys, tmp_path, model_file):
    x = np.random.default_rng(0).standard_normal((5000, 4, 2))
    x[64:-1] = np.linspace(1, 2, 4935)[:, None, None]
    np.save(tmp_path / "x.npy", x)
    assert main(["check", model_file, "--data", str(tmp_path / "x.npy"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [
        "data: 64 of the 5,000 samples in x.npy, spread evenly over the file"
    ]


def test_verbose_prints_every_quantity(capsys, model_file):
    assert main(["check", model_file, "--verbose"]) == 0
    printed = capsys.readouterr().out
    assert "float32, new velocities" in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy", None])
def test_targets_fit_the_loss(capsys, tmp_path, loss):
    stack = keras.layers.SimpleRNN(3, return_sequences=True), keras.layers.Dense(3, "softmax")
    assert main(["check", save(tmp_path / "model.keras", *stack, loss=loss), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert ("loss" in {line["kind"] for line in found["lines"]}) == (loss is not None)


def test_a_file_that_cannot_be_used_is_one_line_and_status_2(capsys, tmp_path, model_file):
    def said(*arguments: str) -> str:
        with pytest.raises(SystemExit) as leaving:
            main(["check", *arguments])
        assert leaving.value.code == 2
        printed = capsys.readouterr()
        assert not printed.out
        return one_line(printed.err)

    assert "no file 'nowhere.keras'" in said("nowhere.keras")
    text = tmp_path / "text.h5"
    text.write_text("no model")
    assert "Keras cannot load" in said(str(text))
    for content in ("no model", ""):
        (tmp_path / "text.keras").write_text(content)
        assert "is no Keras file" in said(str(tmp_path / "text.keras"))
    assert "cannot read an array" in said(model_file, "--data", str(text))
    np.save(tmp_path / "x.npy", np.zeros((5, 4, 3)))
    assert "expects (batch, timesteps, 2)" in said(model_file, "--data", str(tmp_path / "x.npy"))
    np.savez(tmp_path / "several.npz", a=np.zeros(2), b=np.zeros(2))
    assert "expected one array" in said(model_file, "--data", str(tmp_path / "several.npz"))
    x = np.zeros((200, 4, 2))
    x[-1, 2, 1] = np.nan
    np.save(tmp_path / "nan.npy", x)
    assert "x holds nan at index (199, 2, 1)" in said(model_file, "--data", str(tmp_path / "nan.npy"))
    np.save(tmp_path / "none.npy", np.zeros((0, 4, 2)))
    assert "has no samples" in said(model_file, "--data", str(tmp_path / "none.npy"))
    assert "LSTM" in said(save(tmp_path / "lstm.keras", keras.layers.LSTM(3), loss=None))


# --- random models --------------------------------------------------------------------------------------------


def test_fuzz(capsys):
    assert main(["fuzz", "--cases", "3", "--seed", "7", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["cases"] == 3
    assert "fuzz, cases: 3 of 3, 0 failed" in printed.err


def test_fuzz_that_fails_prints_a_script_and_has_status_1(capsys, monkeypatch):
    monkeypatch.setattr(fuzz_module, "fault_of", lambda *_: "RuntimeError: bad luck")
    assert main(["fuzz", "--cases", "1"]) == 1
    printed = capsys.readouterr().out
    assert "# RuntimeError: bad luck" in printed
    assert "import numpy as np" in printed
    assert "1 of 1 cases fail" in printed


def test_an_interrupted_fuzz_tells_what_it_has_found(capsys, monkeypatch):
    answers = iter(["", "RuntimeError: bad luck", ""])

    def fault_of(*_):
        try:
            return next(answers)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(fuzz_module, "fault_of", fault_of)
    monkeypatch.setattr(fuzz_module, "shrink", lambda case, what, fault: (case, what))
    assert main(["fuzz", "--cases", "9", "--seed", "4"]) == 1
    printed = capsys.readouterr().out
    assert "# Case of seed 5" in printed
    assert "fuzz, seeds 4 to 6: 1 of 3 cases fail" in printed
    assert main(["fuzz", "--cases", "9"]) == 130  # nothing has been found yet


def test_sharpness(capsys):
    assert main(["sharpness", "--cases", "2", "--seed", "7", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["caught"]["float64"]["1e-12"] > 0.9 * found["quantities"] > 20
    assert main(["sharpness", "--cases", "1"]) == 0
    printed = capsys.readouterr()
    assert "float32      1e-05" in printed.out
    assert "sharpness, cases: 1 of 1" in printed.err


# --- what does not get that far -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["fuzz", "--cases", "0"],
        ["fuzz", "--seed", "x"],
        ["check"],
        ["unknown"],
        ["--seeds", "3"],
        ["--picture", "x.doc"],
    ],
)
def test_bad_arguments_are_one_line_and_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    assert "--help" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("arguments", [[], ["fuzz"]])
@pytest.mark.parametrize(("backend", "what"), [("tensorflow", "'rnn-core[keras]'"), ("torch", "keras torch")])
def test_without_keras_one_line_says_what_to_install(capsys, monkeypatch, arguments, backend, what):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    assert main(arguments) == 2
    assert f"pip install {what}" in one_line(capsys.readouterr().err)


def test_tensorflow_does_not_greet():
    """Nor does the report share its line with anything: stderr is empty, but for those who ask for TensorFlow's log."""
    code = "import sys; from parity.__main__ import main; sys.exit(main(['fuzz', '--cases', '1', '--json']))"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "fuzz, cases: 1 of 1" in one_line(done.stderr)


def test_python_dash_m_gives_its_status():
    done = subprocess.run([sys.executable, "-m", "parity", "fuzz", "--cases", "no"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "--cases: expected a whole number" in one_line(done.stderr)
