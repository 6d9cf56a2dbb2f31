"""A language model of characters: text in and out, the n-grams that it must beat, training in consecutive chunks.

Examples
--------
>>> vocabulary = Vocabulary("hello hello hello ", minimum=1)
>>> model = CharacterModel(vocabulary, units=8, embedding=4, batch=2, chunk=3, seed=1)
>>> losses = model.fit(vocabulary.encode("hello " * 20), epochs=3)
>>> len(losses), losses[-1] < losses[0]
(3, True)
"""

from rnn_core.text.characters import Vocabulary, python_documentation, split
from rnn_core.text.chunks import consecutive_chunks
from rnn_core.text.language_model import CharacterModel, build_model
from rnn_core.text.ngrams import NGram, baselines

__all__ = [
    "CharacterModel",
    "NGram",
    "Vocabulary",
    "baselines",
    "build_model",
    "consecutive_chunks",
    "python_documentation",
    "split",
]
