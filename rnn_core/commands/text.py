"""``rnn-core text``: a language model of characters."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from rnn_core.commands.arguments import Commands, Parser, positive_number, whole_number


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "text",
        help="train a language model of characters, judge it and let it write",
        description="Train Embedding(32) - SimpleRNN - Dense - softmax to predict the next character, score it in bits "
        "per character beside n-grams, and sample text from it.",
    )
    number = functools.partial(parser.add_argument, metavar="N")
    parser.add_argument("--file", type=Path, help="a text of your own, UTF-8; without it, Python's documentation")
    number(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=0,
        help="fixes the initial weights and the samples (%(default)s)",
    )
    number("--epochs", type=whole_number(1), default=15, help="passes over the train part (%(default)s)")
    number("--units", type=whole_number(1), default=256, help="size of the hidden state (%(default)s)")
    number(
        "--chunk", type=whole_number(1), default=25, help="characters that a gradient goes back at most (%(default)s)"
    )
    number("--batch", type=whole_number(1), default=32, help="streams of text that are read side by side (%(default)s)")
    parser.add_argument("--prompt", metavar="TEXT", help="what samples go on from; by default how the test part begins")
    number("--length", type=whole_number(1), default=400, help="characters in a sample (%(default)s)")
    parser.add_argument(
        "--temperature",
        type=positive_number,
        nargs="+",
        metavar="X",
        default=[0.5, 1.0],
        help="a sample for each: below 1 the likely becomes likelier (0.5 1.0)",
    )
    parser.add_argument(
        "--compare-chunks", action="store_true", help="train with chunks of 1, 5, 25 and 100 characters instead"
    )
    parser.set_defaults(run=functools.partial(_run, parser))


def _run(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.text import command

    if options.prompt == "":
        parser.error("argument --prompt: expected at least one character, got ''")
    try:
        corpus = command.Corpus(options.file)
    except OSError as error:
        parser.error(f"argument --file: cannot read {options.file}: {error.strerror}")
    except ValueError as error:
        parser.error(f"argument --file: {error}")
    needed = command.smallest_train_part(options.chunk, options.batch, options.compare_chunks)
    if len(corpus.train) < needed:
        parser.error(
            f"arguments --batch and --chunk: {options.batch} streams in chunks of {options.chunk} take a train part of "
            f"at least {needed:,} characters, the text has {len(corpus.train):,} in it"
        )
    settings = {name: getattr(options, name) for name in ("epochs", "units", "chunk", "batch", "seed")}
    if options.compare_chunks:
        command.compare_chunks(corpus, **settings)
    else:
        command.run(corpus, **settings, prompt=options.prompt, length=options.length, temperatures=options.temperature)
