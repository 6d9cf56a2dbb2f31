"""Activation functions, each with its derivative, by the names that Keras has for them.

What Keras has as functions are callable objects here, because a layer needs the derivative too:
``activations.relu(x)`` returns a new array, ``Dense(8, activation=activations.relu)`` trains with it, and
``activations.Relu(max_value=6)`` is a relu with other arguments. Where things are:

    base           Activation: what an activation is, and how to write your own
    fast           linear, relu, tanh, sigmoid: the four that allocate nothing
    rectifiers     relu's relatives: relu6, leaky_relu, elu, selu, celu, softplus, squareplus, sparse_plus
    steps          S-shaped: softsign, hard_tanh, hard_sigmoid, sparse_sigmoid
    gated          x times a soft step: silu, hard_silu, mish, gelu, glu
    shrinkage      zero for small x: hard_shrink, soft_shrink, tanh_shrink, threshold
    probabilities  exponential, log_sigmoid, softmax, log_softmax, sparsemax
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnn_core import serialization
from rnn_core.activations.base import Activation
from rnn_core.activations.fast import Linear, Relu, Sigmoid, Tanh, linear, relu, sigmoid, tanh
from rnn_core.activations.gated import (
    Gelu,
    Glu,
    HardSilu,
    Mish,
    Silu,
    gelu,
    glu,
    hard_silu,
    hard_swish,
    mish,
    silu,
    swish,
)
from rnn_core.activations.probabilities import (
    Exponential,
    LogSigmoid,
    LogSoftmax,
    Softmax,
    Sparsemax,
    exponential,
    log_sigmoid,
    log_softmax,
    softmax,
    sparsemax,
)
from rnn_core.activations.rectifiers import (
    Celu,
    Elu,
    LeakyRelu,
    Relu6,
    Selu,
    Softplus,
    SparsePlus,
    Squareplus,
    celu,
    elu,
    leaky_relu,
    relu6,
    selu,
    softplus,
    sparse_plus,
    squareplus,
)
from rnn_core.activations.shrinkage import (
    HardShrink,
    SoftShrink,
    TanhShrink,
    Threshold,
    hard_shrink,
    soft_shrink,
    tanh_shrink,
    threshold,
)
from rnn_core.activations.steps import (
    HardSigmoid,
    HardTanh,
    Softsign,
    SparseSigmoid,
    hard_sigmoid,
    hard_tanh,
    softsign,
    sparse_sigmoid,
)

# Every name that Keras knows, and what it stands for; threshold, which has no defaults, is only a class.
OBJECTS: dict[str, Activation] = {
    "linear": linear,
    "relu": relu,
    "relu6": relu6,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
    "celu": celu,
    "softplus": softplus,
    "squareplus": squareplus,
    "sparse_plus": sparse_plus,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softsign": softsign,
    "hard_tanh": hard_tanh,
    "hard_sigmoid": hard_sigmoid,
    "sparse_sigmoid": sparse_sigmoid,
    "silu": silu,
    "swish": silu,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "mish": mish,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "soft_shrink": soft_shrink,
    "tanh_shrink": tanh_shrink,
    "exponential": exponential,
    "log_sigmoid": log_sigmoid,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "sparsemax": sparsemax,
}
CLASSES: dict[str, type[Activation]] = {name: type(activation) for name, activation in OBJECTS.items()}
CLASSES["threshold"] = Threshold


def get(identifier: Any) -> Activation:
    """Return the activation that `identifier` stands for.

    Parameters
    ----------
    identifier : None, str, dict or Activation
        None is linear; a name; a config ``{"class_name": "leaky_relu", "config": {"negative_slope": 0.1}}``;
        or an activation, returned as it is.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest known one.
    TypeError
        For anything else. A plain function is refused, because backpropagation needs its derivative.

    Examples
    --------
    >>> get("relu") is relu, get(None), get({"class_name": "elu", "config": {"alpha": 0.5}})
    (True, Linear(), Elu(alpha=0.5))
    """
    if identifier is None:
        return linear
    if callable(identifier) and not isinstance(identifier, (type, Activation)):
        raise TypeError(_no_derivative(identifier))
    return deserialize(identifier)


def serialize(activation: Any) -> str | dict[str, Any]:
    """Return the name of an activation, as Keras writes it; with other arguments than the default, a config.

    Examples
    --------
    >>> serialize(swish), serialize(Elu(alpha=0.5))["config"]
    ('silu', {'alpha': 0.5})
    """
    activation = get(activation)
    plain = OBJECTS.get(activation.name)
    if plain is not None and type(plain) is type(activation) and repr(plain) == repr(activation):
        return activation.name
    return serialization.serialize(activation, type(activation).__module__)


def deserialize(config: Any, custom_objects: Mapping[str, type[Activation]] | None = None) -> Activation:
    """Return the activation that :func:`serialize` wrote; your own classes are looked up in `custom_objects`.

    Examples
    --------
    >>> class Cube(Activation): ...
    >>> deserialize(serialize(Cube()), {"Cube": Cube})
    Cube()
    """
    if isinstance(config, str) and config in OBJECTS:
        return OBJECTS[config]
    activation: Activation = serialization.resolve(
        "activation", config, {**CLASSES, **(custom_objects or {})}, Activation
    )
    return activation


def _no_derivative(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    known = f" For Keras' function of that name pass the string {name!r}." if name in CLASSES else ""
    return (
        f"activation must be a name, a config or an Activation, got the plain callable {name!r}, whose "
        f"derivative is not known.{known} To use your own function, write it with its derivative:\n"
        "    class MyActivation(rnn_core.activations.Activation):\n"
        "        def value(self, x): return x**3\n"
        "        def derivative(self, x): return 3 * x**2\n"
        "and pass activation=MyActivation()."
    )


__all__ = [
    "CLASSES",
    "OBJECTS",
    "Activation",
    "Celu",
    "Elu",
    "Exponential",
    "Gelu",
    "Glu",
    "HardShrink",
    "HardSigmoid",
    "HardSilu",
    "HardTanh",
    "LeakyRelu",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "Relu",
    "Relu6",
    "Selu",
    "Sigmoid",
    "Silu",
    "SoftShrink",
    "Softmax",
    "Softplus",
    "Softsign",
    "SparsePlus",
    "SparseSigmoid",
    "Sparsemax",
    "Squareplus",
    "Tanh",
    "TanhShrink",
    "Threshold",
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]
