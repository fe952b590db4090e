"""Any corpus in the layout of VoxCeleb1, which s3prl's speaker identification reads.

dev/wav/id10001/linda_0004/00005.wav     train and dev: the speaker's fifth utterance
test/wav/id10001/linda_0003/00004.wav    test
veri_test_class.txt                      a line per file: `1 id10001/linda_0004/00005.wav`; 1 train, 2 dev, 3 test
speakers.tsv                             id10001 -> linda
layout.yaml                              which corpus was laid out
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.generated.layouts.layout import by_speaker, place, write_once
from s3prl_plugin.corpora.readers.tsv import write_table
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError

LIST = "veri_test_class.txt"
SPEAKERS = "speakers.tsv"
TRAIN, DEV, TEST = 1, 2, 3
MOST_SPEAKERS = 1251  # s3prl's head has so many classes
# Of every five utterances of a speaker, three to train and one each to dev and test, whatever their number.
_TURNS = (TRAIN, DEV, TRAIN, TEST, TRAIN)


def write(corpus: Corpus, folder: str | Path, skips: Skips | None = None) -> Path:
    """Lay a corpus out for speaker identification, 60/20/20 by utterance within every speaker.

    The split depends on the sorted names of the utterances alone. Files that already are 16 kHz mono 16-bit WAV are
    hard links where the file system allows, everything else is converted.

    Args:
        corpus: two speakers or more; those with fewer than three utterances are left out.
        folder: to be made; one that already holds this corpus's layout is kept.
        skips: collects the utterances whose audio turns out to be bad.

    Returns:
        The folder (s3prl's `file_path`); its veri_test_class.txt is s3prl's `meta_data`.

    Raises:
        UserError: too few or too many speakers, or the folder holds something else.
    """

    def fill(empty: Path, left_out: Skips) -> None:
        speakers = _speakers(corpus, left_out)
        listed = _place_all(speakers, empty, left_out)
        if {line[0] for line in listed} != {str(TRAIN), str(DEV), str(TEST)}:
            raise UserError(f"{corpus.name}: too little readable audio for train, dev and test; mend or replace it")
        (empty / LIST).write_text("".join(f"{line}\n" for line in listed), encoding="utf-8")
        write_table(empty / SPEAKERS, ("id", "speaker"), [(f"id{10001 + i}", s) for i, s in enumerate(speakers)])

    return write_once("voxceleb1", corpus, folder, fill, skips)


def _speakers(corpus: Corpus, skips: Skips) -> dict[str, list[Utterance]]:
    """The utterances of every speaker who has enough of them, sorted."""
    speakers = by_speaker(corpus)
    for speaker in list(speakers):
        if len(speakers[speaker]) < 3:
            for utterance in speakers.pop(speaker):
                skips.add("speaker with fewer than 3 utterances (speaker identification)", utterance.name)
    if not 2 <= len(speakers) <= MOST_SPEAKERS:
        raise UserError(
            f"{corpus.name}: {len(speakers)} speakers with three utterances or more; "
            f"speaker identification needs 2 to {MOST_SPEAKERS}, give another corpus or leave the task out"
        )
    return speakers


def _place_all(speakers: dict[str, list[Utterance]], folder: Path, left_out: Skips) -> list[str]:
    """Put every file in its place; the lines of the list."""
    listed = []
    (folder / "test" / "wav").mkdir(parents=True)
    for split, path, utterance in _plan(speakers):
        try:
            place(utterance, folder / ("test" if split == TEST else "dev") / "wav" / path)
        except audio.BadAudio as bad:
            left_out.add(bad.reason, utterance.name)
        else:
            listed.append(f"{split} {path}")
    return listed


def _plan(speakers: dict[str, list[Utterance]]) -> Iterator[tuple[int, str, Utterance]]:
    """Split, path below `wav` and utterance, for all of them."""
    for i, utterances in enumerate(speakers.values()):
        for k, utterance in enumerate(utterances):
            # The list separates by spaces and s3prl globs with the path: keep letters, digits, - and _.
            session = re.sub(r"[^\w-]", "_", utterance.name, flags=re.ASCII)
            # Three utterances are train, dev and test, so that every speaker is in each.
            split = (TRAIN, DEV, TEST)[k] if len(utterances) == 3 else _TURNS[k % len(_TURNS)]
            yield split, f"id{10001 + i}/{session}/{k + 1:05d}.wav", utterance
