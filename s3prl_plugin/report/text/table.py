"""The results of a run as text: taps down, measures across, the best tap of each measure marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from s3prl_plugin.analysis import about
from s3prl_plugin.inference import state_taps
from s3prl_plugin.report.matrices import matrix_tables
from s3prl_plugin.results import Row
from s3prl_plugin.strides import ms_text

BEST = "*"
CAVEAT = "!"
WEIGHT = "weight"  # the score of a row that says how much a task's weighted sum takes of a tap


def groups(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows that belong together: of one upstream, checkpoint and, of analyses, corpus; in the order of their writing.

    Tasks, which often have a corpus each, stand with the analyses of theirs, else with the last ones of their upstream.
    """
    found: dict[tuple[Any, ...], list[Row]] = {}
    tasks: list[Row] = []
    for row in rows:
        if row.tap is None or row.score == WEIGHT:
            tasks.append(row)
        else:
            found.setdefault((*row.model, row.corpus), []).append(row)
    analyses = list(found)
    for row in tasks:
        last = next((key for key in reversed(analyses) if key[:-1] == row.model), (*row.model, None))
        found.setdefault((*row.model, row.corpus) if (*row.model, row.corpus) in analyses else last, []).append(row)
    return list(found.values())


def whole(rows: Sequence[Row], folder: str | None = None) -> str:
    """Everything that a run's results say, for reading: whose they are, the layers, the tasks, what they learned."""
    parts = [headline(rows, folder), layer_table(rows), matrix_tables(rows), task_table(rows), weights_table(rows)]
    return "\n\n".join(part for part in parts if part)


def layer_table(rows: Iterable[Row]) -> str:
    """One line per tap and one column per measure, from the headline rows of analyses.

    Every cell shows the value and the half-width of its 95 % interval. `*` marks the best tap of a measure, brackets
    a number that the data barely support, and a letter a refusal that is spelled out below the table.

    Args:
        rows: of one upstream; rows of SUPERB tasks and scores that are not headlines are passed over.
    """
    shown = [r for r in rows if r.headline and r.tap is not None]
    if not shown:
        return "no layer-wise results"
    measures = list(dict.fromkeys(label(r) for r in shown))
    taps = sorted({(r.tap_index if r.tap_index is not None else 0, r.tap, r.stride or 0) for r in shown})
    cells = {(r.tap, label(r)): r for r in shown}
    by_measure = {m: [r for r in shown if label(r) == m] for m in measures}
    best = {m: state_taps.best(rows) if len(state_taps.valued(rows)) > 1 else None for m, rows in by_measure.items()}
    refusals = list(dict.fromkeys(r.refused for r in shown if r.refused))
    letters = {reason: chr(ord("a") + i) for i, reason in enumerate(refusals)}

    lines = [["tap", "ms", *measures]]
    for _, tap, stride in taps:
        line = [str(tap), ms_text(stride) if stride else ""]
        for measure in measures:
            row = cells.get((tap, measure))
            line.append(_cell(row, best[measure], letters) if row else "")
        lines.append(line)
    return "\n".join([aligned(lines), *_legend(shown, letters)])


def task_table(rows: Iterable[Row]) -> str:
    """One line per SUPERB task: score, corpus, the checkpoint that gave it, and its predictions."""
    tasks = [r for r in rows if r.tap is None and r.headline]
    if not tasks:
        return ""
    several = len({r.seed for r in tasks}) > 1
    lines = [["task", "score", "", "corpus", *(["seed"] if several else []), "checkpoint", "predictions"]]
    for r in tasks:
        line = [r.measure, r.score, f"{r.value:.4f}" if r.value is not None else "-", r.corpus or ""]
        line += [str(r.seed)] if several else []
        lines.append([*line, r.task_checkpoint or "", some(r.predictions or [])])
    return aligned(lines)


def some(files: Sequence[str]) -> str:
    """The first of some files, and how many more there are."""
    return f"{files[0]} + {len(files) - 1}" if len(files) > 1 else "".join(files)


def weights_table(rows: Iterable[Row]) -> str:
    """One line per tap and one column per task (and seed, where there are several); empty where nothing was learned.

    Args:
        rows: of one upstream; others than weights are passed over.
    """
    weights = [row for row in rows if row.score == WEIGHT and row.tap is not None and row.value is not None]
    if not weights:
        return ""
    several = len({row.seed for row in weights}) > 1
    named = [(f"{row.measure} ({row.seed})" if several else row.measure, row) for row in weights]
    tasks = list(dict.fromkeys(name for name, _ in named))
    taps = sorted({(row.tap_index or 0, str(row.tap), row.stride or 0) for row in weights})
    cells = {(row.tap, name): row for name, row in named}
    largest = {
        task: max((row for name, row in named if name == task), key=lambda row: row.value or 0) for task in tasks
    }
    lines = [["tap", "ms", *tasks]]
    for _, tap, stride in taps:
        line = [tap, ms_text(stride) if stride else ""]
        for task in tasks:
            row = cells.get((tap, task))
            line.append("" if row is None else f"{row.value:.3f}{BEST if row is largest[task] else ' '}")
        lines.append(line)
    return "\n".join(
        [
            "weights that the tasks learned for their sum over taps" + (", by seed" if several else ""),
            aligned(lines),
            f"{BEST} largest. Those of a task add up to 1; how much of a layer goes into the sum also depends on how "
            "large its values are",
        ]
    )


def headline(rows: Sequence[Row], folder: str | None = None) -> str:
    """One line on whose results these are, and what a reader must know before believing them.

    Args:
        rows: of one upstream.
        folder: of the run, where there are several.
    """
    first = rows[0]
    parts = [*([folder] if folder else []), first.upstream]
    if first.params:
        parts.append(f"{first.params / 1e6:.2f} M parameters")
    corpora = dict.fromkeys(r.corpus for r in rows if r.corpus and r.tap is not None and r.score != WEIGHT)
    if corpora:
        parts.append("on " + ", ".join(corpora))
    warnings = []
    if any(r.weights == "random" for r in rows):
        warnings.append("random weights: what the architecture alone gives")
    if any(r.corpus_kind == "generated" for r in rows):
        warnings.append("generated speech: for trying the software, never a finding about speech")
    return "\n".join([" | ".join(parts), *warnings])


def label(row: Row) -> str:
    """The column of a row; other protocols, parts of the frames and what is held constant stand beside the measure."""
    restricted = [f"{row.tap2} of {row.upstream2}"] if row.upstream2 else []
    usual = about.is_plain(row)
    restricted += [row.subset] if row.subset and not usual else []
    restricted += [f"given {row.control}"] if row.control and not usual else []
    restricted += [f"by {row.segments}"] if row.segments else []
    restricted += [f"{ms_text(row.frame_stride)} ms grid"] if row.frame_stride else []
    restricted += [row.units] if row.units else []
    restricted += [row.protocol] if row.protocol not in (None, "default") else []
    return f"{row.measure} ({', '.join(restricted)})" if restricted else row.measure


def _cell(row: Row, best: Row | None, letters: dict[str, str]) -> str:
    """The text of one cell."""
    if row.value is None:
        return f"- {letters[str(row.refused)]} "
    text = f"{row.value:.3f}"
    if row.ci_low is not None and row.ci_high is not None:
        text += f" ±{(row.ci_high - row.ci_low) / 2:.3f}"
    if row.grey:
        text = f"({text})"
    return text + (CAVEAT if row.caveat else "") + (BEST if row is best else " ")


def _legend(rows: Sequence[Row], letters: dict[str, str]) -> list[str]:
    """The lines below the table that its marks need."""
    legend = [f"{BEST} best state tap of a measure; ± half of the 95 % interval"]
    greys = dict.fromkeys(r.grey for r in rows if r.grey)
    legend += [f"( ) {grey}" for grey in greys]
    if any(r.caveat for r in rows):
        worst = max((r for r in rows if r.caveat), key=lambda r: r.number("first_component") or 0.0)
        legend.append(f"{CAVEAT} more than half of a tap's variance is one direction; of {worst.tap}: {worst.caveat}")
    legend += [f"- {letter}: {reason}" for reason, letter in letters.items()]
    return legend


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
