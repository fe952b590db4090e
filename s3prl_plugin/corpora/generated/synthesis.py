"""Lines spoken by espeak-ng into a manifest corpus, the same bits every time."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import yaml

from s3prl_plugin.corpora.generated.espeak import Espeak
from s3prl_plugin.corpora.generated.espeak_timing import Span, phones_and_words
from s3prl_plugin.corpora.generated.fresh_process import each_in_fresh_process
from s3prl_plugin.corpora.generated.recipe import SpokenLine
from s3prl_plugin.corpora.readers.tsv import write_table
from s3prl_plugin.states.taps import SAMPLE_RATE

NOTE = (
    "generated speech is for trying and testing the software, never for a finding about speech; "
    "its speakers are easily told apart"
)
_HEADROOM = 0.9  # resampling overshoots by a few percent
_MOST_CHILDREN = 8


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came of a line: its length, phones and words, in samples at 16 kHz."""

    length: int
    phones: list[Span]
    words: list[Span]


def synthesise(
    said: Sequence[SpokenLine],
    about: Mapping[str, object],
    folder: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Speak lines, one child of this process each; it must not have spoken yet and must have no threads.

    Args:
        said: who says what; names are unique.
        about: what corpus.yaml shall say; the version of espeak-ng is added.
        folder: an empty one; it becomes a manifest: audio/*.wav, three tables, corpus.yaml.
        progress: told how many utterances are done.

    Raises:
        UserError: espeak-ng cannot be used.
    """
    espeak = _espeak()  # forked children inherit it, and it must not have spoken
    (folder / "audio").mkdir()
    jobs = [(line, str(folder / "audio" / f"{line.name}.wav")) for line in said]
    spoken: dict[int, Spoken] = {}
    for position, result in each_in_fresh_process(_speak, jobs, min(os.cpu_count() or 1, _MOST_CHILDREN)):
        spoken[position] = result
        progress(len(spoken))
    _write_tables(folder, said, [spoken[i] for i in range(len(said))])
    text = yaml.safe_dump({**about, "espeak_ng": espeak.version}, sort_keys=False, allow_unicode=True)
    (folder / "corpus.yaml").write_text(text, encoding="utf-8")


@functools.cache
def _espeak() -> Espeak:
    """The library, loaded once per process."""
    return Espeak()


def _speak(job: tuple[SpokenLine, str]) -> Spoken:
    """Speak one line into a file."""
    line, path = job
    espeak = _espeak()
    samples, events = espeak.speak(line.text, line.voice)
    phones, words = phones_and_words(events, samples, espeak.sample_rate, line.text)
    resampled = soxr.resample(_HEADROOM * samples.astype(np.float64), espeak.sample_rate, SAMPLE_RATE, quality="HQ")
    resampled = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
    soundfile.write(path, resampled, SAMPLE_RATE, subtype="PCM_16")
    ratio = SAMPLE_RATE / espeak.sample_rate
    return Spoken(
        length=len(resampled),
        phones=_rescaled(phones, ratio, len(resampled)),
        words=_rescaled(words, ratio, len(resampled)),
    )


def _rescaled(spans: Sequence[Span], ratio: float, length: int) -> list[Span]:
    """Spans at another sample rate; what is left without a sample is dropped."""
    scaled = (Span(round(s.start * ratio), min(round(s.end * ratio), length), s.label) for s in spans)
    return [span for span in scaled if span.end > span.start]


def _write_tables(folder: Path, said: Sequence[SpokenLine], spoken: Sequence[Spoken]) -> None:
    """utterances.tsv, phones.tsv and words.tsv."""
    write_table(
        folder / "utterances.tsv",
        ("utt", "speaker", "gender", "duration_s", "num_samples", "audio", "transcript"),
        [
            (s.name, s.speaker, s.gender, f"{x.length / SAMPLE_RATE:.6f}", x.length, f"audio/{s.name}.wav", s.text)
            for s, x in zip(said, spoken, strict=True)
        ],
    )
    for kind in ("phones", "words"):
        write_table(
            folder / f"{kind}.tsv",
            ("utt", "start_s", "end_s", "label", "start_sample", "end_sample"),
            [
                (s.name, f"{x.start / SAMPLE_RATE:.6f}", f"{x.end / SAMPLE_RATE:.6f}", x.label, x.start, x.end)
                for s, result in zip(said, spoken, strict=True)
                for x in getattr(result, kind)
            ],
        )
