"""Small random graphs of layers, drawn by Hypothesis, that Keras and the engine build in the same way."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import rnn_core
from rnn_core.models import Model

T = 3
"""Time steps of every sequence."""

SMOOTH = ("tanh", "sigmoid", "softplus", "linear")
MERGES = [name for name in ("Add", "Concatenate", "Multiply", "Average") if name in rnn_core.layers.__all__]


@st.composite
def graphs(draw, masking=False, states=True, several_outputs=True, dtype="float64", calls=6):
    """Return a program: settings of the layers, and which is called on what.

    ``{"inputs": [shape, ...], "layers": [(class, settings), ...], "calls": [(layer, sources, state), ...], ...}``,
    where sources, state and outputs are numbers of symbols in the order in which they arise.
    """
    inputs = draw(st.lists(st.sampled_from([(2,), (3,), (T, 2), (T, 3)]), min_size=1, max_size=3))
    shapes = list(inputs)
    layers: list[tuple[str, dict]] = []
    done: list[tuple[int, tuple[int, ...], int | None, tuple[int, ...]]] = []
    for _ in range(draw(st.integers(1, calls))):
        source = draw(st.integers(0, len(shapes) - 1))
        shape = shapes[source]
        sources, state = (source,), None
        again = [call for call in done if call[3] == shape and len(call[1]) == 1 and call[2] is None]
        if again and draw(st.booleans()):
            layer = draw(st.sampled_from(again))[0]
            kind, settings = layers[layer]
        else:
            layer = len(layers)
            kinds = ["Dense", "Dense", "Activation", "Dropout", *MERGES]
            if len(shape) == 2:
                kinds += ["SimpleRNN"] * 3 + (["Masking"] if masking else [])
            kind = draw(st.sampled_from(kinds))
            settings: dict = {"dtype": dtype}
            if kind in ("Dense", "SimpleRNN"):
                settings |= {"units": draw(st.integers(2, 3)), "activation": draw(st.sampled_from(SMOOTH))}
            if kind == "SimpleRNN":
                settings |= {name: draw(st.booleans()) for name in ("return_sequences", "return_state", "go_backwards")}
                known = [i for i, s in enumerate(shapes) if s == (settings["units"],)]
                if states and known and draw(st.booleans()):
                    state = draw(st.sampled_from(known))
            if kind == "Activation":
                settings["activation"] = draw(st.sampled_from(SMOOTH))
            if kind == "Dropout":
                settings["rate"] = 0.3
            if kind in MERGES:
                alike = [i for i, s in enumerate(shapes) if s == shape]
                sources = (source, *draw(st.lists(st.sampled_from(alike), min_size=1, max_size=2)))
            layers.append((kind, settings))
        done.append((layer, sources, state, shape))
        shapes += _shapes_after(kind, settings, shape, len(sources))
    most = min(3, len(shapes)) if several_outputs else 1
    outputs = draw(st.lists(st.integers(len(inputs), len(shapes) - 1), min_size=1, max_size=most, unique=True))
    order = draw(st.permutations(range(len(inputs))))
    return {"inputs": inputs, "order": order, "layers": layers, "calls": done, "outputs": outputs, "dtype": dtype}


def _shapes_after(kind, settings, shape, count):
    if kind == "Concatenate":
        return [(*shape[:-1], count * shape[-1])]
    if kind == "Dense":
        return [(*shape[:-1], settings["units"])]
    if kind == "SimpleRNN":
        last = (settings["units"],)
        output = (shape[0], *last) if settings["return_sequences"] else last
        return [output, last] if settings["return_state"] else [output]
    return [shape]


def built(k, graph, model=None):
    """Build the model with keras or rnn_core, from fresh counts of names."""
    k.utils.clear_session()
    symbols = [k.layers.Input(shape, dtype=graph["dtype"]) for shape in graph["inputs"]]
    inputs = list(symbols)
    layers = [getattr(k.layers, kind)(**settings) for kind, settings in graph["layers"]]
    for layer, sources, state, _ in graph["calls"]:
        given = symbols[sources[0]] if len(sources) == 1 else [symbols[i] for i in sources]
        more = {} if state is None else {"initial_state": symbols[state]}
        made = layers[layer](given, **more)
        symbols += list(made) if isinstance(made, (list, tuple)) else [made]
    return (model or k.Model)([inputs[i] for i in graph["order"]], [symbols[i] for i in graph["outputs"]])


def data(model: Model, draws: np.random.Generator, batch=4, zeros=0.0):
    """Return inputs for the model, a list; time steps are all zero with probability `zeros`."""
    arrays = []
    for symbol in model.inputs:
        x = draws.normal(size=(batch, *symbol.shape[1:])).astype(symbol.dtype)
        if x.ndim == 3:
            x[draws.random(x.shape[:2]) < zeros] = 0
        arrays.append(x)
    return arrays


def randomize(model: Model, draws: np.random.Generator) -> None:
    """Give all weights, biases too, values that no symmetry hides."""
    model.vector[...] = draws.normal(size=model.vector.shape) * 0.7


def copy_weights(ours: Model, theirs) -> None:
    """Give a Keras model the weights of layers of the same names."""
    for layer in ours.layers:
        theirs.get_layer(layer.name).set_weights(layer.get_weights())
