"""The command line: ``rnn-core tutorial``, ``forecast``, ``inspect``, ``text``, ``worksheet``.

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
    _add_forecast(commands)
    _add_inspect(commands)
    _add_worksheet(commands)
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
    _check_folder(parser, "--output", options.output)
    settings = {
        name: getattr(options, name)
        for name in ("seed", "epochs", "batch_size", "step", "layout", "dtype", "output", "verbose")
    }
    if options.seeds == 1:
        run(**settings)
    else:
        run_seeds(options.seeds, **settings)


def _add_forecast(commands: argparse._SubParsersAction[Parser]) -> None:
    from rnn_core.series.contest import NETWORKS

    parser = commands.add_parser(
        "forecast",
        help="networks against baselines on a table of your own, or on the sunspots",
        description="Train networks on the first rows of a CSV file and judge them on later ones, beside a linear "
        "autoregression and simple baselines: one row ahead and in closed loop, with intervals and pictures. "
        "'rnn-core forecast sunspots' does it on the yearly sunspot numbers, split as in the literature.",
    )
    add = parser.add_argument
    count = functools.partial(parser.add_argument, metavar="N", type=_whole_number(1))
    names = functools.partial(parser.add_argument, metavar="A,B", type=lambda text: text.split(","))
    add("file", metavar="FILE.csv", help="a CSV file whose first line names its columns, or the word 'sunspots'")
    add("--target", metavar="COLUMN", help="what to forecast")
    names("--inputs", default=[], help="other columns to read, as they were up to the row before")
    add("--index", metavar="COLUMN", help="labels the rows, evenly spaced: by default the first column if it holds "
        "dates or numbers in equal steps; 'none' to count rows")  # fmt: skip
    count("--step", help="rows that each predictor looks back (default 12)")
    count("--lags", help="values of the target in each row that the NARX network reads (default: as --step)")
    count("--horizon", help="rows to go ahead in closed loop (default 12, or what the data allow)")
    count("--period", help="rows in a season, for one more baseline")
    add("--sqrt", action="store_true", help="the networks read square roots, which suit counts (for the sunspots: on)")
    add("--train-until", metavar="LABEL", help="the last row to train on (default: the one before the first test)")
    add("--test", metavar="SPAN", action="append", help="a part to test on: 0.2 for the last fifth (default), or "
        "1921-1955, or 2024-01-01..2024-03-31; may be given several times")  # fmt: skip
    names("--models", help=f"which networks, of {','.join(NETWORKS)} (default: all)")
    count("--seeds", help="networks of each kind, one a seed (default 3; for the sunspots 10)")
    add("--out", type=Path, metavar="FOLDER", default=Path("forecast_output"), help="where pictures and forecast.csv "
        "go (default forecast_output)")  # fmt: skip
    add("--json", action="store_true", help="print all numbers as JSON, and nothing else, to standard output")
    parser.set_defaults(run=functools.partial(_run_forecast, parser))


def _run_forecast(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.forecast_command import prepare, run

    settings = {name: value for name, value in vars(options).items() if name not in ("run", "out", "json")}
    _check_folder(parser, "--out", options.out)
    try:
        task = prepare(**{**settings, "test": options.test or ()})
    except OSError as error:
        parser.error(f"{options.file}: {error.strerror}")
    except ValueError as error:
        parser.error(" ".join(str(error).split()))
    run(task, options.out, options.json)


def _add_inspect(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser(
        "inspect",
        help="a model from inside, in one HTML file",
        description="Write one HTML file that shows a model from inside: findings, one pass forwards and backwards, "
        "how far gradients reach, every weight. 'rnn-core inspect tutorial' trains the tutorial's network and also "
        "answers what its readers ask; 'rnn-core inspect script.py:model --data x.npy --targets y.npy' takes a model "
        "of your own. The script is run, as an import would run it.",
    )
    add = parser.add_argument
    count = functools.partial(parser.add_argument, metavar="N")
    add("model", metavar="MODEL", help="'tutorial', or script.py:name or module:name of a model, of (model, x, y), or "
        "of a function that returns one of these")  # fmt: skip
    add("--data", type=Path, metavar="X.npy", help="what the model reads")
    add("--targets", type=Path, metavar="Y.npy", help="what it should predict")
    count(
        "--seed", type=_whole_number(0, 2**32 - 1), help="the tutorial: fixes all that chance has a part in (default 0)"
    )
    count("--seeds", type=_whole_number(2), help="the tutorial: networks of each kind (default 10)")
    count("--epochs", type=_whole_number(1), help="the tutorial: passes over the train part (default 100)")
    add("--out", type=Path, metavar="FILE.html", default=Path("report.html"), help="where the report goes "
        "(default report.html)")  # fmt: skip
    parser.set_defaults(run=functools.partial(_run_inspect, parser))


def _run_inspect(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.inspect_command import UsageError, inspect_model, inspect_tutorial

    if options.out.suffix.lower() not in (".html", ".htm"):
        parser.error(f"argument --out: expected a file that ends in .html, got {str(options.out)!r}")
    if options.out.is_dir():
        parser.error(f"argument --out: {options.out} is a folder")
    for_tutorial = {"--seed": options.seed, "--seeds": options.seeds, "--epochs": options.epochs}
    for_models = {"--data": options.data, "--targets": options.targets}
    tutorial = options.model == "tutorial"
    for name, value in (for_models if tutorial else for_tutorial).items():
        if value is not None:
            parser.error(f"argument {name}: not for {'the tutorial' if tutorial else 'a model of your own'}")
    seed, seeds = options.seed or 0, options.seeds or 10
    if seed + seeds > 2**32:
        parser.error(f"argument --seeds: seeds go up to 2**32 - 1, {seeds} from {seed} on go beyond")
    _check_folder(parser, "--out", options.out.parent)
    if tutorial:
        inspect_tutorial(seed, seeds, options.epochs or 100, options.out)
        return
    try:
        inspect_model(options.model, options.data, options.targets, options.out)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except UsageError as error:
        parser.error(" ".join(str(error).split()))


def _add_worksheet(commands: argparse._SubParsersAction[Parser]) -> None:
    from rnn_core.inspection.worksheet import ACTIVATIONS, MOST_STEPS, MOST_UNITS

    parser = commands.add_parser(
        "worksheet",
        help="a small network to be computed by hand, with its answers",
        description="Write two pages to print: a small recurrent network with round numbers, forwards and backwards "
        "through time with blanks to fill in, and the answers.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    number = functools.partial(parser.add_argument, metavar="N")
    number("--seed", type=_whole_number(0, 2**32 - 1), default=0, help="another seed, another sheet")
    number("--units", type=_whole_number(1, MOST_UNITS), default=2, help="hidden units")
    number("--steps", type=_whole_number(2, MOST_STEPS), default=3, help="time steps")
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu", help="of the hidden units")
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=Path("."), help="where the pages go")
    parser.set_defaults(run=functools.partial(_run_worksheet, parser))


def _run_worksheet(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.inspect_command import write_worksheet

    _check_folder(parser, "--out", options.out)
    write_worksheet(options.seed, options.units, options.steps, options.activation, options.out)


def _check_folder(parser: Parser, argument: str, folder: Path) -> None:
    """Make the folder, and refuse one that cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "not a folder" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
        parser.error(f"argument {argument}: cannot write to {folder}: {reason}")


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
