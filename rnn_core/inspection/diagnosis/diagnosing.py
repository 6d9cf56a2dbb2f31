"""``diagnose``: what is wrong with a model on its data, or worth knowing, in plain words and with the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.engine.nonfinite import explain
from rnn_core.inspection.diagnosis.baselines import Measured
from rnn_core.inspection.diagnosis.data import forecast_findings, scale_findings
from rnn_core.inspection.diagnosis.findings import SEVERITIES, Finding, Findings
from rnn_core.inspection.diagnosis.network import network_findings
from rnn_core.inspection.run import Run, output_masks, own_copy
from rnn_core.inspection.traces.tracing import Trace
from rnn_core.layers import Embedding, JordanRNN, Masking
from rnn_core.models import Model
from rnn_core.several import as_list, each, rows

SAMPLES = 256
"""So many samples, spread over all, are traced: shares are then known to 3 % (1 / sqrt(256) / 2)."""


def diagnose(model: Model, x: Any, y: Any = None) -> Findings:
    """Say what is wrong with a model on its data, or worth knowing.

    Looks at one forward and backward pass, at the next step of the optimizer (on a copy) and at the predictions
    beside simple baselines. Dropout is off. The model is not changed.

    ============================  ================================================================
    one time step                 a recurrent kernel that cannot learn, because T = 1
    zero gradient                 weights whose gradient is exactly zero
    dead units                    relus that output 0 for everything
    saturated units               tanh or sigmoid where their derivative is next to nothing
    vanishing, exploding gradient on its way back through time
    large, small updates          the optimizer's step beside the weights it changes
    input scales, large inputs    features that differ by orders of magnitude, or lie far from 1
    copies the last value         the forecast lags one step behind
    worse than a baseline         the loss beside that of the mean, the last value, a straight line, the classes' shares
    noise floor of a baseline     the same, where they are equal
    not finite                    a loss that is NaN or infinite, and where that began
    ============================  ================================================================

    Every threshold is a constant with its reason, in ``network.py`` and ``data.py``. Time steps that the model
    masks do not count, neither as inputs nor as targets.

    Parameters
    ----------
    model : Model
        Built and compiled with a loss.
    x, y : array_like
        As for ``fit``. The data that it is trained on, or better data that it has not seen.

    Returns
    -------
    Findings
        A list of :class:`Finding`, the most severe first, to print.

    Raises
    ------
    ValueError, TypeError
        For a model that is not built or compiled, and for bad data, as in ``fit``.

    Examples
    --------
    >>> from rnn_core.tutorial import Tutorial
    >>> tutorial = Tutorial(seed=0).fit(epochs=1)
    >>> print(diagnose(tutorial.model, tutorial.train)[0])
    PROBLEM: one time step (simple_rnn.../recurrent_kernel)
        The layer gets sequences of 1 time step, of 4 features. There is no step
        before the first, so the recurrence never runs: the gradient of all 1,024
        weights of the recurrent kernel is exactly 0 and they stay as they started.
        Feed values one after the other, as (timesteps, features), or use a Dense
        layer.
    """
    twin, x, y, _ = own_copy("diagnose", model, x, y)
    traced = some_rows(twin, rows(x), SAMPLES)
    run = Run("diagnose", model, *(each(lambda part: part[traced], data) for data in (x, y)), training=False)
    loss = run.forward()
    if not np.isfinite(loss):
        reason = str(explain(run.model, run.step.passes, loss))
        return Findings([Finding("problem", "not finite", "loss", reason[0].upper() + reason[1:])])
    inputs = numeric_inputs(twin, x)
    found = [
        *network_findings(Trace(run)),
        *(finding for one in inputs for finding in scale_findings(one)),
    ]
    predicted = twin.predict(x, verbose=0)
    outputs = list(predicted.values()) if isinstance(predicted, dict) else as_list(predicted)
    losses = as_list(getattr(twin.loss, "losses", twin.loss))
    several = len(outputs) > 1
    answers = zip(twin.output_names, losses, as_list(y), outputs, output_masks(twin, x), strict=True)
    for name, one, target, output, mask in answers:
        where = f" of {name}" if several else ""
        found += forecast_findings(one, inputs, target, output, mask, where)
    return Findings(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def some_rows(model: Model, samples: int, most: int) -> NDArray[Any]:
    """Return rows spread over all samples, or the first ones for a model with a batch size of its own."""
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    fixed = shapes[0][0]
    return np.arange(fixed) if fixed else np.linspace(0, samples - 1, min(samples, most)).round().astype(int)


def numeric_inputs(model: Model, x: Any) -> list[Measured]:
    """Return the inputs that are measurements: neither indices nor outputs that are fed back."""
    others, masks = set(), {}
    for step in model.graph.steps:
        if isinstance(step.layer, Embedding):
            others.add(step.sources[0])
        elif isinstance(step.layer, JordanRNN):
            others |= set(step.sources[1:])
        elif isinstance(step.layer, Masking):
            masks[step.sources[0]] = step.layer.compute_mask
    several = isinstance(x, list)
    names = [f"x[{name!r}]" for name in model.input_names] if several else ["x"]
    inputs = zip(model.graph.inputs, names, as_list(x), strict=True)
    return [
        Measured(name, part, masks[place](part) if place in masks else None)
        for place, name, part in inputs
        if place not in others
    ]
