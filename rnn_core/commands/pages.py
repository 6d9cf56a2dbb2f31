"""What ``rnn-core inspect`` and ``rnn-core worksheet`` do: find a model and its data, train, write pages.

A model comes from Python that makes it, never from a pickle: ``script.py:name`` or ``module:name`` is the user's own
code, run as an import would run it.
"""

from __future__ import annotations

import importlib
import runpy
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection import worksheet
from rnn_core.inspection.pages import html
from rnn_core.inspection.pages.model_report import glance, model_sections, report
from rnn_core.models import Model
from rnn_core.series import Windows
from rnn_core.tutorial import Tutorial
from rnn_core.tutorial.questions import questions

Array = NDArray[Any]

SCRIPT_NAME = "__inspect__"
"""What ``__name__`` is while a script is run, so that its ``if __name__ == "__main__"`` part stays out."""

_ELSEWHERE = {
    ".keras": "a Keras file: load it with parity.from_keras(keras.models.load_model(...)) in a script, and name that "
    "as script.py:model",
    ".npz": "weights without a model: make the model and load_weights(...) in a script, and name that as "
    "script.py:model",
    ".pkl": "a pickle, which can run any code when it is opened: make the model in a script, and name that as "
    "script.py:model",
}
_ELSEWHERE |= dict.fromkeys((".h5", ".hdf5"), _ELSEWHERE[".keras"])
_ELSEWHERE |= dict.fromkeys((".pickle", ".joblib"), _ELSEWHERE[".pkl"])


class UsageError(ValueError):
    """What was asked for can't be done: the command line prints its one line."""


def load_model(name: str) -> tuple[Model, Any, Any]:
    """Return a model, with x and y where its maker returns them too, from ``script.py:name`` or ``module:name``.

    What is named is a model, a tuple (model, x, y), or a function without arguments that returns one of the two.

    Raises
    ------
    UsageError
        If there is nothing of that name, or it is no model, or its code raises.
    """
    if Path(name).suffix in _ELSEWHERE:
        raise UsageError(f"{name} is {_ELSEWHERE[Path(name).suffix]}.")
    source, colon, attribute = name.rpartition(":")
    if not colon or not source or not attribute:
        raise UsageError(f"MODEL must be 'tutorial', script.py:name or module:name, got {name!r}.")
    names = _run(source, lambda: _names_of(source))
    if attribute not in names:
        found = sorted(key for key, value in names.items() if isinstance(value, Model))
        raise UsageError(f"{source} has no {attribute!r}" + (f"; its models are {', '.join(found)}." if found else "."))
    made = names[attribute]
    if callable(made) and not isinstance(made, Model):
        made = _run(name, made)
    model, x, y = made if isinstance(made, tuple) and len(made) == 3 else (made, None, None)
    if not isinstance(model, Model):
        raise UsageError(f"{name} must be a model, or (model, x, y), or a function that returns one of these; "
                         f"got {type(model).__name__}.")  # fmt: skip
    return model, x, y


def load_array(path: Path) -> Array:
    """Return the array of an .npy file; a pickle in it is refused, and so is what only has the name."""
    if path.suffix != ".npy":
        raise UsageError(f"{path} must be an .npy file, as np.save writes it.")
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UsageError(f"{path} is not a whole .npy file of numbers: {error}") from error


def inspect_model(name: str, data: Path | None, targets: Path | None, out: Path) -> None:
    """Write the report on a model of the user's own."""
    model, x, y = load_model(name)
    x = x if data is None else load_array(data)
    y = y if targets is None else load_array(targets)
    if x is None or (y is None and not isinstance(x, Windows)):
        raise UsageError("no data: give --data x.npy and --targets y.npy, or let what is named return (model, x, y).")
    tell = _Progress()
    try:
        report(model, x, y, out, history=getattr(model, "history", None), title=f"Inside {name}", progress=tell)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    tell.done(out)


def inspect_tutorial(seed: int, seeds: int, epochs: int, out: Path) -> None:
    """Train the tutorial's network, with what it is compared with, and write the report."""
    tell = _Progress()
    tell(f"the tutorial's network, {epochs:,} epochs")
    tutorial = Tutorial(seed)
    history = tutorial.model.fit(tutorial.train, validation_data=tutorial.test, epochs=epochs, batch_size=16, verbose=0)
    sections = questions(seed, seeds, epochs, tell)
    test = tutorial.test.without_padding()
    sections += model_sections(tutorial.model, test, history=history, progress=tell)
    lead = (
        f"A noisy sine, x = sin(0.02 t) + 2 * rand, and a network that predicts each value from the four before it. "
        f"{glance(tutorial.model)} First what readers of the tutorial ask, then the network from inside, on the test "
        f"part. Every number was computed from networks that were trained for this page: seed {seed}, {epochs:,} "
        f"epochs, and {seeds} seeds where chance plays a part."
    )
    html.write(out, html.page("Inside the tutorial's network", [html.paragraph(lead)], sections))
    tell.done(out)


def write_worksheet(seed: int, units: int, timesteps: int, activation: str, out: Path) -> None:
    """Write the exercise and its answers into a folder."""
    for path in worksheet(units=units, timesteps=timesteps, activation=activation, seed=seed).save(out):
        print(path)


class _Progress:
    """A line for each thing that is done, with the seconds since the start; in a terminal the seeds share one line."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.open_line = ""

    def __call__(self, what: str) -> None:
        head = what.partition(": seed")[0]
        line = f"{time.perf_counter() - self.start:6.1f} s  {what}"
        if not sys.stdout.isatty():
            if head != self.open_line:
                print(line, flush=True)
        else:
            same = head == self.open_line
            print(f"\r\x1b[K{line}" if same else ("\n" if self.open_line else "") + line, end="", flush=True)
        self.open_line = head

    def done(self, out: Path) -> None:
        """Say what was written."""
        size = out.stat().st_size / 1e6
        print("\n" if sys.stdout.isatty() else "", end="")
        print(f"{out}  ({size:.1f} MB, one file that needs nothing else)")


def _run(source: str, code: Callable[[], Any]) -> Any:
    """Run the user's code; what it raises becomes one line with its place."""
    try:
        return code()
    except UsageError:
        raise
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)
        inside = [f"{place.filename}:{place.lineno}: " for place in places if "rnn_core" not in place.filename]
        place = next((p for p in reversed(inside) if "<frozen" not in p and "importlib" not in p), "")
        raise UsageError(f"{source} failed: {place}{type(error).__name__}: {error}") from error


def _names_of(source: str) -> dict[str, Any]:
    if source.endswith(".py"):
        if not Path(source).is_file():
            raise UsageError(f"there is no file {source}.")
        folder = str(Path(source).resolve().parent)
        load: Callable[[], dict[str, Any]] = lambda: runpy.run_path(source, run_name=SCRIPT_NAME)  # noqa: E731
    else:
        folder = str(Path.cwd())
        load = lambda: vars(importlib.import_module(source))  # noqa: E731
    sys.path.insert(0, folder)  # what the code imports may lie beside it
    try:
        return dict(load())
    except ModuleNotFoundError as error:
        if error.name != source.partition(".")[0]:
            raise
        raise UsageError(f"there is no module {source}.") from error
    finally:
        sys.path.remove(folder)
