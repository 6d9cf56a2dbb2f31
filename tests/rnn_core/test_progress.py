"""Progress is printed byte for byte as Keras prints it, for the same updates on the same clock."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
from keras.src.utils import progbar as keras_progbar

import rnn_core.progress as progress
from rnn_core.callbacks import CallbackList, recorders
from rnn_core.progress import Progbar, print_message

CLOCK = SimpleNamespace(now=0.0)


@pytest.fixture(scope="module", autouse=True)
def one_clock():
    """Both read the same clock, which goes on only where a test says so."""
    clock = SimpleNamespace(time=lambda: CLOCK.now, perf_counter=lambda: CLOCK.now)
    with pytest.MonkeyPatch.context() as patch:
        for module in (keras_progbar, progress, recorders):
            patch.setattr(module, "time", clock)
        yield


def printed(action, *args) -> str:
    CLOCK.now = 1000.0
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        action(*args)
    return text.getvalue()


def screen(text: str) -> list[str]:
    """The lines that a terminal shows after `text`."""
    lines, row = [], []
    column = 0
    for char in re.sub(r"\x1b\[\d+m", "", text):
        if char == "\n":
            lines.append("".join(row).rstrip())
            row, column = [], 0
        elif char == "\r":
            column = 0
        elif char == "\b":
            column = max(column - 1, 0)
        else:
            row[column : column + 1] = [char]
            column += 1
    return lines


numbers = st.floats(-1e6, 1e6) | st.floats(-2e-3, 2e-3) | st.sampled_from([0.0, 1e-3, -1e-3, float("nan")])
waits = st.sampled_from([0.0, 1e-6, 2e-4, 0.01, 0.049, 0.05, 0.06, 0.9, 1.0, 7.5, 70.0, 3601.0, 9000.0])
updates = st.lists(
    st.tuples(st.integers(0, 40), waits, st.dictionaries(st.sampled_from(["loss", "mae", "acc"]), numbers)),
    max_size=8,
)


@given(
    st.none() | st.integers(0, 130),
    updates,
    st.fixed_dictionaries(
        {"verbose": st.sampled_from([0, 1, 2]), "width": st.integers(0, 30)},
        optional={"interval": st.sampled_from([0, 0.05, 5]), "unit_name": st.just("sample")},
    ),
    st.sampled_from([{}, {"stateful_metrics": ["mae"]}, {"stateless_metrics": []}, {"stateless_metrics": ["loss"]}]),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
@example(100, [(1, 0.01, {"loss": 0.5}), (99, 1.0, {"loss": 0.1})], {"verbose": 1, "width": 20}, {}, True)
@example(100, [(1, 0.01, {}), (1, 40.0, {}), (1, 140.0, {})], {"verbose": 1, "width": 20}, {}, True)  # 1:06:00 to go
@example(12, [(1, 0.01, {}), (1, 6.3, {})], {"verbose": 1, "width": 20}, {}, True)  # 1:03 to go
def test_progbar_prints_what_keras_prints(target, steps, settings_, metrics, redraws):
    def run(cls):
        bar = cls(target, **settings_, **metrics)
        bar._redraws = bar._dynamic_display = redraws
        for n, seconds, values in steps:
            CLOCK.now += seconds
            bar.add(n, list(values.items()))
        CLOCK.now += 0.01
        bar.update(target or 17, [("loss", 0.25), ("val_loss", 1e-4)], finalize=True)

    assert printed(run, Progbar) == printed(run, keras.utils.Progbar)


def test_progbar_refuses_both_lists_of_metrics():
    with pytest.raises(ValueError, match="not both"):
        Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"])


class Synchronous(keras.callbacks.Callback):
    """With this in its list, Keras calls the batch hooks at once and not in a thread."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    on_test_batch_end = on_predict_batch_end = on_train_batch_end


def keras_list(callbacks=(), **params):
    return keras.callbacks.CallbackList([Synchronous(), *callbacks], **params)


def fit(make_list, epochs, steps, batch_seconds, verbose):
    """Call the hooks as `fit` with validation does."""
    hooks = make_list(add_progbar=True, verbose=verbose, epochs=epochs, steps=steps)
    hooks.on_train_begin()
    for epoch in range(epochs):
        hooks.on_epoch_begin(epoch)
        for batch in range(steps):
            hooks.on_train_batch_begin(batch)
            CLOCK.now += batch_seconds * (5 if batch == 0 else 1)  # the first is slow
            hooks.on_train_batch_end(batch, {"mae": 1 / (batch + 1), "acc": 0.5, "loss": 2.0**-epoch})
        hooks.on_test_begin()
        for batch in range(2):
            hooks.on_test_batch_end(batch, {"loss": 1.0})
        hooks.on_test_end({"loss": 1.0})
        hooks.on_epoch_end(epoch, {"mae": 0.5, "acc": 0.5, "loss": 0.25, "val_loss": 0.5, "val_acc": 0.0})
    hooks.on_train_end()


def evaluate(make_list, epochs, steps, batch_seconds, verbose):
    hooks = make_list(add_progbar=True, verbose=verbose, epochs=1, steps=steps)
    hooks.on_test_begin()
    for batch in range(steps):
        CLOCK.now += batch_seconds * (5 if batch == 0 else 1)  # the first is slow
        hooks.on_test_batch_end(batch, {"loss": 1.0 + batch})
    hooks.on_test_end({"loss": 3.0})


def predict(make_list, epochs, steps, batch_seconds, verbose):
    hooks = make_list(add_progbar=True, verbose=verbose, epochs=1, steps=steps)
    hooks.on_predict_begin()
    for batch in range(steps):
        CLOCK.now += batch_seconds * (5 if batch == 0 else 1)  # the first is slow
        hooks.on_predict_batch_end(batch, {"outputs": [1, 2]})
    hooks.on_predict_end()


runs = given(
    st.sampled_from([fit, evaluate, predict]),
    st.integers(1, 3),
    st.integers(1, 12),
    st.sampled_from(["auto", 0, 1, 2]),
    st.data(),
)


@runs
@settings(max_examples=100, deadline=None)
def test_fit_evaluate_and_predict_print_what_keras_prints(run, epochs, steps, verbose, data):
    arguments = epochs, steps, data.draw(st.sampled_from([0.051, 0.3, 20.0])), verbose
    assert printed(run, CallbackList, *arguments) == printed(run, keras_list, *arguments)


@runs
@settings(max_examples=50, deadline=None)
def test_short_epochs_leave_what_keras_leaves_on_the_screen(run, epochs, steps, verbose, data):
    arguments = epochs, steps, data.draw(st.sampled_from([1e-5, 0.004, 0.03, 0.05])), verbose
    ours, keras_text = printed(run, CallbackList, *arguments), printed(run, keras_list, *arguments)
    assert screen(ours) == screen(keras_text)
    assert len(ours) <= len(keras_text)


def test_an_epoch_shorter_than_the_interval_is_drawn_once():
    text = printed(fit, CallbackList, 10, 20, 1e-5, 1)
    assert text.count("/20") == 10 + 1  # and the first batch of all


def test_the_unknown_number_of_steps_is_counted():
    def run(make_list):
        hooks = make_list(add_progbar=True, verbose=2, epochs=1, steps=None)
        hooks.on_epoch_begin(0)
        for batch in range(7):
            hooks.on_train_batch_end(batch, {"loss": 1.0})
        hooks.on_epoch_end(0, {"loss": 1.0})

    assert printed(run, CallbackList) == printed(run, keras_list)
    assert "7/7" in printed(run, CallbackList)


def test_logs_are_made_only_where_they_are_drawn():
    made = []

    def logs():
        made.append(CLOCK.now)
        return {"loss": 0.5}

    def run():
        hooks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=1000)
        hooks.on_train_begin()
        hooks.on_epoch_begin(0)
        for batch in range(1000):
            hooks.on_train_batch_end(batch, logs)
            CLOCK.now += 0.001

    printed(run)
    assert 20 <= len(made) <= 21


def test_a_terminal_without_the_bar_character_gets_another(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    print_message("━━ ä 1s")
    assert raw.getvalue() == b"==  1s\n"
