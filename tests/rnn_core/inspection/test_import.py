"""Inspection is loaded when it is asked for, and loads nothing heavier than NumPy until a table is made."""

from __future__ import annotations

import subprocess
import sys


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(done.stdout.split())


def test_the_package_does_not_load_it():
    assert not {name for name in loaded_by("import rnn_core") if name.startswith("rnn_core.inspection")}


def test_it_loads_no_tables_and_no_plots():
    for code in ("from rnn_core import inspection", "import rnn_core.inspection"):
        loaded = loaded_by(code)
        assert "rnn_core.inspection.traces.tracing" in loaded
        assert not loaded & {"pandas", "matplotlib", "rich", "tensorflow", "keras"}
