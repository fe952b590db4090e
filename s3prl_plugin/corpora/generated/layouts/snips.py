"""Generated requests in the layout of Audio SNIPS as s3prl prepares it, which its slot filling reads.

train/Ivy-snips-train-0.wav            likewise valid and test
all.iob.snips.txt                      `Ivy-snips-train-0 BOS PLAY A SONG EOS`, tab, `O O O music_item PlayMusic`
slots.txt                              O, then a slot per line
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.generated import spoken_lines
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.generated.recipe import VOICES, SpokenLine
from s3prl_plugin.corpora.skips import Skips

SPEAKERS = {
    "train": ("Ivy", "Joanna", "Joey", "Justin", "Kendra", "Kimberly", "Matthew", "Salli"),
    "valid": ("Aditi", "Amy"),
    "test": ("Brian", "Emma"),
}
"""Some of SUPERB's speakers of each split; each has one of our voices."""
SLOTS = {
    "artist": ("frank miller", "lily stone", "the black cats"),
    "city": ("boston", "new york", "paris"),
    "music_item": ("song", "album", "track"),
    "object_name": ("the green door", "river of gold", "winter light"),
    "rating_value": ("two", "three", "four"),
    "timeRange": ("tomorrow", "next monday", "this evening"),
}
REQUESTS = (
    ("PlayMusic", "play a {music_item} by {artist}"),
    ("PlayMusic", "I want to hear {artist}"),
    ("RateBook", "give {object_name} {rating_value} stars"),
    ("SearchCreativeWork", "find {object_name} for me"),
    ("GetWeather", "will it rain in {city} {timeRange}"),
    ("BookRestaurant", "book a table in {city} for {timeRange}"),
)
_EACH = 2  # how often a speaker says a request, with other slots

Tagged = list[tuple[str, str]]


def generate(folder: str | Path, skips: Skips | None = None) -> Path:
    """Generate the corpus: six requests with six kinds of slots, by eight, two and two speakers.

    Args:
        folder: to be made; one that already holds it is kept.
        skips: nothing is left out of generated speech.

    Returns:
        The folder (s3prl's `path`); its slots.txt is s3prl's `slots_file`.

    Raises:
        UserError: espeak-ng is not installed, or the folder holds something else.
    """
    requests = dict(_requests())
    lines = [line for line, _, _ in requests.values()]
    corpus = spoken_lines.speak(lines)
    return layout.write_once("snips", corpus, folder, lambda to, _: _fill(corpus, requests, to), skips)


def _requests() -> Iterator[tuple[str, tuple[SpokenLine, Tagged, str]]]:
    """Every utterance by its name: who says what, its words with their slots, its intent."""
    draw = random.Random(0)
    voices = iter(VOICES.values())
    for split, speakers in SPEAKERS.items():
        for speaker in speakers:
            gender, voice = next(voices)
            for number, (intent, template) in enumerate(REQUESTS * _EACH):
                tagged = _fill_in(template, draw)
                name = f"{speaker}-snips-{split}-{number}"
                yield (
                    name,
                    (SpokenLine(name, speaker, gender, voice, " ".join(word for word, _ in tagged)), tagged, intent),
                )


def _fill_in(template: str, draw: random.Random) -> Tagged:
    """A request with values for its slots: every word with its slot, O where it has none."""
    tagged: Tagged = []
    for part in template.split():
        slot = part.strip("{}")
        value, tag = (draw.choice(SLOTS[slot]), slot) if slot != part else (part, "O")
        tagged += [(word, tag) for word in value.split()]
    return tagged


def _fill(corpus: Corpus, requests: dict[str, tuple[SpokenLine, Tagged, str]], folder: Path) -> None:
    """Put the audio in its place and write transcripts and slots."""
    lines = []
    for utterance in corpus.utterances:
        _, tagged, intent = requests[utterance.name]
        layout.place(utterance, folder / utterance.name.split("-")[2] / f"{utterance.name}.wav")
        words = " ".join(word.upper() for word, _ in tagged)
        tags = " ".join(tag for _, tag in tagged)
        lines.append(f"{utterance.name} BOS {words} EOS\tO {tags} {intent}\n")
    (folder / "all.iob.snips.txt").write_text("".join(lines), encoding="utf-8")
    # s3prl splits this file at line breaks: one at the end would be a slot without a name
    (folder / "slots.txt").write_text("\n".join(["O", *SLOTS]), encoding="utf-8")
