from __future__ import annotations

import pytest


@pytest.fixture
def keras_in_float64():
    """Let Keras compute penalties and losses in float64 too; it takes them in floatx, whatever the layers have."""
    from ..float64 import float64_in, keras

    with float64_in(keras):
        yield
