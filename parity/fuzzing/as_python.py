"""Cases as Python: layers and objects as they are written, and scripts that are also what is executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rnn_core
from parity.fuzzing.case_layers import Config, Named, config

NAMES = ("x", "y", "sample_weight", "mask", "initial_state")
"""What a case's script makes beside its model: the data, by the names of check's arguments."""


def script_of(body: str, classes: str, dtypes: Sequence[str], draws: int) -> str:
    """Return a script around the `body` that makes a model and its data; `classes` are those of rnn_core it uses."""
    imports = f"import numpy as np\n\nfrom parity import check\nfrom rnn_core import {classes}\n\n"
    check = f"print(check(model, {', '.join(NAMES)}, dtypes=DTYPES, draws=DRAWS))"
    return f"{imports}DTYPES, DRAWS = {list(dtypes)}, {draws}\n\n{body}\n{check}\n"


def executed(body: str, seed: int, names: Sequence[str] = NAMES) -> tuple[Any, dict[str, Any]]:
    """Return the model that the body of a script makes, and what it calls by these names."""
    found: dict[str, Any] = {"np": np, **{name: getattr(rnn_core, name) for name in ("Input", "Model", "Sequential")}}
    found["layers"] = rnn_core.layers
    exec(compile(body, f"<case of seed {seed}>", "exec"), found)
    return found["model"], {name: found[name] for name in names}


def layer_as_python(named: Named) -> str:
    """Return how a layer is made.

    Examples
    --------
    >>> layer_as_python(("TimeDistributed", {"layer": ("Dense", {"units": 2})}))
    'layers.TimeDistributed(layer=layers.Dense(units=2, dtype=dtype), dtype=dtype)'
    """
    name, given = named
    arguments = ", ".join(f"{option}={_argument(option, value)}" for option, value in given.items())
    return f"layers.{name}({arguments}, dtype=dtype)"


def object_as_python(named: Named) -> str:
    """Return an object of a class in a module as a config, which names need no import for.

    Examples
    --------
    >>> object_as_python(("losses.Huber", {"delta": 0.3}))
    "{'class_name': 'Huber', 'config': {'delta': 0.3}}"
    """
    given: Config = {name: config(v) if isinstance(v, (tuple, list)) else v for name, v in named[1].items()}
    return repr({"class_name": named[0].split(".")[-1], "config": given})


def _argument(name: str, value: Any) -> str:
    if name == "cell":
        return layer_as_python(value[0]) if len(value) == 1 else f"[{', '.join(map(layer_as_python, value))}]"
    return layer_as_python(value) if name == "layer" else repr(value)
