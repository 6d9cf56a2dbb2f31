"""Inspection on graphs: shared layers, several inputs and outputs, layers around layers, cells, Jordan's network."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core import layers
from rnn_core.inspection import (
    CellTrace,
    ElmanTrace,
    JordanTrace,
    RecurrentTrace,
    bptt,
    cast,
    check_gradients,
    credit,
    diagnose,
    pictures,
    trace,
)  # fmt: skip
from rnn_core.layers import RNN, Bidirectional, Dense, Input, JordanRNN, SimpleRNN, SimpleRNNCell, TimeDistributed
from rnn_core.models import Model, Sequential

from ..finite_differences import central_differences, examples
from .drawn import built
from .graphs import LeakySum, fitted_in, graphs, jordan


def close(a, b, scale=None):
    """The same sums of a few terms, to rounding."""
    size = np.abs(b).max(initial=0) if scale is None else np.abs(scale).sum(axis=0).max(initial=0)
    np.testing.assert_allclose(a, b, rtol=0, atol=200 * np.finfo(b.dtype).eps * max(float(size), 1e-30))


def recurrent_of(t):
    return [part for part in t if isinstance(part, RecurrentTrace)]


@examples(80)
@given(drawn=graphs())
def test_it_is_the_next_training_step_and_changes_nothing(drawn):
    model, x, y, weight = drawn
    before = model.vector.copy()
    t = trace(model, x, y, weight)
    assert len(t.output) == len(t.d_output) == len(t.sample_losses) == 2
    total = sum(float(np.sum(loss * share)) for loss, share in zip(t.sample_losses, t.sample_shares, strict=True))
    assert total + t.penalty == pytest.approx(t.loss, rel=1e-5, abs=1e-6)
    np.testing.assert_array_equal(model.vector, before)
    reported = model.train_on_batch(x, y, weight)[0]
    assert t.loss == pytest.approx(reported, rel=1e-5)
    close(t.d_vector, model.d_vector)


@examples(120)
@given(drawn=graphs())
def test_the_items_sum_to_the_reported_gradient(drawn):
    """Step by step within a call, call by call within a layer, layer by layer within the model."""
    t = trace(*drawn)
    calls = defaultdict(list)
    for part in t:
        calls[id(part.layer), tuple(part.d_call)].append(part)
        if isinstance(part, RecurrentTrace):
            items = bptt(t, part.name)
            for name, parts in items.contributions.items():
                assert parts.shape == (part.timesteps, *part.weights[name].shape)
                close(parts.sum(axis=0), items.d_data[name], parts)
            if part.from_loss.shape == part.from_future.shape and not isinstance(part, CellTrace):
                close(part.from_loss + part.from_future, part.d_fed_back)
    for parts in calls.values():
        for name, total in parts[0].d_data.items():
            close(sum(part.d_call[name] for part in parts), total, np.array([part.d_call[name] for part in parts]))
    assert (
        sum(weight.size for part in t if " #" not in part.name for weight in part.weights.values()) == t.d_vector.size
    )
    assert sum(" #" in part.name for part in t) > 0


@examples(80)
@given(drawn=graphs())
def test_what_is_computed_again_fits_together(drawn):
    """h = act(a), da = dh act', and the weights' gradients are made of them, in Elman's cells and Jordan's."""
    t = trace(*drawn)
    for part in recurrent_of(t):
        real = part.step_mask
        if isinstance(part, (ElmanTrace, JordanTrace)):
            h = part.hidden[:, 1:] if isinstance(part, ElmanTrace) else part.hidden
            expected = np.stack([part.activation(step) for step in part.preactivation.swapaxes(0, 1)], axis=1)
            close(expected[real], h[real])
            h_or_c = part.h_previous if isinstance(part, ElmanTrace) else part.context[:, :-1]
            da = part.d_preactivation
            for name, source in (("kernel", part.step_input), ("recurrent_kernel", h_or_c)):
                terms = np.einsum("bti,btj->tij", source * real[..., None], da * real[..., None])
                close(terms, part.contributions[name], np.abs(source[..., None] * da[:, :, None]).sum(axis=1))
            if part.derivative is not None:
                d_hidden = part.d_hidden[:, 1:] if isinstance(part, ElmanTrace) else part.d_hidden
                close((d_hidden * part.derivative)[real], da[real])
        np.testing.assert_array_equal(part.state[:, 1:][~real], part.state[:, :-1][~real])  # carried over
        assert part.arrays()["step_input"].shape[:2] == real.shape
        assert bptt(t, part.name).frame().shape[0] % real.size == 0


def later_losses(model, name, x, y, t):
    """Return (the loss as a function of a change of the state after step t, that change), for an RNN of any cell."""
    layer = model.get_layer(name)
    cell, change, count = layer.cell, np.zeros((3, sum(layer.cell.state_sizes))), [0]
    step = type(cell).step
    output_is_state = cell.output_state is not None

    def moved(r, given, states):
        output, new = step(cell, r, given, states)
        if count[0] == t:
            parts = np.split(change, np.cumsum(cell.state_sizes)[:-1], axis=1)
            new = [state + part for state, part in zip(new, parts, strict=True)]
            output = new[cell.output_state] if output_is_state else output
        count[0] += 1
        return output, new

    vars(cell)["step"] = moved

    def loss():
        count[0] = 0
        return float(model.test_on_batch(x, y))

    return loss, change


@pytest.mark.parametrize(
    "layer",
    [
        lambda: RNN(SimpleRNNCell(3, dtype="float64"), return_sequences=True, name="rnn", dtype="float64"),
        lambda: RNN(LeakySum(dtype="float64"), return_sequences=True, name="rnn"),
        lambda: JordanRNN(3, 2, decay=0.4, return_sequences=True, name="rnn", dtype="float64"),
        lambda: RNN(SimpleRNNCell(2, "softmax", dtype="float64"), go_backwards=True, name="rnn"),
    ],
)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_of_states_are_those_of_finite_differences(layer, masked):
    """dL/ds_t by moving the state after step t and going on from there."""
    model = built([Input((4, 2), dtype="float64"), layers.Masking(dtype="float64"), layer(), Dense(1, dtype="float64")])
    draws = np.random.default_rng(0)
    x = draws.standard_normal((3, 4, 2))
    if masked:
        x[0, 2], x[1, 0], x[2, 3] = 0, 0, 0
    y = draws.standard_normal((3, 4, 1)[: 3 if model.output_shape[1:] == (4, 1) else 1])
    t = trace(model, x, y)
    for step in range(4):
        loss, change = later_losses(model, "rnn", x, y, step)
        numeric = central_differences(loss, change)
        vars(model.get_layer("rnn").cell).pop("step")
        real = t["rnn"].step_mask[:, step]  # what a masked step computes is thrown away
        np.testing.assert_allclose(t["rnn"].d_state[real, step + 1], numeric[real], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("forced", [False, True])
def test_a_jordan_network_s_gradients(forced):
    """Closed loop: dL/dy_t by moving the output where it is fed back too. Forced: nothing comes back through it."""
    model, x, y, _ = jordan(forced)
    t = trace(model, x, y)
    part = t["jordan"]
    assert part.forced is forced
    assert isinstance(part, JordanTrace)
    np.testing.assert_allclose(part.from_loss, 2 * (part.step_output - y) / y.size, rtol=1e-12)
    assert part.from_future[:, :-1].any() != forced
    np.testing.assert_array_equal(part.d_fed_back, part.from_loss + part.from_future)
    if forced:  # the gradient of a true output is that of the context it went into
        np.testing.assert_array_equal(t["jordan"].d_input[1][:, :-1], part.d_context[:, 1:-1])
    else:
        np.testing.assert_array_equal(part.from_future, part.d_context[:, 1:])
    assert check_gradients(model, x, y)
    table = bptt(t).table(sample=1, unit=2)
    assert max(map(len, table.splitlines())) <= 80
    a, h, c = part.preactivation[1, 2, 2], part.hidden[1, 2, 2], part.context[1, 3]
    assert f"h_2 = act({a:.4g}) = {h:.4g}" in table
    assert f"c_3 = [{c[0]:.4g}, {c[1]:.4g}]" in table
    assert ("no gradient comes back" in table) is forced


def jacobian_by_differences(part, t, k):
    """d s_t / d s_k: every entry of s_k is moved, and the cell takes the steps after it again."""
    cell, step_of = part.cell, type(part.cell).step
    start = np.array(part.state[:, k + 1], np.float64)
    ends = np.cumsum(cell.state_sizes)[:-1]
    jacobian = np.zeros((*start.shape, start.shape[1]))
    for i in range(start.shape[1]):

        def later(i=i):
            s = start
            for step in range(k + 1, t + 1):
                r = part.steps[step].record
                _, new = step_of(cell, r, part.steps[step].input[0], np.split(s, ends, axis=1))
                s = np.where(part.step_mask[:, step, None], np.concatenate(new, axis=1), s)
            return float(s[:, i].sum())  # samples do not mix

        jacobian[:, i] = central_differences(later, start)
    return jacobian


@examples(40)
@given(drawn=graphs(dtype="float64"), data=st.data())
def test_jacobians_of_cells_are_those_of_finite_differences(drawn, data):
    t = trace(*drawn)
    for part in recurrent_of(t):
        if isinstance(part, CellTrace):
            c = credit(t, part.name)
            last = data.draw(st.integers(0, c.timesteps - 1))
            first = data.draw(st.integers(-1, last))
            found = c.jacobian(last, first).copy()
            np.testing.assert_allclose(found, jacobian_by_differences(part, last, first), rtol=1e-6, atol=1e-8)
            assert str(c)


def test_the_spectrum_of_jordan_s_loop():
    """With linear units the Jacobian of a step is the transpose of decay I + U V; forced, of decay I."""
    for forced in (False, True):
        model, x, y, _ = jordan(forced)
        cell = model.get_layer("jordan").cell
        cell.activation = cell.output_activation = layers.Activation("linear").activation
        c = credit(trace(model, x, y))
        loop = 0.3 * np.eye(2) + (0 if forced else cell.recurrent_kernel @ cell.output_kernel)
        np.testing.assert_allclose(c.jacobian(2, 1), np.broadcast_to(loop.T, (3, 2, 2)), rtol=1e-12)
        assert c.spectrum.spectral_radius == pytest.approx(np.abs(np.linalg.eigvals(loop)).max())
        assert ("true outputs" in str(c)) is forced


@examples(25)
@given(drawn=graphs())
def test_every_gradient_of_any_graph_is_right(drawn):
    report = check_gradients(*drawn)
    assert report, str(report)
    assert sum(report.checked.values()) == drawn.model.count_params()


def two_inputs():
    """Two inputs, a shared SimpleRNN, Concatenate, Bidirectional, a skip connection with Add."""
    past, now = Input((5, 2), name="past"), Input((5, 2), name="now")
    rnn = SimpleRNN(3, return_sequences=True, name="rnn")
    both = layers.Concatenate(name="both")([rnn(past), rnn(now)])
    summary = Bidirectional(SimpleRNN(2, name="simple_rnn"), name="ways")(both)
    deep = Dense(4, "relu", name="deep")(summary)
    pooled = layers.GlobalMaxPooling1D(name="pool")(both)
    out = Dense(1, name="out")(layers.Add(name="skip")([summary, deep]))
    model = fitted_in(Model([past, now], [out, Dense(2, name="side")(pooled)]), "mse", 0)
    draws = np.random.default_rng(0)
    return model, [draws.standard_normal((40, 5, 2)) for _ in "ab"], [draws.standard_normal((40, n)) for n in (1, 2)]


def test_names():
    t = trace(*two_inputs())
    names = ["rnn", "rnn #2", "both", "ways", "ways/forward_simple_rnn", "ways/backward_simple_rnn"]
    assert list(t.layers)[:6] == names
    assert set(t["ways"].weights) == set()  # they are those of the layers inside
    np.testing.assert_array_equal(t["ways/backward_simple_rnn"].order, [4, 3, 2, 1, 0])
    np.testing.assert_array_equal(t["both"].input[1], t["rnn #2"].output)
    np.testing.assert_array_equal(t["both"].d_input[0], t["rnn"].d_output)
    inner = TimeDistributed(Dense(2, name="x"), name="td")
    t = trace(built([Input((3, 2)), inner, layers.Flatten(), Dense(1)]), np.ones((2, 3, 2)), np.ones(2))
    assert list(t.layers)[:2] == ["td", "td/dense"]
    assert t["td/dense"].preactivation.shape == (6, 2)  # all steps are one larger batch


def test_a_state_that_is_given_gets_its_gradient():
    """An encoder's last state starts a decoder: what arrives at the one leaves the other."""
    x = Input((4, 2), dtype="float64")
    encoder = RNN(SimpleRNNCell(3, dtype="float64"), return_state=True, name="encoder")
    decoder = SimpleRNN(3, return_sequences=True, name="decoder", dtype="float64")
    _, state = encoder(x)
    model = fitted_in(Model(x, decoder(x, initial_state=state)), "mse", 3)
    draws = np.random.default_rng(0)
    t = trace(model, draws.standard_normal((2, 4, 2)), draws.standard_normal((2, 4, 3)))
    np.testing.assert_array_equal(t["decoder"].state[:, 0], t["encoder"].state[:, -1])
    np.testing.assert_allclose(t["decoder"].d_state[:, 0], t["encoder"].d_state[:, -1], rtol=1e-12)
    np.testing.assert_allclose(t["encoder"].d_state[:, 0], t["encoder"].record.d_states[0], rtol=1e-12)
    assert credit(t, "decoder").jacobian(3, -1).any()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda t: bptt(t, "pool"), r"'pool' is a GlobalMaxPooling1D, which hands nothing from step to step"),
        (lambda t: credit(t, "both"), r"'both' is a Concatenate, which hands nothing"),
        (lambda t: bptt(t), r"one of \['rnn', 'rnn #2', 'ways/forward_simple_rnn', 'ways/backward_simple_rnn'\]"),
        (lambda t: pictures.hidden_states(t, "ways"), "'ways' is a Bidirectional"),
        (lambda t: pictures.unrolled(t.model, "skip"), r"one of \['rnn', 'rnn #2', 'ways/forward"),
        (lambda t: trace(t.model, t.x, t.y, mask=np.ones((40, 5), bool)), "for each of the 2 inputs"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(trace(*two_inputs()))


def test_without_a_recurrent_layer_there_is_nothing_to_ask():
    t = trace(built([Input((3,)), Dense(1)]), np.ones((2, 3)), np.ones(2))
    for ask in (bptt, credit, pictures.gradients):
        with pytest.raises(ValueError, match="no recurrent layer"):
            ask(t)


def test_a_cell_of_ones_own():
    model = built([Input((3, 2)), RNN(LeakySum(), name="own"), Dense(1)])
    t = trace(model, np.ones((2, 3, 2)), np.ones(2))
    assert set(t["own"].kept) == {"s", "x"}
    assert bptt(t).contributions["scale"].shape == (3,)
    assert set(bptt(t).contribution_frame()["weight"]) == {"decay", "scale"}
    assert credit(t).spectrum is None
    with pytest.raises(ValueError, match="formulas of LeakySum"):
        bptt(t).table()
    with pytest.raises(ValueError, match="unrolled"):
        pictures.unrolled(model)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cast_model_computes_the_same(dtype):
    """Weights, those inside wrappers too, the states of stateful layers, the optimizer and its slots."""
    inner = SimpleRNN(2, stateful=True, return_sequences=True)
    model = Sequential(
        [Input(batch_shape=(2, 3, 2)), Bidirectional(inner), RNN(SimpleRNNCell(2), stateful=True), Dense(1)]
    )
    model.compile(loss="mse", optimizer="adam")
    x, y = np.random.default_rng(0).standard_normal((2, 3, 2)), np.ones(2)
    model.train_on_batch(x, y)
    twin = cast(model, dtype)
    assert {layer.dtype for layer in twin.layers} == {twin.vector.dtype.name} == {dtype}
    assert twin.layers[0].forward_layer.kernel.base is not None
    assert np.shares_memory(twin.layers[0].forward_layer.kernel, twin.vector)
    for state in (twin.layers[0].backward_layer.state, twin.layers[1].state):
        assert state.dtype == dtype
        assert state.any()
    assert all(slot.dtype == dtype for slot in twin.optimizer.slots.values())
    assert twin.optimizer.iterations == model.optimizer.iterations == 1
    assert twin.train_on_batch(x, y) == pytest.approx(model.train_on_batch(x, y), rel=1e-6)
    np.testing.assert_allclose(twin.vector, model.vector, rtol=0, atol=1e-6)


# Findings.


def kinds_at(model, x, y):
    return {(one.kind, one.where) for one in diagnose(model, x, y)}


def test_findings_name_the_input_and_the_output():
    model, x, y = two_inputs()
    assert not {kind for kind, _ in kinds_at(model, x, y)} & {"input scales", "large inputs", "copies the last value"}
    far = [x[0], x[1] * np.array([1.0, 1e4])]
    assert ("input scales", "x['now']") in kinds_at(model, far, y)
    assert ("large inputs", "x['past']") in kinds_at(model, [x[0] * 1e3, x[1]], y)
    for layer in model.layers:
        layer.vector[...] = 0
    found = kinds_at(model, x, [y[0] + 5, y[1]])
    assert ("worse than a baseline", "loss of out") in found
    assert ("worse than a baseline", "loss of side") not in found


def test_indices_and_true_outputs_are_no_measurements():
    """Words up to 5,000 are not large inputs, and a true output that comes in as an input is no baseline."""
    model = built([Input((4,)), layers.Embedding(5000, 3), SimpleRNN(2), Dense(1)])
    words = np.random.default_rng(0).integers(0, 5000, (50, 4))
    assert not {kind for kind, _ in kinds_at(model, words, np.ones(50))} & {"large inputs", "input scales"}
    model, _, _, _ = jordan(True)
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((2, 40, 4, 2))
    found = diagnose(model, [x, 1e4 * y], y)
    assert not {one.where for one in found} & {"x['y_true']"}
    assert all("last value" not in one.message for one in found)


@pytest.mark.parametrize(
    "layer", [lambda: RNN(SimpleRNNCell(2), name="rnn"), lambda: JordanRNN(2, 1, name="rnn"),
              lambda: Bidirectional(SimpleRNN(2, name="simple_rnn"), name="rnn")]
)  # fmt: skip
def test_one_time_step_is_found_in_every_recurrent_layer(layer):
    draws = np.random.default_rng(0)
    for steps in (1, 3):
        model = built([Input((steps, 4)), layer(), Dense(1)])
        found = kinds_at(model, draws.standard_normal((40, steps, 4)), draws.standard_normal(40))
        places = {where.rsplit("/", 1)[1] for kind, where in found if kind == "one time step"}
        assert places == ({"recurrent_kernel"} if steps == 1 else set())


def test_a_gradient_that_vanishes_in_a_cell():
    """As in SimpleRNN with the same weights: the same numbers."""
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((50, 20, 2)), draws.standard_normal(50)
    numbers = []
    for layer in (SimpleRNN(3, name="rnn"), RNN(SimpleRNNCell(3), name="rnn")):
        model = built([Input((20, 2)), layer, Dense(1)])
        getattr(layer, "cell", layer).recurrent_kernel = 0.3 * np.eye(3)
        numbers.append(next(one.numbers for one in diagnose(model, x, y) if one.kind == "vanishing gradient"))
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-4)
    assert numbers[0]["factor a step"] < 0.31
