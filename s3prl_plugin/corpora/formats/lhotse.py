"""lhotse's manifests: `lhotse:cuts.jsonl.gz`, or recordings and supervisions.

An utterance is what lhotse calls a supervision: a stretch of a recording by one speaker. The items of its alignments
are counted from the start of the recording, also in a cut, whose supervisions are counted from the start of the cut.
Recordings in files are read without lhotse; those at addresses or with transforms by lhotse, once.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.corpora.readers.alignment import within
from s3prl_plugin.corpora.readers.collector import Collector
from s3prl_plugin.corpora.readers.grids import TierChoice
from s3prl_plugin.corpora.readers.labels import Labels, normalised
from s3prl_plugin.corpora.readers.lhotse_audio import Unusable, audio_of
from s3prl_plugin.errors import UserError

ENDINGS = (".jsonl.gz", ".jsonl", ".json.gz", ".json")
_MIXED = "a mixed or padded cut; give the cuts that it was made of"


@dataclass(frozen=True)
class _Utterance:
    """A supervision: times in seconds from the start of its recording."""

    name: str
    recording: dict[str, Any]
    start_s: float
    end_s: float
    channel: Any
    supervision: dict[str, Any]


def read(
    path: str | Path,
    supervisions: str | Path | None = None,
    channel: int | None = None,
    phones_tier: str | None = None,
    words_tier: str | None = None,
    **labels: Any,
) -> Corpus:
    """Read cuts, or recordings and supervisions.

    Args:
        path: the manifest of cuts or of recordings, or a folder that holds one of either.
        supervisions: their manifest, beside one of recordings; by default the file that is called like that one with
            `supervisions` in place of `recordings`.
        channel: the channel that is meant, counted from 0, of supervisions of several.
        phones_tier, words_tier: names of alignments, in place of the known ones (`grids.TIERS`).
        labels: see `labels.Labels`.

    Returns:
        Utterances named by their cut where it has one supervision, else by their supervision; the recording is the
        session. What has no supervision, no audio or no speaker is skipped and counted.

    Raises:
        UserError: a manifest is missing or wrong, no alignment has a known name, or no utterance can be used.
    """
    manifest, second = _manifests(Path(path), supervisions)
    collector = Collector(manifest, Labels(**labels), channel)
    tiers = TierChoice(phones_tier, words_tier, "alignments")
    found = _of_cuts(manifest, collector) if second is None else _of_supervisions(manifest, second, collector)
    outside = 0
    for utterance in found:
        said = utterance.supervision
        speaker = said.get("speaker")
        if not speaker:
            collector.skip(utterance.name, "a supervision without a speaker")
            continue
        phones: list[Segment] = []
        words: list[Segment] = []
        if said.get("alignment"):
            aligned = {kind: _items(items) for kind, items in said["alignment"].items()}
            phones, words = tiers.take(aligned, str(speaker))
        inside = [within(segments, utterance.start_s, utterance.end_s) for segments in (phones, words)]
        outside += len(phones) + len(words) - sum(map(len, inside))
        try:
            audio, of_file = audio_of(utterance.recording, _channel(utterance.channel, channel), manifest.parent)
        except Unusable as bad:
            collector.skip(utterance.name, str(bad))
            continue
        collector.add(
            name=utterance.name,
            speaker=str(speaker),
            path=audio,
            phones=inside[0],
            words=inside[1],
            sentence=normalised(str(said.get("text") or "")) or None,
            session=str(utterance.recording.get("id")),
            stretch=(utterance.start_s, utterance.end_s),
            channel=of_file,
        )
    notes = tiers.notes(manifest)
    if outside:
        notes.append(f"{outside} phones and words that are not within their utterance were left out")
    return collector.corpus(_name(manifest), "real", notes)


def _manifests(path: Path, supervisions: str | Path | None) -> tuple[Path, Path | None]:
    """The manifest of cuts and None, or those of recordings and of supervisions."""
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.name.endswith(ENDINGS)]
        cuts = [file for file in files if "cuts" in file.name]
        candidates = cuts or [file for file in files if "recordings" in file.name]
        if len(candidates) != 1:
            there = ", ".join(file.name for file in candidates or files) or "none"
            raise UserError(f"{path}: give one manifest of cuts or recordings; there: {there}")
        path = candidates[0]
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a manifest of cuts, or of recordings")
    if supervisions is not None:
        return path, Path(str(supervisions)).expanduser()
    beside = path.with_name(path.name.replace("recordings", "supervisions"))
    return path, beside if beside != path and beside.is_file() else None


def _name(manifest: Path) -> str:
    """The corpus's name: the file's, without its endings."""
    return next((manifest.name.removesuffix(e) for e in ENDINGS if manifest.name.endswith(e)), manifest.name)


def _of_cuts(path: Path, collector: Collector) -> Iterator[_Utterance]:
    """The supervisions of cuts."""

    def utterances(cut: dict[str, Any]) -> list[_Utterance]:
        name = str(cut["id"])
        if cut.get("type") not in ("MonoCut", "MultiCut"):
            if "recording" not in cut and "tracks" not in cut and "sources" in cut:
                raise ValueError("a recording; name its supervisions, too (supervisions=FILE)")
            collector.skip(name, _MIXED)
            return []
        if not cut.get("supervisions"):
            collector.skip(name, "a cut without a supervision")
            return []
        if not cut.get("recording"):
            collector.skip(name, "a cut without a recording")
            return []
        begins, length, several = float(cut["start"]), float(cut["duration"]), len(cut["supervisions"]) > 1
        return [
            _Utterance(
                name=str(said["id"]) if several else name,
                recording=dict(cut["recording"]),
                start_s=begins + max(0.0, float(said["start"])),
                end_s=begins + min(length, float(said["start"]) + float(said["duration"])),
                channel=said.get("channel", cut.get("channel")),
                supervision=dict(said),
            )
            for said in cut["supervisions"]
        ]

    for found in _parsed(path, utterances, "cut"):
        yield from found


def _of_supervisions(recordings: Path, supervisions: Path, collector: Collector) -> Iterator[_Utterance]:
    """Supervisions with their recordings."""
    known = dict(_parsed(recordings, lambda recording: (str(recording["id"]), dict(recording)), "recording"))

    def utterance(said: dict[str, Any]) -> _Utterance | None:
        recording = known.get(str(said["recording_id"]))
        if recording is None:
            collector.skip(str(said["id"]), f"its recording is not in {recordings.name}")
            return None
        start = float(said["start"])
        length = float(recording["duration"])
        end = start + float(said["duration"])
        end = min(end, length) if end < length + 0.02 else end
        return _Utterance(str(said["id"]), recording, start, end, said.get("channel"), dict(said))

    for found in _parsed(supervisions, utterance, "supervision"):
        if found is not None:
            yield found


def _items(items: Any) -> list[Segment]:
    """The items of an alignment, `[symbol, start, duration, score]`, as segments."""
    return [Segment(str(symbol), float(start), float(start) + float(length)) for symbol, start, length, *_ in items]


def _channel(of_supervision: Any, wanted: int | None) -> int:
    """The channel of the recording that is meant."""
    channels = of_supervision if isinstance(of_supervision, list) else [of_supervision or 0]
    if wanted is not None and wanted in channels:
        return wanted
    if len(channels) != 1 or wanted is not None or not isinstance(channels[0], int):
        raise Unusable("more than one channel; name one (channel=0)" if wanted is None else f"no channel {wanted}")
    return channels[0]


def _parsed(path: Path, parse: Callable[[dict[str, Any]], Any], what: str) -> Iterator[Any]:
    """What is made of every entry of a manifest."""
    for where, entry in _entries(path):
        try:
            parsed = parse(entry)
            _check_alignments(parsed)
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            lacks = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"{where}: not a {what} of lhotse ({lacks}); write the manifest anew") from None
        yield parsed


def _check_alignments(parsed: Any) -> None:
    """Raise ValueError where an alignment is none."""
    for utterance in parsed if isinstance(parsed, list) else [parsed]:
        if isinstance(utterance, _Utterance):
            if not (math.isfinite(utterance.start_s) and math.isfinite(utterance.end_s)):
                raise ValueError("a time that is not a number")
            aligned = utterance.supervision.get("alignment") or {}
            if not isinstance(aligned, dict):
                raise ValueError("an alignment that is none")
            for items in aligned.values():
                _items(items)


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where an entry stands, and the entry."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a manifest of lhotse")
    if not path.name.endswith(ENDINGS):
        raise UserError(f"{path}: give a manifest as {', '.join(ENDINGS)}: lhotse copy {path.name} OUT.jsonl.gz")
    opened = gzip.open if path.name.endswith(".gz") else open
    number = 0
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            if ".jsonl" not in path.name:
                for number, entry in enumerate(json.load(file), 1):
                    yield f"{path}, entry {number}", dict(entry)
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", dict(json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}, line {number}: not JSON as lhotse writes it; write the manifest anew") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read to its end ({error}); get it again") from None
