"""The phones and words of a manifest: from tables, CTM files, or TextGrids beside the audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from s3prl_plugin.corpora import ctm, textgrid
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.tsv import read_table
from s3prl_plugin.errors import UserError
from s3prl_plugin.taps import SAMPLE_RATE

UNREADABLE = "alignment not readable"
Segments = dict[str, list[Segment]]


@dataclass
class Alignments:
    """What is known of the utterances of a folder.

    Attributes:
        phones, words: utterance -> segments, in the file's order.
        sources: "phones" or "words" -> the file that they come from; absent for TextGrids.
        unreadable: utterances whose TextGrid is broken.
    """

    phones: Segments = field(default_factory=dict)
    words: Segments = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)

    def source(self, kind: str) -> Path:
        """What to name in a message about phones or words."""
        return self.sources.get(kind, Path("TextGrid"))


def beside(folder: Path, audio: Mapping[str, Path]) -> Alignments:
    """Find and read the alignments of a manifest.

    Args:
        folder: that holds phones.tsv, phones.ctm, ... .
        audio: utterance -> its audio, beside which a TextGrid may lie.

    Raises:
        UserError: a table or CTM file is wrong; the message names file and line.
    """
    found = Alignments()
    readers = {".tsv": read_tsv, ".ctm": ctm.read}
    for kind in ("phones", "words"):
        for suffix, read in readers.items():
            path = folder / f"{kind}{suffix}"
            if path.is_file():
                setattr(found, kind, read(path))
                found.sources[kind] = path
                break
    if len(found.sources) < 2:
        _add_textgrids(found, audio)
    return found


def _add_textgrids(found: Alignments, audio: Mapping[str, Path]) -> None:
    """Take the kinds of segments that no file holds from TextGrids."""
    for utt, path in audio.items():
        grid = path.with_suffix(".TextGrid")
        if not grid.is_file():
            continue
        try:
            tiers = textgrid.read(grid)
        except (ValueError, OSError):
            found.unreadable.add(utt)
            continue
        for kind in {"phones", "words"} - found.sources.keys():
            if kind in tiers:
                getattr(found, kind)[utt] = tiers[kind]


def read_tsv(path: Path) -> Segments:
    """The segments of a phones.tsv or words.tsv.

    Raises:
        UserError: a column is missing or a time is not a number.
    """
    segments: Segments = {}
    times: tuple[str, str] | None = None
    for line, row in read_table(path, ("utt", "label")):
        times = times or _time_columns(path, row)
        start, end = (_seconds(path, line, column, row[column]) for column in times)
        segments.setdefault(row["utt"], []).append(Segment(row["label"], start, end))
    return segments


def _time_columns(path: Path, row: dict[str, str]) -> tuple[str, str]:
    """Which columns hold the times."""
    for start, end in (("start_s", "end_s"), ("start_sample", "end_sample")):
        if start in row and end in row:
            return start, end
    raise UserError(f"{path}, line 1: no columns start_s and end_s, nor start_sample and end_sample; add either")


def _seconds(path: Path, line: int, column: str, cell: str) -> float:
    """A time of a segment, in seconds."""
    try:
        return float(cell) if column.endswith("_s") else int(cell) / SAMPLE_RATE
    except ValueError:
        raise UserError(f"{path}, line {line}: {column} is {cell!r}, which is not a number; mend it") from None
