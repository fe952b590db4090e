"""Any corpus as a table of its utterances, with phones and words in whatever form there is.

utterances.tsv (a header row, tabs, no quoting; more columns do no harm): utt, audio (relative to the folder), speaker;
optional: sentence, transcript, session (what a speaker recorded on one occasion). Phones, and likewise words, come from
the first of
    phones.tsv          utt, label, start_s, end_s (or start_sample, end_sample, counted at 16 kHz)
    phones.ctm          utt channel start duration label
    TextGrids           beside the audio: a.TextGrid beside a.wav; the tiers are known by their names (`grids.TIERS`)
`corpus.yaml` may name the corpus and its kind and say what a user should know (`name: mine`, `kind: real`,
`note: ...`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s3prl_plugin import config as configuration
from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.readers import alignments as aligning
from s3prl_plugin.corpora.readers import from_folder
from s3prl_plugin.corpora.readers.collector import Collector
from s3prl_plugin.corpora.readers.grids import TierChoice
from s3prl_plugin.corpora.readers.labels import Labels, normalised
from s3prl_plugin.corpora.readers.tsv import read_table
from s3prl_plugin.errors import UserError, did_you_mean

KINDS = ("real", "generated")


def read(
    path: str | Path,
    channel: int | None = None,
    alignments: str | Path | None = None,
    phones_tier: str | None = None,
    words_tier: str | None = None,
    **labels: Any,
) -> Corpus:
    """Read a manifest.

    Args:
        path: the folder that holds utterances.tsv.
        channel: the channel that is meant, counted from 0, when the audio has several.
        alignments: a folder of its own that holds phones and words, such as the Montreal aligner's output.
        phones_tier, words_tier: names of TextGrids' tiers, in place of the known ones (`grids.TIERS`).
        labels: see `labels.Labels`.

    Returns:
        Its utterances; a bad one among many is skipped and counted.

    Raises:
        UserError: a table, a column or a number in it is missing or wrong, TextGrids have no known tier, or no
            utterance can be used.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder that holds utterances.tsv")
    lacks = None if (folder / from_folder.TABLE).is_file() else from_folder.missing(folder)
    if lacks is not None:
        raise UserError(lacks)
    collector = Collector(folder, Labels(**labels), channel)
    name, kind, said = _identity(folder)
    rows = _rows(folder)
    grids = None if alignments is None else Path(str(alignments)).expanduser()
    aligned = aligning.find(folder, rows, TierChoice(phones_tier, words_tier), grids, channel)

    for utt, row in rows.items():
        if utt in aligned.unreadable:
            where, reason = aligned.unreadable[utt]
            collector.skip(utt, reason, where)
            continue
        collector.add(
            name=utt,
            speaker=row["speaker"],
            path=folder / row["audio"],
            phones=aligned.phones.get(utt, ()),
            words=aligned.words.get(utt, ()),
            sentence=row.get("sentence") or normalised(row.get("transcript", "")) or None,
            session=row.get("session") or None,
            span=aligned.spans.get(utt),
        )
    for kind_of, segments in (("phones", aligned.phones), ("words", aligned.words)):
        for utt in segments.keys() - rows.keys():
            collector.skip(utt, f"named in {aligned.source(kind_of).name} but not in utterances.tsv")
    return collector.corpus(name, kind, (*said, *aligned.notes), aligned.source("phones"))


def _rows(folder: Path) -> dict[str, dict[str, str]]:
    """The rows of utterances.tsv by name."""
    path = folder / from_folder.TABLE
    rows: dict[str, dict[str, str]] = {}
    for line, row in read_table(path, ("utt", "audio", "speaker")):
        for column in ("utt", "audio", "speaker"):
            if not row[column]:
                raise UserError(f"{path}, line {line}: {column} is empty; fill it in")
        if row["utt"] in rows:
            raise UserError(f"{path}, line {line}: {row['utt']!r} is there already; rename one of them")
        rows[row["utt"]] = row
    return rows


def _identity(folder: Path) -> tuple[str, str, tuple[str, ...]]:
    """The corpus's name, kind and note: from corpus.yaml, else the folder's name, "real" and none."""
    path = folder / "corpus.yaml"
    said: Any = {}
    if path.is_file():
        try:
            said = configuration.parse(path.read_bytes()) or {}
        except UserError as error:
            raise UserError(f"{path}: {error}; mend or remove it") from None
        if not isinstance(said, dict):
            raise UserError(f"{path}: not a mapping; write lines such as `kind: real`, or remove it")
    kind = str(said.get("kind", "real"))
    if kind not in KINDS:
        raise UserError(f"{path}: kind: {kind}: {did_you_mean(kind, KINDS)}")
    notes = (str(said["note"]),) if said.get("note") else ()
    return str(said.get("name", folder.resolve().name)), kind, notes
