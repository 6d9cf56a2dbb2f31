"""What ``rnn-core text`` prints: a character model beside n-grams, what it writes, and what the chunk length does."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnn_core.text.characters import UNKNOWN, Vocabulary, python_documentation, split
from rnn_core.text.language_model import CharacterModel
from rnn_core.text.ngrams import NGram, baselines

if TYPE_CHECKING:
    from rich.console import Console

NETWORK = "SimpleRNN network"
COMPARED = (1, 5, 25, 100)


class Corpus:
    """A text in three parts, and its characters as numbers; the vocabulary is that of the train part.

    Parameters
    ----------
    file : Path, optional
        A text file, UTF-8; by default Python's documentation.

    Raises
    ------
    OSError, ValueError
        If the file can't be read, is no UTF-8 text, or has fewer than 100 characters.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.name = "Python's own documentation" if file is None else str(file)
        if file is None:
            self.name += f" (pydoc_data.topics, Python {platform.python_version()})"
            self.text = python_documentation()
        else:
            try:
                self.text = file.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise ValueError(f"{file} is no UTF-8 text: {error.reason} at byte {error.start}") from None
        self.parts = split(self.text)
        if len(self.text) < 100:
            raise ValueError(f"{self.name} has {len(self.text)} characters: too short to learn from")
        self.vocabulary = Vocabulary(self.parts[0])
        self.train, self.validation, self.test = (self.vocabulary.encode(part) for part in self.parts)

    def describe(self) -> str:
        """Return the sizes in words."""
        train, validation, test = (f"{len(part):,}" for part in self.parts)
        unknown = sum(int((part == UNKNOWN).sum()) for part in (self.train, self.validation, self.test))
        return (
            f"{self.name}: {len(self.text):,} characters, {train} to train on, then {validation} to validate and "
            f"{test} to test.\n{len(self.vocabulary) - 1} different ones come at least 5 times in the train part; "
            f"the {unknown} others count as one, unknown."
        )


def run(
    corpus: Corpus,
    epochs: int,
    units: int,
    chunk: int,
    batch: int,
    seed: int,
    prompt: str | None,
    length: int,
    temperatures: Sequence[float],
) -> CharacterModel:
    """Train, print bits per character beside the baselines, and print samples."""
    console = _console()
    console.print(corpus.describe() + "\n", markup=False)
    fitted = baselines(len(corpus.vocabulary), corpus.train, corpus.validation)
    model = CharacterModel(corpus.vocabulary, units, batch=batch, chunk=chunk, seed=seed)
    model.model.summary()
    console.print(
        f"\nTraining: {epochs:,} epochs, {batch:,} streams side by side in chunks of {chunk:,} characters. The state "
        f"goes on from chunk to chunk, the gradient goes back {chunk:,} characters at most. Bits per character:"
    )
    start = time.perf_counter()

    def line(epoch: int, loss: float) -> None:
        validation = model.bits_per_character(corpus.validation)
        seconds = time.perf_counter() - start
        console.print(
            f"  epoch {epoch:>{len(str(epochs))}}/{epochs}   train {loss:.3f}   validation {validation:.3f}"
            f"   {seconds:.0f} s"
        )

    model.fit(corpus.train, epochs, line)
    _print_scores(console, corpus, model, fitted)
    prompt = prompt or corpus.parts[2][:40]
    for temperature in temperatures:
        console.print(f"\nTemperature {temperature:g}, after the prompt {prompt!r}:\n", style="bold", markup=False)
        console.print(model.sample(prompt, length, temperature, seed), markup=False)
    return model


def compare_chunks(
    corpus: Corpus, epochs: int, units: int, chunk: int, batch: int, seed: int
) -> dict[int, tuple[float, float]]:
    """Train with each chunk length; print and return train and validation bits per character.

    Each batch holds ``batch * chunk`` characters, as asked for: longer chunks mean fewer streams. So all see as many
    characters in as many updates, and differ in how far back the gradient goes.

    Python's documentation (Python 3.11), 15 epochs of 800 characters a batch, 256 units; mean (range) of seeds 0 to 2::

        chunk   streams   train                 validation
            1       800   1.758 (1.725-1.789)   1.966 (1.961-1.972)
            5       160   1.545 (1.516-1.563)   1.873 (1.870-1.876)
           25        32   1.618 (1.534-1.712)   1.879 (1.842-1.918)
          100         8   1.610 (1.579-1.669)   1.870 (1.863-1.880)

    Even with no gradient through time the carried state helps: a trigram takes 2.587. Going back a few characters gains
    most of what there is to gain here; from 5 on, seeds differ more than chunk lengths.
    """
    from rich.table import Table

    console = _console()
    console.print(corpus.describe() + "\n", markup=False)
    console.print(
        f"Truncated backpropagation: {epochs:,} epochs with each chunk length, {batch * chunk:,} characters in each "
        "batch. The state always goes on; the gradient ends where the chunk begins."
    )
    results = {}
    table = Table(title="\nBits per character: smaller is better", title_justify="left")
    for heading in ("chunk length", "streams", "train", "validation", "seconds"):
        table.add_column(heading, justify="right")
    for compared in COMPARED:
        streams = max(1, batch * chunk // compared)
        model = CharacterModel(corpus.vocabulary, units, batch=streams, chunk=compared, seed=seed)
        start = time.perf_counter()
        train = model.fit(corpus.train, epochs)[-1]
        seconds = time.perf_counter() - start
        results[compared] = train, model.bits_per_character(corpus.validation)
        console.print(f"  chunk length {compared:>3}: validation {results[compared][1]:.3f}   {seconds:.0f} s")
        figures = (f"{number:.3f}" for number in results[compared])
        table.add_row(f"{compared}", f"{streams:,}", *figures, f"{seconds:.0f}")
    console.print(table)
    return results


def smallest_train_part(chunk: int, batch: int, compare: bool) -> int:
    """Return how many characters the train part needs."""
    if not compare:
        return batch * chunk + 1
    return max(max(1, batch * chunk // compared) * compared for compared in COMPARED) + 1


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, emoji=False)
    console.width = min(console.width, 100)
    return console


def _print_scores(console: Console, corpus: Corpus, model: CharacterModel, fitted: dict[str, NGram]) -> None:
    from rich.table import Table

    uniform = math.log2(len(corpus.vocabulary))
    scores = {"uniform": (uniform, uniform)}
    for name, ngram in fitted.items():
        scores[name] = ngram.bits_per_character(corpus.validation), ngram.bits_per_character(corpus.test)
    network = scores[NETWORK] = model.bits_per_character(corpus.validation), model.bits_per_character(corpus.test)
    table = Table(title="\nBits per character: smaller is better", title_justify="left")
    table.add_column("predictor of the next character")
    for heading in ("validation", "test"):
        table.add_column(heading, justify="right")
    for name, bits in sorted(scores.items(), key=lambda item: -item[1][1]):
        table.add_row(name, *(f"{number:.3f}" for number in bits), style="bold" if name == NETWORK else None)
    console.print(table)
    for name in ("bigram", "trigram"):
        difference = scores[name][1] - network[1]
        console.print(
            f"On the test part the network takes {abs(difference):.3f} bits a character "
            f"{'less' if difference > 0 else 'more'} than the {name} ({abs(difference) / scores[name][1]:.0%})."
        )
    console.print(
        "The smoothing of the n-grams and the defaults of this command were chosen on validation parts, nothing on the "
        "test part."
    )
