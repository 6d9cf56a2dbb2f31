"""``python -m benchmarks``: arguments, a small run, an interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.engines import ENGINES, Engine
from benchmarks.worker import Worker, WorkerError
from benchmarks.workloads import WORKLOADS
from tests.benchmarks.samples import FIT, HANGING

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--workload", "W9"], "--workload W9: there are W1, W2"),
        (["--workload", "W"], "--workload W: there are"),
        (["--engine", "cuda"], "--engine cuda: there are rnn_core"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
        (["--threads", "many"], "invalid int value"),
        (["--compare", "no_such_file.json"], "no_such_file.json"),
        (["--slow"], "unrecognized arguments"),
    ],
)
def test_bad_arguments_get_one_line_and_status_2(arguments, part, capsys):
    with pytest.raises(SystemExit) as status:
        command.main(arguments)
    assert status.value.code == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1


def test_workloads_are_chosen_by_name_or_its_beginning():
    assert [w.name for w in command.chosen_workloads(["w6", "W1"], full=True)] == ["W1", "W6a", "W6b", "W6c"]
    assert [w.name for w in command.chosen_workloads(["W5"], full=False)] == ["W5", "W5 alive"]
    assert [w.name for w in command.chosen_workloads(["w5_alive"], full=False)] == ["W5 alive"]
    assert len(command.chosen_workloads(None, full=True)) == len(WORKLOADS)
    assert [w.name for w in command.chosen_workloads(None, full=False)] == list(command.QUICK)
    assert {w.epochs for w in command.chosen_workloads(["W1"], full=False)} == {command.QUICK_EPOCHS}
    assert {w.epochs for w in command.chosen_workloads(["W1"], full=True)} == {100}


def test_ours_is_always_among_the_engines():
    assert [engine.name for engine in command.chosen_engines(["numpy"])] == ["rnn_core", "numpy"]
    assert len(command.chosen_engines(None)) == len(ENGINES)


def test_a_small_run_writes_its_files_names_who_is_absent_and_compares(tmp_path, capsys, monkeypatch):
    absent = Engine("absent", "absent", "benchmarks.engines.absent", "", ("no_such_package",))
    monkeypatch.setitem(ENGINES, "absent", absent)
    run = ["--workload", "W6a", "--engine", "numpy", "absent", "--output", str(tmp_path), "--json"]
    assert command.main([*run, str(tmp_path / "old.json")]) == 0
    first = capsys.readouterr().out
    assert "absent: left out, no_such_package not installed" in first
    data = json.loads((tmp_path / "old.json").read_text())
    assert [result["engine"] for result in data["results"]] == ["rnn_core", "numpy"]
    assert {"cpu", "blas", "numpy", "python"} <= data["environment"].keys()
    assert data["threads"] == 1
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8").startswith("Median time")
    assert (tmp_path / "benchmarks.png").stat().st_size > 1000

    assert command.main([*run, str(tmp_path / "new.json"), "--compare", str(tmp_path / "old.json")]) == 0
    assert "Beside the older run" in capsys.readouterr().out


def test_every_library_of_a_worker_gets_the_same_number_of_threads():
    code = (
        "from threadpoolctl import threadpool_info; import numpy; print({i['num_threads'] for i in threadpool_info()})"
    )
    from benchmarks.measure import python

    assert python(ENGINES["numpy"], "-c", code).stdout.strip() == "{1}"


def test_an_engine_that_dies_or_raises_is_reported_and_one_that_hangs_is_ended():
    from dataclasses import replace

    with Worker(HANGING) as worker:
        worker.ask("load")
        worker.ask("prepare", FIT)
        with pytest.raises(WorkerError, match=r"ValueError: no such$"):
            worker.ask("turn", 1)
        assert worker.ask("peak") > 1  # it still answers
        worker.ask("prepare", replace(FIT, epochs=1))
        with pytest.raises(WorkerError, match="status 3"):
            worker.ask("turn", 1)
    assert worker.process.returncode == 3


def test_an_interruption_leaves_no_process_behind(tmp_path):
    """The engine sleeps for ten minutes when the interruption comes."""
    code = (
        "import signal, sys; from dataclasses import replace\n"
        # A shell's background job ignores interruptions, and so do the processes that it starts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from benchmarks import __main__ as command, rounds\n"
        "from tests.benchmarks.samples import HANGING, FIT\n"
        "command.chosen_engines = lambda names: [HANGING]\n"
        "command.chosen_workloads = lambda names, full: [replace(FIT, epochs=3)]\n"
        "ready = rounds.Contestant.make_ready\n"
        "def make_ready(self, expected):\n"
        "    print(self.worker.process.pid, flush=True)\n"
        "    return ready(self, expected)\n"
        "rounds.Contestant.make_ready = make_ready\n"
        f"sys.exit(command.main(['--output', {str(tmp_path)!r}]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Interrupted" in errors
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
