"""Every gradient of every layer against central differences in float64: see ``finite_differences`` for the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import activations, layers
from rnn_core.several import as_list

from ..chains import chain_pass
from ..finite_differences import SEEDS, check_gradients, examples

SIZES = st.integers(1, 3)
# All that keep their shape.
ELEMENTWISE = sorted(set(activations.OBJECTS) - {"glu"})
FAST = ["tanh", "relu", "sigmoid", "linear"]  # derivative written in the output, in place
SAMPLED = [*FAST, "elu", "softmax", "gelu"]  # and some with the pre-activation kept beside
DROPOUT_SEED = 11


def draw_weights(layer: layers.Layer, draws: np.random.Generator, scale: float = 0.5) -> None:
    """Give every weight, the bias too, a value that is not special."""
    layer.vector[...] = scale * draws.standard_normal(layer.vector.size)


def restart_dropout(*chain: layers.Layer) -> None:
    """Hold the masks fixed: every forward pass draws the same ones."""
    for layer in chain:
        if getattr(layer, "dropout_stream", None) is not None:
            layer.dropout_stream = np.random.default_rng(DROPOUT_SEED)


def draw_mask(kind: str, shape: tuple[int, int], draws: np.random.Generator) -> np.ndarray | None:
    """Return a mask (batch, timesteps), False where a step is missing."""
    mask = draws.random(shape) < 0.6
    if kind == "none":
        return None
    if kind == "first step":
        mask[:, 0] = False
    elif kind == "last step":
        mask[:, -1] = False
    elif kind == "all of one sample":
        mask[0] = False
    elif kind == "everything":
        mask[:] = False
    return mask


MASKS = st.sampled_from(["none", "none", "random", "first step", "last step", "all of one sample", "everything"])


# --- SimpleRNN ----------------------------------------------------------------------------------------------


def check_simple_rnn(
    layer: layers.SimpleRNN,
    shape: tuple[int, int, int],
    seed: int,
    mask_kind: str = "none",
    start: str = "zero",
    scale: float = 0.5,
) -> None:
    """Check all gradients of ``sum(w * output)`` for a random w."""
    draws = np.random.default_rng(seed)
    x = draws.standard_normal(shape)
    layer.ensure_built(shape)
    draw_weights(layer, draws, scale)
    if layer.activation.name == "exponential":  # or exp(exp(exp(x))) leaves the range of numbers
        np.negative(np.abs(layer.recurrent_kernel), out=layer.recurrent_kernel)
    d_vector = np.full_like(layer.vector, np.nan)  # all of it must be written
    record = layer.new_record(shape, d_vector)
    record.mask = draw_mask(mask_kind, shape[:2], draws)
    h0 = draws.standard_normal((shape[0], layer.units))
    if start == "initial_state":
        record.initial_state = h0

    def forward() -> list[np.ndarray]:
        restart_dropout(layer)
        if layer.state is not None:
            layer.state[...] = h0
        return as_list(layer.forward(record, x, training=True))  # with return_state, output and state

    w = [draws.standard_normal(part.shape) for part in forward()]
    d_input = layer.backward(record, w if len(w) > 1 else w[0])
    gradients = {name: (getattr(layer, name), view.copy()) for name, view in layer.views(d_vector).items()}
    gradients["input"] = (x, d_input.copy())
    if start != "zero" or layer.stateful:
        gradients["initial_state"] = (h0, record.d_hidden.copy())
    check_gradients(lambda: sum(np.sum(d * y) for d, y in zip(w, forward(), strict=True)), gradients)


@examples(150)
@given(
    seed=SEEDS,
    shape=st.tuples(SIZES, st.integers(1, 5), SIZES),
    units=SIZES,
    activation=st.sampled_from(SAMPLED),
    mask_kind=MASKS,
    start=st.sampled_from(["zero", "initial_state", "stateful"]),
    dropout=st.sampled_from([0.0, 0.4]),
    recurrent_dropout=st.sampled_from([0.0, 0.4]),
    flags=st.fixed_dictionaries(
        {
            name: st.booleans()
            for name in ("use_bias", "return_sequences", "go_backwards", "zero_output_for_mask", "return_state")
        }
    ),
)
def test_simple_rnn(seed, shape, units, activation, mask_kind, start, dropout, recurrent_dropout, flags):
    layer = layers.SimpleRNN(
        units,
        activation,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        stateful=start == "stateful",
        dtype="float64",
        **flags,
    )
    check_simple_rnn(layer, shape, seed, mask_kind, start)


@pytest.mark.parametrize("mask_kind", ["first step", "last step", "all of one sample", "everything"])
@pytest.mark.parametrize("start", ["zero", "initial_state", "stateful"])
@examples(4)
@given(
    seed=SEEDS,
    return_sequences=st.booleans(),
    go_backwards=st.booleans(),
    zero_output_for_mask=st.booleans(),
    recurrent_dropout=st.sampled_from([0.0, 0.4]),
)
def test_simple_rnn_through_every_kind_of_mask(mask_kind, start, seed, **arguments):
    layer = layers.SimpleRNN(2, stateful=start == "stateful", dtype="float64", **arguments)
    check_simple_rnn(layer, (2, 4, 2), seed, mask_kind, start)


@pytest.mark.parametrize("name", ELEMENTWISE)
@examples(4)
@given(seed=SEEDS, return_sequences=st.booleans(), mask_kind=st.sampled_from(["none", "random"]))
def test_simple_rnn_with_every_activation(name, seed, return_sequences, mask_kind):
    layer = layers.SimpleRNN(3, name, return_sequences=return_sequences, dtype="float64")
    check_simple_rnn(layer, (2, 3, 2), seed, mask_kind, "initial_state", scale=0.4)


@examples(3)
@given(seed=SEEDS)
def test_simple_rnn_with_sparsemax_and_the_first_step_masked(seed):
    check_simple_rnn(layers.SimpleRNN(3, "sparsemax", dtype="float64"), (2, 3, 2), seed, "first step")


@examples(5)
@given(seed=SEEDS)
def test_simple_rnn_with_an_activation_over_the_batch(seed):
    layer = layers.SimpleRNN(2, activations.Softmax(axis=0), return_sequences=True, dtype="float64")
    check_simple_rnn(layer, (3, 3, 2), seed, "none", "initial_state")


@examples(10)
@given(seed=SEEDS, recurrent_dropout=st.sampled_from([0.0, 0.5]))
def test_simple_rnn_cell(seed, recurrent_dropout):
    draws = np.random.default_rng(seed)
    name = str(draws.choice([*FAST, "softplus"]))
    cell = layers.SimpleRNNCell(
        3, name, dropout=0.4, recurrent_dropout=recurrent_dropout, use_bias=bool(draws.integers(2)), dtype="float64"
    )
    x, h = draws.standard_normal((2, 4)), draws.standard_normal((2, 3))
    cell.ensure_built(x.shape)
    draw_weights(cell, draws)
    d_vector = np.full_like(cell.vector, np.nan)
    record = cell.new_record(x.shape, d_vector)

    def forward() -> np.ndarray:
        restart_dropout(cell)
        record.dropout_masks = cell.dropout_masks(*x.shape)
        return cell.step(record, x, [h])[0]

    w = draws.standard_normal(forward().shape)
    dx, (dh,) = cell.step_backward(record, w, [np.zeros_like(h)])
    gradients = {name: (getattr(cell, name), view) for name, view in cell.views(d_vector).items()}
    check_gradients(lambda: np.sum(w * forward()), {**gradients, "input": (x, dx), "state": (h, dh)})


# --- the other layers, and chains of layers -----------------------------------------------------------------


def check_chain(
    chain: list[layers.Layer],
    shape: tuple[int, ...],
    seed: int,
    mask: np.ndarray | None = None,
    scale: float = 0.5,
    missing_value: float | None = None,
) -> None:
    """Check all gradients of ``sum(w * output) + activity penalties`` of a pass through `chain`.

    With `missing_value` some time steps of the input hold nothing else; only the others are varied.
    """
    draws = np.random.default_rng(seed)
    x = draws.standard_normal(shape)
    present = np.ones(shape, bool)
    if missing_value is not None:
        present[...] = (draws.random(shape[:2]) < 0.6)[:, :, None]
    values = x[present]
    x[~present] = missing_value or 0.0
    size = 0
    current = shape
    for layer in chain:
        layer.ensure_built(current)
        draw_weights(layer, draws, scale)
        current, size = layer.output_shape, size + layer.vector.size
    d_vector = np.full(size, np.nan)
    one = chain_pass(chain, shape, d_vector, needs_d_input=True)

    def forward() -> np.ndarray:
        restart_dropout(*chain)
        x[present] = values
        return one.forward(x, True, mask)

    def loss() -> float:
        return np.sum(w * forward()) + one.activity_penalty()

    w = draws.standard_normal(forward().shape)
    d_input = one.backward(w).copy()
    assert not d_input[~present].any()
    gradients = {"input": (values, d_input[present])}
    start = 0
    for number, layer in enumerate(chain):
        part = d_vector[start : start + layer.vector.size].copy()
        start += layer.vector.size
        for name, view in layer.views(part).items():
            gradients[f"{name} of layer {number}"] = (getattr(layer, name), view)
    check_gradients(loss, gradients)


@pytest.mark.parametrize("name", ELEMENTWISE)
@examples(4)
@given(seed=SEEDS, shape=st.sampled_from([(3, 2), (2, 3, 2), (1, 1), (1, 1, 1)]), use_bias=st.booleans())
def test_dense_with_every_activation(name, seed, shape, use_bias):
    check_chain([layers.Dense(3, name, use_bias, dtype="float64")], shape, seed)


@pytest.mark.parametrize("axis", [0, 1, 2, (1, 2), None])
@pytest.mark.parametrize("kind", [activations.Softmax, activations.LogSoftmax])
@examples(2)
@given(seed=SEEDS)
def test_dense_with_an_activation_over_any_axis(kind, axis, seed):
    check_chain([layers.Dense(3, kind(axis), dtype="float64")], (2, 3, 2), seed)


@pytest.mark.parametrize("name", activations.OBJECTS)
@examples(3)
@given(seed=SEEDS, shape=st.sampled_from([(3, 4), (2, 3, 4), (2, 2, 3, 2)]))
def test_activation_layer_with_every_activation(name, seed, shape):
    check_chain([layers.Activation(name, dtype="float64")], shape, seed)


@examples(20)
@given(
    seed=SEEDS,
    shape_and_noise=st.sampled_from(
        [
            ((3, 2), None),
            ((2, 3, 2), None),
            ((2, 3, 2), (None, 1, None)),
            ((2, 3, 2), (1, 1, 2)),
            ((2, 3, 2), (2, None, 1)),
        ]
    ),
    rate=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_dropout(seed, shape_and_noise, rate):
    shape, noise_shape = shape_and_noise
    dense = layers.Dense(2, dtype="float64")
    check_chain([layers.Dropout(rate, noise_shape, dtype="float64"), dense], shape, seed)


@examples(10)
@given(seed=SEEDS, zero_output_for_mask=st.booleans(), mask_value=st.sampled_from([0.0, -1.5]))
def test_masking(seed, zero_output_for_mask, mask_value):
    recurrent = layers.SimpleRNN(
        2, return_sequences=True, zero_output_for_mask=zero_output_for_mask, go_backwards=True, dtype="float64"
    )
    check_chain([layers.Masking(mask_value, dtype="float64"), recurrent], (2, 4, 2), seed, missing_value=mask_value)


@st.composite
def chains(draw) -> list[layers.Layer]:
    """Draw one to four layers that hand sequences on, and perhaps one that ends them."""
    penalties = st.sampled_from([None, None, "l1", "l2", "l1l2"])

    def recurrent(**arguments):
        return layers.SimpleRNN(
            draw(SIZES),
            draw(st.sampled_from(SAMPLED)),
            go_backwards=draw(st.booleans()),
            zero_output_for_mask=draw(st.booleans()),
            dropout=draw(st.sampled_from([0.0, 0.3])),
            recurrent_dropout=draw(st.sampled_from([0.0, 0.3])),
            activity_regularizer=draw(penalties),
            dtype="float64",
            **arguments,
        )

    makers = {
        "recurrent": lambda: recurrent(return_sequences=True),
        "dense": lambda: layers.Dense(
            draw(SIZES), draw(st.sampled_from(SAMPLED)), activity_regularizer=draw(penalties), dtype="float64"
        ),
        "dropout": lambda: layers.Dropout(0.3, draw(st.sampled_from([None, (None, 1, None)])), dtype="float64"),
        "activation": lambda: layers.Activation(
            draw(st.sampled_from(SAMPLED)), activity_regularizer=draw(penalties), dtype="float64"
        ),
    }
    kinds = draw(st.lists(st.sampled_from(["recurrent", "recurrent", *makers]), min_size=1, max_size=4))
    chain = [makers[kind]() for kind in kinds]
    if draw(st.booleans()):
        chain.append(recurrent())
        if draw(st.booleans()):
            chain.append(layers.Dense(draw(SIZES), dtype="float64"))
    return chain


@examples(60)
@given(chain=chains(), seed=SEEDS, shape=st.tuples(SIZES, SIZES, SIZES), mask_kind=MASKS)
def test_chains_of_layers(chain, seed, shape, mask_kind):
    """Stacked recurrent layers, dropout, activity regularizers, one mask through all of them."""
    mask = draw_mask(mask_kind, shape[:2], np.random.default_rng(seed))
    check_chain(chain, shape, seed, mask, scale=0.4)


@examples(10)
@given(chain=chains(), seed=SEEDS)
def test_chains_after_a_masking_layer(chain, seed):
    check_chain([layers.Masking(2.5, dtype="float64"), *chain], (2, 3, 2), seed, scale=0.4, missing_value=2.5)


def test_glu_halves_its_input_and_is_refused_inside_layers_that_keep_their_width():
    x = np.ones((2, 3, 4))
    for layer in (layers.Dense(4, "glu"), layers.SimpleRNN(4, "glu")):
        with pytest.raises(ValueError, match="cannot be a layer's activation"):
            layer(x)
