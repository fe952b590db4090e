"""Generated commands in the layout of Fluent Speech Commands, which s3prl's intent classification reads.

data/train_data.csv, valid_data.csv, test_data.csv     columns path, speakerId, transcription, action, object, location
wavs/speakers/linda/linda_00.wav
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.generated import spoken_lines
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.generated.recipe import VOICES, SpokenLine
from s3prl_plugin.corpora.skips import Skips

SLOTS = ("action", "object", "location")
COMMANDS = {
    ("change language", "none", "none"): ("change the language", "use another language"),
    ("change language", "German", "none"): ("switch to German", "speak German please"),
    ("activate", "lights", "kitchen"): ("turn on the kitchen lights", "kitchen lights on"),
    ("activate", "lights", "bedroom"): ("turn on the bedroom lights", "bedroom lights on"),
    ("activate", "music", "none"): ("play some music", "start the music"),
    ("deactivate", "lights", "kitchen"): ("turn off the kitchen lights", "kitchen lights off"),
    ("deactivate", "lights", "bedroom"): ("turn off the bedroom lights", "bedroom lights off"),
    ("deactivate", "music", "none"): ("stop playing music", "no more music"),
    ("increase", "volume", "none"): ("make it louder", "I cannot hear this"),
    ("decrease", "volume", "none"): ("make it quieter", "this is too loud"),
    ("increase", "heat", "washroom"): ("warm up the washroom", "washroom heat up"),
    ("decrease", "heat", "washroom"): ("cool down the washroom", "washroom heat down"),
    ("bring", "newspaper", "none"): ("bring me the newspaper", "fetch my newspaper"),
    ("bring", "shoes", "none"): ("bring me my shoes", "fetch the shoes"),
}
"""(action, object, location) -> how it is said."""
_DEV_VOICES, _TEST_VOICES = 2, 2


def generate(folder: str | Path, skips: Skips | None = None) -> Path:
    """Generate the corpus: 14 intents, each said in two ways by twelve voices; no voice is in two splits.

    Args:
        folder: to be made; one that already holds it is kept.
        skips: nothing is left out of generated speech.

    Returns:
        The folder (s3prl's `file_path`).

    Raises:
        UserError: espeak-ng is not installed, or the folder holds something else.
    """
    corpus = spoken_lines.speak(list(_lines()))
    return layout.write_once("fluent_commands", corpus, folder, lambda to, _: _fill(corpus, to), skips)


def _phrases() -> list[tuple[tuple[str, str, str], str]]:
    """Every intent with each of its phrases."""
    return [(intent, phrase) for intent, phrases in COMMANDS.items() for phrase in phrases]


def _lines() -> Iterator[SpokenLine]:
    """Every phrase by every voice."""
    for speaker, (gender, voice) in VOICES.items():
        for i, (_, phrase) in enumerate(_phrases()):
            yield SpokenLine(f"{speaker}_{i:02d}", speaker, gender, voice, phrase)


def _fill(corpus: Corpus, folder: Path) -> None:
    """Put the audio in its place and write the three tables."""
    phrases = _phrases()
    speakers = list(VOICES)
    dev = len(speakers) - _DEV_VOICES - _TEST_VOICES
    splits = {"train": speakers[:dev], "valid": speakers[dev:-_TEST_VOICES], "test": speakers[-_TEST_VOICES:]}
    spoken_by = layout.by_speaker(corpus)
    (folder / "data").mkdir()
    for split, members in splits.items():
        with (folder / "data" / f"{split}_data.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["", "path", "speakerId", "transcription", *SLOTS])
            utterances = [utterance for speaker in members for utterance in spoken_by[speaker]]
            for row, utterance in enumerate(utterances):
                path = Path("wavs", "speakers", utterance.speaker, f"{utterance.name}.wav")
                layout.place(utterance, folder / path)
                intent, phrase = phrases[int(utterance.name.rpartition("_")[2])]
                table.writerow([row, path.as_posix(), utterance.speaker, phrase, *intent])
