"""Settings of the tests in this folder."""

from __future__ import annotations

import pytest

collect_ignore = ["tutorial_script.py"]  # a script to run, not a module whose doctests are looked for


@pytest.fixture(scope="module")
def float64_everywhere():
    """Let all layers, ours and Keras', compute in float64 unless they say otherwise."""
    from .float64 import float64_in

    with float64_in():
        yield
