"""The items of backpropagation through time add up to the gradient that the engine reports."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given

from rnn_core import layers
from rnn_core.inspection import SimpleRNNTrace, bptt, trace

from ..finite_differences import examples
from .drawn import built, drawn_models


@examples(100)
@given(drawn=drawn_models())
def test_the_items_sum_to_the_reported_gradient(drawn):
    t = trace(*drawn)
    for layer in t:
        if not isinstance(layer, SimpleRNNTrace):
            continue
        items = bptt(t, layer.name)
        eps = np.finfo(items.d_hidden.dtype).eps
        np.testing.assert_array_equal(items.from_loss + items.from_future, items.d_hidden)
        assert not items.from_future[:, -1].any()
        for name, parts in items.contributions.items():
            tolerance = 64 * eps * max(1e-30, np.abs(parts).sum(axis=0).max())
            np.testing.assert_allclose(parts.sum(axis=0), items.d_data[name], rtol=0, atol=tolerance)
        regularizer = layer.layer.kernel_regularizer
        penalty = np.zeros_like(items.d_data["kernel"])
        if regularizer is not None:
            regularizer.add_gradient(layer.weights["kernel"], penalty)
        np.testing.assert_allclose(items.d_weights["kernel"], items.d_data["kernel"] + penalty, rtol=1e-5, atol=8 * eps)


@examples(30)
@given(drawn=drawn_models())
def test_the_tables_hold_the_arrays(drawn):
    t = trace(*drawn)
    for layer in t:
        if not isinstance(layer, SimpleRNNTrace):
            continue
        items = bptt(t, layer.name)
        table = items.frame()
        assert len(table) == items.d_hidden.size
        row = table.iloc[-1]
        sample, step, unit = int(row["sample"]), int(row["step"]), int(row["unit"])
        assert row["d_hidden"] == items.d_hidden[sample, step, unit]
        assert row["hidden"] == layer.hidden[sample, step + 1, unit]
        assert row["timestep"] == (0 if layer.layer.go_backwards else step)
        parts = items.contribution_frame()
        sums = parts[parts["weight"] == "kernel"].groupby(["row", "unit"])["contribution"].sum().to_numpy()
        scale = np.abs(items.contributions["kernel"]).sum()
        np.testing.assert_allclose(sums, items.d_data["kernel"].ravel(), rtol=0, atol=1e-5 * scale + 1e-30)


@examples(40)
@given(drawn=drawn_models())
def test_the_written_formulas_are_right_and_readable(drawn):
    """Every formula is what it says, to the digits it shows, and no line is longer than 80 columns."""
    t = trace(*drawn)
    for layer in t:
        if not isinstance(layer, SimpleRNNTrace):
            continue
        text = bptt(t, layer.name).table(sample=1, unit=0)
        assert max(map(len, text.splitlines())) <= 80
        joined = re.sub(r"\n {9}(?=\S)", " ", text)  # lines that were wrapped
        formulas = re.findall(r" (?:a|da|dh)_\d = (.*) = (\S+)$", joined, re.MULTILINE)
        real = int(layer.step_mask[1].sum())
        steps = layer.step_mask.shape[1]
        assert len(formulas) == real + steps + (0 if layer.derivative is None else real)  # a_t, dh_t and da_t
        for formula, result in formulas:
            terms = [abs(eval(term)) for term in formula.split(" + ")]
            assert eval(formula) == pytest.approx(float(result), abs=2e-3 * (sum(terms) + abs(float(result))) + 1e-30)


def test_a_table_by_hand():
    """Two steps of h = x w + h u with w = 2, u = 3: worked out on paper."""
    rnn = layers.SimpleRNN(1, "linear", use_bias=True, name="rnn")
    model = built([layers.Input((2, 1)), rnn])
    model.set_weights([[[2.0]], [[3.0]], [1.0]])
    # h_0 = 2*1 + 1 = 3; h_1 = 2*2 + 3*3 + 1 = 14; L = (14 - 13)**2; dL/dh_1 = 2; dL/dh_0 = 6
    items = bptt(trace(model, [[[1.0], [2.0]]], [13.0]))
    assert items.d_hidden.ravel().tolist() == [6, 2]
    assert items.contributions["kernel"].ravel().tolist() == [6, 4]
    assert items.contributions["recurrent_kernel"].ravel().tolist() == [0, 6]
    assert items.contributions["bias"].ravel().tolist() == [6, 2]
    text = items.table()
    assert "a_1 = 2*2 + 3*3 + 1 = 14" in text
    assert "dh_0 = 0 + 6 = 6" in text
    assert "dK = 4 + 6 = 10" in text
    with pytest.raises(ValueError, match="1 samples and 1 units"):
        items.table(unit=1)
