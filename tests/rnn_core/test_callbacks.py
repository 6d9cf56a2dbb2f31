"""Callbacks decide, write and print what Keras' callbacks do when both are told the same."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

from rnn_core import callbacks, config
from rnn_core.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from rnn_core.callbacks.monitor import higher_is_better
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.utils import set_random_seed


class Optimizer:
    """Holds the learning rate in floatx, as Keras' optimizers do."""

    def __init__(self):
        self.learning_rate = 0.5

    @property
    def learning_rate(self):
        return float(self._rate)

    @learning_rate.setter
    def learning_rate(self, rate):
        self._rate = np.dtype(config.floatx()).type(rate)


class Model:
    """What callbacks need of a model; its one weight tells the epoch."""

    def __init__(self):
        self.stop_training = False
        self.weights = [np.array([-1.0])]
        self.optimizer = Optimizer()
        self.saved = []
        self.metrics = []

    def get_weights(self):
        return [w.copy() for w in self.weights]

    def set_weights(self, weights):
        self.weights = [w.copy() for w in weights]

    def save_weights(self, path, overwrite=True):
        self.saved.append((path, float(self.weights[0][0])))


def fit(callback, epochs_logs, batches_logs=()):
    """Run the hooks of `fit`; return the model, the number of epochs and what was printed."""
    model = Model()
    text = io.StringIO()
    epochs = 0
    with contextlib.redirect_stdout(text):
        callback.set_model(model)
        callback.set_params({"epochs": len(epochs_logs), "steps": len(batches_logs), "verbose": 0})
        callback.on_train_begin()
        for epoch, logs in enumerate(epochs_logs):
            callback.on_epoch_begin(epoch)
            for batch, batch_logs in enumerate(batches_logs):
                callback.on_train_batch_begin(batch)
                callback.on_train_batch_end(batch, dict(batch_logs))
            model.weights[0][0] = epoch
            callback.on_epoch_end(epoch, dict(logs))
            epochs += 1
            if model.stop_training:
                break
        callback.on_train_end()
    return model, epochs, text.getvalue()


# Sixteenths are exact in float32, in which Keras compares, so a tie is a tie in both.
sixteenths = st.integers(-24, 24).map(lambda n: n / 16)
series = st.lists(sixteenths | st.sampled_from([float("nan"), float("inf")]), min_size=1, max_size=14)
deltas = st.sampled_from([0, 1 / 16, -1 / 8, 0.5])
modes = st.sampled_from(["auto", "min", "max"])


@given(
    series,
    st.fixed_dictionaries(
        {"mode": modes, "patience": st.integers(0, 4), "min_delta": deltas, "verbose": st.integers(0, 1)},
        optional={
            "baseline": sixteenths,
            "restore_best_weights": st.booleans(),
            "start_from_epoch": st.integers(0, 5),
        },
    ),
)
@settings(max_examples=120, deadline=None)
def test_early_stopping_decides_as_keras(values, options):
    logs = [{"loss": 0.0, "val_loss": value} for value in values]
    ours, theirs = EarlyStopping(**options), keras.callbacks.EarlyStopping(**options)
    model, epochs, text = fit(ours, logs)
    keras_model, keras_epochs, keras_text = fit(theirs, logs)
    assert epochs == keras_epochs
    assert text == keras_text
    assert model.weights == keras_model.weights
    for name in ("wait", "stopped_epoch", "best_epoch", "best"):
        np.testing.assert_equal(getattr(ours, name), getattr(theirs, name))


def test_early_stopping_gives_the_best_weights_back_even_if_it_never_stops():
    model, epochs, _ = fit(EarlyStopping("loss", patience=9, restore_best_weights=True), losses(3, 1, 2))
    assert (epochs, model.weights[0][0]) == (3, 1)


def losses(*values):
    return [{"loss": float(value)} for value in values]


def test_early_stopping_starts_anew_in_each_fit():
    stopping = EarlyStopping("loss", patience=1)
    assert [fit(stopping, losses(1, 2, 3, 4))[1] for _ in range(2)] == [2, 2]


def test_improvements_below_float32_count():
    # Keras compares in float32, where 1 - 1e-9 is 1.
    logs = losses(*(1 - 1e-9 * np.arange(6)))
    assert fit(keras.callbacks.EarlyStopping("loss", patience=2), logs)[1] == 3
    assert fit(EarlyStopping("loss", patience=2), logs)[1] == 6


@given(
    series,
    st.fixed_dictionaries(
        {"mode": modes, "patience": st.integers(0, 3), "min_delta": deltas, "verbose": st.integers(0, 1)},
        optional={
            "factor": st.sampled_from([0.0, 0.25, 0.5]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.sampled_from([0.0625, 0.1, 0.5, 1.0]),
        },
    ),
)
@settings(max_examples=120, deadline=None)
def test_reduce_lr_on_plateau_decides_as_keras(values, options):
    def rates(cls):
        seen = []
        callback = cls(**options)
        notes = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
        text = fit(CallbackList([Both(callback), notes]), [{"val_loss": value} for value in values])[2]
        return seen, callback.wait, callback.cooldown_counter, text

    np.testing.assert_equal(rates(ReduceLROnPlateau), rates(keras.callbacks.ReduceLROnPlateau))


class Both(Callback):
    """Lets a Keras callback run in a list of ours."""

    def __init__(self, inner):
        self.inner = inner

    def set_model(self, model):
        self.inner.set_model(model)

    def on_train_begin(self, logs=None):
        self.inner.on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.inner.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.inner.on_epoch_end(epoch, logs)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate * 0.5,
        lambda epoch: 0.25 / (1 + epoch),
        lambda epoch, rate=None: np.float32(0.125),
        lambda *arguments: 0.5 ** len(arguments),
    ],
)
def test_learning_rate_scheduler_sets_what_keras_sets(schedule):
    def run(cls):
        seen = []
        notes = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["learning_rate"]))
        text = fit(CallbackList([Both(cls(schedule, verbose=1)), notes]), losses(1, 1, 1))[2]
        return seen, text

    assert run(LearningRateScheduler) == run(keras.callbacks.LearningRateScheduler)


def test_the_learning_rate_is_logged_in_floatx():
    scheduler = LearningRateScheduler(lambda epoch: 0.001)
    history = History()
    fit(CallbackList([scheduler, history]), losses(1))
    assert history.history["learning_rate"] == [float(np.float32(0.001))]  # as in Keras
    config.set_floatx("float64")
    try:
        fit(CallbackList([scheduler, history]), losses(1))
    finally:
        config.set_floatx("float32")
    assert history.history["learning_rate"][1] == 0.001


@pytest.mark.parametrize("bad", [None, "0.1", float("nan"), -0.1, [0.1], True])
def test_a_schedule_must_return_a_number(bad):
    with pytest.raises(ValueError, match="what schedule returns must be a number of at least 0"):
        fit(LearningRateScheduler(lambda epoch: bad), losses(1))


def test_a_type_error_inside_a_schedule_is_shown():
    # Keras takes it for a schedule that takes one argument, and calls it again.
    def schedule(epoch, rate):
        return rate + "a"

    with pytest.raises(TypeError, match="unsupported operand"):
        fit(LearningRateScheduler(schedule), losses(1))


@given(
    st.lists(st.tuples(sixteenths, sixteenths), min_size=1, max_size=6),
    st.fixed_dictionaries(
        {"mode": modes, "verbose": st.integers(0, 1), "save_best_only": st.booleans()},
        optional={"initial_value_threshold": sixteenths, "save_freq": st.sampled_from(["epoch", 1, 2, 3, 7])},
    ),
    st.sampled_from(["w", "{epoch:02d}-{val_loss:.2f}", "{epoch}_{loss:.3f}"]),
)
@settings(max_examples=120, deadline=None)
def test_model_checkpoint_saves_when_keras_saves(values, options, name):
    by_batch = options.get("save_freq", "epoch") != "epoch"
    if by_batch:
        name += "-{batch}"

    def run(cls, suffix):
        callback = cls(name + suffix, save_weights_only=True, **options)
        if cls is not ModelCheckpoint:
            callback.set_model(Model())
            callback._set_monitor_op()  # Keras fails where it compares before the first epoch has ended
        logs = [{"loss": loss, "val_loss": val_loss} for loss, val_loss in values]
        model, _, text = fit(callback, logs, logs)
        return (
            [(path.removesuffix(suffix), w) for path, w in model.saved],
            text.replace(suffix, ""),
            callback.best,
        )

    assert run(ModelCheckpoint, ".npz") == run(keras.callbacks.ModelCheckpoint, ".weights.h5")


def test_model_checkpoint_makes_folders_and_takes_paths(tmp_path):
    path = tmp_path / "a" / "{epoch}" / "w.npz"
    model, _, _ = fit(ModelCheckpoint(path, save_weights_only=True), losses(1, 2))
    assert [saved for saved, _ in model.saved] == [str(tmp_path / "a" / n / "w.npz") for n in "12"]
    assert (tmp_path / "a" / "2").is_dir()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"filepath": "a.keras"}, "whole-model files are not supported; pass save_weights_only=True"),
        (
            {"filepath": "a.weights.h5", "save_weights_only": True},
            r"must end in '\.npz'.* got 'a\.weights\.h5'.*Keras' own",
        ),
        ({"filepath": "a.h5", "save_weights_only": True}, r"must end in '\.npz'"),
        ({"filepath": "a.keras", "save_weights_only": True}, r"must end in '\.npz'"),
        ({"filepath": "a", "save_weights_only": True}, r"must end in '\.npz'"),
        (
            {"filepath": "a.npz", "save_weights_only": True, "save_freq": "batch"},
            "must be 'epoch' or an integer",
        ),
        (
            {"filepath": "a.npz", "save_weights_only": True, "save_freq": 0},
            "save_freq must be an integer of at least 1",
        ),
        ({"filepath": "a.npz", "save_weights_only": True, "save_freq": 1.5}, "save_freq must be an integer"),
    ],
)
def test_model_checkpoint_refuses(options, match):
    with pytest.raises(ValueError, match=match):
        ModelCheckpoint(**options)


def test_model_checkpoint_names_what_the_path_may_hold():
    with pytest.raises(ValueError, match="names 'val_loss', known are epoch, loss"):
        fit(ModelCheckpoint("{val_loss}.npz", save_weights_only=True), losses(1))


@pytest.mark.parametrize(
    "make",
    [
        EarlyStopping,
        ReduceLROnPlateau,
        lambda monitor: ModelCheckpoint("a.npz", monitor, save_best_only=True, save_weights_only=True),
    ],
)
def test_a_missing_value_is_an_error(make):
    with pytest.raises(ValueError, match=r"monitor='val_loss' is not among.* loss.*It needs validation_data"):
        fit(make("val_loss"), losses(1))
    with pytest.raises(ValueError, match=r"monitor='val_los' is not among.* Did you mean 'val_loss'"):
        fit(make("val_los"), [{"loss": 1.0, "val_loss": 1.0}])
    with pytest.raises(ValueError, match=r"\(none\)"):
        fit(make("loss"), [{}]) if make is not ReduceLROnPlateau else make("loss").monitored({})


@given(
    st.lists(st.none() | sixteenths, min_size=1, max_size=12),
    st.sampled_from([EarlyStopping, ReduceLROnPlateau]),
)
@settings(max_examples=50, deadline=None)
def test_epochs_without_validation_are_passed_over(values, cls):
    def run(callback, params):
        logs = [{"loss": 0.0} if value is None else {"loss": 0.0, "val_loss": value} for value in values]
        callback.set_params(params)
        callback.set_params = lambda params: None
        model, epochs, _ = fit(callback, logs)
        return epochs, model.optimizer.learning_rate, callback.wait, callback.best

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns at each such epoch
        theirs = run(getattr(keras.callbacks, cls.__name__)(patience=2), {})
    assert run(cls(patience=2), {"validation_freq": 2}) == theirs


def test_epochs_without_validation_are_no_checkpoint():
    callback = ModelCheckpoint("{val_loss}.npz", save_best_only=True, save_weights_only=True)
    callback.set_model(Model())
    callback.set_params({"validation_freq": [2, 4]})
    for epoch, logs in enumerate([{"loss": 1.0}, {"val_loss": 1.0}, {"loss": 1.0}, {"val_loss": 0.5}]):
        callback.on_epoch_end(epoch, logs)
    assert [path for path, _ in callback.model.saved] == ["1.0.npz", "0.5.npz"]


def test_monitors_refuse():
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max', got 'least'"):
        EarlyStopping(mode="least")
    with pytest.raises(ValueError, match="patience must be an integer of at least 0, got -1"):
        EarlyStopping(patience=-1)
    with pytest.raises(ValueError, match="min_delta must be a number"):
        EarlyStopping(min_delta="small")
    with pytest.raises(TypeError, match="monitor must be a name"):
        EarlyStopping(monitor=["loss"])
    with pytest.raises(TypeError, match="'loss' must be a number"):
        fit(EarlyStopping("loss"), [{"loss": [1, 2]}])
    with pytest.raises(ValueError, match="whether more of 'score' is better is not known; pass mode='max'"):
        fit(EarlyStopping("score"), [{"score": 1.0}])
    with pytest.raises(ValueError, match=r"factor must be below 1, got 1\.0"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.raises(TypeError, match="epsilon"):
        ReduceLROnPlateau(epsilon=1e-4)


def test_directions_are_keras():
    from keras.src.metrics import ALL_OBJECTS_DICT

    known = 0
    for name, cls in ALL_OBJECTS_DICT.items():
        for arguments in ({}, {"num_classes": 3}):
            with contextlib.suppress(TypeError, AttributeError):
                metric = cls(**arguments)
                direction = {"up": True, "down": False}.get(getattr(metric, "_direction", None))
                if direction is None or "io_u" in metric.name:
                    continue
                known += 1
                assert higher_is_better(metric.name) is direction, metric.name
                assert higher_is_better(f"val_{metric.name}") is direction
                if name.lower() in ("mse", "mae", "mape", "msle", "bce"):
                    assert higher_is_better(name) is direction
    assert known > 40
    assert higher_is_better("acc") is True
    assert higher_is_better("loss") is False


@pytest.mark.parametrize("raise_error", [False, True])
@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1.0])
def test_terminate_on_nan_is_keras(loss, raise_error):
    def run(cls):
        try:
            model, epochs, text = fit(cls(raise_error), losses(1, 1), [{"mae": 1.0}, {"loss": loss}])
        except RuntimeError:
            return "raised"
        return model.stop_training, epochs, text

    assert run(TerminateOnNaN) == run(keras.callbacks.TerminateOnNaN)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize(
    "logs",
    [
        [{"loss": 0.1, "b": 2.0}, {"loss": 1e-30, "b": float("nan")}],
        [{"loss": 0.5, "val_loss": 1 / 3}, {"loss": 0.25}, {"new": 1.0}],
        [{"loss": np.arange(3), "text": 'a,"b"'}, {"loss": [0.5, 2]}],
        [{}],
    ],
)
def test_csv_logger_writes_the_bytes_of_keras(tmp_path, separator, append, logs):
    def write(cls):
        path = tmp_path / f"{cls.__module__}.csv"
        logger = cls(path, separator=separator, append=append)
        for _ in range(2):
            fit(logger, logs)
        return path.read_bytes()

    assert write(CSVLogger) == write(keras.callbacks.CSVLogger)


def test_csv_lines_are_there_at_once(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(str(path))
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
    assert path.read_text() == "epoch,loss,val_loss\n0,0.5,0.25\n"
    logger.on_train_begin()  # the fit before may have raised, so that no on_train_end came
    assert path.read_text() == ""


def test_csv_logger_refuses():
    with pytest.raises(ValueError, match="separator must be one character, got ', '"):
        CSVLogger("a.csv", separator=", ")


def test_history_is_keras():
    logs = [{"loss": 0.5, "val_loss": 1.0}, {"loss": 0.25}]
    ours, theirs = History(), keras.callbacks.History()
    fit(ours, logs)
    fit(theirs, logs)
    assert (ours.history, ours.epoch, ours.params) == (theirs.history, theirs.epoch, theirs.params)


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


def test_lambda_callback():
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
    with pytest.raises(TypeError, match=r"'on_epoch_ends' is no hook\. Did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="on_train_end must be a function, got 3"):
        LambdaCallback(on_train_end=3)


# With a real model.


def small_model():
    set_random_seed(1)
    model = Sequential([Input((2, 1)), SimpleRNN(3), Dense(1)])
    model.compile("rmsprop", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(24, 2, 1))
    return model, x, x.sum(axis=(1, 2))


def test_early_stopping_restores_the_weights_of_the_best_epoch():
    model, x, y = small_model()
    weights = []
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    worse = LearningRateScheduler(lambda epoch: 0.001 if epoch < 3 else 1.0)
    stopping = EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = model.fit(x, y, epochs=50, verbose=0, callbacks=[worse, keep, stopping], shuffle=False)
    best = int(np.argmin(history.history["loss"]))
    assert len(weights) == best + 3 < 50
    for ours, kept in zip(model.get_weights(), weights[best], strict=True):
        np.testing.assert_array_equal(ours, kept)


def test_checkpoints_load(tmp_path):
    model, x, y = small_model()
    weights = []
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    save = ModelCheckpoint(tmp_path / "{epoch:02d}.npz", save_weights_only=True)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[keep, save])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01.npz", "02.npz", "03.npz"]
    model.load_weights(tmp_path / "02.npz")
    for ours, kept in zip(model.get_weights(), weights[1], strict=True):
        np.testing.assert_array_equal(ours, kept)


def test_a_run_logs_the_same_everywhere(tmp_path, capsys):
    model, x, y = small_model()
    seen = []
    note = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    options = {"epochs": 2, "batch_size": 10, "validation_split": 0.25, "verbose": 2}
    history = model.fit(x, y, callbacks=[note, CSVLogger(tmp_path / "log.csv")], **options)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert history.history == {name: [logs[name] for logs in seen] for name in history.history}
    assert history.params == {"epochs": 2, "steps": 2, "verbose": 2}
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows[1] == ",".join(["0", *map(str, seen[0].values())])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Epoch 1/2"
    values = [f"{name}: {value:.4f}" for name, value in seen[0].items()]
    assert re.fullmatch(r"2/2 - 0s - \d+[mu]?s/step - " + " - ".join(values), printed[1])


def test_a_callback_can_end_training_after_a_batch():
    model, x, y = small_model()
    batches = []

    def stop(batch, logs):
        batches.append(batch)
        model.stop_training = batch == 1

    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=LambdaCallback(on_train_batch_end=stop))
    assert batches == [0, 1]
    assert history.epoch == [0]


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
