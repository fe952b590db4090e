"""Sections as text, for the terminal: what the page shows, without its figures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from s3prl_plugin.report.sections import Cell, Contrast, PlainTable, Section
from s3prl_plugin.report.text import table

WIDTH = 118
LEVEL = 0.05
MARK = "*"
MOST_TABLES = 2


def text(sections: Iterable[Section], banners: Sequence[str] = (), brief: bool = False) -> str:
    """All sections, with what must be read first above them.

    Args:
        banners: what must be read first.
        brief: leave out the tables of sections that have more of them than a terminal can show.
    """
    parts = [_wrapped(f"! {banner}", "  ") for banner in banners]
    first = ["\n".join(parts)] if parts else []
    return "\n\n".join([*first, *(_section(section, brief) for section in sections)]) + "\n"


def _section(section: Section, brief: bool) -> str:
    """One section."""
    parts = [f"{section.title}\n{'=' * len(section.title)}"]
    if section.verdict:
        parts.append(_wrapped(section.verdict))
    if section.contrasts:
        parts.append(_contrasts(section.contrasts))
    many = brief and len(section.tables) > MOST_TABLES
    parts += [f"{len(section.tables)} tables are left out here; the page has them, and --json"] if many else []
    parts += [_plain(each) for each in section.tables if not many]
    if section.notes:
        parts.append("\n".join(_wrapped(f"- {note}", "  ") for note in section.notes))
    return "\n\n".join(parts)


def _contrasts(contrasts: Sequence[Contrast]) -> str:
    """Contrasts by what they isolate, each group under it, then what could not be had."""
    lines = []
    groups: dict[str, list[Contrast]] = {}
    for each in contrasts:
        groups.setdefault(each.isolates, []).append(each)
    for isolates, group in groups.items():
        head = [_wrapped(isolates[0].upper() + isolates[1:] + ":")] if isolates else []
        shown = [each for each in group if each.value is not None]
        rows: list[Sequence[str]] = [("contrast", "measure", "difference", "95 % interval", "p", "p (Holm)")]
        rows += [_line(each) for each in shown]
        body = [textwrap.indent(table.aligned(rows), "  ")] if shown else []
        body += [_wrapped(f"  not to be had: {what}: {why}", "      ") for what, why in _refusals(group)]
        lines.append("\n".join([*head, *body]))
    return "\n\n".join([*lines, *_legend(contrasts)])


def _line(each: Contrast) -> tuple[str, ...]:
    """One contrast."""
    value = f"{each.value:+.3f}"
    differs = MARK if each.p_holm is not None and each.p_holm < LEVEL else " "
    value = f"({value})" if each.grey else value
    interval = "" if each.ci_low is None else f"[{each.ci_low:+.3f}, {each.ci_high:+.3f}]"
    holm = _p(each.p_holm) if each.family else ("exploratory" if each.p is not None else "")
    return each.label, f"{each.measure} {each.score}", value + differs, interval, _p(each.p), holm


def _refusals(contrasts: Sequence[Contrast]) -> list[tuple[str, str]]:
    """(what, why): measures and rows with one reason are told together."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in contrasts:
        if each.refused is not None:
            found.setdefault((each.label, each.refused), []).append(each.measure)
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (label, reason), measures in found.items():
        by_reason.setdefault((", ".join(measures), reason), []).append(label)
    return [(f"{'; '.join(labels)} ({measures})", reason) for (measures, reason), labels in by_reason.items()]


def _legend(contrasts: Sequence[Contrast]) -> list[str]:
    """What the signs mean."""
    lines = []
    families: dict[str, int] = {}
    for each in contrasts:
        if each.family and each.p is not None:
            families[each.family] = families.get(each.family, 0) + 1
    if families:
        counts = ", ".join(f"{name} ({count})" for name, count in families.items())
        lines.append(f"{MARK} p (Holm) below {LEVEL:g}, adjusted within the declared family: {counts}")
    greys = dict.fromkeys(each.grey for each in contrasts if each.grey and each.value is not None)
    lines += [_wrapped(f"( ) {grey}", "    ") for grey in greys]
    return ["\n".join(lines)] if lines else []


def _plain(each: PlainTable) -> str:
    """A table as it is."""
    rows = [each.columns, *(tuple(_cell(cell) for cell in row) for row in each.rows)]
    note = [_wrapped(each.note)] if each.note else []
    return "\n".join([each.title, textwrap.indent(table.aligned(rows), "  "), *note])


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.3f}" if abs(cell) < 1000 else f"{cell:.0f}"
    return str(cell)


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else "<.001"


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent=indent)
