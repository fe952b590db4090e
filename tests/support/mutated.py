"""Configurations, options of upstreams and changes by -o with something wrong in them, the same ones for a seed."""

import random

ODD = ["", "~", "null", "true", "no", "0", "-1", "1e400", ".nan", "0x_", "2024-13-45", "[]", "{}", "[1, [2]]", "{1: 2}"]
ODD += [
    "{a: b}",
    "'",
    '"a',
    "!!int x",
    "&a [*a]",
    "*b",
    "!!python/tuple [1]",
    "a: b: c",
    "- x",
    "\t",
    "é",
    "\x00",
    "\\",
]
ODD += ["1 + 1", "x" * 300, "[" * 50, "plugin: x", "9" * 60, "%", "@", "`", "|", ">", "?", "<<: {a: 1}", "{<<: 3}"]


def text(draw: random.Random, original: str) -> str:
    """A text with one to three faults."""
    for _ in range(draw.randint(1, 3)):
        original = draw.choice((_character, _line, _scalar, _indent))(draw, original)
    return original


def override(draw: random.Random, keys: list[str]) -> str:
    """What -o could be given."""
    changes = []
    for _ in range(draw.randint(1, 2)):
        key = draw.choice(keys)
        parts = key.split(".")
        key = ".".join(parts[: draw.randint(1, len(parts))])
        value = draw.choice([*ODD, "[1, 2", "{a: 1", "'b", "(1,", "2*3", "a=b", "[dev, test]"])
        change = f"{key}{draw.choice(['=', '=', '=', '==', ' = ', ''])}{value}"
        changes.append(_character(draw, change) if draw.random() < 0.3 else change)
    return draw.choice([",,", ",,", ","]).join(changes)


def _character(draw: random.Random, original: str) -> str:
    """A character more, less or another."""
    at = draw.randrange(len(original) + 1)
    inserted = draw.choice("[]{}:,'\"&*!|>#-%@ \n\t0aé\x00\\")
    return original[:at] + draw.choice(["", inserted]) + original[at + draw.randint(0, 1) :]


def _line(draw: random.Random, original: str) -> str:
    """A line left out, twice, or somewhere else."""
    lines = original.split("\n")
    at = draw.randrange(len(lines))
    line = lines.pop(at) if draw.random() < 0.6 else lines[at]
    if draw.random() < 0.6:
        lines.insert(draw.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _scalar(draw: random.Random, original: str) -> str:
    """Another value after a key."""
    lines = original.split("\n")
    places = [number for number, line in enumerate(lines) if ":" in line and not line.lstrip().startswith("#")]
    if places:
        at = draw.choice(places)
        lines[at] = f"{lines[at].partition(':')[0]}: {draw.choice(ODD)}"
    return "\n".join(lines)


def _indent(draw: random.Random, original: str) -> str:
    """A line further in or out."""
    lines = original.split("\n")
    at = draw.randrange(len(lines))
    lines[at] = lines[at][2:] if draw.random() < 0.5 else f"  {lines[at]}"
    return "\n".join(lines)
