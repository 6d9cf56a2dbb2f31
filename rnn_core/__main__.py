"""The command line: ``rnn-core tutorial``, ``forecast``, ``inspect``, ``worksheet``, ``text``.

Every command adds its own parser, checks its arguments before any work starts, and runs. Bad arguments: one line
and exit status 2. What else goes wrong with a file: one line and status 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rnn_core import __version__
from rnn_core.commands import forecast, inspect, text, tutorial, worksheet
from rnn_core.commands.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = Parser(prog="rnn-core", description="Recurrent networks in pure NumPy, with Keras' API.")
    parser.add_argument("--version", action="version", version=f"rnn-core {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (tutorial, forecast, inspect, worksheet, text):
        command.add(commands)
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 2
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"rnn-core: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
