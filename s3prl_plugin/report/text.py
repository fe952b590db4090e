"""Sections as text: for the terminal, and in Markdown."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3prl_plugin.report.sections import Cell, Section, Table, alike, merged, written

WIDTH = 118  # of sentences on the terminal
UNKNOWN_WIDTH = 200  # of tables, where the output is no terminal
MOST_TABLES = 2
STAR, CAVEAT = "*", "!"


def text(
    sections: Iterable[Section], banners: Sequence[str] = (), *, brief: bool = False, markdown: bool = False
) -> str:
    """All sections, with what must be read first above them.

    Args:
        sections: in the order in which they are read.
        banners: what must be read first.
        brief: leave out the tables of sections that have more of them than a terminal can show.
        markdown: as Markdown, in place of a terminal's lines.
    """
    first = [f"> **{banner}**" if markdown else _wrapped(f"! {banner}", "  ") for banner in banners]
    parts = ["\n".join(first)] if first else []
    for section in sections:
        parts += _section(section, brief, markdown)
    return "\n\n".join(parts) + "\n"


def _section(section: Section, brief: bool, markdown: bool) -> list[str]:
    """The paragraphs of one section."""
    title = f"## {section.title}" if markdown else f"{section.title}\n{'=' * len(section.title)}"
    parts = [title] if section.title else []
    parts += [f"**{section.verdict}**" if markdown else _wrapped(section.verdict)] if section.verdict else []
    parts += ["\n".join(line if markdown else _wrapped(line) for line in section.lead)] if section.lead else []
    many = brief and len(section.tables) > MOST_TABLES
    if many:
        parts.append(f"{len(section.tables)} tables are left out here; the page has them, and --json")
    parts += [table(each, markdown=markdown) for each in section.shown if not (many and each in section.tables)]
    parts += [f"```\n{section.code}\n```" if markdown else section.code] if section.code else []
    if section.notes:
        parts.append("\n".join(f"- {note}" if markdown else _wrapped(f"- {note}", "  ") for note in section.notes))
    return parts


@dataclass
class _Legend:
    """What the marks of a table mean, as they turn up.

    Attributes:
        refusals: reasons, by what they have in common.
        caveats: what numbers do not see.
    """

    refusals: dict[str, list[str]]
    caveats: list[str]

    def marked(self, cell: Cell, text: str, markdown: bool, starred: bool) -> str:
        """A cell's text with its marks; `starred` where some cell of the table has a star."""
        if cell.refused:
            own = self.refusals.setdefault(alike(cell.refused), [])
            own.append(cell.refused)
            return f"- {_letter(list(self.refusals).index(alike(cell.refused)))}" + " " * (starred and not markdown)
        if cell.grey and cell.value is not None:
            text = f"({text})"
        if cell.caveat:
            self.caveats.append(cell.caveat)
            text += CAVEAT
        if markdown:
            return f"**{text}**" if cell.star else text
        return text + (STAR if cell.star else " " * (starred and isinstance(cell.value, int | float)))

    def lines(self, each: Table, markdown: bool) -> list[str]:
        """The lines below the table."""
        lines = [f"{'bold' if markdown else STAR} {each.star}"] if each.star else []
        lines += [f"( ) {grey}" for grey in each.greys]
        lines += [f"{CAVEAT} {self.caveats[0]}"] if self.caveats else []
        reasons = [reason for own in self.refusals.values() for reason in merged(own)]
        return lines + [f"- {_letter(i)}: {reason}" for i, reason in enumerate(reasons)]


def _letter(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


def table(each: Table, *, markdown: bool = False) -> str:
    """One table with its title, the meaning of its marks, and its notes."""
    legend = _Legend({}, [])
    heads = each.heads
    kept = [i for i, head in enumerate(heads) if head.kind != "bar"]
    starred = [any(row[i].star for row in each.cells) for i in range(len(heads))]
    groups: dict[str, list[list[str]]] = {}
    for row in each.cells:
        line = []
        for i in kept:
            said = legend.marked(row[i], written(row[i], heads[i]), markdown, starred[i])
            line.append(said + (f" {row[i].small}" if i and row[i].small else ""))
        groups.setdefault(row[0].small, []).append(line)
    left = [heads[i].kind == "text" for i in kept]
    names = [heads[i].name.split("\n") for i in kept]
    parts = [f"**{each.title}**\n" if markdown else each.title] if each.title else []
    for small, lines in groups.items():
        body = _markdown(names, lines, left) if markdown else _aligned(names, lines, left, bool(each.title or small))
        parts += [*([f"\n{small}:\n" if markdown else _wrapped(f"{small}:")] if small else []), body]
    below = [*legend.lines(each, markdown), *([each.note] if each.note else []), *each.notes]
    if markdown:
        return "\n".join([*parts, *(["", *(f"- {line}" for line in below)] if below else [])])
    return "\n".join([*parts, *(_wrapped(line, "  ") for line in below)])


def _markdown(names: Sequence[Sequence[str]], lines: Sequence[Sequence[str]], left: Sequence[bool]) -> str:
    rows = [[" ".join(part for part in name if part) for name in names]]
    rows += [["---" if text else "---:" for text in left]]
    rows += [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _aligned(names: Sequence[Sequence[str]], lines: Sequence[Sequence[str]], left: Sequence[bool], indent: bool) -> str:
    """Columns of equal width; where they are too many for the terminal, in pieces that begin with the first one."""
    depth = max(map(len, names))
    rows = [list(line) for line in zip(*([*name, *[""] * (depth - len(name))] for name in names), strict=True)]
    rows += [list(line) for line in lines]
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(names))]
    available = shutil.get_terminal_size(fallback=(UNKNOWN_WIDTH, 24)).columns + 2 * (not indent)
    pieces: list[list[int]] = [[]]
    for i in range(1, len(widths)):
        if pieces[-1] and widths[0] + sum(widths[k] for k in [*pieces[-1], i]) > available:
            pieces.append([])
        pieces[-1].append(i)
    body = "\n\n".join(
        aligned([[row[i] for i in (0, *piece)] for row in rows], [left[i] for i in (0, *piece)]) for piece in pieces
    )
    return textwrap.indent(body, "  ") if indent else body


def aligned(lines: Sequence[Sequence[str]], left: Sequence[bool] = ()) -> str:
    """Columns of equal width, the first to the left and the others to the right, or as `left` says of each."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    to_left = [i == 0 or (i < len(left) and left[i]) for i in range(len(widths))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if own else cell.rjust(w) for cell, w, own in zip(line, widths, to_left, strict=True)
        ).rstrip()
        for line in lines
    )


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
