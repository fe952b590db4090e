"""Generated emotions in the layout of IEMOCAP, and the lists that s3prl's emotion recognition reads, for both.

Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav
Session1/dialog/EmoEvaluation/Ses01F_impro01.txt         which emotion each sentence was heard as
meta_data/Session1/train_meta_data.json, test_...json    made here: fold 1 tests on session 1 and trains on the others
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from s3prl_plugin.corpora import folders
from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.generated import spoken_lines
from s3prl_plugin.corpora.generated.espeak import Voice
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.generated.recipe import VOICES, SpokenLine
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import replace_file

LABELS = {"neu": 0, "hap": 1, "ang": 2, "sad": 3}
SESSIONS = 5
META = "meta_data"
_AS = {**{label: label for label in LABELS}, "exc": "hap"}  # excitement counts as happiness; other labels are left out
# What an emotion adds to a voice's rate, pitch and pitch range.
_PROSODY = {"neu": (0, 0, 0), "hap": (25, 16, 40), "ang": (55, -6, 25), "sad": (-50, -14, -45)}
_TEXTS = (
    "I did not know that you were here.",
    "Tell me what happened at the station.",
    "We have been waiting for the letter.",
    "That is all there was in the box.",
)
_DIALOGS = Path(__file__).with_name("iemocap_dialogs.txt")  # in the order of the recipe's lists
_EVALUATION = re.compile(r"\[[^]]*\]\t(\S+)\t(\w+)\t")


def generate(folder: str | Path, skips: Skips | None = None) -> Path:
    """Generate the corpus: five sessions of a woman and a man, who say four sentences in four manners.

    The manner is rate, pitch and pitch range: there is no emotion in it.

    Args:
        folder: to be made; one that already holds it is kept.
        skips: nothing is left out of generated speech.

    Returns:
        The folder (s3prl's `root`), whose meta_data is complete.

    Raises:
        UserError: espeak-ng is not installed, or the folder holds something else.
    """
    corpus = spoken_lines.speak(list(_lines()))
    return layout.write_once("iemocap", corpus, folder, lambda to, _: _fill(corpus, to), skips)


def complete(root: Path, made: Path) -> None:
    """Write the lists of every fold for a real IEMOCAP.

    s3prl draws which utterances of the training sessions are dev by their places in the list. So the order matters: it
    is that of the lists which SUPERB's recipe ships, dialog by dialog (iemocap_dialogs.txt); a dialog that is not there
    comes after them.

    Args:
        root: holds Session1 to Session5.
        made: where meta_data goes; lists that are there already are kept.

    Raises:
        UserError: a session or its evaluation is missing.
    """
    sessions = [f"Session{i}" for i in range(1, SESSIONS + 1)]
    if all((made / META / session / "test_meta_data.json").is_file() for session in sessions):
        return
    found = {session: list(_sentences(root, session)) for session in sessions}
    for session in sessions:
        others = [sentence for other in sessions if other != session for sentence in found[other]]
        to = made / META / session
        for split, sentences in (("train", others), ("test", found[session])):
            content = {"labels": LABELS, "meta_data": sentences}
            replace_file(to / f"{split}_meta_data.json", json.dumps(content).encode())


def _sentences(root: Path, session: str) -> Iterator[dict[str, str]]:
    """The sentences of a session with one of the four emotions: path below the root, label, speaker."""
    places = {name: i for i, name in enumerate(_DIALOGS.read_text(encoding="utf-8").split())}
    evaluations = sorted(
        (root / session / "dialog" / "EmoEvaluation").glob("*.txt"),
        key=lambda file: (places.get(file.stem, len(places)), file.stem),
    )
    audio = {path.stem: path for path in folders.find(root / session / "sentences" / "wav", ".wav")}
    if not evaluations or not audio:
        raise UserError(
            f"{root / session}: no dialog/EmoEvaluation/*.txt or no sentences/wav; give the folder of IEMOCAP, "
            "which holds Session1 to Session5"
        )
    for file in evaluations:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            heard = _EVALUATION.match(line)
            if heard and heard[2] in _AS and heard[1] in audio:
                path = audio[heard[1]].relative_to(root).as_posix()
                yield {"path": path, "label": _AS[heard[2]], "speaker": heard[1].partition("_")[0]}


def _lines() -> Iterator[SpokenLine]:
    """Every sentence in every manner by the two voices of every session."""
    women = [(gender, voice) for gender, voice in VOICES.values() if gender == "f"]
    men = [(gender, voice) for gender, voice in VOICES.values() if gender == "m"]
    for session in range(1, SESSIONS + 1):
        for gender, voice in (women[session - 1], men[session - 1]):
            dialog = f"Ses{session:02d}{gender.upper()}_script01"
            for i, (label, text) in enumerate((label, text) for label in LABELS for text in _TEXTS):
                name = f"{dialog}_{gender.upper()}{i:03d}"
                yield SpokenLine(name, dialog.partition("_")[0], gender, _spoken_as(label, voice), text)


def _spoken_as(label: str, voice: Voice) -> Voice:
    """A voice in the manner of an emotion."""
    rate, pitch, pitch_range = _PROSODY[label]
    return replace(
        voice,
        rate=voice.rate + rate,
        pitch=min(max(voice.pitch + pitch, 0), 99),
        pitch_range=min(max(voice.pitch_range + pitch_range, 0), 99),
    )


def _fill(corpus: Corpus, folder: Path) -> None:
    """Put the audio in its place, write the evaluations, and the lists from them."""
    evaluations: dict[Path, list[str]] = {}
    for utterance in corpus.utterances:
        dialog, _, number = utterance.name.rpartition("_")
        session = folder / f"Session{int(dialog[3:5])}"
        layout.place(utterance, session / "sentences" / "wav" / dialog / f"{utterance.name}.wav")
        label = list(LABELS)[int(number[1:]) // len(_TEXTS)]
        line = f"[0.0000 - {utterance.duration_s:.4f}]\t{utterance.name}\t{label}\t[2.5000, 2.5000, 2.5000]"
        evaluations.setdefault(session / "dialog" / "EmoEvaluation" / f"{dialog}.txt", []).append(line)
    for path, lines in evaluations.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        heading = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
        path.write_text("\n".join([heading, "", *lines]) + "\n", encoding="utf-8")
    complete(folder, folder)
