"""n-grams are the distributions that they say, and are fitted on the train part only."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.text import NGram, baselines
from rnn_core.text.ngrams import ALPHAS

V = 4
TEXTS = st.lists(st.integers(0, V - 1), min_size=2, max_size=60).map(np.array)


def by_counting(train, ids, order, alpha, q):
    """P of each character but the first, from dictionaries."""
    together, contexts = Counter(), Counter()
    train, ids = ([0] * order + list(text) for text in (train, ids))
    for i in range(order + 1, len(train)):
        context = tuple(train[i - order + 1 : i])
        together[context, train[i]] += 1
        contexts[context] += 1
    found = []
    for place, i in enumerate(range(order + 1, len(ids))):
        context = tuple(ids[i - order + 1 : i])
        found.append((together[context, ids[i]] + alpha * V * q[place]) / (contexts[context] + alpha * V))
    return np.array(found)


@given(TEXTS, TEXTS, TEXTS, st.integers(1, 4))
def test_it_counts_and_smooths(train, validation, ids, order):
    ngram = NGram(order, V).fit(train, validation)
    uniform = np.full(len(ids) - 1, 1 / V)
    expected = by_counting(train, ids, order, ngram.alpha, uniform)
    np.testing.assert_allclose(ngram.probabilities(ids), expected, rtol=1e-12)
    assert ngram.bits_per_character(ids) == pytest.approx(-np.log2(expected).mean())
    longer = NGram(order + 1, V, ngram).fit(train, validation)
    expected = by_counting(train, ids, order + 1, longer.alpha, expected)
    np.testing.assert_allclose(longer.probabilities(ids), expected, rtol=1e-12)


@given(TEXTS, TEXTS, TEXTS, st.integers(1, 4))
def test_it_is_a_distribution(train, validation, text, order):
    ngram = NGram(order, V, NGram(1, V)).fit(train, validation)
    last = [ngram.probabilities(np.append(text, c))[-1] for c in range(V)]
    assert sum(last) == pytest.approx(1)
    assert min(last) > 0


@given(TEXTS, TEXTS)
def test_alpha_is_the_best_on_validation(train, validation):
    bigram = NGram(2, V).fit(train, validation)
    chosen = bigram.bits_per_character(validation)
    for alpha in ALPHAS:
        bigram.alpha = alpha
        assert bigram.bits_per_character(validation) >= chosen


def test_a_markov_chain_is_known_to_its_entropy():
    draws = np.random.default_rng(0)
    follows = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.25] * 4, [0.0, 0.0, 0.5, 0.5]])
    ids = [0]
    for _ in range(40_000):
        ids.append(int(draws.choice(V, p=follows[ids[-1]])))
    train, validation, test = np.split(np.array(ids), [30_000, 35_000])
    share = np.bincount(ids, minlength=V) / len(ids)
    entropy = -sum(share[i] * p * math.log2(p) for i in range(V) for p in follows[i] if p)
    found = baselines(V, train, validation)
    assert [*found] == ["unigram", "bigram", "trigram", "5-gram, smoothed by shorter ones"]
    bits = [model.bits_per_character(test) for model in found.values()]
    assert bits[0] > bits[1] + 0.2
    np.testing.assert_allclose(bits[1:], entropy, atol=0.03)


def test_bad_settings():
    with pytest.raises(ValueError, match="order must be an integer of at least 1, got 0"):
        NGram(0, 10)
    with pytest.raises(ValueError, match="20 characters out of 100 are more than fit into 64 bits"):
        NGram(20, 100)
    with pytest.raises(ValueError, match="call fit before probabilities"):
        NGram(2, 10).bits_per_character(np.array([1, 2]))
