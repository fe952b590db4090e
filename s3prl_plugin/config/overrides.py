"""`-o config.KEY.KEY=VALUE,,args.NAME=VALUE`: read as plain values, never run."""

from __future__ import annotations

import argparse
import ast
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from s3prl_plugin import config as configuration
from s3prl_plugin.errors import UserError, did_you_mean

WORDS = {"true": True, "false": False, "null": None, "~": None}  # `none` is a choice of some options
_KINDS = {bool: "true or false", int: "a whole number", str: "text"}
OPENING = ("[", "{", "'", '"')


class Override(NamedTuple):
    """One change.

    Attributes:
        option: as it was given, for messages.
        root: "config" or "args".
        keys: where below it.
        value: what shall stand there.
    """

    option: str
    root: str
    keys: tuple[str, ...]
    value: Any

    def error(self, message: str) -> UserError:
        """The error for this change."""
        return UserError(f"-o {self.option}: {message}")


def parse(text: str | None) -> list[Override]:
    """What -o says.

    Args:
        text: changes separated by `,,`; what stands before the first `=` of each is its key.

    Raises:
        UserError: a change is not of that form, or its value is no plain value.
    """
    if text is None or text.lower() == "none":
        return []
    found = []
    for option in (part.strip() for part in text.split(",,")):
        key, sign, value = option.partition("=")
        root, *keys = (part.strip() for part in key.split("."))
        if not sign or root not in ("args", "config") or not keys or not all(keys):
            raise UserError(f"-o {option}: write config.KEY=VALUE or args.NAME=VALUE, separated by ,,")
        change = Override(option, root, tuple(keys), None)
        try:
            change = change._replace(value=read_value(value))
        except UserError as error:
            raise change.error(str(error)) from None
        if root == "config":
            configuration.refuse_code(_nested(change), _raised_by(change))
        found.append(change)
    return found


def _raised_by(change: Override) -> Callable[[Any, str], UserError]:
    """What makes the error of one option."""
    return lambda _, message: change.error(message)


def read_value(text: str) -> Any:
    """A plain value: a number, true, false, null, a list or mapping (as YAML or Python writes them), else the text.

    Raises:
        UserError: a bracket or quote is left open, or it asks for arithmetic.
    """
    text = text.strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    if text.startswith(OPENING):
        try:
            return configuration.parse(text)
        except UserError as error:
            raise UserError(f"the value cannot be read ({error}); is a bracket or a quote missing?") from None
    if text.startswith("("):
        raise UserError("the value cannot be read; is a bracket or a quote missing?")
    if re.fullmatch(r"[\d.eE+\-*/() ]*\d *[*/+] *[\d(][\d.eE+\-*/() ]*", text):
        raise UserError(f"{text} is not computed; give the number, or the text in quotes")
    return text


def apply(text: str | None, args: argparse.Namespace, config: dict[str, Any]) -> None:
    """Do as -o says, in place; used instead of s3prl's own function, which runs the values.

    Raises:
        UserError: as `parse`, or it names an argument that there is none of, or a place that cannot hold keys.
    """
    for change in parse(text):
        print(f"[Override] - {change.option}", file=sys.stderr)
        if change.root == "args":
            put_argument(change, args, vars(args))
        else:
            put(change, config)


def put_argument(change: Override, args: argparse.Namespace, known: Any) -> None:
    """Change one of the arguments that are `known`.

    Raises:
        UserError: it is not, or is of another kind.
    """
    name = ".".join(change.keys)
    if name in ("hub", "from_hf_hub"):
        raise change.error("code from a hub is run for the flag --hub only")
    if name not in known:
        raise change.error(f"there is no argument {name!r}; {did_you_mean(name, known)}")
    present = getattr(args, name)
    kind = type(present) if present is not None else None if isinstance(change.value, (int, str)) else str
    if kind is not None and type(change.value) is not kind:
        raise change.error(f"the argument is {_KINDS.get(kind, 'another kind')}; give one, text in quotes if need be")
    setattr(args, name, change.value)


def put(change: Override, config: dict[str, Any]) -> None:
    """Change a configuration.

    Raises:
        UserError: something else than keys stands on the way.
    """
    place: Any = config
    *inner, last = change.keys
    for part in inner:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise change.error(f"{part} holds a value, not keys")
    place[last] = change.value


def _nested(change: Override) -> dict[str, Any]:
    """The change as a configuration of its own."""
    found: dict[str, Any] = {}
    put(change, found)
    return found


def _plain(value: Any) -> Any:
    """The value as a configuration file could hold it.

    Raises:
        ValueError: it could not.
    """
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError
