"""Text to numbers and back, the parts of a text, and chunks in which it goes on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.text import Vocabulary, consecutive_chunks, python_documentation, split
from rnn_core.text.characters import REPLACEMENT, UNKNOWN

SOME = st.text(st.characters(codec="utf-8"), min_size=1)


@given(SOME, SOME)
def test_what_was_seen_comes_back_and_the_rest_is_unknown(text, other):
    text = "x" + text
    vocabulary = Vocabulary(text, minimum=1)
    assert len(vocabulary) == 1 + len(set(text) - {REPLACEMENT})
    assert vocabulary.decode(vocabulary.encode(text)) == text
    ids = vocabulary.encode(other)
    assert ids.shape == (len(other),)
    assert ids.min() >= 0
    assert ids.max() < len(vocabulary)
    np.testing.assert_array_equal(ids == UNKNOWN, [c not in text or c == REPLACEMENT for c in other])
    assert vocabulary.decode(ids) == "".join(c if c in text else REPLACEMENT for c in other)


def test_rare_characters_are_unknown_and_the_order_of_the_text_does_not_matter():
    assert Vocabulary("aabbc", minimum=2).characters == REPLACEMENT + "ab"
    assert Vocabulary("cbbaa", minimum=2).characters == REPLACEMENT + "ab"
    with pytest.raises(ValueError, match="no character comes 5 times in a text of 3"):
        Vocabulary("abc")
    with pytest.raises(ValueError, match="minimum must be an integer of at least 1, got 0"):
        Vocabulary("abc", minimum=0)


@given(SOME)
def test_the_parts_are_the_text(text):
    parts = split(text)
    assert "".join(parts) == text
    for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True):
        assert abs(len(part) - share * len(text)) <= 1


def test_no_paragraph_of_the_documentation_comes_twice():
    text = python_documentation()
    assert text == python_documentation()
    assert len(text) > 200_000
    paragraphs = [paragraph.strip() for paragraph in text.split("\n\n")]
    assert len(paragraphs) == len(set(paragraphs))
    from pydoc_data.topics import topics

    everything = {paragraph.strip() for topic in topics.values() for paragraph in topic.strip("\n").split("\n\n")}
    assert everything - {""} == set(paragraphs) - {""}


@given(st.data(), st.integers(1, 5), st.integers(1, 6))
def test_each_stream_goes_on_from_batch_to_batch(data, batch, chunk):
    ids = np.arange(data.draw(st.integers(batch * chunk + 1, 8 * batch * chunk)))
    x, y = consecutive_chunks(ids, batch, chunk)
    assert x.shape == y.shape == (len(x), chunk)
    assert len(ids) - 1 - x.size < batch * chunk  # what is left over is less than a batch
    np.testing.assert_array_equal(y, x + 1)  # the target is the next character
    batches = x.reshape(-1, batch, chunk)
    np.testing.assert_array_equal(batches[1:, :, 0], batches[:-1, :, -1] + 1)
    np.testing.assert_array_equal(np.sort(x, axis=None), ids[: x.size])  # each character once
    assert x.flags.c_contiguous
    assert y.flags.c_contiguous


def test_a_text_too_short_for_one_batch():
    consecutive_chunks(np.arange(13), 3, 4)
    with pytest.raises(ValueError, match="3 streams in chunks of 4 take a text of at least 13 characters, got 12"):
        consecutive_chunks(np.arange(12), 3, 4)
    with pytest.raises(ValueError, match="chunk must be an integer of at least 1, got 0"):
        consecutive_chunks(np.arange(12), 3, 0)
