"""The README's examples run as they stand there, one after the other, on data of the shapes that they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    pd.DataFrame({"value": np.sin(np.arange(600) / 20) + draws.random(600)}).to_csv("measurements.csv")
    pd.DataFrame(draws.standard_normal((200, 4)), columns=["x1", "x2", "x3", "o"]).to_csv("plant.csv")
    names: dict[str, Any] = {"x": draws.standard_normal((40, 4, 1)), "y": draws.standard_normal(40)}
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        exec(compile(example, str(README), "exec"), names)
    hidden = names["passes"].records[0].hidden
    assert hidden.shape == (13, len(names["x"]), 32)  # (timesteps + 1, batch, units), as the README says


def test_the_commands_that_set_everything_up_are_there():
    first_screen = README.read_text(encoding="utf-8").split("## ")[0]
    assert "pip install -e . && rnn-core tutorial" in first_screen
    assert "pip install -e '.[test]' && pytest" in first_screen
    (picture,) = re.findall(r"!\[.*\]\((.*)\)", first_screen)
    assert (README.parent / picture).is_file()


@pytest.mark.parametrize("page", [README, *sorted((README.parent / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []
    assert inside or page != README
