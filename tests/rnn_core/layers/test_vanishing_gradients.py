"""The early end of the backward loop: nothing is lost where the gradient has vanished, and nothing alive is cut."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_core.denormals import flush
from rnn_core.layers import SimpleRNN, simple_rnn_passes
from rnn_core.layers.simple_rnn_record import FLUSH_EVERY


def long_layer(dtype: str, factor: float, units: int = 8, **arguments) -> tuple[SimpleRNN, np.ndarray]:
    """Return a layer that forgets by `factor` a step, and 1000 steps of input."""
    shape = (2, 1000, 3)
    draws = np.random.default_rng(0)
    layer = SimpleRNN(units, dtype=dtype, **arguments)
    layer.ensure_built(shape)
    layer.kernel[...] = 0.2 * draws.standard_normal((3, units))
    layer.recurrent_kernel[...] = factor * np.linalg.qr(draws.standard_normal((units, units)))[0]
    return layer, draws.standard_normal(shape).astype(dtype)


def long_gradients(dtype: str, factor: float, d_outputs=None, **arguments):
    layer, x = long_layer(dtype, factor, **arguments)
    record = layer.new_record(x.shape, np.empty_like(layer.vector))
    record.initial_state = np.full((2, 8), 0.1, dtype)
    if d_outputs is None:
        d_outputs = np.random.default_rng(1).standard_normal((2, 8))
    layer.forward(record, x)
    d_input = layer.backward(record, d_outputs.astype(dtype))
    return {
        "kernel": record.d_kernel,
        "recurrent_kernel": record.d_recurrent_kernel,
        "bias": record.d_bias,
        "input": d_input,
        "initial_state": record.d_hidden,
    }, record


def assert_equal_to_float32_rounding(mine, reference, eps: float = 16) -> None:
    """At most 16 eps of the largest entry: the rule of thumb for a product over many terms in float32."""
    for name, expected in reference.items():
        error = np.abs(mine[name] - expected).max()
        assert error <= eps * np.finfo("float32").eps * np.abs(expected).max() + 1e-35, name


def disable_early_end(monkeypatch) -> None:
    monkeypatch.setattr(simple_rnn_passes, "FLUSH_EVERY", 10**9)
    monkeypatch.setattr(simple_rnn_passes, "_has_vanished", lambda *_: False)  # step 0 is a multiple of all


@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize("factor", [0.5, 0.9, 0.97])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_gradients_that_vanish_end_the_loop_early_and_stay_exact(factor, activation, go_backwards, monkeypatch):
    arguments = {"activation": activation, "go_backwards": go_backwards}
    reference, _ = long_gradients("float64", factor, **arguments)
    mine, record = long_gradients("float32", factor, **arguments)
    assert_equal_to_float32_rounding(mine, reference)
    if factor < 0.97:
        assert record.first_active > 100
        assert not mine["initial_state"].any()
    disable_early_end(monkeypatch)
    to_the_end, record = long_gradients("float32", factor, **arguments)
    assert record.first_active == 0
    assert_equal_to_float32_rounding(mine, to_the_end, eps=4)


def test_a_gradient_that_enters_at_an_early_step_arrives_though_that_of_the_late_ones_has_died():
    """Wherever it enters, just before the loop would end too."""
    d_outputs = np.zeros((2, 1000, 8))
    d_outputs[:, 990:] = np.random.default_rng(2).standard_normal((2, 10, 8))
    late, record = long_gradients("float32", 0.5, d_outputs, return_sequences=True)
    end = record.first_active
    assert end > 500
    assert_equal_to_float32_rounding(late, long_gradients("float64", 0.5, d_outputs, return_sequences=True)[0])
    for early in (0, 3, 500, end - 20, *range(end - 10, end)):
        entering = d_outputs.copy()
        entering[:, early] = 1.0
        reference, _ = long_gradients("float64", 0.5, entering, return_sequences=True)
        mine, record = long_gradients("float32", 0.5, entering, return_sequences=True)
        assert record.first_active <= early
        assert_equal_to_float32_rounding(mine, reference)


@pytest.mark.parametrize(("dtype", "factor"), [("float32", 0.3), ("float32", 0.9), ("float64", 0.3)])
def test_no_denormal_number_is_left_where_the_loop_looks(dtype, factor, monkeypatch):
    seen = []

    def spy(d_hidden):
        flush(d_hidden)
        size = np.abs(d_hidden)
        seen.append(int(((size > 0) & (size < np.finfo(dtype).tiny)).sum()))

    monkeypatch.setattr(simple_rnn_passes, "flush", spy)
    _, record = long_gradients(dtype, factor)
    assert len(seen) > 3
    assert not any(seen)
    assert steps_with_denormals(record) <= FLUSH_EVERY  # and only between two looks
    disable_early_end(monkeypatch)
    assert steps_with_denormals(long_gradients(dtype, factor)[1]) > FLUSH_EVERY  # as they would be


def steps_with_denormals(record) -> int:
    size = np.abs(record.d_preactivation[record.first_active :])
    return int(((size > 0) & (size < np.finfo(size.dtype).tiny)).any(axis=(1, 2)).sum())


def rising_gradient(dtype: str, depth: int, plateau: int, rise: int):
    """Return gradients of a layer through which dh falls by 0.03 a step, stays, and rises by 3 a step, backwards.

    Each unit is fed back to itself with weight 3 through leaky_relu (slope 0.01): x_t = -2 holds h at its unstable
    fixed point 1 (dh grows), x_t = -1 - 3 h_(t-1) makes a_t = -1 (dh shrinks), a masked step leaves dh as it is.
    """
    timesteps = rise + plateau + depth
    x = np.full((2, timesteps, 1), -2.0)
    mask = np.ones((2, timesteps), bool)
    mask[:, rise : rise + plateau] = False
    h = 1.0
    for t in range(rise + plateau, timesteps):
        x[:, t] = -1 - 3 * h
        h = -0.01
    slope = {"class_name": "leaky_relu", "config": {"negative_slope": 0.01}}
    layer = SimpleRNN(4, slope, use_bias=False, kernel_initializer="ones", dtype=dtype)
    layer.ensure_built(x.shape)
    layer.recurrent_kernel[...] = 3 * np.eye(4)
    record = layer.new_record(x.shape, np.empty_like(layer.vector))
    record.mask, record.initial_state = mask, np.ones((2, 4), dtype)
    output = layer.forward(record, x.astype(dtype))
    np.testing.assert_allclose(output, -0.01, rtol=1e-4)
    d_input = layer.backward(record, np.ones((2, 4), dtype))
    lowest = np.abs(record.d_preactivation[rise + plateau]).max()
    return (
        lowest,
        record.first_active,
        {
            "kernel": record.d_kernel,
            "recurrent_kernel": record.d_recurrent_kernel,
            "input": d_input,
            "initial_state": record.d_hidden,
        },
    )


@pytest.mark.parametrize(("depth", "lowest"), [(13, 1e-20), (16, 1e-24), (20, 1e-30)])
@pytest.mark.parametrize("plateau", [0, 20])
def test_a_gradient_that_decays_and_grows_again_is_not_cut(depth, lowest, plateau):
    """It sinks far below what float32 resolves beside 1, rests there over flushes, and comes back."""
    rise = round(-np.log(lowest) / np.log(3))
    reference = rising_gradient("float64", depth, plateau, rise)
    mine = rising_gradient("float32", depth, plateau, rise)
    assert lowest / 100 < mine[0] < lowest * 100
    assert mine[1] == 0
    assert np.abs(reference[2]["initial_state"]).max() > 0.01
    assert_equal_to_float32_rounding(mine[2], reference[2], eps=64)


def test_the_record_holds_zeros_where_the_gradient_had_vanished():
    layer, x = long_layer("float32", 0.5)
    record = layer.new_record(x.shape, np.empty_like(layer.vector))
    record.d_preactivation[...] = np.nan
    starts = []
    for size in (1.0, 1e-30, 1e10, 1e-20):  # the larger the gradient, the further it reaches
        layer.forward(record, x)
        layer.backward(record, np.full((2, 8), size, "float32"))
        starts.append(record.first_active)
        assert (record.d_preactivation[: record.first_active] == 0).all()
        assert (record.d_preactivation[record.first_active :] != 0).any(axis=(1, 2)).all()
    assert starts[1] > starts[3] > starts[0] > starts[2] > 0
