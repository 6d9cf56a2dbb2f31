"""Models with several inputs and outputs: fit, evaluate and predict give Keras' numbers, however data is given."""

from __future__ import annotations

import copy
import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

import rnn_core
from rnn_core.layers import Dense, Input, Masking, SimpleRNN
from rnn_core.models import Model, Sequential

from .float64 import float64_in

TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}

N, T = 20, 4
DRAWS = np.random.default_rng(3)
PAST, TODAY = DRAWS.normal(size=(N, T, 2)), DRAWS.normal(size=(N, 3))
LEVEL, PATH = DRAWS.normal(size=(N, 1)), DRAWS.normal(size=(N, T, 2))
KIND = DRAWS.integers(0, 3, N)
STEPS = np.where(DRAWS.random((N, T, 1)) < 0.4, 0, PAST)
WEIGHT = DRAWS.uniform(0.5, 2, N)
ONES = np.ones((N, 1))


@pytest.fixture(autouse=True)
def float64():
    with float64_in():
        yield


def pair(masked=False):
    """Two inputs, three outputs of different kinds: a number, a sequence, a class."""
    models = []
    for k in (rnn_core, keras):
        layers = k.layers
        past, today = k.Input((T, 2), name="past"), k.Input((3,), name="today")
        start = layers.Dense(3, "tanh", name="start")(today)
        source = layers.Masking(name="mask")(past) if masked else past
        # Keras drops the mask of a layer that is given an initial state, see test_a_mask_and_an_initial_state.
        given = {} if masked else {"initial_state": start}
        memory = layers.SimpleRNN(3, return_sequences=True, return_state=True, name="memory")
        sequence, last = memory(source, **given)
        level = layers.Dense(1, name="level")(last)
        path = layers.Dense(2, name="path", kernel_regularizer=k.regularizers.L2(2**-6))(sequence)
        kind = layers.Dense(3, "softmax", name="kind")(start)
        models.append(k.Model([past, today], [level, path, kind], name="three"))
    ours, theirs = models
    theirs.set_weights([DRAWS.normal(size=w.shape) * 0.4 for w in theirs.get_weights()])
    for layer in ours.layers:
        layer.set_weights(theirs.get_layer(layer.name).get_weights())
    return ours, theirs


def close(ours, theirs):
    assert set(ours) == set(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], **TOLERANCE, err_msg=name)


def same_weights(ours, theirs):
    for layer in ours.layers:
        for a, b in zip(layer.get_weights(), theirs.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_allclose(a, b, **TOLERANCE, err_msg=layer.name)


MASKED = ("dicts", "weighted metrics", "weighted validation", "validation split", "an output without a loss")
"""Cases that are also run with masks."""

LOSSES = ["mse", "mae", "sparse_categorical_crossentropy"]
X, Y = [PAST, TODAY], [LEVEL, PATH, KIND]
BY_NAME = {"kind": KIND, "level": LEVEL, "path": PATH}

CASES = {
    "lists": ({"loss": LOSSES}, {}),
    "tuples": ({"loss": tuple(LOSSES)}, {"x": tuple(X), "y": tuple(Y)}),
    "dicts": (
        {
            "loss": dict(zip(("level", "path", "kind"), LOSSES, strict=True)),
            "loss_weights": {"level": 0.5, "path": 2.0, "kind": 1.5},
            "metrics": {"level": ["mae", "mse"], "kind": "accuracy"},
        },
        {"x": {"today": TODAY, "past": PAST}, "y": BY_NAME},
    ),
    "loss weights": ({"loss": LOSSES, "loss_weights": [0.5, 2, 1.5]}, {}),
    "a loss for all": ({"loss": "mse"}, {"y": [LEVEL, PATH, np.eye(3)[KIND]]}),
    "objects": ({"loss": ["huber", "mse", "sparse_categorical_crossentropy"]}, {}),
    "metrics": ({"loss": LOSSES, "metrics": [["mae"], ["mse", "mae"], ["accuracy"]]}, {}),
    "one metric each": ({"loss": LOSSES, "metrics": ["mae", None, "accuracy"]}, {}),
    "weighted metrics": (
        {"loss": LOSSES, "metrics": [["mae"], [], []], "weighted_metrics": [["mae"], ["mse"], ["accuracy"]]},
        {"sample_weight": [WEIGHT, ONES, WEIGHT[::-1].copy()]},
    ),
    "validation split": ({"loss": LOSSES, "metrics": [["mae"], None, None]}, {"validation_split": 0.25}),
    "validation data": ({"loss": LOSSES}, {"validation_data": ([PAST[:10], TODAY[:10]], [a[:10] for a in Y])}),
    "weighted validation": (
        {"loss": LOSSES},
        {"validation_data": ([PAST[:10], TODAY[:10]], [a[:10] for a in Y], [WEIGHT[:10], ONES[:10] * 2, WEIGHT[:10]])},
    ),
    "weights by list": ({"loss": LOSSES}, {"sample_weight": [WEIGHT, WEIGHT[::-1, None].copy(), WEIGHT + 1]}),
    "weights for all": ({"loss": LOSSES}, {"sample_weight": WEIGHT[:, None]}),
    "an output without a loss": ({"loss": ["mse", None, "sparse_categorical_crossentropy"]}, {}),
    "one output with a loss": ({"loss": ["mse", None, None]}, {}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("case", "masked"), [(c, False) for c in CASES] + [(c, True) for c in MASKED])
def test_training_is_keras_training(case, masked):
    """In whole batches: TensorFlow's Keras counts a smaller last batch as a whole one, in the losses of the outputs."""
    compiled, given = CASES[case]
    given = {"x": X, "y": Y, **given}
    if masked:
        x = given["x"]
        given["x"] = {**x, "past": STEPS} if isinstance(x, dict) else type(x)([STEPS, TODAY])
    ours, theirs = pair(masked)
    results = []
    for model in (ours, theirs):
        model.compile("rmsprop", **compiled)
        history = model.fit(batch_size=5, epochs=2, shuffle=False, verbose=0, **given)
        judged = {name: given[name] for name in ("x", "y", "sample_weight") if name in given}
        evaluated = model.evaluate(batch_size=10, verbose=0, return_dict=True, **judged)
        listed = model.evaluate(batch_size=10, verbose=0, **judged)
        results.append((history.history, evaluated, {"listed": listed}, model.predict(given["x"], verbose=0)))
    same_weights(ours, theirs)
    assert list(results[0][0]) == list(results[1][0])
    for mine, other in zip(results[0][:3], results[1][:3], strict=True):
        close(mine, other)
    for mine, other in zip(results[0][3], results[1][3], strict=True):
        np.testing.assert_allclose(mine, other, **TOLERANCE)


def test_sample_weights_by_the_names_of_the_outputs():
    """(In Keras only a model that was made with a dict of outputs takes a dict of them.)"""
    weights = [WEIGHT, ONES * 2, WEIGHT[::-1].copy()]
    histories = []
    for given in (weights, dict(zip(("level", "path", "kind"), weights, strict=True))):
        model, _ = pair()
        model.vector[...] = 0.1
        model.compile("sgd", LOSSES)
        histories.append(model.fit(X, Y, sample_weight=given, verbose=0, shuffle=False).history)
    assert histories[0] == histories[1]


@pytest.mark.filterwarnings("ignore")
def test_single_batches():
    ours, theirs = pair()
    for model in (ours, theirs):
        model.compile("sgd", LOSSES, metrics=[["mae"], None, ["accuracy"]])
    for _ in range(2):
        kept = [model.train_on_batch(X, Y, return_dict=True) for model in (ours, theirs)]
    assert set(kept[0]) == set(kept[1])
    close(*kept)
    ours_test, theirs_test = (
        model.test_on_batch(X, Y, sample_weight=[WEIGHT, ONES, WEIGHT]) for model in (ours, theirs)
    )
    assert len(ours_test) == len(theirs_test)
    same_weights(ours, theirs)
    for mine, other in zip(ours.predict_on_batch(X), theirs.predict_on_batch(X), strict=True):
        np.testing.assert_allclose(mine, other, **TOLERANCE)
    for mine, other in zip(ours(X), theirs(X), strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), **TOLERANCE)


@pytest.mark.filterwarnings("ignore")
def test_callbacks_see_what_keras_callbacks_see():
    seen = []
    for k, model in zip((rnn_core, keras), pair(), strict=True):
        noted: list = []

        class Notes(k.callbacks.Callback):
            def __init__(self, noted):
                super().__init__()
                self.noted = noted

            def on_epoch_end(self, epoch, logs=None):
                self.noted.append(sorted(logs))

            def on_train_batch_end(self, batch, logs=None):
                self.noted.append(sorted(logs))

        model.compile("sgd", LOSSES, metrics=[["mae"], None, None])
        stop = k.callbacks.EarlyStopping("val_kind_loss", patience=1, min_delta=10, mode="min")
        model.fit(
            X, Y, validation_split=0.4, epochs=9, verbose=0, batch_size=8, shuffle=False, callbacks=[Notes(noted), stop]
        )
        seen.append(noted)
    assert seen[0] == seen[1]


def test_predictions_do_not_depend_on_the_batch_size():
    model, _ = pair()
    whole = model.predict(X)
    for size in (1, 5, 64):
        for a, b in zip(model.predict(X, batch_size=size), whole, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    for a, b in zip(model.predict({"past": PAST, "today": TODAY}), whole, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore")
def test_a_dict_of_outputs_is_predicted_as_a_dict():
    made = []
    for k in (rnn_core, keras):
        a = k.Input((3,), name="a")
        layers = [k.layers.Dense(n, kernel_initializer="ones", name=name) for n, name in ((1, "two"), (2, "one"))]
        model = k.Model({"a": a}, {layer.name: layer(a) for layer in layers})
        model.compile("sgd", {"two": "mse", "one": "mae"}, metrics={"one": ["mse"]})
        y = {"one": np.ones((N, 2)), "two": np.ones((N, 1))}
        history = model.fit({"a": TODAY}, y, verbose=0, shuffle=False).history
        made.append((history, model.predict({"a": TODAY}, verbose=0)))
    close(made[0][0], made[1][0])
    assert set(made[0][1]) == set(made[1][1]) == {"one", "two"}
    for name in ("one", "two"):
        np.testing.assert_allclose(made[0][1][name], made[1][1][name], rtol=1e-5)


def test_a_mask_and_an_initial_state():
    """Both count. (In Keras a mask does not reach a layer that is also given a state, unless it is given by hand.)"""
    start = Input((3,), name="start")
    past = Input((T, 2), name="past")
    memory = SimpleRNN(3, return_sequences=True)
    model = Model([past, start], memory(Masking()(past), initial_state=start))
    state = DRAWS.normal(size=(N, 3))
    mask = (STEPS != 0).any(-1)
    by_hand = memory(STEPS, mask=mask, initial_state=state)
    np.testing.assert_array_equal(model.predict([STEPS, state]), by_hand)


# Models that share layers.


def test_a_model_cut_out_of_another():
    chain = Sequential([Input((T, 2)), SimpleRNN(3, name="memory"), Dense(4, name="middle"), Dense(1, name="last")])
    chain.compile("sgd", "mse")
    chain.fit(PAST, LEVEL, verbose=0)
    inside = Model(chain.inputs, chain.get_layer("memory").output)
    np.testing.assert_array_equal(inside.predict(PAST), chain.layers[0](PAST))
    before = chain.predict(PAST)
    chain.fit(PAST, LEVEL, verbose=0)  # the part sees the new weights
    np.testing.assert_array_equal(inside.predict(PAST), chain.layers[0](PAST))
    assert (chain.predict(PAST) != before).any()
    end = Model(chain.get_layer("middle").output, chain.output)
    middle = Model(chain.input, chain.get_layer("middle").output)
    np.testing.assert_allclose(end.predict(middle.predict(PAST)), chain.predict(PAST), rtol=1e-6)


def test_a_head_on_a_base():
    base = Sequential([Input((T, 2)), SimpleRNN(3, name="memory")], name="base")
    base.compile("sgd", "mse")
    base.fit(PAST, np.ones((N, 3)), verbose=0)
    before = base.get_weights()
    base.trainable = False
    head = Model(base.input, Dense(1)(base.output))
    head.compile("sgd", "mse")
    head.fit(PAST, LEVEL, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(base.get_weights(), before, strict=True))
    with pytest.raises(ValueError, match=r"can't be made with layers \['memory'\] alone: .* base = copy\.copy"):
        Model(base.input, Dense(1)(base.output))  # a second head: the layer lies in the first one's vector
    base = copy.copy(base)  # what the message advises
    second = Model(base.input, Dense(2)(base.output))
    second.compile("sgd", "mse")
    second.fit(PAST, np.ones((N, 2)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(second.get_weights(), before, strict=False))
    both = Model(head.input, [head.output, Dense(2)(head.layers[1].output)])  # or one model with both heads
    both.compile("sgd", "mse")
    both.fit(PAST, [LEVEL, np.ones((N, 2))], verbose=0)
    assert np.shares_memory(both.vector, head.vector)


def test_a_model_called_like_a_layer_is_trained_with_the_rest():
    base = Sequential([Input((T, 2)), SimpleRNN(3)], name="base")
    before = base.get_weights()
    start = Input((T, 2))
    nested = Model(start, Dense(1)(base(start)))
    nested.compile("sgd", "mse")
    nested.fit(PAST, LEVEL, verbose=0)
    assert any((a != b).any() for a, b in zip(base.get_weights(), before, strict=True))
    np.testing.assert_array_equal(base.predict(PAST), nested.layers[1](PAST))


def test_encoder_and_decoder_are_taken_apart_for_inference():
    source, target = Input((T, 2), name="source"), Input((None, 3), name="target")
    encoder = SimpleRNN(5, return_state=True, name="encoder")
    decoder = SimpleRNN(5, return_sequences=True, return_state=True, name="decoder")
    head = Dense(3, name="head")
    _, state = encoder(source)
    h, _ = decoder(target, initial_state=state)
    training = Model([source, target], head(h))
    training.compile("rmsprop", "mse")
    target_data = DRAWS.normal(size=(N, 6, 3)).astype("float32")
    training.fit([PAST, target_data], target_data, verbose=0)

    encode = Model(source, state)
    given = Input((5,), name="given")
    out, new_state = decoder(target, initial_state=given)
    decode = Model([target, given], [head(out), new_state])
    state_data = encode.predict(PAST)
    steps = []
    for t in range(6):
        y, state_data = decode.predict([target_data[:, t : t + 1], state_data])
        steps.append(y)
    np.testing.assert_allclose(np.concatenate(steps, 1), training.predict([PAST, target_data]), rtol=1e-10, atol=1e-12)
    training.fit([PAST, target_data], target_data, verbose=0)  # goes on after its layers went into other models
    np.testing.assert_allclose(encode.predict(PAST), encode(PAST), rtol=1e-12)


def test_a_model_called_twice_shares_its_weights():
    draws = np.random.default_rng(0)
    inner = Model(a := Input((3,)), Dense(2, "tanh")(a))
    left, right = Input((3,)), Input((3,))
    model = Model([left, right], [inner(left), inner(right)])
    assert model.count_params() == inner.count_params()
    x = draws.normal(size=(4, 3))
    first, second = model.predict([x, 2 * x])
    np.testing.assert_array_equal(first, inner.predict(x))
    np.testing.assert_array_equal(second, inner.predict(2 * x))


# What is refused.


def test_data_that_does_not_fit_is_refused_by_name():
    model, _ = pair()
    model.compile("sgd", LOSSES)
    for x, y, message in (
        (PAST, Y, r"x must be a list with an entry for each of past, today"),
        ([PAST], Y, r"x must be a list with an entry for each of past, today; got 1 entries"),
        ({"past": PAST, "other": TODAY}, Y, r"x must have the keys past, today"),
        ([PAST, TODAY[:5]], Y, r"all inputs need as many samples"),
        ([PAST, TODAY[:, :2]], Y, r"x\['today'\]: model 'three' expects \(batch, 3\)"),
        (X, [LEVEL, PATH], r"y must be a list with an entry for each of level, path, kind"),
        (X, [LEVEL, PATH[:, :2], KIND], r"output 'path'"),
        (X, [LEVEL[:4], PATH, KIND], r"y\['level'\] must have as many samples"),
        (X, {"level": LEVEL, "path": PATH}, r"y must have the keys level, path, kind"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=r"loss must be a list with an entry for each of the outputs"):
        model.compile("sgd", ["mse", "mae"])
    with pytest.raises(ValueError, match=r"the model has no output 'nobody'"):
        model.compile("sgd", {"nobody": "mse"})
    with pytest.raises(ValueError, match=r"sample_weight must be a list with an entry for each of the outputs"):
        model.fit(X, Y, sample_weight=[WEIGHT, WEIGHT], verbose=0)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"sample_weight\['path'\].*does not fit values"):
        model.fit(X, Y, sample_weight=WEIGHT, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    with pytest.raises(ValueError, match="class_weight is for models with one output"):
        model.fit(X, Y, class_weight={0: 1.0}, verbose=0)


# As configs, in files.


def test_a_model_survives_its_config():
    ours, theirs = pair()
    twins = [type(ours).from_config(ours.get_config()), type(ours).from_config(theirs.get_config())]
    for twin in twins:
        assert [layer.name for layer in twin.layers] == [layer.name for layer in ours.layers]
        assert (twin.name, twin.input_names, twin.output_names) == (ours.name, ours.input_names, ours.output_names)
        twin.set_weights(ours.get_weights())
        for a, b in zip(twin.predict(X), ours.predict(X), strict=True):
            np.testing.assert_array_equal(a, b)
        assert twin.get_config() == ours.get_config()
    again = keras.Model.from_config(ours.get_config())
    assert [layer.name for layer in again.layers] == [layer.name for layer in theirs.layers]


def test_weights_go_through_a_file(tmp_path):
    ours, _ = pair()
    before = ours.predict(X)
    ours.save_weights(tmp_path / "w.weights.npz")
    other, _ = pair()
    other.load_weights(tmp_path / "w.weights.npz")
    for a, b in zip(other.predict(X), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_cyclic_config_is_refused_by_name():
    a = Input((3,), name="a")
    config = Model(a, Dense(3, name="second")(Dense(3, name="first")(a))).get_config()
    first, second = config["layers"][1:]
    first["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["second", 0, 0]
    with pytest.raises(ValueError, match=r"The graph is cyclic: layers first, second wait for each other"):
        Model.from_config(config)
    second["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["third", 0, 0]
    with pytest.raises(ValueError, match=r"'second' reads from a layer 'third' that the config does not have"):
        Model.from_config(config)


def test_readers_snippet():
    texts = []
    for k in (rnn_core, keras):
        k.utils.clear_session()
        visible = k.Input(shape=(None, 4))
        hidden = k.layers.SimpleRNN(32, activation="relu")(visible)
        hidden = k.layers.Dense(8, activation="relu")(hidden)
        output = k.layers.Dense(1)(hidden)
        model = k.Model(inputs=visible, outputs=output)
        model.compile("rmsprop", "mse")
        model.fit(np.ones((5, 3, 4)), np.ones(5), verbose=0)
        model.summary(print_fn=texts.append)
    assert texts[0] == texts[1]
    assert "input_layer (InputLayer)" in texts[0]
