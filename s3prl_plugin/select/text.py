"""Recommendations for reading, and as records."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from s3prl_plugin import registry
from s3prl_plugin.analysis import about
from s3prl_plugin.inference.held_out import HeldOut
from s3prl_plugin.report import tables
from s3prl_plugin.report.text import aligned
from s3prl_plugin.results import Row
from s3prl_plugin.select.choice import Absent, Choice
from s3prl_plugin.select.recommendation import Recommendation
from s3prl_plugin.select.written import ELSEWHERE, PROGRAM, Ready, command
from s3prl_plugin.strides import ms_text, written_stride

BEST, NOT_TOLD_APART = "*", "~"
LISTED = 4  # taps that are named in a sentence


def text(found: Recommendation, prepared: Ready | None) -> str:
    """Everything for reading.

    Args:
        prepared: how the tap is run; None where none is recommended.
    """
    criterion = found.criterion
    measures = " and ".join(criterion.measures)
    parts = [
        f"{found.source.folder}: "
        + "\n".join(tables.headline([row for row in found.source.rows if row.tap is not None] or found.source.rows)),
        f"{criterion.task}, {criterion.title}: chosen by {measures}. Evidence: {criterion.evidence} "
        f"({criterion.because})",
        "\n".join(f"note: {note}" for note in found.source.notes),
        "\n".join(missing(found, each) for each in found.absent),
    ]
    if found.tap is not None:
        parts += [
            _verdict(found),
            _tap_table(found),
            _details(found),
            "\n".join(f"note: {note}" for note in found.notes),
        ]
        parts.append(_how(found, prepared) if prepared else "")
    return "\n\n".join(part for part in parts if part)


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


def _tap_table(found: Recommendation) -> str:
    """One line per tap, with what every measure says of it."""
    names = {row.tap: row for each in found.choices for row in each.rows}
    ordered = sorted(names.values(), key=lambda row: row.tap_index if row.tap_index is not None else 0)
    head = ["tap", "ms"]
    for each in found.choices:
        head += [each.measure, "less best", "p (Holm)"]
    lines = [[*head, *(["weight"] if found.weights else []), ""]]
    for row in ordered:
        line = [str(row.tap), ms_text(row.stride) if row.stride else ""]
        for each in found.choices:
            line += _cells(each, str(row.tap))
        if found.weights:
            line.append(f"{found.weights[str(row.tap)]:.3f}" if str(row.tap) in found.weights else "")
        chosen = found.tap is not None and row.tap == found.tap.tap
        lines.append([*line, "<- take this" if chosen else " " * len("<- take this")])
    legend = [
        f"{BEST} best of a measure; {NOT_TOLD_APART} not told apart from it: the paired difference includes 0 (Holm, "
        "over all pairs of these taps); ± half of the 95 % interval"
    ]
    if found.weights:
        legend.append(f"weight: learned by {found.criterion.task}'s sum of normalised states, mean over its runs")
    return "\n".join([aligned(lines), *legend])


def _cells(each: Choice, tap: str) -> list[str]:
    """What one measure says of one tap."""
    row = next((row for row in each.rows if row.tap == tap), None)
    if row is None:
        return ["- ", "", ""]
    value = f"{row.value:.3f}"
    if row.ci_low is not None and row.ci_high is not None:
        value += f" ±{(row.ci_high - row.ci_low) / 2:.3f}"
    value = f"({value})" if row.grey else value
    if row is each.best:
        return [f"{value}{BEST}", "", ""]
    mark = NOT_TOLD_APART if any(row is other for other in each.not_told_apart) else " "
    found = each.against_best.get(tap)
    if found is None:
        return [f"{value}{mark}", "", ""]
    p = found.p_holm if found.p_holm is not None else found.p
    return [f"{value}{mark}", f"{found.value:+.3f}", f"{p:.3f}" if p >= 0.001 else "<.001"]


def _verdict(found: Recommendation) -> str:
    """What is recommended, and whether the measures agree."""
    lines = [f"take {found.tap.tap}: {found.why}"] if found.tap is not None else []
    if found.agree is False:
        bests = " and ".join(f"{each.best.tap} by {each.measure}" for each in found.choices)
        lines.append(
            f"THE MEASURES DISAGREE: {bests}, and every tap is told apart from one of these; try both, or --verify"
        )
    return "\n".join(lines)


def _details(found: Recommendation) -> str:
    """How sure each measure is of its best tap."""
    lines = []
    for each in found.choices:
        if not each.tested:
            if len(each.rows) > 1:
                lines.append(f"{each.measure}: best {each.best.tap}; no differences could be tested, see the notes")
            continue
        lines.append(f"{each.measure}: best {each.best.tap}; {_not_told_apart(each)}")
        if each.score is not None:
            low, high = each.score.estimate.interval()
            lines.append(
                f"{each.measure} of the best tap, chosen on half of the folds and scored on the others: "
                f"{each.score.estimate.value:.3f} [{low:.3f}, {high:.3f}] "
                f"({each.best.tap} on all folds: {each.best.value:.3f})"
            )
        several = {name: count for name, count in each.times_best.items() if count}
        if len(several) > 1:
            counts = ", ".join(f"{name} {count}" for name, count in several.items())
            lines.append(f"{each.measure}, best without one of the folds or speakers: {counts} times")
    return "\n".join(lines)


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


def _how(found: Recommendation, prepared: Ready) -> str:
    """How the tap is run."""
    lines = [*prepared.about]
    lines += [f"written: {path}" for path in prepared.files]
    lines.append(_command(found, prepared))
    if not prepared.files and found.criterion.task not in ELSEWHERE:
        needs = f"suite.yaml{' and upstream.yaml' if prepared.options else ''}"
        lines.append(f"(`-o FILE.yaml` writes {needs} ready to be run)")
    return "\n".join(lines)


def _command(found: Recommendation, prepared: Ready) -> str:
    """The command line, with stand-ins for files that were not written."""
    if prepared.command:
        return prepared.command
    options = Path("upstream.yaml") if prepared.options else None
    return command(found.source, prepared, Path("suite.yaml"), options, found.criterion.task)
