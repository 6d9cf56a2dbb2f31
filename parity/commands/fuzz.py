"""``rnn-parity fuzz``: random models through the check."""

from __future__ import annotations

import argparse

from parity.commands.terminal import Outcome, Progress


def run(options: argparse.Namespace) -> Outcome:
    """Check the cases."""
    from parity.fuzzing.run import fuzz

    result = fuzz(options.cases, options.seed, progress=Progress("fuzz, cases"))
    return result.to_dict(), result.holds, [str(result)]
