"""The end of a report: what the model predicts beside the truth, and how far its forecasts carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnn_core.inspection import pictures
from rnn_core.inspection.pages import html
from rnn_core.inspection.pages.html import Section
from rnn_core.losses import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    SparseCategoricalCrossentropy,
)
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
    for name, true, output, loss in zip(model.output_names, as_list(y), outputs, losses, strict=True):
        if len(outputs) > 1:
            parts.append(html.heading(f"`{name}`"))
        if output.shape[-1] != 1 and output.ndim > 1:
            parts.append(_several(true, output, loss))
            continue
        steps = output[0].size
        shown = slice(-max(1, SHOWN // steps), None)
        sequences = f", {steps} steps each, one after the other" if steps > 1 else ""
        parts.append(
            html.chart(
                pictures.prediction(true[shown], output[shown], None if windows is None else windows.positions[shown]),
                "Predictions beside the truth, and the differences below.",
                f"The last {len(output[shown])} of {len(output):,} samples{sequences}: predictions and what they miss.",
            )
        )
    parts += _forecasts(model, windows) if windows is not None else []
    return Section("Prediction", parts)


def _several(true: Any, output: Any, loss: Any) -> str:
    """Return a picture of outputs of several numbers: a class, or several values."""
    if isinstance(loss, _OF_CLASSES):
        return html.chart(
            pictures.confusion(true, output),
            "A table of true classes against predicted ones, and how sure the model is against how right.",
            f"Which class is taken for which, of {output[..., 0].size:,} answers: what is right lies on the diagonal.",
        )
    shown = slice(-max(1, SHOWN // output[0, ..., 0].size), None)
    return html.chart(
        pictures.several_predictions(true[shown], output[shown]),
        "Predictions of the first values beside the truth, and the error of every value.",
        f"The last {len(output[shown])} of {len(output):,} samples: the first of {output.shape[-1]} values, and the "
        "error of each beside that of a constant.",
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
