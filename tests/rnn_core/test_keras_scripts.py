"""Lines that scripts for Keras are made of: each runs here as it does there, or is refused in words that help.

Whatever a script defines and Keras would call, this engine must not silently leave uncalled.
"""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import rnn_core

RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=(6, 4, 2)).astype("float32"), RNG.normal(size=(6, 1)).astype("float32")


def a_model(k):
    model = k.Sequential([k.Input((4, 2)), k.layers.SimpleRNN(3, name="rnn"), k.layers.Dense(1, name="out")], name="m")
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


def of_both(script):
    """Run a script with rnn_core and with Keras; return both results."""
    return script(rnn_core), script(keras)


@pytest.mark.parametrize("given", ["SimpleRNN", "RNN"])
@pytest.mark.parametrize("steps", [2, 5])
def test_a_state_from_one_layer_to_the_next_where_timesteps_are_free(given, steps):
    x = RNG.normal(size=(2, steps, 2)).astype("float32")

    def script(k):
        def layer(**options):
            return (
                k.layers.SimpleRNN(3, **options)
                if given == "SimpleRNN"
                else k.layers.RNN(k.layers.SimpleRNNCell(3), **options)
            )

        i = k.Input((None, 2))
        h, state = layer(return_sequences=True, return_state=True)(i)
        model = k.Model(i, layer()(h, initial_state=state))
        rng = np.random.default_rng(1)
        model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
        return model.predict(x, verbose=0)

    ours, theirs = of_both(script)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_layer_is_built_by_hand():
    def script(k):
        layer = k.layers.Embedding(4, 2)
        layer.build((None,))
        layer.set_weights([np.arange(8.0).reshape(4, 2)])
        rnn, dense = k.layers.SimpleRNN(3), k.layers.Dense(2)
        rnn.build((None, 4, 2))
        dense.build([None, 3])
        return (
            np.asarray(layer(np.array([[1, 2]]))).tolist(),
            [[tuple(w.shape) for w in one.get_weights()] for one in (rnn, dense)],
            [one.built for one in (layer, rnn, dense)],
        )

    ours, theirs = of_both(script)
    assert ours == theirs


def test_a_layer_of_one_s_own_whose_base_builds_too_is_built_once():
    class Twice(rnn_core.layers.Embedding):
        def build(self, input_shape):
            super().build(input_shape)
            self.add_weight("scale", (1,), "ones")

    layer = Twice(4, 2)
    layer.build((None, 3))
    assert [w.shape for w in layer.get_weights()] == [(4, 2), (1,)]


def test_weights_know_their_names_and_can_be_assigned():
    def script(k):
        model = a_model(k)
        for v in model.trainable_variables:
            if v.name == "bias":
                v.assign(np.full(tuple(v.shape), 0.5, "float32"))
        return [(v.name, tuple(v.shape), np.asarray(v.numpy()).tolist()) for v in model.trainable_variables] + [
            len(model.layers[1].variables),
            len(model.layers[1].trainable_variables),
            len(model.layers[1].non_trainable_variables),
        ]

    ours, theirs = of_both(script)
    assert ours == theirs
    model = a_model(rnn_core)
    with pytest.raises(ValueError, match=r"out/bias: assign expects shape \(1,\), got \(2,\)"):
        model.variables[-1].assign(np.zeros(2))
    assert type(model.weights[0] * 2) is np.ndarray
    assert isinstance(model.get_weights()[0], np.ndarray)
    assert not hasattr(model.get_weights()[0], "assign")


def test_what_a_call_returns_has_numpy():
    ours, theirs = of_both(lambda k: a_model(k)(X).numpy())
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    h, state = rnn_core.layers.SimpleRNN(2, return_sequences=True, return_state=True)(X)
    assert type(h.numpy()) is type(state.numpy()) is type(h + 1) is np.ndarray


def test_the_learning_rate_is_read_and_assigned():
    def script(k):
        optimizer = k.optimizers.SGD(0.5)
        before = optimizer.learning_rate.numpy()
        optimizer.learning_rate.assign(0.25)
        return before, float(optimizer.learning_rate), type(optimizer.get_config()["learning_rate"]).__name__

    ours, theirs = of_both(script)
    assert ours == theirs
    rate = rnn_core.optimizers.SGD(0.5).learning_rate
    assert type(copy.deepcopy(rate)) is type(pickle.loads(pickle.dumps(rate))) is float


@pytest.mark.parametrize("how", ["list", "dict"])
def test_one_output_compiled_as_one_of_several(how):
    def script(k):
        model = a_model(k)
        loss, metrics = (["mse"], [["mae"]]) if how == "list" else ({"out": "mse"}, {"out": ["mae"]})
        if how == "dict":
            i = k.Input((4, 2))
            model = k.Model(i, k.layers.Dense(1, name="out")(k.layers.SimpleRNN(3)(i)))
            model.set_weights(a_model(k).get_weights())
        model.compile("sgd", loss, metrics=metrics)
        return model.fit(X, Y, verbose=0, shuffle=False).history

    ours, theirs = of_both(script)
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5)
    with pytest.raises(ValueError, match="loss must be a dict with the output's name 'out', got "):
        a_model(rnn_core).compile("sgd", {"nonsense": "mse"})


def test_results_by_name_come_in_keras_order():
    def script(k):
        model = a_model(k)
        model.compile("sgd", "mse", metrics=["mae", k.metrics.MeanSquaredError(name="a")])
        model.reset_metrics()
        return [
            list(model.train_on_batch(X, Y, return_dict=True)),
            list(model.evaluate(X, Y, verbose=0, return_dict=True)),
            list(model.test_on_batch(X, Y, return_dict=True)),
        ]

    ours, theirs = of_both(script)
    assert ours == theirs


def test_a_clone_has_the_layers_and_other_weights():
    def script(k):
        model = a_model(k)
        clone = k.models.clone_model(model)
        differs = not np.array_equal(clone.get_weights()[0], model.get_weights()[0])
        clone.set_weights(model.get_weights())
        return (
            [layer.name for layer in clone.layers],
            differs,
            np.array_equal(clone.predict(X, verbose=0), model.predict(X, verbose=0)),
        )

    ours, theirs = of_both(script)
    assert ours == theirs
    with pytest.raises(TypeError, match="clone_function"):
        rnn_core.models.clone_model(a_model(rnn_core), clone_function=lambda layer: layer)


def test_the_list_of_layers_is_the_user_s_own():
    def script(k):
        model = a_model(k)
        model.layers.pop()
        return len(model.layers), [w.shape for w in model.get_weights()]

    ours, theirs = of_both(script)
    assert ours == theirs


def test_word_vectors_as_a_constant():
    vectors = np.arange(8.0).reshape(4, 2)

    def script(k):
        layer = k.layers.Embedding(4, 2, embeddings_initializer=k.initializers.Constant(vectors), trainable=False)
        return np.asarray(layer(np.array([[3, 1]]))).tolist()

    ours, theirs = of_both(script)
    assert ours == theirs
    constant = rnn_core.initializers.Constant(vectors)
    again = type(constant).from_config(constant.get_config())
    np.testing.assert_array_equal(again((4, 2)), vectors)
    with pytest.raises(ValueError, match=r"value of shape \(4, 2\) does not fit a weight of shape \(3, 2\)"):
        constant((3, 2))


@pytest.mark.parametrize(
    "line",
    [
        "from keras.preprocessing.sequence import pad_sequences\npad_sequences([[1], [2, 3]])",
        "from keras.preprocessing import sequence\nsequence.pad_sequences([[1], [2, 3]])",
        "from keras import backend as K\nK.clear_session(), K.floatx(), K.epsilon()",
        "import keras.backend as K\nK.floatx()",
        "from keras import Loss, Metric, Optimizer, Initializer, Regularizer",
        "from keras.layers import GlobalAvgPool1D, GlobalMaxPool1D\nGlobalMaxPool1D()",
        "from keras.config import epsilon, backend\nepsilon()",
        "from keras.models import clone_model",
        "from keras import Input\nInput((3,), sparse=False, tensor=None)",
    ],
)
def test_imports_of_scripts(line):
    exec(line)
    exec(line.replace("keras", "rnn_core"))


DEFINED = {
    "call": (lambda k: k.Model, "Sequential or Model"),
    "train_step": (lambda k: k.Model, "fit"),
    "test_step": (lambda k: k.Sequential, "Sequential or Model"),
    "compute_loss": (lambda k: k.Model, "Sequential or Model"),
    "update_step": (lambda k: k.optimizers.Optimizer, "_update"),
}


@pytest.mark.parametrize("method", DEFINED)
def test_what_keras_would_call_and_nothing_here_is_refused(method):
    base, instead = DEFINED[method]
    with pytest.raises(TypeError, match=f"Mine defines {method}, which Keras would call.*{instead}"):
        type("Mine", (base(rnn_core),), {method: lambda self, *args, **kwargs: None})
    type("Mine", (base(keras),), {method: lambda self, *args, **kwargs: None})


@pytest.mark.parametrize(("base", "instead"), [("layers.Layer", "backward"), ("losses.Loss", "derivative")])
def test_a_call_without_a_derivative_is_refused(base, instead):
    room, name = base.split(".")
    with pytest.raises(TypeError, match=f"Mine defines call.*{instead}"):
        type("Mine", (getattr(getattr(rnn_core, room), name),), {"call": lambda self, *args: args[0]})


ASKED = [
    (lambda: a_model(rnn_core).save("m.keras"), AttributeError, "save_weights.*parity.to_keras"),
    (lambda: a_model(rnn_core).to_json(), AttributeError, "get_config"),
    (lambda: a_model(rnn_core).reset_states(), AttributeError, "reset_state"),
    (lambda: a_model(rnn_core).fit_generator([]), AttributeError, "model.fit"),
    (lambda: a_model(rnn_core).nonsense, AttributeError, "has no attribute 'nonsense'"),
    (lambda: a_model(rnn_core).layers[0].cell, AttributeError, "layer.kernel"),
    (lambda: rnn_core.layers.Dense(1).kernel, AttributeError, "not built yet"),
    (lambda: a_model(rnn_core).layers[-1].embeddings, AttributeError, "has no attribute 'embeddings'$"),
    (lambda: rnn_core.layers.Dense(1).output, AttributeError, "is part of no model yet"),
    (lambda: rnn_core.optimizers.SGD().apply_gradients([]), AttributeError, "train_on_batch"),
    (lambda: rnn_core.metrics.Mean().add_weight(), AttributeError, "reset_state"),
    (lambda: rnn_core.optimizers.Adam(lr=0.1), TypeError, "learning_rate"),
    (lambda: rnn_core.optimizers.SGD(decay=1e-6), TypeError, "InverseTimeDecay"),
    (lambda: rnn_core.layers.SimpleRNN(2, batch_input_shape=(1, 2, 3)), TypeError, "batch_shape"),
    (lambda: rnn_core.Input((3,), ragged=True), TypeError, "pad_sequences"),
    (lambda: rnn_core.Input((3,)) + rnn_core.Input((3,)), TypeError, r"Add\(\)\(\[a, b\]\)"),
    (lambda: 2 * rnn_core.Input((3,)), TypeError, "place in a graph"),
    (lambda: rnn_core.Input((5, 3))[:, -1], TypeError, "return_sequences"),
    (lambda: rnn_core.Sequential([a_model(rnn_core)]), TypeError, "by a call"),
]


@pytest.mark.parametrize(("ask", "error", "message"), ASKED, ids=[str(i) for i in range(len(ASKED))])
def test_what_there_is_instead_is_said(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


@pytest.mark.parametrize(
    ("make", "missing", "there"),
    [
        (lambda: a_model(rnn_core), "save", "fit"),
        (lambda: rnn_core.layers.Dense(1), "call", "build"),
        (lambda: rnn_core.optimizers.SGD(), "apply", "step"),
        (lambda: rnn_core.metrics.Mean(), "variables", "result"),
    ],
)
def test_what_is_missing_is_not_listed_and_an_attribute_of_a_user_takes_its_place(make, missing, there):
    instance = make()
    assert there in dir(instance)
    assert missing not in dir(instance)
    assert not hasattr(type(instance), missing)
    setattr(instance, missing, 3)
    assert getattr(instance, missing) == 3
    assert missing in dir(instance)


def test_a_weight_that_the_settings_leave_out_is_not_called_unbuilt():
    layer = rnn_core.layers.Dense(1, use_bias=False)
    layer.build((None, 3))
    assert not hasattr(layer, "bias")
    with pytest.raises(AttributeError, match=r"has no attribute 'bias'\.$"):
        _ = layer.bias


def test_copies_and_pickles_are_not_disturbed_by_the_refusals():
    model = a_model(rnn_core)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        assert not hasattr(other, "save")
        assert not hasattr(other.layers[0], "call")
