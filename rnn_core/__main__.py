"""The command line: ``rnn-core tutorial`` and ``rnn-core text``, also ``python -m rnn_core tutorial``.

Every command adds its own parser, checks its arguments before any work starts, and runs. Bad arguments: one line
and exit status 2. What else goes wrong with a file: one line and status 1.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from rnn_core import __version__


class Parser(argparse.ArgumentParser):
    """argparse's parser, with one line for an error in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = Parser(prog="rnn-core", description="Recurrent networks in pure NumPy, with Keras' API.")
    parser.add_argument("--version", action="version", version=f"rnn-core {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_tutorial(commands)
    _add_text(commands)
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 2
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"rnn-core: {error}", file=sys.stderr)
        return 1
    return 0


def _add_tutorial(commands: argparse._SubParsersAction[Parser]) -> None:
    from rnn_core.series import LAYOUTS
    from rnn_core.tutorial import SAMPLES, TRAIN_SAMPLES

    parser = commands.add_parser(
        "tutorial",
        help="train the tutorial's network on a noisy sine and judge it",
        description="Train SimpleRNN(32) - Dense(8) - Dense(1) to predict the next value of a noisy sine, score it "
        "beside simple baselines, and draw what it learned.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    number = functools.partial(parser.add_argument, metavar="N")
    number("--seed", type=_whole_number(0, 2**32 - 1), default=0, help="fixes the series, initial weights and shuffles")
    number("--seeds", type=_whole_number(1), default=1, help="train N seeds and print how the final losses spread")
    number("--epochs", type=_whole_number(1), default=100, help="passes over the train part")
    number("--batch-size", type=_whole_number(1), default=16, help="windows for each update of the weights")
    number(
        "--step",
        type=_whole_number(1, SAMPLES - TRAIN_SAMPLES - 1),
        default=4,
        help=f"values in a window, fewer than the {SAMPLES - TRAIN_SAMPLES} samples of the test part",
    )
    parser.add_argument(
        "--layout",
        type=lambda text: text.replace(" ", "").lower(),  # "1 x step" is fine too
        choices=LAYOUTS,
        default="1xstep",
        help="how a window enters the network: as one time step of N features, as in the tutorial, "
        "or as N time steps of one feature, where the recurrence is real",
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="the type to compute in")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", default=Path("tutorial_output"), help="where the pictures go"
    )
    parser.add_argument("--verbose", action="store_true", help="print a line for every epoch, as Keras' verbose=2")
    parser.set_defaults(run=functools.partial(_run_tutorial, parser))


def _run_tutorial(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.tutorial_command import run, run_seeds

    if options.seed + options.seeds > 2**32:
        parser.error(f"argument --seeds: seeds go up to 2**32 - 1, {options.seeds} from {options.seed} on go beyond")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=options.output):
            pass
    except OSError as error:
        reason = "not a folder" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
        parser.error(f"argument --output: cannot write to {options.output}: {reason}")
    settings = {
        name: getattr(options, name)
        for name in ("seed", "epochs", "batch_size", "step", "layout", "dtype", "output", "verbose")
    }
    if options.seeds == 1:
        run(**settings)
    else:
        run_seeds(options.seeds, **settings)


def _add_text(commands: argparse._SubParsersAction[Parser]) -> None:
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
        type=_whole_number(0, 2**32 - 1),
        default=0,
        help="fixes the initial weights and the samples (%(default)s)",
    )
    number("--epochs", type=_whole_number(1), default=15, help="passes over the train part (%(default)s)")
    number("--units", type=_whole_number(1), default=256, help="size of the hidden state (%(default)s)")
    number(
        "--chunk", type=_whole_number(1), default=25, help="characters that a gradient goes back at most (%(default)s)"
    )
    number(
        "--batch", type=_whole_number(1), default=32, help="streams of text that are read side by side (%(default)s)"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="what samples go on from; by default how the test part begins")
    number("--length", type=_whole_number(1), default=400, help="characters in a sample (%(default)s)")
    parser.add_argument(
        "--temperature",
        type=_positive_number,
        nargs="+",
        metavar="X",
        default=[0.5, 1.0],
        help="a sample for each: below 1 the likely becomes likelier (0.5 1.0)",
    )
    parser.add_argument(
        "--compare-chunks", action="store_true", help="train with chunks of 1, 5, 25 and 100 characters instead"
    )
    parser.set_defaults(run=functools.partial(_run_text, parser))


def _run_text(parser: Parser, options: argparse.Namespace) -> None:
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


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def _whole_number(smallest: int, largest: int | None = None) -> Callable[[str], int]:
    """Return an argparse type: a whole number from `smallest` to `largest`."""
    expected = f"of at least {smallest}" if largest is None else f"from {smallest} to {largest}"

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = smallest - 1
        if number < smallest or (largest is not None and number > largest):
            raise argparse.ArgumentTypeError(f"expected a whole number {expected}, got {text!r}")
        return number

    return parse


if __name__ == "__main__":
    sys.exit(main())
