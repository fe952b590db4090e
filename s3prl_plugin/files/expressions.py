"""Configuration strings such as `[(512,10,5)] + [(512,3,2)] * 4`, computed without running them."""

from __future__ import annotations

import ast
from typing import Any

from s3prl_plugin.errors import UserError

MAX_CHARACTERS = 10_000
MAX_ITEMS = 10_000
MAX_INTEGER = 1 << 31


def evaluate(text: str) -> Any:
    """The value of an expression of whole numbers, lists and tuples, their sums and repetitions.

    Args:
        text: for example `[(512,10,5)] + [(512,3,2)] * 4`.

    Returns:
        An int, or nested lists and tuples of ints.

    Raises:
        UserError: anything else is in it, or its value would be larger than a configuration can be.
    """
    if len(text) > MAX_CHARACTERS:
        raise UserError(f"an expression of {len(text)} characters; at most {MAX_CHARACTERS} are read")
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body)
    except UserError as error:
        raise UserError(f"{brief(text)!r}: {error}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UserError(f"{brief(text)!r} is no expression of numbers, lists and tuples") from None
    return value


def _value(node: ast.expr) -> Any:
    """The value of one node of the whitelist."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return _bounded(node.value)
    if isinstance(node, ast.List):
        return _bounded([_value(item) for item in node.elts])
    if isinstance(node, ast.Tuple):
        return _bounded(tuple(_value(item) for item in node.elts))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left), _value(node.right)
        if type(left) is type(right):
            return _bounded(left + right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _value(node.left), _value(node.right)
        if isinstance(left, int) or isinstance(right, int):
            return _bounded(_repeat(left, right))
    raise UserError(f"{brief(ast.unparse(node))!r} is not allowed there; only numbers, lists, tuples, + and * are")


def _repeat(left: Any, right: Any) -> Any:
    """left * right, refused before it is too long."""
    sequence, times = (right, left) if isinstance(left, int) else (left, right)
    if not isinstance(sequence, int) and _items(sequence) * max(times, 0) > MAX_ITEMS:
        raise UserError(f"a list repeated {times} times holds more than {MAX_ITEMS} numbers")
    return left * right


def _items(value: Any) -> int:
    """Numbers in a nested value."""
    return 1 if isinstance(value, int) else 1 + sum(map(_items, value))


def _bounded(value: Any) -> Any:
    """The value itself, unless it is larger than a configuration can be."""
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise UserError("a number above 2^31")
    elif _items(value) > MAX_ITEMS:
        raise UserError(f"more than {MAX_ITEMS} numbers")
    return value


def brief(value: object) -> str:
    """The beginning of a value that came from a file, for a message of one line."""
    try:
        text = " ".join((value if isinstance(value, str) else repr(value)).split())
    except (ValueError, RecursionError):  # a number of too many digits, a list too deep
        return f"<{type(value).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."
