"""The sides of a check, and all that each is asked for one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from parity.backend import slots_of, to_numpy
from parity.checking.rules import Key, Place
from parity.conversion.models import converted, to_keras
from parity.sides.keras_side import KerasSide
from parity.sides.our_side import OurSide, cast
from parity.sides.questions import Options
from parity.sides.unrounded import unrounded
from rnn_core.models import Model
from rnn_core.several import as_list

Values = dict[Key, Any]
Sides = dict[Place, OurSide | KerasSide]


def both_sides(model: Model, keras_model: Any, dtypes: Sequence[str], stack: ExitStack) -> Sides:
    """Return both engines in float64, and in float32 if that is asked for, with the same weights."""
    wanted = sorted({"float64", *dtypes}, reverse=True)
    sides: Sides = {("ours", dtype): OurSide(twin(model, dtype)) for dtype in wanted}
    template = model if keras_model is None else converted(keras_model)
    for dtype in wanted:
        if keras_model is not None and KerasSide(keras_model).dtype == dtype:
            side = KerasSide(keras_model)
            if dtype == "float64" and side.backend == "tensorflow":
                side.settings_handed = stack.enter_context(unrounded(keras_model))
            stack.enter_context(restored(side))
            _round_state(side)
        else:
            side = KerasSide(to_keras(twin(template, dtype)))
        ours = sides["ours", dtype].input_names
        if len(ours) == len(side.input_names):  # inputs are matched by place: Keras numbers those without a name
            side.input_names = ours
        sides["keras", dtype] = side
    return sides


def twin(model: Model, dtype: str) -> Model:
    """Return a copy in `dtype` whose weights, states and slots are float32 numbers."""
    return cast(cast(model, "float32"), dtype)


@contextmanager
def restored(side: OurSide | KerasSide) -> Iterator[None]:
    """Undo what happens to weights, slots and states within."""
    if isinstance(side, KerasSide):
        model = side.model
        if getattr(model, "compiled", False) and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        variables = [*side.variables.values(), *(v for parts in side.states.values() for v in parts)]
        variables += model.optimizer.variables if getattr(model, "compiled", False) else []
        kept = [(variable, to_numpy(variable)) for variable in variables]
        try:
            yield
        finally:
            for variable, value in kept:
                variable.assign(value)
        return
    vector, optimizer = side.model.vector.copy(), side.model.optimizer
    state = optimizer.get_state() if optimizer is not None else None
    try:
        with side._unchanged():
            yield
    finally:
        side.model.vector[...] = vector
        if optimizer is not None:
            optimizer.set_state(state)


def _round_state(side: KerasSide) -> None:
    """Round weights, states and slots to float32 numbers, as ours are."""
    variables = [*side.variables.values(), *(v for parts in side.states.values() for v in parts)]
    if getattr(side.model, "compiled", False):
        variables += [slot for slots in slots_of(side.model.optimizer).values() for slot in slots]
    for variable in variables:
        variable.assign(to_numpy(variable).astype(np.float32).astype(side.dtype))


def collected(side: OurSide | KerasSide, batch: dict[str, Any], options: Options) -> Values:
    """Return every quantity in the order of computation; no gradients and no step of a loss that is not finite."""
    x, y = batch["x"], batch["y"]
    given: Options = {"mask": batch["mask"], "initial_states": batch["initial_states"]}
    forward = side.forward(x, **given)
    values: Values = {}
    for label, outputs in forward.outputs.items():
        for i, value in enumerate(as_list(outputs)):
            values["output", label, "output" if i == 0 else f"output {i + 1}"] = value
    for name, value in forward.states.items():
        layer, *part = name.split("/", 1)
        values["state", layer, " ".join([*part, "after the batch"])] = value
    if y is None:
        return values
    given |= {"sample_weight": batch["sample_weight"], "training": True, **options}
    gradients, step = side.gradients_and_step(x, y, **given)
    values["loss", "", "loss"] = gradients.loss
    if step is None or not np.isfinite(gradients.loss):
        return values
    for name in dict.fromkeys(_split(weight)[0] for weight in reversed(gradients.weights)):
        values |= {("gradient", *_split(k)): v for k, v in gradients.weights.items() if _split(k)[0] == name}
        if name in gradients.initial_states:
            values["gradient", name, "initial state"] = gradients.initial_states[name]
    for name, d_input, whole in zip(side.input_names, as_list(gradients.input), batch["whole"], strict=True):
        if not whole:
            values["gradient", name, "input"] = d_input
    values |= {("new weight", *_split(name)): value for name, value in step.weights.items()}
    for slot, parts in step.slots.items():
        for weight, value in parts.items():
            if _split(weight)[0] in side.trained:
                values["new slot", _split(weight)[0], f"{slot} of {_split(weight)[1]}"] = value
    values["optimizer", "", "iterations"] = float(step.iterations)
    values["optimizer", "", "learning rate"] = step.learning_rate
    return values


def _split(name: str) -> tuple[str, str]:
    layer, weight = name.split("/", 1)
    return layer, weight
