"""The learning rate as scripts for Keras read and set it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from rnn_core.config import floatx


class LearningRate(float):
    """A number that also knows whose learning rate it is.

    Examples
    --------
    >>> from rnn_core.optimizers import SGD
    >>> optimizer = SGD(0.5)
    >>> optimizer.learning_rate.assign(0.25)
    >>> optimizer.learning_rate, optimizer.learning_rate.numpy()
    (0.25, np.float32(0.25))
    """

    _owner: Any

    @classmethod
    def of(cls, owner: Any, value: float) -> Self:
        """Return the learning rate of an optimizer."""
        rate = cls(value)
        rate._owner = owner
        return rate

    def numpy(self) -> Any:
        """Return it as a NumPy number of ``floatx``."""
        return np.dtype(floatx()).type(self)

    def assign(self, value: float) -> None:
        """Set the optimizer's learning rate."""
        self._owner.learning_rate = value

    def __reduce__(self) -> Any:
        """Copy and pickle the number alone."""
        return float, (float(self),)
