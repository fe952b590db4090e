"""Generated speech to train on: many words, many voices, every rate and pitch.

Nothing of it is in the generated corpus that models are analysed on: no voice, and, but for a few little words, no
word. So what a model has learned from the one is measured on speech that it has not heard.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.generated.espeak import Voice
from s3prl_plugin.corpora.generated.recipe import SpokenLine
from s3prl_plugin.corpora.generated.spoken_lines import speak
from s3prl_plugin.errors import UserError

WORDS = Path(__file__).with_name("varied_words.txt")

# espeak-ng's variants that are none of the analysed corpus's, without echo, whisper or croak, and no klatt.
FEMALE = "f2 f3 f4 f5 steph2 steph3 aunty grandma anika Alicia shelby"
MALE = (
    "m2 m4 m5 m6 m7 m8 adam benjamin boris caleb ed edward gustave ian john max mike2 norbert paul pedro quincy rob "
    "robert travis victor zac Alex Lee Jacky Marco Mike Denis Diogo Hugo antonio marcelo miguel pablo sandro grandpa"
)
SPEAKERS = tuple((variant, gender) for gender, names in (("f", FEMALE), ("m", MALE)) for variant in names.split())

RATES = (130, 220)  # words per minute
PITCHES = (25, 75)
PITCH_RANGES = (25, 80)
WORDS_A_LINE = (4, 8)
LITTLE = ("the", "a", "of", "and", "in", "to", "with", "for", "is", "was", "on", "at")
MOST = 100_000


def read(utterances: int = 3000, seed: int = 0) -> Corpus:
    """Varied speech as a corpus, made if it is not there yet. The same arguments give the same bits.

    Args:
        utterances: how many, about 2.7 s each; the voices take turns, each with another rate and pitch every time.
        seed: of the drawing.

    Raises:
        UserError: espeak-ng is not installed, or the number is not possible.
    """
    if not 1 <= utterances <= MOST:
        raise UserError(f"utterances={utterances}: give 1 to {MOST}")
    return speak(list(lines(utterances, seed)))


def lines(utterances: int, seed: int = 0) -> Iterator[SpokenLine]:
    """Who says what; every word comes once before any comes again."""
    draw = random.Random(seed)
    words = WORDS.read_text(encoding="utf-8").split()
    left: list[str] = []
    for i in range(utterances):
        variant, gender = SPEAKERS[i % len(SPEAKERS)]
        said: list[str] = []
        for _ in range(draw.randint(*WORDS_A_LINE)):
            left = left or draw.sample(words, len(words))
            if draw.random() < 0.4:
                said.append(draw.choice(LITTLE))
            said.append(left.pop())
        if draw.random() < 0.3:
            said[len(said) // 2] += ","
        voice = Voice(variant, draw.randint(*RATES), draw.randint(*PITCHES), draw.randint(*PITCH_RANGES))
        yield SpokenLine(
            f"{variant.lower()}_{i:05d}", variant.lower(), gender, voice, " ".join(said).capitalize() + "."
        )
