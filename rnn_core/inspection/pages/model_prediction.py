"""The end of a report: what the model predicts beside the truth, and how far its forecasts carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnn_core.inspection import pictures
from rnn_core.inspection.pages import html
from rnn_core.inspection.pages.html import Section
from rnn_core.inspection.run import output_masks
from rnn_core.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    SparseCategoricalCrossentropy,
)
from rnn_core.losses.classification import sigmoid
from rnn_core.models import Model
from rnn_core.several import as_list

SHOWN = 400
"""Values of the prediction that are drawn: what is denser is a blot."""

_OF_CLASSES = CategoricalCrossentropy, CategoricalFocalCrossentropy, CategoricalHinge, SparseCategoricalCrossentropy


def prediction(model: Model, windows: Any, x: Any, y: Any) -> Section:
    """Return a picture for each output, and forecasts where the data are windows."""
    predicted = model.predict(x, verbose=0)
    outputs = list(predicted.values()) if isinstance(predicted, dict) else as_list(predicted)
    parts = []
    losses = getattr(model.loss, "losses", [model.loss])
    answers = zip(model.output_names, as_list(y), outputs, losses, output_masks(model, x), strict=True)
    for name, true, output, loss, mask in answers:
        if len(outputs) > 1:
            parts.append(html.heading(f"`{name}`"))
        true = true.reshape(*output.shape[:-1], -1)
        parts += _pictures(true, output, loss, _counts(true, output, loss, mask), windows)
    parts += _forecasts(model, windows) if windows is not None else []
    return Section("Prediction", parts)


def _counts(true: Any, output: Any, loss: Any, mask: Any) -> Any:
    """Return which targets count, (samples, [timesteps]): not those at masked steps, nor those of an ignored class."""
    counts = np.ones(output.shape[:-1], bool) if mask is None or mask.shape != output.shape[:-1] else mask
    ignored = getattr(loss, "ignore_class", None)
    return counts if ignored is None else counts & (true[..., 0] != ignored)


def _scores(true: Any, output: Any, loss: Any) -> Any:
    """Return a number for each class, (..., classes), or None where the output is no class."""
    if isinstance(loss, BinaryCrossentropy) and output.shape[-1] == 1:  # a class or not: two
        if not np.isin(true, (0, 1)).all():
            return None
        p = sigmoid(output) if loss.from_logits else output
        return np.concatenate([1 - p, p], axis=-1)
    return output if isinstance(loss, _OF_CLASSES) else None


def _pictures(true: Any, output: Any, loss: Any, counts: Any, windows: Any) -> Iterator[str]:
    """Yield the picture of one output: of a class, of several values, or of one value."""
    if not counts.any():
        return
    scores = _scores(true[counts], output[counts], loss)
    if scores is not None:
        yield html.chart(
            pictures.confusion(true[counts], scores),
            "A table of true classes against predicted ones, and how sure the model is against how right.",
            f"Which class is taken for which, of {counts.sum():,} answers: what is right lies on the diagonal.",
        )
        return
    shown = slice(-max(1, SHOWN // output[0, ..., 0].size), None)
    which = f"The last {len(output[shown]):,} of {len(output):,} samples"
    if output.ndim > 2:
        which += f", {output.shape[1]} steps each, one after the other"
    true, output, counts = true[shown], output[shown], counts[shown]
    if not counts.all():
        which += f"; {counts.sum():,} steps of them are real"
    true, output = true[counts], output[counts]
    if not len(true):
        return
    if output.shape[-1] != 1:
        yield html.chart(
            pictures.several_predictions(true, output),
            "Predictions of the first values beside the truth, and the error of every value.",
            f"{which}: the first of {output.shape[-1]} values, and the error of each beside that of a constant.",
        )
        return
    positions = None if windows is None else windows.positions[shown].reshape(counts.shape)[counts]
    yield html.chart(
        pictures.prediction(true, output, positions),
        "Predictions beside the truth, and the differences below.",
        f"{which}: predictions and what they miss.",
    )


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
