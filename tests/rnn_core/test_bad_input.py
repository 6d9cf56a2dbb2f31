"""Bad input is refused, by name and with what came, before anything is trained."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import rnn_core
from rnn_core import constraints, initializers, optimizers, regularizers
from rnn_core.layers import Activation, Dense, Dropout, Input, Masking, SimpleRNN
from rnn_core.models import Sequential

X = np.zeros((8, 3, 2), np.float32)
Y = np.zeros((8, 1), np.float32)
W = np.ones(8)
NAN, INF = np.nan, np.inf


def with_one(array, value, place=-1):
    array = array.copy()
    array.flat[place] = value
    return array


@pytest.fixture
def model():
    model = Sequential([Input((3, 2)), SimpleRNN(4, name="memory"), Dense(1, name="out")], name="m")
    model.compile("rmsprop", "mse")
    return model


@pytest.fixture
def unchanged(model):
    """After the test the weights must be what they were, and no callback may have run."""
    model.vector[...] = np.linspace(-1, 1, model.vector.size)
    before = model.vector.copy()
    yield
    assert np.array_equal(model.vector, before)
    assert model.history is None
    assert model.optimizer.iterations == 0


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
def test_inputs(case, model, unchanged):
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
def test_targets(case, model, unchanged):
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


def test_targets_of_one_output_are_not_broadcast_over_several(model):
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
def test_sample_weights(case, model, unchanged):
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


def test_weights_of_samples_for_sequences_say_how():
    model = Sequential([Input((3, 2)), Dense(1)])
    model.compile("sgd", "mse")
    y = np.zeros((8, 3, 1))
    with pytest.raises(ValueError, match=r"For one weight a sample give shape \(8, 1\)"):
        model.fit(X, y, sample_weight=W, verbose=0)
    model.fit(X, y, sample_weight=W[:, None], verbose=0)


BAD_COUNT = "must be an integer of at least"
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
def test_arguments_of_fit(case, model, unchanged):
    given, message = ARGUMENTS[case]
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, Y, **{"verbose": 0, **given})


def test_arguments_of_the_others(model, unchanged):
    for size in (0, -1, 2.5, True):
        for ask in (model.evaluate, model.predict):
            with pytest.raises(ValueError, match=f"batch_size {BAD_COUNT} 1, got {size}"):
                ask(*((X, Y) if ask == model.evaluate else (X,)), batch_size=size)
    for ask in (model.evaluate, model.predict):
        with pytest.raises(ValueError, match="verbose must be 'auto', 0, 1 or 2, got 7"):
            ask(*((X, Y) if ask == model.evaluate else (X,)), verbose=7)
        with pytest.raises(TypeError, match=r"callbacks must hold .* got the class EarlyStopping"):
            ask(*((X, Y) if ask == model.evaluate else (X,)), verbose=0, callbacks=[rnn_core.callbacks.EarlyStopping])
    with pytest.raises(ValueError, match=r"mask must be .* \(batch, timesteps\) = \(8, 3\), got \(8, 2\)"):
        model(X, mask=np.ones((8, 2)))


REFUSED = {  # arguments that Keras knows
    "steps_per_epoch": lambda m: m.fit(X, Y, steps_per_epoch=3),
    "validation_steps": lambda m: m.fit(X, Y, validation_steps=3),
    "steps": lambda m: m.evaluate(X, Y, steps=3),
    "steps is": lambda m: m.predict(X, steps=3),
    "loss_weights": lambda m: m.compile("sgd", "mse", loss_weights=[1.0]),
    "loss_scale_factor": lambda m: optimizers.SGD(loss_scale_factor=2.0),
    "gradient_accumulation_steps": lambda m: optimizers.RMSprop(gradient_accumulation_steps=2),
    "lora_rank": lambda m: Dense(1, lora_rank=2),
    "batch_input_shape": lambda m: SimpleRNN(1, batch_input_shape=(1, 2, 3)),
    "weights": lambda m: Dense(1, weights=[]),
    "sparse": lambda m: Input((3, 2), sparse=True),
    "tensor": lambda m: Input((3, 2), tensor=X),
    "include_optimizer": lambda m: m.save_weights("w.npz", include_optimizer=True),
    "by_name": lambda m: m.load_weights("w.npz", by_name=True),
    "save_weights_only": lambda m: rnn_core.callbacks.ModelCheckpoint("w.npz", save_weights_only=False),
}


@pytest.mark.parametrize("argument", REFUSED)
def test_arguments_of_keras_that_are_refused_are_named(argument, model):
    before = model.loss
    with pytest.raises((ValueError, TypeError), match=argument):
        REFUSED[argument](model)
    assert model.loss is before


UNITS = [0, -1, 1.5, 2.0, True, "8", None, [4]]


@pytest.mark.parametrize("units", UNITS, ids=repr)
@pytest.mark.parametrize("layer", [Dense, SimpleRNN])
def test_units(layer, units):
    with pytest.raises(
        ValueError, match=re.escape(f"{layer.__name__}: units must be an integer of at least 1, got {units!r}")
    ):
        layer(units)


@pytest.mark.parametrize("rate", [0, -0.1, NAN, INF, "0.1", None, True])
@pytest.mark.parametrize("optimizer", [optimizers.RMSprop, optimizers.SGD, optimizers.Adam])
def test_learning_rates(optimizer, rate):
    with pytest.raises(ValueError, match=f"{optimizer.__name__}: learning_rate must be a number above 0, got {rate!r}"):
        optimizer(rate)


def compiled(**given):
    return Sequential([Input((3, 2)), Dense(1)]).compile(**{"optimizer": "sgd", "loss": "mse", **given})


UNKNOWN = {
    "activation": (lambda name: Dense(1, name), "rellu", "relu"),
    "activation of SimpleRNN": (lambda name: SimpleRNN(1, name), "tan", "tanh"),
    "activation layer": (Activation, "sigmiod", "sigmoid"),
    "initializer": (lambda name: Dense(1, kernel_initializer=name), "glorot_unifrom", "glorot_uniform"),
    "recurrent initializer": (lambda name: SimpleRNN(1, recurrent_initializer=name), "orthogonl", "orthogonal"),
    "regularizer": (lambda name: Dense(1, kernel_regularizer=name), "l22", "l2"),
    "activity regularizer": (lambda name: SimpleRNN(1, activity_regularizer=name), "L_2", "L2"),
    "constraint": (lambda name: SimpleRNN(1, bias_constraint=name), "nonneg", "non_neg"),
    "optimizer": (lambda name: compiled(optimizer=name), "rmsporp", "rmsprop"),
    "loss": (lambda name: compiled(loss=name), "mean_squered_error", "mean_squared_error"),
    "metric": (lambda name: compiled(metrics=[name]), "maee", "mae"),
    "weighted metric": (lambda name: compiled(weighted_metrics=[name]), "acuracy", "accuracy"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_unknown_names_get_the_nearest_known_one(kind):
    make, name, nearest = UNKNOWN[kind]
    with pytest.raises(ValueError, match=rf"Unknown \w+ '{name}'.*Did you mean '{nearest}'"):
        make(name)
    make(nearest)


def test_a_compile_that_fails_changes_nothing(model):
    before = model.optimizer, model.loss, model.compiled_metrics
    for given in ({"optimizer": "adm"}, {"loss": "nse"}, {"metrics": ["nae"]}, {"metrics": "mae"}):
        with pytest.raises(ValueError, match=r"Unknown|metrics must be a list, got 'mae'"):
            model.compile(**{"optimizer": "sgd", "loss": "mae", **given})
        assert (model.optimizer, model.loss, model.compiled_metrics) == before
    with pytest.raises(TypeError, match="loss: a function brings no derivative"):
        model.compile("sgd", lambda y, p: 0)


def test_weights_of_the_wrong_shape(model, unchanged):
    weights = model.get_weights()
    transposed = [weights[0].T, *weights[1:]]
    for bad, message in (
        (weights[:-1], r"expects 5 arrays \(kernel, recurrent_kernel, bias, kernel, bias\), got 4"),
        (transposed, r"weight 'kernel' has shape \(2, 4\), got \(4, 2\)"),
        ([*weights[:-1], 0.0], r"weight 'bias' has shape \(1,\), got \(\)"),
        ([*weights[:-1], ["a"]], "weight 'bias' must be numeric, got dtype <U1"),
        ([[[1, 2], [3]], *weights[1:]], "Model 'm': set_weights expects 5 arrays .*inhomogeneous"),
        (3, "set_weights expects a list of 5 arrays .*, got 3"),
        (None, "set_weights expects a list of 5 arrays .*, got None"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model.set_weights(bad)
    with pytest.raises(ValueError, match=r"Dense 'out': weight 'kernel' has shape \(4, 1\), got \(3, 1\)"):
        model.layers[1].set_weights([np.zeros((3, 1)), np.zeros(1)])


def test_a_model_that_is_not_compiled():
    model = Sequential([Input((3, 2)), SimpleRNN(1)], name="m")
    for ask in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=f"{ask.__name__}: model 'm' is not compiled. Call model.compile"):
            ask(X, Y)
    assert model.predict(X).shape == (8, 1)
    model.compile("sgd")
    for ask in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=f"{ask.__name__}: model 'm' was compiled without a loss"):
            ask(X, Y)


def test_a_model_that_is_not_built(tmp_path):
    model = Sequential([SimpleRNN(1)], name="m")
    for ask in (
        model.get_weights,
        model.count_params,
        lambda: model.set_weights([]),
        lambda: model.save_weights(tmp_path / "w.npz"),
        lambda: model.load_weights(tmp_path / "w.npz"),
        lambda: model.new_pass((8, 3, 2)),
    ):
        with pytest.raises(ValueError, match=r"model 'm' has no weights yet\. State the input shape"):
            ask()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="SimpleRNN 'one' has no weights yet: it is not built"):
        SimpleRNN(1, name="one").count_params()
    empty = Sequential(name="empty")
    empty.compile("sgd", "mse")
    for ask in (lambda: empty.fit(X, Y), lambda: empty.predict(X), lambda: empty.build((None, 3, 2)), lambda: empty(X)):
        with pytest.raises(ValueError, match="Model 'empty' has no layers"):
            ask()


def test_shapes_to_build_for():
    def model():
        return Sequential([SimpleRNN(1, name="r")])

    for shape, message in (
        (3, r"build: input_shape must be a tuple \(batch, \.\.\.\), got 3"),
        ("abc", "build: input_shape must be a tuple .*, got 'abc'"),
        ((None, -1, 2), "build: every size in input_shape must be an integer .*, got -1"),
        ((None, 1.5, 2), "build: every size in input_shape must be an integer .*, got 1.5"),
        ((None, 3), r"SimpleRNN 'r' expects \(batch, timesteps, features\), got \(batch, 3\)"),
        ((None, 0, 2), r"got \(batch, 0, 2\): no dimension may be empty"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model().build(shape)
    for x, message in (
        (np.zeros((8, 0, 2)), r"got \(batch, 0, 2\): no dimension may be empty"),
        (np.zeros((8, 3, 0)), r"got \(batch, 3, 0\): no dimension may be empty"),
        (np.zeros((8, 3)), r"expects \(batch, timesteps, features\), got \(batch, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model().predict(x)
    with pytest.raises(ValueError, match=r"expects \(batch, timesteps, features\), got \(batch, 4\)"):
        Sequential([Input((3, 2)), SimpleRNN(4), SimpleRNN(2)])
    with pytest.raises(ValueError, match=r"SimpleRNN 's' has several outputs \(return_state=True\)"):
        Sequential([Input((3, 2)), SimpleRNN(4, return_state=True, name="s")])
    with pytest.raises(ValueError, match="'s' is stateful and needs a fixed batch size"):
        Sequential([Input((3, 2)), SimpleRNN(4, stateful=True, name="s")])
    with pytest.raises(ValueError, match="All layers of a model need one dtype"):
        Sequential([Input((3, 2)), SimpleRNN(4), Dense(1, dtype="float64")])


def test_layers_called_on_bad_arrays():
    for x, message in (
        (np.zeros((8, 2)), r"expects \(batch, timesteps, features\), got \(8, 2\): 2 dimensions where 3"),
        (np.zeros((8, 0, 2)), r"got \(8, 0, 2\): no dimension may be empty"),
        (np.full((8, 3, 2), "a"), "SimpleRNN 'r': inputs must be numeric, got dtype <U1"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            SimpleRNN(4, name="r")(x)
    with pytest.raises(ValueError, match=r"initial_state must have shape \(batch, units\) = \(8, 4\), got \(8, 3\)"):
        SimpleRNN(4)(X, initial_state=np.zeros((8, 3)))
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\): 4 dimensions where 2 or 3 are needed"):
        Dense(2)(np.zeros((2, 3, 4, 5)))
    with pytest.raises(ValueError, match=r"Dropout: rate must be .* got 1.5"):
        Dropout(1.5)
    with pytest.raises(ValueError, match="Masking: mask_value must be a number, got nan"):
        Masking(NAN)


def test_a_stateful_model_needs_its_batches():
    model = Sequential([Input(batch_shape=(4, 3, 2)), SimpleRNN(2, stateful=True, name="s"), Dense(1)], name="m")
    model.compile("sgd", "mse")
    for ask in (
        lambda: model.fit(X[:7], Y[:7], verbose=0),
        lambda: model.fit(X, Y, batch_size=2, verbose=0),
        lambda: model.fit(X, Y, validation_data=(X[:3], Y[:3]), verbose=0),
        lambda: model.evaluate(X[:7], Y[:7], verbose=0),
        lambda: model.predict(X[:7]),
        lambda: model.predict(X, batch_size=8),
        lambda: model.predict(X[:1]),
        lambda: model.predict_on_batch(X),
        lambda: model.train_on_batch(X, Y),
        lambda: model.test_on_batch(X, Y),
    ):
        with pytest.raises(ValueError, match="is stateful with batches of 4"):
            ask()
    assert not model.layers[0].state.any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "int32", "complex64", 3])
def test_dtypes(dtype):
    message = rf"dtype must be 'float32' or 'float64', got {dtype!r}"

    def indices():
        return Input((3,), dtype=dtype)

    for ask in (
        lambda: Dense(1, dtype=dtype),
        indices,
        lambda: rnn_core.config.set_floatx(dtype),
        lambda: initializers.Zeros()((2,), dtype=dtype),
    ):
        if dtype == "int32" and ask is indices:  # what an Embedding reads
            assert ask().dtype == "int32"
            continue
        with pytest.raises(ValueError, match=message):
            ask()
    assert rnn_core.config.floatx() == "float32"


def test_small_arguments():
    with pytest.raises(TypeError, match="Input: shape must be a tuple of sizes without the batch, got 4"):
        Input(4)
    with pytest.raises(ValueError, match="Input: every size in shape must be an integer of at least 1, got 0"):
        Input((0, 2))
    with pytest.raises(ValueError, match="Input needs shape or batch_shape, one of the two"):
        Input()
    with pytest.raises(TypeError, match="Dense: name must be a str, got 3"):
        Dense(1, name=3)
    with pytest.raises(ValueError, match=r"L2: .* got nan"):
        regularizers.L2(NAN)
    with pytest.raises(ValueError, match=r"MaxNorm: .* got nan"):
        constraints.MaxNorm(NAN)
    with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 2\*\*32 - 1, got -1"):
        rnn_core.utils.set_random_seed(-1)


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
def test_to_categorical(x, classes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        rnn_core.utils.to_categorical(x, classes)


# What Keras has and this engine has not.

NOT_HERE = {
    "rnn_core.layers": ["LSTM", "GRU", "Conv1D", "MaxPooling1D", "BatchNormalization", "Dot", "Permute"],
    "rnn_core.callbacks": ["TensorBoard", "BackupAndRestore", "RemoteMonitor", "SwapEMAWeights"],
    "rnn_core.optimizers": ["Adadelta", "Nadam", "Lion"],
    "rnn_core.losses": ["CTC", "Dice"],
    "rnn_core.metrics": ["F1Score", "MeanIoU"],
    "rnn_core.utils": ["PyDataset", "Sequence"],
    "rnn_core": ["KerasTensor", "Function", "datasets", "applications", "preprocessing", "backend", "ops"],
}


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in NOT_HERE.items() for n in names])
def test_names_of_keras_that_are_not_here_are_named(module, name):
    with pytest.raises(ImportError, match=name) as caught:
        exec(f"from {module} import {name}")
    assert "cannot import name" not in str(caught.value)  # Python's own words say nothing


def test_modules_of_keras_that_are_not_here():
    with pytest.raises(ImportError, match=r"datasets"):
        exec("from rnn_core.datasets import mnist")
    assert not hasattr(rnn_core, "no_such_thing")
    assert not hasattr(rnn_core.layers, "no_such_thing")


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


def test_a_layer_has_to_know_its_features():
    with pytest.raises(ValueError, match=r"number of features, the last size of its input, got \(batch, 3, None\)"):
        Sequential([Input((3, None)), Dense(2)])
    with pytest.raises(TypeError, match="input_shape must be a tuple of sizes, got 4"):
        Dense(2, input_shape=4)
