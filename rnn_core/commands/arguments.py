"""The parser of the commands, and what they check alike: whole numbers, positive numbers, folders."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias


class Parser(argparse.ArgumentParser):
    """argparse's parser, with one line for an error in place of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def whole_number(smallest: int, largest: int | None = None) -> Callable[[str], int]:
    """Return an argparse type: a whole number from `smallest` to `largest`."""
    expected = f"of at least {smallest}" if largest is None else f"from {smallest} to {largest}"

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = smallest - 1
        if number < smallest or (largest is not None and number > largest):
            raise argparse.ArgumentTypeError(f"expected a whole number {expected}, got {text!r}")
        return number

    return parse


def positive_number(text: str) -> float:
    """Return a finite number above 0, as an argparse type."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def check_folder(parser: Parser, argument: str, folder: Path) -> None:
    """Refuse a folder that cannot be written to, or made; it is made when there is something to put in it."""
    try:
        with tempfile.TemporaryFile(dir=next(place for place in (folder, *folder.parents) if place.exists())):
            pass
    except OSError as error:
        reason = "not a folder" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
        parser.error(f"argument {argument}: cannot write to {folder}: {reason}")
