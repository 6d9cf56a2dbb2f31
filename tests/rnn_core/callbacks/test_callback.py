"""Callbacks made of functions, and Keras' names."""

from __future__ import annotations

import inspect

import pytest

from rnn_core import callbacks
from rnn_core.callbacks import CallbackList, LambdaCallback

from ..float64 import keras


def test_a_lambda_callback_calls_the_functions_it_was_given():
    seen = []
    callback = LambdaCallback(
        lambda epoch, logs: seen.append(epoch),
        on_train_batch_end=lambda batch, logs: seen.append((batch, logs)),
        on_predict_begin=lambda logs: seen.append("predict"),
    )
    hooks = CallbackList(callback)
    hooks.on_epoch_begin(3)
    hooks.on_epoch_end(3)
    hooks.on_train_batch_end(1, {"loss": 1})
    hooks.on_predict_begin()
    assert seen == [3, (1, {"loss": 1.0}), "predict"]


def test_a_lambda_callback_refuses_other_names_and_what_is_no_function():
    with pytest.raises(TypeError, match=r"'on_epoch_ends' is no hook\. Did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="on_train_end must be a function, got 3"):
        LambdaCallback(on_train_end=3)


def test_every_callback_of_keras_is_here_or_refused_clearly():
    for name in dir(keras.callbacks):
        if not name[0].isupper():
            continue
        if name in callbacks.__all__:
            ours, theirs = (inspect.signature(getattr(m, name)).parameters for m in (callbacks, keras.callbacks))
            defaults = {n: p.default for n, p in theirs.items() if p.kind is not p.VAR_KEYWORD or n in ours}
            assert {n: p.default for n, p in ours.items()} == defaults, name
        else:
            with pytest.raises(ImportError, match=f"rnn_core.callbacks has no {name}"):
                getattr(callbacks, name)
    with pytest.raises(ImportError, match="CSVLogger writes the logs"):
        from rnn_core.callbacks import TensorBoard  # noqa: F401
    with pytest.raises(AttributeError, match="no attribute 'Tensorbord'"):
        callbacks.Tensorbord  # noqa: B018
