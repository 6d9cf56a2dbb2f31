"""What the commands take."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from parity.commands import check, fuzz, sharpness, tutorial
from parity.commands.sample_data import SAMPLES

PICTURES = (".png", ".svg", ".pdf")


class Parser(argparse.ArgumentParser):
    """argparse's parser, with one line for an error in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parsed(arguments: Sequence[str] | None) -> tuple[Parser, argparse.Namespace]:
    """Return the parser and what was asked for, or leave with status 2 and one line."""
    parser = Parser(
        prog="rnn-parity",
        description="Hold rnn_core against Keras. Without a command: the tutorial's model, in both layouts, through "
        "the check and through lockstep training.",
    )
    json_flag = Parser(add_help=False)
    json_flag.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    verbose_flag = Parser(add_help=False)
    every = "print every quantity, not the worst of each group"
    verbose_flag.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help=every)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--verbose", action="store_true", help=every)
    parser.add_argument("--epochs", type=_whole(1), default=100, metavar="N", help="of lockstep (default: %(default)s)")
    parser.add_argument("--seed", type=_whole(0), default=0, metavar="S", help="of lockstep (default: %(default)s)")
    parser.add_argument(
        "--seeds", type=_whole(0), default=0, metavar="N", help="also compare N seeds of both engines, at least 7"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the drift over the steps of lockstep")
    parser.set_defaults(run=tutorial.run)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    check_parser = commands.add_parser(
        "check", parents=[json_flag, verbose_flag], help="check a Keras file of your own"
    )
    check_parser.add_argument("model", type=Path, metavar="MODEL.keras")
    check_parser.add_argument(
        "--data",
        type=Path,
        metavar="X.npy",
        help=f"inputs, of which at most {SAMPLES} samples are taken; of a model with several an .npz file with their "
        "names (default: random numbers)",
    )
    check_parser.set_defaults(run=check.run)
    random_flags = Parser(add_help=False)
    random_flags.add_argument(
        "--cases", type=_whole(1), default=100, metavar="N", help="how many (default: %(default)s)"
    )
    random_flags.add_argument(
        "--seed", type=_whole(0), default=0, metavar="S", help="of the first case (default: %(default)s)"
    )
    for name, command, told in (
        ("fuzz", fuzz, "check random models"),
        ("sharpness", sharpness, "put faults into random models, and count what the check finds"),
    ):
        commands.add_parser(name, parents=[json_flag, random_flags], help=told).set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    if 0 < options.seeds < 7:
        parser.error(f"argument --seeds: with fewer than 7 seeds no difference could be told, got {options.seeds}")
    if options.picture and not options.picture.parent.is_dir():
        parser.error(f"argument --picture: there is no folder {str(options.picture.parent)!r}")
    if options.picture and options.picture.is_dir():
        parser.error(f"argument --picture: {str(options.picture)!r} is a folder")
    if options.picture and options.picture.suffix.lower() not in PICTURES:
        parser.error(
            f"argument --picture: expected a name that ends in {', '.join(PICTURES)}, got {str(options.picture)!r}"
        )
    for path in (getattr(options, "model", None), getattr(options, "data", None)):
        if path is not None and not path.is_file():
            parser.error(f"there is no file {str(path)!r}")
    return parser, options


def _whole(smallest: int) -> Callable[[str], int]:
    """Return an argparse type: a whole number of at least `smallest`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = smallest - 1
        if number < smallest:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {smallest}, got {text!r}")
        return number

    return parse
