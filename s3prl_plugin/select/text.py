"""Recommendations for reading, and as records."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from s3prl_plugin import registry
from s3prl_plugin.analysis import about
from s3prl_plugin.inference.held_out import HeldOut
from s3prl_plugin.report import tables
from s3prl_plugin.report.sections import Cell, Column, Section, Table, span
from s3prl_plugin.report.text import text as shown
from s3prl_plugin.results import Row
from s3prl_plugin.select.choice import Absent, Choice
from s3prl_plugin.select.recommendation import Recommendation
from s3prl_plugin.select.written import ELSEWHERE, PROGRAM, Ready, command
from s3prl_plugin.strides import ms_text, written_stride

NOT_TOLD_APART = "~"
LISTED = 4  # taps that are named in a sentence


def text(found: Recommendation, prepared: Ready | None) -> str:
    """Everything for reading.

    Args:
        prepared: how the tap is run; None where none is recommended.
    """
    criterion, source = found.criterion, found.source
    whose, *more = tables.headline([row for row in source.rows if row.tap is not None] or source.rows)
    lead = [
        *(f"{source.folder}: {whose}", *more),
        f"{criterion.task}, {criterion.title}: chosen by {' and '.join(criterion.measures)}. Evidence: "
        f"{criterion.evidence} ({criterion.because})",
        *(f"note: {note}" for note in source.notes),
        *_verdict(found),
    ]
    commands = [*(missing(found, each) for each in found.absent), *(_how(found, prepared) if prepared else ())]
    section = Section(
        name="recommendation",
        title="",
        lead=tuple(lead),
        tables=() if found.tap is None else (_tap_table(found),),
        notes=() if found.tap is None else (*_details(found), *found.notes),
    )
    last = Section(name="how", title="", code="\n".join(commands))
    return shown([section, last]).rstrip()


def missing(found: Recommendation, absent: Absent) -> str:
    """What a measure does not say, and how to get it."""
    source = found.source
    package = about.everything()[absent.measure].package
    downstream = next(name for name, where in registry.downstreams().items() if where == package)
    if absent.reason != "not in the results":
        return f"{absent.measure} says nothing: {absent.reason}"
    words = ["-m", "evaluate", "-d", downstream, *source.loading]
    words += ["-g", source.model_config] if source.model_config else []
    override = [f"config.downstream_expert.measures=['{absent.measure}']"]
    override += (
        [f"config.downstream_expert.corpus='{source.corpus}'"] if source.corpus not in (None, "generated") else []
    )
    shown = f'{shlex.join([*words, "-p", str(source.folder)])} -o "{",,".join(override)}"'
    return f"{absent.measure} is {absent.reason}; measure it in the same folder: {PROGRAM} {shown}"


def record(found: Recommendation, prepared: Ready | None) -> dict[str, Any]:
    """Everything as one JSON object."""
    criterion, tap = found.criterion, found.tap
    return {
        "task": criterion.task,
        "folder": str(found.source.folder),
        "upstream": found.source.upstream,
        "evidence": criterion.evidence,
        "because": criterion.because,
        "tap": tap.tap if tap else None,
        "tap_index": tap.tap_index if tap else None,
        "stride": written_stride(tap.stride) if tap else None,
        "why": found.why or None,
        "measures_agree": found.agree,
        "measures": [_choice_record(each) for each in found.choices],
        "missing": [
            {"measure": each.measure, "reason": each.reason, "what_to_do": missing(found, each)}
            for each in found.absent
        ],
        "learned_weights": found.weights or None,
        "notes": [*found.source.notes, *found.notes],
        "run": None
        if prepared is None
        else {
            "flags": list(prepared.flags),
            "upstream_options": dict(prepared.options) if prepared.options else None,
            "about": list(prepared.about),
            "files": [str(path) for path in prepared.files],
            "command": _command(found, prepared),
        },
    }


def _choice_record(each: Choice) -> dict[str, Any]:
    """What one measure says."""
    return {
        "measure": each.measure,
        "score": each.best.score,
        "corpus": each.best.corpus,
        "best": each.best.tap,
        "not_told_apart": [row.tap for row in each.not_told_apart],
        "within_one_standard_error": [row.tap for row in each.close],
        "tested": each.tested,
        "held_out": _held_out(each.score),
        "times_best": each.times_best,
        "taps": [_tap_record(each, row) for row in each.rows],
        "left_out": [{"tap": tap, "reason": reason} for tap, reason in each.left_out],
    }


def _held_out(score: HeldOut | None) -> dict[str, Any] | None:
    """The score of the tap that is chosen so."""
    if score is None:
        return None
    low, high = score.estimate.interval()
    return {"value": score.estimate.value, "ci_low": low, "ci_high": high, "halvings": score.halvings}


def _tap_record(each: Choice, row: Row) -> dict[str, Any]:
    """One tap by one measure."""
    found = each.against_best.get(str(row.tap))
    names = ("tap", "tap_index", "stride", "value", "ci_low", "ci_high", "grey", "caveat")
    said = {name: getattr(row, name) for name in names} | {"stride": written_stride(row.stride)} | row.details
    if found is None:
        return {**said, "less_best": 0.0 if row is each.best else None, "p_holm": None}
    ends = {"less_best_ci_low": found.ci_low, "less_best_ci_high": found.ci_high, "p_holm": found.p_holm}
    return {**said, "less_best": found.value, **ends}


def _tap_table(found: Recommendation) -> Table:
    """One line per tap, with what every measure says of it."""
    names = {str(row.tap): row for each in found.choices for row in each.rows}
    heads = [Column("tap"), Column("ms", "number")]
    for each in found.choices:
        heads += [Column(each.measure, "number", decimals=3), Column("less best", "signed", decimals=3)]
        heads += [Column("p (Holm)", "p")]
    heads += [Column("weight", "number", decimals=3)] * bool(found.weights)
    rows = []
    for tap, row in sorted(names.items(), key=lambda item: item[1].tap_index or 0):
        chosen = found.tap is not None and tap == found.tap.tap
        cells = [cell for each in found.choices for cell in _cells(each, tap)]
        cells += [Cell(found.weights.get(tap), text=None if tap in found.weights else "")] * bool(found.weights)
        rows.append((tap, Cell(text=ms_text(row.stride) if row.stride else ""), *cells, "<- take this" * chosen))
    learned = f"weight: learned by {found.criterion.task}'s sum of normalised states, mean over its runs"
    return Table(
        columns=(*heads, Column("", "text")),
        rows=tuple(rows),
        star="best of a measure; ± half of the 95 % interval",
        note=f"{NOT_TOLD_APART} not told apart from it: the paired difference includes 0 (Holm, over all pairs)",
        notes=(learned,) * bool(found.weights),
    )


def _cells(each: Choice, tap: str) -> tuple[Cell, Cell, Cell]:
    """What one measure says of one tap: its number, how far it is below the best, and p."""
    row, nothing = next((row for row in each.rows if row.tap == tap), None), Cell(text="")
    if row is None:
        return Cell(), nothing, nothing
    best = row is each.best
    small = NOT_TOLD_APART * (not best and any(row is other for other in each.not_told_apart))
    value = Cell(row.value, low=row.ci_low, high=row.ci_high, grey=row.grey, star=best, small=small)
    found = None if best else each.against_best.get(tap)
    if found is None:
        return value, nothing, nothing
    return value, Cell(found.value), Cell(found.p if found.p_holm is None else found.p_holm)


def _verdict(found: Recommendation) -> list[str]:
    """What is recommended, and whether the measures agree."""
    lines = [f"take {found.tap.tap}: {found.why}"] if found.tap is not None else []
    if found.agree is False:
        bests = " and ".join(f"{each.best.tap} by {each.measure}" for each in found.choices)
        lines.append(
            f"THE MEASURES DISAGREE: {bests}, and every tap is told apart from one of these; try both, or --verify"
        )
    return lines


def _details(found: Recommendation) -> list[str]:
    """How sure each measure is of its best tap."""
    lines = []
    for each in found.choices:
        if not each.tested:
            if len(each.rows) > 1:
                lines.append(f"{each.measure}: best {each.best.tap}; no differences could be tested, see the notes")
            continue
        lines.append(f"{each.measure}: best {each.best.tap}; {_not_told_apart(each)}")
        if each.score is not None:
            lines.append(
                f"{each.measure} of the best tap, chosen on half of the folds and scored on the others: "
                f"{each.score.estimate.value:.3f} ({span(*each.score.estimate.interval(), '.3f')}; "
                f"{each.best.tap} on all folds: {each.best.value:.3f})"
            )
        several = {name: count for name, count in each.times_best.items() if count}
        if len(several) > 1:
            counts = ", ".join(f"{name} {count}" for name, count in several.items())
            lines.append(f"{each.measure}, best without one of the folds or speakers: {counts} times")
    return lines


def _not_told_apart(each: Choice) -> str:
    """The taps that cannot be told from the best, in words."""
    others = [str(row.tap) for row in each.not_told_apart if row is not each.best]
    if not others:
        return "every other tap is worse"
    if len(others) + 1 == len(each.rows):
        return "this run cannot tell any other tap from it: more speakers or utterances would"
    if len(others) > LISTED:
        count = f"{len(others)} of the {len(each.rows) - 1}"
        return f"{count} others are not told apart from it ({NOT_TOLD_APART} in the table)"
    return f"not told apart from it: {', '.join(others)}"


def _how(found: Recommendation, prepared: Ready) -> list[str]:
    """How the tap is run."""
    lines = [*prepared.about, *(f"written: {path}" for path in prepared.files), _command(found, prepared)]
    if not prepared.files and found.criterion.task not in ELSEWHERE:
        needs = f"suite.yaml{' and upstream.yaml' if prepared.options else ''}"
        lines.append(f"(`-o FILE.yaml` writes {needs} ready to be run)")
    return lines


def _command(found: Recommendation, prepared: Ready) -> str:
    """The command line, with stand-ins for files that were not written."""
    if prepared.command:
        return prepared.command
    options = Path("upstream.yaml") if prepared.options else None
    return command(found.source, prepared, Path("suite.yaml"), options, found.criterion.task)
