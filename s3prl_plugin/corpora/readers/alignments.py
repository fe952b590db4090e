"""The phones and words of a manifest: from tables, CTM files, or TextGrids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers import ctm
from s3prl_plugin.corpora.readers.grids import UNREADABLE, GridFiles, GridsBeside, TierChoice
from s3prl_plugin.corpora.readers.textgrid import BadGrid
from s3prl_plugin.corpora.readers.tsv import read_table
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE

Segments = dict[str, list[Segment]]
KINDS = ("phones", "words")


@dataclass
class Alignments:
    """What is known of the utterances of a folder, as labelled.

    Attributes:
        phones, words: utterance -> segments, in the file's order.
        spans: utterance -> the time of its TextGrid.
        sources: "phones" or "words" -> the file that they come from; absent for TextGrids.
        unreadable: utterance -> its TextGrid, which is broken, and how.
        notes: what a user should know.
    """

    phones: Segments = field(default_factory=dict)
    words: Segments = field(default_factory=dict)
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)
    unreadable: dict[str, tuple[Path, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def source(self, kind: str) -> Path:
        """What to name in a message about phones or words."""
        return self.sources.get(kind, Path("TextGrid"))


def find(
    folder: Path,
    rows: Mapping[str, Mapping[str, str]],
    tiers: TierChoice,
    grids: Path | None = None,
    channel: int | None = None,
) -> Alignments:
    """Find and read the alignments of a manifest.

    Args:
        folder: that holds utterances.tsv.
        rows: of utterances.tsv, by name.
        tiers: what is taken from TextGrids.
        grids: a folder that holds phones.tsv, phones.ctm, ..., or TextGrids in whatever folders; by default the
            manifest's, with TextGrids beside the audio.
        channel: whose rows of a CTM file count.

    Raises:
        UserError: a table or CTM file is wrong (the message names file and line), or no TextGrid has a known tier.
    """
    if grids is not None and not grids.is_dir():
        raise UserError(f"{grids}: no such folder; give the one that holds the alignments")
    found = Alignments()
    for kind in KINDS:
        for suffix in (".tsv", ".ctm"):
            path = (grids or folder) / f"{kind}{suffix}"
            if path.is_file():
                _add_file(found, kind, path, channel)
                break
    lacking = [kind for kind in KINDS if kind not in found.sources]
    if lacking:
        _add_textgrids(found, lacking, folder, rows, tiers, grids)
        found.notes += tiers.notes(grids or folder, lacking, needed=not found.sources)
    return found


def _add_file(found: Alignments, kind: str, path: Path, channel: int | None) -> None:
    """Take the phones or words of a table or CTM file."""
    found.sources[kind] = path
    if path.suffix == ".tsv":
        setattr(found, kind, read_tsv(path))
        return
    segments, notes = ctm.read(path, channel)
    setattr(found, kind, segments)
    found.notes += notes


def _add_textgrids(
    found: Alignments,
    kinds: list[str],
    folder: Path,
    rows: Mapping[str, Mapping[str, str]],
    tiers: TierChoice,
    grids: Path | None,
) -> None:
    """Take some kinds of segments from TextGrids."""
    beside, below = GridsBeside(), GridFiles(grids) if grids is not None else None
    for utt, row in rows.items():
        audio = Path(row["audio"])
        path = None
        try:
            if below is None:
                path = beside.of(folder / audio)
            else:
                path = below.of((audio.stem, utt), (str(audio.parent), row["speaker"], audio.parent.name))
            if path is None:
                continue
            aligned = tiers.read(path, row["speaker"])
        except (BadGrid, OSError) as error:
            cause = str(error) if isinstance(error, BadGrid) else error.strerror
            found.unreadable[utt] = (path or folder / audio, f"{UNREADABLE}: {cause}")
            continue
        if aligned.span is not None:
            found.spans[utt] = aligned.span
        for kind in kinds:
            getattr(found, kind)[utt] = getattr(aligned, kind)


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
