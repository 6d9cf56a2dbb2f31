"""A network that reads text character by character and predicts the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import positive_int, real
from rnn_core.layers import Dense, Embedding, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.random import set_random_seed, stream
from rnn_core.text.characters import UNKNOWN, Vocabulary
from rnn_core.text.chunks import consecutive_chunks

Array = NDArray[Any]

_READ_AT_ONCE = 1000  # characters of a text in one call; the state carries over
_SMALLEST = 1e-7  # probabilities below count as this, as in the loss


def build_model(vocabulary_size: int, batch: int, embedding: int, units: int, dtype: str = "float32") -> Sequential:
    """Return the network for `batch` texts that are read side by side.

    ::

        id (batch, T) -> embedding (batch, T, embedding) -> h (batch, T, units) -> P(next) (batch, T, vocabulary_size)

    Examples
    --------
    >>> build_model(100, batch=32, embedding=32, units=256).count_params()
    102884
    """
    return Sequential(
        [
            Input(batch_shape=(batch, None), dtype=dtype),
            Embedding(vocabulary_size, embedding, dtype=dtype),
            SimpleRNN(units, return_sequences=True, stateful=True, dtype=dtype),
            Dense(vocabulary_size, activation="softmax", dtype=dtype),
        ]
    )


def reset_states(model: Sequential) -> None:
    """Let the stateful layers start from h = 0."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()  # type: ignore[attr-defined]


class CharacterModel:
    """A language model: fit, measure, sample.

    It is trained by truncated backpropagation through time: the state goes on from chunk to chunk, through all of a
    stream; the gradient goes back to the beginning of the chunk and no further.

    Parameters
    ----------
    vocabulary : Vocabulary
    units, embedding : int
    batch : int
        Streams that are read side by side.
    chunk : int
        T, how far back a gradient can go.
    learning_rate : float
        Of Adam, at the start; it falls to 0 along a cosine. Gradients are clipped to norm 1.
    seed : int
        Also sets the seed of everything else that is drawn in this process.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    model : Sequential
        What is trained, with `batch` states.
    reader : Sequential
        The same network with one state, which measures and samples.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        units: int = 256,
        embedding: int = 32,
        batch: int = 32,
        chunk: int = 25,
        learning_rate: float = 4e-3,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        set_random_seed(seed)
        self.vocabulary = vocabulary
        self.batch = positive_int("CharacterModel", "batch", batch)
        self.chunk = positive_int("CharacterModel", "chunk", chunk)
        self.learning_rate = real("CharacterModel", "learning_rate", learning_rate, 0, above=True)
        self.model = build_model(len(vocabulary), self.batch, embedding, units, dtype)
        self.reader = build_model(len(vocabulary), 1, embedding, units, dtype)

    def fit(
        self, ids: Array, epochs: int = 1, on_epoch_end: Callable[[int, float], object] | None = None
    ) -> list[float]:
        """Train on a text; return the train loss of each epoch in bits per character.

        Parameters
        ----------
        ids : ndarray of int, shape (n,)
            At least ``batch * chunk + 1``.
        epochs : int
            The states start from 0 in each.
        on_epoch_end : callable, optional
            Gets the number of the epoch, from 1 on, and its loss.
        """
        from rnn_core.callbacks import LambdaCallback
        from rnn_core.optimizers import Adam
        from rnn_core.optimizers.schedules import CosineDecay

        x, y = consecutive_chunks(ids, self.batch, self.chunk)
        schedule = CosineDecay(self.learning_rate, epochs * len(x) // self.batch)
        self.model.compile(Adam(schedule, clipnorm=1.0), "sparse_categorical_crossentropy")
        losses: list[float] = []

        def note(epoch: int, logs: dict[str, float]) -> None:
            losses.append(logs["loss"] / float(np.log(2)))
            if on_epoch_end is not None:
                on_epoch_end(epoch + 1, losses[-1])

        callback = LambdaCallback(on_epoch_begin=lambda *_: reset_states(self.model), on_epoch_end=note)
        self.model.fit(x, y, batch_size=self.batch, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback])
        return losses

    def bits_per_character(self, ids: Array) -> float:
        """Return ``mean(-log2 P)`` of each character but the first, given all before it; the text is read in one go."""
        if len(ids) < 2:
            raise ValueError(f"bits_per_character: a text of at least 2 characters is needed, got {len(ids)}.")
        self._start_reading()
        bits = 0.0
        for start in range(0, len(ids) - 1, _READ_AT_ONCE):
            targets = ids[start + 1 : start + 1 + _READ_AT_ONCE]
            p = self._read(ids[start : start + len(targets)])  # (T, V)
            bits -= np.log2(np.maximum(p[np.arange(len(targets)), targets], _SMALLEST)).sum(dtype=float)
        return float(bits) / (len(ids) - 1)

    def sample(self, prompt: str, length: int, temperature: float = 1.0, seed: int = 0) -> str:
        """Continue a text: draw the next character from ``P^(1 / temperature)``, normalised, read it, and so on.

        Parameters
        ----------
        prompt : str
            Read first; at least one character.
        length : int
            Characters to draw; the unknown one is never drawn.
        temperature : float
            Below 1 the likely becomes likelier, towards 0 the likeliest certain; 1 is what was learned.
        seed : int

        Returns
        -------
        str
            Without the prompt.
        """
        if not prompt:
            raise ValueError("sample: prompt must have at least one character.")
        temperature = real("sample", "temperature", temperature, 0, above=True)
        positive_int("sample", "length", length, 0)
        self._start_reading()
        draws = stream(seed)
        unread, ids = self.vocabulary.encode(prompt), []
        for _ in range(length):
            log_p = np.log(np.maximum(self._read(unread)[-1].astype(float), 1e-300))
            log_p[UNKNOWN] = -np.inf
            p = np.exp((log_p - log_p.max()) / temperature)
            cumulative = p.cumsum()
            unread = np.searchsorted(cumulative, draws.random(1) * cumulative[-1], side="right")
            ids.append(int(unread[0]))
        return self.vocabulary.decode(ids)

    def _start_reading(self) -> None:
        """Give the reader what has been learned, and no past."""
        self.reader.set_weights(self.model.get_weights())
        reset_states(self.reader)

    def _read(self, ids: Array) -> Array:
        """Return P of what follows each of the ids, shape (T, V); the state goes on."""
        p: Array = self.reader.predict_on_batch(ids[None, :])[0]
        return p
