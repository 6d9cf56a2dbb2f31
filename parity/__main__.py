"""The command line: ``rnn-parity``, also ``python -m parity``. Keras and rnn_core side by side.

::

    rnn-parity                                   the tutorial's model, checked and trained in lockstep
    rnn-parity check MODEL.keras [--data X.npy]  a Keras file of your own
    rnn-parity fuzz --cases N --seed S           random models
    rnn-parity sharpness --cases N --seed S      what size of fault the check finds in them

Exit status 0: all holds. 1: something does not. 2: bad arguments, or no TensorFlow; that is one line.
Results go to stdout, with ``--json`` as one JSON document, progress goes to stderr. TensorFlow's greetings are held
back while it is imported, unless ``TF_CPP_MIN_LOG_LEVEL`` is set: then they are the user's wish.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from parity.backend import require_keras
from parity.commands.arguments import parsed
from parity.commands.terminal import UsageError, show, without_greetings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser, options = parsed(arguments)
    try:
        with without_greetings():
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
        show("\n\n".join(texts))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
