"""Whether an upstream may have heard a corpus in training, as far as the names of the two tell."""

from __future__ import annotations

import re

NONE, HEARD, OTHER_PART, NOT_HEARD, UNKNOWN = "none", "heard", "other_part", "not_heard", "unknown"

# a corpus -> what is found in its names, without what is no letter or digit; the first that fits counts
_CORPORA = {
    "Libri-Light": ("librilight",),
    "Multilingual LibriSpeech": ("multilinguallibrispeech",),
    "LibriSpeech": ("librispeech", "trainclean", "trainother", "devclean", "devother", "testclean", "testother"),
    "LibriTTS": ("libritts",),
    "LibriMix": ("libri2mix", "libri3mix", "librimix"),
    "TIMIT": ("timit",),
    "Buckeye": ("buckeye",),
    "VoxPopuli": ("voxpopuli",),
    "VoxCeleb": ("voxceleb",),
    "GigaSpeech": ("gigaspeech",),
    "Common Voice": ("commonvoice",),
    "IEMOCAP": ("iemocap",),
    "Speech Commands": ("speechcommands",),
    "Fluent Speech Commands": ("fluentspeechcommands", "fluentcommands"),
    "SNIPS": ("snips",),
    "QUESST": ("quesst",),
    "generated speech": ("generated", "varied"),
}
# readings of LibriVox's books: one of them may hold recordings of another
_LIBRIVOX = frozenset({"Libri-Light", "LibriSpeech", "LibriTTS", "Multilingual LibriSpeech", "LibriMix"})
_HELD_OUT = re.compile(r"(?<![a-z])(dev|test|valid)", re.IGNORECASE)
_TRAINING = re.compile(r"LibriSpeech 960", re.IGNORECASE)  # all of its training parts, and no other


def of_corpus(said: str | None, pretraining: str | None, corpus: str | None, split: str | None = None) -> str | None:
    """Whether an upstream may have heard a corpus in training; see `results.Row`.

    Args:
        said: what is known of the upstream alone: "none", "known", "unknown"; None where nothing is said of it.
        pretraining: what it was trained on, where that is known.
        corpus: the corpus, as rows name it.
        split: of it, where a task is scored on one.

    Examples:
        >>> of_corpus("known", "LibriSpeech 960 h", "timit_sample")
        'not_heard'
        >>> of_corpus("known", "LibriSpeech 960 h", "LibriSpeech", "test-clean")
        'other_part'
        >>> of_corpus("known", "Libri-Light 60 kh", "dev-clean")
        'unknown'
    """
    if said in (None, NONE):
        return said
    heard, asked = _named(pretraining), _named(corpus)
    if asked & heard:
        part = _HELD_OUT.search(f"{corpus} {split or ''}") and _TRAINING.search(pretraining or "")
        if part and said == UNKNOWN:  # fine-tuned, maybe on it
            return UNKNOWN
        return OTHER_PART if part else HEARD
    if said == UNKNOWN or not asked or not heard or (asked & _LIBRIVOX and heard & _LIBRIVOX):
        return UNKNOWN
    return NOT_HEARD


def _named(text: str | None) -> frozenset[str]:
    """The corpora that are named in a text."""
    plain = re.sub(r"[^a-z0-9]", "", (text or "").lower())
    found = set()
    for name, marks in _CORPORA.items():
        for mark in marks:
            if mark in plain:
                found.add(name)
                plain = plain.replace(mark, " ")
    return frozenset(found)
