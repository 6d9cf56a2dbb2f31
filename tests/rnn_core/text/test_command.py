"""``rnn-core text``: what it prints, and what it refuses before any work starts."""

from __future__ import annotations

import math
import re

import pytest

from rnn_core.__main__ import main
from rnn_core.text import CharacterModel, baselines
from rnn_core.text.command import COMPARED, Corpus, smallest_train_part

QUICK = ("--epochs", 2, "--units", 16, "--batch", 4, "--chunk", 25)


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("[bold]One[/] fish, two fish; \N{SNOWMAN} red fish, blue fish.\n" * 60, encoding="utf-8")
    return path


def run(capsys, *arguments):
    """Return the exit status, what was printed, and the errors."""
    try:
        status = main(["text", *map(str, arguments)])
    except SystemExit as exit_:
        status = exit_.code
    return status, *capsys.readouterr()


def test_it_reports_and_writes(capsys, file):
    status, text, errors = run(capsys, "--file", file, *QUICK, "--seed", 5, "--length", 70, "--prompt", "two [b]")
    assert (status, errors) == (0, "")
    corpus = Corpus(file)
    model = CharacterModel(corpus.vocabulary, 16, batch=4, chunk=25, seed=5)
    losses = model.fit(corpus.train, 2)
    for epoch, loss in enumerate(losses, 1):
        assert re.search(rf"epoch {epoch}/2   train {loss:.3f}   validation \d\.\d{{3}}   \d+ s\n", text)
    scores = {"SimpleRNN network": [model.bits_per_character(part) for part in (corpus.validation, corpus.test)]}
    scores["uniform"] = [math.log2(len(corpus.vocabulary))] * 2
    for name, ngram in baselines(len(corpus.vocabulary), corpus.train, corpus.validation).items():
        scores[name] = [ngram.bits_per_character(part) for part in (corpus.validation, corpus.test)]
    printed = re.findall(r"│ (\S.*?) +│ +(\d+\.\d+) │ +(\d+\.\d+) │", text)
    assert {name: [float(v), float(t)] for name, v, t in printed} == {
        name: [float(f"{v:.3f}") for v in bits] for name, bits in scores.items()
    }
    assert [float(t) for *_, t in printed] == sorted((float(t) for *_, t in printed), reverse=True)
    difference = scores["SimpleRNN network"][1] - scores["bigram"][1]
    assert f"the network takes {difference:.3f} bits a character more than the bigram" in " ".join(text.split())
    for temperature in (0.5, 1.0):
        assert f"Temperature {temperature:g}, after the prompt 'two [b]':" in text
        sample = model.sample("two [b]", 70, temperature, 5)
        assert "".join(sample.split()) in "".join(text.split())


def test_without_a_prompt_samples_go_on_from_the_test_part(capsys, file):
    status, text, _ = run(capsys, "--file", file, *QUICK, "--temperature", 0.1)
    assert status == 0
    assert f"Temperature 0.1, after the prompt {Corpus(file).parts[2][:40]!r}:" in " ".join(text.split())
    assert text.count("Temperature") == 1


def test_chunk_lengths_compared(capsys, file):
    status, text, errors = run(capsys, "--file", file, *QUICK, "--compare-chunks")
    assert (status, errors) == (0, "")
    rows = re.findall(r"│ +(\d+) │ +(\d+) │ +(\d\.\d+) │ +(\d\.\d+) │ +\d+ │", text)
    assert [(int(chunk), int(streams)) for chunk, streams, *_ in rows] == [(1, 100), (5, 20), (25, 4), (100, 1)]
    corpus = Corpus(file)
    model = CharacterModel(corpus.vocabulary, 16, batch=20, chunk=5, seed=0)
    losses = model.fit(corpus.train, 2)
    assert rows[1][2:] == (f"{losses[-1]:.3f}", f"{model.bits_per_character(corpus.validation):.3f}")


def test_the_parts_keep_the_vocabulary_of_the_train_part(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("\N{BYTE ORDER MARK}" + "ab" * 400 + "c" * 200, encoding="utf-8")
    corpus = Corpus(path)
    assert corpus.vocabulary.characters[1:] == "ab"
    assert set(corpus.train) == {1, 2}
    assert set(corpus.test) == set(corpus.validation) == {0}
    assert "1,000 characters, 800 to train on, then 100 to validate and 100 to test" in corpus.describe()
    assert "2 different ones come at least 5 times in the train part; the 200 others count as one" in corpus.describe()


@pytest.mark.parametrize("compare", [False, True])
def test_the_smallest_train_part_is_enough_for_one_batch(compare):
    for chunk, batch in ((25, 4), (1, 1), (3, 50)):
        needed = smallest_train_part(chunk, batch, compare)
        shapes = [(max(1, chunk * batch // c), c) for c in COMPARED] if compare else [(batch, chunk)]
        assert max(streams * length for streams, length in shapes) + 1 == needed


def test_bad_arguments_are_one_line_and_nothing_is_trained(capsys, file, tmp_path, monkeypatch):
    monkeypatch.setattr(
        CharacterModel, "fit", lambda *_, **__: pytest.fail("trained before the arguments were checked")
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 " * 100)
    (tmp_path / "short.txt").write_text("short")
    (tmp_path / "rare.txt").write_text("".join(chr(0x4E00 + i) for i in range(200)), encoding="utf-8")
    for arguments, message in {
        "--epochs 0": "argument --epochs: expected a whole number of at least 1, got '0'",
        "--units x": "argument --units: expected a whole number of at least 1, got 'x'",
        "--chunk 0": "argument --chunk: expected a whole number of at least 1, got '0'",
        "--batch -1": "argument --batch: expected a whole number of at least 1, got '-1'",
        "--seed -1": "argument --seed: expected a whole number from 0 to 4294967295, got '-1'",
        "--length 0": "argument --length: expected a whole number of at least 1, got '0'",
        "--temperature 0": "argument --temperature: expected a number above 0, got '0'",
        "--temperature 0.5 nan": "argument --temperature: expected a number above 0, got 'nan'",
        "--temperature warm": "argument --temperature: expected a number above 0, got 'warm'",
        "--prompt=": "argument --prompt: expected at least one character, got ''",
        "--file none.txt": "argument --file: cannot read none.txt: No such file or directory",
        "--file .": "argument --file: cannot read .: Is a directory",
        "--file latin.txt": "argument --file: latin.txt is no UTF-8 text: invalid continuation byte at byte 3",
        "--file short.txt": "argument --file: short.txt has 5 characters: too short to learn from",
        "--file rare.txt": "argument --file: Vocabulary: no character comes 5 times in a text of 160.",
        f"--file {file} --batch 500": "arguments --batch and --chunk: 500 streams in chunks of 25 take a train part of",
        f"--file {file} --batch 60 --chunk 60 --compare-chunks": "60 streams in chunks of 60 take a train part of at",
        "--cell LSTM": "unrecognized arguments: --cell LSTM",
    }.items():
        status, text, errors = run(capsys, *arguments.split())
        assert (status, text) == (2, ""), arguments
        assert message in errors
        assert errors.count("\n") == 1
