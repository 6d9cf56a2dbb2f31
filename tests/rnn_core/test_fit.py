"""Models do with data what Keras' models do: the same code runs on both, and every number is compared in float64."""

from __future__ import annotations

import csv
import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import rnn_core

from .float64 import float64_in

TOLERANCE = {"rtol": 1e-11, "atol": 1e-13}

draws = np.random.default_rng(3)
X = draws.normal(size=(11, 3, 2))
Y = draws.normal(size=(11, 1))
Y_SEQUENCE = draws.normal(size=(11, 3, 1))
VX, VY = draws.normal(size=(5, 3, 2)), draws.normal(size=(5, 1))
W, VW = draws.uniform(0.2, 3, size=11), draws.uniform(0.2, 3, size=5)
LABELS = draws.integers(0, 3, 11)
ONE_HOT = np.eye(3)[LABELS]
BINARY = (Y > 0).astype(float)
GAPS = X * (draws.random((11, 3, 1)) > 0.4)
GAPS[:2] = [[[0, 0], [1, 2], [0, 0]], [[0, 0], [0, 0], [0, 0]]]


@pytest.fixture(autouse=True)
def float64():
    with float64_in():
        yield


def plain(k):
    return [k.layers.SimpleRNN(3), k.layers.Dense(1)]


def relu_and_dense(k):
    return [k.layers.SimpleRNN(4, activation="relu"), k.layers.Dense(3, activation="sigmoid"), k.layers.Dense(1)]


def binary(k):
    return [k.layers.SimpleRNN(3), k.layers.Dense(1, activation="sigmoid")]


def classes(k):
    return [k.layers.SimpleRNN(3), k.layers.Dense(3, activation="softmax")]


def sequence(k):
    return [k.layers.SimpleRNN(3, return_sequences=True), k.layers.Dense(1)]


def masked(k):
    return [k.layers.Masking(), k.layers.SimpleRNN(3, return_sequences=True), k.layers.SimpleRNN(2), k.layers.Dense(1)]


def masked_sequence(k):
    return [k.layers.Masking(), *sequence(k)]


def penalised(k):
    # In Keras these numbers are float32, whatever floatx is: here they are powers of two.
    l1, l2, both = k.regularizers.L1(2**-6), k.regularizers.L2(2**-5), k.regularizers.L1L2(2**-6, 2**-5)
    return [
        k.layers.SimpleRNN(3, kernel_regularizer=l1, recurrent_regularizer=both, bias_regularizer=l2),
        k.layers.Dense(2, "tanh", kernel_regularizer=l2, bias_regularizer=l1, activity_regularizer=both),
        k.layers.Dense(1, activity_regularizer=l2),
    ]


def confined(k):
    unit, most = k.constraints.UnitNorm(axis=0), k.constraints.MaxNorm(0.5)
    return [
        k.layers.SimpleRNN(3, kernel_constraint=unit, recurrent_constraint=most, bias_constraint="non_neg"),
        k.layers.Dense(1, kernel_constraint=k.constraints.MinMaxNorm(0.2, 0.4, 0.5), bias_constraint="non_neg"),
    ]


def stateful(k):
    return [k.layers.SimpleRNN(3, stateful=True), k.layers.Dense(1)]


def twins(layers, compiled, x=X, batch=None):
    """The same model in Keras and here, with the same weights."""
    models = []
    for k in (keras, rnn_core):
        model = k.models.Sequential([k.Input(x.shape[1:], batch_size=batch), *layers(k)])
        model.compile(**(compiled(k) if callable(compiled) else compiled), run_eagerly=True)
        models.append(model)
    theirs, ours = models
    start = np.random.default_rng(5)
    ours.set_weights([start.normal(size=w.shape) / 2 for w in theirs.get_weights()])
    theirs.set_weights(ours.get_weights())
    return theirs, ours


def assert_same(ours, theirs):
    """Both are dicts of the same numbers, in the same order."""
    assert list(ours) == list(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], **TOLERANCE, err_msg=name)


def assert_same_weights(ours, theirs):
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, **TOLERANCE)


def rmsprop(**more):
    return lambda k: {"optimizer": k.optimizers.RMSprop(0.01), "loss": "mse", **more}


def optimizer(name, **settings):
    return lambda k: {"optimizer": getattr(k.optimizers, name)(**settings), "loss": "mse"}


BOTH = {"metrics": ["mae"], "weighted_metrics": ["mae", "mse"]}
ONCE = {"metrics": ["mae"], "weighted_metrics": ["mse"]}  # Keras lists a value twice where a name comes twice
BCE = rmsprop(loss="binary_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
SPARSE = rmsprop(loss="sparse_categorical_crossentropy", metrics=["acc"], weighted_metrics=["accuracy"])
ONE = rmsprop(loss="categorical_crossentropy", metrics=["accuracy"])

CASES = {
    "last batch smaller, split": (relu_and_dense, rmsprop(metrics=["mae", "mse"]), Y, {"validation_split": 0.25}),
    "targets (N,), validation of 2": (plain, rmsprop(metrics=["mae"]), Y[:, 0], {"validation_data": (VX, VY[:, 0])}),
    "validation of 3, weighted metrics": (plain, rmsprop(**BOTH), Y, {"validation_data": (VX, VY, VW)}),
    "validation batches": (plain, rmsprop(), Y, {"validation_data": [VX, VY], "validation_batch_size": 2}),
    "sample weights": (plain, rmsprop(**BOTH), Y, {"sample_weight": W}),
    "sample weights and split": (plain, rmsprop(**BOTH), Y, {"sample_weight": W, "validation_split": 0.4}),
    "class weights, binary, split": (binary, BCE, BINARY, {"class_weight": {0: 0.3, 1: 4.0}, "validation_split": 0.3}),
    "class weights, labels": (classes, SPARSE, LABELS, {"class_weight": {0: 0.5, 2: 3.0}}),
    "class weights, one-hot": (classes, ONE, ONE_HOT, {"class_weight": {1: 0.5}, "validation_data": (VX, ONE_HOT[:5])}),
    "from epoch 2, every 2nd": (
        plain, rmsprop(), Y, {"initial_epoch": 1, "epochs": 4, "validation_freq": 2, "validation_split": 0.3}
    ),
    "validation after chosen epochs": (plain, rmsprop(), Y, {"validation_freq": [1, 3], "validation_split": 0.3}),
    "nothing to do": (plain, rmsprop(), Y, {"initial_epoch": 3}),
    "regularizers": (penalised, rmsprop(metrics=["mse"]), Y, {"validation_split": 0.3}),
    "constraints": (confined, optimizer("SGD", learning_rate=0.2, momentum=0.5), Y, {}),
    "sequences": (sequence, rmsprop(loss="mae", metrics=["mse"]), Y_SEQUENCE, {"validation_split": 0.3}),
    "stateful": (stateful, rmsprop(), Y[:8], {"x": X[:8]}),
    "SGD, Nesterov, clipped": (plain, optimizer("SGD", momentum=0.875, nesterov=True, clipnorm=0.1), Y, {}),
    "Adam": (plain, optimizer("Adam", beta_1=0.75, beta_2=0.875), Y, {}),
    "by name": (plain, {"optimizer": "rmsprop", "loss": "huber", "metrics": ["MeanSquaredError", "mse"]}, Y, {}),
    "RMSprop, momentum, EMA": (
        plain,
        optimizer("RMSprop", momentum=0.5, centered=True, use_ema=True, ema_momentum=0.75, weight_decay=0.125),
        Y,
        {},
    ),
    "schedule": (
        plain,
        lambda k: {
            "optimizer": k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5, staircase=True)),
            "loss": "mse",
        },
        Y,
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fit_is_keras(case):
    layers, compiled, y, given = CASES[case]
    batch = 4
    theirs, ours = twins(layers, compiled, batch=batch if layers is stateful else None)
    arguments = {"x": X, "y": y, "batch_size": batch, "epochs": 3, "shuffle": False, "verbose": 0, **given}
    expected = theirs.fit(**arguments)
    history = ours.fit(**arguments)
    assert_same(history.history, expected.history)
    assert history.epoch == expected.epoch
    assert_same_weights(ours, theirs)


MASKS = {
    "mse": (masked, rmsprop(metrics=["mae"]), Y, {}),
    "sequences": (masked_sequence, rmsprop(loss="mae"), Y_SEQUENCE, {}),
    "sequences, mse": (masked_sequence, rmsprop(metrics=["mae"], weighted_metrics=["mae"]), Y_SEQUENCE, {}),
    "weights (N, T)": (
        masked_sequence,
        rmsprop(weighted_metrics=["mae"]),
        Y_SEQUENCE,
        {"sample_weight": np.abs(X[..., 0])},
    ),
}


@pytest.mark.parametrize("case", MASKS)
def test_masked_steps_count_as_in_keras(case):
    layers, compiled, y, given = MASKS[case]
    theirs, ours = twins(layers, compiled)
    arguments = {"x": GAPS, "y": y, "batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0, **given}
    assert_same(ours.fit(**arguments).history, theirs.fit(**arguments).history)
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.predict(GAPS), theirs.predict(GAPS, verbose=0), **TOLERANCE)


def test_the_mask_matters():
    """The tests above would not see a mask that is dropped, were there nothing to mask."""
    _, ours = twins(masked_sequence, rmsprop())
    _, unmasked = twins(sequence, rmsprop())
    assert abs(ours.evaluate(GAPS, Y_SEQUENCE, verbose=0) - unmasked.evaluate(GAPS, Y_SEQUENCE, verbose=0)) > 1e-3


@pytest.mark.parametrize("with_metrics", [False, True])
def test_evaluate_and_predict_are_keras(with_metrics):
    theirs, ours = twins(penalised, rmsprop(**(ONCE if with_metrics else {})))
    for more in ({}, {"batch_size": 4}, {"sample_weight": W, "batch_size": 5}):
        expected = theirs.evaluate(X, Y, verbose=0, **more)
        result = ours.evaluate(X, Y, verbose=0, **more)
        assert isinstance(result, list) == isinstance(expected, list) == with_metrics
        np.testing.assert_allclose(result, expected, **TOLERANCE)
        assert_same(
            ours.evaluate(X, Y, verbose=0, return_dict=True, **more),
            theirs.evaluate(X, Y, verbose=0, return_dict=True, **more),
        )
        assert ours.metrics_names == list(theirs.evaluate(X, Y, verbose=0, return_dict=True))
    expected = theirs.predict(X, verbose=0)
    for batch_size in (None, 1, 4, 100):
        np.testing.assert_allclose(ours.predict(X, batch_size=batch_size), expected, **TOLERANCE)
    np.testing.assert_allclose(ours(X), expected, **TOLERANCE)


def test_single_batches_are_keras():
    theirs, ours = twins(penalised, rmsprop(**ONCE))
    for _ in range(2):
        for more in ({}, {"sample_weight": W}):
            np.testing.assert_allclose(
                ours.train_on_batch(X, Y, **more), theirs.train_on_batch(X, Y, **more), **TOLERANCE
            )
            np.testing.assert_allclose(
                ours.test_on_batch(X, Y, **more), theirs.test_on_batch(X, Y, **more), **TOLERANCE
            )
    assert_same(ours.train_on_batch(X, Y, return_dict=True), theirs.train_on_batch(X, Y, return_dict=True))
    assert_same(
        ours.test_on_batch(X[:3], Y[:3], return_dict=True), theirs.test_on_batch(X[:3], Y[:3], return_dict=True)
    )
    np.testing.assert_allclose(ours.predict_on_batch(X), theirs.predict_on_batch(X), **TOLERANCE)
    assert_same_weights(ours, theirs)


def test_single_batches_with_class_weights_are_keras():
    theirs, ours = twins(classes, SPARSE)
    weights = {0: 0.25, 1: 5.0}
    for _ in range(2):
        expected = theirs.train_on_batch(X, LABELS, class_weight=weights)
        np.testing.assert_allclose(ours.train_on_batch(X, LABELS, class_weight=weights), expected, **TOLERANCE)
    assert_same_weights(ours, theirs)


def test_training_by_hand_is_fit():
    """Batch by batch, then all at once: the same weights, bit for bit."""
    _, ours = twins(penalised, rmsprop(metrics=["mae"]))
    _, by_hand = twins(penalised, rmsprop(metrics=["mae"]))
    ours.set_weights(by_hand.get_weights())
    history = ours.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for epoch in range(3):
        losses = [by_hand.train_on_batch(X[i : i + 4], Y[i : i + 4])[0] * len(X[i : i + 4]) for i in (0, 4, 8)]
        assert history.history["loss"][epoch] == pytest.approx(sum(losses) / 11, rel=1e-14)
    assert np.array_equal(ours.vector, by_hand.vector)


def test_frozen_layers_stay_and_the_rest_moves_as_in_keras():
    theirs, ours = twins(relu_and_dense, rmsprop())
    before = ours.get_weights()
    for frozen in (1, 0):
        for model in (theirs, ours):
            for i, layer in enumerate(model.layers):
                layer.trainable = i != frozen
            model.compile("rmsprop", "mse", run_eagerly=True)  # Keras' optimizers don't take other weights later
            model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        assert_same_weights(ours, theirs)
        if frozen == 1:
            for index, (old, new) in enumerate(zip(before, ours.get_weights(), strict=True)):
                assert np.array_equal(old, new) == (index in (3, 4))
    assert len(ours.trainable_weights) == len(theirs.trainable_weights) == 4
    assert len(ours.non_trainable_weights) == len(theirs.non_trainable_weights) == 3


def test_fit_goes_on_where_it_stopped():
    _, once = twins(plain, optimizer("Adam", learning_rate=0.05))
    _, twice = twins(plain, optimizer("Adam", learning_rate=0.05))
    twice.set_weights(once.get_weights())
    settings = {"batch_size": 4, "shuffle": False, "verbose": 0}
    losses = once.fit(X, Y, epochs=5, **settings).history["loss"]
    first = twice.fit(X, Y, epochs=2, **settings).history["loss"]
    second = twice.fit(X, Y, epochs=5, initial_epoch=2, **settings)
    assert losses == first + second.history["loss"]
    assert second.epoch == [2, 3, 4]
    assert np.array_equal(once.vector, twice.vector)


def test_a_shuffled_epoch_is_one_batch_order_of_the_same_data():
    """With one batch an epoch the order of samples in it changes nothing but rounding."""
    _, ordered = twins(plain, rmsprop())
    _, shuffled = twins(plain, rmsprop())
    shuffled.set_weights(ordered.get_weights())
    settings = {"batch_size": 11, "epochs": 4, "sample_weight": W, "verbose": 0}
    a = ordered.fit(X, Y, shuffle=False, **settings).history["loss"]
    b = shuffled.fit(X, Y, shuffle=True, **settings).history["loss"]
    np.testing.assert_allclose(a, b, rtol=1e-12)


# Callbacks.


def test_early_stopping_restores_the_best_weights_as_keras():
    theirs, ours = twins(plain, optimizer("SGD", learning_rate=0.25, momentum=0.75))
    seen = {}
    for k, model in ((keras, theirs), (rnn_core, ours)):
        stop = k.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)
        best = []
        keep = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, m=model, b=best: b.append(m.get_weights()))
        history = model.fit(
            X, Y, batch_size=4, epochs=12, shuffle=False, verbose=0, validation_data=(VX, VY), callbacks=[keep, stop]
        )
        seen[k] = history.history, stop.stopped_epoch, stop.best_epoch, best
    assert_same(seen[rnn_core][0], seen[keras][0])
    assert seen[rnn_core][1:3] == seen[keras][1:3]
    stopped, best_epoch, kept = seen[rnn_core][1:]
    assert (best_epoch, stopped) == (5, 10)
    for weight, best, last in zip(ours.get_weights(), kept[best_epoch], kept[-1], strict=True):
        assert np.array_equal(weight, best)
        assert not np.array_equal(weight, last)
    assert_same_weights(ours, theirs)


def test_callbacks_see_what_keras_callbacks_see(tmp_path):
    theirs, ours = twins(plain, rmsprop(metrics=["mae"]))
    seen, rows = {}, {}
    for name, k, model in (("theirs", keras, theirs), ("ours", rnn_core, ours)):
        events = []

        def note(hook, events=events):
            return lambda *args, logs=None: events.append((hook, *args, logs))

        hooks = ["epoch_begin", "epoch_end", "train_begin", "train_end", "train_batch_begin", "train_batch_end"]
        csv_file = tmp_path / f"{name}.csv"
        suffix = "npz" if k is rnn_core else "weights.h5"
        model.fit(
            X,
            Y,
            batch_size=4,
            epochs=4,
            shuffle=False,
            verbose=0,
            validation_data=(VX, VY),
            callbacks=[
                k.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else 0.02),
                k.callbacks.CSVLogger(csv_file),
                k.callbacks.ModelCheckpoint(
                    tmp_path / f"{name}-{{epoch}}.{suffix}", save_best_only=True, save_weights_only=True
                ),
                k.callbacks.LambdaCallback(**{f"on_{hook}": note(hook) for hook in hooks}),
            ],
        )
        seen[name] = events
        with csv_file.open() as file:
            rows[name] = list(csv.DictReader(file))
    assert len(seen["ours"]) == len(seen["theirs"])
    for mine, expected in zip(seen["ours"], seen["theirs"], strict=True):
        assert mine[0] == expected[0]
        numbers = [[a for a in event[1:] if not isinstance(a, dict) and a is not None] for event in (mine, expected)]
        assert numbers[0] == numbers[1]
        logs = [next((a for a in event[1:] if isinstance(a, dict)), {}) for event in (mine, expected)]
        assert_same(logs[0], logs[1])
    for mine, expected in zip(rows["ours"], rows["theirs"], strict=True):
        assert_same(
            {name: float(value) for name, value in mine.items()},
            {name: float(value) for name, value in expected.items()},
        )
    assert [float(row["learning_rate"]) for row in rows["ours"]] == [0.02, 0.01, 0.005, 0.0025]
    files = sorted(path.name.removesuffix(".npz") for path in tmp_path.glob("ours-*"))
    assert [f.removeprefix("ours") for f in files] == sorted(
        path.name.removesuffix(".weights.h5").removeprefix("theirs") for path in tmp_path.glob("theirs-*")
    )
    theirs.load_weights(sorted(tmp_path.glob("theirs-*"))[-1])
    ours.load_weights(sorted(tmp_path.glob("ours-*"))[-1])
    assert_same_weights(ours, theirs)
    assert_same_weights(ours, theirs)


def test_a_callback_may_stop_within_an_epoch():
    _, ours = twins(plain, rmsprop())
    batches = []

    def stop(batch, logs):
        batches.append(batch)
        ours.stop_training = batch == 1

    history = ours.fit(
        X, Y, batch_size=4, epochs=5, verbose=0, callbacks=[rnn_core.callbacks.LambdaCallback(on_train_batch_end=stop)]
    )
    assert batches == [0, 1]
    assert len(history.history["loss"]) == 1
    assert len(ours.fit(X, Y, epochs=2, verbose=0).history["loss"]) == 2


# What a model says about itself.


def test_weights_come_in_keras_order_and_go_back():
    theirs, ours = twins(relu_and_dense, rmsprop())
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    assert ours.count_params() == theirs.count_params() == ours.vector.size == 4 * (2 + 4 + 1) + 3 * 5 + 4
    weights = [np.full_like(w, i) for i, w in enumerate(ours.get_weights())]
    ours.set_weights(weights)
    for view, copy, expected in zip(ours.weights, ours.get_weights(), weights, strict=True):
        assert np.array_equal(view, expected)
        assert not np.shares_memory(copy, view)
        assert np.shares_memory(view, ours.vector)
    ours.get_weights()[0][...] = 7
    assert not ours.layers[0].kernel.any()


def test_what_a_model_was_compiled_with_can_be_compiled_again():
    made = [rnn_core.metrics.MeanAbsoluteError(name="error"), rnn_core.metrics.mean_squared_error]
    config = {"class_name": "RootMeanSquaredError", "config": {"name": "rmse"}}
    ours, again = (rnn_core.Sequential([rnn_core.Input((3, 2)), *plain(rnn_core)]) for _ in range(2))
    ours.compile(**rmsprop(metrics=["mae", *made, config], weighted_metrics=["mse"])(rnn_core))
    again.compile(**ours.get_compile_config())
    again.set_weights(ours.get_weights())
    results = [model.evaluate(X, Y, verbose=0, return_dict=True) for model in (ours, again)]
    assert results[0] == results[1]
    assert set(results[0]) == {"loss", "mae", "error", "mean_squared_error", "rmse", "mse"}
    assert again.optimizer.get_config() == ours.optimizer.get_config()


def test_get_config_is_keras():
    theirs, ours = twins(penalised, rmsprop())
    expected, config = theirs.get_config(), ours.get_config()
    assert [entry["class_name"] for entry in config["layers"]] == [entry["class_name"] for entry in expected["layers"]]
    for entry, keras_entry in zip(config["layers"], expected["layers"], strict=True):
        assert entry["module"] == keras_entry["module"]
        for key, value in entry["config"].items():
            if key not in ("name", "dtype", "seed") and not isinstance(
                value, dict
            ):  # Keras leaves SimpleRNN's seed out
                assert keras_entry["config"][key] == value, key
        unknown = keras_entry["config"].keys() - entry["config"].keys()
        assert unknown <= {"quantization_config", "sparse", "ragged", "optional"}
    again = rnn_core.Sequential.from_config(config)
    assert again.get_config() == config
    again.set_weights(ours.get_weights())
    assert np.array_equal(again(X), ours(X))
    made_by_keras = keras.Sequential.from_config(config)
    made_by_keras.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(X), made_by_keras(X), **TOLERANCE)


def test_with_every_layer_frozen_no_step_is_counted_as_in_keras():
    layers = rnn_core.layers
    model = rnn_core.Sequential([layers.Input((3, 2)), layers.SimpleRNN(4), layers.Dense(1)])
    for layer in model.layers:
        layer.trainable = False
    model.compile(loss="mse")
    before = model.get_weights()
    model.fit(np.ones((4, 3, 2)), np.ones(4), epochs=2, verbose=0)
    assert model.optimizer.iterations == 0
    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)
