"""Weights in a file: what is read is what was written, or nothing is, and no crash leaves half a file."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rnn_core import saving
from rnn_core.layers import Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Sequential


def make(units=3, dtype=None, seed=0):
    model = Sequential(
        [
            Input((4, 2)),
            Masking(dtype=dtype),
            SimpleRNN(units, return_sequences=True, dtype=dtype),
            SimpleRNN(2, use_bias=False, dtype=dtype),
            Dropout(0.1, dtype=dtype),
            Dense(1, dtype=dtype),
        ]
    )
    model.vector[...] = np.random.default_rng(seed).normal(size=model.vector.size)
    return model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.npz"


def assert_only(path):
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(dtype, path):
    model = make(dtype=dtype)
    model.save_weights(path)
    assert_only(path)
    other = make(dtype=dtype, seed=1)
    views, vector = other.weights, other.vector
    assert not np.array_equal(other.vector, model.vector)
    other.load_weights(str(path))
    assert np.array_equal(other.vector, model.vector)
    assert other.vector is vector  # in place: an optimizer goes on with the same memory
    assert all(np.shares_memory(view, other.vector) for view in views)


def test_the_file_is_numpys_with_the_names_of_keras_groups(path):
    model = make()
    model.save_weights(path)
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {
            "simple_rnn/kernel",
            "simple_rnn/recurrent_kernel",
            "simple_rnn/bias",
            "simple_rnn_1/kernel",
            "simple_rnn_1/recurrent_kernel",
            "dense/kernel",
            "dense/bias",
        }
        assert np.array_equal(file["simple_rnn_1/recurrent_kernel"], model.layers[2].recurrent_kernel)
        assert all(file[name].dtype == np.float32 for name in file.files)


def test_names_given_to_layers_do_not_matter(path):
    first = Sequential([Input((2,)), Dense(2, name="a"), Dense(1, name="b")])
    second = Sequential([Input((2,)), Dense(2), Dense(1)])
    first.save_weights(path)
    second.load_weights(path)
    assert np.array_equal(first.vector, second.vector)


def test_float64_weights_are_rounded_to_a_float32_model(path):
    make(dtype="float64").save_weights(path)
    model = make(seed=1)
    model.load_weights(path)
    assert np.array_equal(model.vector, make(dtype="float64").vector.astype(np.float32))


def test_a_trained_model_goes_on_from_its_file(path):
    x, y = np.ones((6, 4, 2)), np.ones(6)
    one, two = make(), make(seed=1)
    for model in (one, two):
        model.compile("sgd", "mse")
    two.fit(x, y, verbose=0)  # its optimizer is tied to its memory by now
    one.save_weights(path)
    two.load_weights(path)
    assert one.evaluate(x, y, verbose=0) == two.evaluate(x, y, verbose=0)
    for layer in (one.layers[3], two.layers[3]):
        layer.rate = 0.0
    losses = [model.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"] for model in (one, two)]
    assert losses[0] == losses[1]


# What is refused; nothing is changed then.


def assert_refused(path, message, model=None, error=ValueError):
    model = model or make(seed=1)
    before = model.vector.copy()
    with pytest.raises(error, match=message):
        model.load_weights(path)
    assert np.array_equal(model.vector, before)


def test_weights_of_another_model(path):
    make().save_weights(path)
    dense = Sequential([Input((4,)), Dense(2), Dense(1)])
    message = r"missing \['dense_1/bias', 'dense_1/kernel'\], not known \['simple_rnn/bias', 'simple_rnn/kernel'"
    assert_refused(path, message, dense)
    assert_refused(path, r"simple_rnn/kernel has shape \(2, 3\), the model's has \(2, 5\)", make(units=5))
    # Only the last shape differs: those before it must not have been written.
    layers = [Input((4, 2)), SimpleRNN(3, return_sequences=True), SimpleRNN(2, use_bias=False), Dense(2)]
    assert_refused(path, r"dense/kernel has shape \(2, 1\), the model's has \(2, 2\)", Sequential(layers))


@pytest.mark.parametrize("name", ["w.h5", "model.weights.h5", "model.keras", "weights", "weights.npy", "w.npz.bak"])
def test_other_formats(name, tmp_path):
    model = make()
    for action in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match=rf"NumPy's format: filepath must end in \.npz, got '.*{name}'"):
            action(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere/w\.npz can't be written: there is no folder '.*nowhere'"):
        make().save_weights(tmp_path / "nowhere" / "w.npz")
    with pytest.raises(FileNotFoundError, match=r"missing\.npz"):
        make().load_weights(tmp_path / "missing.npz")
    assert list(tmp_path.iterdir()) == []


def test_overwrite(path):
    make().save_weights(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"weights\.npz exists, and overwrite is False"):
        make(seed=1).save_weights(path, overwrite=False)
    assert path.read_bytes() == before
    make(seed=1).save_weights(path)
    assert path.read_bytes() != before


def test_a_folder_of_that_name(path):
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        make().save_weights(path)
    with pytest.raises(OSError, match="directory"):
        make().load_weights(path)
    assert_only(path)


def stored(**arrays):
    """An .npz file made by hand, as bytes; NumPy's own savez would pickle objects."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_every_truncated_file_is_refused(path):
    make().save_weights(path)
    whole = path.read_bytes()
    for size in [*range(0, len(whole), 61), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert_refused(path, r"weights\.npz is not a whole \.npz file of weights")


def test_every_damaged_byte_is_noticed_or_harmless(path):
    model = make()
    model.save_weights(path)
    whole = bytearray(path.read_bytes())
    refused = 0
    for place in range(0, len(whole), 3):
        damaged = whole.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        other = make(seed=1)
        before = other.vector.copy()
        try:
            other.load_weights(path)
        except ValueError:
            refused += 1
            assert np.array_equal(other.vector, before)
        else:
            assert np.array_equal(other.vector, model.vector)
    assert refused > len(whole) / 3 / 3


def test_files_that_are_something_else(path):
    shapes = {name: view.shape for name, view in saving.weight_paths(make()).items()}
    zeros = {name: np.zeros(shape) for name, shape in shapes.items()}
    npy = io.BytesIO()
    np.save(npy, np.zeros(3))
    cases = {
        b"": "is not a whole .npz",
        b"hello": "is not a whole .npz",
        npy.getvalue(): "is not a whole .npz",
        pickle.dumps(zeros): "is not a whole .npz",
        stored(): r"holds weights of another model: missing \['dense/bias'",
        stored(**zeros, extra=np.zeros(1)): r"missing \[\], not known \['extra'\]",
        stored(**{**zeros, "dense/bias": np.array(["1"])}): "dense/bias must hold floats, got dtype <U1",
        stored(**{**zeros, "dense/bias": np.array([1j])}): "dense/bias must hold floats, got dtype complex128",
        stored(**{**zeros, "dense/bias": np.array([1])}): "dense/bias must hold floats, got dtype int64",
        stored(**{**zeros, "dense/bias": np.zeros((1, 1))}): r"dense/bias has shape \(1, 1\), the model's has \(1,\)",
    }
    for content, message in cases.items():
        path.write_bytes(content)
        assert_refused(path, message)


class Bomb:
    """What a pickle may do."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was run')",))


def test_a_file_with_a_pickle_in_it_is_refused_without_running_it(path):
    entries = {name: view.copy() for name, view in saving.weight_paths(make()).items()}
    entries["dense/bias"] = np.array([Bomb()], dtype=object)
    path.write_bytes(stored(**entries))
    with pytest.raises(SystemExit, match="a pickle was run"), np.load(path, allow_pickle=True) as file:
        file["dense/bias"]
    assert_refused(path, "is not a whole .npz file of weights: .*allow_pickle=False")


def test_nothing_is_ever_pickled(path, monkeypatch):
    def no(*arguments, **named):
        raise AssertionError("pickled")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, no)
    make().save_weights(path)
    make(seed=1).load_weights(path)
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            assert file.read(name).startswith(b"\x93NUMPY")


# Crashes.


def failing(function, error):
    """Do the work, or a part of it, and then raise."""

    def wrapped(*arguments, **named):
        if function is np.savez:  # half of the file is on the disk
            arguments[0].write(b"PK\x03\x04 half a file")
            arguments[0].flush()
        raise error

    return wrapped


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt(), MemoryError()], ids=repr)
@pytest.mark.parametrize("place", ["savez", "fsync", "chmod", "replace"])
@pytest.mark.parametrize("exists", [True, False])
def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(exists, place, error, path, monkeypatch):
    if exists:
        make().save_weights(path)
        old = path.read_bytes()
    module = np if place == "savez" else os
    with monkeypatch.context() as patch:
        patch.setattr(module, place, failing(getattr(module, place), error))
        with pytest.raises(type(error)):
            make(seed=1).save_weights(path)
    if exists:
        assert path.read_bytes() == old
        assert_only(path)
    else:
        assert list(path.parent.iterdir()) == []
    make(seed=1).save_weights(path)
    assert_only(path)


def test_the_new_file_is_on_the_disk_before_it_takes_the_place_of_the_old(path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def note(*arguments, name=name, original=original):
            if name == "fsync":
                calls.append((name, os.fstat(arguments[0]).st_size))
            else:
                calls.append((name, Path(arguments[0]).stat().st_size))
            return original(*arguments)

        monkeypatch.setattr(os, name, note)
    make().save_weights(path)
    size = path.stat().st_size
    assert calls == [("fsync", size), ("replace", size)]


def test_a_file_keeps_its_permissions_and_a_new_one_gets_the_usual(path):
    usual = path.parent / "usual"
    usual.touch()
    make().save_weights(path)
    assert path.stat().st_mode == usual.stat().st_mode
    path.chmod(0o600)
    make().save_weights(path)
    assert path.stat().st_mode & 0o777 == 0o600


KILLED = """
import os, random, signal, sys, time
import numpy as np
from pathlib import Path
from rnn_core.layers import Dense, Input
from rnn_core.models import Sequential

path = Path(sys.argv[1])
model = Sequential([Input((400,)), Dense(400), Dense(400), Dense(400)])
model.vector[...] = 0
model.save_weights(path)
draws, interrupted, newest = random.Random(0), 0, 0
for round in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        for number in range(newest + 1, 10**6):
            model.vector[...] = number
            model.save_weights(path)
    time.sleep(draws.uniform(0.005, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    model.load_weights(path)
    values = np.unique(model.vector)
    assert len(values) == 1, "weights of two different moments"
    assert values[0] >= newest, "an older file came back"
    newest = int(values[0])
    for part in path.parent.glob("*.part"):
        interrupted += 1
        part.unlink()
print(newest, interrupted)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_is_killed_leaves_a_whole_file(path):
    """25 times, at any moment; most of them in the middle of writing."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), "25"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    newest, interrupted = map(int, done.stdout.split())
    assert newest > 3
    assert interrupted > 3
    assert_only(path)
