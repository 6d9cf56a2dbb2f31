"""The tutorial: its task, what ``rnn-core tutorial`` makes of it, and what its readers ask."""

from rnn_core.tutorial.task import (
    NETWORK,
    NOISE_VARIANCE,
    SAMPLES,
    TRAIN_SAMPLES,
    TRUTH,
    Tutorial,
    build_model,
    noise_free,
    noisy_sine,
)

__all__ = [
    "NETWORK",
    "NOISE_VARIANCE",
    "SAMPLES",
    "TRAIN_SAMPLES",
    "TRUTH",
    "Tutorial",
    "build_model",
    "noise_free",
    "noisy_sine",
]
