"""Paired differences as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import differences
from s3prl_plugin.inference.differences import Difference, Table
from s3prl_plugin.report.text import table
from s3prl_plugin.results import Row
from s3prl_plugin.strides import ms_text, written_stride

LEVEL = 0.05
MARK = "*"


def of_runs(runs: Sequence[Sequence[Row]], names: Sequence[str]) -> list[tuple[str, Table]]:
    """The comparisons of one run within itself, or between two, each with whose they are.

    Args:
        runs: the rows of one or two folders.
        names: of the folders.

    Raises:
        UserError: there are more than two, they have nothing in common, or a folder to be compared holds several
            upstreams.
    """
    if len(runs) == 1:
        return [(table.headline(group), each) for group in table.groups(runs[0]) for each in differences.within(group)]
    if len(runs) != 2:
        raise UserError(f"--differences takes one folder or two, and {len(runs)} are given; --compare takes more")
    for name, rows in zip(names, runs, strict=True):
        if not rows:
            raise UserError(f"{name}: the results are empty; run an analysis first")
        models = {row.model: row.upstream for row in rows}
        if len(models) > 1:
            several = ", ".join(models.values())
            raise UserError(f"a folder holds results of several upstreams ({several}); give folders of one each")
    title = "\n".join(f"{x}: {table.headline(rows, name)}" for x, rows, name in zip("AB", runs, names, strict=True))
    return [(title, each) for each in differences.between(*runs)]


def text(runs: Sequence[Sequence[Row]], names: Sequence[str]) -> str:
    """All comparisons for reading; see `of_runs`."""
    parts: list[str] = []
    title = None
    for whose, each in of_runs(runs, names):
        if whose != title:
            parts.append(whose)
            title = whose
        parts.append(_table(each))
    return "\n\n".join(parts) if parts else "no layer-wise results to compare"


def records(runs: Sequence[Sequence[Row]], names: Sequence[str]) -> list[dict[str, Any]]:
    """All comparisons, a dictionary each; see `of_runs`."""
    sides = {"folder": names[0], "less_folder": names[-1]}
    return [
        {**sides, **record}
        for _, each in of_runs(runs, names)
        for record in [
            *(_record(each, d) for d in each.differences),
            *(
                {**_about(each.rows[0]), "tap": tap, "difference": None, "refused": reason}
                for tap, reason in each.not_compared
            ),
        ]
    ]


def _about(row: Row) -> dict[str, Any]:
    """What a comparison is about."""
    return {name: getattr(row, name) for name in (*differences.MEASURE, *differences.FOLDS)}


def _record(each: Table, d: Difference) -> dict[str, Any]:
    """One comparison."""
    sides = {"upstream": d.a.upstream, "tap": d.a.tap, "stride": written_stride(d.a.stride), "value": d.a.value}
    less = {f"less_{name}": getattr(d.b, name) for name in sides} | {"less_stride": written_stride(d.b.stride)}
    numbers = {"difference": d.value, "ci_low": d.ci_low, "ci_high": d.ci_high, "p": d.p, "p_holm": d.p_holm}
    return {**_about(d.a), **sides, **less, **numbers, "comparisons": each.comparisons, "best": each.best}


def _table(each: Table) -> str:
    """One measure."""
    first = each.rows[0]
    about = " ".join([first.measure, f"({first.score})", *(f"{name}: {value}" for name, value in _conditions(first))])
    if not each.differences:
        lines = [about]
    elif each.best is None:
        lines = [f"{about}, A less B", _body(each)]
    else:
        best = each.differences[0].b
        chosen = ", ".join(f"{tap} {count}" for tap, count in each.best.items())
        lines = [
            f"{about}, every tap less the best, {best.tap} ({_value(best)})",
            f"best without one of the {sum(each.best.values())} folds or speakers: {chosen} times",
            _body(each),
        ]
    lines += _legend(each)
    return "\n".join(lines)


def _legend(each: Table) -> list[str]:
    """The lines below a table."""
    lines = []
    if each.differences:
        made = "pairs of taps, since the best was found among them" if each.best is not None else "comparisons"
        lines.append(f"{MARK} differs: p (Holm), adjusted for all {each.comparisons} {made}, is below {LEVEL:g}")
        lines.append("[ ] 95 % interval of each difference alone")
        if any(row.grey for d in each.differences for row in (d.a, d.b)):
            lines.append("( ) a number that the data barely support")
    return lines + [f"not compared: {what}: {reason}" for what, reason in each.not_compared]


def _body(each: Table) -> str:
    """The comparisons in columns."""
    header = ["value", "less best"] if each.best is not None else ["A", "B", "A - B"]
    lines = [["tap", "ms", *header, "95 % interval", "p", "p (Holm)"]]
    for d in each.differences:
        differs = MARK if d.p_holm is not None and d.p_holm < LEVEL else " "
        values = [_value(d.a)] if each.best is not None else [_value(d.a), _value(d.b)]
        interval = f"[{d.ci_low:+.3f}, {d.ci_high:+.3f}]"
        lines.append(
            [*_where(d, each.best is None), *values, f"{d.value:+.3f}{differs}", interval, _p(d.p), _p(d.p_holm or 0.0)]
        )
    return table.aligned(lines)


def _where(d: Difference, both: bool) -> tuple[str, str]:
    """The tap and its resolution; of both sides, where they differ."""
    sides = (d.a, d.b) if both else (d.a,)
    taps = dict.fromkeys(str(row.tap) for row in sides)
    rates = dict.fromkeys(ms_text(row.stride) for row in sides if row.stride)
    return " - ".join(taps), " - ".join(rates)


def _value(row: Row) -> str:
    """A value, in brackets where the data barely support it."""
    value = f"{row.value:.3f}"
    return f"({value})" if row.grey else value


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "<.001"


def _conditions(row: Row) -> list[tuple[str, str]]:
    """What restricts a measure."""
    named = {"with": row.tap2, "of": row.upstream2, "only": row.subset, "given": row.control}
    return [(name, value) for name, value in named.items() if value]
