"""A report on a model and its data: one HTML file with all that this package finds, in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection import pictures
from rnn_core.inspection.bptt import bptt
from rnn_core.inspection.credit import credit
from rnn_core.inspection.diagnosis.diagnosing import diagnose, some_rows
from rnn_core.inspection.gradient_check import check_gradients
from rnn_core.inspection.pages import html
from rnn_core.inspection.pages.html import Section
from rnn_core.inspection.pages.model_prediction import prediction
from rnn_core.inspection.pictures.graph_layout import describe, short
from rnn_core.inspection.pictures.unrolling import unrolled_layers
from rnn_core.inspection.run import own_copy
from rnn_core.inspection.traces.cells import JordanTrace
from rnn_core.inspection.traces.recurrent import ElmanTrace, RecurrentTrace
from rnn_core.inspection.traces.tracing import Trace, trace
from rnn_core.layers.base import shape_text
from rnn_core.models import Model
from rnn_core.series import Windows
from rnn_core.several import each
from rnn_core.several import rows as samples_of

Array = NDArray[Any]

TRACED = 64
"""Samples in the pictures: the Jacobians of so many fit in memory, and medians over them are steady."""

CHECKED_PARAMETERS = 5_000
"""A model of more parameters than these is not checked by differences: that takes two losses for each."""

CHECKED_SAMPLES = 8
WRITTEN_STEPS = 6
"""A sequence of more steps than these is not written out by hand."""


def report(
    model: Model,
    x: Any,
    y: Any = None,
    to_file: Any = "report.html",
    *,
    history: Any = None,
    title: str | None = None,
    progress: Callable[[str], Any] | None = None,
) -> Path:
    """Write all that can be seen inside a model into one HTML file that needs no network and no server.

    The model and its weights, findings in plain words, one pass forwards and backwards, how far back gradients
    reach, every weight beside its gradient, a check of the gradients, the training, the prediction. Where the loss is
    not finite: the model, where that began, and the training.

    Parameters
    ----------
    model : Model
        Built and compiled with a loss. It is not changed.
    x, y : array_like
        As for ``fit``, or Windows alone.
    to_file : path
        Written whole or not at all.
    history : History or mapping, optional
        What ``fit`` returned, for the training curves.
    title : str, optional
    progress : function of str, optional
        Told what is being done: ``print``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError, TypeError
        As :func:`rnn_core.inspection.trace` does.
    OSError
        If the file can't be written.

    Examples
    --------
    >>> from rnn_core.tutorial import Tutorial
    >>> tutorial = Tutorial().fit(epochs=1)
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report(tutorial.model, tutorial.train, to_file=f"{folder}/inside.html").name
    'inside.html'
    """
    sections = model_sections(model, x, y, history=history, progress=progress)
    title = f"Inside {model.name}" if title is None else title
    return html.write(to_file, html.page(title, [html.paragraph(glance(model))], sections))


def glance(model: Model) -> str:
    """Return what kind of model it is, in a sentence or two."""
    described = describe(model)
    inputs, outputs = len(model.graph.inputs), len(model.graph.outputs)
    layers = (" - " if described.is_chain else ", ").join(
        _kind(node) for node in described.nodes if node.kind != "InputLayer" and not node.shares
    )
    if inputs > 1 or outputs > 1:
        layers = f"{inputs} input{'s' * (inputs > 1)}, {outputs} output{'s' * (outputs > 1)}; {layers}"
    optimizer = type(model.optimizer).__name__ if model.optimizer is not None else "no optimizer"
    return f"{layers}: {model.count_params():,} parameters, trained with {optimizer}."


def model_sections(
    model: Model, x: Any, y: Any = None, *, history: Any = None, progress: Callable[[str], Any] | None = None
) -> list[Section]:
    """Return the sections of a report, to be put on a page of one's own."""
    tell = progress or (lambda _: None)
    tell("findings")
    found = diagnose(model, x, y)  # before all else: it refuses what can't be looked at
    _, inputs, targets, _ = own_copy("report", model, x, y)
    traced = trace(model, *_some(model, inputs, targets, TRACED), training=False)
    recurrent = [part for part in traced if isinstance(part, RecurrentTrace)]
    tell("pictures of the model")
    sections = [_model(model, traced, recurrent), _findings(found)]
    if "not finite" in found.kinds:  # there are no gradients and no predictions to follow
        return sections if history is None else [*sections, _training(history)]
    tell("one pass forwards and backwards")
    sections.append(_forwards(traced, recurrent))
    sections += [_backwards(traced, part) for part in recurrent]
    sections += [_reach(traced, part) for part in recurrent]
    sections.append(_weights(traced))
    tell("gradients against finite differences")
    sections.append(_check(model, inputs, targets))
    if history is not None:
        sections.append(_training(history))
    tell("predictions")
    sections.append(prediction(model, x if isinstance(x, Windows) else None, inputs, targets))
    return sections


def _some(model: Model, x: Any, y: Any, count: int) -> tuple[Any, Any]:
    """Return samples spread over all, or the first ones of a model with a batch size of its own."""
    chosen = some_rows(model, samples_of(x), count)
    return each(lambda part: part[chosen], x), each(lambda part: part[chosen], y)


def _model(model: Model, traced: Trace, recurrent: list[RecurrentTrace]) -> Section:
    described = describe(model)
    nodes = described.nodes
    table = [
        (f"`{node.name}`", _kind(node), _shape(node.output), node.activation or "–",
         f"those of {node.shares}" if node.shares else f"{node.params:,}")
        for node in nodes
    ]  # fmt: skip
    table.append(("together", "", "", "", f"{model.count_params():,}"))
    boxes = ", then ".join(_kind(node) for node in nodes)
    caption = "The model as a graph. An arrow that returns to its box is what a step hands to the next one."
    parts = [
        html.table(["layer", "class", "output shape", "activation", "parameters"], table, "The layers."),
        html.diagram(
            pictures.model_graph(model), f"The layers as boxes, each below those that it reads: {boxes}.", caption
        ),
    ]
    parts += [_unrolled(model, name, traced, recurrent) for name in unrolled_layers(model)]
    return Section("The model", parts)


def _unrolled(model: Model, name: str | None, traced: Trace, recurrent: list[RecurrentTrace]) -> str:
    """Return the whole model unrolled in time, or the recurrent layer of that name."""
    parts = [part for part in recurrent if name is None or f"{part.name}/".startswith(f"{name}/")]
    steps = np.shape(traced.x)[1] if name is None and np.ndim(traced.x) > 1 else parts[0].timesteps
    fixed = name is None and model.input_shape[1:2] != (None,)
    back = " and ".join(dict.fromkeys(_WAYS_BACK[isinstance(part, JordanTrace)] for part in parts))
    what = "The model" if name is None else f"`{name}`"
    return html.diagram(
        pictures.unrolled(model, name, None if fixed else steps),
        f"{parts[0].timesteps} time steps side by side; {back} from each step to the next.",
        f"{what} unrolled in time: every column is a step, and all steps share their weights.",
    )


_WAYS_BACK = ("the hidden state runs", "the output runs")


def _is_again(part: Any) -> bool:
    """Whether it is a later call of a layer, which looks like the first and has the same weights."""
    return " #" in part.name


def _kind(node: Any) -> str:
    return short(node.layer) if node.layer is not None else str(node.kind)


def _findings(found: Any) -> Section:
    parts = [
        f'<div class="finding {one.severity}"><p><b>{one.severity}</b> {html.text(f"**{one.kind}** in `{one.where}`")}'
        f"<br>{html.text(one.message)}</p></div>"
        for one in found
    ]
    return Section("What is wrong, or worth knowing", parts or [html.paragraph("Nothing found that is wrong.")])


def _forwards(traced: Trace, recurrent: list[RecurrentTrace]) -> Section:
    rows = []
    for part in traced:
        for name, values in part.arrays().items():
            span = (f"{values.min():.3g}", f"{values.max():.3g}") if values.size else ("–", "–")
            rows.append((f"`{part.name}`", f"`{name}`", _shape(values.shape), *span))
    parts = [
        html.paragraph(
            f"One pass of {samples_of(traced.x)} samples spread over the data; the loss is {traced.loss:.4g}. "
            f'Every array is at hand: `trace(model, x, y)["{next(iter(traced)).name}"]`.'
        )
    ]
    for part in recurrent:
        parts.append(
            html.chart(
                pictures.hidden_states(traced, part.name),
                f"The state of {part.name} at every time step, for one sample.",
                f"What each step of `{part.name}` hands to the next one, for the first of these samples. At -1 stands "
                "the initial state.",
            )
        )
    caption = "All arrays of the pass and the range of their values. d stands for the gradient of the loss."
    parts.append(html.table(["layer", "array", "shape", "from", "to"], rows, caption))
    return Section("Forwards: what each layer computed", parts)


def _backwards(traced: Trace, part: RecurrentTrace) -> Section:
    items = bptt(traced, part.name)
    steps = part.timesteps
    columns = {"from the loss": items.from_loss, "from the future": items.from_future}
    if items.d_preactivation is not None:
        columns["dL/da"] = items.d_preactivation
    rows = []
    for t in range(steps) if steps <= 12 else [*range(4), None, *range(steps - 8, steps)]:
        if t is None:
            rows.append(("…",) * (1 + len(columns) + len(items.contributions)))
            continue
        norms = [float(np.linalg.norm(a[:, t])) for a in columns.values()]
        norms += [float(np.linalg.norm(contribution[t])) for contribution in items.contributions.values()]
        rows.append((str(t), *(f"{norm:.3g}" for norm in norms)))
    sums = [float(np.linalg.norm(items.d_data[name])) for name in items.contributions]
    rows.append(("all", *("" for _ in columns), *(f"{norm:.3g}" for norm in sums)))
    heads = ["step", *columns, *(f"to {name}" for name in items.contributions)]
    calls = sum(other.layer is part.layer for other in traced)
    several = f" The layer is called {calls} times; its gradient is the sum of what all calls add." if calls > 1 else ""
    parts = [
        html.paragraph(_way_back(part) + several),
        html.table(
            heads,
            rows,
            "Norms, all samples together. The last row is the gradient that the steps sum up to; norms do not add up.",
        ),
    ]
    if steps > 1:
        over_time = html.chart(
            pictures.gradients(traced, part.name),
            f"The norms of the gradients in {part.name} at every time step, on a log scale.",
            "The gradient at every step: the median of the samples.",
        )
        parts.insert(1, over_time)
    if steps <= WRITTEN_STEPS and items.d_preactivation is not None:
        size = np.abs(items.d_preactivation).sum(axis=1)  # (batch, units)
        sample, unit = (int(i) for i in np.unravel_index(size.argmax(), size.shape))
        parts += [
            html.heading("Written out"),
            html.paragraph(
                f"Sample {sample} and unit {unit}, where most gradient arrives, with the numbers in the formulas."
            ),
            html.preformatted(items.table(sample, unit), f"Backpropagation through time of {part.name}, written out"),
        ]
    return Section(f"Backwards through time: `{part.name}`", parts)


def _way_back(part: RecurrentTrace) -> str:
    """Return what happens to the gradient at every step."""
    if isinstance(part, JordanTrace):
        decay = f" + {part.cell.decay:g} dc_(t+1)" if part.cell.decay else ""
        formulas = f"`dy_t = dL/dy_t + dc_(t+1)`, `da_t = (da_y Vᵀ) * act'(a_t)`, `dc_t = da_t Uᵀ{decay}`"
        loop = "Here the loop is closed: the network's own outputs come back."
        return f"Jordan's network: at every step the gradient arrives at the output, {formulas}. {loop}"
    if isinstance(part, ElmanTrace):
        return (
            "At every step the gradient arrives from the loss and from the future, passes the activation's derivative, "
            "and adds its part to each weight: `dh_t = dy_t + da_(t+1) Uᵀ`, `da_t = dh_t * act'(a_t)`."
        )
    return "At every step the gradient arrives from the loss and from the future, and adds its part to each weight."


def _reach(traced: Trace, part: RecurrentTrace) -> Section:
    found = credit(traced, part.name)
    parts = [
        html.preformatted(str(found), f"How far back gradients reach in {part.name}"),
    ]
    if found.spectrum is not None and not _is_again(part):
        eigenvalues = html.chart(
            pictures.eigenvalues(found.spectrum),
            f"The eigenvalues of {found.kernel_name} and the unit circle; {found.spectrum}.",
            f"{_capital(found.kernel_name)}: outside the circle a linear network's state grows, inside it fades.",
        )
        parts.append(eigenvalues)
    if found.timesteps > 1:
        reached = html.chart(
            pictures.reach(found),
            f"The norm of the Jacobian over the distance in time, from 0 to {found.timesteps} steps.",
            "How much of a gradient can arrive so many steps further back.",
        )
        parts.insert(1, reached)
    else:
        parts[0] = html.paragraph("The sequence is one step long: a gradient has no way back to go.")
    return Section(f"How far back gradients reach: `{part.name}`", parts)


def _weights(traced: Trace) -> Section:
    parts = [html.paragraph("Blue is below zero, white is zero, red above. Each map has its own scale.")]
    for part in traced:
        if part.weights and not _is_again(part):
            alt = f"Heat maps of the weights of {part.name} on the left and of their gradients on the right."
            caption = f"`{part.name}`: weights on the left, the gradient of the loss on the right."
            parts.append(html.chart(pictures.weight_maps(traced, part.name), alt, caption))
    return Section("Weights and their gradients", parts)


def _check(model: Model, x: Array, y: Array) -> Section:
    title = "Are the gradients right?"
    if model.count_params() > CHECKED_PARAMETERS:
        text = (
            f"Not checked here: the model has {model.count_params():,} parameters. Call `check_gradients(model, x, y)`."
        )
        return Section(title, [html.paragraph(text)])
    found = check_gradients(model, *_some(model, x, y, CHECKED_SAMPLES))
    verdict = "**Yes.** " if found else f"**No:** {len(found.wrong)} derivatives are wrong. "
    kinks = f" At {len(found.kinks)} of them the loss has a kink." if found.kinks else ""
    rows = [(f"`{name}`", f"{count:,}", f"{found.errors[name]:.1e}") for name, count in found.checked.items()]
    text = verdict + "Every parameter's derivative, by backpropagation and by central differences in float64." + kinks
    columns = ["weight", "parameters", "largest difference"]
    return Section(title, [html.paragraph(text), html.table(columns, rows, "Backpropagation against differences.")])


def _training(history: Any) -> Section:
    columns = getattr(history, "history", history)
    last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in columns.items())
    alt = f"Curves of {', '.join(columns)} over {len(next(iter(columns.values())))} epochs."
    return Section("Training", [html.chart(pictures.training_curves(history), alt, f"After the last epoch: {last}.")])


def _capital(text: str) -> str:
    return text if text.startswith("decay") else text[0].upper() + text[1:]


def _shape(shape: Any) -> str:
    return ", ".join(map(_shape, shape)) if shape and isinstance(shape[0], (tuple, list)) else shape_text(shape)
