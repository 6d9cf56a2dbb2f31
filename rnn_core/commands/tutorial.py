"""``rnn-core tutorial``: the tutorial's network on a noisy sine."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from rnn_core.commands.arguments import Commands, Parser, check_folder, whole_number


def add(commands: Commands) -> None:
    """Add the command's parser."""
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
    number("--seed", type=whole_number(0, 2**32 - 1), default=0, help="fixes the series, initial weights and shuffles")
    number("--seeds", type=whole_number(1), default=1, help="train N seeds and print how the final losses spread")
    number("--epochs", type=whole_number(1), default=100, help="passes over the train part")
    number("--batch-size", type=whole_number(1), default=16, help="windows for each update of the weights")
    number(
        "--step",
        type=whole_number(1, SAMPLES - TRAIN_SAMPLES - 1),
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
    parser.set_defaults(run=functools.partial(_run, parser))


def _run(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.tutorial.command import run, run_seeds

    if options.seed + options.seeds > 2**32:
        parser.error(f"argument --seeds: seeds go up to 2**32 - 1, {options.seeds} from {options.seed} on go beyond")
    check_folder(parser, "--output", options.output)
    settings = {
        name: getattr(options, name)
        for name in ("seed", "epochs", "batch_size", "step", "layout", "dtype", "output", "verbose")
    }
    if options.seeds == 1:
        run(**settings)
    else:
        run_seeds(options.seeds, **settings)
