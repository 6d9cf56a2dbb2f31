"""Arguments out of range, or that only Keras knows, are refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest

import rnn_core
from rnn_core import initializers
from rnn_core.layers import Dense, Input, SimpleRNN

from .samples import BAD_COUNT, NAN, W, X, Y

ARGUMENTS = {
    "batch_size 0": ({"batch_size": 0}, f"batch_size {BAD_COUNT} 1, got 0"),
    "batch_size -1": ({"batch_size": -1}, f"batch_size {BAD_COUNT} 1, got -1"),
    "batch_size 2.5": ({"batch_size": 2.5}, f"batch_size {BAD_COUNT} 1, got 2.5"),
    "batch_size True": ({"batch_size": True}, f"batch_size {BAD_COUNT} 1, got True"),
    "batch_size '4'": ({"batch_size": "4"}, f"batch_size {BAD_COUNT} 1, got '4'"),
    "validation_batch_size 0": (
        {"validation_split": 0.5, "validation_batch_size": 0},
        f"validation_batch_size {BAD_COUNT} 1, got 0",
    ),
    "epochs -1": ({"epochs": -1}, f"epochs {BAD_COUNT} 0, got -1"),
    "epochs 1.5": ({"epochs": 1.5}, f"epochs {BAD_COUNT} 0, got 1.5"),
    "epochs None": ({"epochs": None}, f"epochs {BAD_COUNT} 0, got None"),
    "initial_epoch -1": ({"initial_epoch": -1}, f"initial_epoch {BAD_COUNT} 0, got -1"),
    "verbose 3": ({"verbose": 3}, "verbose must be 'auto', 0, 1 or 2, got 3"),
    "verbose text": ({"verbose": "loud"}, "verbose must be 'auto', 0, 1 or 2, got 'loud'"),
    "shuffle 'batch'": ({"shuffle": "batch"}, "shuffle must be True or False, got 'batch'"),
    "validation_split 1": ({"validation_split": 1.0}, "validation_split=1.0 of 8 samples leaves nothing for training"),
    "validation_split -0.5": ({"validation_split": -0.5}, "validation_split must be .* at most 1, got -0.5"),
    "validation_split 1.5": ({"validation_split": 1.5}, "validation_split must be .* at most 1, got 1.5"),
    "validation_split NaN": ({"validation_split": NAN}, "validation_split must be .* at most 1, got nan"),
    "validation_split text": ({"validation_split": "half"}, "validation_split must be .* got 'half'"),
    "validation_data x": ({"validation_data": X}, r"validation_data must be \(x, y\) or .*, got no tuple"),
    "validation_data (x,)": ({"validation_data": (X,)}, "validation_data must be .*, got 1 entries"),
    "validation_data of 4": ({"validation_data": (X, Y, W, W)}, "validation_data must be .*, got 4 entries"),
    "validation_freq 0": ({"validation_freq": 0}, f"validation_freq {BAD_COUNT} 1, got 0"),
    "validation_freq 1.5": ({"validation_freq": 1.5}, f"validation_freq {BAD_COUNT} 1, got 1.5"),
    "validation_freq text": ({"validation_freq": "2"}, f"validation_freq {BAD_COUNT} 1, got '2'"),
    "validation_freq [0]": ({"validation_freq": [2, 0]}, f"entry of validation_freq {BAD_COUNT} 1, got 0"),
    "callbacks": ({"callbacks": [3]}, "callbacks must hold objects .* got builtins.int"),
    "class_weight list": ({"class_weight": [1, 2]}, r"class_weight must be a dict of class to weight, got \[1, 2\]"),
    "class_weight text": ({"class_weight": "balanced"}, "class_weight must be a dict .* got 'balanced'"),
    "class_weight NaN": ({"class_weight": {0: NAN}}, "class_weight: the weight of 0 must be a number, got nan"),
    "two kinds of weights": (
        {"class_weight": {0: 1.0}, "sample_weight": W},
        "class_weight and sample_weight can't be given together",
    ),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_of_fit_out_of_range_are_refused(case, model, unchanged):
    given, message = ARGUMENTS[case]
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, Y, **{"verbose": 0, **given})


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_arguments_of_evaluate_and_predict_out_of_range_are_refused(method, model, unchanged):
    def ask(**given):
        getattr(model, method)(*((X, Y) if method == "evaluate" else (X,)), **{"verbose": 0, **given})

    for size in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=f"batch_size {BAD_COUNT} 1, got {size}"):
            ask(batch_size=size)
    with pytest.raises(ValueError, match="verbose must be 'auto', 0, 1 or 2, got 7"):
        ask(verbose=7)
    with pytest.raises(TypeError, match=r"callbacks must hold .* got the class EarlyStopping"):
        ask(callbacks=[rnn_core.callbacks.EarlyStopping])


def test_a_mask_of_another_shape_is_refused(model):
    with pytest.raises(ValueError, match=r"mask must be .* \(batch, timesteps\) = \(8, 3\), got \(8, 2\)"):
        model(X, mask=np.ones((8, 2)))


REFUSED = [  # an argument that Keras knows, and a call with it
    ("steps_per_epoch", lambda m: m.fit(X, Y, steps_per_epoch=3)),
    ("validation_steps", lambda m: m.fit(X, Y, validation_steps=3)),
    ("steps", lambda m: m.evaluate(X, Y, steps=3)),
    ("steps", lambda m: m.predict(X, steps=3)),
    ("loss_weights", lambda m: m.compile("sgd", "mse", loss_weights=[1.0])),
    ("batch_input_shape", lambda m: SimpleRNN(1, batch_input_shape=(1, 2, 3))),
    ("weights", lambda m: Dense(1, weights=[])),
    ("sparse", lambda m: Input((3, 2), sparse=True)),
    ("tensor", lambda m: Input((3, 2), tensor=X)),
    ("include_optimizer", lambda m: m.save_weights("w.npz", include_optimizer=True)),
    ("by_name", lambda m: m.load_weights("w.npz", by_name=True)),
]


@pytest.mark.parametrize(("argument", "ask"), REFUSED, ids=[argument for argument, _ in REFUSED])
def test_arguments_of_keras_that_are_refused_are_named(argument, ask, model, unchanged):
    before = model.loss
    with pytest.raises((ValueError, TypeError), match=rf"\b{argument}\b"):
        ask(model)
    assert model.loss is before


UNITS = [0, -1, 1.5, 2.0, True, "8", None, [4]]


@pytest.mark.parametrize("units", UNITS, ids=repr)
@pytest.mark.parametrize("layer", [Dense, SimpleRNN])
def test_units_are_a_whole_number_above_zero(layer, units):
    with pytest.raises(
        ValueError, match=re.escape(f"{layer.__name__}: units must be an integer of at least 1, got {units!r}")
    ):
        layer(units)


WITH_DTYPE = {
    "layer": lambda dtype: Dense(1, dtype=dtype),
    "Input": lambda dtype: Input((3,), dtype=dtype),
    "initializer": lambda dtype: initializers.Zeros()((2,), dtype=dtype),
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "int32", "complex64", 3])
@pytest.mark.parametrize("ask", WITH_DTYPE)
def test_two_dtypes_are_taken_and_no_other(ask, dtype):
    if (ask, dtype) == ("Input", "int32"):  # what an Embedding reads
        assert WITH_DTYPE[ask](dtype).dtype == "int32"
    else:
        with pytest.raises(ValueError, match=rf"dtype must be 'float32' or 'float64', got {dtype!r}"):
            WITH_DTYPE[ask](dtype)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((4,), TypeError, "Input: shape must be a tuple of sizes without the batch, got 4"),
        (((0, 2),), ValueError, "Input: every size in shape must be an integer of at least 1, got 0"),
        ((), ValueError, "Input needs shape or batch_shape, one of the two"),
    ],
)
def test_an_input_needs_a_shape_of_sizes_above_zero(given, error, message):
    with pytest.raises(error, match=message):
        Input(*given)


def test_the_name_of_a_layer_is_text():
    with pytest.raises(TypeError, match="Dense: name must be a str, got 3"):
        Dense(1, name=3)


@pytest.mark.parametrize(
    ("x", "classes", "message"),
    [
        ([0, -1], None, "must hold whole numbers from 0 to 0, got numbers from -1 to 0"),
        ([0.5], None, "must hold whole numbers .* got numbers from 0.5 to 0.5"),
        ([0, 3], 2, "must hold whole numbers from 0 to 1, got numbers from 0 to 3"),
        (["a"], None, "x must be numeric, got dtype <U1"),
        ([NAN], None, "x holds 1 values that are NaN"),
        ([0, 1], 2.5, "num_classes must be an integer of at least 1, got 2.5"),
    ],
)
def test_what_is_no_class_number_has_no_category(x, classes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        rnn_core.utils.to_categorical(x, classes)
