"""Arrays that also answer what scripts ask of TensorFlow's tensors and of Keras' variables.

They are NumPy arrays in every other way, and what is computed from them is a plain array again.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class Tensor(np.ndarray[Any, np.dtype[Any]]):
    """What a model or a layer returns when it is called: ``model(x).numpy()`` works.

    Examples
    --------
    >>> y = Tensor.copy_of(np.ones((1, 2)))
    >>> y.numpy(), y + 1
    (array([[1., 1.]]), array([[2., 2.]]))
    """

    @classmethod
    def copy_of(cls, array: NDArray[Any]) -> Self:
        """Return a copy, in C order."""
        return np.array(array, order="C").view(cls)

    def numpy(self) -> NDArray[Any]:
        """Return a plain array with a copy of the values."""
        return np.array(self)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __repr__(self) -> str:
        return repr(np.asarray(self))


class Variable(Tensor):
    """A view of a weight, as the lists ``weights`` and ``trainable_variables`` have it.

    Attributes
    ----------
    path : str
        ``"dense/kernel"``: the layer and its weight. (Keras puts the model in front, and the cell between.)
    name : str
        ``"kernel"``.

    Examples
    --------
    >>> vector = np.zeros(3)
    >>> w = Variable.of(vector, "dense/bias")
    >>> w.assign([1.0, 2.0, 3.0])
    >>> w.name, vector
    ('bias', array([1., 2., 3.]))
    """

    path: str

    @classmethod
    def of(cls, view: NDArray[Any], path: str) -> Self:
        """Return a view of `view` that knows its path."""
        variable = view.view(cls)
        variable.path = path
        return variable

    def __array_finalize__(self, other: Any) -> None:
        self.path = getattr(other, "path", "")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def assign(self, value: Any) -> None:
        """Copy `value` in; ValueError where its shape is another one."""
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ValueError(f"{self.path}: assign expects shape {self.shape}, got {array.shape}.")
        self[...] = array
