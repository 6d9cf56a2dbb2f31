"""``rnn-core forecast``: networks against baselines on a table."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from rnn_core.commands.arguments import Commands, Parser, check_folder, whole_number


def add(commands: Commands) -> None:
    """Add the command's parser."""
    from rnn_core.contest.networks import NETWORKS

    parser = commands.add_parser(
        "forecast",
        help="networks against baselines on a table of your own, or on the sunspots",
        description="Train networks on the first rows of a CSV file and judge them on later ones, beside a linear "
        "autoregression and simple baselines: one row ahead and in closed loop, with intervals and pictures. "
        "'rnn-core forecast sunspots' does it on the yearly sunspot numbers, split as in the literature.",
    )
    add = parser.add_argument
    count = functools.partial(parser.add_argument, metavar="N", type=whole_number(1))
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
    parser.set_defaults(run=functools.partial(_run, parser))


def _run(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.contest.command import run
    from rnn_core.contest.task import prepare

    settings = {name: value for name, value in vars(options).items() if name not in ("run", "out", "json")}
    check_folder(parser, "--out", options.out)
    try:
        task = prepare(**{**settings, "test": options.test or ()})
    except OSError as error:
        parser.error(f"{options.file}: {error.strerror}")
    except ValueError as error:
        parser.error(" ".join(str(error).split()))
    run(task, options.out, options.json)
