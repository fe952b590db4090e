"""What generated speech says, and in which voices: sentences drawn so that every word is frequent."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from s3prl_plugin.corpora.generated.espeak import Voice
from s3prl_plugin.errors import UserError

VERSION = 2
"""Raised whenever the same settings would give other audio or labels, so that an old cache is not used."""

# Variants without echo or whisper, which would fill the closures of stops; rate and pitch set them further apart.
VOICES = {
    "linda": ("f", Voice("linda", rate=170, pitch=52)),
    "belinda": ("f", Voice("belinda", rate=160, pitch=44)),
    "steph": ("f", Voice("steph", rate=180, pitch=56)),
    "andrea": ("f", Voice("Andrea", rate=175, pitch=62)),
    "annie": ("f", Voice("Annie", rate=165, pitch=40)),
    "female1": ("f", Voice("f1", rate=150, pitch=48)),
    "male1": ("m", Voice("m1", rate=165, pitch=42)),
    "male3": ("m", Voice("m3", rate=175, pitch=50)),
    "andy": ("m", Voice("Andy", rate=185, pitch=55)),
    "gene": ("m", Voice("Gene", rate=170, pitch=45)),
    "david": ("m", Voice("david", rate=160, pitch=38)),
    "michael": ("m", Voice("Michael", rate=180, pitch=60)),
}
"""Speaker -> gender and voice."""

_WORDS = {
    "whose": "the my your his her our this every",
    "like": "young thirsty tall happy clever brave lazy famous",
    "who": "teacher doctor boy girl father driver farmer queen child judge",
    "did": "found took showed carried measured washed painted bought noticed enjoyed",
    "which": "huge yellow thin broken purple heavy smooth wooden cheap black",
    "what": "chair book treasure house ring basket sugar mirror bottle feather",
    "where": "outside upstairs nearby here downtown abroad there indoors",
    "when": "today yesterday again tonight slowly together once later",
}
_TEMPLATES = (
    "{whose} {like} {who} {did} {whose} {which} {what} {where}",
    "{when} {whose} {like} {who} {did} {whose} {which} {what}",
    "{whose} {like} {who} {did} {whose} {what} {where}, {when}",
    "{where} {whose} {who} {did} {whose} {which} {what} {when}",
)


@dataclass(frozen=True)
class Recipe:
    """All that decides the audio, besides the espeak-ng that speaks it.

    Attributes:
        voices: how many speakers, of `VOICES`, women and men in turn.
        sentences: per speaker.
        seed: of the drawing of words.
    """

    voices: int = len(VOICES)
    sentences: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.voices <= len(VOICES):
            raise UserError(f"voices={self.voices}: generated speech has 1 to {len(VOICES)} voices")
        if not 1 <= self.sentences <= 10_000:
            raise UserError(f"sentences={self.sentences}: give 1 to 10000 sentences per voice")

    @property
    def digest(self) -> str:
        """A name for the outcome, the same for the same audio."""
        said = {"version": VERSION, **asdict(self), "lines": [asdict(line) for line in lines(self)]}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """One utterance to be spoken."""

    name: str
    speaker: str
    gender: str
    voice: Voice
    text: str


def lines(recipe: Recipe) -> Iterator[SpokenLine]:
    """Every utterance of a recipe; no two say the same text."""
    draw = random.Random(recipe.seed)
    said: set[str] = set()
    for speaker in _speakers(recipe.voices):
        gender, voice = VOICES[speaker]
        decks = {slot: _Deck(words.split(), draw) for slot, words in _WORDS.items()}
        for i in range(recipe.sentences):
            while (text := _compose(_TEMPLATES[i % len(_TEMPLATES)], decks)) in said:
                pass
            said.add(text)
            yield SpokenLine(f"{speaker}_{i:04d}", speaker, gender, voice, text)


def _speakers(count: int) -> list[str]:
    """The first speakers, women and men in turn."""
    women = [name for name, (gender, _) in VOICES.items() if gender == "f"]
    men = [name for name, (gender, _) in VOICES.items() if gender == "m"]
    return [name for pair in zip(women, men, strict=True) for name in pair][:count]


def _compose(template: str, decks: dict[str, _Deck]) -> str:
    """A sentence: every slot of a template filled from its own deck."""
    return re.sub(r"\{(\w+)\}", lambda slot: decks[slot[1]].deal(), template).capitalize() + "."


class _Deck:
    """Words dealt in random order, each once before any comes again: all of them are equally frequent."""

    def __init__(self, words: list[str], draw: random.Random):
        self._words, self._draw, self._left = words, draw, list[str]()

    def deal(self) -> str:
        """The next word."""
        if not self._left:
            self._left = self._draw.sample(self._words, len(self._words))
        return self._left.pop()
