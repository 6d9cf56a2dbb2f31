"""What an activation is: a function and its derivative, written side by side.

Notation, here and in the files beside this one: `x` is the pre-activation, `y` the activation's output, and
``[condition]`` is 1 where the condition holds and 0 elsewhere (Iverson's bracket).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_core.config import floatx, standardize_dtype
from rnn_core.serialization import snake_case

Array = NDArray[Any]


class Activation:
    """``y = act(x)``, applied to the pre-activations of a layer, and ``dx = dy * act'(x)`` on the way back.

    A subclass writes the two formulas. Its name is its class name in snake case. Where the derivative is
    simpler in terms of the output, as in ``tanh' = 1 - y**2``, the subclass sets ``needs = "output"``;
    `derivative` then gets `y`, and a layer may overwrite `x` by `y`.

    Attributes
    ----------
    name : str
    needs : {"input", "output"}
        What `derivative` and `backward` are given.

    Examples
    --------
    >>> class Cube(Activation):
    ...     def value(self, x):
    ...         return x**3
    ...
    ...     def derivative(self, x):
    ...         return 3 * x**2
    >>> cube = Cube()  # ready for Dense(8, activation=cube)
    >>> cube.name, cube(np.array([1.0, 2.0]))
    ('cube', array([1., 8.]))
    """

    name: str = "activation"
    needs: Literal["input", "output"] = "input"

    def __init_subclass__(cls) -> None:
        cls.name = snake_case(cls.__name__)  # type: ignore[arg-type]  # of the class, not the property below

    def value(self, x: Array) -> Array:
        """Return ``act(x)``, a new array."""
        raise NotImplementedError(f"{type(self).__name__} must define value(self, x), its formula.")

    def derivative(self, saved: Array) -> Array:
        """Return the element-wise derivative, from the input or from the output, as `needs` says."""
        argument = "y" if self.needs == "output" else "x"
        raise NotImplementedError(f"{type(self).__name__} must define derivative(self, {argument}).")

    def forward(self, a: Array, out: Array) -> None:
        """Write ``act(a)`` into `out`, which may be `a` itself only where `needs` is "output"."""
        out[...] = self.value(a)

    def backward(self, saved: Array, dy: Array, out: Array, scratch: Array) -> None:
        """Write ``dy * act'`` into `out`, which may be `dy` itself.

        Parameters
        ----------
        saved : ndarray
            The input or the output of `forward`, as `needs` says.
        dy : ndarray, shape of the output
        out : ndarray, shape of the input
        scratch : ndarray, shape of the input
            Room to compute in.
        """
        np.multiply(self.derivative(saved), dy, out=out)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output for an input of this shape: the same, but for ``glu``."""
        return shape

    def __call__(self, x: ArrayLike, *args: Any, **kwargs: Any) -> Array:
        """Return ``act(x)`` as a new array; further arguments are those of the constructor.

        Float arrays keep their dtype; lists, integers and booleans are read as ``floatx()``.
        """
        if args or kwargs:
            return type(self)(*args, **kwargs)(x)
        a = as_floats(self.name, x)
        out = np.empty(self.output_shape(a.shape), a.dtype)
        self.forward(a, out)
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, which are all that an activation holds."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Activation:
        """Make the activation from what `get_config` returned."""
        return cls(**config)

    @property
    def __name__(self) -> str:
        # In Keras activations are functions: scripts print `layer.activation.__name__`.
        return self.name

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def as_floats(owner: str, x: Any) -> Array:
    """Return `x` as an array of float32 or float64."""
    array = np.asarray(x)
    if array.dtype.kind == "f" and hasattr(x, "dtype"):  # not a list: its dtype is the user's choice
        return array.astype(standardize_dtype(array.dtype), copy=False)
    if array.dtype.kind in "biuf":
        return array.astype(floatx())
    raise TypeError(f"{owner}: x must be an array of numbers, got dtype {array.dtype}: {x!r}.")


def indicator(condition: Any, like: Array) -> Array:
    """Return ``[condition]``, 1 where it holds and 0 elsewhere, in the dtype of `like`."""
    bracket: Array = condition.astype(like.dtype)
    return bracket


def constant(value: float) -> dict[np.dtype[Any], Array]:
    """Return `value` as a 0-d array of each dtype, in which small ufuncs take 2/3 of the time."""
    return {np.dtype(dtype): np.array(value, dtype) for dtype in (np.float32, np.float64)}


ZERO = constant(0)
ONE = constant(1)
