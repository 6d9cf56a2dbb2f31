"""Backpropagation through time as one would write it on the board: one sample, one unit, numbers in the formulas."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection.traces.cells import JordanTrace

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
    trace = items.trace
    jordan = isinstance(trace, JordanTrace)
    network: _Elman | _Jordan = _Jordan(items, sample, unit) if jordan else _Elman(items, sample, unit)
    steps = range(trace.timesteps)
    lines = [f"{trace.name}, sample {sample}, unit {unit}", *_notes(trace), ""]
    lines += textwrap.wrap(f"forward    {network.forward_formula}", WIDTH, subsequent_indent=" " * 11)
    for t in steps:
        lines += _at(t, network.forward(t))
    lines += ["", *textwrap.wrap(f"backward   {network.backward_formula}", WIDTH, subsequent_indent=" " * 11)]
    for t in reversed(steps):
        lines += _at(t, network.backward(t))
    return "\n".join([*lines, "", "sums over the steps of this sample", *network.sums()])


def _notes(trace: Any) -> Iterable[str]:
    if trace.go_backwards:
        yield f"go_backwards: step t=0 reads the last of the {trace.timesteps} inputs"
    if getattr(trace, "dropped", False):
        yield "x and h are shown as dropout left them"


class _Elman:
    """The formulas of h_t = act(x_t K + h_(t-1) U + b) for one sample and unit."""

    def __init__(self, items: BPTT, sample: int, unit: int) -> None:
        trace: Any = items.trace
        self.items, self.trace, self.sample, self.unit = items, trace, sample, unit
        self.act = trace.activation.name
        self.weights, self.use_bias = trace.weights, "bias" in trace.weights
        self.x, self.fed_back = trace.step_input[sample], self.what_returns()[sample]
        self.da = trace.d_preactivation[sample, :, unit]
        bias = " + b" if self.use_bias else ""
        self.forward_formula = f"a_t = x_t K + {self.before()} U{bias}{self.gap}h_t = act(a_t), act = {self.act}"
        self.backward_formula = "dh_t = from the loss + from the future" + self.act_formula

    gap = " " * 10

    @property
    def act_formula(self) -> str:
        return "" if self.items.derivative is None else "      da_t = dh_t * act'(a_t)"

    def what_returns(self) -> Array:
        return np.asarray(self.trace.h_previous)

    def before(self, t: int | None = None) -> str:
        return "h_(t-1)" if t is None else f"h_{t - 1}" if t else "h_(-1)"

    def forward(self, t: int) -> Iterable[str]:
        if not self.trace.step_mask[self.sample, t]:
            yield f"masked: h_{t} = {self.before(t)} = {_bare(_text(self.trace.hidden[self.sample, t + 1, self.unit]))}"
            return
        yield from self.unit_forward(t, self.trace.hidden[self.sample, t + 1, self.unit])

    def unit_forward(self, t: int, h: Any) -> Iterable[str]:
        """a_t and h_t of the unit"""
        x, back = self.x[t], self.fed_back[t]
        column, recurrent_column = (self.weights[name][:, self.unit] for name in ("kernel", "recurrent_kernel"))
        if len(x) + len(back) <= MOST_PRODUCTS:
            pairs = (*zip(x, column, strict=True), *zip(back, recurrent_column, strict=True))
            terms = [_product(*pair) for pair in pairs]
        else:
            terms = [f"{_text(x @ column)} [x_{t} K]", f"{_text(back @ recurrent_column)} [{self.before(t)} U]"]
        if self.use_bias:
            terms.append(_text(self.weights["bias"][self.unit]))
        a, h_new = _bare(_text(self.trace.preactivation[self.sample, t, self.unit])), _bare(_text(h))
        yield f"a_{t} = {' + '.join(terms)} = {a}"
        if self.items.derivative is None:
            yield f"h_{t} = {h_new}, by {self.act} of all units"
        else:
            yield f"h_{t} = act({a}) = {h_new}"

    def backward(self, t: int) -> Iterable[str]:
        place = (self.sample, t, self.unit)
        total = _text(self.trace.d_hidden[self.sample, t + 1, self.unit])
        future = self.items.from_future[place]
        yield f"dh_{t} = {_text(self.items.from_loss[place])} + {_text(future)} = {_bare(total)}"
        if not self.trace.step_mask[self.sample, t]:
            yield "masked: handed on as it is"
            return
        yield from self.unit_backward(t, total)

    def unit_backward(self, t: int, total: str) -> Iterable[str]:
        """da_t of the unit, and what it adds to the weights"""
        da = _text(self.da[t])
        if self.items.derivative is None:
            yield f"da_{t} = {_bare(da)}, by the derivatives of all units"
        else:
            yield f"da_{t} = {total}*{_text(self.items.derivative[self.sample, t, self.unit])} = {_bare(da)}"
        if da == "0":
            return
        added = [f"dK += {_vector(self.x[t])}*{da}", f"dU += {_vector(self.fed_back[t])}*{da}"]
        if self.use_bias:
            added.append(f"db += {_bare(da)}")
        line = "     ".join(added)
        yield from [line] if len(line) < WIDTH - len("  t=100  ") else added

    def sums(self) -> Iterable[str]:
        for name, source in (("dK", self.x), ("dU", self.fed_back)):
            yield from _sums(name, source * self.da[:, None])
        if self.use_bias:
            yield from _wrapped("  db = ", _sum(self.da[::-1]))


class _Jordan(_Elman):
    """Those of h_t = act(x_t K + c_t U + b), y_t = out_act(h_t V + b_y), for one sample and hidden unit."""

    def __init__(self, items: BPTT, sample: int, unit: int) -> None:
        super().__init__(items, sample, unit)
        cell = self.trace.cell
        bias = " + b_y" if self.use_bias else ""
        decay = f"{cell.decay:g} c_t + " if cell.decay else ""
        self.returned = "the true output" if self.trace.forced else "y_t"
        self.forward_formula += (
            f"; y_t = out(h_t V{bias}), out = {cell.output_activation.name}; c_(t+1) = {decay}{self.returned}"
        )
        future = "; no gradient comes back through true outputs" if self.trace.forced else " + from the future"
        self.backward_formula = f"dy_t = from the loss{future}; da_y = dy_t * out'; dh_t = da_y Vᵀ;{self.act_formula}"

    gap = "; "

    def what_returns(self) -> Array:
        return np.asarray(self.trace.context[:, :-1])

    def before(self, t: int | None = None) -> str:
        return "c_t" if t is None else f"c_{t}"

    def forward(self, t: int) -> Iterable[str]:
        trace, sample = self.trace, self.sample
        if not trace.step_mask[sample, t]:
            yield f"masked: c_{t + 1} = c_{t} = {_list(trace.context[sample, t + 1])}"
            return
        yield from self.unit_forward(t, trace.hidden[sample, t, self.unit])
        yield f"y_{t} = out({_list(trace.output_preactivation[sample, t])}) = {_list(trace.step_output[sample, t])}"
        yield f"c_{t + 1} = {_list(trace.context[sample, t + 1])}"

    def backward(self, t: int) -> Iterable[str]:
        trace, place = self.trace, (self.sample, t)
        if not trace.step_mask[place]:
            yield "masked: handed on as it is"
            return
        total = _list(trace.d_fed_back[place])
        if trace.forced:
            yield f"dy_{t} = {total}"
        else:
            parts = f"{_vector(trace.from_loss[place])} + {_vector(trace.from_future[place])}"
            yield f"dy_{t} = {parts} = {total}"
        da_y, row = trace.d_output_preactivation[place], self.weights["output_kernel"][self.unit]
        total = _text(trace.d_hidden[(*place, self.unit)])
        yield f"da_y = {_list(da_y)}"
        if len(row) <= MOST_PRODUCTS:
            yield f"dh_{t} = {' + '.join(_product(*pair) for pair in zip(da_y, row, strict=True))} = {_bare(total)}"
        else:
            yield f"dh_{t} = {_bare(total)}"
        yield from self.unit_backward(t, total)
        h = _text(trace.hidden[(*place, self.unit)])
        if da_y.any():
            yield f"dV += {h}*{_vector(da_y)}"

    def sums(self) -> Iterable[str]:
        yield from super().sums()
        yield from _sums(
            "dV", self.trace.hidden[self.sample, :, [self.unit]].T * self.trace.d_output_preactivation[self.sample]
        )


def _sums(name: str, parts: Array) -> Iterable[str]:
    """Return the sums over the steps, parts (timesteps, rows), a line for each row."""
    if parts.shape[1] > MOST_PRODUCTS:
        yield f"  {name}: {parts.shape[1]} numbers, norm {_text((parts.sum(axis=0) ** 2).sum() ** 0.5)}"
        return
    for row in range(parts.shape[1]):
        label = name if parts.shape[1] == 1 else f"{name}[{row}]"
        yield from _wrapped(f"  {label} = ", _sum(parts[::-1, row]))


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


def _product(left: Any, right: Any) -> str:
    return f"{_text(left)}*{_text(right)}"


def _list(values: Array) -> str:
    """Return one number as it is, several as a list."""
    return _bare(_vector(values))


def _vector(values: Array) -> str:
    """Return one number as it is, a few as a list, and more by their first and last."""
    shown = [_bare(_text(value)) for value in values]
    if len(shown) == 1:
        return _text(values[0])
    if len(shown) > 4:
        shown = [*shown[:2], "...", shown[-1]]
    return f"[{', '.join(shown)}]"
