"""Settings of all tests."""

from __future__ import annotations

import pytest

from rnn_core.random import set_random_seed


@pytest.fixture(autouse=True)
def the_same_numbers_in_every_run():
    """Initial weights that a test leaves to chance, here and in Keras, are the same each time."""
    set_random_seed(0)
