"""A list of callbacks passes on each hook that a callback overrides, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core import callbacks
from rnn_core.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    History,
    LambdaCallback,
    ModelCheckpoint,
    ProgbarLogger,
)

from ..float64 import keras
from .pretended_fit import Model


class Recorder(Callback):
    """Writes down every call."""

    def __init__(self):
        self.calls = []


for _hook in callbacks.callback.HOOKS:
    if _hook not in ("on_batch_begin", "on_batch_end"):
        setattr(Recorder, _hook, lambda self, *a, _hook=_hook, logs=None: self.calls.append((_hook, *a, logs)))


def test_a_list_passes_every_hook_on():
    recorder = Recorder()
    hooks = CallbackList(recorder)
    expected = []
    for hook in callbacks.callback.HOOKS:
        if hook in ("on_batch_begin", "on_batch_end"):
            continue
        place = (3,) if "batch" in hook or "epoch" in hook else ()
        getattr(hooks, hook)(*place, {"b": 1, "a": np.float32(0.5)})
        # logs come by keyword in batch hooks, by position in the others, as in Keras
        expected.append((hook, *place, *([{"a": 0.5, "b": 1.0}] if "batch" in hook else [{"a": 0.5, "b": 1.0}, None])))
    assert recorder.calls == expected
    assert list(recorder.calls[0][-2]) == ["a", "b"]
    assert hooks.has_train_batch_hooks
    assert hooks.has_test_batch_hooks
    assert hooks.has_predict_batch_hooks


def test_hooks_that_nothing_overrides_are_not_called():
    hooks = CallbackList(
        [History(), EarlyStopping(), ModelCheckpoint("a.npz", save_weights_only=True)], add_progbar=True
    )
    hooks.set_params({"verbose": 2, "epochs": 2, "steps": 5})
    assert not hooks.has_batch_hooks
    hooks.set_params({"verbose": 1, "epochs": 2, "steps": 5})
    assert hooks.has_train_batch_hooks
    assert not CallbackList(Callback()).has_batch_hooks
    assert CallbackList(ModelCheckpoint("a.npz", save_weights_only=True, save_freq=2)).has_train_batch_hooks
    hooks = CallbackList(LambdaCallback(on_test_batch_end=lambda batch, logs: None))
    assert (hooks.has_train_batch_hooks, hooks.has_test_batch_hooks) == (False, True)


def test_the_older_names_of_batch_hooks_are_heard():
    class Old(Callback):
        def __init__(self):
            self.seen = []

        def on_batch_begin(self, batch, logs=None):
            self.seen.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            self.seen.append(("end", batch, logs))

    old = Old()
    hooks = CallbackList(old)
    assert hooks.has_train_batch_hooks
    hooks.on_train_batch_begin(1)
    hooks.on_train_batch_end(1, {"loss": 2})
    hooks.on_batch_end(2)
    assert old.seen == [("begin", 1), ("end", 1, {"loss": 2.0}), ("end", 2, {})]


def test_logs_may_be_a_function():
    recorder, made = Recorder(), []

    def logs():
        made.append(1)
        return {"loss": np.float32(0.5)}

    CallbackList([recorder, ProgbarLogger()]).on_train_batch_end(1, logs)
    assert recorder.calls == [("on_train_batch_end", 1, {"loss": 0.5})]
    assert made == [1]


def test_outputs_reach_predict_hooks_as_they_are():
    outputs = np.ones((1, 1))
    recorder = Recorder()
    CallbackList(recorder).on_predict_batch_end(0, {"outputs": outputs})
    assert recorder.calls[0][-1]["outputs"] is outputs


def test_defaults_are_added_once_and_at_the_end():
    model = Model()
    mine = Callback()
    hooks = CallbackList([[mine]], add_history=True, add_progbar=True, model=model, verbose=1, epochs=2, steps=3)
    assert [type(c) for c in hooks.callbacks] == [Callback, History, ProgbarLogger]
    assert model.history is hooks.callbacks[1]
    assert mine.model is model
    assert mine.params == {"verbose": 1, "epochs": 2, "steps": 3}
    again = CallbackList((History(), (ProgbarLogger(),)), add_history=True, add_progbar=True)
    assert len(again.callbacks) == 2


@pytest.mark.parametrize("bad", [1, "EarlyStopping", {"a": 1}, [History(), None, 2.0]])
def test_a_list_refuses_what_is_no_callback(bad):
    with pytest.raises(
        TypeError, match=r"callbacks must hold objects of .*rnn_core\.callbacks\.Callback, got builtins\."
    ):
        CallbackList(bad)


def test_a_keras_callback_is_refused():
    with pytest.raises(TypeError, match=r"got keras\.src\.callbacks\.history\.History"):
        CallbackList([keras.callbacks.History()])
