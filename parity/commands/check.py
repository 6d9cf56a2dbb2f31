"""``rnn-parity check MODEL.keras``: a Keras file of the user's own, taken over and checked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parity.commands.sample_data import data_from_file, random_data, targets
from parity.commands.terminal import Outcome, UsageError, width


def run(options: argparse.Namespace) -> Outcome:
    """Load the file and check what it holds."""
    from parity.causes.search import find_cause
    from parity.checking.run import check
    from parity.conversion.models import from_keras

    keras_model = _loaded(options.model)
    try:
        model = from_keras(keras_model)
        x, note = data_from_file(options.data, model) if options.data else random_data(model)
        y = targets(model, x)
        report = check(model, x, y, keras_model=keras_model)
        find_cause(model, x, y, keras_model=keras_model, report=report)
        report.notes.append(note)
    except (ValueError, TypeError) as error:
        raise UsageError(" ".join(str(error).split())) from error
    return report.to_dict(), report.holds, [report.text(width(), options.verbose)]


def _loaded(path: Path) -> Any:
    """Return the model in a Keras file."""
    from parity.backend import require_keras
    from parity.conversion.objects import ParametrisedActivation
    from parity.jordan import JordanCell, JordanRNN

    try:
        known = {cls.__name__: cls for cls in (ParametrisedActivation, JordanCell, JordanRNN)}
        return require_keras().saving.load_model(path, custom_objects=known)
    except Exception as error:  # Keras raises whatever comes up
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"Keras cannot load {str(path)!r}: {said}") from error
