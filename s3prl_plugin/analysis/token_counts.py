"""How many tokens every step leaves out, from what a corpus has to what a row's n counts: a small table.

It is printed when the scores are there, and kept in EXPDIR/tokens.json for the report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from s3prl_plugin import results
from s3prl_plugin.results import Row

FILE_NAME = "tokens.json"
HEAD = ("measure", "asked for", "found", "left out", "used", "learned from", "n")
SPEECH_NOTE = (
    "mi_frames: clusters are learned on all frames in a phone, silence among them. Its rows count those of the scored "
    "half, with all silence as one class; rows of the subset `speech` only those in a phone that is not silence. The "
    "option `silence` chooses: with, without, both"
)


@dataclass(frozen=True)
class TokenCount:
    """What a measure asks for, finds and uses.

    Attributes:
        measure: its name.
        asked: in words.
        found: tokens that the corpus has.
        left_out: reason -> tokens.
        used: tokens that are left.
        learned: of them, those that clusters are learned on, and that are not scored; None where all are scored.
    """

    measure: str
    asked: str
    found: int
    left_out: dict[str, int]
    used: int
    learned: int | None = None


@runtime_checkable
class CountsTokens(Protocol):
    """A measure that knows how many tokens it is about."""

    def tokens(self) -> TokenCount:
        """What it asks for, finds and uses."""
        ...


def records(counts: Sequence[TokenCount], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One record per measure, with what its rows say of n.

    Args:
        counts: of the measures that count tokens before the pass.
        rows: the results.

    Returns:
        The fields of `TokenCount` and `n`: what it is about ("", a subset, a protocol) -> least and most over taps.
    """
    known = {count.measure: count for count in counts}
    n: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        if row.headline and row.n is not None and not row.control:
            about = ", ".join(part for part in (row.subset, _unusual(row.protocol)) if part)
            n.setdefault(row.measure, {}).setdefault(about, []).append(row.n)
    return [
        {
            **asdict(known.get(measure, TokenCount(measure, "", 0, {}, 0))),
            "n": {about: [min(each), max(each)] for about, each in sorted(found.items())},
        }
        for measure, found in n.items()
    ]


def write(expdir: str | Path, downstream: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Keep a downstream's records; those of others in the folder stay."""
    path = Path(expdir) / FILE_NAME
    kept = {name: records for name, records in read(expdir).items() if name != downstream}
    results.replace_file(path, json.dumps({**kept, downstream: list(found)}, indent=1).encode())


def read(expdir: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Downstream -> records; none where the folder has no such file, or one that is broken."""
    try:
        found = json.loads((Path(expdir) / FILE_NAME).read_text(encoding="utf-8"))
        return {name: [_checked(each) for each in records] for name, records in dict(found).items()}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    """A record; TypeError, ValueError or KeyError where it is none."""
    n = {about: [int(least), int(most)] for about, (least, most) in dict(record["n"]).items()}
    count = TokenCount(**{key: value for key, value in record.items() if key != "n"})
    return {**asdict(count), "left_out": dict(count.left_out), "n": n}


def cells(record: Mapping[str, Any]) -> tuple[str, ...]:
    """A record under `HEAD`."""
    left = "; ".join(f"{n} {reason}" for reason, n in record["left_out"].items() if n)
    known = bool(record["asked"])
    return (
        str(record["measure"]),
        str(record["asked"]),
        str(record["found"]) if known else "",
        left,
        str(record["used"]) if known else "",
        "" if record["learned"] is None else str(record["learned"]),
        "; ".join(f"{_span(*span)}{f' ({about})' if about else ''}" for about, span in record["n"].items()),
    )


def lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table as text, with what must be known to read it."""
    if not found:
        return []
    table = [HEAD, *map(cells, found)]
    filled = [i for i in range(len(HEAD)) if any(row[i] for row in table[1:])]
    widths = [max(len(row[i]) for row in table) for i in filled]
    text = ["  ".join(row[i].ljust(w) for i, w in zip(filled, widths, strict=True)).rstrip() for row in table]
    return [*text, *notes(found)]


def notes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What must be known to read the table."""
    return [SPEECH_NOTE] if any(record["measure"] == "mi_frames" for record in found) else []


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}, by frame rate"


def _unusual(protocol: str | None) -> str:
    return "" if protocol in (None, "default") else str(protocol)
