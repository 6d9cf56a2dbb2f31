"""Models in a state, and shapes and weights, that do not fit what is asked of them."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

from .samples import X, Y


def test_a_compile_that_fails_changes_nothing(model):
    before = model.optimizer, model.loss, model.compiled_metrics
    for given in ({"optimizer": "adm"}, {"loss": "nse"}, {"metrics": ["nae"]}, {"metrics": "mae"}):
        with pytest.raises(ValueError, match=r"Unknown|metrics must be a list, got 'mae'"):
            model.compile(**{"optimizer": "sgd", "loss": "mae", **given})
        assert (model.optimizer, model.loss, model.compiled_metrics) == before
    with pytest.raises(TypeError, match="loss: a function brings no derivative"):
        model.compile("sgd", lambda y, p: 0)


def test_weights_of_another_number_or_shape_are_refused(model, unchanged):
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


def test_a_model_that_is_not_compiled_says_so_and_predicts():
    model = Sequential([Input((3, 2)), SimpleRNN(1)], name="m")
    for ask in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=f"{ask.__name__}: model 'm' is not compiled. Call model.compile"):
            ask(X, Y)
    assert model.predict(X).shape == (8, 1)
    model.compile("sgd")
    for ask in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=f"{ask.__name__}: model 'm' was compiled without a loss"):
            ask(X, Y)


def test_a_model_that_is_not_built_says_how_to_build_it(tmp_path):
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


def test_shapes_that_no_model_can_be_built_for_are_refused():
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


def test_layers_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=r"expects \(batch, timesteps, features\), got \(batch, 4\)"):
        Sequential([Input((3, 2)), SimpleRNN(4), SimpleRNN(2)])
    with pytest.raises(ValueError, match=r"SimpleRNN 's' has several outputs \(return_state=True\)"):
        Sequential([Input((3, 2)), SimpleRNN(4, return_state=True, name="s")])
    with pytest.raises(ValueError, match="'s' is stateful and needs a fixed batch size"):
        Sequential([Input((3, 2)), SimpleRNN(4, stateful=True, name="s")])
    with pytest.raises(ValueError, match="All layers of a model need one dtype"):
        Sequential([Input((3, 2)), SimpleRNN(4), Dense(1, dtype="float64")])


def test_a_layer_has_to_know_its_features():
    with pytest.raises(ValueError, match=r"number of features, the last size of its input, got \(batch, 3, None\)"):
        Sequential([Input((3, None)), Dense(2)])
    with pytest.raises(TypeError, match="input_shape must be a tuple of sizes, got 4"):
        Dense(2, input_shape=4)


def test_a_layer_called_on_a_bad_array_names_itself():
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
