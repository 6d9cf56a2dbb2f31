"""The answer key against a computation by hand, in NumPy and independent of the engine."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rnn_core.inspection import worksheet


def by_hand(sheet):
    """Elman forwards and backwards as a student writes it: everything the answers hold, step by step."""
    kernel, recurrent, bias, out = sheet.model.get_weights()
    relu = sheet.trace["rnn"].activation.name == "relu"
    x, y = sheet.x[0, :, 0], sheet.y.item()
    h, a = [np.zeros(len(bias))], []
    for x_t in x:
        a.append(x_t * kernel[0] + h[-1] @ recurrent + bias)
        h.append(np.maximum(a[-1], 0) if relu else a[-1])
    p = (h[-1] @ out).item()
    dh = 2 * (p - y) * out[:, 0]
    steps = {}
    for t in reversed(range(len(x))):
        da = dh * (a[t] > 0) if relu else dh
        steps[t] = (dh, da, x[t] * da, np.outer(h[t], da))
        dh = recurrent @ da
    return a, h, p, (p - y) ** 2, steps


SHEETS = [
    {"units": 2, "timesteps": 3, "activation": "relu", "seed": 0},
    {"units": 1, "timesteps": 2, "activation": "linear", "seed": 1},
    {"units": 3, "timesteps": 4, "activation": "relu", "seed": 2},
    {"units": 2, "timesteps": 4, "activation": "linear", "seed": 3},
]


@pytest.mark.parametrize("settings", SHEETS, ids=str)
def test_the_answers_are_right_and_round(settings):
    sheet = worksheet(**settings)
    shown = [float(number) for number in re.findall(r'class="filled">([-\d.]+)<', sheet.answers)]
    np.testing.assert_array_equal(shown, in_the_order_of_the_page(sheet, *by_hand(sheet)))
    assert all(abs(number) <= 9 and (8 * number).is_integer() for number in shown)


def in_the_order_of_the_page(sheet, a, h, p, loss, steps):
    times = sorted(steps)
    out, y = sheet.model.get_weights()[3][:, 0], sheet.y.item()
    relu = sheet.trace["rnn"].activation.name == "relu"
    numbers = [v for t in times for v in (*h[t], *a[t], *h[t + 1])]
    numbers += [p, loss, 2 * (p - y), *(2 * (p - y) * out)]
    for t in reversed(times):
        dh, da, _, _ = steps[t]
        from_loss = dh if t == times[-1] else np.zeros(len(dh))
        slope = (a[t] > 0) * 1.0 if relu else np.ones(len(dh))
        numbers += [*from_loss, *(dh - from_loss), *dh, *slope, *da]
    for t in reversed(times):
        _, da, d_kernel, d_recurrent = steps[t]
        numbers += [*d_kernel, *d_recurrent.ravel(), *da]
    for part in (2, 3, 1):
        numbers += list(np.sum([steps[t][part] for t in times], axis=0).ravel())
    return numbers


def test_the_exercise_holds_blanks_where_the_answers_stand():
    sheet = worksheet()
    blanks, given = sheet.exercise.count('<span class="blank"'), sheet.exercise.count('class="filled"')
    assert sheet.answers.count('<span class="blank"') == 0
    name_and_date = 5
    assert blanks - name_and_date + given == sheet.answers.count('class="filled"')
    assert given == 2 + 2 * 2 + 2  # h_(-1), no loss at two steps, no future at the last one


def test_a_relu_is_off_somewhere_and_the_gradient_arrives_all_the_same():
    for seed in range(5):
        rnn = worksheet(seed=seed).trace["rnn"]
        assert (rnn.preactivation < 0).any()
        assert rnn.d_preactivation[:, 0].any()


def test_seeds():
    assert worksheet(seed=4).answers == worksheet(seed=4).answers
    assert len({worksheet(seed=seed).answers for seed in range(6)}) == 6


def test_both_pages_are_written(tmp_path):
    paths = worksheet().save(tmp_path)
    assert [path.name for path in paths] == ["worksheet.html", "worksheet-answers.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["worksheet-answers.html", "worksheet.html"]


@pytest.mark.parametrize(
    "arguments", [{"units": 4}, {"units": 0}, {"timesteps": 1}, {"timesteps": 9}, {"activation": "tanh"}, {"seed": -1}]
)
def test_what_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        worksheet(**arguments)
