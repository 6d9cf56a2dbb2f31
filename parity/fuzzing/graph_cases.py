"""Graphs as cases for the check: inputs, calls of layers on them, and outputs with a loss each.

A :class:`GraphCase` is plain data, as a chain's case is (cases.py), and is built by running its own script, which is
written as anybody would write a functional model::

    a = Input(batch_shape=(2, 3, 1), dtype=dtype, name='a')
    layer_0 = layers.SimpleRNN(name='layer_0', units=2, dtype=dtype)          called twice: made before
    h0 = layer_0(a)
    h1 = layer_0(b)
    h2 = layers.Add(name='layer_1', dtype=dtype)([h0, h1])                    called once: made where it is called
    model = Model([a, b], h2)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from parity.checking.run import STAGES
from parity.fuzzing.as_python import executed, layer_as_python, object_as_python, script_of
from parity.fuzzing.case_compiled import TARGETS, WEIGHTS
from parity.fuzzing.case_layers import Config, Named
from rnn_core.models import Model

MERGES = ("Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum", "Concatenate")


class GraphCase(NamedTuple):
    """A graph of layers, its data and how it is compiled: numbers, strings, lists and dicts, as JSON has them.

    Attributes
    ----------
    seed : int
        Of weights and data.
    dtype : {"float64", "float32"}
    batch, timesteps : int
    inputs : list of dict
        ``name``; ``kind``: "sequence", "row" or "words"; ``features``, of words how many there are; ``missing``, the
        value that stands at missing time steps, or None; ``mask``, whether the input is given a mask.
    layers : list of (class, arguments)
    calls : list of dict
        In an order in which they can run: ``layer``, its name; ``of`` and ``states``, the names of what it is called
        on, and of its initial states; ``made``, the names of what it puts out.
    outputs : list of dict
        ``of``, the name of what is an output; ``loss``, a class and its arguments, or None; ``targets``,
        ``sample_weight`` as for a chain, and ``loss_weight``.
    optimizer : (class, arguments)
    keep_ends : bool
        Whether first and last step are never missing.
    steps : int
        Training steps before the check, so that the optimizer has a past.
    """

    seed: int
    dtype: str
    batch: int
    timesteps: int
    inputs: list[Config]
    layers: list[Named]
    calls: list[Config]
    outputs: list[Config]
    optimizer: Named
    keep_ends: bool
    steps: int

    def to_dict(self) -> Config:
        """Return the fields."""
        return self._asdict()

    def script(self, dtypes: Sequence[str] = ("float64", "float32"), draws: int = STAGES[-1]) -> str:
        """Return a Python script that builds the case, checks it as told and prints the report."""
        return script_of(self._body(), "Input, Model, layers", dtypes, draws)

    def build(self) -> tuple[Model, dict[str, Any]]:
        """Return the model and the data for :func:`parity.check`, by the names of its arguments."""
        return executed(self._body(), self.seed)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of everything that a call puts out, batch first."""
        found = executed(self._body(), self.seed, tuple(made for call in self.calls for made in call["made"]))[1]
        return {name: tuple(symbol.shape) for name, symbol in found.items()}

    def pruned(self) -> GraphCase:
        """Return the case without calls, layers and inputs that no output hangs on."""
        needed = {output["of"] for output in self.outputs}
        calls: list[Config] = []
        for call in reversed(self.calls):
            if needed & set(call["made"]):
                calls.insert(0, call)
                needed |= {*call["of"], *call["states"]}
        called = {call["layer"] for call in calls}
        return self._replace(
            inputs=[one for one in self.inputs if one["name"] in needed],
            layers=[layer for layer in self.layers if layer[1]["name"] in called],
            calls=calls,
        )

    def _body(self) -> str:
        names, outputs = [one["name"] for one in self.inputs], [one["of"] for one in self.outputs]
        losses = [one["loss"] and object_as_python(one["loss"]) for one in self.outputs]
        factors = [one["loss_weight"] for one in self.outputs]
        targets = [TARGETS[one["targets"]].format(shape=f"{one['of']}.shape") for one in self.outputs]
        masks = [f"real_{one['name']}" if one["mask"] else None for one in self.inputs]
        weighted = f", loss_weights={factors}" if set(factors) != {1.0} and len(factors) > 1 else ""
        return "\n".join(
            [
                f'dtype, draws = "{self.dtype}", np.random.default_rng({self.seed})',
                *(self._input(one) for one in self.inputs),
                *self._graph(),
                f"model = Model({_one_or_list(names)}, {_one_or_list(outputs)})",
                "model.vector[...] = 0.5 * draws.standard_normal(model.vector.size)",
                f"model.compile({object_as_python(self.optimizer)}, {_one_or_list(losses)}{weighted})",
                *(line for one in self.inputs for line in self._data(one)),
                f"x = {_one_or_list([f'x_{name}' for name in names])}",
                f"y = {_one_or_list(targets)}",
                f"sample_weight = {_one_or_list(list(map(_weights, self.outputs)), none=True)}",
                f"mask = {_one_or_list(masks, none=True)}",
                "initial_state = None",
                *([f"for _ in range({self.steps}):\n    model.train_on_batch(x, y, sample_weight)"] * (self.steps > 0)),
            ]
        )

    def _shape(self, given: Config) -> tuple[int, ...]:
        shape = {"row": (given["features"],), "words": (self.timesteps,)}
        return (self.batch, *shape.get(given["kind"], (self.timesteps, given["features"])))

    def _input(self, given: Config) -> str:
        dtype = '"int32"' if given["kind"] == "words" else "dtype"
        return f'{given["name"]} = Input(batch_shape={self._shape(given)}, dtype={dtype}, name="{given["name"]}")'

    def _graph(self) -> list[str]:
        made = {given["name"]: layer_as_python((name, given)) for name, given in self.layers}
        classes = {given["name"]: name for name, given in self.layers}
        counts = Counter(call["layer"] for call in self.calls)
        lines = [f"{layer} = {made[layer]}" for layer in made if counts[layer] > 1]
        for call in self.calls:
            layer = call["layer"]
            of = f"[{', '.join(call['of'])}]" if classes[layer] in MERGES else call["of"][0]
            states = f", initial_state={_one_or_list(call['states'])}" if call["states"] else ""
            lines.append(f"{', '.join(call['made'])} = {layer if counts[layer] > 1 else made[layer]}({of}{states})")
        return lines

    def _data(self, given: Config) -> list[str]:
        name, shape = given["name"], self._shape(given)
        numbers = f"integers(1, {given['features']}, {shape})" if given["kind"] == "words" else None
        lines = [f"x_{name} = draws.{numbers or f'standard_normal({shape})'}"]
        if given["mask"] or given["missing"] is not None:
            lines.append(f"real_{name} = draws.random({shape[:2]}) < 0.7")
            lines += [f"real_{name}[:, [0, -1]] = True"] if self.keep_ends else []
        if given["missing"] is not None:
            lines.append(f"x_{name}[~real_{name}] = {given['missing']}")
        return lines


def _weights(output: Config) -> str | None:
    if not output["sample_weight"]:
        return None
    shape = WEIGHTS[output["sample_weight"]].format(shape=f"{output['of']}.shape")
    return f"draws.random({shape})"


def _one_or_list(parts: Sequence[str | None], none: bool = False) -> str:
    """Return one as it is, and several as a list; `none`, nothing but None as None."""
    if len(parts) == 1 or (none and set(parts) == {None}):
        return str(parts[0])
    return f"[{', '.join(map(str, parts))}]"
