"""Whether plain values, as a file holds them, fit the fields of a dataclass."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

_LARGEST = 2**63  # what a column of whole numbers holds; the square of such a float is finite
_WORDS = {
    str: "text",
    int: "a whole number below 2^63",
    float: "a finite number below 2^63",
    bool: "true or false",
    type(None): "null",
}


def check(kind: type, content: Mapping[str, Any]) -> None:
    """Check types and finiteness, and that nothing is missing.

    Args:
        kind: a dataclass whose fields are texts, numbers, flags, lists and dictionaries of these, or None.
        content: field -> value; all names are fields.

    Raises:
        ValueError: a field is missing, or its value does not fit; the message names it.
    """
    hints, required = _fields(kind)
    missing = [name for name in required if name not in content]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    for name, value in content.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{name} is {_shown(value)}, and must be {_said(hints[name])}")


@cache
def _fields(kind: type) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The types of all fields, and the names of those that have no default."""
    hints = get_type_hints(kind)
    every = [f for f in fields(kind) if f.init]
    required = tuple(f.name for f in every if f.default is MISSING and f.default_factory is MISSING)
    return {f.name: hints[f.name] for f in every}, required


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; numbers must be finite, and texts such as a file can hold."""
    if hint is Any:
        return True
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if hint is float:
        return type(value) in (int, float) and abs(value) < _LARGEST and math.isfinite(value)
    if hint is int:
        return type(value) is int and abs(value) < _LARGEST
    if hint is str:
        return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return type(value) is hint


def _said(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_said(each) for each in inner)
    if origin in (list, dict):
        return f"a {origin.__name__} of {_said(inner[-1])}"
    return _WORDS.get(hint, str(hint))


def _shown(value: Any) -> str:
    """A value, cut to what fits into a line."""
    text = repr(value) if not isinstance(value, int) or abs(value) < _LARGEST else "beyond 64 bits"
    return text if len(text) <= 60 else f"{text[:57]}..."
