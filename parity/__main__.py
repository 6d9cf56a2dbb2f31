"""The command line: ``rnn-parity``, also ``python -m parity``. Keras and rnn_core side by side.

::

    rnn-parity                                   the tutorial's model, checked and trained in lockstep
    rnn-parity check MODEL.keras [--data X.npy]  a Keras file of your own
    rnn-parity fuzz --cases N --seed S           random models

Exit status 0: all holds. 1: something does not. 2: bad arguments, or no TensorFlow; that is one line.
Results go to stdout, with ``--json`` as one JSON document, progress goes to stderr. TensorFlow's greetings are held
back while it is imported, unless ``TF_CPP_MIN_LOG_LEVEL`` is set: then they are the user's wish.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from parity.parts import all_parts
from rnn_core.layers import Embedding
from rnn_core.several import as_list, rows, unpacked

if TYPE_CHECKING:
    from rnn_core.models import Model

BATCH, TIMESTEPS = 8, 6  # of random data, where the model leaves them open
SAMPLES = 64  # at most, of a user's data: a check takes one batch, and more would only make rounding an average
PICTURES = (".png", ".svg", ".pdf")
WIDEST = 120  # columns; longer lines are hard to read


class Parser(argparse.ArgumentParser):
    """argparse's parser, with one line for an error in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class Progress:
    """How far long work is, on stderr: a line that is drawn again, or in a file or pipe a line now and then.

    Parameters
    ----------
    what : str
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.terminal = sys.stderr.isatty()
        self.interval = 0.2 if self.terminal else 10.0
        self.start = self.shown = time.monotonic()

    def __call__(self, done: int, total: int, failures: int | None = None) -> None:
        """Show that `done` of `total` is done."""
        now = time.monotonic()
        if now - self.shown < self.interval and done < total:
            return
        self.shown = now
        left = (now - self.start) / max(done, 1) * (total - done)
        failed = "" if failures is None else f", {failures:,} failed"
        text = f"{self.what}: {done:,} of {total:,}{failed}, {left:.0f} s left"
        if self.terminal:
            text = f"\r\x1b[K{text}" if done < total else "\r\x1b[K"
            print(text, end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser, options = _parsed(arguments)
    from parity.backend import require_keras

    try:
        with _without_greetings():
            require_keras()
        found, holds, texts = options.run(options)
    except ImportError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except UsageError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(found, indent=2, allow_nan=False))
    else:
        _show("\n\n".join(texts))
    return 0 if holds else 1


@contextmanager
def _without_greetings() -> Iterator[None]:
    """Hold back what is written to file descriptor 2: TensorFlow logs there before it reads its own settings."""
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _show(text: str) -> None:
    """Print a text, on a terminal with what is bad in red."""
    from rich.console import Console
    from rich.text import Text

    shown = Text(text)
    shown.highlight_regex(r"\b(BAD|FAILS|do not hold|Not all holds)\b", "bold red")
    Console().print(shown, soft_wrap=True)


def _width() -> int:
    """Return the columns to print in: 80 in a pipe, else the terminal's, within what can be read."""
    from parity.report import NARROWEST

    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)


class UsageError(ValueError):
    """What the user gave cannot be used; the message is one line."""


Outcome = tuple[dict[str, Any], bool, list[str]]
"""What goes to JSON, whether all holds, and the texts for people."""


def _parsed(arguments: Sequence[str] | None) -> tuple[Parser, argparse.Namespace]:
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
    parser.set_defaults(run=_run_tutorial)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    check = commands.add_parser("check", parents=[json_flag, verbose_flag], help="check a Keras file of your own")
    check.add_argument("model", type=Path, metavar="MODEL.keras")
    check.add_argument(
        "--data",
        type=Path,
        metavar="X.npy",
        help=f"inputs, of which at most {SAMPLES} samples are taken; of a model with several an .npz file with their "
        "names (default: random numbers)",
    )
    check.set_defaults(run=_run_check)
    fuzz = commands.add_parser("fuzz", parents=[json_flag], help="check random models")
    fuzz.add_argument("--cases", type=_whole(1), default=100, metavar="N", help="how many (default: %(default)s)")
    fuzz.add_argument("--seed", type=_whole(0), default=0, metavar="S", help="of the first case (default: %(default)s)")
    fuzz.set_defaults(run=_run_fuzz)
    options = parser.parse_args(arguments)
    if 0 < options.seeds < 7:
        parser.error(f"argument --seeds: with fewer than 7 seeds no difference could be told, got {options.seeds}")
    if options.picture and not options.picture.parent.is_dir():
        parser.error(f"argument --picture: there is no folder {str(options.picture.parent)!r}")
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


# The tutorial.


def _run_tutorial(options: argparse.Namespace) -> Outcome:
    from parity.causes import find_cause
    from parity.checking import check
    from parity.distribution import distribution
    from parity.drift_picture import drift
    from parity.lockstep import tutorial_lockstep
    from rnn_core.series import LAYOUTS
    from rnn_core.tutorial import Tutorial

    found: dict[str, list[Any]] = {"check": [], "lockstep": [], "distribution": []}
    texts, holds, runs = [], True, []
    for layout in LAYOUTS:
        task = Tutorial(layout=layout)
        x, y = task.train.inputs[:16], task.train.targets[:16]
        report = check(task.model, x, y)
        find_cause(task.model, x, y, report=report)
        report.model = f"tutorial, {layout}"
        found["check"].append(report.to_dict())
        texts.append(report.text(_width(), options.verbose))
        holds = holds and report.holds
    for layout in LAYOUTS:
        for dtype in ("float64", "float32"):
            progress = Progress(f"lockstep, {layout}, {dtype}, steps")
            run = tutorial_lockstep(options.seed, layout, dtype, options.epochs, progress)
            runs.append(run)
            found["lockstep"].append(run.as_dict())
            texts.append(str(run))
            holds = holds and run.holds
    if options.picture:
        drift(runs).savefig(options.picture, dpi=100)
    for layout in LAYOUTS if options.seeds else ():
        seeds = distribution(options.seeds, layout, epochs=options.epochs, progress=Progress(f"{layout}, models"))
        found["distribution"].append(seeds.as_dict())
        texts.append(str(seeds))
        holds = holds and seeds.holds
    texts.append("All holds." if holds else "Not all holds: see above.")
    return {"holds": holds, **found}, holds, texts


# A Keras file.


def _run_check(options: argparse.Namespace) -> Outcome:
    from parity.causes import find_cause
    from parity.checking import check
    from parity.convert import from_keras

    keras_model = _loaded(options.model)
    try:
        model = from_keras(keras_model)
        x, note = _data(options.data, model) if options.data else _random_data(model)
        y = _targets(model, x)
        report = check(model, x, y, keras_model=keras_model)
        find_cause(model, x, y, keras_model=keras_model, report=report)
        report.notes.append(note)
    except (ValueError, TypeError) as error:
        raise UsageError(" ".join(str(error).split())) from error
    return report.to_dict(), report.holds, [report.text(_width(), options.verbose)]


def _loaded(path: Path) -> Any:
    """Return the model in a Keras file."""
    from parity.backend import require_keras
    from parity.jordan import JordanCell, JordanRNN
    from parity.objects import ParametrisedActivation

    try:
        known = {cls.__name__: cls for cls in (ParametrisedActivation, JordanCell, JordanRNN)}
        return require_keras().saving.load_model(path, custom_objects=known)
    except Exception as error:  # Keras raises whatever comes up
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"Keras cannot load {str(path)!r}: {said}") from error


def _data(path: Path, model: Model) -> tuple[Any, str]:
    """Return samples from all over the arrays in a file, at most one batch, and a note of what was taken."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # only what is taken is read
        if several := not isinstance(found, np.ndarray):
            with found as archive:
                arrays = dict(archive)
        else:
            arrays = {"x": found}
    except (OSError, ValueError, EOFError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"argument --data: cannot read an array from {str(path)!r}: {said}") from error
    names = model.input_names if len(model.graph.inputs) > 1 else ["x"]
    if several and len(names) == 1:
        raise UsageError(f"argument --data: {str(path)!r} has several arrays; one is needed, as np.save writes it")
    if set(arrays) != set(names):
        raise UsageError(
            f"argument --data: the model has the inputs {', '.join(names)}; give an .npz file with an array for each, "
            "as np.savez writes it"
        )
    counts = {len(x) if x.ndim else 0 for x in arrays.values()}
    if 0 in counts:
        shapes = ", ".join(str(x.shape) for x in arrays.values())
        raise UsageError(f"argument --data: {str(path)!r} has no samples, its shape is {shapes}")
    if len(counts) > 1:
        raise UsageError(f"argument --data: {str(path)!r} has arrays of {sorted(counts)} samples; all need as many")
    (count,) = counts
    rows = np.unique(np.linspace(0, count - 1, min(model._fixed_batch() or SAMPLES, count)).astype(int))
    spread = "" if len(rows) == count else ", spread evenly over the file"
    note = f"data: {len(rows):,} of the {count:,} samples in {path.name}{spread}"
    taken = [np.array(arrays[name][rows]) for name in names]
    return model.checked_input(taken if len(names) > 1 else taken[0]), note


def _random_data(model: Model) -> tuple[Any, str]:
    """Return random numbers in the shapes that the model expects, indices where it looks them up, and a note."""
    if not model.built:
        raise UsageError("the model is not built: it says no input shape; give a batch of inputs with --data")
    shapes = model.input_shape if len(model.graph.inputs) > 1 else [model.input_shape]
    random, batch = np.random.default_rng(0), model._fixed_batch() or BATCH
    found: list[Any] = []
    said: list[str] = []
    for place, (_, *sizes) in zip(model.graph.inputs, shapes, strict=True):
        shape = (batch, *(size or TIMESTEPS for size in sizes))
        tables = [
            part
            for step in model.graph.steps
            if place in step.sources
            for part in all_parts([step.layer])
            if isinstance(part, Embedding)
        ]
        if not tables:
            found.append(random.standard_normal(shape))
            said.append(f"standard normal random numbers, shape {shape}")
            continue
        count = min(part.input_dim for part in tables)
        x = random.integers(min(1, count - 1), count, shape)
        if sizes and any(part.mask_zero for part in tables):
            x[1::2, -1] = 0  # a mask, and not of a first step: there Keras on TensorFlow forgets an initial state
        found.append(x)
        said.append(f"indices below {count}, shape {shape}")
    return unpacked(found), f"data: {'; '.join(said)}"


def _targets(model: Model, x: Any) -> Any:
    """Return random targets that any loss takes, for each output; None for a model without a loss."""
    if not model.compiled or model.loss is None:
        return None
    random = np.random.default_rng(1)
    outputs = model.predict(x, verbose=0, batch_size=rows(x))
    if isinstance(outputs, dict):
        outputs = [outputs[name] for name in model.output_names]
    losses = getattr(model.loss, "losses", [model.loss])
    return unpacked(
        [_target(loss, np.shape(output), random) for loss, output in zip(losses, as_list(outputs), strict=True)]
    )


def _target(loss: Any, shape: tuple[int, ...], random: np.random.Generator) -> Any:
    classes = random.integers(0, shape[-1], shape[:-1])
    if "sparse" in str(loss).lower() or "Sparse" in type(loss).__name__:
        return classes
    return np.eye(shape[-1])[classes] if shape[-1] > 1 else random.random(shape)


# Random models.


def _run_fuzz(options: argparse.Namespace) -> Outcome:
    from parity.fuzz import fuzz

    result = fuzz(options.cases, options.seed, progress=Progress("fuzz, cases"))
    return result.to_dict(), result.holds, [str(result)]


if __name__ == "__main__":
    sys.exit(main())
