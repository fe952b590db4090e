"""Any corpus with words in the layout of LibriSpeech, which s3prl's ASR and PR read.

train-clean-100/1001/1/1001-1-0000.flac, 1001-1.trans.txt      likewise dev-clean and test-clean
len_for_bucket/train-clean-100.csv                             lengths, without which s3prl's ASR reads nothing
phones.txt, phone_vocabulary.txt                               from the alignments: utterances and labels for PR
speakers.tsv                                                   1001 -> linda
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from s3prl_plugin.corpora import audio, folders
from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.readers.tsv import write_table
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import replace_file

TRAIN, DEV, TEST = "train-clean-100", "dev-clean", "test-clean"
SPLITS = (TRAIN, DEV, TEST)
LENGTHS, PHONES, VOCABULARY, SPEAKERS = "len_for_bucket", "phones.txt", "phone_vocabulary.txt", "speakers.tsv"
_EVALUATED = 6  # of so many speakers, one each goes to dev and test
_STRESSED = re.compile(r"^([A-Z]{2})[012]$")


def write(corpus: Corpus, folder: str | Path, skips: Skips | None = None) -> Path:
    """Lay a corpus out for ASR and PR; no speaker is in two splits.

    LibriSpeech itself, read with its alignments, keeps its own train-clean-100, dev-clean and test-clean, with phones
    from the alignments in place of those of a lexicon. Stress marks of ARPAbet (AA1) are left out.

    Args:
        corpus: three speakers or more, and words; utterances without words are left out. PR also needs its phones.
        folder: to be made; one that already holds this corpus's layout is kept.
        skips: collects the utterances that are left out.

    Returns:
        The folder (s3prl's `libri_root`); its len_for_bucket is s3prl's `bucket_file`.

    Raises:
        UserError: too few speakers or no words, or the folder holds something else.
    """
    return layout.write_once("librispeech", corpus, folder, lambda to, left_out: _fill(corpus, to, left_out), skips)


def complete(root: Path, made: Path) -> None:
    """Write the lengths of the utterances in a real LibriSpeech.

    Args:
        root: the folder of LibriSpeech.
        made: where len_for_bucket goes; a table that is there already is kept.
    """
    for split in SPLITS:
        target = made / LENGTHS / f"{split}.csv"
        if target.is_file() or not (root / split).is_dir():
            continue
        paths = [path.relative_to(root).as_posix() for path in folders.find(root / split, ".flac")]
        lengths = {path: audio.info(root / path).frames for path in paths}
        text = io.StringIO(newline="")
        table = csv.writer(text)
        table.writerow(["", "file_path", "length", "label"])
        longest_first = sorted(paths, key=lambda path: -lengths[path])
        table.writerows([i, path, lengths[path], ""] for i, path in enumerate(longest_first))
        replace_file(target, text.getvalue().encode())


def _fill(corpus: Corpus, folder: Path, left_out: Skips) -> None:
    """Put audio and transcripts in their places, and write what goes with them."""
    speakers = _speakers(corpus, left_out)
    splits = _splits(speakers, left_out)
    phones: dict[str, list[str]] = {}
    for number, (speaker, split) in enumerate(splits.items(), 1001):
        chapter = folder / split / str(number) / "1"
        said = []
        for i, utterance in enumerate(speakers[speaker]):
            name = f"{number}-1-{i:04d}"
            try:
                layout.place(utterance, chapter / f"{name}.flac")
            except audio.BadAudio as bad:
                left_out.add(bad.reason, utterance.name)
                continue
            said.append(f"{name} {' '.join(word.label.upper() for word in utterance.words)}")
            phones[name] = [
                _STRESSED.sub(r"\1", phone.label) for phone in utterance.phones if phone.label not in corpus.silence
            ]
        if not said:
            raise UserError(f"{corpus.name}: no readable audio of speaker {speaker}; mend it or remove the speaker")
        (chapter / f"{number}-1.trans.txt").write_text("".join(f"{line}\n" for line in said), encoding="utf-8")
    _write_phones(phones, folder)
    rows = [(number, speaker) for number, speaker in enumerate(splits, 1001)]
    write_table(folder / SPEAKERS, ("number", "speaker"), rows)
    complete(folder, folder)


def _speakers(corpus: Corpus, left_out: Skips) -> dict[str, Sequence[Utterance]]:
    """The utterances with words of every speaker who has any."""
    for utterance in corpus.utterances:
        if not utterance.words:
            left_out.add("no words (ASR, PR)", utterance.name)
    found = {speaker: [u for u in said if u.words] for speaker, said in layout.by_speaker(corpus).items()}
    speakers: dict[str, Sequence[Utterance]] = {speaker: said for speaker, said in found.items() if said}
    if len(speakers) < len(SPLITS):
        raise UserError(
            f"{corpus.name}: {len(speakers)} speakers with words; ASR and PR need {len(SPLITS)} or more, one for each "
            "of train, dev and test; give another corpus or leave the tasks out"
        )
    return speakers


def _splits(speakers: Mapping[str, Sequence[Utterance]], left_out: Skips) -> dict[str, str]:
    """The split of every speaker: LibriSpeech's own, else the last ones test and those before them dev."""
    published = {speaker: _published_split(said[0]) for speaker, said in speakers.items()}
    if set(SPLITS) <= set(published.values()):
        for speaker, split in published.items():
            for utterance in speakers[speaker] if split is None else ():
                left_out.add("of another part of LibriSpeech (ASR, PR)", utterance.name)
        return {speaker: split for speaker, split in published.items() if split is not None}
    each = max(1, len(speakers) // _EVALUATED)
    names = list(speakers)
    parts = {TRAIN: names[: -2 * each], DEV: names[-2 * each : -each], TEST: names[-each:]}
    return {speaker: split for split, members in parts.items() for speaker in members}


def _published_split(utterance: Utterance) -> str | None:
    """The split that an utterance's place says, if it is one of the three."""
    return next((part for part in utterance.audio.parts if part in SPLITS), None)


def _write_phones(phones: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Phones per utterance and their vocabulary, where the corpus has phones."""
    if not all(phones.values()):
        return
    lines = (f"{name} {' '.join(said)}\n" for name, said in phones.items())
    (folder / PHONES).write_text("".join(lines), encoding="utf-8")
    vocabulary = sorted({phone for said in phones.values() for phone in said})
    (folder / VOCABULARY).write_text("\n".join(vocabulary), encoding="utf-8")
