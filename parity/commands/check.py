"""``rnn-parity check MODEL.keras``: a Keras file of the user's own, taken over and checked."""

from __future__ import annotations

import argparse
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from parity.commands.sample_data import data_from_file, random_data, targets
from parity.commands.terminal import Outcome, UsageError, doing, width


def run(options: argparse.Namespace) -> Outcome:
    """Load the file and check what it holds."""
    from parity.backend import floatx
    from parity.causes.search import find_cause
    from parity.checking.run import check
    from parity.conversion.models import converted

    doing("loading the model")
    try:
        keras_model = _loaded(options.model)
        model = converted(keras_model)
        if "float64" in {layer.dtype for layer in model.layers}:  # Keras makes a loss in floatx; no file holds it
            with floatx("float64"):
                keras_model = _loaded(options.model)
                model = converted(keras_model)
        x, note = data_from_file(options.data, model) if options.data else random_data(model)
        if not keras_model.built:  # its weights are drawn now
            keras_model.build(np.shape(x))
            model = converted(keras_model)
        y = targets(model, x)
        doing("comparing both sides")
        report = check(model, x, y, keras_model=keras_model)
        if not report.holds:
            doing("looking for the cause")
            find_cause(model, x, y, keras_model=keras_model, report=report)
        report.notes.append(note)
    except (ValueError, TypeError) as error:
        raise UsageError(" ".join(str(error).split())) from error
    finally:
        doing("")
    return report.to_dict(), report.holds, [report.text(width(), options.verbose)]


def _loaded(path: Path) -> Any:
    """Return the model in a Keras file."""
    from parity.backend import require_keras
    from parity.conversion.objects import ParametrisedActivation
    from parity.jordan import JordanCell, JordanRNN

    if path.suffix == ".keras" and path.is_file() and not zipfile.is_zipfile(path):
        raise UsageError(f"{str(path)!r} is no Keras file: a .keras file is a zip archive")
    try:
        known = {cls.__name__: cls for cls in (ParametrisedActivation, JordanCell, JordanRNN)}
        with warnings.catch_warnings():
            # A compiled model that has not been trained has an optimizer that is not built.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            return require_keras().saving.load_model(path, custom_objects=known)
    except Exception as error:  # Keras raises whatever comes up
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"Keras cannot load {str(path)!r}: {said}") from error
