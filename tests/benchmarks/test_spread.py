"""Medians, ratios by round, slopes, turns, and the rule by which something became slower."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.compare import compare
from benchmarks.rounds import Effort, takes_part
from benchmarks.spread import Spread, change, ratios, slope
from tests.benchmarks.samples import document

SECONDS = st.floats(1e-6, 1e3)


@given(st.lists(SECONDS, min_size=1))
def test_the_quartiles_enclose_the_median_and_rounds_without_a_turn_do_not_count(values):
    spread = Spread.of(values)
    assert min(values) <= spread.low <= spread.median <= spread.high <= max(values)
    assert Spread.of([None, *values, None]) == spread


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match="at least one measurement"):
        Spread.of([None, None])


@given(st.lists(st.tuples(SECONDS, st.floats(0.5, 2)), min_size=2))
def test_a_drift_of_the_machine_cancels_in_ratios(rounds):
    ours = [drift for _, drift in rounds]
    theirs = [3 * drift for _, drift in rounds]
    assert ratios(theirs, ours) == pytest.approx([3] * len(rounds))


@given(st.floats(0.5, 3), SECONDS)
def test_the_slope_is_the_power(power, factor):
    sizes = [64, 128, 256, 512]
    assert slope(sizes, [factor * size**power for size in sizes]) == pytest.approx(power)


@given(st.integers(1, 30), st.data())
def test_turns_are_spread_over_the_rounds(rounds, data):
    turns = data.draw(st.integers(1, rounds))
    taken = [number for number in range(rounds) if takes_part(number, turns, rounds)]
    assert len(taken) == turns
    gaps = [b - a for a, b in pairwise(taken)]
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_short_work_is_repeated_and_long_work_has_fewer_turns():
    effort = Effort(rounds=9, turn=0.1, seconds=2)
    assert effort.repeats(0.001) == 100
    assert effort.turns(0.001) == 9
    assert effort.repeats(5) == 1
    assert effort.turns(5) == 3
    assert effort.turns(0.4) == 5


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([1.0, 1.0, 1.0], [1.14, 1.14, 1.14], ""),  # within the least noise
        ([1.0, 1.0, 1.0], [1.16, 1.16, 1.16], "slower"),
        ([1.0, 1.0, 1.0], [0.86, 0.86, 0.86], "faster"),
        ([0.8, 1.0, 1.2], [1.0, 1.3, 1.5], ""),  # both spread widely
        ([0.8, 1.0, 1.2], [1.5, 1.6, 1.7], "slower"),
    ],
)
def test_slower_is_what_is_outside_the_noise(old, new, verdict):
    assert change(Spread.of(old), Spread.of(new)).verdict == verdict


def test_the_drift_of_the_machine_is_taken_out_if_three_others_show_it():
    others = [("W1", "numpy"), ("W1", "torch"), ("W1", "c")]
    old = document({("W1", "rnn_core"): [1.0] * 3} | {key: [2.0] * 3 for key in others})
    new = document({("W1", "rnn_core"): [1.5] * 3} | {key: [3.0] * 3 for key in others})
    lines, drift = compare(old, new)
    assert drift == pytest.approx(1.5)
    assert [line.change.verdict for line in lines] == ["", "", "", ""]

    slower = document({("W1", "rnn_core"): [1.5] * 3} | {key: [2.0] * 3 for key in others})
    assert {line.engine: line.change.verdict for line in compare(old, slower)[0]}["rnn_core"] == "slower"

    few = document({("W1", "rnn_core"): [1.5] * 3, ("W1", "numpy"): [3.0] * 3})
    assert compare(old, few)[1] == 1
    assert {line.change.verdict for line in compare(old, few)[0]} == {"slower"}


def test_what_was_measured_in_another_way_is_not_compared():
    old = document({("W1", "rnn_core"): [1.0] * 3})
    assert compare(old, document({("W1", "rnn_core"): [9.0] * 3}, threads=2))[0] == []
    assert compare(old, document({("W2", "rnn_core"): [9.0] * 3}))[0] == []
    other = document({("W1", "rnn_core"): [9.0] * 3}, workloads={"W1": {"what": "what W1 is; T=1", "epochs": 100}})
    assert compare(old, other)[0] == []
