"""The default float type: two types and nothing in between, however they are written."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

from rnn_core.config import floatx, set_floatx, standardize_dtype


@pytest.fixture(autouse=True)
def restore():
    before = floatx()
    yield
    set_floatx(before)


def test_the_default_is_keras_default():
    assert floatx() == keras.config.floatx() == "float32"


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_set_floatx_is_what_none_stands_for(name):
    set_floatx(name)
    assert floatx() == standardize_dtype() == standardize_dtype(None) == name


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_every_way_of_writing_a_dtype(name):
    policy = keras.saving.serialize_keras_object(keras.DTypePolicy(name))
    for written in [name, np.dtype(name), np.dtype(name).type, np.zeros(1, name).dtype, policy]:
        assert standardize_dtype(written) == name
        assert type(standardize_dtype(written)) is str


def test_numpys_other_names():
    assert (standardize_dtype(float), standardize_dtype("f"), standardize_dtype("<f8")) == (
        "float64",
        "float32",
        "float64",
    )


NO_NAME = {"class_name": "DTypePolicy", "config": {}}


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "mixed_float16", "", np.int32, int, bool, 3.5, {}, NO_NAME, object()]
)
def test_every_other_type_is_refused_and_changes_nothing(dtype):
    for call in (standardize_dtype, set_floatx):
        with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64', got"):
            call(dtype)
    assert floatx() == "float32"
