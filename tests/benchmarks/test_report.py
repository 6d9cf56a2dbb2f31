"""The document, the tables, the Markdown and the chart of a made-up run."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks import chart, tables
from benchmarks.compare import compare
from benchmarks.document import Document
from tests.benchmarks.samples import document

RUN = document(
    {
        ("W1", "rnn_core"): [0.01, 0.02, 0.04],
        ("W1", "numpy"): [0.05, 0.10, 0.20],
        ("W1", "torch"): [None, None, 1.0],
        ("W1", "c"): [0.005, 0.01, 0.02],
        ("W6a", "rnn_core"): [8e-6] * 3,
    }
)


def test_a_document_comes_back_from_its_file(tmp_path):
    RUN.write(tmp_path / "run.json")
    assert Document.read(tmp_path / "run.json").data == RUN.data


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', "\x00"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"other\.json does not hold a run"):
        Document.read(path)


def test_ratios_are_formed_round_by_round():
    ratios = RUN.ratios("W1")
    assert ratios["numpy"].low == ratios["numpy"].high == 5  # though the times themselves drift fourfold
    assert ratios["torch"].median == 25
    assert ratios["torch"].count == 1


def test_the_markdown_has_a_row_for_every_engine_and_whole_tables():
    text = tables.markdown(RUN)
    lines = text.splitlines()
    assert "| **rnn_core** | **20 ms** | **8 µs** |" in lines
    assert "| NumPy as in tutorials | 100 ms (5.0) |  |" in lines
    assert "| *plain C (floor)* | 10 ms (0.50) |  |" in lines
    assert "- jax-fit: left out, jax not installed" in lines
    assert "- wrong: not timed on W1, the loss is 1, not 2" in lines
    assert "- **W1** what W1 is; T=1" in lines
    assert "2026-11-22" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_every_number_whole(width):
    file = io.StringIO()
    console = Console(file=file, width=width)
    for table in [*tables.terminal(RUN), tables.comparison(RUN, *compare(RUN, RUN))]:
        console.print(table)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any("NumPy as in tutorials" in line and "75 ms .. 150 ms" in line and "5.0" in line for line in lines)


def test_the_chart_has_a_panel_for_every_workload_and_a_bar_for_every_engine(tmp_path):
    figure = chart.chart(RUN)
    panels = [axes for axes in figure.axes if axes.patches]
    assert [len(axes.patches) for axes in panels] == [4, 1]
    assert all(axes.get_xscale() == "log" for axes in panels)
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names == ["plain C", "rnn_core", "NumPy as in tutorials", "PyTorch"]
    figure.savefig(tmp_path / "chart.png")
