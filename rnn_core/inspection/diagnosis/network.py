"""Findings about the network: what its records and gradients show for one batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.activations import HardSigmoid, HardTanh, Relu, Relu6, Sigmoid, Tanh
from rnn_core.inspection.diagnosis.findings import Finding, percent
from rnn_core.inspection.traces.layers import ActivatedTrace, ActivationTrace, LayerTrace
from rnn_core.inspection.traces.recurrent import RecurrentTrace
from rnn_core.inspection.traces.tracing import Trace
from rnn_core.several import as_list, rows

Array = NDArray[Any]

ENOUGH_VALUES = 30
"""A unit silent on this many values is silent on less than a tenth of all (rule of three: 3 / 30, 95 % certain)."""

DEAD_SHARE = 0.5
"""From half of a layer's units on, dead ones are a warning: a few are the usual price of relu."""

SATURATED_SLOPE = 0.02
"""A unit whose derivative is below 2 % of its largest (|tanh| above 0.99) learns fifty times slower."""

SATURATED_SHARE = 0.5
"""Saturated units are reported where they are the rule, in half of all values; now and then every unit saturates."""

VANISHED = 1e-3
"""A gradient of which less than a thousandth arrives cannot compete with those of nearer steps."""

LOST = 1e-7
"""Less than float32 can add to the gradients of nearer steps (its eps is 1.2e-7): it might as well be zero."""

EXPLODED = 1e3
"""A gradient a thousand times larger at the first step than at the last drowns all others, and steps become jumps."""

LARGE_UPDATE = 0.1
"""A step should change weights by about a thousandth of their size; one that changes them by a tenth overshoots."""

SMALL_UPDATE = 1e-6
"""At a millionth a step, weights need a million steps, and float32 (eps 1.2e-7) rounds a tenth of each away."""

MATTERS = 0.01
"""Small updates are right where nothing is left to learn: they are reported only where ||w|| ||dL/dw|| / L, the share
of the loss that a change of the weights by their own size would make up, is at least a hundredth."""

_LARGEST_SLOPE = {Tanh: 1.0, Sigmoid: 0.25, HardTanh: 1.0, HardSigmoid: 1 / 6}


def network_findings(trace: Trace) -> Iterator[Finding]:
    """Yield what a trace shows."""
    checks: tuple[Callable[[Trace, LayerTrace], Iterator[Finding]], ...] = (
        _one_step,
        _dead_units,
        _zero_gradient,
        _saturated_units,
        _gradient_over_time,
    )
    if not any(d.any() for d in as_list(trace.d_output)):
        yield Finding(
            "problem",
            "zero gradient",
            "loss",
            f"The gradient of the loss is exactly 0 for all {rows(trace.x)} samples, so no weight learns anything.",
        )
        return
    for layer in trace:
        for check in checks:
            yield from check(trace, layer)
    yield from _updates(trace)


def _one_step(trace: Trace, layer: LayerTrace) -> Iterator[Finding]:
    if not isinstance(layer, RecurrentTrace) or layer.has_initial_state or "recurrent_kernel" not in layer.weights:
        return
    if layer.step_mask.sum(axis=1).max() <= 1:
        weights = layer.weights["recurrent_kernel"]
        batch, steps, features = layer.step_input.shape
        real = "" if steps == 1 else f", of which at most one is real in each of the {batch} samples"
        yield Finding(
            "problem",
            "one time step",
            f"{layer.name}/recurrent_kernel",
            f"The layer gets sequences of {steps} time step{'s' * (steps > 1)}{real}, of {features} features. There is "
            f"no step before the first, so the recurrence never runs: the gradient of all {weights.size:,} weights of "
            "the recurrent kernel is exactly 0 and they stay as they started. Feed values one after the other, as "
            f"(timesteps, features), or use a Dense layer.",
            {"timesteps": steps, "weights": weights.size},
        )


def _silent(layer: LayerTrace) -> Array | None:
    """Return for each unit whether its derivative is 0 everywhere, (units,), where the layer has an activation."""
    if not isinstance(layer, ActivatedTrace) or layer.derivative is None:
        return None
    return np.asarray((_real(layer, layer.derivative) == 0).all(axis=0))


def _real(layer: LayerTrace, values: Array) -> Array:
    """Return values (batch, [timesteps,] units) as rows, those at masked steps left out."""
    mask = layer.step_mask if isinstance(layer, RecurrentTrace) else layer.record.output_mask
    if isinstance(mask, np.ndarray) and values.ndim == 3:
        return values[mask]
    return values.reshape(-1, values.shape[-1])


def _dead_units(trace: Trace, layer: LayerTrace) -> Iterator[Finding]:
    silent = _silent(layer)
    if silent is None or not isinstance(layer, ActivatedTrace) or not isinstance(layer.activation, (Relu, Relu6)):
        return
    values = _real(layer, layer.preactivation)
    dead, units = int(silent.sum()), silent.size
    if not dead or len(values) < ENOUGH_VALUES:
        return
    what = "All" if dead == units else f"{dead} of"
    yield Finding(
        "problem" if dead == units else "warning" if dead >= DEAD_SHARE * units else "note",
        "dead units",
        layer.name,
        f"{what} {units} relu units give no gradient for any of {len(values):,} values, so they learn nothing "
        "from this data. A smaller learning rate, another initializer or leaky_relu keeps units alive.",
        {"dead": dead, "units": units, "values": len(values)},
    )


def _zero_gradient(trace: Trace, layer: LayerTrace) -> Iterator[Finding]:
    if not layer.layer.trainable or not layer.d_data:
        return
    units = next(iter(layer.d_data.values())).shape[-1]
    stopped = _no_gradient_arrives(layer)
    if stopped is None:  # a layer of somebody's own: only its weights are known
        zero = [name for name, gradient in layer.d_data.items() if not gradient.any()]
        why, count = "", units
    else:
        reach = {name: layer.d_data[name] for name in layer.into_units or layer.d_data if name in layer.d_data}
        zero = [name for name, gradient in reach.items() if stopped.any() and not gradient[..., stopped].any()]
        count = int(stopped.sum())
        why = (
            f" for {count} of {units} units although their activations have a slope: nothing that comes after them "
            "passes a gradient on (dead units, weights of 0, or a mask)"
        )
    read = layer.input[0] if isinstance(layer.input, (list, tuple)) else layer.input
    if "kernel" in layer.d_data and not zero and not read.any():
        zero, why, count = ["kernel"], ", because all inputs of the layer are 0", units
    if zero:
        yield Finding(
            "problem" if count == units else "warning",
            "zero gradient",
            layer.name,
            f"The gradient of {', '.join(zero)} is exactly 0{why}. What has no gradient does not learn.",
            {"units without gradient": count, "units": units},
        )


def _no_gradient_arrives(layer: LayerTrace) -> Array | None:
    """Return for each unit whether no gradient arrives although its activation would pass one on, (units,)."""
    if not isinstance(layer, ActivatedTrace) or isinstance(layer, ActivationTrace):
        return None
    d_preactivation = layer.d_preactivation.reshape(-1, layer.d_preactivation.shape[-1])
    silent = _silent(layer)
    stopped: Array = np.logical_not(d_preactivation.any(axis=0))  # a sum of gradients can also be 0 because they cancel
    return stopped if silent is None else stopped & ~silent


def _saturated_units(trace: Trace, layer: LayerTrace) -> Iterator[Finding]:
    if not isinstance(layer, ActivatedTrace) or layer.derivative is None:
        return
    largest = _LARGEST_SLOPE.get(type(layer.activation))
    last = any(layer.output is output for output in as_list(trace.output))
    if largest is None or last:  # a classifier that is sure of itself is not ill
        return
    slopes = _real(layer, layer.derivative)
    share = float((slopes < SATURATED_SLOPE * largest).mean()) if slopes.size else 0.0
    if share > SATURATED_SHARE:
        a = _real(layer, layer.preactivation)
        yield Finding(
            "warning",
            "saturated units",
            layer.name,
            f"{percent(share)} of the outputs of {layer.activation.name} are saturated: the derivative there is below "
            f"{percent(SATURATED_SLOPE)} of its largest, so next to nothing is learned through them. The typical "
            f"pre-activation is {float(np.median(np.abs(a))):.3g}. Scale the inputs, or start with smaller weights.",
            {"share": share, "median |a|": float(np.median(np.abs(a)))},
        )


def arriving(layer: RecurrentTrace) -> Array:
    """Return how much of the loss's gradient at the last step arrives at each earlier state, as logarithms.

    ``log(||g dh_T/dh_k|| / ||g||)``, g = dL/dh_T through the output of the last step T, over the distance T - k
    = 0 .. timesteps - 1; the median over the samples. Empty where no gradient arrives at the last step.
    """
    g_output = layer.from_loss[:, -1].astype(np.float64)
    sizes = np.linalg.norm(g_output, axis=1, keepdims=True)
    sends = sizes[:, 0] > 0
    if not sends.any():
        return np.empty(0)
    g_output = g_output / np.where(sizes > 0, sizes, 1)
    g_state = np.zeros_like(layer.state[:, 0], np.float64)
    logs, medians = np.zeros(len(g_output)), [0.0]
    for t in range(layer.timesteps - 1, 0, -1):
        g_output, g_state = layer.back(t, g_output, g_state)
        norms = np.sqrt((g_output**2).sum(axis=1) + (g_state**2).sum(axis=1))
        with np.errstate(divide="ignore"):
            logs = logs + np.log(norms)
        scale = np.where(norms > 0, norms, 1)[:, None]
        g_output, g_state = g_output / scale, g_state / scale
        medians.append(float(np.median(logs[sends])))
    return np.array(medians)


def _gradient_over_time(trace: Trace, layer: LayerTrace) -> Iterator[Finding]:
    if not isinstance(layer, RecurrentTrace) or layer.timesteps < 2:
        return
    logs = arriving(layer)
    silent = _silent(layer)
    if not len(logs) or (silent is not None and silent.all()):
        return
    steps, last = len(logs) - 1, float(logs[-1])
    taken = max(1.0, float(np.median(layer.step_mask[:, 1:].sum(axis=1))))  # a masked step hands on what it was given
    step = "step" if layer.step_mask.all() else "real step"
    share, factor = float(np.exp(min(last, 700.0))), float(np.exp(last / taken))
    numbers = {"steps": float(steps), "share": share, "factor a step": factor}
    if share < VANISHED:
        felt = int(np.flatnonzero(logs >= np.log(0.01))[-1])
        yield Finding(
            "warning" if share < LOST else "note",
            "vanishing gradient",
            layer.name,
            f"Of a gradient at step {steps}, {percent(share)} arrives at step 0: it shrinks to {factor:.3g} x a "
            f"{step}, and beyond {felt} step{'' if felt == 1 else 's'} less than 1 % arrives. What happened earlier "
            "than that is hardly learned.",
            {**numbers, "reach": felt},
        )
    elif share > EXPLODED:
        yield Finding(
            "warning",
            "exploding gradient",
            layer.name,
            f"A gradient at step {steps} is {share:.2g} times as large when it arrives at step 0: it grows "
            f"{factor:.3g} x a {step}. Clip it (clipnorm=1.0 in the optimizer), or start from a recurrent kernel "
            "with a smaller spectral radius.",
            numbers,
        )


def _updates(trace: Trace) -> Iterator[Finding]:
    """Take the optimizer's next step on a copy, and compare it with the weights."""
    twin = copy.deepcopy(trace.model)
    twin.prepare_training()
    twin.d_vector[...] = trace.d_vector
    twin.optimizer.step()
    ratios: dict[str, float] = {}
    matters: dict[str, bool] = {}
    for layer, after, part in zip(trace.model.layers, twin.layers, trace.model.parts(trace.d_vector), strict=True):
        weights, moved = layer.views(layer.vector), after.views(after.vector)
        for name, gradient in layer.views(part).items():
            weight, place = weights[name], f"{layer.name}/{name}"
            size = float(np.linalg.norm(weight))
            if layer.trainable and weight.ndim > 1 and size:
                ratios[place] = float(np.linalg.norm(moved[name] - weight)) / size
                matters[place] = size * float(np.linalg.norm(gradient)) > MATTERS * abs(trace.loss)
    large = {place: ratio for place, ratio in ratios.items() if ratio > LARGE_UPDATE}
    small = {place: ratio for place, ratio in ratios.items() if ratio < SMALL_UPDATE and matters[place]}
    step = f"One step of {type(trace.model.optimizer).__name__} changes"
    rate = f"at learning rate {trace.model.optimizer.learning_rate:.3g}"
    if large:
        worst = max(large, key=large.__getitem__)
        yield Finding(
            "warning",
            "large updates",
            ", ".join(large),
            f"{step} {worst} by {percent(large[worst])} of its size {rate}. Steps of about a thousandth are usual: "
            "lower it, or clip the gradient.",
            large,
        )
    if small:
        worst = min(small, key=small.__getitem__)
        yield Finding(
            "warning",
            "small updates",
            ", ".join(small),
            f"{step} {worst} by {percent(small[worst])} of its size {rate}, although the loss depends on it: that will "
            "take millions of steps. Raise it, or look at why the gradient is so small.",
            small,
        )
