"""The two hazards that cost more than any trick gains: BLAS threads in the recurrence, and denormal numbers."""

from __future__ import annotations

import random
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from rnn_core import blas, callbacks, optimizers
from rnn_core.blas import single_thread
from rnn_core.engine import loop
from rnn_core.engine.nonfinite import NonFiniteError
from rnn_core.layers import Dense, Input, SimpleRNN, simple_rnn_passes
from rnn_core.models import Sequential

BLAS = ThreadpoolController().select(user_api="blas")
X = np.random.default_rng(0).normal(size=(40, 5, 3)).astype(np.float32)
Y = X[:, 0, :1]


def threads():
    """How many threads each BLAS library may use."""
    return [library.get_num_threads() for library in BLAS.lib_controllers]


@pytest.fixture(params=[2, 1])
def setting(request):
    """What the user has set: two threads, or one."""
    with threadpool_limits(request.param, user_api="blas"):
        assert threads() == [request.param] * len(threads())
        assert threads()
        yield [request.param] * len(threads())


def ones():
    return [1] * len(threads())


def test_one_thread_inside_and_what_was_before_afterwards(setting):
    for _ in range(2):
        with single_thread:
            assert threads() == ones()
        assert threads() == setting


def test_nested(setting):
    with single_thread:
        with single_thread:
            with single_thread:
                assert threads() == ones()
            assert threads() == ones()
        assert threads() == ones()
    assert threads() == setting


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_error(error, setting):
    with pytest.raises(error), single_thread, single_thread:
        raise error
    assert threads() == setting
    with single_thread:
        assert threads() == ones()
    assert threads() == setting


def test_another_setting_later_is_the_one_that_comes_back():
    for number in (2, 1, 2):
        with threadpool_limits(number, user_api="blas"):
            with single_thread:
                assert threads() == ones()
            assert set(threads()) == {number}


@pytest.mark.parametrize("fresh", [True, False], ids=["first use", "later"])
def test_several_threads_at_once(fresh, setting):
    """As long as anyone is inside there is one thread, and when the last leaves, the setting is back."""
    guard = blas._SingleThread() if fresh else single_thread
    barrier = threading.Barrier(8)
    seen = []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(seed):
        draws = random.Random(seed)
        barrier.wait()
        for _ in range(60):
            with guard:
                seen.append(threads())
                if draws.random() < 0.3:
                    time.sleep(draws.random() / 2000)
                with guard:
                    seen.append(threads())
                seen.append(threads())

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    assert len(seen) == 8 * 60 * 3
    assert all(inside == ones() for inside in seen)
    assert threads() == setting


def test_the_last_to_leave_need_not_be_the_first_to_come(setting):
    """Neither in a thread of the engine's, nor for whoever sets the number of threads later, from any thread."""
    came, may_leave = threading.Event(), threading.Event()
    seen = []

    def stay():
        with single_thread:
            came.set()
            may_leave.wait(10)
            seen.append(threads())
        seen.append(threads())

    def set_it():
        with threadpool_limits(1, user_api="blas"):
            seen.append(threads())

    first = threading.Thread(target=stay)
    with single_thread:
        first.start()
        came.wait(10)
    assert threads() == ones()
    may_leave.set()
    first.join()
    assert seen == [ones(), setting]
    assert threads() == setting
    with threadpool_limits(2, user_api="blas"):
        pass  # gives up control again
    with single_thread:
        pass
    other = threading.Thread(target=set_it)
    other.start()
    other.join()
    assert seen[-1] == ones()


def test_entering_that_fails_counts_for_nothing(setting, monkeypatch):
    guard = blas._SingleThread()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "threadpoolctl", None)
        with pytest.raises(ImportError), guard:
            pass
    with guard:
        assert threads() == ones()
    assert threads() == setting


def build(**given):
    model = Sequential([Input((5, 3)), SimpleRNN(4), Dense(1)])
    model.compile(**{"optimizer": "rmsprop", "loss": "mse", **given})
    return model


def test_the_engine_computes_with_one_thread_and_leaves_the_setting(setting):
    model = build()
    inside = {}

    def note(hook):
        return lambda *arguments, logs=None: inside.setdefault(hook, threads())

    hooks = ["on_train_batch_end", "on_test_batch_end", "on_predict_batch_end", "on_epoch_end"]
    watch = callbacks.LambdaCallback(**{hook: note(hook) for hook in hooks})
    for run in (
        lambda: model.fit(X, Y, verbose=0, validation_split=0.2, callbacks=[watch]),
        lambda: model.evaluate(X, Y, verbose=0, callbacks=[watch]),
        lambda: model.predict(X, batch_size=7, callbacks=[watch]),
        lambda: model.predict(X),
        lambda: model.predict(X[:1]),
        lambda: model.predict_on_batch(X),
        lambda: model.train_on_batch(X, Y),
        lambda: model.test_on_batch(X, Y),
        lambda: model(X),
    ):
        run()
        assert threads() == setting
    assert inside == {hook: ones() for hook in hooks}


def test_the_forward_pass_itself_runs_with_one_thread(setting, monkeypatch):
    seen = []
    forward = SimpleRNN.forward

    def watched(self, *arguments):
        seen.append(threads())
        return forward(self, *arguments)

    monkeypatch.setattr(SimpleRNN, "forward", watched)
    model = build()
    calls = (model.predict, model.predict_on_batch)
    for call in calls:
        call(X)
    model.train_on_batch(X, Y)
    model.test_on_batch(X, Y)
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    assert len(seen) == 4 + 2 * 2
    assert all(inside == ones() for inside in seen)


def test_the_setting_is_back_after_training_that_fails(setting):
    def fail(batch, logs):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        build().fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_train_batch_end=fail)])
    assert threads() == setting
    with pytest.raises(NonFiniteError):
        build(optimizer=optimizers.SGD(1e38)).fit(X, Y, epochs=50, batch_size=5, verbose=0)
    assert threads() == setting
    with pytest.raises(ValueError, match="NaN"):
        build().predict(X * np.nan)
    assert threads() == setting


# Denormal numbers.


def share_of_denormals(x):
    return np.mean((x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny))


def long_step():
    """The workload W5: gradients vanish on their way through 1,000 time steps."""
    draws = np.random.default_rng(1)
    model = Sequential([Input((1000, 32)), SimpleRNN(128), Dense(1)])
    model.set_weights([draws.uniform(-1, 1, w.shape) * (3 / sum(w.shape)) ** 0.5 for w in model.get_weights()])
    model.compile("rmsprop", "mse")
    model.prepare_training()
    x, y = draws.normal(size=(32, 1000, 32)).astype(np.float32), draws.normal(size=(32, 1)).astype(np.float32)
    step = loop.Step(model, x.shape, y.shape, True)
    step.train(x, y, None)
    return model, step.passes.records[0]


def test_vanishing_gradients_leave_no_denormals_behind(monkeypatch):
    flush, left = simple_rnn_passes.flush, []

    def watched(x):
        flush(x)
        left.append(share_of_denormals(x))

    monkeypatch.setattr(simple_rnn_passes, "flush", watched)
    with single_thread:
        model, record = long_step()
    assert len(left) > 10
    assert max(left) == 0
    assert 0 < record.first_active < 1000  # the gradient did vanish on the way
    assert share_of_denormals(record.d_preactivation[record.first_active :]) < 0.003
    assert share_of_denormals(model.d_vector) == 0

    monkeypatch.setattr(simple_rnn_passes, "flush", lambda x: None)
    with single_thread:
        without, record = long_step()
    assert share_of_denormals(record.d_preactivation[record.first_active :]) > 0.05  # so the test above sees them
    largest = np.abs(without.d_vector).max()
    assert np.abs(model.d_vector - without.d_vector).max() < 1e-7 * largest


OPTIMIZERS = {
    "rmsprop": lambda: optimizers.RMSprop(),
    "rmsprop, momentum, centered": lambda: optimizers.RMSprop(momentum=0.9, centered=True),
    "sgd, momentum": lambda: optimizers.SGD(momentum=0.9),
    "adam": lambda: optimizers.Adam(),
    "adam, slow": lambda: optimizers.Adam(beta_2=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_averages_of_dead_gradients_stay_clear_of_denormals(name):
    """A unit that has died gets gradients of exactly zero; its averages would decay into denormals, and stay."""
    model = Sequential([Input((1, 2)), SimpleRNN(3, "relu"), Dense(1)])
    model.compile(OPTIMIZERS[name](), "mse")
    x, y = np.ones((4, 1, 2), np.float32), np.ones((4, 1), np.float32)
    model.train_on_batch(x, y)
    model.layers[0].bias[...] = -1e6
    step = loop.Step(model, x.shape, y.shape, True)
    met = 0.0
    with single_thread:
        for number in range(6000):
            step.train(x, y, None)
            if number % 7 == 0:
                met = max(met, *(share_of_denormals(slot) for slot in model.optimizer.slots.values()))
    assert not model.layers[0].views(model.parts(model.d_vector)[0])["kernel"].any()  # dead indeed
    assert met == 0
    for slot in model.optimizer.slots.values():
        assert np.count_nonzero(slot) < slot.size
