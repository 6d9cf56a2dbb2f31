"""``rnn-parity sharpness``: what size of fault the check finds."""

from __future__ import annotations

import argparse

from parity.commands.terminal import Outcome, Progress


def run(options: argparse.Namespace) -> Outcome:
    """Measure it; there is nothing that could fail."""
    from parity.fuzzing.sharpness import sharpness

    result = sharpness(options.cases, options.seed, progress=Progress("sharpness, cases"))
    return result.to_dict(), True, [str(result)]
