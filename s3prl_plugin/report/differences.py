"""Paired differences of taps and of models: as sections, and as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import differences
from s3prl_plugin.inference.differences import SIGNIFICANT, Difference
from s3prl_plugin.report import tables
from s3prl_plugin.report.sections import Cell, Column, Section, Table
from s3prl_plugin.results import Row
from s3prl_plugin.strides import ms_text, written_stride

Compared = tuple[tuple[str, ...], differences.Table]
"""Whose a comparison is, and the comparison."""


def of_runs(runs: Sequence[Sequence[Row]], names: Sequence[str]) -> list[Compared]:
    """The comparisons of one run within itself, or between two, each with whose they are.

    Args:
        runs: the rows of one or two folders.
        names: of the folders.

    Raises:
        UserError: there are more than two, they have nothing in common, or a folder to be compared holds several
            upstreams.
    """
    if len(runs) == 1:
        groups = tables.groups(runs[0])
        return [(tuple(tables.headline(own)), each) for own in groups for each in differences.within(own)]
    if len(runs) != 2:
        raise UserError(f"--differences takes one folder or two, and {len(runs)} are given; --compare takes more")
    for name, rows in zip(names, runs, strict=True):
        if not rows:
            raise UserError(f"{name}: the results are empty; run an analysis first")
        models = {row.model: row.title for row in rows}
        if len(models) > 1:
            several = ", ".join(models.values())
            raise UserError(f"a folder holds results of several upstreams ({several}); give folders of one each")
    whose = [tables.headline(rows, name) for rows, name in zip(runs, names, strict=True)]
    title = tuple(f"{letter}: {first}" for letter, (first, *_) in zip("AB", whose, strict=True))
    title += tuple(dict.fromkeys(line for _, *more in whose for line in more))
    return [(title, each) for each in differences.between(*runs)]


def sections(runs: Sequence[Sequence[Row]], names: Sequence[str]) -> list[Section]:
    """All comparisons for reading, a section for each model or pair; see `of_runs`."""
    found: dict[tuple[str, ...], list[Table]] = {}
    for whose, each in of_runs(runs, names):
        found.setdefault(whose, []).append(_table(each))
    if not found:
        return [Section(name="differences", title="", lead=("no layer-wise results to compare",))]
    return [Section(name="differences", title="", lead=whose, tables=tuple(own)) for whose, own in found.items()]


def records(runs: Sequence[Sequence[Row]], names: Sequence[str]) -> list[dict[str, Any]]:
    """All comparisons, a dictionary each; see `of_runs`."""
    sides = {"folder": names[0], "less_folder": names[-1]}
    found: list[dict[str, Any]] = []
    for _, each in of_runs(runs, names):
        found += [{**sides, **_record(each, d)} for d in each.differences]
        nothing = {**sides, **_about(each.rows[0]), "difference": None}
        found += [{**nothing, "tap": tap, "refused": reason} for tap, reason in each.not_compared]
    return found


def _about(row: Row) -> dict[str, Any]:
    """What a comparison is about."""
    return {name: getattr(row, name) for name in (*differences.MEASURE, *differences.FOLDS)}


def _record(each: differences.Table, d: Difference) -> dict[str, Any]:
    """One comparison."""
    sides = {"upstream": d.a.upstream, "tap": d.a.tap, "stride": written_stride(d.a.stride), "value": d.a.value}
    less = {f"less_{name}": getattr(d.b, name) for name in sides} | {"less_stride": written_stride(d.b.stride)}
    numbers = {"difference": d.value, "ci_low": d.ci_low, "ci_high": d.ci_high, "p": d.p, "p_holm": d.p_holm}
    return {**_about(d.a), **sides, **less, **numbers, "comparisons": each.comparisons, "best": each.best}


def _table(each: differences.Table) -> Table:
    """One measure."""
    first = each.rows[0]
    named = {"with": first.tap2, "of": first.upstream2, "only": first.subset, "given": first.control}
    about = " ".join(
        [first.measure, f"({first.score})", *(f"{name}: {value}" for name, value in named.items() if value)]
    )
    notes = [f"not compared: {what}: {reason}" for what, reason in each.not_compared]
    if not each.differences:
        return Table(title=about, columns=("tap",), rows=(), notes=tuple(notes))
    within = each.best is not None
    title = f"{about}, A less B"
    if each.best is not None:
        best = each.differences[0].b
        title = f"{about}, every tap less the best, {best.tap} ({best.value:.3f})"
        chosen = ", ".join(f"{tap} {count}" for tap, count in each.best.items())
        notes.insert(0, f"best without one of the {sum(each.best.values())} folds or speakers: {chosen} times")
    made = "pairs of taps, since the best was found among them" if within else "comparisons"
    values = ["value"] if within else ["A", "B"]
    heads = [*(Column(name, "number", decimals=3) for name in values),
             Column("less best" if within else "A - B", "signed", decimals=3)]  # fmt: skip
    return Table(
        title=title,
        columns=("tap", Column("ms", "number"), *heads, Column("95 % interval", "number"), "p", "p (Holm)"),
        rows=tuple(_line(d, within) for d in each.differences),
        star=f"differs: p (Holm), adjusted for all {each.comparisons} {made}, is below {SIGNIFICANT:g}",
        note="[ ] 95 % interval of each difference alone",
        notes=tuple(notes),
    )


def _line(d: Difference, within: bool) -> tuple[Cell | str | float | None, ...]:
    """One comparison; the tap and its resolution of both sides, where they differ."""
    sides = (d.a,) if within else (d.a, d.b)
    taps = dict.fromkeys(str(row.tap) for row in sides)
    rates = dict.fromkeys(ms_text(row.stride) for row in sides if row.stride)
    differs = d.p_holm is not None and d.p_holm < SIGNIFICANT
    return (
        *(" - ".join(taps), " - ".join(rates)),
        *(Cell(row.value, grey=row.grey) for row in sides),
        Cell(d.value, star=differs),
        Cell(d.ci_low, text=f"[{d.ci_low:+.3f}, {d.ci_high:+.3f}]"),
        *(d.p, d.p_holm or 0.0),
    )
