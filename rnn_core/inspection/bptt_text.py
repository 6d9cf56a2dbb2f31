"""Backpropagation through time as one would write it on the board: one sample, one unit, numbers in the formulas."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from rnn_core.inspection.bptt import BPTT

Array = NDArray[Any]

WIDTH = 80

MOST_PRODUCTS = 8
"""A formula with more products than these is written as the sums x_t K and h_(t-1) U: nobody reads 37 products."""

MOST_STEPS = 8
"""A sum over more steps than these shows its first and last parts."""


def written_out(items: BPTT, sample: int, unit: int) -> str:
    """Return the text of :meth:`BPTT.table`."""
    layer, activation = items.trace.layer, items.trace.layer.activation.name
    bias = " + b" if layer.use_bias else ""
    derivative = "" if items.derivative is None else "      da_t = dh_t * act'(a_t)"
    lines = [
        f"{items.trace.name}, sample {sample}, unit {unit}",
        *_notes(items),
        "",
        f"forward    a_t = x_t K + h_(t-1) U{bias}          h_t = act(a_t), act = {activation}",
    ]
    steps = range(items.d_preactivation.shape[1])
    for t in steps:
        lines += _at(t, _forward(items, sample, unit, t))
    lines += ["", f"backward   dh_t = from the loss + from the future{derivative}"]
    for t in reversed(steps):
        lines += _at(t, _backward(items, sample, unit, t))
    lines += ["", "sums over the steps of this sample"]
    lines += _sums(items, sample, unit)
    return "\n".join(lines)


def _notes(items: BPTT) -> Iterable[str]:
    r = items.trace.record
    if items.trace.layer.go_backwards:
        yield f"go_backwards: step t=0 reads the last of the {r.timesteps} inputs"
    if r.input_dropout is not None or r.recurrent_dropout is not None:
        yield "x and h are shown as dropout left them"


def _forward(items: BPTT, sample: int, unit: int, t: int) -> Iterable[str]:
    r, layer = items.trace, items.trace.layer
    if not r.step_mask[sample, t]:
        yield f"masked: h_{t} = {_before(t)} = {_bare(_text(r.hidden[sample, t + 1, unit]))}"
        return
    x, h = r.step_input[sample, t], r.h_previous[sample, t]
    column, recurrent_column = layer.kernel[:, unit], layer.recurrent_kernel[:, unit]
    if len(x) + len(h) <= MOST_PRODUCTS:
        terms = [_product(*pair) for pair in (*zip(x, column, strict=True), *zip(h, recurrent_column, strict=True))]
    else:
        terms = [f"{_text(x @ column)} [x_{t} K]", f"{_text(h @ recurrent_column)} [{_before(t)} U]"]
    if layer.use_bias:
        terms.append(_text(layer.bias[unit]))
    a, h_new = _bare(_text(r.preactivation[sample, t, unit])), _bare(_text(r.hidden[sample, t + 1, unit]))
    yield f"a_{t} = {' + '.join(terms)} = {a}"
    if items.derivative is None:
        yield f"h_{t} = {h_new}, by {layer.activation.name} of all units"
    else:
        yield f"h_{t} = act({a}) = {h_new}"


def _backward(items: BPTT, sample: int, unit: int, t: int) -> Iterable[str]:
    place = (sample, t, unit)
    total = _text(items.d_hidden[place])
    yield f"dh_{t} = {_text(items.from_loss[place])} + {_text(items.from_future[place])} = {_bare(total)}"
    if not items.trace.step_mask[sample, t]:
        yield "masked: handed on as it is"
        return
    da = _text(items.d_preactivation[place])
    if items.derivative is None:
        yield f"da_{t} = {_bare(da)}, by the derivatives of all units"
    else:
        yield f"da_{t} = {total}*{_text(items.derivative[place])} = {_bare(da)}"
    if da == "0":
        return
    x, h = items.trace.step_input[sample, t], items.trace.h_previous[sample, t]
    added = [f"dK += {_vector(x)}*{da}", f"dU += {_vector(h)}*{da}"]
    if items.trace.layer.use_bias:
        added.append(f"db += {_bare(da)}")
    line = "     ".join(added)
    yield from [line] if len(line) < WIDTH - len("  t=100  ") else added


def _sums(items: BPTT, sample: int, unit: int) -> Iterable[str]:
    da = items.d_preactivation[sample, :, unit]
    sources = {"dK": items.trace.step_input[sample], "dU": items.trace.h_previous[sample]}
    for name, source in sources.items():
        parts = source * da[:, None]  # (T, rows)
        if parts.shape[1] > MOST_PRODUCTS:
            yield f"  {name}: {parts.shape[1]} numbers, norm {_text((parts.sum(axis=0) ** 2).sum() ** 0.5)}"
            continue
        for row in range(parts.shape[1]):
            label = name if parts.shape[1] == 1 else f"{name}[{row}]"
            yield from _wrapped(f"  {label} = ", _sum(parts[::-1, row]))
    if items.trace.layer.use_bias:
        yield from _wrapped("  db = ", _sum(da[::-1]))


def _sum(parts: Array) -> str:
    shown = [_text(part) for part in parts]
    if len(shown) > MOST_STEPS:
        shown = [*shown[:3], f"({len(shown) - 6} more)", *shown[-3:]]
    return f"{' + '.join(shown)} = {_bare(_text(parts.sum()))}"


def _at(t: int, formulas: Iterable[str]) -> list[str]:
    """Return the formulas of a step, the first one behind its number."""
    lines: list[str] = []
    label = f"  t={t}  "
    for formula in formulas:
        start = label if not lines else " " * len(label)
        lines += _wrapped(start, formula)
    return lines


def _wrapped(start: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * (len(start) + 2))


def _text(value: Any) -> str:
    """Return a number with four digits, in parentheses where it is below zero."""
    text = f"{float(value) + 0.0:.4g}"  # + 0.0 turns -0 into 0
    return f"({text})" if text.startswith("-") else text


def _bare(text: str) -> str:
    return text.strip("()")


def _before(t: int) -> str:
    return f"h_{t - 1}" if t else "h_(-1)"


def _product(left: Any, right: Any) -> str:
    return f"{_text(left)}*{_text(right)}"


def _vector(values: Array) -> str:
    """Return one number as it is, a few as a list, and more by their first and last."""
    shown = [_bare(_text(value)) for value in values]
    if len(shown) == 1:
        return _text(values[0])
    if len(shown) > 4:
        shown = [*shown[:2], "...", shown[-1]]
    return f"[{', '.join(shown)}]"
