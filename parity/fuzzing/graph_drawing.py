"""Random graphs, grown call by call: each new layer is called on something that is already there.

::

    inputs              one to three: sequences, rows of numbers, words; with a mask, a Masking, an Embedding, or plain
    again               a layer that was called before is called on something else of the same shape
    merge               two or three of one shape are added, multiplied, put side by side, ...
    recurrent           SimpleRNN, RNN, Bidirectional; initial states are inputs, or what other layers put out
    names               layer_0, layer_1, ..., or as Keras gives them: concatenate, simple_rnn_1, ...
    outputs             one to three, each with a loss and a last layer for it; at times one on the way

The engine itself says what shape a call puts out. What is Keras' own fault, and so never drawn, stands in cases.py.
Of graphs alone:

- Add and Average of (batch, timesteps, 1) and (batch, 1) on TensorFlow, in this order and with as many samples as time
  steps: there Keras takes the numbers of the samples for those of the time steps.
- Maximum and Minimum on JAX and torch: they share the gradient out among equals, TensorFlow gives it to the first.
- A stateful layer that is called twice, on JAX: there a gradient goes back from the second call through the state into
  the first. On TensorFlow and torch, and here, it ends at the state, which is a variable.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from parity.fuzzing.as_python import layer_as_python
from parity.fuzzing.case_compiled import bounded_before, draw_loss, draw_optimizer, draw_sample_weight, last_layer_for
from parity.fuzzing.case_layers import (
    LARGEST,
    WORDS,
    Config,
    Named,
    any_layer,
    batch_and_timesteps,
    embedding,
    simple_rnn,
    widened,
    without_faults,
)
from parity.fuzzing.graph_cases import MERGES, GraphCase
from rnn_core import layers
from rnn_core.serialization import snake_case
from rnn_core.several import as_list, unpacked

_STATES = ("SimpleRNN", "RNN", "Bidirectional")
_ON_THE_WAY = ("MeanSquaredError", "Huber", "LogCosh")
"""Losses of an output that other layers are called on, too."""


def draw_graph(seed: int, backend: str = "tensorflow") -> GraphCase:
    """Return the graph of a seed; the same seed always gives the same case, but for what a backend gets wrong.

    Examples
    --------
    >>> model, data = draw_graph(seed=3).build()
    >>> len(model.output_names) == len(draw_graph(3).outputs), model.compiled
    (True, True)
    """
    r = random.Random(f"graph {seed}")
    optimizer, dtype = draw_optimizer(r)
    growing = _Growing(r, backend, dtype, *batch_and_timesteps(r, seed))
    growing.as_keras_names = random.Random(f"names {seed}").random() < 0.3
    growing.begin()
    for _ in range(r.randint(2, 6)):
        r.choice([growing.again, growing.again, growing.merge, growing.merge, *[growing.layer] * 4])()
    for _ in range(r.choice([1, 1, 2, 2, 3])):
        growing.end()
    if len(growing.outputs) > 1 and r.random() < 0.15:
        growing.outputs[0]["loss"] = None
    drawn = GraphCase(
        seed=seed,
        dtype=dtype,
        batch=growing.batch,
        timesteps=growing.timesteps,
        inputs=growing.inputs,
        layers=growing.layers,
        calls=growing.calls,
        outputs=growing.outputs,
        optimizer=optimizer,
        keep_ends=r.random() < 0.3,
        steps=r.choice([0, 1, 2]),
    ).pruned()
    needed = any(call["states"] for call in drawn.calls) or any(
        given.get("stateful") or name == "GlobalAveragePooling1D" for name, given in drawn.layers
    )
    return drawn._replace(keep_ends=drawn.keep_ends or needed)


class _Growing:
    """A graph that grows; `symbols` are the engine's own, by their names here."""

    def __init__(self, r: random.Random, backend: str, dtype: str, batch: int, timesteps: int) -> None:
        self.r, self.backend, self.dtype, self.batch, self.timesteps = r, backend, dtype, batch, timesteps
        self.inputs: list[Config] = []
        self.layers: list[Named] = []
        self.calls: list[Config] = []
        self.outputs: list[Config] = []
        self.symbols: dict[str, Any] = {}
        self.made: dict[str, Any] = {}  # the engine's layers
        self.as_keras_names = False
        self.free: list[str] = []  # what nothing was called on
        self.heads: list[str] = []  # what was made for a loss: nothing is called on it

    # What there is.

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.symbols[name].shape)

    def known(self, rank: int = 0) -> list[str]:
        """Return the names of what layers can be called on, of that rank or any."""
        not_here = {*self.heads, *(one["name"] for one in self.inputs if one["kind"] == "words")}
        return [name for name in self.symbols if name not in not_here and rank in (0, len(self.shape(name)))]

    def some(self) -> str:
        """Return a name, by preference of what nothing was called on."""
        free = [name for name in self.free if name in self.known()]
        return self.r.choice(free if free and self.r.random() < 0.6 else self.known())

    # What is added.

    def input(self, kind: str, features: int) -> Config:
        name = "abcdefghijklmnopqrstuvwxyz"[len(self.inputs)]
        made: Config = {"name": name, "kind": kind, "features": features, "missing": None, "mask": False}
        shapes = {"row": (features,), "words": (self.timesteps,)}
        shape = (self.batch, *shapes.get(kind, (self.timesteps, features)))
        self.inputs.append(made)
        self.symbols[name] = layers.Input(batch_shape=shape, dtype="int32" if kind == "words" else "float64")
        self.free.append(name)
        return made

    def add(self, named: Named) -> Named:
        """Make a layer; return it with its name."""
        kind, name = named[0], f"layer_{len(self.layers)}"
        if self.as_keras_names:  # operations of Keras' own have such names, too
            same = sum(kind == other for other, _ in self.layers)
            name = snake_case(kind) + (f"_{same}" if same else "")
        given = {"name": name, **without_faults(named[1], self.backend)}
        self.layers.append((kind, given))
        self.made[given["name"]] = eval(layer_as_python((kind, given)), {"layers": layers, "dtype": "float64"})
        return kind, given

    def call(self, named: Named, of: list[str], states: Sequence[str] = ()) -> str:
        """Call a layer; return the name of its first output."""
        layer = named[1]["name"]
        given: Any = [self.symbols[name] for name in of]
        more = {"initial_state": unpacked([self.symbols[name] for name in states])} if states else {}
        symbols = as_list(self.made[layer](given if named[0] in MERGES else given[0], **more))
        first = f"h{len(self.calls)}"
        names = [first, *(f"{first}_state{i}" for i in range(1, len(symbols)))]
        self.calls.append({"layer": layer, "of": of, "states": list(states), "made": names})
        self.symbols |= dict(zip(names, symbols, strict=True))
        self.free = [name for name in self.free if name not in (*of, *states)] + names
        return first

    def begin(self) -> None:
        """Make the inputs; words become numbers, of the same table where there are two of them."""
        r = self.r
        tables: list[Named] = []
        for i in range(r.choice([1, 2, 2, 3])):
            kind = r.choice(["sequence", "sequence", "words"] if i == 0 else ["sequence", "sequence", "row", "words"])
            made = self.input(kind, WORDS if kind == "words" else r.randint(1, LARGEST["features"]))
            if kind == "words":
                table = r.choice(tables) if tables and r.random() < 0.5 else self.add(embedding(r))
                tables.append(table)
                made["missing"] = 0 if table[1].get("mask_zero") else None
                self.call(table, [made["name"]])
            elif kind == "sequence" and (chance := r.random()) < 0.5:
                if chance < 0.25:
                    made["mask"] = True
                else:
                    made["missing"] = r.choice([0.0, 0.25])
                    self.call(self.add(("Masking", {"mask_value": made["missing"]})), [made["name"]])

    def again(self) -> None:
        """Call a layer that was called before on something else."""
        found = []
        for named in self.layers:
            calls = [call for call in self.calls if call["layer"] == named[1]["name"]]
            done = [name for call in calls for name in call["of"]]
            if self.backend == "jax" and named[1].get("stateful"):
                continue
            if named[0] in (*MERGES, "Embedding") or any(
                call["states"] or call["made"][0] in self.heads for call in calls
            ):
                continue
            found += [(named, [n]) for n in self.known() if n not in done and self.shape(n) == self.shape(done[0])]
        if not found:
            return self.layer()
        self.call(*self.r.choice(found))
        return None

    def merge(self) -> None:
        """Merge two or three that fit together."""
        r, first, kind = self.r, self.some(), self.r.choice(MERGES)
        if self.backend != "tensorflow" and kind in ("Maximum", "Minimum"):
            kind = "Average"
        shape = self.shape(first)
        joins = kind == "Concatenate" and len(shape) == 3 and r.random() < 0.4  # one sequence after the other
        if kind != "Concatenate":
            fit = [shape, (shape[0], shape[-1])]  # a row beside a sequence is stretched over its time steps
            others = [name for name in self.known() if self.shape(name) in fit]
        elif joins:
            others = [name for name in self.known(3) if self.shape(name)[2] == shape[2]]
        else:
            others = [name for name in self.known(len(shape)) if self.shape(name)[:-1] == shape[:-1]]
        others = [name for name in others if name != first]
        if not others:
            return self.layer()
        of = [first, *r.sample(others, 1 if kind == "Subtract" else min(len(others), r.randint(1, 2)))]
        r.shuffle(of)
        if kind in ("Add", "Average") and self.backend == "tensorflow" and shape[-1] == 1:
            of.sort(key=lambda name: len(self.shape(name)))
        self.call(self.add((kind, {"axis": 1} if joins else {})), of)
        return None

    def layer(self) -> None:
        """Call a layer of another kind, or what is made of it."""
        r, name = self.r, self.some()
        rank = len(self.shape(name))
        drawn = simple_rnn(r, r.random() < 0.5) if rank == 3 and r.random() < 0.7 else any_layer(r, rank)
        for named in widened(r, [drawn]) if rank == 3 and r.random() < 0.5 else [drawn]:
            if self.backend == "jax" and named[0] == "Reshape":
                continue
            states: list[str] = []
            if named[0] in _STATES:
                if r.random() < 0.3:
                    states = [self.state(units) for units in _state_sizes(named)]
                if r.random() < 0.2:
                    named = _with_states(named)
            name = self.call(self.add(named), [name], states)

    def state(self, units: int) -> str:
        """Return what can be an initial state, a new input where there is nothing."""
        found = [name for name in self.known(2) if self.shape(name)[1] == units]
        return self.r.choice(found) if found and self.r.random() < 0.7 else str(self.input("row", units)["name"])

    def end(self) -> None:
        """Add an output."""
        r, loss, chance = self.r, draw_loss(self.r), self.r.random()
        taken = [output["of"] for output in self.outputs]
        on_the_way = [made for call in self.calls for made in call["made"] if made not in taken]
        if chance < 0.15 and on_the_way:
            name = r.choice(on_the_way)
            drawn: tuple[Named, str] = (
                (f"losses.{r.choice(_ON_THE_WAY)}", {"reduction": loss.loss[1]["reduction"]}),
                "real",
            )
        else:
            name = self.some()
            last = last_layer_for(r, loss)
            if len(self.shape(name)) == 3 and r.random() < 0.3:
                (last,) = widened(r, [last])
            for named in [*bounded_before(r, last, loss.loss, self.backend), last]:
                name = self.call(self.add(named), [name])
            self.heads.append(name)
            drawn = loss.loss, loss.targets
        rank = len(self.shape(name))
        self.outputs.append(
            {
                "of": name,
                "loss": drawn[0],
                "targets": drawn[1],
                "sample_weight": draw_sample_weight(r, drawn[0], self.dtype, rank == 3),
                "loss_weight": r.choice([1.0, 1.0, 0.3, 2.0]),
            }
        )


def _with_states(named: Named) -> Named:
    """Return a recurrent layer that puts out its last states, too."""
    name, given = named
    if name == "Bidirectional":
        return name, {**given, "layer": _with_states(given["layer"])}
    return name, {**given, "return_state": True}


def _state_sizes(named: Named) -> list[int]:
    """Return how many units each initial state of a recurrent layer has."""
    name, given = named
    if name == "RNN":
        return [cell["units"] for _, cell in given["cell"]]
    if name == "Bidirectional":
        return [given["layer"][1]["units"]] * 2
    return [given["units"]]
