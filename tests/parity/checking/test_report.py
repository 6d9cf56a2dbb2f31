"""The printed report: what comes first, and lines that fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.checking.line import Line
from parity.checking.report import MOST_BAD, Report
from parity.checking.table import GROUPS


def line(dtype="float64", layer="dense", ours=3.0, **other) -> Line:
    fields = {"kind": "output", "name": "output", "scale": 2.0, "ours_rms": 1.0, "keras": None, "keras_rms": None}
    fields |= {"limit": 16.0, "limit_rms": 16.0, "rule": "16 eps", **other}
    if dtype == "float32":
        fields |= {"keras": 1.0, "keras_rms": 0.5, "rule": "twice Keras'"}
    return Line(dtype=dtype, layer=layer, ours=ours, **fields)


def test_what_fails_stands_first_and_the_verdict_last():
    good, bad = line(layer="lower"), line(layer="upper", ours=2.0**50)
    also = line("float32", "upper", 50.0)
    report = Report([good, bad, also], "model", notes=["a note"])
    report.cause = "recurrent kernel transposed"
    assert (report.holds, report.bad, report.first_bad) == (False, [bad, also], bad)
    rows = str(report).splitlines()
    marked = [row for row in rows if row.startswith("BAD")]
    assert marked[0] == "BAD float64, output of upper: max|reference| 2, largest error 0.25 of it"
    assert marked[1].startswith("BAD float32, output of upper")
    assert rows[rows.index(marked[0]) + 1].split() == ["max", "1e+15", "16.00", "16", "eps"]
    assert rows[rows.index(marked[1]) + 1].split() == ["max", "50.00", "1.00", "16.00", "twice", "Keras'"]
    assert marked[2].split() == ["BAD", "outputs", "3", "1e+15", "16.00", "50.00", "1.00", "16.00"]
    assert rows[-4:-2] == ["note: a note", "cause: recurrent kernel transposed"]
    assert " ".join(rows[-2:]) == (
        "model 'model': 2 of 3 lines do not hold against Keras on tensorflow; first: output of upper, float64."
    )


def test_of_many_failures_the_first_are_shown_and_all_if_asked():
    report = Report([line(layer=f"layer_{i}", ours=99.0) for i in range(MOST_BAD + 5)])
    assert f"layer_{MOST_BAD - 1}:" in str(report)
    assert f"layer_{MOST_BAD}:" not in str(report)
    assert "and 5 more" in str(report)
    assert f"layer_{MOST_BAD + 4}:" in report.text(verbose=True)


def test_the_worst_of_a_group_is_shown():
    lines = [line(ours=1.0), line(ours=2.0, ours_rms=9.0), line(ours=8.0)]
    row = next(row for row in str(Report(lines)).splitlines() if row.startswith("ok"))
    assert row.split() == ["ok", "outputs", "3", "9.00", "16.00"]
    lines.append(line(problem="only here"))
    assert "BAD outputs" in str(Report(lines))
    assert "see above" in str(Report(lines))


def test_slots_are_grouped_by_name():
    slot = line(kind="new slot", layer="simple_rnn", name="velocities of recurrent_kernel")
    rows = Report([slot]).text(verbose=True).splitlines()
    assert any(row.startswith("float64, new velocities") for row in rows)
    assert any(row.startswith("ok  simple_rnn/recurrent_kernel  ") for row in rows)


WORDS = st.text("abcdefgh_", min_size=1, max_size=24)
LINES = st.builds(
    line,
    dtype=st.sampled_from(["float64", "float32"]),
    layer=WORDS,
    ours=st.floats(min_value=0),
    kind=st.sampled_from([kind for kind in GROUPS if kind not in ("loss", "optimizer")]),
    name=WORDS,
    scale=st.floats(0, 1e30),
    limit=st.floats(1, 1e20),
    draws=st.sampled_from([1, 5, 65]),
    problem=st.sampled_from(["", "shape (2, 3) here, (3, 2) in Keras"]),
)


@given(lines=st.lists(LINES, min_size=1, max_size=12), width=st.integers(70, 140), verbose=st.booleans())
def test_no_line_is_too_wide_and_no_word_broken(lines, width, verbose):
    report = Report(lines, "a model", notes=["Keras drops activity_regularizer " * 9])
    text = report.text(width, verbose)
    assert max(map(len, text.splitlines())) <= width
    words = text.replace(":", " ").replace(",", " ").replace(";", " ").split()
    wanted = report.lines if verbose else report.bad[:MOST_BAD]
    slots = {"new slot"}
    for one in wanted:
        assert one.kind in slots or one.part in words


def test_a_width_too_small_is_refused():
    with pytest.raises(ValueError, match="width must be an integer of at least 60, got 20"):
        Report([line()]).text(20)
