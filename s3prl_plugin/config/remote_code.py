"""Whether code that comes with a model may run: only where --trust_remote_code stands on the command line."""

from __future__ import annotations

import argparse

FLAG = "--trust_remote_code"
_allowed = False


def add_flag(parser: argparse._ActionsContainer) -> None:
    """Give a command the flag."""
    parser.add_argument(
        FLAG,
        action="store_true",
        help="Run the Python code that comes with a model of Hugging Face (-u hf); read it first",
    )


def take_flag(args: argparse.Namespace) -> None:
    """Take the flag out of the arguments, which are kept in files, so that no file can give it."""
    global _allowed
    _allowed = bool(vars(args).pop("trust_remote_code", False))


def is_allowed() -> bool:
    """Whether it was given."""
    return _allowed
