"""The report and its commands: what is in the file, what is refused, and that no half of a file is left behind."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from rnn_core.__main__ import main
from rnn_core.inspection import RecurrentTrace, diagnose, report, trace
from rnn_core.inspection.pages import html
from rnn_core.layers import Dense, Dropout, Input, SimpleRNN
from rnn_core.models import Sequential
from rnn_core.tutorial import Tutorial
from rnn_core.tutorial.trials import Losses, chance_of, conclusion

from .graphs import jordan
from .test_graphs import two_inputs

SCRIPT = """
import numpy as np
from rnn_core.layers import Dense, Input, SimpleRNN
from rnn_core.models import Sequential

model = Sequential([Input((5, 2)), SimpleRNN(3), Dense(1)])
model.compile(loss="mse", optimizer="rmsprop")
x, y = np.ones((8, 5, 2)), np.arange(8.0)
all_of_it = model, x, y
not_a_model = 3

def make():
    return model, x, y

def fails():
    raise KeyError("no such column")

if __name__ == "__main__":
    raise SystemExit("must not run")
"""


class Page(HTMLParser):
    """What a page refers to, and whether its tags close."""

    def __init__(self, content):
        super().__init__()
        self.open_tags, self.ids, self.links, self.sources, self.images, self.headings = [], [], [], [], [], []
        self.tags, self.words = set(), []
        self.feed(content)

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.add(tag)
        if tag not in ("meta", "link", "img", "source", "br", "wbr"):
            self.open_tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.sources += [found[key] for key in ("src", "srcset", "href") if key in found and tag != "a"]
        self.images += [found] if tag == "img" else []
        self.headings += [tag] if re.fullmatch(r"h\d", tag) else []

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag


def checked(path):
    page = Page(path.read_text(encoding="utf-8"))
    assert not page.open_tags
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.links) == {f"#{anchor}" for anchor in page.ids}
    assert all(source.startswith("data:") for source in page.sources)
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert "script" not in page.tags
    assert path.stat().st_size < 5e6
    return page


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(SCRIPT)
    np.save(folder / "x.npy", np.random.default_rng(0).standard_normal((20, 5, 2)))
    np.save(folder / "y.npy", np.random.default_rng(1).standard_normal(20))
    with (folder / "zip.npy").open("wb") as file:  # several arrays under the name of one
        np.savez(file, x=np.ones(3))
    return folder


def run(capsys, *arguments):
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        status = exit_.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_the_tutorial_s_report(capsys, tmp_path):
    out = tmp_path / "new" / "tutorial.html"
    status, text, errors = run(capsys, "inspect", "tutorial", "--seeds", 3, "--epochs", 4, "--out", out)
    assert (status, errors) == (0, "")
    assert "with Dense(8): seed 0, 1 of 3" in text
    assert str(out) in text
    page = checked(out)
    assert page.headings.count("h1") == 1
    content = re.sub(r"<[^>]+>", "", out.read_text(encoding="utf-8"))
    words = " ".join(content.split())
    for question in ("three weight matrices?", "Why Dense(8)?", "Elman or Jordan?", "What does (1, 4) against (4, 1)"):
        assert question in words
    assert "three arrays of shapes (4, 32), (32, 32) and (32,)" in words
    assert "Elman. What returns at the next step is the hidden state: the recurrent kernel is 32 x 32" in words
    assert "the hidden states change by exactly 0" in words
    assert "1,024 of the 1,457 parameters stay where they started" in words

    losses = []
    for seed in range(3):
        tutorial = Tutorial(seed).fit(4)
        losses.append(tutorial.evaluate(tutorial.test))
    row = f"with Dense(8)1,457test{np.mean(losses):.4f}{np.std(losses, ddof=1):.4f}{min(losses):.4f}{max(losses):.4f}"
    assert row in words


def test_a_model_of_one_s_own(capsys, own, tmp_path):
    for name, data in (("model", ["--data", own / "x.npy", "--targets", own / "y.npy"]), ("make", [])):
        out = tmp_path / f"{name}.html"
        status, _, errors = run(capsys, "inspect", f"{own / 'own.py'}:{name}", *data, "--out", out)
        assert (status, errors) == (0, "")
        checked(out)


def test_a_module(capsys, own, tmp_path, monkeypatch):
    monkeypatch.chdir(own)
    status, _, errors = run(capsys, "inspect", "own:all_of_it", "--out", tmp_path / "module.html")
    assert (status, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.keras"], "parity.from_keras"),
        (["model.pkl"], "a pickle, which can run any code"),
        (["weights.npz"], "weights without a model"),
        (["own"], "must be 'tutorial', script.py:name or module:name, got 'own'"),
        (["nowhere.py:model"], "there is no file nowhere.py"),
        (["nowhere_at_all:model"], "there is no module nowhere_at_all"),
        (["own.py:other"], "own.py has no 'other'; its models are model."),
        (["own.py:not_a_model"], "got int"),
        (["own.py:fails"], r"own.py:\d+: KeyError: 'no such column'"),
        (["own.py:model"], "no data: give --data"),
        (["own.py:model", "--data", "x.npy"], "no data: give --data"),
        (["own.py:model", "--data", "y.npy", "--targets", "y.npy"], r"\(20,\)"),
        (["own.py:model", "--data", "own.py", "--targets", "y.npy"], "must be an .npy file"),
        (["own.py:model", "--data", "zip.npy", "--targets", "y.npy"], "zip.npy is not a whole .npy file"),
        (["own.py:model", "--data", "none.npy", "--targets", "y.npy"], "No such file"),
        (["own.py:model", "--seeds", "3"], "--seeds: not for a model of your own"),
        (["tutorial", "--data", "x.npy"], "--data: not for the tutorial"),
        (["tutorial", "--seeds", "1"], "at least 2"),
        (["tutorial", "--seed", str(2**32 - 1)], "go beyond"),
        (["tutorial", "--out", "report.txt"], "ends in .html"),
        (["tutorial", "--out", "own.py/report.html"], "cannot write"),
    ],
)
def test_bad_arguments_are_one_line(capsys, own, monkeypatch, arguments, message):
    monkeypatch.chdir(own)
    before = sorted(path.name for path in own.iterdir() if path.name != "__pycache__")
    status, _, errors = run(capsys, "inspect", *arguments)
    assert status == 2
    assert re.search(message, errors), errors
    assert errors.count("\n") == 1
    assert sorted(path.name for path in own.iterdir() if path.name != "__pycache__") == before


def test_the_worksheet_command(capsys, tmp_path):
    status, text, errors = run(capsys, "worksheet", "--seed", 3, "--steps", 2, "--out", tmp_path / "sheets")
    assert (status, errors) == (0, "")
    assert text.split() == [str(tmp_path / "sheets" / name) for name in ("worksheet.html", "worksheet-answers.html")]
    for name in ("worksheet.html", "worksheet-answers.html"):
        page = Page((tmp_path / "sheets" / name).read_text(encoding="utf-8"))
        assert not page.open_tags
    status, _, errors = run(capsys, "worksheet", "--units", 7, "--out", tmp_path)
    assert status == 2
    assert errors.count("\n") == 1


def test_all_findings_are_told(tmp_path):
    tutorial = Tutorial().fit(1)
    content = report(tutorial.model, tutorial.train, to_file=tmp_path / "report.html").read_text(encoding="utf-8")
    for finding in diagnose(tutorial.model, tutorial.train):
        assert html.text(finding.message) in content


def test_models_of_other_kinds(tmp_path):
    """Two recurrent layers, sequences out, several outputs, dropout, a batch size of its own, no recurrence at all."""
    draws = np.random.default_rng(0)
    x = draws.standard_normal((6, 20, 2))
    models = [
        (Sequential([Input((20, 2)), SimpleRNN(3, return_sequences=True), Dropout(0.5), SimpleRNN(2), Dense(2)]), 2),
        (Sequential([Input((None, 2)), SimpleRNN(3, "softmax", return_sequences=True), Dense(1)]), (20, 1)),
        (Sequential([Input(batch_shape=(3, 20, 2)), SimpleRNN(2, stateful=True, go_backwards=True)]), 2),
        (Sequential([Input((20, 2)), Dense(1)]), (20, 1)),
    ]
    for i, (model, outputs) in enumerate(models):
        model.compile(loss="mse", optimizer="adam")
        shape = (6, *outputs) if isinstance(outputs, tuple) else (6, outputs)
        before = model.vector.copy()
        checked(report(model, x, draws.standard_normal(shape), tmp_path / f"{i}.html", title="<b>&"))
        np.testing.assert_array_equal(model.vector, before)


@pytest.mark.parametrize("make", [two_inputs, lambda: jordan(True, "float32")[:3]])
def test_graphs(tmp_path, make):
    """A section for each recurrent layer and call, a picture for each output, and the weights of each layer once."""
    model, x, y = make()
    before = model.vector.copy()
    page = checked(report(model, x, y, tmp_path / "graph.html", history={"side_loss": [1.0], "loss": [2.0]}))
    np.testing.assert_array_equal(model.vector, before)
    words = " ".join("".join(page.words).split())
    parts = [part for part in trace(model, x, y) if isinstance(part, RecurrentTrace)]
    for part in parts:
        assert f"Backwards through time: {part.name}" in words
    maps = [image for image in page.images if image["alt"].startswith("Heat maps")]
    assert len(maps) == len({id(part.layer) for part in trace(model, x, y) if part.weights})


def test_a_crash_leaves_the_old_file(tmp_path, monkeypatch):
    path = html.write(tmp_path / "page.html", "old")

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(OSError, match="disk full"):
        html.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_loss_that_is_not_finite_is_reported(tmp_path):
    """The model, where it began, and the training: what there is."""
    model = Sequential([Input((4, 2)), SimpleRNN(3, "relu", name="rnn"), Dense(1)])
    model.compile(loss="mse", optimizer="rmsprop")
    model.layers[0].kernel = np.full((2, 3), np.nan)
    history = {"loss": [1.0, 20.0]}
    page = checked(report(model, np.ones((40, 4, 2)), np.ones(40), tmp_path / "nan.html", history=history))
    words = " ".join(page.words)
    assert "'kernel' of layer 'rnn'" in words
    assert len(page.ids) == 3
    assert "Training" in words
    assert "Backwards" not in words


def test_text_is_escaped():
    assert html.text("a < b & `c > d` **e**") == "a &lt; b &amp; <code>c &gt; d</code> <b>e</b>"
    assert "<script>" not in html.page("<script>", [], [html.Section("<script>", [html.paragraph("<script>")])])


def test_the_same_model_gives_the_same_page(tmp_path):
    model = Sequential([Input((4,)), Dense(8, "relu"), Dense(1)])
    model.compile(loss="mse", optimizer="adam")
    x, y = np.eye(4), np.arange(4.0)
    pages = [report(model, x, y, tmp_path / f"{i}.html").read_bytes() for i in range(2)]
    assert pages[0] == pages[1]


def test_chance():
    """All of one sign: only the two ways to make them all equal are as far from 0."""
    assert chance_of(np.arange(1.0, 11.0)) == 2 / 2**10
    assert chance_of(np.array([1.0, -1.0, 2.0, -2.0])) == 1
    assert chance_of(np.ones(20)) < 0.01


def test_conclusions():
    """Each from losses that show it: lower on both, lower on train only, and no difference."""
    noise = np.random.default_rng(0).standard_normal(10)
    worse = Losses(5 + noise, 5 + noise, 10)
    said = [
        conclusion("it", Losses(4 + noise, 4 + noise, 10), worse),
        conclusion("it", Losses(4 + noise, 6 + noise, 10), worse),
        conclusion("it", Losses(5 - noise, 5 - noise, 10), worse),
    ]
    assert "forecasts better**" in said[0]
    assert "does not forecast better" in said[1]
    assert "nothing here speaks for it" in said[2]
