"""SimpleRNN gives the numbers that Keras publishes in its own tests, ``keras/src/layers/rnn/simple_rnn_test.py``."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.layers import SimpleRNN

# Every row of the output holds one number, because all weights of a kind are equal.
CONSTANTS = {
    "kernel_initializer": {"class_name": "Constant", "config": {"value": 0.01}},
    "recurrent_initializer": {"class_name": "Constant", "config": {"value": 0.02}},
    "bias_initializer": {"class_name": "Constant", "config": {"value": 0.03}},
}
THREE_STEPS = np.arange(24, dtype="float32").reshape(2, 3, 4)
FOUR_STEPS = np.arange(24, dtype="float32").reshape(2, 4, 3)
PUBLISHED_MASK = np.array([[True, True, False, True], [True, False, False, True]])
PUBLISHED_STATE = np.arange(8, dtype="float32").reshape(2, 4)


def assert_published(output: np.ndarray, rows) -> None:
    rows = np.asarray(rows)[..., None]
    np.testing.assert_allclose(output, np.broadcast_to(rows, output.shape), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize(("go_backwards", "rows"), [(False, [0.405432, 0.73605347]), (True, [0.11144729, 0.5528889])])
def test_published_numbers_plain_and_backwards(go_backwards, unroll, rows):
    layer = SimpleRNN(4, go_backwards=go_backwards, unroll=unroll, **CONSTANTS)
    assert_published(layer(THREE_STEPS), rows)


def test_published_numbers_stateful():
    layer = SimpleRNN(4, stateful=True, **CONSTANTS)
    for _ in range(2):
        layer(THREE_STEPS)
        assert_published(layer(THREE_STEPS), [0.40559256, 0.7361247])
        layer.reset_state()


@pytest.mark.parametrize(("go_backwards", "rows"), [(False, [0.33621645, 0.6262637]), (True, [0.07344437, 0.43043602])])
def test_published_numbers_with_an_initial_state(go_backwards, rows):
    layer = SimpleRNN(4, go_backwards=go_backwards, **CONSTANTS)
    assert_published(layer(FOUR_STEPS, initial_state=PUBLISHED_STATE), rows)


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ({"units": 4, "unroll": True}, [0.32951632, 0.61799484]),
        ({"units": 4, "go_backwards": True}, [0.07376196, 0.43645123]),
        (
            {"units": 2, "return_sequences": True},
            [[0.0599281, 0.15122814, 0.15122814, 0.32394567], [0.3969304, 0.3969304, 0.3969304, 0.608085]],
        ),
        (
            {"units": 2, "return_sequences": True, "zero_output_for_mask": True},
            [[0.0599281, 0.15122814, 0.0, 0.32394567], [0.3969304, 0.0, 0.0, 0.608085]],
        ),
    ],
)
def test_published_numbers_with_a_mask(arguments, rows):
    assert_published(SimpleRNN(**arguments, **CONSTANTS)(FOUR_STEPS, mask=PUBLISHED_MASK), rows)
