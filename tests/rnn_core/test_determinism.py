"""The same seed gives the same bits, in any process; and any number of threads get what one thread gets."""

from __future__ import annotations

import copy
import hashlib
import inspect
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rnn_core.layers import Activation, Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.utils import clear_session, set_random_seed


def run(seed, optimizer="rmsprop"):
    """Train what draws random numbers: weights of every kind, the order of samples, all kinds of dropout."""
    import hashlib

    import numpy as np

    from rnn_core.layers import Dense, Dropout, Input, SimpleRNN
    from rnn_core.models import Sequential
    from rnn_core.utils import set_random_seed

    set_random_seed(seed)
    x, y = np.random.rand(70, 5, 3), np.random.rand(70)  # noqa: NPY002  (seeded as well)
    model = Sequential(
        [
            Input((5, 3)),
            SimpleRNN(16, dropout=0.2, recurrent_dropout=0.3, return_sequences=True, kernel_initializer="he_normal"),
            Dropout(0.3),
            SimpleRNN(8, "relu"),
            Dense(4, "gelu", kernel_initializer="truncated_normal", bias_initializer="random_uniform"),
            Dense(1),
        ]
    )
    digest = hashlib.sha256(model.vector.tobytes())
    model.compile(optimizer, "mse", metrics=["mae"])
    history = model.fit(x, y, epochs=4, batch_size=16, validation_split=0.2, verbose=0)
    digest.update(repr(history.history).encode())
    digest.update(model.vector.tobytes())
    digest.update(model.predict(x).tobytes())
    return digest.hexdigest()


def in_a_process(seed, **environment):
    done = subprocess.run(
        [sys.executable, "-c", f"{inspect.getsource(run)}\nprint(run({seed}))"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
def test_the_same_seed_gives_the_same_bits_in_one_process(optimizer):
    first = run(7, optimizer)
    np.random.rand(3)  # noqa: NPY002
    Sequential([Input((2,)), Dense(3), Dropout(0.1)])(np.ones((1, 2)), training=True)
    assert run(7, optimizer) == first
    assert run(8, optimizer) != first


def test_the_same_seed_gives_the_same_bits_in_other_processes():
    """Whatever the hashes of strings there, and however many threads BLAS may use."""
    one = in_a_process(7, PYTHONHASHSEED="1", OPENBLAS_NUM_THREADS="1")
    two = in_a_process(7, PYTHONHASHSEED="2", OPENBLAS_NUM_THREADS="2")
    assert one == two == run(7)


def test_without_a_seed_nothing_repeats():
    """In this process the seed may have been set: two models in a row differ all the same."""
    first, second = (Sequential([Input((3, 2)), SimpleRNN(4)]).vector for _ in range(2))
    assert not np.array_equal(first, second)


def test_a_layer_s_own_seed_needs_no_other():
    def masks():
        layer = Dropout(0.5, seed=3)
        return [layer(np.ones((4, 4)), training=True) for _ in range(3)]

    set_random_seed(1)
    first = masks()
    set_random_seed(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, masks(), strict=True))
    assert not np.array_equal(first[0], first[1])


def test_names_and_copies_draw_no_numbers():
    """What does not need random numbers leaves the sequence of seeds alone."""

    def draw():
        set_random_seed(3)
        model = Sequential([Input((3, 2)), SimpleRNN(4), Dense(2)])
        model.compile("sgd", "mse")
        yield model
        yield Sequential([Input((3, 2)), SimpleRNN(4)]).vector

    _, plain = draw()
    drawing = draw()
    model = next(drawing)
    copy.deepcopy(model)
    clear_session()
    model.predict(np.ones((5, 3, 2)))
    model.evaluate(np.ones((5, 3, 2)), np.ones((5, 2)), verbose=0)
    model.fit(np.ones((5, 3, 2)), np.ones((5, 2)), shuffle=False, verbose=0)
    assert np.array_equal(next(drawing), plain)


# Threads.


@pytest.fixture
def hasty():
    """Let threads take turns every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


MODELS = {
    "tutorial": lambda: [Input((1, 4)), SimpleRNN(32, "relu"), Dense(8, "relu"), Dense(1)],
    "dropout and masks": lambda: [
        Input((None, 3)),
        Masking(),
        Dropout(0.3),
        SimpleRNN(16, return_sequences=True, dropout=0.2, zero_output_for_mask=True),
        SimpleRNN(8, go_backwards=True, recurrent_dropout=0.1),
        Activation("gelu"),
        Dense(2, "softmax"),
    ],
    "sequences": lambda: [Input((None, 3)), SimpleRNN(8, return_sequences=True), Dense(2, activity_regularizer="l2")],
}


def together(count, work):
    """Run `work(thread)` in so many threads that start at once; return the results."""
    barrier = threading.Barrier(count)

    def wait_and_work(thread):
        barrier.wait()
        return work(thread)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_work, range(count)))


@pytest.mark.parametrize("name", MODELS)
def test_eight_threads_predict_what_one_predicts(name, hasty):
    """All with one model: the same input, inputs of other shapes, and every way to ask."""
    model = Sequential(MODELS[name]())
    draws = np.random.default_rng(0)
    tail = model.input_shape[1:]
    lengths = [1, 2, 5, 7] if tail[0] is None else [tail[0]]
    inputs = [
        (draws.normal(size=(samples, length, tail[1])) * (draws.random((samples, length, 1)) > 0.3)).astype(np.float32)
        for samples in (1, 3, 3, 40)
        for length in lengths
    ]

    def ask(x, way):
        if way == 0:
            return model.predict(x)
        if way == 1:
            return model.predict(x, batch_size=2)
        return model.predict_on_batch(x) if way == 2 else model(x)

    expected = {(i, way): ask(x, way).tobytes() for i, x in enumerate(inputs) for way in range(4)}

    def work(thread):
        order = np.random.default_rng(thread).permutation([*expected] * 3)
        return [(i, way) for i, way in order.tolist() if ask(inputs[i], way).tobytes() != expected[i, way]]

    assert together(8, work) == [[]] * 8


def test_threads_may_build_records_at_the_same_time(hasty):
    """The first predictions of a model, of ever new shapes."""
    model = Sequential([Input((None, 2)), SimpleRNN(8), Dense(1)])
    alone = Sequential([Input((None, 2)), SimpleRNN(8), Dense(1)])
    alone.set_weights(model.get_weights())
    inputs = [np.full((2, length, 2), 0.1, np.float32) for length in range(1, 40)]
    expected = [alone.predict(x).tobytes() for x in inputs]
    for result in together(8, lambda thread: [model.predict(x).tobytes() for x in inputs]):
        assert result == expected


def test_threads_train_models_of_their_own(hasty):
    def work(seed):
        model = Sequential([Input((6, 2)), SimpleRNN(8), Dense(1)])
        draws = np.random.default_rng(seed)
        model.set_weights([draws.normal(size=w.shape) / 3 for w in model.get_weights()])
        model.compile("rmsprop", "mse")
        x, y = draws.normal(size=(40, 6, 2)), draws.normal(size=40)
        losses = model.fit(x, y, epochs=4, batch_size=8, shuffle=False, verbose=0).history["loss"]
        return losses, hashlib.sha256(model.vector.tobytes()).hexdigest()

    assert together(6, work) == [work(seed) for seed in range(6)]
