"""What a language model must beat: tables of how often a character follows the few before it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int

Array = NDArray[Any]

ALPHAS = tuple(10.0 ** (k / 4) for k in range(-16, 5))
"""What alpha is chosen from, on a validation part."""


class NGram:
    """The next character's frequencies after the `order` - 1 characters before it.

    ::

        P(c | context) = (N(context c) + alpha V q(c)) / (N(context) + alpha V)

    with counts N of the train part, V characters, and q = 1 / V (add-alpha smoothing), or the prediction of a `shorter`
    n-gram. A context that never came predicts q.

    Parameters
    ----------
    order : int
        1: unigram, no context; 2: bigram; 3: trigram.
    vocabulary_size : int
        V.
    shorter : NGram, optional
        It is fitted along.

    Attributes
    ----------
    alpha : float
        Of ``ALPHAS`` the one with the fewest bits on the validation part.

    Notes
    -----
    As in every model here the first character is only a context; what lies before it counts as id 0.

    Examples
    --------
    >>> ids = np.array([0, 1] * 50)
    >>> bigram = NGram(2, vocabulary_size=2).fit(ids, ids)
    >>> round(bigram.bits_per_character(ids), 4), round(NGram(1, 2).fit(ids, ids).bits_per_character(ids), 2)
    (0.0, 1.0)
    """

    def __init__(self, order: int, vocabulary_size: int, shorter: NGram | None = None) -> None:
        self.order = positive_int("NGram", "order", order)
        self.vocabulary_size = positive_int("NGram", "vocabulary_size", vocabulary_size)
        if vocabulary_size**order >= 2**63:
            raise ValueError(f"NGram: {order} characters out of {vocabulary_size} are more than fit into 64 bits.")
        self.shorter = shorter
        self.alpha = 1.0

    def fit(self, train: Array, validation: Array) -> Self:
        """Count on `train`, and choose alpha on `validation`; both arrays of ids, of at least 2."""
        if self.shorter is not None:
            self.shorter.fit(train, validation)
        grams = self._grams(train)
        self._counts = np.unique(grams, return_counts=True)
        self._context_counts = np.unique(grams // self.vocabulary_size, return_counts=True)
        found = self._found(validation)
        self.alpha = min(ALPHAS, key=lambda alpha: _bits(self._smoothed(*found, alpha)))
        return self

    def probabilities(self, ids: Array) -> Array:
        """Return P of each character but the first, given those before it: shape (len(ids) - 1,)."""
        if not hasattr(self, "_counts"):
            raise ValueError("NGram: call fit before probabilities.")
        return self._smoothed(*self._found(ids), self.alpha)

    def bits_per_character(self, ids: Array) -> float:
        """Return ``mean(-log2 P)``, the cross-entropy."""
        return _bits(self.probabilities(ids))

    def _found(self, ids: Array) -> tuple[Array, Array, Array | float]:
        """Return N(context c), N(context) and q(c) for each character but the first."""
        grams = self._grams(ids)
        q = 1 / self.vocabulary_size if self.shorter is None else self.shorter.probabilities(ids)
        return _look_up(grams, *self._counts), _look_up(grams // self.vocabulary_size, *self._context_counts), q

    def _smoothed(self, together: Array, context: Array, q: Array | float, alpha: float) -> Array:
        weight = alpha * self.vocabulary_size
        smoothed: Array = (together + weight * q) / (context + weight)
        return smoothed

    def _grams(self, ids: Array) -> Array:
        """Return each character but the first with its context as one number, in base V."""
        ids = np.concatenate([np.zeros(self.order, np.int64), ids])
        codes = np.zeros(len(ids) - self.order - 1, np.int64)
        for back in range(self.order - 1, -1, -1):
            codes = codes * self.vocabulary_size + ids[self.order + 1 - back : len(ids) - back]
        return codes


def _look_up(codes: Array, known: Array, counts: Array) -> Array:
    """Return the count of each code, 0 where it is not known."""
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[places] == codes, counts[places], 0)


def _bits(probabilities: Array) -> float:
    return float(-np.log2(probabilities).mean())


def baselines(vocabulary_size: int, train: Array, validation: Array) -> dict[str, NGram]:
    """Return the fitted baselines by name: unigram, bigram and trigram, and one of five characters for comparison."""
    longest = None
    for order in range(1, 6):
        longest = NGram(order, vocabulary_size, longest)
    assert longest is not None
    models = {
        "unigram": NGram(1, vocabulary_size),
        "bigram": NGram(2, vocabulary_size),
        "trigram": NGram(3, vocabulary_size),
        "5-gram, smoothed by shorter ones": longest,
    }
    return {name: model.fit(train, validation) for name, model in models.items()}
