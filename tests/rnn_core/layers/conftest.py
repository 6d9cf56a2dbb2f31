from __future__ import annotations

import pytest


@pytest.fixture
def keras_in_float64():
    """Let Keras compute penalties and losses in float64 too; it takes them in floatx, whatever the layers have."""
    from .against_keras import keras

    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.fixture(scope="module")
def float64_everywhere():
    """Let all layers, ours and Keras', compute in float64 unless they say otherwise."""
    import rnn_core

    from .against_keras import keras

    for module in (rnn_core, keras):
        module.config.set_floatx("float64")
    yield
    for module in (rnn_core, keras):
        module.config.set_floatx("float32")
