"""Buckeye: conversations of some ten minutes a file, of one speaker; `s01/s0101a.wav` with `.words` and `.phones`.

Both have a header that ends with a line `#`, then lines `end colour label`: every label begins where the one before it
ends, in seconds; after a `;` stand further fields. Turns of the interviewer (`<IVER>`) and whatever else is no speech
part the files into utterances.

Reference:
    Pitt, Johnson, Hume, Kiesling & Raymond 2005, "The Buckeye corpus of conversational speech", Speech
    Communication 45.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from s3prl_plugin.corpora import folders
from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.corpora.readers.alignment import within
from s3prl_plugin.corpora.readers.collector import Collector
from s3prl_plugin.corpora.readers.grids import UNREADABLE
from s3prl_plugin.corpora.readers.labels import Labels
from s3prl_plugin.errors import UserError

PAUSE_S = 0.5
"""Silence or noise of this length parts two utterances."""

INTERVIEWER = ("<iver", "iver")
SPEAKER = 3  # letters of a file's name: s01 of s0101a


def read(path: str | Path, pause: float | str = PAUSE_S, **labels: Any) -> Corpus:
    """Read Buckeye.

    Args:
        path: the folder above the speakers', or any folder within.
        pause: seconds of silence or noise that part two utterances.
        labels: see `labels.Labels`.

    Returns:
        Utterances named `s0101a_0032.217`: the file and the second at which it begins. The speaker is `s01`, the file
        is the session.

    Raises:
        UserError: no such folder, no Buckeye in it, or none of its utterances can be used.
    """
    root = Path(path)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the one that holds Buckeye's speakers")
    try:
        pause_s = float(pause)
    except ValueError:
        pause_s = 0.0
    if not pause_s > 0:
        raise UserError(f"pause={pause!r}: give seconds, such as {PAUSE_S:g}")
    options = Labels(**labels)
    collector = Collector(root, options)
    between: dict[str, int] = {}
    for audio in (found for found in folders.find(root, "") if found.suffix.lower() == ".wav"):
        try:
            phones, words = (_segments(audio.with_suffix(suffix)) for suffix in (".phones", ".words"))
        except (ValueError, OSError):
            collector.skip(audio.stem, UNREADABLE, audio)
            continue
        if not phones and not words:
            collector.skip(audio.stem, "no .words and no .phones beside the audio", audio)
            continue
        is_speech = options.marks.is_word if words else options.marks.is_phone
        taken = 0
        for start, end in _utterances(words or phones, is_speech, pause_s):
            sounds, spoken = (within(segments, start, end) for segments in (phones, words))
            taken += len(spoken)
            name = f"{audio.stem}_{start:08.3f}"
            speaker, stretch = audio.stem[:SPEAKER], (start, end)
            collector.add(name, speaker, audio, sounds, spoken, session=audio.stem, stretch=stretch)
        between["words"] = between.get("words", 0) + len(words) - taken
    notes = []
    if between.get("words"):
        notes = [f"{between['words']} rows of .words lie between utterances: pauses, noises, the interviewer's turns"]
    return collector.corpus("buckeye", "real", notes)


def _utterances(
    segments: list[Segment], is_speech: Callable[[str], bool], pause_s: float
) -> Iterator[tuple[float, float]]:
    """From when to when speech goes on without a long pause or the interviewer."""
    start = end = None
    for segment in segments:
        if is_speech(segment.label) and segment.end_s > segment.start_s:
            if start is not None and end is not None and segment.start_s - end >= pause_s:
                yield start, end
                start = None
            start, end = (segment.start_s if start is None else start), segment.end_s
        elif segment.label.lower().startswith(INTERVIEWER) and start is not None and end is not None:
            yield start, end
            start = None
    if start is not None and end is not None:
        yield start, end


def _segments(path: Path) -> list[Segment]:
    """The rows of a .words or .phones; none where there is no such file. ValueError where it is none of Buckeye's."""
    if not path.is_file():
        return []
    _, found, rows = path.read_text(encoding="latin-1").partition("\n#")
    if not found:
        raise ValueError("no header that ends with #")
    segments, reached = [], 0.0
    for line in rows.splitlines()[1:]:
        cells = line.split(maxsplit=2)
        if not cells:
            continue
        end = float(cells[0])
        label = cells[2].partition(";")[0].strip() if len(cells) > 2 else ""
        if not end >= reached:  # nor a number
            raise ValueError("rows that are not in order")
        segments.append(Segment(label, reached, end))
        reached = end
    return segments
