"""A report on a model and its data: one HTML file with all that this package finds, in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection import html, pictures
from rnn_core.inspection.bptt import bptt
from rnn_core.inspection.credit import credit
from rnn_core.inspection.diagnosis import diagnose
from rnn_core.inspection.gradient_check import check_gradients
from rnn_core.inspection.graph_picture_layout import describe
from rnn_core.inspection.html import Section
from rnn_core.inspection.layer_traces import SimpleRNNTrace
from rnn_core.inspection.tracing import Trace, trace
from rnn_core.layers.base import shape_text
from rnn_core.models import Model

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
    reach, every weight beside its gradient, a check of the gradients, the training, the prediction.

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
    nodes = describe(model).nodes
    layers = " - ".join(_short(node) for node in nodes if node.kind != "InputLayer")
    optimizer = type(model.optimizer).__name__ if model.optimizer is not None else "no optimizer"
    return f"{layers}: {model.count_params():,} parameters, trained with {optimizer}."


def model_sections(
    model: Model, x: Any, y: Any = None, *, history: Any = None, progress: Callable[[str], Any] | None = None
) -> list[Section]:
    """Return the sections of a report, to be put on a page of one's own."""
    tell = progress or (lambda _: None)
    tell("findings")
    found = diagnose(model, x, y)  # before all else: it refuses what can't be looked at
    inputs, targets = (x.inputs, x.targets) if y is None else (x, y)
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    traced = trace(model, *_some(model, inputs, targets, TRACED), training=False)
    recurrent = [part for part in traced if isinstance(part, SimpleRNNTrace)]
    tell("pictures of the model")
    sections = [_model(model, recurrent), _findings(found)]
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
    sections.append(_prediction(model, x if y is None else None, inputs, targets))
    return sections


def _some(model: Model, x: Array, y: Array, count: int) -> tuple[Array, Array]:
    """Return samples spread over all, or the first ones of a model with a batch size of its own."""
    fixed = model.input_shape[0] if model.input_shape is not None else None
    rows = np.arange(fixed) if fixed else np.linspace(0, len(x) - 1, min(count, len(x))).round().astype(int)
    return x[rows], y[rows]


def _short(node: Any) -> str:
    units = getattr(node.layer, "units", None)
    return f"{node.kind}({units})" if units else node.kind


def _model(model: Model, recurrent: list[SimpleRNNTrace]) -> Section:
    nodes = describe(model).nodes
    rows = [(node.name, node.kind, _shape(node.output), node.activation or "–", f"{node.params:,}") for node in nodes]
    rows.append(("together", "", "", "", f"{model.count_params():,}"))
    alt = "The layers as boxes, one below the other: " + ", then ".join(_short(node) for node in nodes) + "."
    caption = "The model as a graph. An arrow that returns to its box is the hidden state of the step before."
    parts = [
        html.table(["layer", "class", "output shape", "activation", "parameters"], rows, "The layers."),
        html.diagram(pictures.model_graph(model), alt, caption),
    ]
    for part in recurrent:
        steps = part.d_preactivation.shape[1]
        chain = describe(model).is_chain
        parts.append(
            html.diagram(
                pictures.unrolled(model, None if chain else part.name, steps),
                f"{steps} time steps side by side; the hidden state runs from each step to the next.",
                "Unrolled in time: every column is a step, and all steps share one kernel K and recurrent kernel U.",
            )
        )
        if chain:
            break
    return Section("The model", parts)


def _findings(found: Any) -> Section:
    parts = [
        f'<div class="finding {one.severity}"><p><b>{one.severity}</b> {html.text(f"**{one.kind}** in `{one.where}`")}'
        f"<br>{html.text(one.message)}</p></div>"
        for one in found
    ]
    return Section("What is wrong, or worth knowing", parts or [html.paragraph("Nothing found that is wrong.")])


def _forwards(traced: Trace, recurrent: list[SimpleRNNTrace]) -> Section:
    rows = []
    for part in traced:
        for name, values in part.arrays().items():
            span = (f"{values.min():.3g}", f"{values.max():.3g}") if values.size else ("–", "–")
            rows.append((part.name, f"`{name}`", _shape(values.shape), *span))
    parts = [
        html.paragraph(
            f"One pass of {len(traced.x)} samples spread over the data; the loss is {traced.loss:.4g}. "
            f'Every array is at hand: `trace(model, x, y)["{next(iter(traced)).name}"]`.'
        )
    ]
    for part in recurrent:
        parts.append(
            html.chart(
                pictures.hidden_states(traced, part.name),
                f"The hidden state of {part.name} at every time step, for one sample.",
                f"The hidden states of `{part.name}` for the first of these samples. At -1 stands the initial state.",
            )
        )
    caption = "All arrays of the pass and the range of their values. d stands for the gradient of the loss."
    parts.append(html.table(["layer", "array", "shape", "from", "to"], rows, caption))
    return Section("Forwards: what each layer computed", parts)


def _backwards(traced: Trace, part: SimpleRNNTrace) -> Section:
    items = bptt(traced, part.name)
    steps = items.d_preactivation.shape[1]
    rows = []
    for t in range(steps) if steps <= 12 else [*range(4), *range(steps - 8, steps)]:
        norms = [float(np.linalg.norm(a[:, t])) for a in (items.from_loss, items.from_future, items.d_preactivation)]
        norms += [float(np.linalg.norm(contribution[t])) for contribution in items.contributions.values()]
        rows.append((str(t), *(f"{norm:.3g}" for norm in norms)))
    sums = [float(np.linalg.norm(items.d_data[name])) for name in items.contributions]
    rows.append(("all", "", "", "", *(f"{norm:.3g}" for norm in sums)))
    columns = ["step", "from the loss", "from the future", "dL/da", *(f"to {name}" for name in items.contributions)]
    parts = [
        html.paragraph(
            "At every step the gradient arrives from the loss and from the future, passes the activation's derivative, "
            "and adds its part to each weight: `dh_t = dy_t + da_(t+1) Uᵀ`, `da_t = dh_t * act'(a_t)`."
        ),
        html.table(
            columns,
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
    if steps <= WRITTEN_STEPS:
        size = np.abs(items.d_preactivation).sum(axis=1)  # (batch, units)
        sample, unit = (int(i) for i in np.unravel_index(size.argmax(), size.shape))
        parts += [
            html.heading("Written out"),
            html.paragraph(
                f"Sample {sample} and unit {unit}, where most gradient arrives, with the numbers in the formulas."
            ),
            html.preformatted(items.table(sample, unit), f"Backpropagation through time of {part.name}, written out"),
        ]
    return Section(f"Backwards through time: {part.name}", parts)


def _reach(traced: Trace, part: SimpleRNNTrace) -> Section:
    found = credit(traced, part.name)
    parts = [
        html.preformatted(str(found), f"How far back gradients reach in {part.name}"),
        html.chart(
            pictures.eigenvalues(found.spectrum),
            f"The eigenvalues of the recurrent kernel and the unit circle; {found.spectrum}.",
            "The recurrent kernel: outside the circle a linear network's state grows, inside it fades.",
        ),
    ]
    if found.timesteps > 1:
        reached = html.chart(
            pictures.reach(found),
            f"The norm of the Jacobian over the distance in time, from 0 to {found.timesteps} steps.",
            "How much of a gradient can arrive so many steps further back.",
        )
        parts.insert(1, reached)
    else:
        parts[0] = html.paragraph("The sequence is one step long: a gradient has no way back to go.")
    return Section(f"How far back gradients reach: {part.name}", parts)


def _weights(traced: Trace) -> Section:
    parts = [html.paragraph("Blue is below zero, white is zero, red above. Each map has its own scale.")]
    for part in traced:
        if part.weights:
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


def _prediction(model: Model, windows: Any, x: Array, y: Array) -> Section:
    predicted = np.asarray(model.predict(x, verbose=0))
    parts = list(_forecasts(model, windows)) if windows is not None else []
    if predicted.shape[-1] == 1 or predicted.ndim == 1:
        shown = slice(-400, None)  # what is denser is a blot
        parts.insert(
            0,
            html.chart(
                pictures.prediction(y[shown], predicted[shown], None if windows is None else windows.positions[shown]),
                "Predictions beside the truth, and the differences below.",
                f"The last {min(len(y), 400)} of {len(y):,} samples: predictions and what they miss.",
            ),
        )
    else:
        parts.insert(
            0,
            html.paragraph(
                f"The model has outputs of shape {_shape((None, *predicted.shape[1:]))}, which are not drawn."
            ),
        )
    return Section("Prediction", parts)


def _forecasts(model: Model, windows: Any) -> Iterator[str]:
    """Yield what closed-loop forecasts and residuals look like, where the data are windows over a series."""
    from rnn_core.series import LinearAutoregression, Persistence, autocorrelation, compare
    from rnn_core.series import pictures as series_pictures

    steps = 10
    predictors = {
        "model": model,
        "linear, fitted here": LinearAutoregression().fit(windows),
        "last value": Persistence(),
    }
    try:
        results = compare(predictors, windows, steps=steps)
    except ValueError as error:  # inputs that are not known in the future, too few rows, a model of another horizon
        yield html.paragraph(f"No closed-loop forecast: {error}")
        return
    yield html.chart(
        series_pictures.error_by_horizon(results),
        f"The root mean squared error of three predictors, 1 to {steps} steps ahead.",
        f"Closed loop: each predictor goes on from its own outputs, {steps} steps ahead from every window. The "
        "linear one is fitted on these very windows, so no straight line does much better.",
    )
    first = results[(results["predictor"] == "model") & (results["step"] == 1)].sort_values("at")
    residuals = (first["true"] - first["predicted"]).to_numpy()
    yield html.chart(
        series_pictures.residual_autocorrelation(autocorrelation(residuals)),
        "The autocorrelation of the residuals with its 95 % band.",
        "What the residuals one step ahead still hold: nothing, where all bars stay in the band.",
    )


def _shape(shape: Any) -> str:
    return ", ".join(map(_shape, shape)) if shape and isinstance(shape[0], (tuple, list)) else shape_text(shape)
