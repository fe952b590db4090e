"""What a corpus holds, for `s3prl-plugin ls corpus`."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.corpora.skips import lines


def report(corpus: Corpus) -> dict[str, Any]:
    """What is there, and what is broken.

    Returns:
        Name, kind, counts, seconds (of utterances and of labelled segments), labels with their tokens, most frequent
        first, and what was skipped; plain types, as JSON takes them.
    """
    lengths = [u.duration_s for u in corpus.utterances]
    phones = [segment for u in corpus.utterances for segment in u.phones]
    words = [segment for u in corpus.utterances for segment in u.words]
    sentences = Counter(u.sentence for u in corpus.utterances if u.sentence is not None)
    return {
        "name": corpus.name,
        "kind": corpus.kind,
        "utterances": len(corpus.utterances),
        "duration_s": round(corpus.duration_s, 3),
        "utterance_s": _spread(lengths),
        "speakers": len(corpus.speakers),
        "utterances_per_speaker": _spread(corpus.speakers.values()),
        "sessions": len({(u.speaker, u.session) for u in corpus.utterances if u.session is not None}),
        "sentences": len(sentences),
        "sentences_said_more_than_once": sum(n > 1 for n in sentences.values()),
        "without_phones": sum(not u.phones for u in corpus.utterances),
        "without_words": sum(not u.words for u in corpus.utterances),
        "phones": _labels(s for s in phones if s.label not in corpus.silence),
        "silence": _labels(s for s in phones if s.label in corpus.silence),
        "words": _labels(words),
        "no_words": dict(corpus.no_words),
        "skipped": {reason: list(names) for reason, names in corpus.skipped.items()},
        "notes": list(corpus.notes),
    }


def text(corpus: Corpus, most: int = 60) -> str:
    """The report for a reader.

    Args:
        corpus: what to describe.
        most: how many labels of a kind to list.
    """
    found = report(corpus)
    rows = [
        f"{found['name']} ({found['kind']} speech)",
        f"  {found['utterances']} utterances of {_range(found['utterance_s'], ' s')}, in all {corpus.duration_s:.0f} s",
        f"  {found['speakers']} speakers with {_range(found['utterances_per_speaker'])} utterances each",
    ]
    if found["sessions"]:
        rows.append(f"  sessions: {found['sessions']}")
    if found["sentences"]:
        repeated = found["sentences_said_more_than_once"]
        rows.append(f"  {found['sentences']} texts, {repeated} of them said more than once")
    for kind in ("phones", "silence", "words"):
        rows += _label_lines(kind, found[kind], most)
    for kind in ("phones", "words"):
        if 0 < found[f"without_{kind}"] < found["utterances"]:
            rows.append(f"  {found[f'without_{kind}']} utterances without {kind}")
    rows += [f"  note: {note}" for note in found["notes"]]
    rows += [f"  {line}" for line in lines(corpus.skipped)]
    return "\n".join(rows)


def _spread(values: Iterable[float]) -> dict[str, float]:
    """Least, median and most."""
    values = list(values) or [0.0]
    spread = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return {name: round(value, 3) for name, value in spread.items()}


def _labels(segments: Iterable[Segment]) -> dict[str, Any]:
    """Tokens, seconds, and tokens per label."""
    segments = list(segments)
    counts = Counter(segment.label for segment in segments)
    return {
        "tokens": len(segments),
        "types": len(counts),
        "duration_s": round(sum(s.end_s - s.start_s for s in segments), 3),
        "counts": dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
    }


def _range(spread: dict[str, float], unit: str = "") -> str:
    """`2 to 5 s (median 3)`."""
    if spread["min"] == spread["max"]:
        return f"{spread['min']:g}{unit}"
    return f"{spread['min']:g} to {spread['max']:g}{unit} (median {spread['median']:g})"


def _label_lines(kind: str, found: dict[str, Any], most: int) -> list[str]:
    """A kind of label: how much there is, and of what."""
    if not found["tokens"]:
        return [f"  {kind}: none"]
    counts = found["counts"]
    listed = "  ".join(f"{label or '(empty)'} {n}" for label, n in list(counts.items())[:most])
    more = f"  and {len(counts) - most} more" if len(counts) > most else ""
    head = f"  {kind}: {found['tokens']} tokens of {found['types']} labels, {found['duration_s']:.0f} s"
    return [head, f"    {listed}{more}"]
