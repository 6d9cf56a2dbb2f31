"""rnn_core as its user runs it: `fit` and `predict`, and nothing set."""

from __future__ import annotations

from benchmarks.engines import keras_api


class Runner(keras_api.Runner):
    """One workload through rnn_core's public API."""

    package = "rnn_core"
    many_rows = None
