"""The page of a worksheet: the same formulas for the exercise, with blanks, and for the answers, with numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection.bptt import BPTT
from rnn_core.inspection.pages import html
from rnn_core.inspection.pages.html import Section
from rnn_core.inspection.pictures.unrolling import unrolled
from rnn_core.inspection.traces.tracing import Trace

Array = NDArray[Any]


def page(trace: Trace, items: BPTT, name: str, answers: bool) -> str:
    """Return the exercise, or its answers."""
    sections = [
        _given(trace, items),
        _forwards(items, answers),
        _loss(trace, items, answers),
        _backwards(items, answers),
        _weights(items, answers),
    ]
    if answers:
        sections.append(_written_out(items))
    line = "" if answers else html.paragraph("Name: {{}}{{}}{{}}  Date: {{}}{{}}")
    lead = (
        "The numbers that the engine computed."
        if answers
        else "Compute one sample forwards and backwards through time. No number needs more than three decimals."
    )
    title = f"By hand: a recurrent network{', answers' if answers else ''}"
    return html.page(title, [html.paragraph(f"{lead} ({name})"), line], sections, kind="worksheet")


def _given(trace: Trace, items: BPTT) -> Section:
    layer, out = items.trace.layer, trace["out"]
    x, y = trace.x[0, :, 0], trace.y.ravel()[0]
    rows = [
        ("inputs", f"x = {_row(x)}"),
        ("initial state", f"h_(-1) = {_row(np.zeros(layer.units))}"),
        ("kernel", f"K = {_matrix(layer.kernel)}"),
        ("recurrent kernel", f"U = {_matrix(layer.recurrent_kernel)}"),
        ("bias", f"b = {_row(layer.bias)}"),
        ("output weights", f"W = {_matrix(out.weights['kernel'])}"),
        ("target", f"y = {_number(y)}"),
    ]
    return Section(
        "Given",
        [
            html.table(
                ["", "numbers"],
                rows,
                "A matrix is written row by row: [first row; second row]. Row i of U is what unit i of h_(t-1) gives "
                "to each unit.",
            ),
            html.diagram(
                unrolled(trace.model),
                f"The network unrolled over {len(x)} time steps, with one output at the end.",
                "The network unrolled in time. Every step uses the same K, U and b.",
            ),
        ],
    )


def _forwards(items: BPTT, answers: bool) -> Section:
    part = items.trace
    rows = [
        (
            str(t),
            _number(part.step_input[0, t, 0]),
            _fill(part.h_previous[0, t], answers or t == 0),
            _fill(part.preactivation[0, t], answers),
            _fill(part.hidden[0, t + 1], answers),
        )
        for t in range(part.preactivation.shape[1])
    ]
    columns = ["t", "x_t", "h_(t-1)", "a_t = x_t K + h_(t-1) U + b", f"h_t = {_act(items)}(a_t)"]
    rule = "relu(a) is a where a > 0, and 0 elsewhere." if _act(items) == "relu" else "linear(a) is a."
    return Section("Forwards through time", [html.table(columns, rows, rule)])


def _loss(trace: Trace, items: BPTT, answers: bool) -> Section:
    output, d_output = trace.output.ravel()[0], trace.d_output.ravel()[0]
    last = items.trace.preactivation.shape[1] - 1
    rows = [
        ("prediction", f"p = h_{last} W", _fill([output], answers)),
        ("loss", "L = (p - y)²", _fill([trace.loss], answers)),
        ("its derivative", "dL/dp = 2 (p - y)", _fill([d_output], answers)),
        (
            "what arrives at the last state",
            f"dL/dp Wᵀ, for each unit of h_{last}",
            _fill(items.from_loss[0, last], answers),
        ),
    ]
    return Section(
        "The loss", [html.table(["", "formula", "number"], rows, "d stands for the derivative of the loss L.")]
    )


def _backwards(items: BPTT, answers: bool) -> Section:
    last = items.d_preactivation.shape[1] - 1
    assert items.derivative is not None
    rows = [
        (
            str(t),
            _fill(items.from_loss[0, t], answers or t < last),
            _fill(items.from_future[0, t], answers or t == last),
            _fill(items.d_hidden[0, t], answers),
            _fill(items.derivative[0, t], answers),
            _fill(items.d_preactivation[0, t], answers),
        )
        for t in range(last, -1, -1)
    ]
    act = _act(items)
    columns = [
        "t",
        "from the loss",
        "from the future: da_(t+1) Uᵀ",
        "dh_t: their sum",
        f"{act}'(a_t)",
        f"da_t = dh_t · {act}'(a_t)",
    ]
    rule = "From the last step to the first. Only the last state is read by the output."
    if act == "relu":
        rule += " relu'(a) is 1 where a > 0, and 0 elsewhere."
    return Section("Backwards through time", [html.table(columns, rows, rule)])


def _weights(items: BPTT, answers: bool) -> Section:
    parts = items.contributions
    rows: list[tuple[str, ...]] = [
        (
            str(t),
            _fill(parts["kernel"][t], answers),
            _fill(parts["recurrent_kernel"][t], answers),
            _fill(parts["bias"][t], answers),
        )
        for t in range(len(parts["bias"]) - 1, -1, -1)
    ]
    rows.append(("sum", *(_fill(items.d_weights[name], answers) for name in parts)))
    columns = ["t", "to dK: x_tᵀ da_t", "to dU: h_(t-1)ᵀ da_t", "to db: da_t"]
    text = "Every step adds its part, because all steps share the weights. The sums are what an optimizer is given."
    return Section("The gradients of the weights", [html.table(columns, rows, text)])


def _written_out(items: BPTT) -> Section:
    parts = []
    for unit in range(items.d_preactivation.shape[2]):
        parts += [html.heading(f"Unit {unit}"), html.preformatted(items.table(0, unit), f"Unit {unit}, written out")]
    return Section("Every formula with its numbers", parts)


def _act(items: BPTT) -> str:
    return str(items.trace.activation.name)


def _fill(values: Any, answers: bool) -> str:
    """Return numbers as a row or a matrix, or as many blanks."""
    array = np.asarray(values)

    def row(numbers: Iterable[float]) -> str:
        return ", ".join(f"{{{{{_number(value)}}}}}" if answers else "{{}}" for value in numbers)

    rows = array if array.ndim == 2 and len(array) > 1 else [array.ravel()]
    return "; ".join(map(row, rows)) if array.size == 1 else "[" + "; ".join(map(row, rows)) + "]"


def _row(values: Array) -> str:
    return "[" + ", ".join(map(_number, values)) + "]" if len(values) > 1 else _number(values[0])


def _matrix(values: Array) -> str:
    return (
        "[" + "; ".join(", ".join(map(_number, row)) for row in values) + "]"
        if values.size > 1
        else _number(values.flat[0])
    )


def _number(value: Any) -> str:
    """Return a number without needless zeros, and no negative one.

    Examples
    --------
    >>> _number(0.5), _number(-0.0), _number(2.0)
    ('0.5', '0', '2')
    """
    return f"{float(value) + 0.0:.15g}"
