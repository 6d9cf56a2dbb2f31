"""``rnn-core worksheet``: a small network to be computed by hand."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from rnn_core.commands.arguments import Commands, Parser, check_folder, whole_number


def add(commands: Commands) -> None:
    """Add the command's parser."""
    from rnn_core.inspection.pages.exercise import ACTIVATIONS, MOST_STEPS, MOST_UNITS

    parser = commands.add_parser(
        "worksheet",
        help="a small network to be computed by hand, with its answers",
        description="Write two pages to print: a small recurrent network with round numbers, forwards and backwards "
        "through time with blanks to fill in, and the answers.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    number = functools.partial(parser.add_argument, metavar="N")
    number("--seed", type=whole_number(0, 2**32 - 1), default=0, help="another seed, another sheet")
    number("--units", type=whole_number(1, MOST_UNITS), default=2, help="hidden units")
    number("--steps", type=whole_number(2, MOST_STEPS), default=3, help="time steps")
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu", help="of the hidden units")
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=Path("."), help="where the pages go")
    parser.set_defaults(run=functools.partial(_run, parser))


def _run(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.commands.pages import write_worksheet

    check_folder(parser, "--out", options.out)
    write_worksheet(options.seed, options.units, options.steps, options.activation, options.out)
