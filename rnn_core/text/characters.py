"""Text and its characters as numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int

Array = NDArray[Any]

UNKNOWN = 0
"""The id of every character outside the vocabulary."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""How the unknown character is written."""


def python_documentation() -> str:
    r"""Return the language reference that ``help()`` shows, which comes with every Python: about 400,000 characters.

    It is ``pydoc_data.topics`` in alphabetical order. Some topics hold others word for word; each paragraph is taken
    where it comes first, so that no part of the text can be known by heart from another. The text differs a little
    from one version of Python to the next: 373,103 characters with 3.11.7, 413,994 with 3.13.0.

    Examples
    --------
    >>> text = python_documentation()
    >>> text.startswith('The "assert" statement'), text.count("\nAssert statements are a convenient way")
    (True, 1)
    """
    from pydoc_data.topics import topics

    paragraphs = (paragraph for name in sorted(topics) for paragraph in topics[name].strip("\n").split("\n\n"))
    first = {paragraph.strip(): paragraph.strip("\n") for paragraph in reversed(list(paragraphs))}
    return "\n\n".join(reversed(first.values())) + "\n"


def split(text: str, validation: float = 0.1, test: float = 0.1) -> tuple[str, str, str]:
    """Cut a text, in its order, into a train part, a validation part and, at its end, a test part.

    Examples
    --------
    >>> split("0123456789")
    ('01234567', '8', '9')
    """
    for_train, for_both = round(len(text) * (1 - validation - test)), round(len(text) * (1 - test))
    return text[:for_train], text[for_train:for_both], text[for_both:]


class Vocabulary:
    """The characters of a text, numbered from 1; all others are 0, the unknown character.

    Parameters
    ----------
    text : str
        What may be learned from: the train part.
    minimum : int
        Rarer characters are unknown, so that a model meets the unknown character in training.

    Attributes
    ----------
    characters : str
        By id; the first stands for the unknown.

    Raises
    ------
    ValueError
        If no character is left.

    Examples
    --------
    >>> vocabulary = Vocabulary("banana", minimum=2)
    >>> len(vocabulary), vocabulary.encode("banana")
    (3, array([0, 1, 2, 1, 2, 1]))
    >>> vocabulary.decode([1, 2, 0])
    'an\N{REPLACEMENT CHARACTER}'
    """

    def __init__(self, text: str, minimum: int = 5) -> None:
        positive_int("Vocabulary", "minimum", minimum)
        frequent = sorted(c for c, count in Counter(text).items() if count >= minimum and c != REPLACEMENT)
        if not frequent:
            raise ValueError(f"Vocabulary: no character comes {minimum} times in a text of {len(text)}.")
        self.characters = REPLACEMENT + "".join(frequent)
        self._ids = {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> Array:
        """Return the id of each character, shape (len(text),)."""
        return np.array([self._ids.get(character, UNKNOWN) for character in text], np.int64)

    def decode(self, ids: Any) -> str:
        """Return the text of these ids."""
        return "".join(self.characters[i] for i in ids)
