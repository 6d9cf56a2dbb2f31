"""The check finds faults near rounding; what cannot be found is not claimed."""

from __future__ import annotations

import json

import pytest

from parity.checking.line import Line
from parity.fuzzing.sharpness import sharpness

from ..samples import BACKEND


def test_faults_a_thousand_times_rounding_are_found():
    """In a model of any kind: limits that are too wide for one, as by a mistake in the noise, show here."""
    calls = []
    faults = {"float64": (1e-12, 1e-16), "float32": (1e-4, 3e-8)}
    result = sharpness(60, seed=730, faults=faults, progress=lambda *numbers: calls.append(numbers))
    assert result.quantities > 1500
    # In the draw for torch the gradients of one model cancel: an eps of noise costs 542.
    least = 0.998 if BACKEND == "tensorflow" else 0.99
    assert result.share("float64", 1e-12) > least
    assert result.share("float32", 1e-4) > least
    assert result.share("float64", 1e-16) < 0.01  # half an eps is no fault
    assert result.share("float32", 3e-8) < 0.2
    assert calls == [(n, 60, 0) for n in range(1, 61)]
    assert json.loads(json.dumps(result.to_dict()))["quantities"] == result.quantities
    assert "seeds 730 to 789" in str(result)


def test_a_check_that_sees_nothing_finds_nothing(monkeypatch):
    monkeypatch.setattr(Line, "holds", True)
    result = sharpness(2)
    assert result.share("float64", 1e-12) == result.share("float32", 1e-4) == 0


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match="cases must be at least 1 and seed at least 0, got 0 and 0"):
        sharpness(0)
