"""Importing is light, and the paths that users of Keras type lead to the same names here."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import rnn_core

HEAVY = ["pandas", "matplotlib", "rich", "threadpoolctl", "tensorflow", "keras", "scipy", "torch", "jax", "h5py"]


def loaded_by(code):
    """The names of all modules that a fresh Python has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(done.stdout.split())


def test_the_import_loads_numpy_and_nothing_heavier():
    numpy_s = loaded_by("import numpy")
    ours = loaded_by("import rnn_core")
    assert not ours & set(HEAVY)
    others = {name.partition(".")[0] for name in ours - numpy_s} - set(sys.stdlib_module_names)
    assert {name for name in others if not name.startswith("__editable__")} <= {"rnn_core", "numpy"}
    # Modules of the standard library, and of NumPy, that take long to import.
    slow = {"inspect", "dataclasses", "difflib", "tempfile", "zipfile", "csv", "importlib.metadata", "numpy.random"}
    assert not (ours - numpy_s) & slow


def test_training_loads_no_plots_and_no_tables():
    code = """
import numpy as np
from rnn_core.models import Sequential
from rnn_core.layers import Dense, Input, SimpleRNN
model = Sequential([Input((3, 2)), SimpleRNN(4), Dense(1)])
model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
model.fit(np.zeros((8, 3, 2)), np.zeros(8), verbose=0)
model.predict(np.zeros((8, 3, 2)))
"""
    assert not loaded_by(code) & (set(HEAVY) - {"threadpoolctl"})


PATHS = """
from rnn_core import Input, Model, Sequential
from rnn_core import activations, callbacks, config, constraints, initializers, layers, losses, metrics
from rnn_core import models, optimizers, random, regularizers, utils
from rnn_core.models import Model, Sequential
from rnn_core.layers import Activation, Dense, Dropout, Input, InputLayer, Layer, Masking, SimpleRNN, SimpleRNNCell
from rnn_core.layers import Add, Average, Bidirectional, Concatenate, Embedding, Flatten, GlobalAveragePooling1D
from rnn_core.layers import GlobalMaxPooling1D, Maximum, Minimum, Multiply, RepeatVector, Reshape, Subtract
from rnn_core.layers import TimeDistributed, add, average, concatenate, maximum, minimum, multiply, subtract
from rnn_core.utils import set_random_seed, to_categorical, clear_session
from rnn_core.callbacks import Callback, CallbackList, CSVLogger, EarlyStopping, History, LambdaCallback
from rnn_core.callbacks import LearningRateScheduler, ModelCheckpoint, ProgbarLogger, ReduceLROnPlateau, TerminateOnNaN
from rnn_core.optimizers import SGD, Adam, AdamW, RMSprop
from rnn_core.optimizers.schedules import CosineDecay, ExponentialDecay, InverseTimeDecay, LearningRateSchedule
from rnn_core.optimizers.schedules import PiecewiseConstantDecay, PolynomialDecay
from rnn_core.losses import BinaryCrossentropy, CategoricalCrossentropy, CosineSimilarity, Huber, KLDivergence, LogCosh
from rnn_core.losses import MeanAbsoluteError, MeanSquaredError, SparseCategoricalCrossentropy, mean_squared_error
from rnn_core.metrics import AUC, Accuracy, BinaryAccuracy, Mean, MeanAbsoluteError, Precision, R2Score, Recall
from rnn_core.metrics import RootMeanSquaredError, mean_absolute_error
from rnn_core.initializers import Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal
from rnn_core.initializers import LecunUniform, Ones, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, Zeros
from rnn_core.initializers import VarianceScaling, glorot_uniform, he_normal
from rnn_core.regularizers import L1, L1L2, L2, OrthogonalRegularizer, l1, l1_l2, l2
from rnn_core.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm, max_norm, non_neg, unit_norm
from rnn_core.activations import elu, gelu, hard_sigmoid, leaky_relu, linear, relu, selu, sigmoid, softmax, tanh
from rnn_core.random import normal, truncated_normal, uniform
from rnn_core.config import floatx, set_floatx
"""


@pytest.mark.parametrize("line", PATHS.split("\n")[1:-1])
def test_the_paths_of_keras_work(line):
    """In Keras, too: else the line is not one that a user of Keras would type."""
    exec(line)
    exec(line.replace("rnn_core", "keras"))


def test_attributes_of_the_package_without_an_import():
    """``import rnn_core as keras`` and then ``keras.layers.Dense`` and so on."""
    code = """
import rnn_core as keras
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1))])
model.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)), keras.losses.Huber(),
              metrics=[keras.metrics.MeanAbsoluteError()])
keras.callbacks.EarlyStopping, keras.utils.to_categorical, keras.config.floatx, keras.activations.relu
keras.initializers.Zeros, keras.constraints.NonNeg, keras.random.normal, keras.models.Model
import rnn_core.callbacks, rnn_core.optimizers.schedules
"""
    loaded_by(code)


MODULES = ["layers", "models", "callbacks", "optimizers", "losses", "metrics", "utils", "initializers", "regularizers"]
MODULES += ["constraints", "activations", "config", "random", "optimizers.schedules"]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there_and_listed(module):
    ours = importlib.import_module(f"rnn_core.{module}")
    for name in getattr(ours, "__all__", []):
        assert getattr(ours, name) is not None
    assert set(getattr(ours, "__all__", [])) <= set(dir(ours))


def test_every_module_of_the_package_is_listed():
    for name in rnn_core.__all__:
        assert getattr(rnn_core, name) is not None
    assert set(rnn_core.__all__) - {"inspection", "series", "text"} <= set(dir(keras))


def test_star_imports():
    names = {}
    exec("from rnn_core.layers import *\nfrom rnn_core.models import *\nfrom rnn_core.callbacks import *", names)
    assert {"Dense", "SimpleRNN", "Sequential", "EarlyStopping"} <= names.keys()


def test_the_package_says_its_version_and_is_typed():
    from importlib import metadata, resources

    assert rnn_core.__version__ == metadata.version("rnn-core")
    assert resources.files("rnn_core").joinpath("py.typed").is_file()
