"""Inputs, targets and weights of samples that cannot be used are refused by name, before anything is trained."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

from .samples import INF, NAN, W, X, Y, with_one

ANY_DATA = {  # x, what is said
    "rank 2": (X[:, 0], r"expects \(batch, timesteps, 2\), got \(8, 2\): 2 dimensions where 3 are needed"),
    "rank 4": (X[None], r"expects \(batch, timesteps, 2\), got \(1, 8, 3, 2\): 4 dimensions where 3"),
    "two inputs": ([X, X], r"expects \(batch, timesteps, 2\), got \(2, 8, 3, 2\)"),
    "a number": (3.0, "x must hold samples along its first axis, got a single number"),
    "features": (np.zeros((8, 3, 5)), r"memory' expects \(batch, timesteps, 2\), got \(8, 3, 5\): it was built for 2"),
    "timesteps": (np.zeros((8, 4, 2)), r"x: model 'm' expects \(batch, 3, 2\), got \(batch, 4, 2\)"),
    "T = 0": (np.zeros((8, 0, 2)), r"expects \(batch, timesteps, 2\), got \(8, 0, 2\): no dimension may be empty"),
    "no samples": (X[:0], r"x holds no samples: its shape is \(0, 3, 2\)"),
    "empty list": ([], r"x holds no samples: its shape is \(0,\)"),
    "NaN": (with_one(X, NAN, 7), r"x holds 1 values that are NaN.* the first at index \(1, 0, 1\): nan"),
    "infinity": (with_one(X, -INF), r"x holds 1 values.* the first at index \(7, 2, 1\): -inf"),
    "NaN, float64": (with_one(X.astype(float), NAN, 7), r"the first at index \(1, 0, 1\): nan"),
    "too large": (with_one(X.astype(float), 1e39, 0), r"too large for float32.* \(0, 0, 0\): 1e\+39"),
    "text": (np.full(X.shape, "a"), "x must be numeric, got dtype <U1"),
    "numbers as text": (X.astype(str), "x must be numeric, got dtype <U32"),
    "a word": ("hello", "x must be numeric, got dtype <U5"),
    "objects": (X.astype(object), "x must be numeric, got dtype object"),
    "dates": (np.zeros(X.shape, "datetime64[D]"), r"x must be numeric, got dtype datetime64\[D\]"),
    "durations": (np.zeros(X.shape, "timedelta64[s]"), r"x must be numeric, got dtype timedelta64\[s\]"),
    "complex": (X.astype(complex), "x must be numeric, got dtype complex128"),
    "records": (np.zeros(8, [("a", "f4")]), r"x must be numeric, got dtype \[\('a', '<f4'\)\]"),
    "lists of unequal length": ([[[1, 2]], [[1]]], "x can't be made one array: .*inhomogeneous"),
    "None": (None, "x must be an array, a list of numbers or a pandas object, got NoneType"),
    "a generator": ((row for row in X), "x must be an array, .* got generator"),
    "a dict": ({"x": X}, "x must have the keys input_layer.*, got 'x'"),
    "masked": (np.ma.masked_equal(with_one(X, 1, 0), 1), "x is a masked array with 1 values masked"),
    "text in a frame": (
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        "x must be numeric, got column 'b' of (str|object)",
    ),
    "dates in a Series": (pd.Series(pd.to_datetime(["2020-01-01"])), r"x must be numeric, got dtype datetime64"),
    "a gap in a frame": (pd.DataFrame({"a": [1.0, NAN], "b": [True, False]}), r"NaN.* the first at index \(1, 0\)"),
    "a nullable gap": (pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [1.0, 2]}), r"NaN.* index \(1, 0\)"),
}


@pytest.mark.parametrize("case", ANY_DATA)
def test_bad_inputs_are_refused_by_every_method(case, model, unchanged):
    x, message = ANY_DATA[case]
    for ask in (
        lambda: model.fit(x, Y, verbose=0),
        lambda: model.evaluate(x, Y, verbose=0),
        lambda: model.predict(x),
        lambda: model.train_on_batch(x, Y),
        lambda: model.test_on_batch(x, Y),
        lambda: model.predict_on_batch(x),
        lambda: model(x),
        lambda: model.fit(X, Y, validation_data=(x, Y), verbose=0),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            ask()
    with pytest.raises((ValueError, TypeError), match=r"^validation x"):
        model.fit(X, Y, validation_data=(x, Y), verbose=0)


BROADCAST = "They would match by broadcasting only"
TARGETS = {
    "None": (None, "y is missing"),
    "a number": (0.0, "y must hold a target for each sample, got a single number"),
    "too few": (Y[:5], "x and (validation )?y must have as many samples, got 8 and 5"),
    "none at all": (Y[:0], "must have as many samples, got 8 and 0"),
    "three columns": (
        np.zeros((8, 3)),
        rf"y_true of shape \(8, 3\) does not match y_pred of shape \(8, 1\)\. {BROADCAST}",
    ),
    "a matrix": (np.zeros((8, 8, 1)), rf"y_true of shape \(8, 8, 1\) .* \(8, 1\)\. {BROADCAST}"),
    "no column": (np.zeros((8, 0)), r"y_true of shape \(8, 0\) does not match y_pred of shape \(8, 1\)"),
    "NaN": (with_one(Y, NAN), r"y holds 1 values that are NaN.* the first at index \(7, 0\): nan"),
    "NaN, 1-D": (with_one(Y[:, 0], NAN), r"y holds 1 values that are NaN.* the first at index 7: nan"),
    "infinity": (with_one(Y, INF, 0), r"y holds 1 values.* the first at index \(0, 0\): inf"),
    "text": (["1"] * 8, "y must be numeric, got dtype <U1"),
    "objects": (Y.astype(object), "y must be numeric, got dtype object"),
    "dates": (np.zeros(8, "datetime64[D]"), r"y must be numeric, got dtype datetime64\[D\]"),
    "complex": (Y.astype(complex), "y must be numeric, got dtype complex128"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_bad_targets_are_refused_by_every_method(case, model, unchanged):
    y, message = TARGETS[case]
    for ask in (
        lambda: model.fit(X, y, verbose=0),
        lambda: model.evaluate(X, y, verbose=0),
        lambda: model.train_on_batch(X, y),
        lambda: model.test_on_batch(X, y),
        lambda: model.fit(X, Y, validation_data=(X, y), verbose=0),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            ask()
    with pytest.raises((ValueError, TypeError), match=r"^validation (x and validation )?y"):
        model.fit(X, Y, validation_data=(X, y), verbose=0)


def test_targets_of_one_output_are_not_broadcast_over_several():
    wide = Sequential([Input((3, 2)), Dense(3)])
    wide.compile("sgd", "mae")
    with pytest.raises(ValueError, match=rf"y_true of shape \(8, 3, 1\) .* \(8, 3, 3\)\. {BROADCAST}"):
        wide.fit(X, np.zeros((8, 3, 1)), verbose=0)


WEIGHTS = {
    "too few": (W[:5], r"sample_weight must hold one weight for each of the 8 samples, got shape \(5,\)"),
    "a number": (2.0, r"sample_weight must hold one weight for each of the 8 samples, got shape \(\)"),
    "three columns": (np.ones((8, 3)), r"sample_weight .* of shape \(8, 3\) does not fit values of shape \(8,\)"),
    "NaN": (with_one(W, NAN), "sample_weight holds 1 values that are NaN.* the first at index 7: nan"),
    "infinity": (with_one(W, INF, 2), "sample_weight holds 1 values.* the first at index 2: inf"),
    "text": (["a"] * 8, "sample_weight must be numeric, got dtype <U1"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_bad_sample_weights_are_refused_by_every_method(case, model, unchanged):
    w, message = WEIGHTS[case]
    for ask in (
        lambda: model.fit(X, Y, sample_weight=w, verbose=0),
        lambda: model.evaluate(X, Y, sample_weight=w, verbose=0),
        lambda: model.train_on_batch(X, Y, sample_weight=w),
        lambda: model.test_on_batch(X, Y, sample_weight=w),
        lambda: model.fit(X, Y, validation_data=(X, Y, w), verbose=0),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            ask()
    with pytest.raises((ValueError, TypeError), match=r"^validation "):
        model.fit(X, Y, validation_data=(X, Y, w), verbose=0)


def test_weights_of_samples_that_sequences_do_not_take_say_what_they_take():
    model = Sequential([Input((3, 2)), Dense(1)])
    model.compile("sgd", "mse")
    y = np.zeros((8, 3, 1))
    with pytest.raises(ValueError, match=r"For one weight a sample give shape \(8, 1\)"):
        model.fit(X, y, sample_weight=W, verbose=0)
    model.fit(X, y, sample_weight=W[:, None], verbose=0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 1, 3, 1], r"class numbers from 0 to 2, got numbers from 0 to 3"), ([0, 1, 0.5, 1], r"whole class numbers")],
)
def test_bad_class_labels_are_refused_before_training(labels, message):
    model = Sequential([Input((3, 2)), SimpleRNN(4), Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(np.ones((4, 3, 2)), labels, batch_size=1, verbose=0)
    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)
