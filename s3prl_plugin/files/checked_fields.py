"""Whether plain values, as a file holds them, fit the fields of a dataclass."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from fractions import Fraction
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

Test = Callable[[Any], bool]

_LARGEST = 2**63  # what a column of whole numbers holds; the square of such a float is finite
_WORDS = {
    str: "text",
    int: "a whole number below 2^63",
    float: "a finite number below 2^63",
    bool: "true or false",
    Fraction: 'a fraction such as "640/3"',
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
    tests, required = _fields(kind)
    missing = [name for name in required if name not in content]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    for name, value in content.items():
        if not tests[name](value):
            said = _said(get_type_hints(kind)[name])
            raise ValueError(f"{name} is {_shown(value)}, and must be {said}")


@cache
def _fields(kind: type) -> tuple[dict[str, Test], tuple[str, ...]]:
    """What tells whether a value fits, for every field, and the names of those that have no default."""
    hints = get_type_hints(kind)
    every = [f for f in fields(kind) if f.init]
    required = tuple(f.name for f in every if f.default is MISSING and f.default_factory is MISSING)
    return {f.name: _test(hints[f.name]) for f in every}, required


def _test(hint: Any) -> Test:
    """What tells whether a value is of a type."""
    origin, inner = get_origin(hint), [_test(each) for each in get_args(hint)]
    if origin in (Union, types.UnionType):
        return lambda value: any(test(value) for test in inner)
    if origin is list:
        return lambda value: type(value) is list and all(map(inner[0], value))
    if origin is dict:
        return lambda value: type(value) is dict and all(map(inner[0], value)) and all(map(inner[1], value.values()))
    return _TESTS.get(hint, lambda value: True)


def _is_text(value: Any) -> bool:
    """Whether it is a text that a file can hold: half of a pair of surrogates cannot be written."""
    return type(value) is str and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))


def _is_number(value: Any) -> bool:
    return type(value) in (float, int) and -_LARGEST < value < _LARGEST  # false for NaN


_TESTS: dict[Any, Test] = {
    type(None): lambda value: value is None,
    str: _is_text,
    bool: lambda value: type(value) is bool,
    Fraction: lambda value: type(value) is Fraction,
    int: lambda value: type(value) is int and -_LARGEST < value < _LARGEST,
    float: _is_number,
}


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
