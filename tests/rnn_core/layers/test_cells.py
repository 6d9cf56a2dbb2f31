"""What holds for every cell. To have a cell of your own checked, add a line to CELLS: that is all."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import Input, Sequential, layers
from rnn_core.layers import RNN, Cell, Dense, JordanCell, SimpleRNNCell, StackedRNNCells
from rnn_core.optimizers import Adam
from rnn_core.utils import set_random_seed

from ..finite_differences import SEEDS, check_gradients, examples
from .leaky_cell import LeakyCell


class ProductCell(Cell):
    """Two states of different widths, neither of them the output.

    p' = (1 + p) tanh(x K),  s' = s + sum of p',  y = (p + s') V
    """

    state_size = (2, 1)
    output_size = 3
    output_state = None

    def build(self, input_shape):
        self.add_weight("kernel", (input_shape[-1], 2))
        self.add_weight("output_kernel", (2, 3))

    def step(self, r, x, states):
        r.x, r.p, r.s = x, *states
        r.xk = np.tanh(x @ self.kernel)
        p = (1 + r.p) * r.xk
        s = r.s + p.sum(axis=1, keepdims=True)
        r.sum = r.p + s
        return r.sum @ self.output_kernel, [p, s]

    def step_backward(self, r, d_output, d_states):
        d_sum = d_output @ self.output_kernel.T
        ds = d_states[1] + d_sum.sum(axis=1, keepdims=True)
        dp = d_states[0] + ds
        da = dp * (1 + r.p) * (1 - r.xk**2)
        r.d_kernel[...] = r.x.T @ da
        r.d_output_kernel[...] = r.sum.T @ d_output
        return da @ self.kernel.T, [dp * r.xk + d_sum, ds]


F64 = {"dtype": "float64"}
CELLS = {
    "SimpleRNNCell": lambda: SimpleRNNCell(3, **F64),
    "SimpleRNNCell, all settings": lambda: SimpleRNNCell(
        2, "softplus", use_bias=False, dropout=0.4, recurrent_dropout=0.3, seed=3, **F64
    ),
    "JordanCell": lambda: JordanCell(3, 2, **F64),
    "JordanCell, all settings": lambda: JordanCell(2, 3, "sigmoid", "softmax", decay=0.6, use_bias=False, **F64),
    "JordanCell, wide": lambda: JordanCell(2, 2, "gelu", "softplus", decay=1.0, **F64),
    "LeakyCell": lambda: LeakyCell(3, 0.3, **F64),
    "two states": lambda: ProductCell(**F64),
    "stack": lambda: StackedRNNCells([SimpleRNNCell(2, **F64), SimpleRNNCell(3, dropout=0.5, seed=1, **F64)]),
    "mixed stack": lambda: StackedRNNCells(
        [JordanCell(2, 2, decay=0.5, **F64), ProductCell(**F64), LeakyCell(2, **F64)]
    ),
    "stack of stacks": lambda: StackedRNNCells([StackedRNNCells([LeakyCell(2, **F64)]), LeakyCell(1, **F64)]),
}
every_cell = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)
FLAGS = st.fixed_dictionaries(
    {name: st.booleans() for name in ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")}
)


def draw_weights(layer: layers.Layer, shape: tuple[int, ...], draws: np.random.Generator) -> None:
    layer.ensure_built(shape)
    layer.vector[...] = 0.5 * draws.standard_normal(layer.vector.size)


def streams(cell: Cell) -> list[Cell]:
    """Return the cells that draw dropout, inside stacks too."""
    inner = getattr(cell, "cells", [])
    own = [cell] if getattr(cell, "dropout_stream", None) is not None else []
    return own + [one for part in inner for one in streams(part)]


def restart_dropout(cell: Cell) -> None:
    for one in streams(cell):
        one.dropout_stream = np.random.default_rng(11)


def named_gradients(layer: layers.Layer, d_vector: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    weights = layer.views(layer.vector)
    return {name: (weights[name], view.copy()) for name, view in layer.views(d_vector).items()}


def random_states(cell: Cell, batch: int, draws: np.random.Generator) -> list[np.ndarray]:
    return [draws.standard_normal((batch, size)) for size in cell.state_sizes]


@every_cell
@examples(3)
@given(seed=SEEDS)
def test_the_gradients_of_one_step(make, seed):
    """All weights, x and all states, of a sum over the output and all new states."""
    cell, draws = make(), np.random.default_rng(seed)
    draw_weights(cell, (2, 3), draws)
    x, states = draws.standard_normal((2, 3)), random_states(cell, 2, draws)
    r = cell.new_record(x.shape, d_vector := np.full_like(cell.vector, np.nan))

    def step() -> list[np.ndarray]:
        restart_dropout(cell)
        r.dropout_masks = cell.dropout_masks(*x.shape)
        output, new = cell.step(r, x, states)
        assert [output.shape[1], *(state.shape[1] for state in new)] == [cell.output_size, *cell.state_sizes]
        return [output, *new]

    w = [draws.standard_normal(part.shape) for part in step()]
    dx, d_states = cell.step_backward(r, w[0], w[1:])
    gradients = named_gradients(cell, d_vector) | {"x": (x, dx)}
    gradients |= {f"state {i}": pair for i, pair in enumerate(zip(states, d_states, strict=True))}
    check_gradients(lambda: sum(np.sum(d * y) for d, y in zip(w, step(), strict=True)), gradients)


@every_cell
@examples(6)
@given(seed=SEEDS, timesteps=st.integers(1, 4), masked=st.booleans(), given_states=st.booleans(), flags=FLAGS)
def test_the_gradients_through_time(make, seed, timesteps, masked, given_states, flags):
    cell, draws = make(), np.random.default_rng(seed)
    layer = RNN(cell, **flags)
    shape = (2, timesteps, 2)
    draw_weights(layer, shape, draws)
    x, states = draws.standard_normal(shape), random_states(cell, 2, draws)
    r = layer.new_record(shape, d_vector := np.full_like(layer.vector, np.nan))
    mask = draws.random((2, timesteps)) < 0.6 if masked else None

    def forward() -> tuple[np.ndarray, ...]:
        restart_dropout(cell)
        r.mask = [mask, *(None for _ in states)] if given_states else mask
        outputs = layer.forward(r, [x, *states] if given_states else x, training=True)
        return outputs if layer.return_state else (outputs,)

    w = [draws.standard_normal(part.shape) for part in forward()]
    d_inputs = layer.backward(r, w if layer.return_state else w[0])
    inputs = [x, *states] if given_states else [x]
    gradients = named_gradients(layer, d_vector)
    for i, (array, d) in enumerate(zip(inputs, d_inputs if given_states else [d_inputs], strict=True)):
        gradients[f"input {i}"] = (array, d.copy())
    check_gradients(lambda: sum(np.sum(d * y) for d, y in zip(w, forward(), strict=True)), gradients)


@every_cell
def test_a_cell_writes_only_into_its_record(make):
    cell, draws = make(), np.random.default_rng(0)
    draw_weights(cell, (2, 3), draws)
    r = cell.new_record((2, 3), np.empty_like(cell.vector))
    arrays = [draws.standard_normal((2, 3)), *random_states(cell, 2, draws)]
    grads = [draws.standard_normal((2, cell.output_size)), *random_states(cell, 2, draws)]
    for array in (*arrays, *grads):
        array.flags.writeable = False
    cell.step(r, arrays[0], arrays[1:])
    cell.step_backward(r, grads[0], grads[1:])


@every_cell
def test_masking_nothing_changes_nothing_and_masked_steps_do_not_count(make):
    layer, draws = RNN(make(), return_sequences=True, return_state=True), np.random.default_rng(0)
    draw_weights(layer, (2, 5, 3), draws)
    x, states = draws.standard_normal((2, 5, 3)), random_states(layer.cell, 2, draws)
    plain = layer(x, initial_state=states)
    for one, other in zip(plain, layer(x, initial_state=states, mask=np.ones((2, 5), bool)), strict=True):
        np.testing.assert_array_equal(one, other)
    gaps = np.insert(x, (0, 2, 2, 5), 99.0, axis=1)
    real = np.insert(np.ones((2, 5), bool), (0, 2, 2, 5), False, axis=1)
    outputs, *last = layer(gaps, initial_state=states, mask=real)
    np.testing.assert_allclose(outputs[:, real[0]], plain[0], rtol=1e-13)
    for one, other in zip(last, plain[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
    np.testing.assert_array_equal(outputs[:, 8], outputs[:, 7])
    np.testing.assert_array_equal(outputs[:, 3:5], outputs[:, 2:3].repeat(2, axis=1))


@every_cell
def test_two_stateful_halves_are_one_whole(make):
    whole = RNN(make(), return_sequences=True)
    draws = np.random.default_rng(0)
    draw_weights(whole, (2, 6, 3), draws)
    halves = RNN(make(), return_sequences=True, stateful=True)
    halves.ensure_built((2, 3, 3))
    halves.set_weights(whole.get_weights())
    x = draws.standard_normal((2, 6, 3))
    for _ in range(2):
        parts = [halves(x[:, :3]), halves(x[:, 3:])]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole(x), rtol=1e-12)
        assert all(state.any() for state in halves.states)
        halves.reset_state()


@every_cell
def test_copies_and_configs_make_the_same_layer_again(make):
    layer, x = RNN(make(), return_sequences=True), np.random.default_rng(1).standard_normal((2, 4, 3))
    draw_weights(layer, x.shape, np.random.default_rng(0))
    expected = layer(x)
    again = RNN.from_config(json.loads(json.dumps(layer.get_config())))
    again.ensure_built(x.shape)
    again.set_weights(layer.get_weights())
    assert again.get_config() == layer.get_config()
    by_name = layers.deserialize(layers.serialize(layer))
    assert by_name.get_config() == layer.get_config()
    copies = [again, copy.deepcopy(layer)]
    if type(layer.cell).__module__.startswith("rnn_core"):
        copies.append(pickle.loads(pickle.dumps(layer)))
    for one in copies:
        np.testing.assert_array_equal(one(x), expected)
        one.vector[...] = 0
        assert not any(weight.any() for weight in one.cell.weights)
    np.testing.assert_array_equal(layer(x), expected)


@every_cell
def test_a_cell_that_was_built_keeps_its_weights(make):
    cell = make()
    draw_weights(cell, (2, 3), np.random.default_rng(0))
    before = cell.get_weights()
    layer = RNN(cell)
    layer.ensure_built((2, 4, 3))
    for one, other, mine in zip(before, layer.get_weights(), cell.weights, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.shares_memory(mine, layer.vector)


@every_cell
def test_a_model_of_it_trains_saves_and_loads(make, tmp_path):
    set_random_seed(0)
    model = Sequential([Input((4, 2), dtype="float64"), RNN(make(), return_sequences=True), Dense(1, **F64)])
    draws = np.random.default_rng(0)
    x = draws.standard_normal((16, 4, 2))
    y = np.cumsum(x[:, :, :1], axis=1) / 2
    model.compile(loss="mse", optimizer=Adam(0.01))
    before, loss = model.get_weights(), model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=50, batch_size=8, verbose=0)
    assert model.evaluate(x, y, verbose=0) < loss
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    model.save_weights(tmp_path / "w.npz")
    expected = model.predict(x, verbose=0)
    model.set_weights(before)
    model.load_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
