"""The results of a run as text: taps down, measures across, the best tap of each measure marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from s3prl_plugin.results import Row

BEST = "*"


def groups(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows that belong into one table: of one upstream, checkpoint and corpus; in the order of their writing."""
    found: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows:
        found.setdefault((row.upstream, row.checkpoint_sha256, row.corpus), []).append(row)
    return list(found.values())


def whole(rows: Sequence[Row]) -> str:
    """Everything that a run's results say, for reading: whose they are, the layers, the tasks."""
    parts = [headline(rows), layer_table(rows), task_table(rows)]
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
    measures = list(dict.fromkeys(_label(r) for r in shown))
    taps = sorted({(r.tap_index if r.tap_index is not None else 0, r.tap, r.stride) for r in shown})
    cells = {(r.tap, _label(r)): r for r in shown}
    best = {m: _best([r for r in shown if _label(r) == m]) for m in measures}
    refusals = list(dict.fromkeys(r.refused for r in shown if r.refused))
    letters = {reason: chr(ord("a") + i) for i, reason in enumerate(refusals)}

    lines = [["tap", "ms", *measures]]
    for _, tap, stride in taps:
        line = [str(tap), f"{1000 * stride / 16000:g}" if stride else ""]
        for measure in measures:
            row = cells.get((tap, measure))
            line.append(_cell(row, best[measure], letters) if row else "")
        lines.append(line)
    return "\n".join([_align(lines), *_legend(shown, letters)])


def task_table(rows: Iterable[Row]) -> str:
    """One line per SUPERB task: score, and the checkpoint that gave it."""
    tasks = [r for r in rows if r.tap is None and r.headline]
    if not tasks:
        return ""
    lines = [["task", "score", "", "checkpoint"]]
    lines += [
        [r.measure, r.score, f"{r.value:.4f}" if r.value is not None else "-", r.task_checkpoint or ""] for r in tasks
    ]
    return _align(lines)


def headline(rows: Sequence[Row]) -> str:
    """One line on whose results these are, and what a reader must know before believing them."""
    first = rows[0]
    parts = [first.upstream]
    if first.params:
        parts.append(f"{first.params / 1e6:.2f} M parameters")
    corpora = dict.fromkeys(r.corpus for r in rows if r.corpus and r.tap is not None)
    if corpora:
        parts.append("on " + ", ".join(corpora))
    warnings = []
    if any(r.weights == "random" for r in rows):
        warnings.append("random weights: what the architecture alone gives")
    if any(r.corpus_kind == "generated" for r in rows):
        warnings.append("generated speech: for trying the software, never a finding about speech")
    return "\n".join([" | ".join(parts), *warnings])


def _label(row: Row) -> str:
    """The column of a row; the published protocol stands beside the default one."""
    return row.measure if row.protocol in (None, "default") else f"{row.measure} ({row.protocol})"


def _best(rows: Sequence[Row]) -> Row | None:
    """The best tap of a measure; a base tap compared with itself does not count."""
    valued = [r for r in rows if r.value is not None and not r.trivial]
    if len(valued) < 2:
        return None
    sign = 1 if valued[0].higher_is_better else -1
    return max(valued, key=lambda r: sign * (r.value or 0.0))


def _cell(row: Row, best: Row | None, letters: dict[str, str]) -> str:
    """The text of one cell."""
    if row.value is None:
        return f"- {letters[str(row.refused)]} "
    text = f"{row.value:.3f}"
    if row.ci_low is not None and row.ci_high is not None:
        text += f" ±{(row.ci_high - row.ci_low) / 2:.3f}"
    if row.grey:
        text = f"({text})"
    return text + (BEST if row is best else " ")


def _legend(rows: Sequence[Row], letters: dict[str, str]) -> list[str]:
    """The lines below the table that its marks need."""
    legend = [f"{BEST} best tap of a measure; ± half of the 95 % interval"]
    greys = dict.fromkeys(r.grey for r in rows if r.grey)
    legend += [f"( ) {grey}" for grey in greys]
    legend += [f"- {letter}: {reason}" for reason, letter in letters.items()]
    return legend


def _align(lines: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
