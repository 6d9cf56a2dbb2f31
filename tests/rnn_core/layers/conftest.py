from __future__ import annotations

import pytest


@pytest.fixture
def keras_in_float64():
    """Let Keras compute penalties and losses in float64 too; it takes them in floatx, whatever the layers have."""
    from ..float64 import float64_in, keras

    with float64_in(keras):
        yield


@pytest.fixture(scope="module")
def float64_everywhere():
    """Let all layers, ours and Keras', compute in float64 unless they say otherwise."""
    from ..float64 import float64_in

    with float64_in():
        yield
