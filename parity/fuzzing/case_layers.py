"""Random layers for the cases of cases.py: first those that keep a sequence's steps, then what is made of them.

::

    SimpleRNN                       -->  Bidirectional(SimpleRNN), RNN over one cell or over a stack of cells
    SimpleRNN, the last output      -->  all outputs, then Flatten, GlobalAveragePooling1D or GlobalMaxPooling1D
    SimpleRNN, all outputs          -->  the last output, then RepeatVector
    ... SimpleRNN                   -->  ... Reshape, SimpleRNN
    Dense on every step             -->  TimeDistributed(Dense)
    numbers                         -->  whole numbers, then Embedding

What a layer or a list of cells is inside another one stands in its arguments as a class and its arguments, too.
"""

from __future__ import annotations

import random
from typing import Any

from rnn_core.activations import OBJECTS

Config = dict[str, Any]
Named = tuple[str, Config] | list[Any]
"""A class and its arguments."""

LARGEST = {"batch": 4, "timesteps": 5, "features": 3, "units": 4}
TIMES = {"batch": 10, "timesteps": 4}  # where they are large
WORDS = 4

_WITH_ARGUMENTS: list[Named] = [
    ("Relu", {"negative_slope": 0.1, "max_value": 1.5, "threshold": 0.25}),
    ("LeakyRelu", {"negative_slope": 0.3}),
    ("Elu", {"alpha": 0.7}),
    ("Celu", {"alpha": 0.7}),
    ("Gelu", {"approximate": True}),
    ("Squareplus", {"b": 3.0}),
    ("HardShrink", {"threshold": 0.25}),
    ("SoftShrink", {"threshold": 0.25}),
    ("Threshold", {"threshold": 0.25, "default_value": -1.0}),
]
_REGULARIZERS: list[Named] = [("L1", {"l1": 0.03}), ("L2", {"l2": 0.07}), ("L1L2", {"l1": 0.01, "l2": 0.02})]
_CONSTRAINTS: list[Named] = [
    ("NonNeg", {}),
    ("UnitNorm", {"axis": 0}),
    ("MaxNorm", {"max_value": 0.7, "axis": 0}),
    ("MinMaxNorm", {"min_value": 0.3, "max_value": 0.9, "rate": 0.6, "axis": 0}),
]
_WEIGHTS = [f"{w}_{kind}" for w in ("kernel", "recurrent", "bias") for kind in ("regularizer", "constraint")]
ANY = "any"
"""In place of an activation: any of them."""


def batch_and_timesteps(r: random.Random, seed: int) -> tuple[int, int]:
    """Return two sizes: small, but in one case of ten such that sums are long and recurrent loops have several blocks.

    Whether they are is drawn by itself, so that the rest of a case does not depend on it.
    """
    batch, timesteps = r.randint(1, LARGEST["batch"]), r.randint(1, LARGEST["timesteps"])
    if random.Random(f"sizes {seed}").random() < 0.1:
        batch, timesteps = batch * TIMES["batch"], timesteps * TIMES["timesteps"]
    return batch, timesteps


def config(named: Named) -> Config:
    """Return a class and its arguments as a config."""
    return {"class_name": named[0], "config": dict(named[1])}


def maybe(r: random.Random, choices: list[Any], probability: float) -> Any:
    """Return one of the choices, or None."""
    return r.choice(choices) if r.random() < probability else None


def _activation(r: random.Random, bounded: bool = False) -> Any:
    """Return a name, or a class with arguments; `bounded`, one that does not explode when it is fed back."""
    names = [
        name
        for name in OBJECTS
        if name not in ("glu", "sparsemax", "tanh_shrink") and not (bounded and name == "exponential")
    ]
    return config(r.choice(_WITH_ARGUMENTS)) if r.random() < 0.2 else r.choice(names)


def _weights(r: random.Random, *weights: str) -> Config:
    """Return regularizers and constraints of some of these weights."""
    kinds = [(w, kind) for w in weights for kind in (("regularizer", _REGULARIZERS), ("constraint", _CONSTRAINTS))]
    return {f"{w}_{name}": config(r.choice(table)) for w, (name, table) in kinds if r.random() < 0.12}


def simple_rnn(r: random.Random, return_sequences: bool) -> Named:
    """Return a SimpleRNN with any options."""
    given: Config = {"units": r.randint(1, LARGEST["units"])}
    if r.random() < 0.7:
        given["activation"] = r.choice(["relu", "sigmoid"]) if r.random() < 0.4 else _activation(r, bounded=True)
    given |= {"return_sequences": True} if return_sequences else {}
    flags = {"go_backwards": 0.25, "stateful": 0.15, "unroll": 0.3, "zero_output_for_mask": 0.3}
    given |= {flag: True for flag, probability in flags.items() if r.random() < probability}
    if given.get("unroll") and given.get("go_backwards"):
        given.pop("zero_output_for_mask", None)
    given |= {flag: False for flag in ("use_bias", "trainable") if r.random() < 0.12}
    dropout = {rate: 0.3 for rate in ("dropout", "recurrent_dropout") if r.random() < 0.15}
    given |= {**dropout, "seed": r.randint(0, 99)} if dropout else {}
    return "SimpleRNN", _sound({**given, **_weights(r, "kernel", "recurrent", "bias")})


def _dense(r: random.Random, units: int, activation: Any) -> Named:
    given: Config = {"units": units, "activation": activation}
    given |= {flag: False for flag in ("use_bias", "trainable") if r.random() < 0.12}
    given |= {"activity_regularizer": config(r.choice(_REGULARIZERS))} if r.random() < 0.12 else {}
    return "Dense", _sound({**given, **_weights(r, "kernel", "bias")})


_ON_TORCH = {"celu": "tanh", "hard_sigmoid": "sigmoid", "softplus": "sigmoid"}
"""What Keras gets wrong there, and what may stand in its place: positive, where a loss asks for that."""


def without_faults(given: Config, backend: str) -> Config:
    """Return arguments of a layer without what Keras gets wrong on JAX or torch only."""
    if "layer" in given:
        given = {**given, "layer": (given["layer"][0], without_faults(given["layer"][1], backend))}
    if "cell" in given:
        given = {**given, "cell": [(name, without_faults(inner, backend)) for name, inner in given["cell"]]}
    other = {"jax": "zero_output_for_mask", "torch": "go_backwards"}.get(backend, "")
    if given.get("unroll") and given.get(other):
        given = {name: value for name, value in given.items() if name != "unroll"}
    for name, another in _ON_TORCH.items() if backend == "torch" else ():
        if _is(name, given.get("activation")):
            given = {**given, "activation": another}
    return given


def _sound(given: Config) -> Config:
    """Return arguments of a layer without what Keras gets wrong, and what is constant."""
    activation = given.get("activation")
    if any(_is(name, activation) for name in ("celu", "elu", "selu")):
        _, given = with_bias(("", given))
    penalty = given.get("activity_regularizer")
    if activation == "softmax" and penalty and penalty["class_name"] == "L1":
        given = {name: value for name, value in given.items() if name != "activity_regularizer"}
    return {**given, "units": max(given["units"], fewest_units(activation))}


def with_bias(layer: Named) -> Named:
    """Return a layer with a bias that nothing sets to 0."""
    name, given = layer
    return name, {option: value for option, value in given.items() if option not in ("use_bias", "bias_constraint")}


def _is(name: str, activation: Any) -> bool:
    return bool(name == (activation["class_name"].lower() if isinstance(activation, dict) else activation))


def fewest_units(activation: Any, loss: str = "", targets: str = "") -> int:
    """Return how many units a layer must have: 2, where one would be constant or a class must be chosen.

    Examples
    --------
    >>> fewest_units("softmax"), fewest_units("relu"), fewest_units("relu", "losses.CosineSimilarity")
    (2, 1, 2)
    """
    constant = activation in ("softmax", "log_softmax") or loss == "losses.CosineSimilarity"
    return 2 if constant or targets in ("one-hot", "class", "distribution") else 1


def last_layer(r: random.Random, activation: str, fewest_units: int) -> Named:
    """Return a Dense layer with that activation, or any."""
    chosen = _activation(r) if activation == ANY and r.random() < 0.4 else activation
    return _dense(r, r.randint(fewest_units, LARGEST["units"]), "linear" if chosen == ANY else chosen)


def embedding(r: random.Random) -> Named:
    """Return a table of embeddings, in which 0 may stand for what is missing."""
    given: Config = {"input_dim": WORDS, "output_dim": r.randint(1, LARGEST["features"])}
    return "Embedding", {**given, **({"mask_zero": True} if r.random() < 0.7 else {}), **_weights(r, "embeddings")}


def any_layer(r: random.Random, rank: int) -> Named:
    """Return a layer for inputs of `rank` that keeps their shape, but for the features."""
    kind = r.choice(["Dense", "Dense", "Dropout", "Activation"])
    if kind == "Dense":
        return _dense(r, r.randint(1, LARGEST["units"]), _activation(r))
    if kind == "Activation":
        activation = _activation(r)
        unsound = _is("celu", activation) or fewest_units(activation) > 1
        return kind, {"activation": "relu" if unsound else activation}
    return kind, {
        "rate": 0.4,
        "seed": r.randint(0, 99),
        **({"noise_shape": [None, 1, None]} if rank == 3 and r.random() < 0.5 else {}),
    }


# What is made of them.


def widened(r: random.Random, stack: list[Named]) -> list[Named]:
    """Return a stack in which some layers are replaced by others that hold, follow or feed them."""
    found: list[Named] = []
    for i, layer in enumerate(stack):
        sequence = _is_sequence(stack[:i])  # what the layer takes
        if layer[0] == "SimpleRNN":
            found += _recurrent(r, layer, last=not _is_sequence(stack[: i + 1]))
        elif layer[0] == "Dense" and sequence and r.random() < 0.3:
            inner, penalty = dict(layer[1]), "activity_regularizer"
            outer = {penalty: inner.pop(penalty)} if penalty in inner else {}  # which an inner layer may not have
            found.append(("TimeDistributed", {"layer": ("Dense", {"name": "inner", **inner}), **outer}))
        elif layer[0] == "Masking" and r.random() < 0.4:
            found.append(embedding(r))
        else:
            found.append(layer)
    return found


def _is_sequence(stack: list[Named]) -> bool:
    """Return whether numbers are still in time steps behind these layers."""
    return all(given.get("return_sequences", False) for name, given in stack if name == "SimpleRNN")


def _recurrent(r: random.Random, layer: Named, last: bool) -> list[Named]:
    """Return layers in place of a SimpleRNN, or itself."""
    given = layer[1]
    before: list[Named] = [("Reshape", {"target_shape": [-1, 1]})] if r.random() < 0.1 else []
    after: list[Named] = []
    chance = r.random()
    if last and chance < 0.3:
        after = [(r.choice(["Flatten", "GlobalAveragePooling1D", "GlobalMaxPooling1D"]), {})]
        given = {**given, "return_sequences": True}
    elif not last and chance < 0.15:
        after = [("RepeatVector", {"n": r.randint(1, 3)})]
        given = {option: value for option, value in given.items() if option != "return_sequences"}
    kind = r.choice(["SimpleRNN", "SimpleRNN", "Bidirectional", "RNN"])
    if kind == "Bidirectional":  # has a mask of its own way, and with unroll Keras' fault
        inner = _only(given, "units", "activation", "use_bias", "return_sequences", *_WEIGHTS)
        merge = {"merge_mode": r.choice(["sum", "mul", "ave"])} if r.random() < 0.6 else {}
        return [*before, (kind, {"layer": ("SimpleRNN", {"name": "inner", **inner}), **merge}), *after]
    if kind == "RNN":
        cell = _only(given, "units", "activation", "use_bias", *_WEIGHTS)
        cells: list[Named] = [("SimpleRNNCell", {"name": f"cell_{i}", **cell}) for i in range(r.choice([1, 1, 2]))]
        flags = _only(given, "return_sequences", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
        return [*before, (kind, {"cell": cells, **flags}), *after]
    return [*before, ("SimpleRNN", given), *after]


def _only(given: Config, *options: str) -> Config:
    return {option: given[option] for option in options if option in given}
