"""TimeDistributed and Bidirectional: against Keras, differences and the layers inside; weights, copies, bad input."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_core
from rnn_core import layers
from rnn_core.layers import Add, Bidirectional, Dense, Dropout, InputLayer, SimpleRNN, TimeDistributed

from ..finite_differences import SEEDS, examples
from .against_keras import keras
from .graphs import assert_as_keras, assert_step_as_keras, check_layer, models

pytestmark = pytest.mark.usefixtures("float64_everywhere")

MISSING = 9.0  # a step of this is masked
MODES = st.sampled_from(["concat", "sum", "mul", "ave", None])
SIZES = st.integers(1, 3)


def random_array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# --- TimeDistributed ------------------------------------------------------------------------------------------

INSIDE = {
    "Dense": (lambda m: m.layers.Dense(3, "tanh"), (4, 2)),
    "Dense on a sequence": (lambda m: m.layers.Dense(3), (4, 5, 2)),
    "Flatten": (lambda m: m.layers.Flatten(), (4, 3, 2)),
    "Reshape": (lambda m: m.layers.Reshape((2, 3)), (4, 6)),
    "RepeatVector": (lambda m: m.layers.RepeatVector(2), (4, 3)),
    "SimpleRNN": (lambda m: m.layers.SimpleRNN(3), (4, 5, 2)),
    "SimpleRNN, sequences": (lambda m: m.layers.SimpleRNN(3, return_sequences=True), (4, 5, 2)),
    "TimeDistributed": (lambda m: m.layers.TimeDistributed(m.layers.Dense(3)), (4, 5, 2)),
}


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("before", [False, True])
def test_time_distributed_as_keras(inside, before):
    kind, shape = INSIDE[inside]

    def make(module):
        x = module.Input(shape)
        h = module.layers.Activation("tanh")(x) if before else x  # ours then hands on another memory order
        return module.Model(x, module.layers.TimeDistributed(kind(module))(h))

    assert_as_keras(make, random_array(3, *shape))
    layer, x = TimeDistributed(kind(rnn_core)), random_array(2, *shape)
    check_layer(layer, x)
    by_step = np.stack([layer.layer(x[:, t]) for t in range(shape[0])], axis=1)
    np.testing.assert_allclose(layer(x), by_step, atol=1e-14)


def test_time_distributed_hands_the_mask_on():
    def make(module):
        x = module.Input((4, 2))
        h = module.layers.TimeDistributed(module.layers.Dense(3))(module.layers.Masking(MISSING)(x))
        return module.Model(x, module.layers.SimpleRNN(2)(h))

    x = random_array(3, 4, 2)
    x[0, 1:], x[1, 0] = MISSING, MISSING
    assert_as_keras(make, x)
    assert_step_as_keras(make, x, random_array(3, 2))


def test_dropout_inside_differs_from_step_to_step_and_goes_back_as_it_came():
    layer = TimeDistributed(Dropout(0.5, seed=1))
    x = np.ones((2, 50, 3))
    record = layer.new_record(x.shape)
    y = layer.forward(record, x, training=True)
    assert 0.3 < (y == 0).mean() < 0.7
    assert (y[:, :1] != y).any()
    np.testing.assert_array_equal(layer.backward(record, x), y)
    np.testing.assert_array_equal(layer(x), x)


def test_a_layer_inside_that_was_built_keeps_its_weights():
    dense = Dense(2)
    dense.ensure_built((None, 3))
    kept = dense.get_weights()
    layer = TimeDistributed(dense)
    layer.ensure_built((None, 4, 3))
    for weight, before in zip(layer.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(weight, before)
    assert [spec.name for spec in layer.specs] == ["dense/kernel", "dense/bias"]
    dense.kernel = np.ones((3, 2))
    assert (layer.vector[:6] == 1).all()  # one memory
    assert TimeDistributed(layers.Embedding(4, 2))(np.ones((2, 3, 5))).shape == (2, 3, 5, 2)


# --- Bidirectional --------------------------------------------------------------------------------------------

FLAGS = st.fixed_dictionaries({name: st.booleans() for name in ("return_sequences", "return_state")})


@examples(100)
@given(MODES, FLAGS, st.booleans(), st.booleans(), st.booleans(), st.tuples(SIZES, st.integers(1, 4), SIZES), SEEDS)
def test_bidirectional_against_differences(mode, flags, masked, with_states, crossed, shape, seed):
    draws = np.random.default_rng(seed)
    x = draws.standard_normal(shape)
    mask = draws.random(shape[:2]) < 0.6 if masked else None
    ahead = SimpleRNN(2, go_backwards=crossed, **flags)
    layer = Bidirectional(ahead, mode, backward_layer=SimpleRNN(2, go_backwards=not crossed, **flags))
    if with_states:
        xs = [x, *(draws.standard_normal((shape[0], 2)) for _ in range(2))]
        check_layer(layer, xs, [mask, None, None], seed=seed)
    else:
        record = check_layer(layer, x, mask, seed=seed)
        known = mask if flags["return_sequences"] else None
        assert record.output_mask is known or record.output_mask == (known, known)


@examples(30)
@given(MODES, FLAGS, st.sampled_from(["masked", "with states", "plain"]), SEEDS)
def test_bidirectional_as_keras(mode, flags, kind, seed):
    """Not with states and a mask at once: Keras' recurrent layers do not find the mask then."""
    masked, with_states = kind == "masked", kind == "with states"
    draws = np.random.default_rng(seed)
    xs = [draws.standard_normal((3, 4, 2)), *(draws.standard_normal((3, 5)) for _ in range(2 * with_states))]
    xs[0][draws.random((3, 4)) < 0.3] = MISSING

    def make(module):
        kinds = module.layers
        x, *states = (module.Input(part.shape[1:]) for part in xs)
        h = kinds.Masking(MISSING)(x) if masked else x
        wrapped = kinds.Bidirectional(kinds.SimpleRNN(5, **flags), merge_mode=mode)
        outputs = wrapped(h, **({"initial_state": states} if with_states else {}))
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        if flags["return_sequences"]:
            outputs += [kinds.SimpleRNN(2)(h) for h in outputs[: 1 if mode else 2]]  # are told the mask
        return module.Model([x, *states] if with_states else x, outputs)

    assert_as_keras(make, *xs, seed=seed)


@pytest.mark.parametrize("used", [0, 1, 2, 3])
def test_an_output_that_nothing_uses(used):
    def make(module):
        x = module.Input((4, 2))
        outputs = module.layers.Bidirectional(module.layers.SimpleRNN(3, return_state=True), merge_mode=None)(x)
        return module.Model(x, outputs[used])

    assert_as_keras(make, random_array(3, 4, 2))


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
def test_a_stack_of_them_takes_one_step_as_keras(mode):
    def make(module):
        kinds = module.layers
        x = module.Input((4, 2))
        first = kinds.SimpleRNN(3, return_sequences=True, kernel_regularizer=module.regularizers.L2(0.125))
        second = kinds.SimpleRNN(4, recurrent_constraint="unit_norm")
        back = kinds.SimpleRNN(4, "relu", go_backwards=True)
        h = kinds.Bidirectional(first, merge_mode=mode)(x)
        return module.Model(x, kinds.Dense(1)(kinds.Bidirectional(second, backward_layer=back)(h)))

    x = random_array(5, 4, 2)
    ours, theirs = assert_as_keras(make, x)
    assert_step_as_keras(make, x, random_array(5, 1))
    # forward_simple_rnn/kernel here, bidirectional_1/forward_simple_rnn_2/simple_rnn_cell/kernel there
    paths = [weight.path.split("/")[1:] for weight in theirs.layers[1].weights]
    names = [spec.name.split("/") for spec in ours.layers[1].specs]
    assert [(p[0].split("_")[0], p[-1]) for p in paths] == [(n[0].split("_")[0], n[-1]) for n in names]


def test_one_used_twice_adds_up_its_gradients():
    def make(module):
        a, b = module.Input((4, 2)), module.Input((3, 2))
        shared = module.layers.Bidirectional(module.layers.SimpleRNN(3))
        return module.Model([a, b], module.layers.Subtract()([shared(a), shared(b)]))

    assert_as_keras(make, random_array(5, 4, 2), random_array(5, 3, 2, seed=1))


def test_the_backward_direction_reads_the_reversed_sequence():
    layer = Bidirectional(SimpleRNN(3, return_sequences=True), None)
    x = random_array(2, 4, 3)
    ahead, back = layer(x)
    layer.backward_layer.set_weights(layer.forward_layer.get_weights())
    np.testing.assert_allclose(layer(x)[1], layer(x[:, ::-1])[0][:, ::-1], atol=1e-14)
    np.testing.assert_array_equal(ahead, layer(x)[0])
    assert not np.array_equal(back, layer(x)[1])


def test_names_configs_and_shapes_as_keras():
    for flags in ({}, {"return_sequences": True}, {"return_state": True}):
        for mode in ("concat", "ave", None):
            ours, theirs = (
                m.layers.Bidirectional(m.layers.SimpleRNN(3, name="inside", **flags), merge_mode=mode)
                for m in (rnn_core, keras)
            )
            assert [ours.forward_layer.name, ours.backward_layer.name] == ["forward_inside", "backward_inside"]
            assert theirs.forward_layer.name == "forward_inside"
            for one in ("forward_layer", "backward_layer"):
                assert getattr(ours, one).zero_output_for_mask == getattr(theirs, one).zero_output_for_mask
            shape = (None, 4, 2)
            flat = [tuple(s) for s in rnn_core.graph.output_shapes(ours.compute_output_shape(shape))]
            returned = theirs(keras.Input((4, 2)))
            assert flat == [s.shape for s in (returned if isinstance(returned, (list, tuple)) else [returned])]


def test_a_stateful_one_goes_on_where_it_was():
    def make(module):
        x = module.Input(batch_shape=(2, 3, 2))
        return module.Model(x, module.layers.Bidirectional(module.layers.SimpleRNN(3, stateful=True))(x))

    ours, theirs = models(make)
    for seed in range(3):
        x = random_array(2, 3, 2, seed=seed)
        np.testing.assert_allclose(ours.predict(x, batch_size=2, verbose=0), theirs(x), rtol=1e-12)
    ours.layers[1].reset_state()
    theirs.layers[1].reset_state()
    np.testing.assert_allclose(ours.predict(x, batch_size=2, verbose=0), theirs(x), rtol=1e-12)


def test_dropout_is_applied_in_training_alone():
    layer, x = Bidirectional(SimpleRNN(3, dropout=0.5, seed=5)), random_array(2, 4, 3)
    assert not np.array_equal(layer(x, training=True), layer(x))
    np.testing.assert_array_equal(layer(x), layer(x))


def test_directions_drop_out_different_units():
    layer = Bidirectional(SimpleRNN(3, dropout=0.5, seed=5))
    assert (layer.forward_layer.seed, layer.backward_layer.seed) == (5, 6)
    again = Bidirectional.from_config(layer.get_config())
    assert (again.forward_layer.seed, again.backward_layer.seed) == (5, 6)


def test_initial_states_of_arrays():
    layer = Bidirectional(SimpleRNN(2, return_state=True))
    x, states = random_array(3, 4, 2), [np.ones((3, 2)), np.zeros((3, 2))]
    y, ahead, back = layer(x, initial_state=states)
    np.testing.assert_array_equal(y, np.concatenate([ahead, back], axis=1))
    np.testing.assert_array_equal(layer(x)[2], back)
    assert not np.array_equal(layer(x)[1], ahead)


# --- both -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frozen", ["outside", "inside"])
def test_frozen_layers_stay_and_their_weights_are_saved_with_the_rest(frozen, tmp_path):
    def make(module):
        x = module.Input((4, 2))
        dense = module.layers.Dense(3, trainable=frozen != "inside")
        h = module.layers.TimeDistributed(dense)(x)
        model = module.Model(x, module.layers.Bidirectional(module.layers.SimpleRNN(1))(h))
        if frozen == "outside":
            model.layers[1].trainable = False
        return model

    x = random_array(3, 4, 2)
    ours, theirs = models(make)
    assert len(ours.trainable_weights) == len(theirs.trainable_weights) == 6
    before = ours.layers[1].get_weights()
    assert_step_as_keras(make, x, random_array(3, 2))
    ours.compile("sgd", "mse")
    ours.fit(x, random_array(3, 2), verbose=0)
    np.testing.assert_array_equal(before[0], ours.layers[1].get_weights()[0])
    ours.save_weights(tmp_path / "weights.npz")
    other = make(rnn_core)  # names inside run on, names of weights do not
    other.load_weights(tmp_path / "weights.npz")
    np.testing.assert_array_equal(other.predict(x, verbose=0), ours.predict(x, verbose=0))


def test_one_direction_can_not_be_frozen_alone():
    layer = Bidirectional(SimpleRNN(1))
    layer.forward_layer.trainable = False
    with pytest.raises(ValueError, match="freeze all of the layers inside, or none"):
        _ = layer.trainable
    layer.trainable = False
    assert not TimeDistributed(Dense(1), trainable=False).trainable
    assert not layer.backward_layer.trainable


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_models_of_them_train_by_themselves(duplicate):
    x = rnn_core.Input((4, 2))
    h = Bidirectional(SimpleRNN(3, return_sequences=True))(x)
    model = rnn_core.Model(x, TimeDistributed(Dense(2))(h))
    data = random_array(3, 4, 2)
    again, kept = duplicate(model), model.get_weights()
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))
    again.compile("sgd", "mse")
    again.fit(data, data, verbose=0)
    for layer in again.layers[1:]:
        assert all(np.shares_memory(w, again.vector) for inner in layer.inner.values() for w in inner.weights)
    for weight, before, other in zip(model.get_weights(), kept, again.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, before)
        assert not np.array_equal(weight, other)


def inside_another():
    dense = Dense(2)
    TimeDistributed(dense, name="first")
    return dense


def called():
    dense = Dense(2)
    dense(rnn_core.Input((3,)))
    return dense


RNN = {"return_sequences": True}
BAD = {
    "no layer": (lambda: TimeDistributed("Dense"), "layer must be a layer, got 'Dense'"),
    "stateful": (lambda: TimeDistributed(SimpleRNN(2, stateful=True)), "must not be stateful"),
    "two outputs": (lambda: TimeDistributed(SimpleRNN(2, return_state=True)), "or return its state"),
    "two directions": (
        lambda: TimeDistributed(Bidirectional(SimpleRNN(2), None))(np.ones((1, 2, 4, 3))),
        "layer 'bidirectional.*' must have one output",
    ),
    "an input": (
        lambda: TimeDistributed(InputLayer((3,))),
        "must take one array with time steps, got <Input name=input_layer",
    ),
    "merging": (lambda: TimeDistributed(Add()), "must take one array with time steps, got <Add"),
    "no time": (lambda: TimeDistributed(Dense(2))(np.ones((2, 3))), r"expects \(batch, timesteps, features, ...\)"),
    "a list": (lambda: TimeDistributed(Dense(2))([rnn_core.Input((2, 3))]), "got a list of inputs"),
    "used": (lambda: TimeDistributed(inside_another()), "is part of 'first' already"),
    "connected": (lambda: TimeDistributed(called()), "is part of another model already"),
    "inside called": (lambda: inside_another()(rnn_core.Input((3,))), "is the inside of 'first'"),
    "penalty": (lambda: TimeDistributed(Dense(2, activity_regularizer="l2")), "give it the activity_regularizer"),
    "dtype": (lambda: TimeDistributed(Dense(2), dtype="float32"), "of dtype float32 needs layers of that dtype"),
    "features": (lambda: fed_twice(TimeDistributed(Dense(2))), "it was built for 3 features"),
    "not recurrent": (lambda: Bidirectional(Dense(2)), "layer must be a recurrent layer"),
    "not recurrent back": (lambda: Bidirectional(SimpleRNN(2), backward_layer=3), "backward_layer must be a recurrent"),
    "mode": (lambda: Bidirectional(SimpleRNN(2), "add"), "merge_mode must be 'concat', 'sum', 'mul', 'ave' or None"),
    "one way": (lambda: Bidirectional(SimpleRNN(2), backward_layer=SimpleRNN(2)), "must differ in go_backwards"),
    "backwards already": (  # Keras' copy goes backwards too, and is refused
        lambda: Bidirectional(SimpleRNN(2, go_backwards=True)),
        "must differ in go_backwards, got True in both",
    ),
    "flags": (
        lambda: Bidirectional(SimpleRNN(2), backward_layer=SimpleRNN(2, go_backwards=True, **RNN)),
        "must have the same return_sequences",
    ),
    "units": (
        lambda: Bidirectional(SimpleRNN(2), "sum", backward_layer=SimpleRNN(3, go_backwards=True))(np.ones((1, 2, 3))),
        r"'sum' needs outputs of one shape, got \(1, 2\) and \(1, 3\)",
    ),
    "weights": (lambda: Bidirectional(SimpleRNN(2), weights=[1]), "weights is not supported"),
    "rank": (lambda: Bidirectional(SimpleRNN(2))(np.ones((2, 3))), r"expects \(batch, timesteps, features\), got"),
    "one state": (lambda: started(np.ones((2, 2))), "initial_state must be a list"),
    "odd states": (lambda: started([np.ones((2, 2))]), "as many states for each direction"),
    "wide states": (lambda: started([np.ones((2, 3))] * 2), r"initial_state must be one state of shape \(batch, 2\)"),
    "other batch": (lambda: started([np.ones((3, 2))] * 2), r"initial_state\[0\] must have a row for each of 2"),
}


def fed_twice(layer):
    layer(np.ones((2, 4, 3)))
    layer(np.ones((2, 4, 5)))


def started(states):
    return Bidirectional(SimpleRNN(2))(np.ones((2, 4, 3)), initial_state=states)


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, message = BAD[case]
    with pytest.raises((ValueError, TypeError), match=message):
        make()
