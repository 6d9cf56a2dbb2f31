"""``rnn-core inspect``: a model from inside, in one HTML file."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from rnn_core.commands.arguments import Commands, Parser, check_folder, whole_number


def add(commands: Commands) -> None:
    """Add the command's parser."""
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
        "--seed", type=whole_number(0, 2**32 - 1), help="the tutorial: fixes all that chance has a part in (default 0)"
    )
    count("--seeds", type=whole_number(2), help="the tutorial: networks of each kind (default 10)")
    count("--epochs", type=whole_number(1), help="the tutorial: passes over the train part (default 100)")
    add("--out", type=Path, metavar="FILE.html", default=Path("report.html"), help="where the report goes "
        "(default report.html)")  # fmt: skip
    parser.set_defaults(run=functools.partial(_run, parser))


def _run(parser: Parser, options: argparse.Namespace) -> None:
    from rnn_core.commands.pages import UsageError, inspect_model, inspect_tutorial

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
    check_folder(parser, "--out", options.out.parent)
    if tutorial:
        inspect_tutorial(seed, seeds, options.epochs or 100, options.out)
        return
    try:
        inspect_model(options.model, options.data, options.targets, options.out)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except UsageError as error:
        parser.error(" ".join(str(error).split()))
